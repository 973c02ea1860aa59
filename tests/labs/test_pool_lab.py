# SPDX-License-Identifier: GPL-2.0-only
"""The pool lab: pages are evicted first in, first out, even if they are touched again; and its form."""

import pytest

from kvmmmu_lab import InputError
from kvmmmu_lab.labs import pool_lab
from kvmmmu_lab.labs.pool_lab import NEWEST, NONE, OLDEST, UNUSED


@pytest.fixture
def full():
    """Return a lab in which the next new region evicts pages."""
    lab = pool_lab()
    while len(lab.vm.pool.free) >= 5:
        lab.touch() if len(lab.vm.pool.free) < 8 else lab.touch(len(lab.vm.pool.free) - 6)
    return lab


def test_a_touch_takes_one_page_and_sometimes_more():
    lab = pool_lab()
    assert len(lab.vm.pool.free) == 251
    lab.guess(NONE, 0)
    assert lab.touch().right is True
    assert len(lab.vm.pool.free) == 248
    lab.touch()
    assert len(lab.vm.pool.free) == 247
    assert "247 of 256 shadow pages are free" in lab.state()


def test_the_oldest_21_pages_are_evicted(full):
    full.guess(OLDEST, 21)
    round_ = full.touch()
    assert round_.right is True
    assert "fewer than 5" in str(round_) and "The root in use was also at the tail" in str(round_)
    assert "level 3, level 2" in str(round_)
    assert any(step.function == "kvm_mmu_zap_page" for step in round_.film.steps)


def test_touching_again_saves_no_page(full):
    full.guess(NONE, 0)
    again = full.again(0)
    assert again.right is True and "in FIFO order (first in, first out), not in LRU order" in str(again)
    full.guess(UNUSED)
    round_ = full.touch()
    assert round_.right is False
    assert "LRU would have started with region 1. Region 0 was touched again, but that didn't save it." in str(round_)
    assert full.again(0).film.result.faults == 1


def test_without_another_touch_lru_would_start_there_too(full):
    full.guess(NEWEST, 25)
    round_ = full.touch()
    assert [outcome.right for outcome in round_.outcomes] == [False, False]
    assert "LRU would have started with it, too" in str(round_)


def test_touching_many_stops_at_the_first_eviction():
    lab = pool_lab()
    lab.touch(200)
    assert lab.next == 200
    round_ = lab.touch(200)
    assert round_.outcomes[1].happened == 21 and lab.next < 300
    assert "regions were touched before this one" in round_.reasons[0]
    assert f"Stopped at the first eviction, after {lab.next - 200} regions of 200" in round_.reasons[1]
    assert round_.film.title == f"Touch region {lab.next - 1}"
    assert "Stopped" not in str(lab.touch(2))


def test_no_note_suggests_an_argument():
    lab = pool_lab()
    film = lab.touch(20).film
    assert "limit=" not in lab.picture() + str(film)
    assert "lists are folded in the middle" in film.steps[-1].scene.notes


def test_the_use_of_each_page():
    lab = pool_lab()
    lab.touch(2)
    assert [lab.use(page).name for page in lab.queue()] == [
        *["from before paging"] * 4, "root, L4", "level 3", "level 2", "region 0 (gfn 0x14)", "region 1 (gfn 0x15)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        lambda lab: lab.touch(0),
        lambda lab: lab.touch(257),
        lambda lab: lab.again(5),
        lambda lab: lab.guess("me"),
        lambda lab: lab.guess(OLDEST, 7),
    ],
)
def test_bad_input(wrong):
    lab = pool_lab()
    lab.touch()
    with pytest.raises(InputError):
        wrong(lab)
    assert lab.next == 1 and lab.first.answer is None


def test_a_new_guest_has_no_guesses():
    lab = pool_lab()
    lab.touch()
    lab.guess(OLDEST, 22)
    lab.reset()
    assert (lab.next, lab.touched, lab.rounds) == (0, [], []) and lab.first.answer is None and lab.evicted.answer is None


def test_all_regions_can_be_touched():
    lab = pool_lab()
    with pytest.raises(InputError, match="left"):
        for _ in range(700):
            lab.touch(100)
    assert lab.next > 500 and lab.last.error is None


def test_the_form():
    pytest.importorskip("ipywidgets")
    form = pool_lab().form
    form.evicted.value = 0
    form.next.click()
    assert "✓" in form.status.value and len(form.stage.children) == 1 and not form.picture.value
    form.view.value = "now"
    assert form.picture.value and form.stage.layout.display == "none"
    form.count.value = 250
    form.many.click()
    assert "fewer than 5" in form.status.value
    form.region.value = 0
    form.old.click()
    assert "it was" in form.status.value
    form.region.value = 555
    form.old.click()
    assert "touched before" in form.regions.message.value and not form.counts.message.value
    form.region.value = 5
    assert not form.regions.message.value
    form.count.value = 300
    form.many.click()
    assert form.count.value == 300 and "Expected 1 to 256 regions" in form.counts.message.value
    form.reset.click()
    assert form.lab.next == 0 and not form.stage.children
    form.close()
