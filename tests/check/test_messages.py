# SPDX-License-Identifier: GPL-2.0-only
"""What a learner reads: each wrong solution here once led to a message that misled."""

import shlex
from pathlib import Path

import pytest

from kvmmmu_lab.check import judge
from kvmmmu_lab.check.console import command_line, show
from kvmmmu_lab.check.failure import Failure
from kvmmmu_lab.check.judge import Judge
from kvmmmu_lab.check.observe import OBSERVATIONS, Difference
from kvmmmu_lab.check.report import explained, same_failures
from kvmmmu_lab.check.sandbox.forkserver import ForkServer
from kvmmmu_lab.check.submission import Submission
from kvmmmu_lab.cli import main
from kvmmmu_lab.exercises import load

ROOT = Path(__file__).parents[2]
EXERCISES = {path.name[:2]: load(path) for path in (ROOT / "exercises").glob("[0-9][0-9]_*")}

RMAP = """
class ReverseMap:
    def __init__(self, vm):
        self.vm, self.maps = vm, {}
    def add(self, spte):
        entry = self.vm.memory.words[spte]
        if entry & 3 == 3:
            hfn = (entry >> 12) & ((1 << 40) - 1)
            self.maps.setdefault(hfn, []).append(spte)
    def sptes(self, hfn):
        return self.maps.get(hfn, [])
    def frames(self):
        return list(self.maps)
"""
PARENTS = """
class Parents:
    def __init__(self, vm):
        self.kept = {}
    def add(self, page, spte):
        self.kept.setdefault(page.id, []).append(spte)
    def remove(self, page, spte):
        self.kept[page.id].remove(spte)
    def sptes(self, page):
        return list(self.kept.get(page.id, []))
    def first(self, page):
        return next(iter(self.kept.get(page.id, [])), None)
"""
PARENTS = PARENTS.replace("class Parents", f"class {EXERCISES['07'].defines[0].partition('.')[0]}")


@pytest.fixture(scope="module")
def server():
    with ForkServer() as shared:
        yield shared


def said(server, number, source, rule=None):
    """What a learner reads about the first rule that fails, or about ``rule``, without line breaks."""
    exercise = EXERCISES[number]
    with Judge(exercise, Submission(source, "mine.py"), server) as judge:
        verdicts = (judge.rule(one) for one in exercise.rules if rule in (None, one.name))
        verdict = next(verdict for verdict in verdicts if verdict.failure)
    return " ".join(explained(verdict, exercise).split())


def changed(source, old, new):
    assert old in source, old
    return source.replace(old, new)


@pytest.mark.slow
def test_the_sources_of_this_file_are_right_but_for_the_mistake(server):
    assert Judge(EXERCISES["04"], Submission(RMAP, "mine.py"), server).report().passed
    assert Judge(EXERCISES["07"], Submission(PARENTS, "mine.py"), server).report().passed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return self.maps.get(hfn, [])", "yield from [int('spte') for _ in self.maps.get(hfn, [])]"),
        ("return list(self.maps)", "yield from map(int, 'spte' * bool(self.maps))"),
    ],
    ids=["sptes", "frames"],
)
def test_an_exception_in_a_generator_is_the_learners_own(old, new, server):
    words = said(server, "04", changed(RMAP, old, new))
    assert "your code raises ValueError in " in words and "invalid literal for int()" in words
    assert "it should return" not in words


def test_what_is_no_integer_is_shown(server):
    words = said(server, "04", changed(RMAP, "return self.maps.get(hfn, [])", "return map(str, self.maps.get(hfn, []))"))
    assert "sptes() returns ['134668 (spte #7:12)']; it should return integers, in a list or another iterable" in words


def test_a_gfn_taken_for_an_hfn_is_called_one(server):
    by_gfn = changed(RMAP, "(entry >> 12) & ((1 << 40) - 1)", "self.vm.memory.gfns[entry >> 12 & (1 << 40) - 1]")
    words = said(server, "04", by_gfn)
    assert "spte #7:12 is in the reverse map of hfn 0x1f (0x1f is a gfn; its hfn is 0x21f)" in words
    assert "it should be in that of hfn 0x21f (gfn 0x1f)" in words


def test_flags_in_the_frame_number(server):
    words = said(server, "04", changed(RMAP, "(entry >> 12) & ((1 << 40) - 1)", "entry"))
    assert "spte #7:12 is in the reverse map of hfn 0x21f003; it should be in that of hfn 0x21f (gfn 0x1f)" in words


def test_a_first_that_changes_the_chain(server):
    pops = changed(PARENTS, "next(iter(self.kept.get(page.id, [])), None)", "(self.kept.pop(page.id, None) or [None])[0]")
    words = said(server, "07", pops)
    assert "first(page #251) returns #255:1, which is right, but then sptes(page #251) no longer returns it" in words


def test_a_first_that_is_no_parent_any_more(server):
    stale = changed(PARENTS, "def first(self, page):\n        return next(iter(self.kept.get(page.id, [])), None)", (
        "def first(self, page):\n"
        "        self.firsts = getattr(self, 'firsts', {})\n"
        "        if not self.kept.get(page.id): return None\n"
        "        return self.firsts.setdefault(page.id, self.kept[page.id][0])"
    ))  # fmt: skip
    words = said(server, "07", stale)
    assert "first(page #251) returns #255:1, which is not a parent of this page" in words
    assert "it should return #255:2, its only parent" in words


def test_numbers_in_an_exception_are_named(server):
    words = said(server, "07", changed(PARENTS, "self.kept[page.id].remove(spte)", "del {}[page.id, spte]"))
    assert "KeyError" in words and "(251, 261633 (spte #255:1))" in words


def test_two_machines_that_are_mixed_up_are_told_from_one_that_is_wrong(server):
    resets = changed(PARENTS, "self.kept = {}", "type(self).kept = {}")
    words = said(server, "07", resets)
    assert "With one machine alone, the same steps go right: your code mixes up two machines" in words


def test_a_function_that_remembers_calls_is_not_told_of_machines(server):
    remembers = """
seen = {}

def split(gva, mode):
    shifts = {"64": (39, 30, 21, 12), "pae": (30, 21, 12), "32": (22, 12)}[mode]
    return seen.setdefault(gva, [gva >> shift & (1023 if mode == "32" else 511) for shift in shifts] + [gva & 4095])

def quadrant(gva, level):
    return 0
"""
    words = said(server, "01", remembers)
    assert "your code keeps state from earlier calls. A function must not store anything in a global variable" in words


def test_a_cache_that_runs_empty_is_the_reason_for_what_follows(server):
    takes = changed(RMAP, "if entry & 3", "for _ in range(entry & 3): self.vm.caches.rmap_desc.take()\n        if entry & 3")
    words = said(server, "04", takes, "engine")
    assert "the host crashes: BUG in mmu_memory_cache_alloc, because a cache in `vm.caches` is empty" in words


@pytest.mark.slow
def test_slow_and_endless_are_told_apart(server, monkeypatch):
    monkeypatch.setenv("KVMMMU_LAB_TIME", "0.3")
    words = said(server, "04", changed(RMAP, "if entry & 3", "while entry & 3 == 3: pass\n        if entry & 3"))
    assert "took too long and was stopped in add(), line" in words
    assert "0.3 s" in words and "KVMMMU_LAB_TIME=1.2 allows four times as much" in words
    assert "With 3 times as much it did not end either" in words
    words = said(server, "04", changed(RMAP, "if entry & 3", "__import__('time').sleep(0.6)\n        if entry & 3"))
    assert "it is slow, but not endless" in words


def test_code_that_was_stopped_because_the_computer_was_busy_is_judged_again(server, monkeypatch):
    runs, real = [], Judge._wrong

    def busy_at_first(self, *arguments, **options):
        found = real(self, *arguments, **options)
        runs.append(found)
        return Failure("", kind="timeout", error={"what": "the limit is 1 second"}) if len(runs) == 1 else found

    monkeypatch.setattr(Judge, "_wrong", busy_at_first)
    rule = EXERCISES["07"].rules[0]
    with Judge(EXERCISES["07"], Submission(PARENTS, "mine.py"), server) as busy:
        assert busy.rule(rule).points == rule.points
    assert runs[0] is runs[1] is None


def test_a_stranger_that_is_accepted_is_named(server):
    remove = "self.kept[page.id].remove(spte)"
    accepts = changed(PARENTS, remove, f"spte in self.kept[page.id] and {remove}")
    words = said(server, "07", accepts, "stranger")
    assert "your code raises no exception; it should, as the README says: " in words and "has no parent #255:" in words


def test_a_page_that_is_zapped_twice(server):
    source = (ROOT / "tests/exercises/08_pre_write/right/by_index.py").read_text("utf-8")
    words = said(server, "08", source.replace("zap_page(vm, page)", "zap_page(vm, page); zap_page(vm, page)"), "across")
    assert "the page is not in use. Perhaps it was zapped before" in words


def test_an_audit_that_changes_the_machine(server):
    source = (ROOT / "tests/exercises/10_audit/right/arrays.py").read_text("utf-8")
    source += "\n\nright = audit\n\n\ndef audit(vm):\n    found = right(vm)\n    for hfn in list(vm.rmap.frames()):\n"
    source += "        for spte in list(vm.rmap.sptes(hfn)):\n            vm.rmap.remove(spte)\n    return found\n"
    words = said(server, "10", source)
    assert "it changes the machine (rmap_remove). An audit should only read" in words


# Entries, reverse maps and parents

REF = 7 << 9 | 12
LEAF = [12, 7, "g", 0x1F]


def sentence(name, expected, got, before=None, wanted=None, seen=None):
    wanted, seen = {name: expected} | (wanted or {}), {name: got} | (seen or {})
    return Difference(1, OBSERVATIONS[name], expected, got, before, wanted, seen, hfn_of={0x1F: 0x21F}.get).sentence


def test_an_entry_that_was_emptied_wrongly_is_not_called_one_that_can_write():
    entries = {"sptes": [[7, [LEAF]]]}
    words = sentence("rmap", [[0x1F, [REF]]], [], [[0x1F, [REF]]], entries, {"sptes": [[7, []]]})
    assert words == "shadow entry #7:12 was emptied; it should still be present, writable, user, to gfn 0x1f"


def test_an_entry_that_was_emptied_instead_of_another():
    wanted, seen = {"sptes": [[7, [LEAF]]]}, {"sptes": [[7, [[13, *LEAF[1:]]]]]}
    words = sentence("rmap", [[0x1F, [REF]]], [[0x1F, [REF + 1]]], [[0x1F, [REF, REF + 1]]], wanted, seen)
    assert words.startswith("shadow entry #7:12 was emptied; it should still be")
    assert words.endswith("the entry to empty is #7:13")


def test_an_entry_that_should_have_been_zapped():
    words = sentence("rmap", [], [[0x1F, [REF]]], [[0x1F, [REF]]], {"sptes": []}, {"sptes": [[7, [LEAF]]]})
    assert words == (
        "spte #7:12 was not zapped: it still allows writes and is still in the reverse map of gfn 0x1f (hfn 0x21f)"
    )


def test_an_entry_that_was_emptied_but_not_removed():
    entries = {"sptes": [[7, [[13, *LEAF[1:]]]]]}
    words = sentence("rmap", [], [[0x1F, [REF]]], [[0x1F, [REF]]], entries, entries)
    assert words == "the reverse map of gfn 0x1f (hfn 0x21f) still has spte #7:12, which was emptied"


def test_a_root_that_was_not_zapped_is_named():
    root, other = [251, 0x10, 0x4, 1, 0], [250, 0x11, 0x4, 0, 0]
    words = sentence("pages", [root, other], [other, root])
    assert words.startswith("root shadow page #251 (") and "was not zapped; it should have been" in words
    assert "was zapped; it should not have been" in sentence("pages", [other, root], [root, other])


@pytest.mark.parametrize("name", [name for name in OBSERVATIONS if name != "result"])
def test_no_picture_has_columns_without_labels(name):
    """Every observation says what its values are; a result is labelled by the step."""
    values = {
        "door": [[7, True, 12, 0x21F001]], "guest": [[0x12, [[3, 0x1F007]]]], "dirty": [[0, [1, 2]]], "flushes": 2,
        "caused": [[[0x1000, 4]], 1, 0], "hash": [[0x13, [250, 251]]], "first": [[251, "a parent"]],
        "chains": [[[251, None]], 3],
        "form": [[[0x1F, REF]], 4], "free": [[250], 249], "rmap": [[0x1F, [REF]]], "parents": [[251, [REF]]], "frames": [0x1F],
        "order": ["TLB flush"], "sptes": [[7, [LEAF]]], "pages": [[251, 0x10, 4, 1, 0]],
        "mmu": [4, 4, 251, 250, 0, 0, 1, 2, 3, 4, []], "zaps": [251, 250],
    }  # fmt: skip
    lines = OBSERVATIONS[name].listing(values[name])
    assert lines and all(any(letter.isalpha() for letter in line) for line in lines)


# The console


@pytest.mark.slow
def test_the_command_for_all_failures_can_be_pasted(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "my solutions" / "it's mine.py"
    path.parent.mkdir()
    path.write_text(RMAP.replace(".append(spte)", ".insert(0, spte)").replace("[])", "[])[:1]"))
    main(["check", "04", str(path), "--seed", "3"])
    out = capsys.readouterr().out
    command = next(line for line in out.splitlines() if "--all" in line).partition(": ")[2]
    assert shlex.split(command) == ["kvmmmu-lab", "check", "rmap_add", str(path), "--seed", "3", "--all"]


def test_a_crash_in_every_rule_is_told_once_and_last(server, capsys):
    source = changed(RMAP, "entry = self.vm.memory.words[spte]", "entry = self.vm.memory.word[spte]")
    show(EXERCISES["04"], Submission(source, "mine.py"), every=True, server=server)
    out = capsys.readouterr().out
    assert out.count("your code raises AttributeError") == 1
    assert "other rules fail for the same reason" in out
    assert out.rindex("of 10 points") < out.index("your code raises AttributeError")


def test_of_all_failures_the_one_to_mend_first_stands_last(server, capsys):
    source = RMAP.replace("self.maps.get(hfn, [])", "self.maps.get(hfn, [])[:1]").replace("entry & 3 == 3", "entry & 1")
    report = show(EXERCISES["04"], Submission(source, "mine.py"), every=True, server=server)
    out = capsys.readouterr().out
    groups = same_failures(report)
    places = [out.rindex(f"Failed: {first.rule.says}") for first, *_ in groups]
    assert len(groups) > 1 and places == sorted(places, reverse=True)


@pytest.mark.slow
def test_a_note_on_limits_is_told_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("kvmmmu_lab.check.report.not_enforced", lambda no_wall: ["the weather"])
    (tmp_path / "mine.py").write_text(RMAP)
    for count in (1, 0):
        main(["check", "04", str(tmp_path / "mine.py")])
        assert capsys.readouterr().out.count("not enforced on this machine: the weather") == count


def test_a_command_line_quotes_what_has_to_be():
    assert command_line(["kvmmmu-lab", "check", "a b"]) == "kvmmmu-lab check 'a b'"


def test_the_limits_of_the_engine_are_longer_than_those_of_a_scenario():
    assert 1 < judge.ENGINE < judge.FULL
