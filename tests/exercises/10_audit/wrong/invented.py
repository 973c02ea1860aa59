# SPDX-License-Identifier: GPL-2.0-only


class frames_that_should_have_a_map(sets):
    """It goes through the frames that can be written, so a map that should be empty isn't looked at."""

    def audit(vm):
        words, found = vm.memory.words, set()

        def frame(spte):
            return (words[spte] & BASE_MASK) >> PAGE_SHIFT

        should = Counter()
        for page in vm.pool.active:
            if page.level == 1:
                for spte in entries_with(vm, page):
                    if words[spte] & WRITABLE:
                        should[frame(spte), spte] += 1
        noted = Counter((hfn, spte) for hfn in vm.rmap.frames() for spte in vm.rmap.sptes(hfn))
        for hfn, spte in (should - noted) | (noted - should):
            if hfn in {frame for frame, _ in should}:
                found.add(("rmap", spte))

        writable = {hfn for hfn, _ in should}
        for page in vm.pool.active:
            if not page.metaphysical and vm.memory.frames[page.gfn] in writable:
                found.add(("wp", page.gfn))

        def down(table, level, gva):
            for spte in entries_with(vm, vm.pool.pages[(table >> PAGE_SHIFT) - FIRST_SHADOW]):
                at = gva + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
                if level > 1:
                    down(words[spte] & BASE_MASK, level - 1, at)
                elif guest_path(vm, canonical(at)).hfn != frame(spte):
                    found.add(("map", canonical(at)))

        if vm.root_level == 4:
            down(vm.root, 4, 0)
        else:
            for slot in range(4):
                entry = words[PAE_ROOT << 9 | slot]
                if entry & PRESENT:
                    down(entry & BASE_MASK, 2, slot << 30)
        return list(found)


class free_pages_forgiven(sets):
    """It doesn't mind references to entries of pages that aren't in use."""

    def audit(vm):
        words, found = vm.memory.words, set()

        def frame(spte):
            return (words[spte] & BASE_MASK) >> PAGE_SHIFT

        should = Counter()
        for page in vm.pool.active:
            if page.level == 1:
                for spte in entries_with(vm, page):
                    if words[spte] & WRITABLE:
                        should[frame(spte), spte] += 1
        noted = Counter((hfn, spte) for hfn in vm.rmap.frames() for spte in vm.rmap.sptes(hfn))
        for _, spte in (should - noted) | (noted - should):
            if vm.pool.pages[(spte >> 9) - FIRST_SHADOW] in vm.pool.active:
                found.add(("rmap", spte))

        writable = {hfn for hfn, _ in should}
        for page in vm.pool.active:
            if not page.metaphysical and vm.memory.frames[page.gfn] in writable:
                found.add(("wp", page.gfn))

        def down(table, level, gva):
            for spte in entries_with(vm, vm.pool.pages[(table >> PAGE_SHIFT) - FIRST_SHADOW]):
                at = gva + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
                if level > 1:
                    down(words[spte] & BASE_MASK, level - 1, at)
                elif guest_path(vm, canonical(at)).hfn != frame(spte):
                    found.add(("map", canonical(at)))

        if vm.root_level == 4:
            down(vm.root, 4, 0)
        else:
            for slot in range(4):
                entry = words[PAE_ROOT << 9 | slot]
                if entry & PRESENT:
                    down(entry & BASE_MASK, 2, slot << 30)
        return list(found)


class free_pages_too(sets):
    """It goes through all shadow pages, also those that aren't in use."""

    def audit(vm):
        words, found = vm.memory.words, set()

        def frame(spte):
            return (words[spte] & BASE_MASK) >> PAGE_SHIFT

        should = Counter()
        for page in vm.pool.pages:
            if page.level in (0, 1):
                for spte in entries_with(vm, page):
                    if words[spte] & WRITABLE:
                        should[frame(spte), spte] += 1
        noted = Counter((hfn, spte) for hfn in vm.rmap.frames() for spte in vm.rmap.sptes(hfn))
        for _, spte in (should - noted) | (noted - should):
            found.add(("rmap", spte))

        writable = {hfn for hfn, _ in should}
        for page in vm.pool.active:
            if not page.metaphysical and vm.memory.frames[page.gfn] in writable:
                found.add(("wp", page.gfn))

        def down(table, level, gva):
            for spte in entries_with(vm, vm.pool.pages[(table >> PAGE_SHIFT) - FIRST_SHADOW]):
                at = gva + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
                if level > 1:
                    down(words[spte] & BASE_MASK, level - 1, at)
                elif guest_path(vm, canonical(at)).hfn != frame(spte):
                    found.add(("map", canonical(at)))

        if vm.root_level == 4:
            down(vm.root, 4, 0)
        else:
            for slot in range(4):
                entry = words[PAE_ROOT << 9 | slot]
                if entry & PRESENT:
                    down(entry & BASE_MASK, 2, slot << 30)
        return list(found)


class leftovers_in_free_pages(sets):
    """What is left over in free pages counts."""

    def frame_of(entry):
        return (entry & BASE_MASK) >> PAGE_SHIFT

    def writable_leaves(vm):
        words = vm.memory.words
        want = Counter()
        for page in vm.pool.pages:
            if page.level != 1:
                continue
            for spte in entries_with(vm, page):
                entry = words[spte]
                if entry & WRITABLE:
                    want[frame_of(entry), spte] += 1
        return want

    def noted(vm):
        have = Counter()
        for hfn in set(vm.rmap.frames()):
            for spte in vm.rmap.sptes(hfn):
                have[hfn, spte] += 1
        return have

    def go_down(vm, page, level, base, complaints):
        words = vm.memory.words
        for spte in entries_with(vm, page):
            gva = base + ((spte - page.spte) << 3 + 9 * level)
            if level > 1:
                go_down(vm, vm.pool.pages[frame_of(words[spte]) - FIRST_SHADOW], level - 1, gva, complaints)
            else:
                gva = canonical(gva)
                if guest_path(vm, gva).hfn != frame_of(words[spte]):
                    complaints.add(("map", gva))

    def audit(vm):
        words = vm.memory.words
        complaints = set()
        # rmap
        want, have = writable_leaves(vm), noted(vm)
        for _, spte in (want - have) + (have - want):
            complaints.add(("rmap", spte))
        # wp
        written = {hfn for hfn, _ in want}
        for page in vm.pool.active:
            if page.metaphysical:
                continue
            if vm.memory.frames[page.gfn] in written:
                complaints.add(("wp", page.gfn))
        # map
        if vm.root_level == 4:
            go_down(vm, vm.pool.pages[(vm.root >> PAGE_SHIFT) - FIRST_SHADOW], 4, 0, complaints)
        else:
            for i in range(4):
                slot = words[PAE_ROOT * 512 + i]
                if slot & PRESENT:
                    go_down(vm, vm.pool.pages[frame_of(slot) - FIRST_SHADOW], 2, i << 30, complaints)
        return list(complaints)


class links_may_be_noted(sets):
    """It doesn't mind a link to a shadow table in a map: that is present and writable, too."""

    def audit(vm):
        words, found = vm.memory.words, set()

        def frame(spte):
            return (words[spte] & BASE_MASK) >> PAGE_SHIFT

        should = Counter()
        for page in vm.pool.active:
            if page.level == 1:
                for spte in entries_with(vm, page):
                    if words[spte] & WRITABLE:
                        should[frame(spte), spte] += 1
        noted = Counter((hfn, spte) for hfn in vm.rmap.frames() for spte in vm.rmap.sptes(hfn))
        for _, spte in (should - noted) | (noted - should):
            if vm.pool.pages[(spte >> 9) - FIRST_SHADOW].level == 1:
                found.add(("rmap", spte))

        writable = {hfn for hfn, _ in should}
        for page in vm.pool.active:
            if not page.metaphysical and vm.memory.frames[page.gfn] in writable:
                found.add(("wp", page.gfn))

        def down(table, level, gva):
            for spte in entries_with(vm, vm.pool.pages[(table >> PAGE_SHIFT) - FIRST_SHADOW]):
                at = gva + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
                if level > 1:
                    down(words[spte] & BASE_MASK, level - 1, at)
                elif guest_path(vm, canonical(at)).hfn != frame(spte):
                    found.add(("map", canonical(at)))

        if vm.root_level == 4:
            down(vm.root, 4, 0)
        else:
            for slot in range(4):
                entry = words[PAE_ROOT << 9 | slot]
                if entry & PRESENT:
                    down(entry & BASE_MASK, 2, slot << 30)
        return list(found)


class missing_only(sets):
    """It looks for entries that aren't noted, and never the other way round."""

    def audit(vm):
        words, found = vm.memory.words, set()

        def frame(spte):
            return (words[spte] & BASE_MASK) >> PAGE_SHIFT

        should = Counter()
        for page in vm.pool.active:
            if page.level == 1:
                for spte in entries_with(vm, page):
                    if words[spte] & WRITABLE:
                        should[frame(spte), spte] += 1
        noted = Counter((hfn, spte) for hfn in vm.rmap.frames() for spte in vm.rmap.sptes(hfn))
        for _, spte in should - noted:
            found.add(("rmap", spte))

        writable = {hfn for hfn, _ in should}
        for page in vm.pool.active:
            if not page.metaphysical and vm.memory.frames[page.gfn] in writable:
                found.add(("wp", page.gfn))

        def down(table, level, gva):
            for spte in entries_with(vm, vm.pool.pages[(table >> PAGE_SHIFT) - FIRST_SHADOW]):
                at = gva + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
                if level > 1:
                    down(words[spte] & BASE_MASK, level - 1, at)
                elif guest_path(vm, canonical(at)).hfn != frame(spte):
                    found.add(("map", canonical(at)))

        if vm.root_level == 4:
            down(vm.root, 4, 0)
        else:
            for slot in range(4):
                entry = words[PAE_ROOT << 9 | slot]
                if entry & PRESENT:
                    down(entry & BASE_MASK, 2, slot << 30)
        return list(found)


class noted_links_accepted(sets):
    """An entry of an upper level may be noted for the frame that it leads to."""

    SIZE = {1: 1 << 12, 2: 1 << 21, 3: 1 << 30, 4: 1 << 39}

    def hfn_at(vm, spte):
        return (vm.memory.words[spte] & BASE_MASK) >> PAGE_SHIFT

    def long_roots(vm):
        return [(vm.root >> PAGE_SHIFT, 4, 0)]

    def slot_roots(vm):
        at = [PAE_ROOT * 512 + i for i in range(4)]
        return [(hfn_at(vm, spte), 2, i * SIZE[3]) for i, spte in enumerate(at) if vm.memory.words[spte] & PRESENT]

    def leaves(vm):
        """spte -> hfn of all writable leaves."""
        found = {}
        for page in list(vm.pool.active):
            if page.level == 1:
                found.update({s: hfn_at(vm, s) for s in entries_with(vm, page) if vm.memory.words[s] & WRITABLE})
        return found

    def translations(vm):
        """gva (canonical) -> hfn by the shadow tables."""
        found = {}
        todo = long_roots(vm) if vm.root_level == 4 else slot_roots(vm)
        for host_frame, level, first in todo:  # grows while we go
            page = vm.pool.pages[host_frame - FIRST_SHADOW]
            for spte in entries_with(vm, page):
                gva = first + (spte - page.spte) * SIZE[level]
                if level == 1:
                    found[canonical(gva)] = hfn_at(vm, spte)
                else:
                    todo.append((hfn_at(vm, spte), level - 1, gva))
        return found

    def check_rmap(vm):
        should = leaves(vm)
        once, bad = {}, set()
        for hfn in set(vm.rmap.frames()):
            for spte in vm.rmap.sptes(hfn):
                in_use = vm.pool.pages[(spte >> 9) - FIRST_SHADOW] in vm.pool.active
                entry = vm.memory.words[spte]
                if spte in once or not in_use or entry & 3 != 3 or hfn_at(vm, spte) != hfn:
                    bad.add(spte)
                once[spte] = hfn
        return bad | (should.keys() - once.keys())

    def check_wp(vm):
        frames = set(leaves(vm).values())
        return {p.gfn for p in vm.pool.active if not p.metaphysical and vm.memory.frames[p.gfn] in frames}

    def check_map(vm):
        return {gva for gva, hfn in translations(vm).items() if guest_path(vm, gva).hfn != hfn}

    CHECKS = {"rmap": check_rmap, "wp": check_wp, "map": check_map}

    def audit(vm):
        return [(text, number) for text, check in CHECKS.items() for number in check(vm)]
