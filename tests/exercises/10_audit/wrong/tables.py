# SPDX-License-Identifier: GPL-2.0-only


class large_pages_in_no_map(sets):
    """It leaves out the entries of large pages."""

    def audit(vm):
        words, found = vm.memory.words, set()

        def frame(spte):
            return (words[spte] & BASE_MASK) >> PAGE_SHIFT

        should = Counter()
        for page in vm.pool.active:
            if page.level == 1 and not (page.metaphysical and page.glevels):
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


class metaphysical_hides_table(sets):
    """A metaphysical page hides a table of the same gfn."""

    def frame_of(entry):
        return (entry & BASE_MASK) >> PAGE_SHIFT

    def writable_leaves(vm):
        words = vm.memory.words
        want = Counter()
        for page in vm.pool.active:
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
        by_gfn = {page.gfn: page for page in sorted(vm.pool.active, key=lambda page: page.metaphysical)}
        for page in by_gfn.values():
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


class metaphysical_tables(sets):
    """It takes the gfn of a metaphysical page for that of a guest table."""

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
            found.add(("rmap", spte))

        writable = {hfn for hfn, _ in should}
        for page in vm.pool.active:
            if vm.memory.frames[page.gfn] in writable:
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


class page_tables_only(sets):
    """It looks at page tables only, not at directories and roots."""

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
            found.add(("rmap", spte))

        writable = {hfn for hfn, _ in should}
        for page in vm.pool.active:
            if page.level == 1 and not page.metaphysical and vm.memory.frames[page.gfn] in writable:
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


class roots_left_out(sets):
    """It leaves out the guest's root, whose shadow page no entry points to."""

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
            found.add(("rmap", spte))

        writable = {hfn for hfn, _ in should}
        for page in vm.pool.active:
            if not page.root_count and not page.metaphysical and vm.memory.frames[page.gfn] in writable:
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


class tables_by_host_frame(sets):
    """It reports the host frame of the table, not its gfn."""

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
            found.add(("rmap", spte))

        writable = {hfn for hfn, _ in should}
        for page in vm.pool.active:
            if not page.metaphysical and vm.memory.frames[page.gfn] in writable:
                found.add(("wp", vm.memory.frames[page.gfn]))

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


class tables_by_shadow_page(sets):
    """A table with several shadow pages is reported for each of them."""

    def audit(vm):
        words, found = vm.memory.words, []

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
            found.append(("rmap", spte))

        writable = {hfn for hfn, _ in should}
        for page in vm.pool.active:
            if not page.metaphysical and vm.memory.frames[page.gfn] in writable:
                found.append(("wp", page.gfn))

        def down(table, level, gva):
            for spte in entries_with(vm, vm.pool.pages[(table >> PAGE_SHIFT) - FIRST_SHADOW]):
                at = gva + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
                if level > 1:
                    down(words[spte] & BASE_MASK, level - 1, at)
                elif guest_path(vm, canonical(at)).hfn != frame(spte):
                    found.append(("map", canonical(at)))

        if vm.root_level == 4:
            down(vm.root, 4, 0)
        else:
            for slot in range(4):
                entry = words[PAE_ROOT << 9 | slot]
                if entry & PRESENT:
                    down(entry & BASE_MASK, 2, slot << 30)
        wrong = [item for item in found if item[0] == "wp"]
        return wrong + list({item for item in found if item[0] != "wp"})


class tables_by_the_maps(sets):
    """It asks the reverse map whether a table can be written, which may be what is wrong."""

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
            found.add(("rmap", spte))

        writable = set(vm.rmap.frames())
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


class tables_gfn_for_hfn(sets):
    """It compares the gfn of a table with host frames."""

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
            found.add(("rmap", spte))

        writable = {hfn for hfn, _ in should}
        for page in vm.pool.active:
            if not page.metaphysical and page.gfn in writable:
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
