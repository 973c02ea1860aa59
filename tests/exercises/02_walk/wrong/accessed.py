# SPDX-License-Identifier: GPL-2.0-only


class accessed_drops_high_bits(loop):
    """Writes the entry back without the bits that it doesn't know."""

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
                    vm.memory.put(at, entry & (frame_mask | 0xFFF | NX) | ACCESSED, ev.GUEST_ACCESSED)
            frame = (entry & frame_mask) >> 12
            if level == 1:
                return Walk(1, tables, at, rights, frame, None)
            if level == 2 and entry & LARGE and (not small or vm.cpu.cr4 >> 4 & 1):
                size = 1 << bits
                return Walk(2, tables, at, rights, frame // size * size + (gva >> 12) % size, None)
            rights &= entry
            gfn = frame
            level -= 1


class accessed_in_the_pdpte(loop):
    """Sets the accessed bit of the PDPTE in memory, too."""

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
            at = (vm.memory.frames[vm.cpu.cr3 >> 12] << 9) + (gva >> 30 & 3)
            vm.memory.put(at, vm.memory.words[at] | ACCESSED, ev.GUEST_ACCESSED)
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
            rights &= entry
            gfn = frame
            level -= 1


class accessed_on_absent(loop):
    """Sets the accessed bit of an entry before it looks whether that is present."""

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
            if not entry & ACCESSED:
                vm.memory.mark_dirty(gfn)
                if small:
                    vm.memory.put_half(at, entry | ACCESSED, ev.GUEST_ACCESSED)
                else:
                    vm.memory.put(at, entry | ACCESSED, ev.GUEST_ACCESSED)
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            refused = write and not entry & WRITABLE and (user or vm.cpu.cr0 >> 16 & 1)
            refused = refused or (user and not entry & USER)
            refused = refused or (not small and fetch and vm.cpu.efer >> 11 & 1 and entry & NX)
            if refused:
                return Walk(level, tables, at, rights, 0, code | 1)
            frame = (entry & frame_mask) >> 12
            if level == 1:
                return Walk(1, tables, at, rights, frame, None)
            if level == 2 and entry & LARGE and (not small or vm.cpu.cr4 >> 4 & 1):
                size = 1 << bits
                return Walk(2, tables, at, rights, frame // size * size + (gva >> 12) % size, None)
            rights &= entry
            gfn = frame
            level -= 1


class accessed_only_at_the_leaf(loop):
    """Sets the accessed bit of the last entry only."""

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
            if not entry & ACCESSED and (level == 1 or entry & LARGE):
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
            rights &= entry
            gfn = frame
            level -= 1


class accessed_only_on_success(loop):
    """Collects the entries passed and sets their accessed bits at the end, if all went well."""

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
        passed = []

        def finish():
            for gfn, at, entry in passed:
                vm.memory.mark_dirty(gfn)
                (vm.memory.put_half if small else vm.memory.put)(at, entry | ACCESSED, ev.GUEST_ACCESSED)

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
                passed.append((gfn, at, entry))
            frame = (entry & frame_mask) >> 12
            if level == 1:
                finish()
                return Walk(1, tables, at, rights, frame, None)
            if level == 2 and entry & LARGE and (not small or vm.cpu.cr4 >> 4 & 1):
                finish()
                size = 1 << bits
                return Walk(2, tables, at, rights, frame // size * size + (gva >> 12) % size, None)
            rights &= entry
            gfn = frame
            level -= 1


class accessed_too_early(loop):
    """Sets the accessed bit before it checks whether the access is allowed."""

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
            if not entry & ACCESSED:
                vm.memory.mark_dirty(gfn)
                if small:
                    vm.memory.put_half(at, entry | ACCESSED, ev.GUEST_ACCESSED)
                else:
                    vm.memory.put(at, entry | ACCESSED, ev.GUEST_ACCESSED)
            refused = write and not entry & WRITABLE and (user or vm.cpu.cr0 >> 16 & 1)
            refused = refused or (user and not entry & USER)
            refused = refused or (not small and fetch and vm.cpu.efer >> 11 & 1 and entry & NX)
            if refused:
                return Walk(level, tables, at, rights, 0, code | 1)
            frame = (entry & frame_mask) >> 12
            if level == 1:
                return Walk(1, tables, at, rights, frame, None)
            if level == 2 and entry & LARGE and (not small or vm.cpu.cr4 >> 4 & 1):
                size = 1 << bits
                return Walk(2, tables, at, rights, frame // size * size + (gva >> 12) % size, None)
            rights &= entry
            gfn = frame
            level -= 1


class always_marks_dirty(loop):
    """Marks every table on the way dirty, also where no bit changes."""

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
            vm.memory.mark_dirty(gfn)
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
            rights &= entry
            gfn = frame
            level -= 1


class marks_the_target_dirty(loop):
    """Marks the frame that the entry leads to instead of the table that the entry is in."""

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
                vm.memory.mark_dirty((entry & frame_mask) >> 12)
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
            rights &= entry
            gfn = frame
            level -= 1


class no_accessed_bits(loop):
    """Sets no accessed bits."""

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
            frame = (entry & frame_mask) >> 12
            if level == 1:
                return Walk(1, tables, at, rights, frame, None)
            if level == 2 and entry & LARGE and (not small or vm.cpu.cr4 >> 4 & 1):
                size = 1 << bits
                return Walk(2, tables, at, rights, frame // size * size + (gva >> 12) % size, None)
            rights &= entry
            gfn = frame
            level -= 1


class no_dirty_mark(loop):
    """Sets accessed bits, but doesn't mark the table dirty."""

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
            rights &= entry
            gfn = frame
            level -= 1


class past_the_door(loop):
    """Writes accessed bits straight into memory instead of through put."""

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
                    vm.memory.halves[at] = entry | ACCESSED
                else:
                    vm.memory.words[at] = entry | ACCESSED
            frame = (entry & frame_mask) >> 12
            if level == 1:
                return Walk(1, tables, at, rights, frame, None)
            if level == 2 and entry & LARGE and (not small or vm.cpu.cr4 >> 4 & 1):
                size = 1 << bits
                return Walk(2, tables, at, rights, frame // size * size + (gva >> 12) % size, None)
            rights &= entry
            gfn = frame
            level -= 1


class put_of_a_half(loop):
    """Writes a 4-byte entry with put: a whole word, and so over its neighbour."""

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
                    vm.memory.put(at // 2, entry | ACCESSED, ev.GUEST_ACCESSED)
                else:
                    vm.memory.put(at, entry | ACCESSED, ev.GUEST_ACCESSED)
            frame = (entry & frame_mask) >> 12
            if level == 1:
                return Walk(1, tables, at, rights, frame, None)
            if level == 2 and entry & LARGE and (not small or vm.cpu.cr4 >> 4 & 1):
                size = 1 << bits
                return Walk(2, tables, at, rights, frame // size * size + (gva >> 12) % size, None)
            rights &= entry
            gfn = frame
            level -= 1


class sets_dirty_bit(loop):
    """Sets the dirty bit of the last entry on a write, as a processor would."""

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
                if write and not entry & 64:
                    (vm.memory.put_half if small else vm.memory.put)(at, entry | ACCESSED | 64, ev.GUEST_ACCESSED)
                return Walk(1, tables, at, rights, frame, None)
            if level == 2 and entry & LARGE and (not small or vm.cpu.cr4 >> 4 & 1):
                size = 1 << bits
                return Walk(2, tables, at, rights, frame // size * size + (gva >> 12) % size, None)
            rights &= entry
            gfn = frame
            level -= 1
