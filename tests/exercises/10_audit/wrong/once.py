# SPDX-License-Identifier: GPL-2.0-only


class counts_by_frame(steps):
    """It compares how many entries the map of a frame has, so that another entry in place of one passes."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        counts = [Counter(hfn for hfn, _ in pairs.elements()) for pairs in (should, have)]
        wrong = (should - have) | (have - should)
        return [("rmap", spte) for hfn, spte in wrong if counts[0][hfn] != counts[1][hfn]]


class counts_only(steps):
    """Like the kernel's audit it compares totals, so that one missing and one too many pass."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        if should.total() == have.total():
            return []
        return [("rmap", spte) for _, spte in (should - have) | (have - should)]


class first_complaint_only(steps):
    """It stops at the first complaint."""

    def audit(vm):
        return list({*check_rmap(vm), *check_wp(vm), *check_map(vm)})[:1]


class one_of_each_kind(steps):
    """It stops at the first complaint of each kind."""

    def audit(vm):
        found = [*check_rmap(vm), *check_wp(vm), *check_map(vm)]
        return list({kind: (kind, where) for kind, where in found}.values())


class place_ignored(steps):
    """It asks whether an entry is in any map, and not whether it is in the right one."""

    def check_rmap(vm):
        return [("rmap", spte) for spte in {spte for _, spte in writable_leaves(vm)} ^ {spte for _, spte in noted(vm)}]


class reported_for_each_map(steps):
    """An entry in the wrong map is reported twice, as missing here and as too many there."""

    def audit(vm):
        return [*check_rmap(vm), *{*check_wp(vm), *check_map(vm)}]


class sets_not_counts(steps):
    """It compares sets, and does not see that an entry is noted twice."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        return [("rmap", spte) for _, spte in set(should) ^ set(have)]


class two_hundred_and_fifty_six_of_each_map(steps):
    """It looks at no more than 256 entries of a frame's map."""

    def noted(vm):
        return Counter((hfn, spte) for hfn in vm.rmap.frames() for spte in list(vm.rmap.sptes(hfn))[:256])


class one_thousand_wrong_entries(steps):
    """It stops after 1000 wrong entries."""

    def check_rmap(vm):
        should, have = writable_leaves(vm), noted(vm)
        return [("rmap", spte) for _, spte in (should - have) | (have - should)][:1000]
