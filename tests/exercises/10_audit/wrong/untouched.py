# SPDX-License-Identifier: GPL-2.0-only


class accessed_bits_taken_back(sets):
    """It lets the walk set accessed bits, and takes them back only where it walked last."""

    def walked(vm, gva):
        """The frame by the engine's walk; the last table is as before."""
        last = [step for step in guest_path(vm, gva).steps if step.level == 1]
        gpa = vm.gva_to_gpa(gva)
        for step in last:
            size = 4 if vm.root_level == 2 else 8
            vm.poke((step.number << PAGE_SHIFT) + step.index * size, step.entry, size)
        return None if gpa is None else vm.memory.frames[gpa >> PAGE_SHIFT]

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
                elif walked(vm, canonical(at)) != frame(spte):
                    found.add(("map", canonical(at)))

        if vm.root_level == 4:
            down(vm.root, 4, 0)
        else:
            for slot in range(4):
                entry = words[PAE_ROOT << 9 | slot]
                if entry & PRESENT:
                    down(entry & BASE_MASK, 2, slot << 30)
        return list(found)


class mends_what_it_finds(sets):
    """It mends what it finds."""

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
        for _, spte in should - noted:
            vm.rmap.add(spte)
        for hfn, spte in noted - should:
            vm.rmap.unlink(hfn, spte)

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


class puts_memory_back(sets):
    """Sets accessed bits, and puts memory back at the end."""

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
                gpa = vm.gva_to_gpa(gva)
                hfn = None if gpa is None else vm.memory.frames[gpa >> PAGE_SHIFT]
                if hfn != frame_of(words[spte]):
                    complaints.add(("map", gva))

    def audit(vm):
        words = vm.memory.words
        complaints = set()
        saved = words.tobytes()
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
        words[:] = memoryview(saved).cast(words.format)  # as it was
        return list(complaints)


class sets_accessed_bits(sets):
    """It asks the engine's own walk, which sets accessed bits."""

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
                elif vm.memory.frames[(vm.gva_to_gpa(canonical(at)) or -1) >> PAGE_SHIFT] != frame(spte):
                    found.add(("map", canonical(at)))

        if vm.root_level == 4:
            down(vm.root, 4, 0)
        else:
            for slot in range(4):
                entry = words[PAE_ROOT << 9 | slot]
                if entry & PRESENT:
                    down(entry & BASE_MASK, 2, slot << 30)
        return list(found)
