# SPDX-License-Identifier: GPL-2.0-only


class gfn_for_hfn(steps):
    """It compares the gfn in the guest's tables with the host frame in the shadow."""

    def check_map(vm):
        return [("map", gva) for gva, spte in mappings(vm) if guest_path(vm, gva).gfn != frame(vm, spte)]


class misled_by_entry(steps):
    """It reports the entry that is misled instead of its gva."""

    def check_map(vm):
        return [("map", spte) for gva, spte in mappings(vm) if guest_path(vm, gva).hfn != frame(vm, spte)]


class unmapped_passes(steps):
    """It complains about nothing where the guest's tables map nothing."""

    def check_map(vm):
        return [("map", gva) for gva, spte in mappings(vm) if guest_path(vm, gva).hfn not in (frame(vm, spte), None)]


class unreached_mappings(steps):
    """It also checks leaves that the root does not reach, at the gva that it guesses for them."""

    def audit(vm):
        return list({*check_rmap(vm), *check_wp(vm), *check_map(vm), *check_unreached(vm)})

    def check_unreached(vm):
        for page in vm.pool.active:
            if page.level == 1 and page.glevels == 4 and not page.metaphysical and vm.parents.first(page) is None:
                for spte in entries_with(vm, page):
                    index = spte & 511
                    entry = vm.peek((page.gfn << 12) + index * 8)
                    if vm.memory.frames[entry >> 12 & 0xFFFFFFFFFF] != frame(vm, spte):
                        yield "map", index << 12


class writable_leaves_only(steps):
    """It compares only leaves that can write."""

    def check_map(vm):
        writable = [(gva, spte) for gva, spte in mappings(vm) if vm.memory.words[spte] & WRITABLE]
        return [("map", gva) for gva, spte in writable if guest_path(vm, gva).hfn != frame(vm, spte)]


class three_at_most(steps):
    """It reports only the first three."""

    def check_map(vm):
        return [("map", gva) for gva, spte in mappings(vm) if guest_path(vm, gva).hfn != frame(vm, spte)][:3]


class one_thousand_addresses(steps):
    """It reports no more than 1000 addresses."""

    def check_map(vm):
        return [("map", gva) for gva, spte in mappings(vm) if guest_path(vm, gva).hfn != frame(vm, spte)][:1000]


class host_frame_0_is_no_frame(steps):
    """It does not see an entry that leads to host frame 0."""

    def check_map(vm):
        found = [(gva, frame(vm, spte)) for gva, spte in mappings(vm)]
        return [("map", gva) for gva, hfn in found if hfn and guest_path(vm, gva).hfn != hfn]


class no_frame_is_host_frame_0(steps):
    """Where the guest's tables give no frame, it expects host frame 0."""

    def check_map(vm):
        return [("map", gva) for gva, spte in mappings(vm) if (guest_path(vm, gva).hfn or 0) != frame(vm, spte)]
