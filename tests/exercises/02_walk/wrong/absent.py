# SPDX-License-Identifier: GPL-2.0-only


class absent_pdpte_at_level_2(steps):
    """The walk ends at level 2 if a PDPTE is not present."""

    def root(vm, gva):
        """The level and the gfn of the first table; no gfn, if the PDPTE is not present."""
        if vm.root_level != 3:
            return vm.root_level, frame(vm, vm.cpu.cr3)
        pdpte = vm.cpu.pdptrs[gva >> 30 & 3]
        return (2, frame(vm, pdpte)) if pdpte & PRESENT else (2, None)


class fetch_bit_8(steps):
    """The fetch bit is bit 3, which is that of reserved bits."""

    def error_code(write, user, fetch):
        return 2 * bool(write) + 4 * bool(user) + 8 * bool(fetch)


class fetch_bit_not_in_32_bit_guests(steps):
    """The error code has the fetch bit only for guests whose entries can have NX."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch and not small(vm))
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
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


class fetch_bit_only_with_nx(steps):
    """The error code has the fetch bit only while EFER.NX is set, as on a processor."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch and vm.cpu.efer >> 11 & 1)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
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


class no_memory_is_a_refusal(steps):
    """A table outside of memory sets P in the error code."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        while True:
            tables[level] = gfn
            at = place(vm, gfn, gva, level)
            if at is None:
                return Walk(level, tables, None, rights, 0, code | PRESENT)
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


class none_taken_for_a_frame(steps):
    """It does not notice that a frame has no memory."""

    def place(vm, gfn, gva, level):
        return (vm.memory.frames[gfn] << index_bits(vm)) + index(vm, gva, level)


class present_bit_always(steps):
    """The error code always has P."""

    def error_code(write, user, fetch):
        return PRESENT + 2 * bool(write) + 4 * bool(user) + 16 * bool(fetch)


class present_bit_from_the_entry_above(steps):
    """P means that the entry above is present: it is clear only if the root's entry is missing."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        while True:
            tables[level] = gfn
            at = place(vm, gfn, gva, level)
            if at is None:
                return Walk(level, tables, None, rights, 0, code)
            entry = entry_at(vm, at)
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code | (level < vm.root_level))
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class present_not_asked(steps):
    """An entry that is not present is followed if it has other bits."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        while True:
            tables[level] = gfn
            at = place(vm, gfn, gva, level)
            if at is None:
                return Walk(level, tables, None, rights, 0, code)
            entry = entry_at(vm, at)
            if not entry:
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class write_bit_missing(steps):
    """The error code does not say that the access was a write."""

    def error_code(write, user, fetch):
        return 4 * bool(user) + 16 * bool(fetch)


class zero_is_none(steps):
    """An error code of 0 becomes None."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        while True:
            tables[level] = gfn
            at = place(vm, gfn, gva, level)
            if at is None:
                return Walk(level, tables, None, rights, 0, code or None)
            entry = entry_at(vm, at)
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code or None)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class a_large_page_is_present(steps):
    """An entry with PS counts as present, also without P."""

    def entry_at(vm, at):
        entry = vm.memory.halves[at] if small(vm) else vm.memory.words[at]
        return entry | PRESENT if entry & LARGE else entry
