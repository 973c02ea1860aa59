# SPDX-License-Identifier: GPL-2.0-only
"""The write lab: what is zapped, predictions and reasons; and its form."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvmmmu_lab import InputError, Vm, open_guest
from kvmmmu_lab.labs import hierarchy, write_lab
from kvmmmu_lab.labs.guests import Builder
from kvmmmu_lab.labs.lab import Round
from kvmmmu_lab.labs.write_lab import DRAWN

from ..share import one_in

MODES = ["64", "pae", "32"]
SIZE = {"64": 8, "pae": 8, "32": 4}


@pytest.fixture(params=MODES)
def lab(request):
    return write_lab(mode=request.param)


def zapped(round_):
    return round_.outcomes[0].happened


def level(lab, wanted):
    lab.choose(next(name.gfn for name in lab.tables() if name.level == wanted))


def test_one_entry_is_zapped_and_compared_with_the_guess():
    for mode in ("64", "pae"):
        lab = write_lab(mode=mode)
        first, second = list(lab.candidates())[:2]
        lab.guess(first)
        round_ = lab.write(8)
        assert zapped(round_) == first and round_.right is True
        assert f"guest entry 1, for which KVM zaps {first}" in round_.reasons[0]
        lab.touch()
        lab.guess(first, second)
        assert lab.write(8).right is False
        assert lab.vm.stats.entries_zapped == 2


def test_32_bit_entries_have_two_quadrants():
    lab = write_lab(mode="32")
    low, high = (page.id for page in lab.pages())
    lab.guess(f"#{low}:1")
    round_ = lab.write(4)
    assert zapped(round_) == f"#{low}:1, #{high}:1" and round_.right is False
    assert any("doubled" in reason for reason in round_.reasons)
    assert any("every quadrant" in reason for reason in round_.reasons)


def test_a_directory_of_32_bits_is_doubled_twice():
    lab = write_lab(mode="32")
    level(lab, 2)
    round_ = lab.write(0)
    assert any("doubled twice" in reason for reason in round_.reasons)
    assert zapped(round_).count("#") >= 2


def test_a_write_to_two_entries_zaps_the_page(lab):
    lab.guess("the whole page")
    round_ = lab.write(SIZE[lab.mode] + 1, 0, SIZE[lab.mode])
    assert round_.right is True
    assert "cross the boundary" in round_.reasons[0]
    assert not lab.candidates()


def test_the_third_write_in_a_row(lab):
    assert zapped(lab.write(0)) == "none"
    lab.guess("none")
    assert lab.write(0).right is True
    lab.guess("none")
    round_ = lab.write(0)
    assert zapped(round_) == "the whole page" and round_.right is False
    assert "write 3 in a row" in round_.reasons[0]


def test_a_write_elsewhere_resets_the_row(lab):
    one, other, *_ = [name.gfn for name in lab.tables() if name.shadowed]
    for gfn in (one, one, other, one, one):
        lab.choose(gfn)
        assert zapped(lab.write(0x100 * SIZE[lab.mode])) == "none"


def test_a_part_of_an_entry_is_enough(lab):
    size = SIZE[lab.mode]
    round_ = lab.write(2 * size + size - 1, 0, 1)
    assert zapped(round_) != "none" and f"only 1 of its {size} bytes" in round_.reasons[1]


def test_a_write_to_a_table_that_isnt_shadowed_zaps_nothing(lab):
    lab.choose(next(name.gfn for name in lab.tables() if not name.shadowed))
    lab.guess("none")
    round_ = lab.write(0)
    assert round_.right is True and "no shadow entry was made from this table" in round_.reasons[0]


def test_links_are_zapped_and_the_pages_below_stay():
    lab = write_lab()
    level(lab, 2)
    round_ = lab.write(0)
    assert zapped(round_) != "none" and any("stays in the pool" in reason for reason in round_.reasons)
    used = len(lab.vm.pool.active)
    lab.touch()
    assert len(lab.vm.pool.active) == used


def test_a_root_stays():
    lab = write_lab()
    level(lab, 4)
    round_ = lab.write(1, 0, 8)
    assert zapped(round_) == "the whole page" and any("A root in use" in reason for reason in round_.reasons)


def test_your_own_vm():
    vm = open_guest("lin64_A").vm()
    vm.access(0x343C9000, user=True)
    lab = write_lab(vm)
    lab.choose(0x61C9)
    (name,) = lab.candidates()
    assert name == "#248:457" and any(offset == 457 * 8 for offset, _ in lab.entries())
    lab.guess(name)
    assert lab.write(457 * 8).right is True
    lab.reset()
    assert lab.vm is vm
    with pytest.raises(InputError, match="access something first"):
        write_lab(Vm())
    with pytest.raises(InputError, match="vm"):
        write_lab(open_guest("lin64_A"))


@pytest.fixture(params=one_in(3, ["lin64_A", "linpae_A", "lin32_A"]))
def own(request):
    """Return a lab with a real guest that has used its memory for a while."""
    guest = open_guest(request.param)
    vm = guest.vm()
    for gva in guest.tlb_gva[::60].tolist():
        vm.access(gva)
    return write_lab(vm)


def drawn(film):
    return {entry.key for step in film.steps for table in step.scene.tables for entry in table.entries}


def test_a_film_shows_the_written_entry_of_your_own_vm(own):
    size = own.entry_size
    for table in own.tables()[::3]:
        own.choose(table.gfn)
        assert "no address" not in own.picture() and own.picture()
        for offset, _ in own.entries()[-1:]:
            film = own.write(offset).film
            assert "no address" not in film.steps[0].scene.title
            assert f"g:{table.gfn:x}:{offset // size}" in drawn(film)
        own.rounds.clear()


def test_all_candidates_are_drawn(lab):
    for table in lab.tables():
        lab.choose(table.gfn)
        ways = list(lab._gvas(DRAWN).values())
        assert not ways or {name.replace("#", "s:") for name in lab.candidates()} <= {
            entry.key for drawing in hierarchy(lab.vm, *ways).scene.tables for entry in drawing.entries
        }
        assert "more aren't" not in lab.picture()


def test_a_film_shows_an_entry_that_was_empty(lab):
    at = 0x150 * SIZE[lab.mode]
    film = lab.write(at).film
    start = {entry.key for table in film.steps[0].scene.tables for entry in table.entries}
    assert {f"g:{lab.gfn:x}:{0x150}", *(name.replace("#", "s:") for name in lab.candidates())} <= start
    assert film.title == f"Write {SIZE[lab.mode]} bytes at offset {at:#x} of the PT in gfn {lab.gfn:#x}"


def test_more_entries_than_can_be_drawn_are_counted():
    guest = Builder("64")
    gvas = [0x1000 * number for number in range(1, 10)]
    for gva in gvas:
        guest.map(gva)
    vm = guest.start()
    for gva in gvas:
        vm.access(gva)
    assert "; 3 more aren't." in write_lab(vm).picture()


def test_what_was_zapped_in_your_own_vm_is_made_again(own):
    assert "nothing to access" in str(own.touch())
    for level in sorted(set(own.levels.values())):
        table = next(table for table in own.tables() if table.level == level and table.candidates())
        own.choose(table.gfn)
        before = own.candidates()
        at = table.entries()[0][0] + 1  # across a boundary, so the whole page is zapped, but the table isn't changed
        own.write(at, table.value(at, own.entry_size), own.entry_size)
        assert not own.candidates()
        assert own.touch().error is None
        back, gone = ({name.partition(":")[2] for name in names} for names in (own.candidates(), before))
        assert back >= gone


def test_the_tables_of_your_own_vm_are_the_current_ones():
    vm = open_guest("lin64_A").vm()
    vm.access(0x343C9000, user=True)
    lab = write_lab(vm)
    before = {table.gfn for table in lab.tables()}
    vm.access(0x400000, user=True)
    assert {table.gfn for table in lab.tables()} > before
    chosen = lab.gfn
    vm.zap_all()
    assert chosen in lab.levels and "not shadowed" in str(lab.table)
    vm.load_cr0(1)
    assert lab.tables() == [] and lab.state()
    with pytest.raises(InputError, match="gfn"):
        lab.write(0)
    lab.reset()
    pytest.importorskip("ipywidgets")
    form = lab.form
    assert form.table.value is None and "bug in" not in form.status.value
    form.close()


def test_a_table_out_of_reach_is_shown_in_the_hash():
    vm = open_guest("lin64_A").vm()
    vm.access(0x343C9000, user=True)
    lab = write_lab(vm)
    lab.choose(0x61C9)
    vm.poke((vm.cpu.cr3 & ~0xFFF) + 0, 0, 8)  # written without the MMU, so the shadow doesn't change
    assert "hash" in lab.picture()
    round_ = lab.write(457 * 8)
    assert zapped(round_) == "#248:457" and "hash" in round_.film.steps[0].scene.title
    assert "No address leads to this table" in round_.reasons[-1]
    assert "nothing to access" in str(lab.touch())


def test_both_halves_of_a_directory_entry_are_made_again():
    guest = Builder("32")
    for gva in (0x400000, 0x600000):
        guest.map(gva)
    vm = guest.start()
    for gva in (0x400000, 0x600000):
        vm.access(gva)
    lab = write_lab(vm)
    level(lab, 2)
    before = lab.candidates()
    lab.write(4, lab.table.value(4, 4))
    assert len(before) == 2 and not lab.candidates()
    lab.touch()
    assert lab.candidates() == before


def test_your_own_pre_write_is_compared_with_the_kernels():
    round_ = write_lab(pre_write=lambda vm, gpa, size: None).write(8)
    assert zapped(round_) == "none"
    assert "Your own pre_write zapped: none. The kernel zaps: #248:1." in round_.reasons


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ((0xFFF,), "offset"),
        ((-1,), "offset"),
        (("8",), "offset"),
        ((8, 1 << 64), "value"),
        ((8, -1), "value"),
        ((8, 256, 1), "value"),
        ((8, 0, 3), "size"),
    ],
)
def test_bad_input_changes_nothing(arguments, argument):
    lab = write_lab()
    with pytest.raises(InputError, match=argument):
        lab.write(*arguments)
    assert not lab.rounds and lab.vm.last_pt_write_count == 0
    with pytest.raises(InputError, match="zapped"):
        lab.guess("#1:1")
    with pytest.raises(InputError, match="gfn"):
        lab.choose(1)
    with pytest.raises(InputError, match="mode"):
        write_lab(mode="none")
    vm = lab.vm
    with pytest.raises(InputError, match="mode"):
        lab.reset("none")
    assert lab.vm is vm and lab.mode == "64" and lab.tables()


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_every_write_has_a_verdict(data):
    lab = write_lab(mode=data.draw(st.sampled_from(MODES)))
    for _ in range(3):
        lab.choose(data.draw(st.sampled_from([name.gfn for name in lab.tables()])))
        size = data.draw(st.sampled_from([1, 2, 4, 8]))
        offset = data.draw(st.integers(0, 40) | st.integers(0, 4096 - size))
        lab.guess(*data.draw(st.sets(st.sampled_from([*lab.candidates(), "none", "the whole page"]), max_size=3)))
        before = lab.candidates()
        round_ = lab.write(offset, data.draw(st.integers(0, (1 << 8 * size) - 1)), size)
        assert isinstance(round_, Round) and round_.reasons and lab.state()
        gone = {name for name in before if name not in lab.candidates()}
        assert zapped(round_) == "the whole page" or set(zapped(round_).split(", ")) == (gone or {"none"})


class TestForm:
    @pytest.fixture
    def form(self):
        pytest.importorskip("ipywidgets")
        form = write_lab().form
        yield form
        form.close()

    def press(self, form, name):
        buttons = [part for part in everything(form.box) if hasattr(part, "click")]
        next(button for button in buttons if button.description == name).click()

    def ticks(self, form):
        return {box.name: box for box in form.ticks.children}

    def test_tick_and_write(self, form):
        assert (form.entry.value, form.offset.text.value) == (8, "0x8")
        form.entry.value = 16
        assert form.offset.text.value == "0x10"
        form.entry.value = 8
        self.ticks(form)["#248:1"].value = True
        self.press(form, "Write")
        assert "✓" in form.status.value and "#248:1" in form.status.value
        assert "#248:1" not in self.ticks(form) and len(form.stage.children) == 1
        self.press(form, "Touch all pages again")
        assert "#248:1" in self.ticks(form) and not form.stage.children

    def test_a_verdict_is_about_the_write_that_is_entered(self, form):
        self.press(form, "Write")
        for field, other in ((form.offset.text, "0x10"), (form.value.text, "0x5067"), (form.size, 2), (form.table, 0x13)):
            before = form.lab.gfn if field is form.table else field.value
            assert "You have changed" not in form.status.value and form.stage.layout.display == ""
            field.value = other
            assert "You have changed" in form.status.value and form.stage.layout.display == "none" and form.picture.value
            field.value = before
            form.offset.text.value = "0x8"
        form.view.value = "now"
        assert form.stage.layout.display == "none" and form.picture.value

    def test_undo_and_redo(self, form):
        form.table.value = 0x13
        self.press(form, "Write")
        zapped = form.lab.candidates()
        self.press(form, "Touch all pages again")
        form.table.value = 0x14
        form.undo.click()
        assert "Taken back" in form.status.value and form.lab.gfn == 0x14 and len(form.lab.rounds) == 1
        form.undo.click()
        assert form.undo.disabled and not form.lab.rounds
        form.redo.click()
        assert form.lab.gfn == 0x13 and form.lab.candidates() == zapped and "it was" in form.status.value

    def test_what_was_typed_stays(self, form):
        form.offset.text.value = "0x15"
        assert form.entry.value == 16 and form.offset.text.value == "0x15"
        self.press(form, "Write")
        assert form.offset.text.value == "0x15"
        for typed in ("0x908", "what?"):
            form.offset.text.value = typed
            assert form.entry.label == "(by offset)" and form.offset.text.value == typed
        form.entry.value = 8
        assert form.offset.text.value == "0x8"
        form.table.value = form.lab.tables()[1].gfn
        assert form.offset.text.value == hex(form.lab.entries()[0][0])

    def test_a_message_is_hidden_when_its_field_changes(self, form):
        for field, wrong in ((form.offset, "0xFFF"), (form.value, "lots")):
            field.text.value = wrong
            self.press(form, "Write")
            assert "Expected" in field.message.value and field.message.layout.display == ""
            field.text.value = ""
            assert not field.message.value and field.message.layout.display == "none"
            form.offset.text.value = "0x8"
        rows = [part for part in form.box.children[1].children if form.size in getattr(part, "children", ())]
        assert form.offset.message not in rows[0].children and form.offset.below not in rows[0].children

    def test_none_and_all_exclude_the_others(self, form):
        ticks = self.ticks(form)
        ticked = lambda: {name for name, box in ticks.items() if box.value}  # noqa: E731
        ticks["#248:1"].value = ticks["#248:2"].value = True
        assert ticked() == {"#248:1", "#248:2"}
        for name in ("none", "the whole page", "#248:3"):
            ticks[name].value = True
            assert ticked() == {name}

    def test_what_was_ticked_stays_when_something_else_is_chosen(self, form):
        self.ticks(form)["none"].value = True
        form.offset.text.value = "0x10"
        form.size.value = 2
        assert self.ticks(form)["none"].value
        form.offset.text.value = "0xFFF"
        self.press(form, "Write")
        assert "Expected an offset" in form.offset.message.value
        assert self.ticks(form)["none"].value and form.offset.text.value == "0xFFF"
        form.offset.text.value = "0x10"
        form.value.text.value = "lots"
        self.press(form, "Write")
        assert "Expected one number" in form.value.message.value and not form.offset.message.value

    def test_other_guests(self, form):
        form.mode.value = "32"
        assert form.size.value == 4 and len(form.lab.pages()) == 2
        form.table.value = form.lab.tables()[-1].gfn
        self.press(form, "Write")
        assert "it was" in form.status.value
        self.press(form, "New guest")
        assert not form.status.value and not form.stage.children
        assert form.picture.value


def everything(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from everything(child)
