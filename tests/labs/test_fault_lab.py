# SPDX-License-Identifier: GPL-2.0-only
"""The fault lab: tables built by hand, predictions, verdicts and reasons; and its form."""

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvmmmu_lab import InputError, Vm, open_guest
from kvmmmu_lab.draw.example import guest_with_its_own_table_mapped
from kvmmmu_lab.inspect.refusal import Request
from kvmmmu_lab.labs import fault_lab
from kvmmmu_lab.labs.explain_access import OUTCOMES, PathsBefore
from kvmmmu_lab.labs.guests import FLAGS, PRESETS, GuestTable
from kvmmmu_lab.labs.lab import Round
from kvmmmu_lab.mmu.bits import MODES

PAGING = [key for key, mode in MODES.items() if mode.levels]
READ, WRITE, FETCH = (False, False), (True, False), (False, True)


def go(mode, preset, access=READ, user=False, wp=True, nx=True, lab=None):
    lab = lab or fault_lab()
    lab.build(mode, preset)
    (lab.write, lab.fetch), lab.user, lab.wp, lab.nx = access, user, wp, nx
    round_ = lab.go()
    return round_, next(key for key, words in OUTCOMES.items() if words == round_.outcomes[0].happened)


EXPECTED = [
    ("all allowed", WRITE, True, "ok", ""),
    ("read-only page", READ, True, "ok", ""),
    ("read-only page", WRITE, True, "inject", "PT entry .* has no W, and user code"),
    ("read-only page", WRITE, False, "inject", "CR0.WP is set"),
    ("supervisor page", READ, True, "inject", "has no U"),
    ("supervisor page", READ, False, "ok", ""),
    ("not dirty", READ, True, "ok", "W is withheld: the guest's D is clear"),
    ("not dirty", WRITE, True, "ok", ""),
    ("not present", READ, False, "inject", "isn't present"),
    ("device", WRITE, False, "mmio", "bit 9"),
    ("its own page table", WRITE, False, "emul", "host emulates the store"),
    ("its own page table", WRITE, True, "stuck", "this path needs"),
    ("its own page table", READ, True, "ok", "W is withheld: the frame is itself a shadowed page table"),
]


@pytest.mark.parametrize("mode", PAGING)
@pytest.mark.parametrize(("preset", "access", "user", "outcome", "why"), EXPECTED)
def test_every_preset_has_the_expected_outcome_and_says_why(mode, preset, access, user, outcome, why):
    round_, happened = go(mode, preset, access, user)
    assert happened == outcome
    assert round_.film is not None and round_.error is None
    assert re.search(why, " ".join(round_.reasons)), round_.reasons


@pytest.mark.parametrize("mode", ["pae", "64"])
def test_no_execution(mode):
    assert go(mode, "no execution", FETCH, True)[1] == "inject"
    assert go(mode, "no execution", READ, True)[1] == "ok"
    round_, happened = go(mode, "no execution", FETCH, True, nx=False)
    assert happened == "stuck" and "EFER.NX clear" in round_.reasons[0]


def test_rights_of_the_levels_above():
    round_, happened = go("64", "upper level read-only", READ, True)
    assert happened == "ok"
    assert any("rights of all levels are ANDed" in reason and "PD entry" in reason for reason in round_.reasons)
    round_, happened = go("64", "upper level read-only", WRITE, True)
    assert happened == "inject" and "PD entry (level 2, index 3)" in round_.reasons[0]


def test_write_protect_off():
    round_, happened = go("64", "read-only page", WRITE, wp=False)
    assert happened == "ok" and any("gets W and loses U" in reason for reason in round_.reasons)


@pytest.mark.parametrize("mode", ["32 pse", "pae", "64"])
def test_a_large_page(mode):
    round_, happened = go(mode, "large page")
    assert happened == "ok" and any("pieces of 4 KiB" in reason for reason in round_.reasons)


@pytest.mark.parametrize(("mode", "pages"), [("none", 1), ("32", 1), ("32 pse", 1), ("pae", 1), ("64", 3)])
def test_predictions_right_and_wrong(mode, pages):
    lab = fault_lab()
    lab.build(mode)
    lab.guess("ok", pages=pages)
    assert lab.go().right is True
    lab.guess("through", pages=pages)
    assert lab.go().right is False
    assert lab.go().right is None
    lab.guess("ok", pages=pages + 1)
    assert [outcome.right for outcome in lab.go().outcomes] == [True, False]


def test_an_error_code_can_be_predicted():
    lab = fault_lab()
    lab.build("64", "read-only page")
    lab.write = lab.user = True
    lab.guess("inject", 7, 0)
    assert lab.go().right is True
    lab.guess("inject", 6, 0)
    round_ = lab.go()
    assert [outcome.right for outcome in round_.outcomes] == [True, False, True]
    assert "7 = 1 (an entry was present and refused the access) + 2 (a write) + 4 (by user code)" in str(round_)
    lab.build("64")
    lab.guess("ok", "none")
    assert lab.go().right is True


def test_a_crash_of_the_host():
    round_, happened = go("64", "the root table", WRITE, True)
    assert happened == "crash" and "The host would hang" in round_.html
    assert "the root in use" in round_.reasons[0]
    assert go("pae", "the root table", WRITE, True)[1] == "ok"


def test_more_than_five_pages_are_more():
    lab = fault_lab()
    lab.guess(pages=6)
    assert lab.pages.answer == "more"
    for wrong in ({"code": "foo"}, {"code": 8}, {"pages": -1}, {"pages": "six"}, {"pages": True}, {"code": 1, "pages": 2.5}):
        with pytest.raises(InputError, match=list(wrong)[-1]):
            lab.guess("ok", **wrong)
    assert (lab.outcome.answer, lab.code.answer, lab.pages.answer) == (None, None, "more")
    pytest.importorskip("ipywidgets")
    lab.form.close()


def test_a_round_describes_its_access():
    lab = fault_lab()
    lab.user = lab.write = True
    round_ = lab.go()
    said = "This was a write by user code at 0x8040605000, in a guest with tables that you built (64-bit), CR0.WP set"
    assert str(round_).startswith(said) and said in round_.html
    assert round_.film.title == "A write by user code at 0x8040605000"
    lab.open("lin32_A")
    lab.keep, lab.wp = True, False
    assert "in the real guest lin32_A, CR0.WP clear" in str(lab.go()) and "in the same VM as before" in str(lab.last)


def test_more_pages_are_counted():
    lab = fault_lab()
    lab.keep = True
    lab.guess(pages="more")
    film = lab.go().film
    before = PathsBefore.of(lab.vm, Request(lab.gva))
    film.recording.where = lambda **_: [None] * 6
    lab.guess(pages="more")
    pages = lab._compare(lab.vm, before, film).outcomes[-1]
    assert pages.right and "It was: 6 (more than 5)." in str(pages)


def test_rounds_belong_to_one_guest():
    lab = fault_lab()
    for another in (lambda: lab.build("32"), lambda: lab.open("lin32_A"), lambda: lab.build()):
        lab.go()
        another()
        assert lab.rounds == [] and lab.last is None


@pytest.mark.parametrize("mode", ["32", "pae", "64"])
def test_an_upper_entry_that_loses_a_right(mode):
    lab = fault_lab()
    lab.build(mode)
    lab.keep = lab.user = True
    lab.go()
    lab.table.set(2, "U", False)
    lab.user = False
    words = " ".join(lab.go().reasons)
    assert "are ANDed" not in words and "PD entry (level 2, index 3) has no U, but" in words
    assert "made when the path to it allowed U" in words and "role of a shadow page" in words
    lab.user = True
    round_ = lab.go()
    assert round_.outcomes[0].happened == OUTCOMES["through"]
    assert "The access succeeds, although the guest's own tables refuse it" in round_.reasons[0]
    assert "PD entry (level 2, index 3) has no U" in round_.reasons[1]
    assert "are ANDed" not in str(round_) and "The shadow had every entry" not in str(round_)


def test_an_upper_entry_that_gains_a_right():
    lab = fault_lab()
    lab.build("64", "upper level read-only")
    lab.keep = lab.user = True
    assert "are ANDed" in " ".join(lab.go().reasons)
    lab.table.set(2, "W", True)
    assert "allows W at all levels, but the last shadow entry was made when the path to it did not allow W" in str(lab.go())


def test_several_accesses_in_the_same_vm():
    lab = fault_lab()
    lab.keep = True
    assert go("64", "not dirty", READ, True, lab=lab)[1] == "ok"
    lab.write = True
    round_ = lab.go()
    assert round_.outcomes[0].happened == OUTCOMES["ok"]
    assert any("without W: the guest's D was clear" in reason for reason in round_.reasons)
    assert lab.go().outcomes[0].happened == OUTCOMES["through"]
    lab.table.set(1, "W", False)
    lab.table.set(1, "D", True)
    assert lab.go().outcomes[0].happened == OUTCOMES["inject"]  # the guest wrote its entry, so the shadow entry was zapped
    lab.table.frame = 0x10
    lab.table.set(1, "W", True)
    assert lab.go().error is not None
    round_ = lab.go()
    assert round_.outcomes[0].happened == OUTCOMES["crash"]  # a dead VM is replaced
    assert round_.reasons[0] == "The previous VM is dead, so this access ran in a new one."
    assert "The next round runs in a new VM." in round_.html and "build a new one" not in round_.html
    assert "build a new one" in round_.film.data["card"]["rows"][1]
    lab.keep = False
    assert "The previous VM is dead" not in str(lab.go())


def test_a_pdpte_that_changes():
    lab = fault_lab()
    lab.keep = True
    assert go("pae", "all allowed", lab=lab)[1] == "ok"
    lab.table.set(3, "P", False)
    assert lab.go().outcomes[0].happened == OUTCOMES["inject"]


@pytest.mark.slow
def test_a_real_guest():
    lab = fault_lab()
    lab.open("lin64_A")
    assert "0x343c6000" in lab.state() and lab.wp and lab.nx
    lab.user = True
    lab.guess("ok", pages=3)
    assert lab.go().right is True
    for name in lab.guests():
        lab.open(name)
        for choice in lab.picker.choices[::9]:
            lab.picker.chosen = choice
            for lab.write in (False, True):
                assert lab.go().film is not None


def test_your_own_vm():
    vm = guest_with_its_own_table_mapped()
    lab = fault_lab(vm)
    lab.address = 0x5000
    assert lab.go().outcomes[0].happened == OUTCOMES["ok"]
    assert lab.go().outcomes[0].happened == OUTCOMES["through"]
    lab.address = 1 << 50
    with pytest.raises(InputError, match="gva"):
        lab.go()
    for another in (lambda: lab.build("32"), lambda: lab.open("lin64_A")):
        with pytest.raises(InputError, match="vm is"):
            another()
    assert lab.source == "vm" and lab.vm is vm and lab.address == 1 << 50
    with pytest.raises(InputError, match="vm"):
        fault_lab(open_guest("lin64_A"))
    with pytest.raises(InputError, match="parts"):
        fault_lab(Vm(), rmap=dict)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda lab: lab.build("16"),
        lambda lab: lab.build("32", "no execution"),
        lambda lab: lab.table.set(5, "W", True),
        lambda lab: lab.table.set(1, "PS", True),
        lambda lab: lab.guess("fine"),
        lambda lab: lab.open("win95"),
        lambda lab: (setattr(lab, "write", True), setattr(lab, "fetch", True), lab.go()),
    ],
)
def test_bad_input_changes_nothing(wrong):
    lab = fault_lab()
    with pytest.raises(InputError):
        wrong(lab)
    lab.write = lab.fetch = False
    assert lab.go().error is None


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_choice_in_the_form_has_an_outcome(data):
    """Each round has outcomes, and either reasons or an error."""
    lab = fault_lab()
    lab.keep = data.draw(st.booleans(), "keep")
    for _ in range(2):
        if data.draw(st.booleans(), "mode") or not lab.rounds:
            lab.build(data.draw(st.sampled_from(list(MODES))), "all allowed")
        for level in lab.table.flags:
            for flag in lab.table.choices(level):
                lab.table.set(level, flag, data.draw(st.sampled_from([True, True, False]), f"{flag} of level {level}"))
        lab.table.frame = data.draw(st.sampled_from(list(lab.table.places().values())), "frame")
        lab.write, lab.fetch = data.draw(st.sampled_from([READ, WRITE, FETCH]), "access")
        lab.user, lab.wp, lab.nx = (data.draw(st.booleans(), name) for name in ("user", "wp", "nx"))
        round_ = lab.go()
        assert isinstance(round_, Round) and round_.outcomes
        assert round_.reasons or round_.error is not None
        assert all(reason.endswith(".") for reason in round_.reasons)
        assert str(round_) and round_.html and lab.state()


def test_the_tables():
    table = GuestTable("64", "large page")
    assert table.last == 2 and table.entry(2) == 0x400 << 12 | 0xE7
    assert str(table).count("level") == 3
    assert {preset for mode in MODES for preset in GuestTable(mode).presets()} == set(PRESETS)
    assert "NX" not in GuestTable("32").choices(1) and GuestTable("pae").choices(3) == ["P"]
    assert GuestTable("32", "all allowed").last == 1 and set(FLAGS) >= set(GuestTable("32").choices(2))


class TestForm:
    @pytest.fixture
    def form(self):
        pytest.importorskip("ipywidgets")
        form = fault_lab().form
        yield form
        form.close()

    def test_go(self, form):
        form.outcome.value = OUTCOMES["ok"]
        form.pages.value = 2
        form.go.click()
        assert "✓" in form.status.value and "✗" in form.status.value and "it was: 3" in form.status.value
        assert len(form.stage.children) == 1 and 'role="status"' in form.status.value
        assert form.outcome.index == 0

    def test_another_film_closes_the_previous_one(self, form):
        form.go.click()
        first = form.film
        form.go.click()
        assert form.film is not first and len(form.stage.children) == 1

    def test_toggles_are_the_entries(self, form):
        form.verb.value, form.who.value = "write", "user"
        writable = next(button for button in form.tables.children[-2].children[1:] if "W (writable)" in (button.tooltip or ""))
        assert (writable.description, writable.button_style) == ("W", "info")
        writable.value = False
        assert writable.description == "·W" and writable.tooltip.endswith("clear")
        form.go.click()
        assert "has no W" in form.status.value

    def test_all_modes_and_presets(self, form):
        for mode in MODES:
            form.mode.value = mode
            for preset in form.preset.options[::3]:
                form.preset.value = preset
                assert len(form.tables.children) == MODES[mode].levels + 1
                form.go.click()
                assert form.status.value and "bug in" not in form.status.value, (mode, preset)

    def test_another_guest_has_no_verdict_yet(self, form):
        for box, value in ((form.preset, "device"), (form.mode, "32"), (form.source, "lin32_A"), (form.source, "tables")):
            form.go.click()
            assert form.status.value and form.stage.children
            box.value = value
            assert not form.status.value and not form.stage.children

    def test_other_choices_mark_the_verdict_as_outdated(self, form):
        def outdated():
            assert form.status.value
            assert ("This was" in form.status.value) is ("You have changed your choices" in form.status.value)
            return "You have changed your choices" in form.status.value

        form.go.click()
        toggle = form.flags[4, "P"]
        others = ((form.verb, "write"), (form.who, "user"), (form.wp, False), (form.keep, True), (toggle, False))
        for box, other in (*others, (form.frames, form.lab.table.places()["a device"])):
            assert not outdated() and form.stage.layout.display == "" and not form.picture.value
            before, box.value = box.value, other
            assert outdated() and form.stage.layout.display == "none" and "kvmmmu-picture" in form.picture.value
            box.value = before
        form.who.value = "user"
        assert "This was a read by the kernel" in form.status.value
        form.go.click()
        assert "by user code" in form.film.title and not outdated()
        form.source.value = "lin64_A"
        form.go.click()
        assert not outdated()
        form.lab.picker.widget.index = 0
        assert outdated()

    def test_a_picture_is_there_before_go(self, form):
        for source in ("tables", "lin32_A"):
            form.source.value = source
            assert '<div class="kvmmmu-picture"' in form.picture.value

    def test_undo_and_redo(self, form):
        assert form.undo.disabled and form.redo.disabled
        kept = form.flags[1, "W"]
        kept.value = False
        form.verb.value = "write"
        form.mode.value = "32"
        form.source.value = "lin64_A"
        form.address.text.value = "0x400000"
        steps = [form.lab.choices()]
        while not form.undo.disabled:
            form.undo.click()
            steps.append(form.lab.choices())
        assert [step.source for step in steps] == ["lin64_A"] * 2 + ["tables"] * 4
        assert [step.access[0] for step in steps] == [True] * 4 + [False] * 2
        assert form.flags[1, "W"].value and form.mode.value == "64" and form.verb.value == "read"
        for step in reversed(steps[:-1]):
            form.redo.click()
            assert form.lab.choices() == step
        assert form.redo.disabled and form.address.text.value == "0x400000" and form.source.value == "lin64_A"
        with pytest.raises(InputError, match="taken back"):
            fault_lab().undo()

    def test_a_real_guest(self, form):
        form.source.value = "lin32_A"
        menu = form.lab.picker.widget
        assert form.place.children[0] is menu and form.builder.layout.display == "none"
        form.who.value = "user"
        form.go.click()
        assert "it was" in form.status.value
        form.address.text.value = "c0100000"
        assert form.lab.gva == 0xC0100000 and "It leads to gfn 0x" in form.leads.value
        form.go.click()
        assert "0xc0100000" in form.film.title
        form.address.text.value = "0x10"
        assert "The guest doesn't map it: entry" in html.unescape(form.leads.value) and menu.value is None
        menu.index = 3
        assert form.address.text.value == hex(menu.value.gva) == hex(form.lab.gva)
        form.source.value = "tables"
        assert not form.place.children and form.builder.layout.display == "" and menu.comm is None

    def test_your_own_vm_and_its_address(self):
        pytest.importorskip("ipywidgets")
        form = fault_lab(guest_with_its_own_table_mapped()).form
        form.address.text.value = "0x5000"
        form.go.click()
        assert "it was" in form.status.value and not form.address.message.value
        form.address.text.value = "0x40 0000 0000 0000"
        form.go.click()
        assert "canonical" in form.address.message.value and not form.status.value
        form.address.text.value = "five"
        assert "Expected one number" in form.address.message.value and form.address.text.value == "five"
        form.close()
