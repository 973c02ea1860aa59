# SPDX-License-Identifier: GPL-2.0-only
"""Observations: each difference is explained in a sentence, whatever data a worker sends."""

import pytest

from kvmmmu_lab.check.compare import Transcript, first_difference
from kvmmmu_lab.check.observe import OBSERVATIONS, Difference, observations
from kvmmmu_lab.check.testbench import Bench
from kvmmmu_lab.errors import InputError
from kvmmmu_lab.exercises import play
from kvmmmu_lab.inspect.dump import FIRST_REF

REF = 7 << 9 | 12
MAP = "the reverse map of gfn 0x1f"
MAPPED = play(("map", "7:12", 0x1F, "PW"), mode="64", root=0x10, slots=((0, 0x100, True),))
GARBAGE = (None, 5, -1, "\x1b[2J", [], {}, [[]], [5], [[None, [None]]], [["a", {}]], {"error": []}, [[1, [[2, "x"]]], None])


def seen(*looks):
    """Return what is observed after the kit's own parts have made an entry."""
    bench = Bench(MAPPED, {}, {})
    bench.do(MAPPED.steps[0])
    return bench.see(looks)


@pytest.mark.parametrize(
    ("name", "expected", "got", "before", "words"),
    [
        ("rmap", [[0x1F, [REF]]], [], None, f"{MAP} lacks spte #7:12, which can write it; the map is empty"),
        ("rmap", [[0x1F, [REF]]], [], [[0x1F, [REF]]], f"{MAP} has lost spte #7:12, which can write it; the map is empty"),
        ("rmap", [[0x1F, [REF, REF + 1]]], [[0x1F, [REF]]], None,
         f"{MAP} lacks spte #7:13, which can write it; the map has 1 of 2 entries"),
        ("rmap", [[0x1F, [REF]]], [[0x1F, [REF + 1]]], None,
         f"{MAP} lacks spte #7:12, which can write it; the map contains #7:13 instead"),
        ("rmap", [[0x1F, [REF]]], [[0x1F, [0x21F003 - FIRST_REF]]], None,
         f"{MAP} lacks spte #7:12, which can write it; instead, the map contains 0x21f003, which is not an spte; is it the "
         "value of an entry?"),
        ("rmap", 2396407222, 1994651246, None,
         "after step 1, the reverse maps differ from those of a correct solution; only digests were compared"),
        ("frames", [0x1F, 0x20], [0x20], None, "frames() lacks the hfn of gfn 0x1f and returns 1 of 2 frames"),
        ("rmap", [[0x1F, [REF]]], [[0x1F, [REF, REF]]], None, "the reverse map of gfn 0x1f has spte #7:12 twice"),
        ("rmap", [], [[-0x21F, [REF]]], None, "the reverse map of hfn 0x21f has spte #7:12, which can't write it"),
        ("frames", [0x1F], [], None, "frames() lacks the hfn of gfn 0x1f and returns nothing"),
        ("parents", [[5, [REF]]], [[5, []]], [[5, [REF]]], "page #5 has lost its parent #7:12"),
        ("sptes", [[7, [[12, 5, "g", 31]]]], [], None, "shadow entry #7:12 is empty; it should be present, user, to gfn 0x1f"),
        ("flushes", 0, 2, None, "the TLB is flushed twice; it should not be flushed"),
        ("order", ["TLB flush", "W cleared"], [], None, "the order is nothing at all; it should be TLB flush, W cleared"),
        ("result", {"error": 4}, {"error": None}, None, "it returns no error instead of error 4 (user)"),
        ("result", None, "remove(#7:12) changes the entry", None, "remove(#7:12) changes the entry"),
        ("result", ["rmap #7:12"], [], None, "it doesn't report rmap #7:12"),
        ("first", [], [[5, 9]], None, "first(page #5) returns 0x9; it should return None, because the page has no parent"),
    ],
)  # fmt: skip
def test_a_difference_is_a_sentence(name, expected, got, before, words):
    assert Difference(0, OBSERVATIONS[name], expected, got, before).sentence == words


@pytest.mark.parametrize("name", OBSERVATIONS)
@pytest.mark.parametrize("got", GARBAGE, ids=repr)
def test_anything_from_a_worker_is_explained_without_control_characters(name, got):
    expected = seen(*({name, "result"} - {"caused"}))[name] if name not in ("form", "chains") else [[[0x1F, REF]], 20]
    difference = Difference(0, OBSERVATIONS[name], expected, got, before=expected, seen={"sptes": got})
    assert "\x1b" not in difference.sentence
    assert "\x1b" not in str(difference.listings())


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_each_kind_says_what_it_is_and_lists_what_it_sees(name):
    observation = OBSERVATIONS[name]
    assert type(observation).__doc__.count("\n") <= 4
    value = seen("result", name)[name]
    assert observation.listing(value) is None or all(isinstance(line, str) for line in observation.listing(value))


def test_what_a_step_causes_is_observed_with_its_result():
    assert [one.name for one in observations(("result",))] == ["result", "caused"]
    with pytest.raises(InputError, match="one of rmap"):
        observations(("colour",))


def test_other_shadow_pages_are_reported_before_what_follows_from_them():
    right, mine = Transcript(), Transcript()
    right.add({"rmap": [], "pages": [[250, 0x13, 0x14, 0, 0]]})
    mine.add({"rmap": [[0x1F, [REF]]], "pages": []})
    difference = first_difference(right, mine, ("rmap", "pages"))
    page = "shadow page #250 (level 1, for the guest's table in gfn 0x13)"
    assert difference.sentence == f"{page} was zapped; it should still be in use"
