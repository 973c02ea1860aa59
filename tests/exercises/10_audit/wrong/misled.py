# SPDX-License-Identifier: GPL-2.0-only


class gfn_for_hfn(sets):
    """It compares the gfn that the guest's tables say with the shadow's host frame."""

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
                found.add(("wp", page.gfn))

        def down(table, level, gva):
            for spte in entries_with(vm, vm.pool.pages[(table >> PAGE_SHIFT) - FIRST_SHADOW]):
                at = gva + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
                if level > 1:
                    down(words[spte] & BASE_MASK, level - 1, at)
                elif guest_path(vm, canonical(at)).gfn != frame(spte):
                    found.add(("map", canonical(at)))

        if vm.root_level == 4:
            down(vm.root, 4, 0)
        else:
            for slot in range(4):
                entry = words[PAE_ROOT << 9 | slot]
                if entry & PRESENT:
                    down(entry & BASE_MASK, 2, slot << 30)
        return list(found)


class misled_by_entry(sets):
    """It reports the entry that is misled, not the gva."""

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
                found.add(("wp", page.gfn))

        def down(table, level, gva):
            for spte in entries_with(vm, vm.pool.pages[(table >> PAGE_SHIFT) - FIRST_SHADOW]):
                at = gva + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
                if level > 1:
                    down(words[spte] & BASE_MASK, level - 1, at)
                elif guest_path(vm, canonical(at)).hfn != frame(spte):
                    found.add(("map", spte))

        if vm.root_level == 4:
            down(vm.root, 4, 0)
        else:
            for slot in range(4):
                entry = words[PAE_ROOT << 9 | slot]
                if entry & PRESENT:
                    down(entry & BASE_MASK, 2, slot << 30)
        return list(found)


class unmapped_passes(sets):
    """Where the guest's tables say nothing it has nothing to compare, and says nothing."""

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
                found.add(("wp", page.gfn))

        def down(table, level, gva):
            for spte in entries_with(vm, vm.pool.pages[(table >> PAGE_SHIFT) - FIRST_SHADOW]):
                at = gva + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
                if level > 1:
                    down(words[spte] & BASE_MASK, level - 1, at)
                elif guest_path(vm, canonical(at)).hfn not in (frame(spte), None):
                    found.add(("map", canonical(at)))

        if vm.root_level == 4:
            down(vm.root, 4, 0)
        else:
            for slot in range(4):
                entry = words[PAE_ROOT << 9 | slot]
                if entry & PRESENT:
                    down(entry & BASE_MASK, 2, slot << 30)
        return list(found)


class unreached_mappings(sets):
    """It looks at all leaves that lead anywhere, by what it thinks their gva is, also at those that the root doesn't reach."""

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
        for page in vm.pool.active:
            if page.level == 1 and page.glevels == 4 and not page.metaphysical and vm.parents.first(page) is None:
                for spte in entries_with(vm, page):
                    if vm.memory.frames[vm.peek((page.gfn << 12) + (spte & 511) * 8) >> 12 & 0xFFFFFFFFFF] != frame(spte):
                        found.add(("map", (spte & 511) << 12))
        return list(found)


class writable_leaves_only(sets):
    """It looks where entries lead that can write, and not where the others do."""

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
                found.add(("wp", page.gfn))

        def down(table, level, gva):
            for spte in entries_with(vm, vm.pool.pages[(table >> PAGE_SHIFT) - FIRST_SHADOW]):
                at = gva + ((spte & 511) << PAGE_SHIFT + 9 * (level - 1))
                if level > 1:
                    down(words[spte] & BASE_MASK, level - 1, at)
                elif words[spte] & WRITABLE and guest_path(vm, canonical(at)).hfn != frame(spte):
                    found.add(("map", canonical(at)))

        if vm.root_level == 4:
            down(vm.root, 4, 0)
        else:
            for slot in range(4):
                entry = words[PAE_ROOT << 9 | slot]
                if entry & PRESENT:
                    down(entry & BASE_MASK, 2, slot << 30)
        return list(found)
