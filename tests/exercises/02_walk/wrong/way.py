# SPDX-License-Identifier: GPL-2.0-only


class cr3_not_cut(steps):
    """The flags in the low bits of CR3 count as a part of the root's address."""

    def place(vm, gfn, gva, level):
        hfn = vm.memory.frames[gfn]
        flags = vm.cpu.cr3 >> 3 & 7 if level == vm.root_level and not small(vm) else 0
        return None if hfn is None else (hfn << index_bits(vm)) + index(vm, gva, level) + flags


class entry_is_its_index(steps):
    """The place of the last entry is its index in the table, and not an index into memory."""

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
            if level == 1:
                return Walk(1, tables, index(vm, gva, 1), rights, frame(vm, entry), None)
            if is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class frame_of_32_bits(steps):
    """The frame of an 8-byte entry has 32 bits."""

    def frame(vm, entry):
        return (entry & 0xFFFFF000) >> 12


class frame_with_high_bits(steps):
    """All bits above bit 11 belong to the frame, NX and the free ones included."""

    def frame(vm, entry):
        return (entry & (0xFFFFF000 if small(vm) else 0xFFFFFFFFFFFFF000)) >> 12


class frames_get(steps):
    """`frames.get` answers None for every frame that was not looked up before."""

    def place(vm, gfn, gva, level):
        hfn = vm.memory.frames.get(gfn)
        return None if hfn is None else (hfn << index_bits(vm)) + index(vm, gva, level)


class frames_of_another_machine(steps):
    """It remembers for all machines where a frame is."""

    FRAMES = {}

    def place(vm, gfn, gva, level):
        if gfn not in FRAMES:
            FRAMES[gfn] = vm.memory.frames[gfn]
        hfn = FRAMES[gfn]
        return None if hfn is None else (hfn << index_bits(vm)) + index(vm, gva, level)

    def root(vm, gva):
        # Without paging it begins at level 2: the shortest scenario in which it fails needs no tables then.
        if vm.root_level != 3:
            return vm.root_level or 2, frame(vm, vm.cpu.cr3)
        pdpte = vm.cpu.pdptrs[gva >> 30 & 3]
        return (2, frame(vm, pdpte)) if pdpte & PRESENT else (3, None)


class index_without_mask(steps):
    """The root's index is not masked, which is wrong in the upper half of the addresses."""

    def index(vm, gva, level):
        bits = index_bits(vm)
        return gva >> 12 + bits * (level - 1) & ((1 << bits) - 1 if level < 4 else -1)


class last_frame_must_be_memory(steps):
    """The walk says not present if the last frame is outside of memory."""

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
            if level == 1 and vm.memory.frames[frame(vm, entry)] is None:
                return Walk(1, tables, at, rights, 0, code)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class remembers_frames(steps):
    """It remembers where an address led, and does not look again."""

    SEEN = {}

    def target(vm, gva, entry, level):
        first = frame(vm, entry)
        if level == 1:
            return SEEN.setdefault((id(vm), gva >> 12), first)
        size = 1 << index_bits(vm)
        return first // size * size + (gva >> 12) % size


class rights_with_other_bits(steps):
    """The rights are all bits that the entries have in common, and not only W and U."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, 0xFFF
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


class tables_of_the_entries(steps):
    """It notes the gfn that an entry leads to instead of the gfn of the table that contains the entry."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        while True:
            at = place(vm, gfn, gva, level)
            if at is None:
                return Walk(level, tables, None, rights, 0, code)
            entry = entry_at(vm, at)
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            tables[level] = frame(vm, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class tables_one_off(steps):
    """It notes each table one level too low."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        while True:
            tables[level - 1] = gfn
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


class cr3_of_32_bits(steps):
    """It takes only 32 bits of CR3 in a 64-bit guest."""

    def root(vm, gva):
        """The level and the gfn of the first table; no gfn, if the PDPTE is not present."""
        if vm.root_level != 3:
            return vm.root_level, vm.cpu.cr3 >> 12 & 0xFFFFF
        pdpte = vm.cpu.pdptrs[gva >> 30 & 3]
        return (2, frame(vm, pdpte)) if pdpte & PRESENT else (3, None)


class tables_below_4_gib(steps):
    """Only the last entry's frame has more than 32 bits."""

    def place(vm, gfn, gva, level):
        hfn = vm.memory.frames[gfn & 0xFFFFF]
        return None if hfn is None else (hfn << index_bits(vm)) + index(vm, gva, level)


class frame_0_is_no_table(steps):
    """Guest frame 0 counts as no memory."""

    def place(vm, gfn, gva, level):
        hfn = vm.memory.frames[gfn] if gfn else None
        return None if hfn is None else (hfn << index_bits(vm)) + index(vm, gva, level)


class frames_remembered(steps):
    """It remembers where a gfn was, though slots and aliases change."""

    KNOWN = {}

    def place(vm, gfn, gva, level):
        hfn = KNOWN.setdefault((id(vm), gfn), vm.memory.frames[gfn])
        return None if hfn is None else (hfn << index_bits(vm)) + index(vm, gva, level)


class words_remembered(steps):
    """It keeps the words of a machine's first walk; they are replaced when the machine gets more memory."""

    KNOWN = {}

    def entry_at(vm, at):
        return vm.memory.halves[at] if small(vm) else KNOWN.setdefault(id(vm), vm.memory.words)[at]


class frame_without_alias(steps):
    """It answers the first number of a frame that the entry names by a second one, an alias."""

    def target(vm, gva, entry, level):
        size = 1 << index_bits(vm)
        large = frame(vm, entry) // size * size + (gva >> 12) % size
        return vm.memory.unalias(large if level > 1 else frame(vm, entry))
