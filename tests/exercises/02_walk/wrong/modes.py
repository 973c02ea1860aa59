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


class cr3_of_40_bits(collects_first):
    """Takes more than 32 bits of CR3 in a 32-bit guest."""

    FRAME8 = 0x000F_FFFF_FFFF_F000

    FRAME4 = 0xFFFF_F000

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
            gfn = (vm.cpu.cr3 & FRAME8) >> 12
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
            if fetch and wide and entry & NX and vm.cpu.efer & EFER_NX:
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


class first_pdpte_only(loop):
    """Always takes the first PDPTE."""

    def walk(vm, gva, write, user, fetch):
        small = vm.root_level == 2
        bits = 10 if small else 9
        frame_mask = 0xFFFFF000 if small else 0x000FFFFFFFFFF000
        tables = [None] * 5
        code = 2 * bool(write) + 4 * bool(user) + 16 * bool(fetch)
        level, root = vm.root_level, vm.cpu.cr3
        if level == 3:
            root = vm.cpu.pdptrs[0]
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


class nine_bits_for_all(loop):
    """Indexes of a 32-bit guest have 9 bits."""

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
            index = (gva >> 12 + 9 * (level - 1)) & 511
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


class pdpte_asked_for_rights(loop):
    """A PDPTE is checked like any other entry."""

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
            if (write and not root & WRITABLE) or (user and not root & USER):
                return Walk(3, tables, None, 0, 0, code | 1)
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


class pdpte_nx_refuses(collects_first):
    """NX in a PDPTE refuses a fetch."""

    FRAME8 = 0x000F_FFFF_FFFF_F000

    FRAME4 = 0xFFFF_F000

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
            if fetch and pdpte & NX and vm.cpu.efer & EFER_NX:
                return Walk(3, tables, None, 0, 0, code | PFERR_PRESENT)
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
            if fetch and wide and entry & NX and vm.cpu.efer & EFER_NX:
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


class pdptes_from_memory(loop):
    """Reads PDPTEs from memory, not the ones that the processor keeps."""

    def walk(vm, gva, write, user, fetch):
        small = vm.root_level == 2
        bits = 10 if small else 9
        frame_mask = 0xFFFFF000 if small else 0x000FFFFFFFFFF000
        tables = [None] * 5
        code = 2 * bool(write) + 4 * bool(user) + 16 * bool(fetch)
        level, root = vm.root_level, vm.cpu.cr3
        if level == 3:
            root = vm.memory.words[(vm.memory.frames[vm.cpu.cr3 >> 12] << 9) + (gva >> 30 & 3)]
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


class rights_of_the_pdpte(loop):
    """A PDPTE's W and U are ANDed into the rights."""

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
        if vm.root_level == 3:
            rights &= root
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


class words_for_all(loop):
    """Reads 4-byte entries as words."""

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
            entry = vm.memory.words[at // 2] if small else vm.memory.words[at]
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
