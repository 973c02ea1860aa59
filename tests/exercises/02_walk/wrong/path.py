# SPDX-License-Identifier: GPL-2.0-only


class rights_always_full(loop):
    """The rights are always W and U."""

    def walk(vm, gva, write, user, fetch):
        small = vm.root_level == 2
        bits = 10 if small else 9
        frame_mask = 0xFFFFF000 if small else 0x000FFFFFFFFFF000
        tables = [None] * 5
        code = 2 * bool(write) + 4 * bool(user) + 16 * bool(fetch)
        level, root = vm.root_level, vm.cpu.cr3
        if level == 3:
            root = vm.cpu.pdptrs[gva >> 30 & 3]
            if not root & PRESENT:
                return Walk(3, tables, None, 0, 0, code)
            level = 2
        rights = WRITABLE | USER
        gfn = (root & frame_mask) >> 12
        while True:
            tables[level] = gfn
            hfn = vm.memory.frames[gfn]
            index = (gva >> 12 + bits * (level - 1)) & ((1 << bits) - 1)
            if hfn is None:
                return Walk(level, tables, None, rights, 0, code)
            at = (hfn << bits) + index
            entry = vm.memory.halves[at] if small else vm.memory.words[at]
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            refused = write and not entry & WRITABLE and (user or vm.cpu.cr0 >> 16 & 1)
            refused = refused or (user and not entry & USER)
            refused = refused or (not small and fetch and vm.cpu.efer >> 11 & 1 and entry & NX)
            if refused:
                return Walk(level, tables, at, rights, 0, code | 1)
            if not entry & ACCESSED:
                vm.memory.mark_dirty(gfn)
                if small:
                    vm.memory.put_half(at, entry | ACCESSED, ev.GUEST_ACCESSED)
                else:
                    vm.memory.put(at, entry | ACCESSED, ev.GUEST_ACCESSED)
            frame = (entry & frame_mask) >> 12
            if level == 1:
                return Walk(1, tables, at, rights, frame, None)
            if level == 2 and entry & LARGE and (not small or vm.cpu.cr4 >> 4 & 1):
                size = 1 << bits
                return Walk(2, tables, at, rights, frame // size * size + (gva >> 12) % size, None)
            gfn = frame
            level -= 1


class rights_not_anded(loop):
    """The rights are those of the entry just above the last one."""

    def walk(vm, gva, write, user, fetch):
        small = vm.root_level == 2
        bits = 10 if small else 9
        frame_mask = 0xFFFFF000 if small else 0x000FFFFFFFFFF000
        tables = [None] * 5
        code = 2 * bool(write) + 4 * bool(user) + 16 * bool(fetch)
        level, root = vm.root_level, vm.cpu.cr3
        if level == 3:
            root = vm.cpu.pdptrs[gva >> 30 & 3]
            if not root & PRESENT:
                return Walk(3, tables, None, 0, 0, code)
            level = 2
        rights = WRITABLE | USER
        gfn = (root & frame_mask) >> 12
        while True:
            tables[level] = gfn
            hfn = vm.memory.frames[gfn]
            index = (gva >> 12 + bits * (level - 1)) & ((1 << bits) - 1)
            if hfn is None:
                return Walk(level, tables, None, rights, 0, code)
            at = (hfn << bits) + index
            entry = vm.memory.halves[at] if small else vm.memory.words[at]
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            refused = write and not entry & WRITABLE and (user or vm.cpu.cr0 >> 16 & 1)
            refused = refused or (user and not entry & USER)
            refused = refused or (not small and fetch and vm.cpu.efer >> 11 & 1 and entry & NX)
            if refused:
                return Walk(level, tables, at, rights, 0, code | 1)
            if not entry & ACCESSED:
                vm.memory.mark_dirty(gfn)
                if small:
                    vm.memory.put_half(at, entry | ACCESSED, ev.GUEST_ACCESSED)
                else:
                    vm.memory.put(at, entry | ACCESSED, ev.GUEST_ACCESSED)
            frame = (entry & frame_mask) >> 12
            if level == 1:
                return Walk(1, tables, at, rights, frame, None)
            if level == 2 and entry & LARGE and (not small or vm.cpu.cr4 >> 4 & 1):
                size = 1 << bits
                return Walk(2, tables, at, rights, frame // size * size + (gva >> 12) % size, None)
            rights = entry & (WRITABLE | USER)
            gfn = frame
            level -= 1


class rights_of_the_last_only(loop):
    """The rights are the last entry's own."""

    def walk(vm, gva, write, user, fetch):
        small = vm.root_level == 2
        bits = 10 if small else 9
        frame_mask = 0xFFFFF000 if small else 0x000FFFFFFFFFF000
        tables = [None] * 5
        code = 2 * bool(write) + 4 * bool(user) + 16 * bool(fetch)
        level, root = vm.root_level, vm.cpu.cr3
        if level == 3:
            root = vm.cpu.pdptrs[gva >> 30 & 3]
            if not root & PRESENT:
                return Walk(3, tables, None, 0, 0, code)
            level = 2
        rights = WRITABLE | USER
        gfn = (root & frame_mask) >> 12
        while True:
            tables[level] = gfn
            hfn = vm.memory.frames[gfn]
            index = (gva >> 12 + bits * (level - 1)) & ((1 << bits) - 1)
            if hfn is None:
                return Walk(level, tables, None, rights, 0, code)
            at = (hfn << bits) + index
            entry = vm.memory.halves[at] if small else vm.memory.words[at]
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            refused = write and not entry & WRITABLE and (user or vm.cpu.cr0 >> 16 & 1)
            refused = refused or (user and not entry & USER)
            refused = refused or (not small and fetch and vm.cpu.efer >> 11 & 1 and entry & NX)
            if refused:
                return Walk(level, tables, at, rights, 0, code | 1)
            if not entry & ACCESSED:
                vm.memory.mark_dirty(gfn)
                if small:
                    vm.memory.put_half(at, entry | ACCESSED, ev.GUEST_ACCESSED)
                else:
                    vm.memory.put(at, entry | ACCESSED, ev.GUEST_ACCESSED)
            frame = (entry & frame_mask) >> 12
            rights = entry & (WRITABLE | USER)
            if level == 1:
                return Walk(1, tables, at, rights, frame, None)
            if level == 2 and entry & LARGE and (not small or vm.cpu.cr4 >> 4 & 1):
                size = 1 << bits
                return Walk(2, tables, at, rights, frame // size * size + (gva >> 12) % size, None)
            gfn = frame
            level -= 1


class rights_of_the_last_too(loop):
    """The rights include the last entry's own."""

    def walk(vm, gva, write, user, fetch):
        small = vm.root_level == 2
        bits = 10 if small else 9
        frame_mask = 0xFFFFF000 if small else 0x000FFFFFFFFFF000
        tables = [None] * 5
        code = 2 * bool(write) + 4 * bool(user) + 16 * bool(fetch)
        level, root = vm.root_level, vm.cpu.cr3
        if level == 3:
            root = vm.cpu.pdptrs[gva >> 30 & 3]
            if not root & PRESENT:
                return Walk(3, tables, None, 0, 0, code)
            level = 2
        rights = WRITABLE | USER
        gfn = (root & frame_mask) >> 12
        while True:
            tables[level] = gfn
            hfn = vm.memory.frames[gfn]
            index = (gva >> 12 + bits * (level - 1)) & ((1 << bits) - 1)
            if hfn is None:
                return Walk(level, tables, None, rights, 0, code)
            at = (hfn << bits) + index
            entry = vm.memory.halves[at] if small else vm.memory.words[at]
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            refused = write and not entry & WRITABLE and (user or vm.cpu.cr0 >> 16 & 1)
            refused = refused or (user and not entry & USER)
            refused = refused or (not small and fetch and vm.cpu.efer >> 11 & 1 and entry & NX)
            if refused:
                return Walk(level, tables, at, rights, 0, code | 1)
            if not entry & ACCESSED:
                vm.memory.mark_dirty(gfn)
                if small:
                    vm.memory.put_half(at, entry | ACCESSED, ev.GUEST_ACCESSED)
                else:
                    vm.memory.put(at, entry | ACCESSED, ev.GUEST_ACCESSED)
            frame = (entry & frame_mask) >> 12
            rights &= entry
            if level == 1:
                return Walk(1, tables, at, rights, frame, None)
            if level == 2 and entry & LARGE and (not small or vm.cpu.cr4 >> 4 & 1):
                size = 1 << bits
                return Walk(2, tables, at, rights, frame // size * size + (gva >> 12) % size, None)
            gfn = frame
            level -= 1
