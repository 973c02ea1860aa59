# SPDX-License-Identifier: GPL-2.0-only
"""Lesson 8: what its cells print, that its numbers hold for any seed, and the facts in its text."""

from collections import Counter
from itertools import pairwise

import pytest

from kvmmmu_lab import open_guest
from kvmmmu_lab.inspect.paths import guest_tree
from kvmmmu_lab.labs.guests import Builder
from kvmmmu_lab.lessons import lesson_08 as lesson
from kvmmmu_lab.museum import exhibit

from .cells import in_order, said, seeds

NAME = "08_parents"
SEEDS = [0, 1, 2, 5, 11, -4, 10**12]


def test_it_ends_as_it_says(monkeypatch):
    in_order(
        said(NAME, monkeypatch),
        "* parents           Parents lead from a shadow page back to the entries above it.",
        "kept directly, one parent needs no chain",
        "It was: 6 7 8 9 | 1 2 3 4 5.",
        "link 3 will be removed",
        "It was: 11 12 | 6 7 8 9 10 | 1 2 4 5.",
        "chain 1, 5 of 5 places",
        "drops the parent",
        "Shadow page #249 returns to the pool.",
        "It was: #249.",
        "It was: 1 shadow page and no sptes of level 1.",
        "#251 is a root in use, so it isn't freed",
        "It was: it is in the hash, without entries.",
        "107 shadow pages: 5 with no parents, 77 with 1 parent, 23 with 2 parents, 1 with 4 parents, 1 with 512 parents",
        "3 of 103 chains are drawn",
        "the host would hang in fix_write_pf",
        "The host has carried out the store",
    )


@pytest.mark.parametrize("seed", seeds(*SEEDS))
def test_it_holds_for_other_seeds(seed, monkeypatch):
    in_order(
        said(NAME, monkeypatch, seed),
        "It was: #249.",
        "It was: 1 shadow page and no sptes of level 1.",
        "It was: it is in the hash, without entries.",
        "107 shadow pages",
    )


def test_155_frames_110_tables_and_107_shadow_pages_count_different_things():
    """Lesson 0 counts the frames of all processes, lesson 3 the tables below the root, lesson 8 what is shadowed of them."""
    real = open_guest("lin64_A")
    vm = real.vm()

    def tables():
        return {branch.number: vm.memory.pages[vm.memory.frames[branch.number]] for branch in guest_tree(vm).values()}

    every, current = set(), tables()
    for root in real.roots.tolist():
        vm.load_cr3(root)
        every |= set(tables())
    assert (len(real.roots), len(every), len(real.gfns), len(current)) == (7, 155, 155, 110)
    vm = real.vm()
    for gva in real.tlb_gva.tolist():
        vm.access(gva)
    shadowed = {page.gfn for page in vm.pool.active if not page.metaphysical}
    assert {gfn for gfn, table in current.items() if table.any()} == shadowed and len(shadowed) == 46
    kinds = Counter((page.metaphysical, page.level) for page in vm.pool.active)
    assert kinds[True, 2] == 4 and kinds[True, 1] == 57 and sum(kinds.values()) == 46 + 4 + 57


@pytest.mark.parametrize("links", range(1, 16))
def test_the_form_of_chains(links):
    """One parent is kept directly; later ones go into the first chain with room, or into a new one in front."""
    case = lesson.chained(3, links)
    assert isinstance(case.page.parents, int) == (links == 1)
    numbers = list(range(1, links + 1))
    assert case.chains() == lesson.slices(numbers)[::-1]
    assert [spte & 511 for spte in case.made] == list(range(case.made[0] & 511, (case.made[0] & 511) + links))


def test_a_later_chain_is_used_when_the_first_is_full():
    """What lesson 8 says of a first chain without room, and of the last chain of a page."""
    case = lesson.chained(22, 10)
    case.unlink(3)
    case.link()
    assert case.chains() == [[6, 7, 8, 9, 10], [1, 2, 4, 5, 11]]
    two = lesson.chained(22, 2)
    page = two.page
    two.unlink(1)
    two.unlink(2)
    assert page.parents is None


@pytest.mark.parametrize("count, gone, left", [(6, 6, [[1, 2, 3, 4, 5]]), (2, 1, [[2]]), (1, 1, [])])
def test_what_the_reader_may_change(count, gone, left):
    case = lesson.chained(6, count)
    page = case.page
    case.unlink(gone)
    assert case.chains() == left
    assert isinstance(page.parents, list) == (count > 1), "the last parent stays in its chain"


def test_the_questions_differ_with_the_seed():
    assert {lesson.count_of(seed) for seed in range(40)} == {7, 8, 9, 12}
    assert {lesson.eleven_links(seed).gone for seed in range(40)} == {2, 3, 7, 8}
    assert {len(lesson.shared(seed).below) for seed in range(20)} == {2, 3}


def test_the_new_link_does_not_always_go_where_the_old_one_was():
    """In the check question about the order, either the chain that lost a parent or another one gets the new parent."""
    right = [lesson.order_after_removal(seed).measured().happened for seed in range(12)]
    assert {len(chains.split(" | ")[0].split()) for chains in right} == {3, 4, 5}


@pytest.mark.parametrize("seed", range(20))
def test_zapping_is_not_recursive(seed):
    case = lesson.shared(seed)
    page, vm = case.page, case.vm
    below = [vm.pool.lookup(case.guest.table(gva)) for gva in case.below]
    assert len({child.id for child in below}) == len(case.below)
    assert case.vm.unprotect(case.window)
    assert page in vm.pool.free and all(child in vm.pool.active for child in below)
    assert sorted(len(list(vm.parents.sptes(child))) for child in below) == [0] * (len(below) - 1) + [1]
    assert vm.audit() == []


def test_a_live_root_stays_and_is_refilled():
    case = lesson.shared(6)
    vm = case.vm
    root = vm.pool.lookup(case.guest.root)
    assert vm.unprotect(case.top) and root in vm.pool.bucket(root.gfn)
    assert next(reversed(vm.pool.active)) is root, "at the head of the active list"
    used = len(vm.pool.active)
    assert vm.access(case.common, user=True).faults == 1 and len(vm.pool.active) == used


def test_each_read_after_the_zap_makes_a_link():
    """The first fault makes two: the link to the new page, and its link to a page below."""
    case = lesson.shared(22)
    vm = case.vm
    assert vm.unprotect(case.window)
    links = [_links(vm)]
    for gva in case.below:
        assert vm.access(gva, user=True).faults == 1
        links.append(_links(vm))
    assert [now - before for before, now in pairwise(links)] == [2, 1, 1]


def _links(vm):
    return sum(len(list(vm.parents.sptes(page))) for page in vm.pool.active)


@pytest.mark.slow
def test_the_page_with_512_parents_is_in_the_fixup_stacks():
    real = open_guest("lin64_A")
    vm = real.vm()
    for gva in real.tlb_gva.tolist():
        vm.access(gva)
    page = lesson.parent_census(vm).most
    gvas = [gva for gva in real.tlb_gva.tolist() if 0xFFFFFF0000000000 <= gva <= 0xFFFFFF7FFFFFFFFF]
    path = {step.number for gva in gvas for step in _shadow_steps(vm, gva)}
    assert page.id in path and len(list(vm.parents.sptes(page))) == 512 and len(page.parents) == 103
    counts = [len(list(vm.parents.sptes(one))) for one in vm.pool.active]
    assert counts.count(0) == 5 and sum(one.root_count for one in vm.pool.active) == 1
    old = [one for one in vm.pool.active if one.glevels == 0]
    assert len(old) == 4 and not any(one.root_count or list(vm.parents.sptes(one)) for one in old)


def test_a_program_that_writes_to_another_table_gets_its_write():
    """What fix_write_pf does when no live root keeps it in its loop: the page is zapped, and the spte gets W."""
    guest = Builder("64")
    guest.map(0x1000)
    guest.map(1 << 30)
    table = guest.table(1 << 30)
    guest.map(0x2000, table)
    vm = guest.start()
    for gva in (0x1000, 1 << 30):
        vm.access(gva, user=True)
    assert vm.pool.lookup(table)
    assert vm.access(0x2000, user=True, write=True).outcome == "ok" and vm.pool.lookup(table) is None and vm.audit() == []


def _shadow_steps(vm, gva):
    from kvmmmu_lab.inspect.paths import shadow_path

    return shadow_path(vm, gva).steps


def test_no_audit_complains_about_the_hang():
    assert exhibit("user_write_root64").run().silent
    assert exhibit("user_write_root64").run(fixed=True).silent


@pytest.mark.parametrize("seed", SEEDS)
def test_what_becomes_of_the_last_parent(seed):
    """What the text after "Change it and watch again" says."""
    cases = {links: lesson.chained(seed, links) for links in (6, 2, 1)}
    for links, gone in ((6, 6), (2, 1), (1, 1)):
        cases[links].unlink(gone)
    assert [len(cases[links].page.parents or []) for links in (6, 2)] == [1, 1]
    assert cases[2].chains() == [[2]] and not isinstance(cases[2].page.parents, int)
    assert not cases[1].page.parents
