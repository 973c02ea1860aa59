# SPDX-License-Identifier: GPL-2.0-only


class absent_pdpte_at_level_2(loop):
    """Says level 2 where a PDPTE isn't present."""

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
                return Walk(2, tables, None, 0, 0, code)
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
            rights &= entry
            gfn = frame
            level -= 1


class fetch_bit_8(loop):
    """The fetch bit is put at bit 3, that of reserved bits."""

    def walk(vm, gva, write, user, fetch):
        small = vm.root_level == 2
        bits = 10 if small else 9
        frame_mask = 0xFFFFF000 if small else 0x000FFFFFFFFFF000
        tables = [None] * 5
        code = 2 * bool(write) + 4 * bool(user) + 8 * bool(fetch)
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
            rights &= entry
            gfn = frame
            level -= 1


class fetch_bit_not_in_32_bit_guests(loop):
    """The error code has the fetch bit only for guests whose entries can have NX."""

    def walk(vm, gva, write, user, fetch):
        small = vm.root_level == 2
        bits = 10 if small else 9
        frame_mask = 0xFFFFF000 if small else 0x000FFFFFFFFFF000
        tables = [None] * 5
        code = 2 * bool(write) + 4 * bool(user) + 16 * bool(fetch and vm.root_level != 2)
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
            rights &= entry
            gfn = frame
            level -= 1


class fetch_bit_only_with_nx(loop):
    """The error code has the fetch bit only while EFER.NX is set, as with processors."""

    def walk(vm, gva, write, user, fetch):
        small = vm.root_level == 2
        bits = 10 if small else 9
        frame_mask = 0xFFFFF000 if small else 0x000FFFFFFFFFF000
        tables = [None] * 5
        code = 2 * bool(write) + 4 * bool(user) + 16 * bool(fetch and vm.cpu.efer >> 11 & 1)
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
            rights &= entry
            gfn = frame
            level -= 1


class no_memory_is_a_refusal(loop):
    """A table outside of memory gives P in the error code."""

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
                return Walk(level, tables, None, rights, 0, code | 1)
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


class none_taken_for_a_frame(loop):
    """Doesn't see that a frame has no memory."""

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


class present_bit_always(loop):
    """The error code always has P."""

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
                return Walk(3, tables, None, 0, 0, code | 1)
            level = 2
        rights = WRITABLE | USER
        gfn = (root & frame_mask) >> 12
        while True:
            tables[level] = gfn
            hfn = vm.memory.frames[gfn]
            index = (gva >> 12 + bits * (level - 1)) & ((1 << bits) - 1)
            if hfn is None:
                return Walk(level, tables, None, rights, 0, code | 1)
            at = (hfn << bits) + index
            entry = vm.memory.halves[at] if small else vm.memory.words[at]
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code | 1)
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


class present_bit_from_the_entry_above(loop):
    """Not present below a present entry counts as P: only the root's absence doesn't."""

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
                return Walk(level, tables, at, rights, 0, code | (level < vm.root_level))
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


class present_not_asked(loop):
    """An entry that isn't present but has other bits is followed."""

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
            if not entry:
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


class write_bit_missing(loop):
    """The error code doesn't say that it was a write."""

    def walk(vm, gva, write, user, fetch):
        small = vm.root_level == 2
        bits = 10 if small else 9
        frame_mask = 0xFFFFF000 if small else 0x000FFFFFFFFFF000
        tables = [None] * 5
        code = 4 * bool(user) + 16 * bool(fetch)
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
            rights &= entry
            gfn = frame
            level -= 1


class zero_is_none(loop):
    """An error code of 0 becomes None."""

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
                return Walk(level, tables, None, rights, 0, code or None)
            at = (hfn << bits) + index
            entry = vm.memory.halves[at] if small else vm.memory.words[at]
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code or None)
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
