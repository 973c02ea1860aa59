# SPDX-License-Identifier: GPL-2.0-only
"""Each exhibit plays, with and without its fix: what happens, what the audits say, and what the golden traces recorded."""

import pytest

from kvmmmu_lab import HostCrash, InputError, Vm
from kvmmmu_lab.data import golden_trace
from kvmmmu_lab.mmu.audit import undone
from kvmmmu_lab.museum import exhibit, exhibits
from kvmmmu_lab.museum.symptom import CRASH, LOOP, RIGHT, WORK, WRONG
from kvmmmu_lab.verify.golden import read_scenarios
from kvmmmu_lab.verify.operations import apply

from ..share import one_in

EXPECTED = {
    "user_write_root64": (LOOP, "", 8, "mmu.c:671-696; paging_tmpl.h:307", "zapping leaves the live root"),
    "user_write_root32": (LOOP, "", 8, "mmu.c:671-696; paging_tmpl.h:307", "zapping leaves the live root"),
    "user_write_rootpae": (LOOP, "", 8, "mmu.c:671-696; paging_tmpl.h:307", "zapping leaves the live root"),
    "user_write_own_pt": (CRASH, "", 8, "mmu.c:771-813; paging_tmpl.h:307", "mmu.c:780: spte #252:0 (level 2) is a leftover"),
    "wp0_read_fix_rmap_leak": (WRONG, "rmap", 6, "mmu.c:1009-1024", "the host's records are wrong"),
    "wp0_rmap_leak_then_pt_BUG": (CRASH, "rmap", 6, "mmu.c:430-433, 1009-1024", "(BUG) in rmap_write_protect, mmu.c:430-433"),
    "pool_exhaust_reset_oops": (CRASH, "", 13, "mmu.c:845-886, 1108-1119", "(oops) in mmu_alloc_roots, mmu.c:881"),
    "pdpte_outside_ram_BUG": (CRASH, "", 12, "mmu.c:420, 845-886", "(BUG) in rmap_write_protect, mmu.c:420"),
    "cr3_outside_ram_sregs_BUG": (CRASH, "", 12, "mmu.c:420, 845-886", "(BUG) in rmap_write_protect, mmu.c:420"),
    "cr3_gp_but_kept_BUG": (CRASH, "", 12, "mmu.c:420, 845-886", "(BUG) in rmap_write_protect, mmu.c:420"),
    "pae_cr3_outside_ram_oops": (CRASH, "", 12, "kvm_main.c", "(oops) in load_pdptrs"),
    "slot_delete_use_after_free": (WRONG, "rmap map", 14, "mmu.c:1108-1119, 1344-1359", "no longer belongs to the guest"),
    "slot_move_stale": (WRONG, "map", 1, "mmu.c:1108-1119, 1344-1359", "reaches gpa 0x800000; the guest's tables map 0x400000"),
    "slot_add_stale_mmio": (WORK, "", 14, "mmu.c:954-1000, 1108-1119", "is emulated, although there is memory at gpa 0x900000"),
    "shared_pt_escalation": (WRONG, "", 5, "mmu.c:602-611; paging_tmpl.h:224", "user write at 0x201000 is granted"),
    "shared_pt_supervisor_escalation": (WRONG, "", 5, "mmu.c:602-611; paging_tmpl.h:224", "user read at 0x201000 is granted"),
    "shared_pt_livelock": (LOOP, "", 3, "mmu.c:602-611; paging_tmpl.h:224, 307, 392", "it is cut after 8 faults"),
    "large_upper_level_ro": (WRONG, "", 11, "mmu.c:602-611; paging_tmpl.h:224", "user write at 0x40000000 is granted"),
    "nx_in_pde_ignored": (WRONG, "", 4, "mmu.c:954-1000; paging_tmpl.h:195, 224", "kernel fetch at 0x1000 is granted"),
    "large_nx_set_ignored": (WRONG, "", 11, "mmu.c:602-611; paging_tmpl.h:224", "kernel fetch at 0x0 is granted"),
    "nx_bit63_without_nxe": (LOOP, "", 4, "mmu.c:954-1000; paging_tmpl.h:195, 392", "it is cut after 8 faults"),
    "wp0_to_wp1_stale_write": (WRONG, "", 4, "mmu.c:602-611, 1108-1119", "kernel write at 0x1000 is granted"),
    "cr4_pse_toggle_stale": (WRONG, "map", 12, "mmu.c:602-611, 1108-1119", "reaches gpa 0x400000"),
    "efer_nx_toggle_stale": (WRONG, "", 2, "mmu.c:602-611, 1108-1119", "kernel fetch at 0x1000 is granted"),
    "nonpaging_writes_shadowed_pt": (WRONG, "wp map", 9, "mmu.c:769-813, 893-914", "kernel read at 0x1000 reaches gpa 0x11000"),
    "pse36_frame_mismatch": (WRONG, "map", 11, "mmu.c:88-90, 176; paging_tmpl.h:72, 205", "translates 0x0 to gpa 0x400000"),
    "large_dirty_cleared_lost": (WRONG, "", 11, "mmu.c:602-611; paging_tmpl.h:224, 307", "doesn't set the dirty bit"),
    "user_write_own_pd": (LOOP, "", 8, "paging_tmpl.h:307, 392", "it is cut after 8 faults"),
    "quadrant_overzap": (WORK, "", 10, "mmu.c:1188-1209", "2, where 1 would do"),
    "quadrant_overzap_pd": (WORK, "", 10, "mmu.c:1188-1209", "4, where 1 would do"),
    "flood_counts_forever": (WORK, "", 10, "mmu.c:1140-1164", "1, where 0 would do"),
    "set_cr4_gp_falls_through": (WRONG, "", 12, "kvm_main.c", "CR4 is now 0x20"),
    "same_page_many_roles": (RIGHT, "", 8, "mmu.c:671-696, 698-718", "zapped: 4"),
    "audit_nonpaging_2g": (RIGHT, "", 14, "mmu.c:1401-1444", "as the guest's tables say"),
    "large_one_frame_two_rights": (RIGHT, "", 5, "mmu.c:602-611; paging_tmpl.h:224", "as the guest's tables say"),
    "pool_exhaust_cr3_refills": (RIGHT, "", 13, "mmu.c:943-952", "as the guest's tables say"),
}
"""For each exhibit: the kind of its outcome, the audits that complain, its lesson, its kernel lines, words of the outcome."""

FIXED_BY = {
    "pool_exhaust_reset_oops": "17c3ba9d37db",
    "slot_delete_use_after_free": "34d4cb8fca1f",
    "large_nx_set_ignored": "d55e2cb2",
    "efer_nx_toggle_stale": "9645bb56b31a",
    "wp0_to_wp1_stale_write": "3dbe141595fa",
    "quadrant_overzap": "fce0657ff9f1",
    "quadrant_overzap_pd": "fce0657ff9f1",
    "flood_counts_forever": "a25f7e1f",
}
"""The commits that were traced."""

ALL = [one.name for one in exhibits()]
FIXED = [one.name for one in exhibits() if one.fix]


def test_every_fault_has_an_exhibit():
    assert set(ALL) == EXPECTED.keys()
    assert {one.name for one in exhibits() if not one.fix} == {one.name for one in exhibits("look-alikes")}
    assert {one.name: one.fixed_by for one in exhibits() if one.fixed_by} == FIXED_BY


@pytest.mark.parametrize("name", ALL)
def test_what_happens_and_what_the_audits_say(name):
    kind, audits, lesson, lines, words = EXPECTED[name]
    one = exhibit(name)
    run = one.run()
    assert (run.outcome.kind, " ".join(run.audits), one.lesson, one.lines) == (kind, audits, lesson, lines)
    assert words in run.outcome.words and run.silent == (not audits)
    assert (run.vm.dead is not None) == (kind == CRASH or "hang" in str(run.vm.dead))


@pytest.mark.parametrize("name", FIXED)
def test_with_its_fix_everything_is_right_and_the_audits_are_silent(name):
    run = exhibit(name).run(fixed=True)
    assert run.outcome.kind == RIGHT and run.silent and run.vm.dead is None
    assert "as the guest's tables say" in run.outcome.words


@pytest.mark.parametrize("name", one_in(2, ALL))
def test_the_film_ends_where_the_run_ends(name):
    one = exhibit(name)
    film = one.film()
    assert len(film.steps) > 1 and isinstance(film.error, HostCrash) == (one.run().vm.dead is not None)
    card = film.data["card"]
    assert card is None or not card["title"].endswith("."), "the player adds the full stop"
    if one.fix:
        assert one.film(fixed=True).error is None


@pytest.mark.parametrize("name", ALL)
def test_the_card(name):
    one = exhibit(name)
    assert "yield " in one.code and one.code.splitlines()[0].startswith(("guest =", "vm =")) and '"""' not in one.code
    assert len(one.code.splitlines()) <= 15 and len(one.about) > 50
    bundle = one._repr_mimebundle_()
    for text in (one.name, one.title, one.lines, one.source):
        assert text in bundle["text/plain"]
    assert one.title in bundle["text/html"].replace("&#x27;", "'") and bundle["text/html"].count("<pre") == 1 + bool(one.fix)
    if one.fix:
        assert all(f"def {part.__name__}(" in one.fix_code for part in one.fix.values())
        assert len(one.fix_code.splitlines()) <= 24


def test_a_card_leads_to_its_lesson():
    assert '<a href="13_pool.ipynb">13</a>' in exhibit("pool_exhaust_reset_oops").html
    assert all(one.html.count("<a href=") == 1 for one in exhibits("look-alikes"))


def test_a_card_without_the_course_has_the_number_of_its_lesson(monkeypatch, tmp_path):
    monkeypatch.setattr("kvmmmu_lab.workspace.PACKAGE", tmp_path / "kvmmmu_lab")
    card = exhibit("pool_exhaust_reset_oops").html
    assert "<a href=" not in card and ">13</td>" in card


def test_a_fix_shows_the_functions_that_it_calls():
    code = exhibit("shared_pt_escalation").fix_code
    assert code.index("def inherited_access(") < code.index("def granted_above(")
    assert exhibit("shared_pt_escalation").call == "Vm(table_access=inherited_access)"


def test_a_look_alike_needs_no_fix():
    one = exhibit("audit_nonpaging_2g")
    assert "Nothing has to be fixed" in str(one) and "Why it is right: the loop variable is unsigned" in str(one)
    with pytest.raises(InputError, match="audit_nonpaging_2g has no fix"):
        one.run(fixed=True)
    with pytest.raises(InputError, match="audit_nonpaging_2g has no fix"):
        one.film(fixed=True)


def test_exhibits_are_found_by_name_and_by_group():
    assert len(exhibits("look-alikes")) == 4
    with pytest.raises(InputError, match=r"name is \[\]"):
        exhibit([])
    with pytest.raises(InputError, match="name is 'x'; expected the name of an exhibit"):
        exhibit("x")
    with pytest.raises(InputError, match="one of crashes, permissions, livelocks, look-alikes"):
        exhibits("x")


def test_the_headings_of_a_table_fit_its_exhibits():
    assert "| What goes wrong | Audits | Fixed by, or why it is right |" in exhibits().markdown
    assert "| What goes wrong | Audits | Fixed by |" in exhibits("crashes").markdown
    assert "| What looks wrong | Audits | Why it is right |" in exhibits("look-alikes").markdown


def test_the_table_lists_all():
    bundle = exhibits()._repr_mimebundle_()
    for name in ALL:
        assert name in bundle["text/plain"] and f"| `{name}` | {exhibit(name).title} |" in bundle["text/markdown"]
    assert bundle["text/markdown"].count("\n") == len(ALL) + 1 and "| [6](06_reverse_maps.ipynb) |" in bundle["text/markdown"]


def test_the_faults_that_no_audit_notices_are_about_rights_a_dirty_bit_and_a_register():
    """The page of the museum says so."""
    wrong = [one for one in exhibits() if one.run().outcome.kind == WRONG]
    *rights, dirty, register = [one for one in wrong if one.run().silent]
    assert all("is granted, although the guest's tables say" in one.run().outcome.words for one in rights) and len(rights) > 5
    assert (dirty.name, register.name) == ("large_dirty_cleared_lost", "set_cr4_gp_falls_through")


# The golden traces

RECORDED = {header["name"]: (header, [line for line in lines if line["t"] == "op"])
            for header, lines in read_scenarios(golden_trace("directed"))}  # fmt: skip
SCENARIO = {"user_write_own_pt": "user_write_own_pt_one_fault_then_nonpaging"}
DIVERGENCES = {"perm": WRONG, "frame": WRONG, "livelock": LOOP, None: None}


def test_most_exhibits_are_recorded():
    assert len([name for name in ALL if SCENARIO.get(name, name) in RECORDED]) == 18


@pytest.mark.parametrize("name", [name for name in ALL if SCENARIO.get(name, name) in RECORDED])
def test_an_exhibit_has_the_outcome_that_the_kernel_had(name):
    header, ops = RECORDED[SCENARIO.get(name, name)]
    run = exhibit(name).run()
    crash = header.get("crash")
    if crash is not None:
        error = run.outcome.words
        assert run.outcome.kind == (LOOP if crash["kind"] == "hang" else CRASH)
        assert crash["kind"] == "hang" or f"({crash['kind']}) in {crash['fn']}" in error
    kinds = {DIVERGENCES[line["r"].get("div")] for line in ops} - {None}
    if kinds and crash is None:
        assert {run.outcome.kind} == kinds
    said = {message[0] for line in ops for message in line["r"].get("audit", {"m": []})["m"]}
    assert said == set(run.audits)


@pytest.mark.parametrize("name", [name for name in FIXED if SCENARIO.get(name, name) in RECORDED])
def test_with_the_fix_the_recorded_operations_end_well(name):
    """The operations of the recorded scenario, on a VM with the fix: no crash, no endless fault, no complaint."""
    _, ops = RECORDED[SCENARIO.get(name, name)]
    create, *others = [line["op"] for line in ops]
    vm = Vm([(base, npages, bool(log)) for base, npages, log in create["slots"]], **exhibit(name).fix)
    for op in others:
        got = {}
        if op["op"] != "destroy":
            apply(vm, op, got)
            assert got.get("out") not in ("stuck", "escape") and not undone(vm)
