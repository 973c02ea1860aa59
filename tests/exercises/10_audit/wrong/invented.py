# SPDX-License-Identifier: GPL-2.0-only


class frames_that_should_have_a_map(steps):
    """It checks only frames that can be written, and misses a map that should be empty."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        frames = {hfn for hfn, _ in should}
        return [("rmap", spte) for hfn, spte in (should - have) | (have - should) if hfn in frames]


class free_pages_forgiven(steps):
    """It accepts references to entries of pages that are not in use."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        wrong = [spte for _, spte in (should - have) | (have - should)]
        return [("rmap", spte) for spte in wrong if vm.pool.pages[(spte >> 9) - FIRST_SHADOW] in vm.pool.active]


class free_pages_too(steps):
    """It looks at all shadow pages, even those that are not in use."""

    def writable_leaves(vm):
        """Count (hfn, spte) of all entries that belong into a reverse map."""
        found = Counter()
        for page in vm.pool.pages:
            if page.level in (0, 1):
                for spte in entries_with(vm, page):
                    if vm.memory.words[spte] & WRITABLE:
                        found[frame(vm, spte), spte] += 1
        return found


class leftovers_in_free_pages(steps):
    """It looks at pages of level 1 even if they are not in use any more."""

    def writable_leaves(vm):
        """Count (hfn, spte) of all entries that belong into a reverse map."""
        found = Counter()
        for page in vm.pool.pages:
            if page.level == 1:
                for spte in entries_with(vm, page):
                    if vm.memory.words[spte] & WRITABLE:
                        found[frame(vm, spte), spte] += 1
        return found


class links_may_be_noted(steps):
    """It accepts a link to a shadow table in a map, because that is present and writable."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        wrong = [spte for _, spte in (should - have) | (have - should)]
        return [("rmap", spte) for spte in wrong if vm.pool.pages[(spte >> 9) - FIRST_SHADOW].level == 1]


class missing_only(steps):
    """It looks for entries that are missing in a map, and never the other way round."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        return [("rmap", spte) for _, spte in should - have]


class noted_links_accepted(steps):
    """An entry of an upper level may be in the map of the frame that it leads to."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        upper = [page for page in vm.pool.active if page.level > 1]
        links = Counter((frame(vm, spte), spte) for page in upper for spte in entries_with(vm, page, PRESENT | WRITABLE))
        return [("rmap", spte) for _, spte in (should - have) | (have - should - links)]


class absent_entries_may_be_noted(steps):
    """An entry that lost its P and kept its W may stay in a map."""

    def noted(vm):
        words = vm.memory.words
        return Counter((hfn, spte) for hfn in vm.rmap.frames() for spte in vm.rmap.sptes(hfn) if words[spte] & 3 != WRITABLE)
