# SPDX-License-Identifier: GPL-2.0-only


class absent_slots_followed(steps):
    """It follows root slots that are not present."""

    def mappings(vm):
        """Yield (gva, spte) of all leaves that the root leads to."""
        if vm.root_level == 4:
            yield from below(vm, vm.root >> PAGE_SHIFT, 4, 0)
        else:
            for slot in range(4):
                spte = PAE_ROOT << 9 | slot
                if vm.memory.words[spte]:
                    yield from below(vm, frame(vm, spte), 2, slot << 30)


class each_table_once(steps):
    """It enters each shadow table only once, however many entries lead there."""

    def mappings(vm):
        """Yield (gva, spte) of all leaves that the root leads to."""
        seen = set()
        if vm.root_level == 4:
            yield from below(vm, vm.root >> PAGE_SHIFT, 4, 0, seen)
        else:
            for slot in range(4):
                spte = PAE_ROOT << 9 | slot
                if vm.memory.words[spte] & PRESENT:
                    yield from below(vm, frame(vm, spte), 2, slot << 30, seen)

    def below(vm, hfn, level, first, seen):
        """Yield (gva, spte) of all leaves below a table at a level that maps addresses from the first one on."""
        if hfn in seen:
            return
        seen.add(hfn)
        for spte in entries_with(vm, vm.pool.pages[hfn - FIRST_SHADOW]):
            gva = first + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
            if level == 1:
                yield canonical(gva), spte
            else:
                yield from below(vm, frame(vm, spte), level - 1, gva, seen)


class first_slot_only(steps):
    """It follows only the first of the four root slots."""

    def mappings(vm):
        """Yield (gva, spte) of all leaves that the root leads to."""
        if vm.root_level == 4:
            yield from below(vm, vm.root >> PAGE_SHIFT, 4, 0)
        else:
            for slot in range(1):
                spte = PAE_ROOT << 9 | slot
                if vm.memory.words[spte] & PRESENT:
                    yield from below(vm, frame(vm, spte), 2, slot << 30)


class four_levels_only(steps):
    """It knows only the shadow tables of a 64-bit guest."""

    def mappings(vm):
        if vm.root_level == 4:
            yield from below(vm, vm.root >> PAGE_SHIFT, 4, 0)


class io_entries_compared(steps):
    """It compares entries that are not present, those of a frame without memory."""

    def below(vm, hfn, level, first):
        """Yield (gva, spte) of all leaves below a table at a level that maps addresses from the first one on."""
        for spte in entries_with(vm, vm.pool.pages[hfn - FIRST_SHADOW], -1):
            gva = first + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
            if level == 1:
                yield canonical(gva), spte
            else:
                yield from below(vm, frame(vm, spte), level - 1, gva)


class large_pages_at_their_first_entry(steps):
    """Of a large page it compares only the first entry."""

    def below(vm, hfn, level, first):
        """Yield (gva, spte) of all leaves below a table at a level that maps addresses from the first one on."""
        page = vm.pool.pages[hfn - FIRST_SHADOW]
        large = level == 1 and page.metaphysical and vm.root_level
        for spte in entries_with(vm, page)[: 1 if large else 512]:
            gva = first + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
            if level == 1:
                yield canonical(gva), spte
            else:
                yield from below(vm, frame(vm, spte), level - 1, gva)


class large_pages_not_compared(steps):
    """It does not compare the frames of large pages."""

    def below(vm, hfn, level, first):
        """Yield (gva, spte) of all leaves below a table at a level that maps addresses from the first one on."""
        page = vm.pool.pages[hfn - FIRST_SHADOW]
        if level == 1 and vm.root_level and page.metaphysical:
            return
        for spte in entries_with(vm, page):
            gva = first + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
            if level == 1:
                yield canonical(gva), spte
            else:
                yield from below(vm, frame(vm, spte), level - 1, gva)


class not_canonical(steps):
    """It does not set the upper bits of an address above the middle."""

    def below(vm, hfn, level, first):
        """Yield (gva, spte) of all leaves below a table at a level that maps addresses from the first one on."""
        for spte in entries_with(vm, vm.pool.pages[hfn - FIRST_SHADOW]):
            gva = first + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
            if level == 1:
                yield gva, spte
            else:
                yield from below(vm, frame(vm, spte), level - 1, gva)


class nx_in_the_frame(steps):
    """It shifts out the flags below the frame, and leaves NX above it."""

    def frame(vm, spte):
        return vm.memory.words[spte] >> PAGE_SHIFT

    def below(vm, hfn, level, first):
        """Yield (gva, spte) of all leaves below a table at a level that maps addresses from the first one on."""
        for spte in entries_with(vm, vm.pool.pages[hfn - FIRST_SHADOW]):
            gva = first + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
            if level == 1:
                yield canonical(gva), spte
            else:
                yield from below(vm, (vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT, level - 1, gva)

    def mappings(vm):
        """Yield (gva, spte) of all leaves that the root leads to."""
        if vm.root_level == 4:
            yield from below(vm, vm.root >> PAGE_SHIFT, 4, 0)
        else:
            for slot in range(4):
                spte = PAE_ROOT << 9 | slot
                if vm.memory.words[spte] & PRESENT:
                    yield from below(vm, (vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT, 2, slot << 30)


class quadrants_forgotten(steps):
    """A shadow table of a guest with 4-byte entries has 1,024 entries."""

    def below(vm, hfn, level, first):
        """Yield (gva, spte) of all leaves below a table at a level that maps addresses from the first one on."""
        for spte in entries_with(vm, vm.pool.pages[hfn - FIRST_SHADOW]):
            gva = first + ((spte & 511) << PAGE_SHIFT + (10 if vm.root_level == 2 else 9) * (level - 1))
            if level == 1:
                yield canonical(gva), spte
            else:
                yield from below(vm, frame(vm, spte), level - 1, gva)


class slot_not_in_the_address(steps):
    """It forgets that each root slot begins a gigabyte later."""

    def mappings(vm):
        """Yield (gva, spte) of all leaves that the root leads to."""
        if vm.root_level == 4:
            yield from below(vm, vm.root >> PAGE_SHIFT, 4, 0)
        else:
            for slot in range(4):
                spte = PAE_ROOT << 9 | slot
                if vm.memory.words[spte] & PRESENT:
                    yield from below(vm, frame(vm, spte), 2, 0)


class thirty_two_bits(steps):
    """It reports only the lower 32 bits of an address."""

    def check_map(vm):
        return [("map", gva & 0xFFFFFFFF) for gva, spte in mappings(vm) if guest_path(vm, gva).hfn != frame(vm, spte)]


class three_slots(steps):
    """It forgets the last root slot."""

    def mappings(vm):
        """Yield (gva, spte) of all leaves that the root leads to."""
        if vm.root_level == 4:
            yield from below(vm, vm.root >> PAGE_SHIFT, 4, 0)
        else:
            for slot in range(3):
                spte = PAE_ROOT << 9 | slot
                if vm.memory.words[spte] & PRESENT:
                    yield from below(vm, frame(vm, spte), 2, slot << 30)


class without_paging_nothing(steps):
    """Without paging it compares no mappings, because there are no guest tables."""

    def mappings(vm):
        """Yield (gva, spte) of all leaves that the root leads to."""
        if vm.root_level == 4:
            yield from below(vm, vm.root >> PAGE_SHIFT, 4, 0)
        elif vm.root_level:
            for slot in range(4):
                spte = PAE_ROOT << 9 | slot
                if vm.memory.words[spte] & PRESENT:
                    yield from below(vm, frame(vm, spte), 2, slot << 30)


class each_root_once(steps):
    """Two root slots that point to the same page are followed once."""

    def mappings(vm):
        if vm.root_level == 4:
            yield from below(vm, vm.root >> PAGE_SHIFT, 4, 0)
            return
        first = {}
        for slot in range(4):
            spte = PAE_ROOT << 9 | slot
            if vm.memory.words[spte] & PRESENT:
                first.setdefault(frame(vm, spte), slot)
        for hfn, slot in first.items():
            yield from below(vm, hfn, 2, slot << 30)


class one_gib_without_paging(steps):
    """Without paging, each root slot begins at address 0."""

    def mappings(vm):
        if vm.root_level == 4:
            yield from below(vm, vm.root >> PAGE_SHIFT, 4, 0)
            return
        for slot in range(4):
            spte = PAE_ROOT << 9 | slot
            if vm.memory.words[spte] & PRESENT:
                yield from below(vm, frame(vm, spte), 2, slot << 30 if vm.root_level else 0)
