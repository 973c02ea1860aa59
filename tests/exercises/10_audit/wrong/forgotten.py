# SPDX-License-Identifier: GPL-2.0-only


class all_levels(steps):
    """It expects links to shadow tables in the maps as well, because they are present and writable."""

    def writable_leaves(vm):
        found = Counter()
        for page in vm.pool.active:
            for spte in entries_with(vm, page):
                if vm.memory.words[spte] & WRITABLE:
                    found[frame(vm, spte), spte] += 1
        return found


class frames_with_a_map_only(steps):
    """It checks only frames that have a map, and misses a frame that has lost its last entry."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        wrong = (should - have) | (have - should)
        return [("rmap", spte) for hfn, spte in wrong if hfn in vm.rmap.frames()]


class invented_only(steps):
    """It checks whether each entry of a map belongs there, and never whether one is missing."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        return [("rmap", spte) for _, spte in have - should]


class no_metaphysical_leaves(steps):
    """It leaves out pages that shadow no guest table: those without paging, and those of large pages."""

    def writable_leaves(vm):
        """Count (hfn, spte) of all entries that belong into a reverse map."""
        found = Counter()
        for page in vm.pool.active:
            if page.level == 1 and not page.metaphysical:
                for spte in entries_with(vm, page):
                    if vm.memory.words[spte] & WRITABLE:
                        found[frame(vm, spte), spte] += 1
        return found


class old_complaints(steps):
    """It keeps its complaints from one call to the next."""

    FOUND = set()

    def audit(vm):
        FOUND.update(check_rmap(vm), check_wp(vm), check_map(vm))
        return list(FOUND)


class present_ignored(steps):
    """It expects writable entries that are not present in a map, those of a frame without memory."""

    def writable_leaves(vm):
        """Count (hfn, spte) of all entries that belong into a reverse map."""
        found = Counter()
        for page in vm.pool.active:
            if page.level == 1:
                for spte in entries_with(vm, page, WRITABLE):
                    if vm.memory.words[spte] & WRITABLE:
                        found[frame(vm, spte), spte] += 1
        return found


class reached_pages_only(steps):
    """It checks only entries of pages that have a parent."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        wrong = {spte for _, spte in (should - have) | (have - should)}
        pages = {spte: vm.pool.pages[(spte >> 9) - FIRST_SHADOW] for spte in wrong}
        return [("rmap", spte) for spte in wrong if vm.parents.first(pages[spte]) is not None]


class read_only_entries(steps):
    """It expects every present entry in a map, even a read-only one."""

    def writable_leaves(vm):
        """Count (hfn, spte) of all entries that belong into a reverse map."""
        found = Counter()
        for page in vm.pool.active:
            if page.level == 1:
                for spte in entries_with(vm, page):
                    found[frame(vm, spte), spte] += 1
        return found


class user_entries_only(steps):
    """Only entries that user code can write count as writable."""

    def writable_leaves(vm):
        """Count (hfn, spte) of all entries that belong into a reverse map."""
        found = Counter()
        for page in vm.pool.active:
            if page.level == 1:
                for spte in entries_with(vm, page):
                    if vm.memory.words[spte] & 6 == 6:
                        found[frame(vm, spte), spte] += 1
        return found


class fifty_maps(steps):
    """It looks at 50 reverse maps only."""

    def noted(vm):
        return Counter((hfn, spte) for hfn in list(vm.rmap.frames())[:50] for spte in vm.rmap.sptes(hfn))


class strings(steps):
    """It returns a string for each complaint, not a tuple."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        return [f"rmap #{(spte >> 9) - FIRST_SHADOW}:{spte & 511}" for _, spte in (should - have) | (have - should)]
