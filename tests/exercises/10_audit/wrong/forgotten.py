# SPDX-License-Identifier: GPL-2.0-only


class all_levels(sets):
    """It wants links to shadow tables in the maps, too, for they are present and writable."""

    def audit(vm):
        words, found = vm.memory.words, set()

        def frame(spte):
            return (words[spte] & BASE_MASK) >> PAGE_SHIFT

        should = Counter()
        for page in vm.pool.active:
            if page.level:
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


class frames_with_a_map_only(sets):
    """It goes through the frames that have a map, so a frame that has lost its last reference isn't looked at."""

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
            if hfn in vm.rmap.frames():
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


class invented_only(sets):
    """It looks whether each reference is right, and never whether there is one."""

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
        for _, spte in noted - should:
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


class no_metaphysical_leaves(sets):
    """It leaves out pages that shadow no guest table: without paging, and of large pages."""

    def audit(vm):
        words, found = vm.memory.words, set()

        def frame(spte):
            return (words[spte] & BASE_MASK) >> PAGE_SHIFT

        should = Counter()
        for page in vm.pool.active:
            if page.level == 1 and not page.metaphysical:
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


class old_complaints(sets):
    """It keeps its complaints from one call to the next."""

    def audit(vm, found=set()):  # noqa: B006
        words = vm.memory.words

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
        return list(found)


class present_ignored(sets):
    """It takes entries for writable that aren't present: those of a frame without memory."""

    def audit(vm):
        words, found = vm.memory.words, set()

        def frame(spte):
            return (words[spte] & BASE_MASK) >> PAGE_SHIFT

        should = Counter()
        for page in vm.pool.active:
            if page.level == 1:
                for spte in entries_with(vm, page, WRITABLE):
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


class reached_pages_only(sets):
    """It compares maps only with entries that the root leads to; pages nobody leads to at the moment it passes over."""

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
            page = vm.pool.pages[(spte >> 9) - FIRST_SHADOW]
            if vm.parents.first(page) is not None:
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


class read_only_entries(sets):
    """It wants every present entry in a map, also those that can't write."""

    def audit(vm):
        words, found = vm.memory.words, set()

        def frame(spte):
            return (words[spte] & BASE_MASK) >> PAGE_SHIFT

        should = Counter()
        for page in vm.pool.active:
            if page.level == 1:
                for spte in entries_with(vm, page):
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


class user_entries_only(sets):
    """It takes only entries that user code can write for writable ones."""

    def audit(vm):
        words, found = vm.memory.words, set()

        def frame(spte):
            return (words[spte] & BASE_MASK) >> PAGE_SHIFT

        should = Counter()
        for page in vm.pool.active:
            if page.level == 1:
                for spte in entries_with(vm, page):
                    if words[spte] & 6 == 6:
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
