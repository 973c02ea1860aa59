# SPDX-License-Identifier: GPL-2.0-only


class cr3_of_40_bits(steps):
    """It takes more than 32 bits of CR3 in a 32-bit guest."""

    def root(vm, gva):
        """The level and the gfn of the first table; no gfn, if the PDPTE is not present."""
        if vm.root_level != 3:
            return vm.root_level, (vm.cpu.cr3 & 0x000FFFFFFFFFF000) >> 12
        pdpte = vm.cpu.pdptrs[gva >> 30 & 3]
        return (2, frame(vm, pdpte)) if pdpte & PRESENT else (3, None)


class first_pdpte_only(steps):
    """It always takes the first PDPTE."""

    def root(vm, gva):
        """The level and the gfn of the first table; no gfn, if the PDPTE is not present."""
        if vm.root_level != 3:
            return vm.root_level, frame(vm, vm.cpu.cr3)
        pdpte = vm.cpu.pdptrs[0]
        return (2, frame(vm, pdpte)) if pdpte & PRESENT else (3, None)


class nine_bits_for_all(steps):
    """An index of a 32-bit guest has 9 bits."""

    def index(vm, gva, level):
        return gva >> 12 + 9 * (level - 1) & 511


class pdpte_asked_for_rights(steps):
    """A PDPTE is checked like any other entry."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        pdpte = vm.cpu.pdptrs[gva >> 30 & 3] if vm.root_level == 3 else WRITABLE | USER
        if gfn is not None and ((write and not pdpte & WRITABLE) or (user and not pdpte & USER)):
            return Walk(3, tables, None, 0, 0, code | PRESENT)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        while True:
            tables[level] = gfn
            at = place(vm, gfn, gva, level)
            if at is None:
                return Walk(level, tables, None, rights, 0, code)
            entry = entry_at(vm, at)
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class pdpte_nx_refuses(steps):
    """NX in a PDPTE refuses a fetch."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        pdpte = vm.cpu.pdptrs[gva >> 30 & 3] if vm.root_level == 3 else 0
        if gfn is not None and fetch and no_execute(vm, pdpte):
            return Walk(3, tables, None, 0, 0, code | PRESENT)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        while True:
            tables[level] = gfn
            at = place(vm, gfn, gva, level)
            if at is None:
                return Walk(level, tables, None, rights, 0, code)
            entry = entry_at(vm, at)
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class pdptes_from_memory(steps):
    """It reads PDPTEs from memory instead of the processor's copies."""

    def root(vm, gva):
        """The level and the gfn of the first table; no gfn, if the PDPTE is not present."""
        if vm.root_level != 3:
            return vm.root_level, frame(vm, vm.cpu.cr3)
        pdpte = vm.memory.words[(vm.memory.frames[vm.cpu.cr3 >> 12] << 9) + (gva >> 30 & 3)]
        return (2, frame(vm, pdpte)) if pdpte & PRESENT else (3, None)


class rights_of_the_pdpte(steps):
    """W and U of a PDPTE are ANDed into the rights."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        if vm.root_level == 3:
            rights &= vm.cpu.pdptrs[gva >> 30 & 3]
        while True:
            tables[level] = gfn
            at = place(vm, gfn, gva, level)
            if at is None:
                return Walk(level, tables, None, rights, 0, code)
            entry = entry_at(vm, at)
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class words_for_all(steps):
    """It reads 4-byte entries as words."""

    def entry_at(vm, at):
        return vm.memory.words[at // 2] if small(vm) else vm.memory.words[at]


class cr3_of_31_bits(steps):
    """It takes one bit of CR3 too few in a 32-bit guest, so that the root must be below 2 GiB."""

    def root(vm, gva):
        """The level and the gfn of the first table; no gfn, if the PDPTE is not present."""
        if vm.root_level == 2:
            return 2, vm.cpu.cr3 >> 12 & 0x7FFFF
        if vm.root_level != 3:
            return vm.root_level, frame(vm, vm.cpu.cr3)
        pdpte = vm.cpu.pdptrs[gva >> 30 & 3]
        return (2, frame(vm, pdpte)) if pdpte & PRESENT else (3, None)


class pdpte_of_32_bits(steps):
    """It takes only 32 bits of a PDPTE."""

    def root(vm, gva):
        """The level and the gfn of the first table; no gfn, if the PDPTE is not present."""
        if vm.root_level != 3:
            return vm.root_level, frame(vm, vm.cpu.cr3)
        pdpte = vm.cpu.pdptrs[gva >> 30 & 3]
        return (2, pdpte >> 12 & 0xFFFFF) if pdpte & PRESENT else (3, None)


class pdptes_remembered(steps):
    """It keeps the PDPTEs of a machine's first walk."""

    KNOWN = {}

    def root(vm, gva):
        if vm.root_level != 3:
            return vm.root_level, frame(vm, vm.cpu.cr3)
        pdpte = KNOWN.setdefault(id(vm), list(vm.cpu.pdptrs))[gva >> 30 & 3]
        return (2, frame(vm, pdpte)) if pdpte & PRESENT else (3, None)
