# SPDX-License-Identifier: GPL-2.0-only
"""Labs that start from a moment of a recording: the guest is the recorded one, and does what it did."""

import pytest

from kvmmmu_lab import InputError, Vm
from kvmmmu_lab.labs import fault_lab, small_guest, write_lab
from kvmmmu_lab.mmu.prewrite import pre_write
from kvmmmu_lab.replay.trace_moments import moment, moments

from ..share import one_in

WRITES = [name for name in moments() if not name.startswith("start")]


@pytest.mark.parametrize("name", WRITES)
def test_a_write_lab_does_the_recorded_write(name):
    lab = write_lab(preset=name)
    gpa, value, size = moment(name).next_write
    assert lab.gfn == gpa >> 12
    assert lab.mode == moment(name).trace.mode
    assert moment(name).says in str(lab) and hex(value) in str(lab)
    round_ = lab.write_recorded()
    assert round_.reasons and round_.film.result is True
    assert lab.vm.peek(gpa & -size, size) == value
    assert lab.picture_html(lab.vm)


def test_a_fork_zaps_one_entry_with_one_byte():
    lab = write_lab(preset="fork in lin64")
    lab.guess(next(iter(lab.candidates())))
    round_ = lab.write_recorded()
    assert round_.right
    assert "changes only 1 of its 8 bytes" in str(round_)


def test_the_third_write_of_a_fork_floods():
    lab = write_lab(preset="fork in lin32")
    for index in range(3):
        gpa, value, size = lab.moment.next_write
        round_ = lab.write((gpa & 0xFFF) + 4 * index, value, size)
    assert "write 3 in a row" in str(round_)


def test_a_write_that_was_taken_back_can_be_done_again():
    lab = write_lab(preset="exit in lin32")
    before = list(lab.candidates())
    first = str(lab.write_recorded())
    lab.undo()
    assert list(lab.candidates()) == before
    assert str(lab.redo()) == first
    lab.reset()
    assert list(lab.candidates()) == before


def test_your_own_part_is_in_the_recorded_guest_from_the_start():
    calls = []

    def counting(vm, gpa, size):
        calls.append(gpa)
        pre_write(vm, gpa, size)

    lab = write_lab(preset="copy on write in lin32", pre_write=counting)
    assert len(calls) >= 10
    lab.write_recorded()
    assert calls[-1] == lab.moment.next_write.gpa


@pytest.mark.parametrize("name", one_in(3, moments()))
def test_a_fault_lab_does_the_recorded_access(name):
    lab = fault_lab(preset=name)
    access = moment(name).next_access
    assert (lab.gva, lab.write, lab.user, lab.fetch) == access
    assert moment(name).says in lab.state()
    round_ = lab.go()
    happened = round_.outcomes[0].happened
    if name.startswith(("fault-around", "copy")):
        assert round_.film.result.outcome == "inject" and "fault" in str(happened)
    if name.startswith(("fork", "exit")):
        assert round_.film.result.outcome == "emul"
    assert lab.picture()


def test_a_change_of_the_moment_can_be_taken_back():
    lab = fault_lab(preset="fork in lin64")
    lab.start_at("exit in lin32")
    assert lab.can_undo
    lab.undo()
    assert (lab.source, lab.gva) == ("fork in lin64", moment("fork in lin64").next_access.gva)
    lab.build("pae")
    lab.undo()
    assert lab.source == "fork in lin64"


def test_presets_that_fit_no_lab_are_refused():
    with pytest.raises(InputError, match="before a write to a shadowed table"):
        write_lab(preset="start of lin64")
    for make in (write_lab, fault_lab):
        with pytest.raises(InputError, match="fork in lin64"):
            make(preset="lunch in lin64")
        with pytest.raises(InputError, match="VM of your own"):
            make(small_guest("64", 0x1000).vm, preset="fork in lin64")
    with pytest.raises(InputError, match="that a recorded guest writes next"):
        write_lab().write_recorded()
    assert isinstance(write_lab(preset="fork in lin64").machine, Vm)


def test_the_forms_offer_the_moments():
    form = fault_lab(preset="fork in lin64").form
    assert form.source.value == "fork in lin64"
    assert set(moments()) <= {value for _, value in form.source.options}
    assert form.address.text.value == hex(moment("fork in lin64").next_access.gva)
    form.source.value = "copy on write in lin64"
    assert form.lab.user and form.lab.write
    form = write_lab(preset="fork in lin64").form
    gpa, value, size = moment("fork in lin64").next_write
    assert (form.offset.text.value, form.value.text.value, form.size.value) == (hex(gpa & 0xFFF), hex(value), size)
    form.offset.text.value = "0x0"
    form.fill_recorded()
    assert form.offset.text.value == hex(gpa & 0xFFF)
    assert form.write().reasons


def test_the_text_of_a_real_guest_lists_some_of_its_many_tables():
    lab = write_lab(preset="fork in lin64")
    listed = [line for line in str(lab).splitlines() if " in gfn 0x" in line and line[:2] in ("> ", "  ")]
    assert 10 <= len(listed) <= 16 and sum(line.startswith(">") for line in listed) == 1
    assert f"... and {len(lab.tables()) - len(listed)} more" in str(lab)
