# SPDX-License-Identifier: GPL-2.0-only
"""The lab of the museum, with and without widgets, and your own fixes."""

import pytest

from kvmmmu_lab import InputError
from kvmmmu_lab.labs.lab import PartError
from kvmmmu_lab.mmu.bits import USER
from kvmmmu_lab.mmu.events import FIX_READ
from kvmmmu_lab.mmu.spte import fix_read
from kvmmmu_lab.museum import exhibit, exhibits, museum_lab
from kvmmmu_lab.museum.museum_lab import COMPLAINTS
from kvmmmu_lab.museum.symptom import SYMPTOMS

from ..labs.test_lab import alive, everything, without_ipywidgets


def test_a_round_compares_the_predictions_with_what_happened():
    lab = museum_lab("slot_move_stale")
    lab.guess("wrong", "none")
    round_ = lab.go()
    assert [outcome.right for outcome in round_.outcomes] == [True, False]
    assert "reaches gpa 0x800000" in str(round_) and "it was: map: mappings" in round_.html
    assert round_.film.steps and "slot_move_stale, with the code of 2007" in str(round_)
    lab.choose("slot_move_stale", "fixed")
    lab.guess("right", "none")
    assert lab.go().right is True and "def zap_before_change" in lab.picture()


def test_every_outcome_and_every_set_of_audits_is_a_choice():
    for one in exhibits():
        run = one.run()
        assert run.outcome.kind in SYMPTOMS and (" ".join(run.audits) or "none") in COMPLAINTS


def test_what_is_chosen_can_be_taken_back():
    lab = museum_lab()
    lab.choose("quadrant_overzap", "fixed")
    lab.choose("audit_nonpaging_2g")
    lab.undo()
    assert lab.choices() == ("quadrant_overzap", "fixed")
    lab.undo()
    assert lab.choices() == (exhibits()[0].name, "2007") and not lab.can_undo
    lab.redo()
    assert lab.choices() == ("quadrant_overzap", "fixed")


def test_what_does_not_exist_is_refused():
    lab = museum_lab()
    for refused, words in [
        (lambda: lab.choose("x"), "the name of an exhibit"),
        (lambda: lab.choose("audit_nonpaging_2g", "fixed"), "code is 'fixed'; expected one of 2007"),
        (lambda: lab.guess("hang"), "one of crash, loop, wrong, work, right"),
        (lambda: lab.guess(audits="wp rmap"), "one of none, rmap"),
        (lambda: museum_lab("x"), "the name of an exhibit"),
        (lambda: museum_lab(fix=fix_read), "parts of a VM"),
        (lambda: exhibit("slot_move_stale").run(fix=fix_read), "parts of a VM"),
    ]:
        with pytest.raises(InputError, match=words):
            refused()
    assert lab.exhibit is exhibits()[0]


def test_without_ipywidgets_the_lab_shows_its_state(monkeypatch):
    without_ipywidgets(monkeypatch)
    lab = exhibit("shared_pt_escalation").lab()
    lab.go()
    bundle = lab._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert lab.state() in str(lab) and lab.exhibit.setting in lab.state() and lab.exhibit.title not in lab.state()


def test_the_form():
    pytest.importorskip("ipywidgets")
    museum_lab().form.close()
    before = alive()
    lab = museum_lab("shared_pt_livelock")
    form = lab.form
    form.code.value = "fixed"
    assert lab.code == "fixed"
    form.menu.value = "audit_nonpaging_2g"
    assert lab.choices() == ("audit_nonpaging_2g", "2007") and len(form.code.options) == 1
    assert lab.exhibit.setting in form.setting.value and "Vm([(0, 0x100)" in form.trigger.value
    form.go.click()
    assert "nothing goes wrong" in form.status.value and form.film is not None
    form.undo.click()
    assert (form.menu.value, form.code.value) == ("shared_pt_livelock", "fixed")
    for part in everything(form.box):
        if hasattr(part, "description") and type(part).__name__ not in ("HTML", "Play"):
            assert part.description or part.tooltip or getattr(part, "icon", "")
    form.close()
    assert alive() == before


# Your own fixes


def keep_writable(vm, spte):
    """The first attempt in the notebook: the reverse map is right, but user code may write a read-only page."""
    vm.memory.put(spte, vm.memory.words[spte] | USER, FIX_READ)


def test_a_fix_of_your_own():
    one = exhibit("wp0_read_fix_rmap_leak")
    run = one.run(fix_read=keep_writable)
    assert run.silent and run.outcome.kind == "right"
    assert run.vm.access(0x1000, user=True, write=True).outcome == "ok", "the page is read-only"
    lab = museum_lab(one.name, fix_read=keep_writable)
    assert lab.codes() == ["2007", "fixed", "yours"] and lab.code == "yours"
    assert lab.go().film.run.silent
    assert one.film(fix_read=keep_writable).title == f"{one.name} with your parts"


def test_an_error_in_your_own_fix_is_named():
    def broken(vm, spte):
        raise KeyError("x")

    lab = museum_lab("wp0_read_fix_rmap_leak", fix_read=broken)
    with pytest.raises(PartError, match="your fix_read raised KeyError"):
        lab.go()
