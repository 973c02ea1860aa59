# SPDX-License-Identifier: GPL-2.0-only
"""The rmap lab: its map (compared with lists that the test keeps), its predictions and reasons, and its form."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvmmmu_lab import InputError
from kvmmmu_lab.labs import rmap_lab
from kvmmmu_lab.labs.rmap_lab import MOST, NONE
from kvmmmu_lab.mmu.rmap import ReverseMap


@pytest.fixture
def lab():
    return rmap_lab()


def filled(count):
    lab = rmap_lab()
    for _ in range(count):
        lab.map()
    return lab


def test_it_grows_descriptor_by_descriptor(lab):
    lab.guess(1)
    assert lab.map().right is True and lab.places() == [["#248:1"]]
    assert "needs no descriptor" in str(lab.last)
    lab.guess(3)
    assert lab.map().right is False and "need a descriptor" in str(lab.last)
    for _ in range(3):
        lab.map()
    assert lab.places() == [["#248:1", "#248:2", "#248:3", "#248:4"], ["#248:5"]]
    assert "All descriptors were full" in str(lab.last)
    assert lab.last.film.result.outcome == "ok"


def test_a_hole_is_filled_by_the_last_of_the_same_descriptor():
    lab = filled(6)
    lab.guess(5, "#248:4")
    round_ = lab.unmap(1)
    assert round_.right is True and [row[1] for row in lab.places()] == ["#248:4", "#248:6"]
    lab.guess(4, "#248:6")
    assert lab.unmap(0).right is False  # #248:3 filled the hole
    assert "the order of the entries isn't kept" in str(lab.last)


def test_the_last_leaves_no_hole():
    lab = filled(5)
    lab.guess(filler=NONE)
    assert lab.unmap(4).right is True and "unlinked and freed" in str(lab.last)
    lab.guess(filler=NONE)
    assert lab.unmap(3).right is True and "no hole" in str(lab.last)
    lab.unmap(0)
    lab.unmap(0)
    assert lab.places() == [["#248:3"]]
    assert lab.unmap(0).outcomes[0].happened == 0 and "the map is empty now" in str(lab.last)


def test_read_only_mappings_arent_in_it(lab):
    lab.guess(0)
    assert lab.map(read_only=True).right is True
    assert "present and writable" in str(lab.last) and "(read-only)" in lab.state()
    round_ = lab.unmap(0)
    assert len(round_.outcomes) == 1 and "was not in the map" in str(round_)


def test_no_entry_can_write_a_page_table():
    lab = filled(5)
    lab.guess(0)
    assert lab.protect().right is True
    assert "5 entries lost W" in str(lab.last) and lab.places() == []
    assert lab.map().outcomes[0].happened == 0 and "shadowed page table now" in str(lab.last)
    lab.reset()
    assert lab.protect().reasons == ("The map was empty, so no entry had to lose W.",)


def test_films_have_titles(lab):
    titles = [lab.map().film.title, lab.map(read_only=True).film.title, lab.unmap(0).film.title, lab.protect().film.title]
    assert titles == [
        "Map the frame",
        "Map the frame once more, read-only",
        "Unmap 0x1000",
        "Make the frame a page table",
    ]
    assert lab.last.film.data["title"] == titles[-1]


def test_the_number_of_mappings_is_limited(lab):
    for _ in range(MOST):
        lab.map()
    with pytest.raises(InputError, match=r"^there are 14 mappings already; unmap one first$"):
        lab.map()
    assert len(lab.places()) == 4
    for wrong in (-1, MOST, "1"):
        with pytest.raises(InputError, match="mapping"):
            lab.unmap(wrong)


def test_a_guess_has_to_be_possible():
    lab = filled(2)
    lab.guess(1, "#248:2")
    for wrong in ({"count": MOST + 2}, {"count": "1"}, {"filler": "#248:9"}, {"count": 0, "filler": "me"}):
        with pytest.raises(InputError, match=list(wrong)[-1]):
            lab.guess(**wrong)
    assert (lab.count.answer, lab.filler.answer) == (1, "#248:2")
    lab.reset()
    assert lab.filler.choices == [NONE] and lab.filler.answer is None


def test_your_own_map_is_a_plain_list():
    class Mine(ReverseMap):
        pass

    lab = rmap_lab(rmap=Mine)
    for _ in range(6):
        lab.map()
    assert [len(row) for row in lab.places()] == [6]
    assert lab.protect().outcomes[0].happened == 0


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["map", "map", "map", "read only", "unmap", "unmap", "protect", "reset"])), st.data())
def test_any_order(actions, data):
    lab, writable, protected = rmap_lab(), set(), False
    for action in actions[:12]:
        if action == "map" and len(lab.mapped) < MOST:
            lab.map()
            if not protected:
                writable.add(lab.entry(lab.mapped[-1]))
        elif action == "read only" and len(lab.mapped) < MOST:
            lab.map(read_only=True)
        elif action == "unmap" and lab.mapped:
            number = data.draw(st.integers(0, len(lab.mapped) - 1))
            writable.discard(lab.entry(lab.mapped[number]))
            lab.unmap(number)
        elif action == "protect":
            lab.protect()
            writable, protected = set(), True
        elif action == "reset":
            lab.reset()
            writable, protected = set(), False
        assert {name for row in lab.places() for name in row} == writable
        assert lab.state() and (lab.last is None or lab.last.error is None)


def test_the_form():
    pytest.importorskip("ipywidgets")
    form = rmap_lab().form
    assert form.unmap.disabled and "mappings of it" in form.state.value
    assert form.which.disabled and form.which.label == "(none yet)"
    assert form.filler.layout.display == "none", "no hole without an unmap"
    form.count.value = 1
    form.map.click()
    assert "✓" in form.status.value and not form.unmap.disabled and len(form.stage.children) == 1
    form.view.value = "now"
    assert form.picture.value
    for _ in range(3):
        form.map.click()
    form.which.index = 1
    assert "#248:4" in dict(form.filler.options)
    assert not form.which.disabled and form.filler.layout.display == ""
    form.filler.value = "#248:4"
    form.unmap.click()
    assert "✓" in form.status.value and "#248:4, fills the hole" in form.status.value
    form.map_ro.click()
    form.protect.click()
    assert "lost W" in form.status.value
    form.reset.click()
    assert not form.status.value and not form.stage.children and form.unmap.disabled
    form.close()
