# SPDX-License-Identifier: GPL-2.0-only


class accessed_drops_high_bits(steps):
    """The entry is written back without the bits that the walk does not know."""

    def set_accessed(vm, gfn, at, entry):
        if not entry & ACCESSED:
            vm.memory.mark_dirty(gfn)
            put(vm, at, entry & (frame(vm, -1) << 12 | 0xFFF | NX) | ACCESSED)


class accessed_in_the_pdpte(steps):
    """It sets the accessed bit of the PDPTE in memory as well."""

    def root(vm, gva):
        if vm.root_level != 3:
            return vm.root_level, frame(vm, vm.cpu.cr3)
        at = (vm.memory.frames[vm.cpu.cr3 >> 12] << 9) + (gva >> 30 & 3)
        pdpte = vm.cpu.pdptrs[gva >> 30 & 3]
        if not pdpte & PRESENT:
            return 3, None
        put(vm, at, vm.memory.words[at] | ACCESSED)
        return 2, frame(vm, pdpte)


class accessed_on_absent(steps):
    """It sets the accessed bit of an entry before it asks whether that is present."""

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
            set_accessed(vm, gfn, at, entry)
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class accessed_only_at_the_leaf(steps):
    """It sets the accessed bit of the last entry only."""

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
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            if level == 1 or entry & LARGE:
                set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class accessed_only_on_success(steps):
    """It sets the accessed bits at the end, if the walk succeeds."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        passed = []
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
            passed.append((gfn, at, entry))
            if level == 1 or is_large(vm, entry, level):
                for step in passed:
                    set_accessed(vm, *step)
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class accessed_too_early(steps):
    """It sets the accessed bit before it checks whether the access is allowed."""

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
                return Walk(level, tables, at, rights, 0, code)
            set_accessed(vm, gfn, at, entry)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class always_marks_dirty(steps):
    """It marks every table on the way dirty, even if no bit changes."""

    def set_accessed(vm, gfn, at, entry):
        vm.memory.mark_dirty(gfn)
        if not entry & ACCESSED:
            put(vm, at, entry | ACCESSED)


class marks_the_target_dirty(steps):
    """It marks the frame dirty that the entry leads to, and not the table that contains the entry."""

    def set_accessed(vm, gfn, at, entry):
        if not entry & ACCESSED:
            vm.memory.mark_dirty(frame(vm, entry))
            put(vm, at, entry | ACCESSED)


class no_accessed_bits(steps):
    """It sets no accessed bits."""

    def set_accessed(vm, gfn, at, entry):
        pass


class no_dirty_mark(steps):
    """It sets accessed bits, but does not mark the table dirty."""

    def set_accessed(vm, gfn, at, entry):
        if not entry & ACCESSED:
            put(vm, at, entry | ACCESSED)


class put_of_a_half(steps):
    """It writes a 4-byte entry with `put`, as a whole word over the neighbour."""

    def put(vm, at, entry):
        if small(vm):
            vm.memory.put(at // 2, entry, ev.GUEST_ACCESSED)
        else:
            vm.memory.put(at, entry, ev.GUEST_ACCESSED)


class sets_dirty_bit(steps):
    """It sets the dirty bit of the last entry on a write, as a processor does."""

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
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                if write and level == 1 and not entry & 64:
                    put(vm, at, entry | ACCESSED | 64)
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class written_without_put(steps):
    """It writes accessed bits straight into memory instead of calling `put`."""

    def put(vm, at, entry):
        if small(vm):
            vm.memory.halves[at] = entry
        else:
            vm.memory.words[at] = entry


class put_of_the_word_with_the_half(steps):
    """It sets the accessed bit of a large page in the word that contains the entry, which is right for even indexes."""

    def put(vm, at, entry):
        if small(vm) and entry & LARGE:
            vm.memory.put(at // 2, vm.memory.words[at // 2] | ACCESSED, ev.GUEST_ACCESSED)
        elif small(vm):
            vm.memory.put_half(at, entry, ev.GUEST_ACCESSED)
        else:
            vm.memory.put(at, entry, ev.GUEST_ACCESSED)


class no_accessed_bit_of_large_pae_pages(steps):
    """In a PAE guest, the entry of a large page is left as it is."""

    def set_accessed(vm, gfn, at, entry):
        if not entry & ACCESSED and not (vm.root_level == 3 and entry & LARGE):
            vm.memory.mark_dirty(gfn)
            put(vm, at, entry | ACCESSED)


class accessed_in_the_processors_pdpte(steps):
    """It sets the accessed bit of the PDPTE that the processor keeps."""

    def root(vm, gva):
        if vm.root_level != 3:
            return vm.root_level, frame(vm, vm.cpu.cr3)
        pdpte = vm.cpu.pdptrs[gva >> 30 & 3]
        if not pdpte & PRESENT:
            return 3, None
        vm.cpu.pdptrs[gva >> 30 & 3] |= ACCESSED
        return 2, frame(vm, pdpte)


class dirty_counts_as_accessed(steps):
    """An entry that is dirty counts as accessed."""

    def set_accessed(vm, gfn, at, entry):
        if not entry & (ACCESSED | 1 << 6):
            vm.memory.mark_dirty(gfn)
            put = vm.memory.put_half if small(vm) else vm.memory.put
            put(at, entry | ACCESSED, ev.GUEST_ACCESSED)


class one_bit_in_each_table(steps):
    """If a table is walked at two levels, only its first entry gets the accessed bit."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        while True:
            seen = gfn in tables
            tables[level] = gfn
            at = place(vm, gfn, gva, level)
            if at is None:
                return Walk(level, tables, None, rights, 0, code)
            entry = entry_at(vm, at)
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            if not seen:
                set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class marks_the_first_gfn_dirty(steps):
    """If a table is reached by an alias, it marks the table's first gfn dirty."""

    def set_accessed(vm, gfn, at, entry):
        if not entry & ACCESSED:
            vm.memory.mark_dirty(vm.memory.unalias(gfn))
            put = vm.memory.put_half if small(vm) else vm.memory.put
            put(at, entry | ACCESSED, ev.GUEST_ACCESSED)


class no_accessed_bit_of_read_only_leaves(steps):
    """An entry at level 1 that is read-only does not get the accessed bit."""

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
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            if level > 1 or entry & WRITABLE:
                set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)
