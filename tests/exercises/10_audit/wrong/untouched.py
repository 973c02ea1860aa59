# SPDX-License-Identifier: GPL-2.0-only


class accessed_bits_taken_back(steps):
    """It lets the walk set accessed bits, and takes back only those of the last level."""

    def check_map(vm):
        return [("map", gva) for gva, spte in mappings(vm) if walked(vm, gva) != frame(vm, spte)]

    def walked(vm, gva):
        last = [step for step in guest_path(vm, gva).steps if step.level == 1]
        gpa = vm.gva_to_gpa(gva)
        for step in last:
            size = 4 if vm.root_level == 2 else 8
            vm.poke((step.number << PAGE_SHIFT) + step.index * size, step.entry, size)
        return None if gpa is None else vm.memory.frames[gpa >> PAGE_SHIFT]


class mends_what_it_finds(steps):
    """It mends what it finds."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        for _, spte in should - have:
            vm.rmap.add(spte)
        for hfn, spte in have - should:
            vm.rmap.unlink(hfn, spte)
        return [("rmap", spte) for _, spte in (should - have) | (have - should)]


class puts_memory_back(steps):
    """It sets accessed bits, and puts memory back at the end."""

    def audit(vm):
        words = vm.memory.words
        saved = words.tobytes()
        found = {*check_rmap(vm), *check_wp(vm), *check_map(vm)}
        words[:] = memoryview(saved).cast(words.format)
        return list(found)

    def check_map(vm):
        for gva, spte in mappings(vm):
            gpa = vm.gva_to_gpa(gva)
            hfn = None if gpa is None else vm.memory.frames[gpa >> PAGE_SHIFT]
            if hfn != frame(vm, spte):
                yield "map", gva


class sets_accessed_bits(steps):
    """It asks the engine's own walk, which sets accessed bits."""

    def check_map(vm):
        for gva, spte in mappings(vm):
            if vm.memory.frames[(vm.gva_to_gpa(gva) or -1) >> PAGE_SHIFT] != frame(vm, spte):
                yield "map", gva


class restored_words(steps):
    """It looks at an entry by clearing it, and writes it back."""

    def check_rmap(vm):
        should, have, words = writable_leaves(vm), noted(vm), vm.memory.words
        for _, spte in should:
            words[spte], entry = 0, words[spte]
            words[spte] = entry
        return [("rmap", spte) for _, spte in (should - have) | (have - should)]


class removed_and_added(steps):
    """It takes each entry out of its reverse map and puts it back."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        for _, spte in should & have:
            vm.rmap.remove(spte)
            vm.rmap.add(spte)
        return [("rmap", spte) for _, spte in (should - have) | (have - should)]


class restored_statistics(steps):
    """It counts in the statistics of the machine, and sets them back."""

    def check_rmap(vm):
        should, have, before = writable_leaves(vm), noted(vm), vm.stats.fixed
        vm.stats.fixed = 0
        for _ in should:
            vm.stats.fixed += 1
        vm.stats.fixed = before
        return [("rmap", spte) for _, spte in (should - have) | (have - should)]


class restored_registers(steps):
    """It sets CR3 while it reads the guest's tables, and sets it back."""

    def check_map(vm):
        before, vm.cpu.cr3 = vm.cpu.cr3, vm.cpu.cr3 & ~0xFFF
        found = [("map", gva) for gva, spte in mappings(vm) if guest_path(vm, gva).hfn != frame(vm, spte)]
        vm.cpu.cr3 = before
        return found


class marked_pages(steps):
    """It marks the pages that it has seen in their slot bits, and takes the marks away."""

    def check_wp(vm):
        writable, found = {hfn for hfn, _ in writable_leaves(vm)}, []
        for page in vm.pool.active:
            page.slot_bitmap ^= 1 << 8
            if not page.metaphysical and vm.memory.frames[page.gfn] in writable:
                found.append(("wp", page.gfn))
            page.slot_bitmap ^= 1 << 8
        return found
