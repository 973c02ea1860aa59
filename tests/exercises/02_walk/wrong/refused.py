# SPDX-License-Identifier: GPL-2.0-only

from kvmmmu_lab.mmu.bits import (
    ACCESSED,
    CR0_WP,
    CR4_PSE,
    EFER_NX,
    LARGE,
    NX,
    PFERR_FETCH,
    PFERR_PRESENT,
    PFERR_USER,
    PFERR_WRITE,
    PRESENT,
    USER,
    WRITABLE,
)


class asked_at_the_end(loop):
    """Asks the rights when it is at the end, as processors do: a missing entry below decides first."""

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
        denied = None
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
                denied = denied or level
            last = level == 1 or (level == 2 and entry & LARGE and (not small or vm.cpu.cr4 >> 4 & 1))
            if denied and last:
                return Walk(denied, tables, at, rights, 0, code | 1)
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


class efer_remembered(collects_first):
    """Reads EFER at the first walk of a machine only."""

    FRAME8 = 0x000F_FFFF_FFFF_F000

    FRAME4 = 0xFFFF_F000

    _efer = {}

    def walk(vm, gva, write, user, fetch):
        memory = vm.memory
        wide = vm.root_level != 2
        bits = 9 if wide else 10
        mask = (1 << bits) - 1
        frame_mask = FRAME8 if wide else FRAME4
        code = 0
        if write:
            code |= PFERR_WRITE
        if user:
            code |= PFERR_USER
        if fetch:
            code |= PFERR_FETCH
        rights = WRITABLE | USER
        tables = {}
        level = vm.root_level
        if level == 3:
            pdpte = vm.cpu.pdptrs[gva >> 30 & 3]
            if not pdpte & PRESENT:
                return Walk(3, tables, None, 0, 0, code)
            gfn = (pdpte & FRAME8) >> 12
            level = 2
        else:
            gfn = (vm.cpu.cr3 & frame_mask) >> 12
        while True:
            tables[level] = gfn
            index = gva >> (12 + bits * (level - 1)) & mask
            hfn = memory.frames[gfn]
            if hfn is None:
                return Walk(level, tables, None, 0, 0, code)
            at = hfn * (mask + 1) + index
            entry = memory.words[at] if wide else memory.halves[at]
            if not entry & PRESENT:
                return Walk(level, tables, at, 0, 0, code)
            refused = False
            if write and not entry & WRITABLE and (user or vm.cpu.cr0 & CR0_WP):
                refused = True
            if user and not entry & USER:
                refused = True
            if fetch and wide and entry & NX and _efer.setdefault(id(vm), vm.cpu.efer) & EFER_NX:
                refused = True
            if refused:
                return Walk(level, tables, at, 0, 0, code | PFERR_PRESENT)
            if not entry & ACCESSED:
                memory.mark_dirty(gfn)
                if wide:
                    memory.put(at, entry | ACCESSED, ev.GUEST_ACCESSED)
                else:
                    memory.put_half(at, entry | ACCESSED, ev.GUEST_ACCESSED)
            frame = (entry & frame_mask) >> 12
            if level == 1:
                return Walk(1, tables, at, rights, frame, None)
            if level == 2 and entry & LARGE and (wide or vm.cpu.cr4 & CR4_PSE):
                return Walk(2, tables, at, rights, frame & ~mask | gva >> 12 & mask, None)
            rights &= entry
            gfn = frame
            level -= 1


class kernel_may_not_use_user_pages(loop):
    """Refuses the kernel what user code may use, as SMAP would."""

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
            refused = refused or (bool(user) != bool(entry & USER))
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


class kernel_writes_all(loop):
    """Takes CR0.WP for clear: the kernel may always write."""

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
            refused = write and not entry & WRITABLE and user
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


class nx_in_32_bit_guests(loop):
    """The uppermost bit of a 4-byte entry is taken for NX."""

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
            refused = refused or (fetch and vm.cpu.efer >> 11 & 1 and entry & (1 << 31 if small else NX))
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


class nx_only_at_the_leaf(loop):
    """NX of upper levels is ignored."""

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
            refused = refused or (level == 1 and not small and fetch and vm.cpu.efer >> 11 & 1 and entry & NX)
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


class nx_only_in_64_bit_guests(loop):
    """NX is asked only of 64-bit guests, not of PAE ones."""

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
            refused = refused or (vm.root_level == 4 and fetch and vm.cpu.efer >> 11 & 1 and entry & NX)
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


class nx_refuses_reads(loop):
    """NX refuses every access, not only fetches."""

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
            refused = refused or (not small and vm.cpu.efer >> 11 & 1 and entry & NX)
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


class nx_without_efer(loop):
    """NX is obeyed also while EFER.NX is off."""

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
            refused = refused or (not small and fetch and entry & NX)
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


class only_the_last_asked(loop):
    """Only the last entry is asked whether the access is allowed."""

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
            if refused and (level == 1 or (level == 2 and entry & LARGE)):
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


class present_bit_never(loop):
    """The error code never has P."""

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
                return Walk(level, tables, at, rights, 0, code)
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


class user_only_at_the_leaf(loop):
    """U of upper levels is ignored."""

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
            refused = refused or (user and level == 1 and not entry & USER)
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


class wp_for_users_too(loop):
    """With CR0.WP clear even user code may write read-only pages."""

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
            refused = write and not entry & WRITABLE and vm.cpu.cr0 >> 16 & 1
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


class wp_ignored(loop):
    """Takes CR0.WP for set: the kernel may never write a read-only page."""

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
            refused = write and not entry & WRITABLE
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
