# SPDX-License-Identifier: GPL-2.0-only


class counts_by_frame(sets):
    """It compares how many references each frame has, so another entry in the place of one passes."""

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
        counts = [Counter(hfn for hfn, _ in pairs.elements()) for pairs in (should, noted)]
        for hfn, spte in (should - noted) | (noted - should):
            if counts[0][hfn] != counts[1][hfn]:
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


class counts_only(sets):
    """As the kernel's audit it compares counts: one missing and one too many make none."""

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
        if should.total() != noted.total():
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


class first_complaint_only(sets):
    """It stops at the first complaint."""

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
        return list(found)[:1]


class one_of_each_kind(sets):
    """It stops at the first complaint of each kind."""

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
        return list({kind: (kind, where) for kind, where in found}.values())


class place_ignored(sets):
    """It asks whether an entry is in any map, not whether it is in the right one."""

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
        for spte in {spte for _, spte in should} ^ {spte for _, spte in noted}:
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


class reported_for_each_map(sets):
    """An entry in the wrong map is reported twice: missing here, too many there."""

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
        for _, spte in should - noted:
            found.append(("rmap", spte))
        for _, spte in noted - should:
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
        wrong = [item for item in found if item[0] == "rmap"]
        return wrong + list({item for item in found if item[0] != "rmap"})


class sets_not_counts(sets):
    """It compares sets, so it doesn't see what is noted twice."""

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
        for _, spte in set(should) ^ set(noted):
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
