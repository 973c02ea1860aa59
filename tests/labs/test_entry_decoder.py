# SPDX-License-Identifier: GPL-2.0-only
"""The entry decoder: every bit, round trips, and the shadow entry that the engine makes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvmmmu_lab import InputError
from kvmmmu_lab.labs import entry_decoder
from kvmmmu_lab.labs.entry_decoder import KINDS
from kvmmmu_lab.labs.guests import MODES

PAGING = [key for key, mode in MODES.items() if mode.levels]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_entry_of_every_kind_is_spelled_out(data):
    kind, mode = data.draw(st.sampled_from(KINDS)), data.draw(st.sampled_from(PAGING))
    decoder = entry_decoder(0, kind, mode)
    decoder.choose(level=data.draw(st.integers(1, decoder.levels(kind, mode))))
    low = data.draw(st.integers(0, 0xFFF))
    frame = data.draw(st.integers(0, 0x40) | st.integers(0, (1 << 20) - 1) | st.integers(0, (1 << 40) - 1))
    value = (frame << 12 | low | data.draw(st.sampled_from([0, 1 << 63]))) & (1 << decoder.width) - 1
    decoder.set(value)
    covered = [bit for field in decoder.fields() for bit in range(field.low, field.high + 1)]
    assert covered == list(range(decoder.width))
    assert sum(field.of(value) << field.low for field in decoder.fields()) == value
    assert decoder.meaning.endswith(".") and decoder.state()
    assert len(decoder.shadow_results()) == (2 if kind == "guest" else 0)
    bit = data.draw(st.integers(0, decoder.width - 1))
    decoder.toggle(bit)
    assert decoder.value == value ^ 1 << bit
    decoder.toggle(bit)
    decoder.set_frame(decoder.frame)
    assert decoder.value == value


def results(entry, mode="64", level=1, **parts):
    return entry_decoder(entry, mode=mode, level=level, **parts).shadow_results()


def test_the_shadow_entries():
    read, write = results(0x2B45067)
    assert read.outcome == write.outcome == "the access succeeds"
    assert read.content == write.content == "PWUAD.. gfn 0x2b45"
    read, write = results(0x2B45027)  # not dirty
    assert read.content == "PwUA... gfn 0x2b45" and write.content == "PWUA... gfn 0x2b45"
    assert any("D is clear" in reason for reason in read.reasons)
    read, write = results(0x2B45005)  # read-only
    assert read.content == "P.UA... gfn 0x2b45" and write.entry is None and "error code 7" in write.outcome
    assert results(0)[0].outcome == "the guest gets a page fault, error code 0"


@pytest.mark.parametrize("mode", PAGING)
def test_links_allow_everything(mode):
    for level in range(2, MODES[mode].levels + (mode != "pae")):
        read, _ = results(0x30021, mode, level)  # a read-only entry for the kernel
        assert read.content.startswith("PWUA")
        assert any("whatever flags the guest's entry has" in reason for reason in read.reasons)


def test_large_pages():
    read, _ = results(0x4000E7, "64", 2)
    assert read.content == "PWUAD.. gfn 0x405"
    assert entry_decoder(0x4000E7, mode="64", level=2).meaning.startswith("It leads to a large page of 2 MB")
    assert entry_decoder(0x4000E7, mode="32", level=2).meaning.startswith("It leads to gfn 0x400, the level-1 table")
    odd, _ = results(0x4020E7, "32 pse", 2)
    assert "I/O" in odd.content and "PSE-36" in odd.reasons[0]


def test_a_pdpte_that_is_refused():
    read, _ = results(0x30003, "pae", 3)
    assert read.entry is None and "#GP" in read.reasons[0]
    assert results(0x30001, "pae", 3)[0].outcome == "the access succeeds"


def test_shadow_entries():
    leaf = entry_decoder(0x210C65, kind="shadow")
    assert leaf.meaning.endswith("allowed by the guest but withheld by the shadow: writable.")
    assert "host frame 0xf8" in entry_decoder(0xF8027, kind="shadow", level=2).meaning
    assert entry_decoder(0xF8026, kind="shadow", level=2).meaning == "Not present: the walk ends here."
    assert "shadow page #248" in entry_decoder(0x1F8027, kind="shadow", level=2).meaning
    assert "I/O entry" in entry_decoder(0xFEE00206, kind="shadow").meaning
    assert entry_decoder(0, kind="shadow").meaning == "Empty."


def test_your_own_part_makes_the_shadow_entry():
    def mine(vm, spte, guest_entry, rights, gpa, gfn):
        raise ArithmeticError("not yet")

    read, _ = results(0x2B45067, set_spte=mine)
    assert read.outcome == "not possible" and "your set_spte raised ArithmeticError" in read.reasons[0]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda d: d.choose(kind="host"),
        lambda d: d.choose(mode="none"),
        lambda d: d.choose(level=5),
        lambda d: d.choose(mode="32", level=3),
        lambda d: d.set(1 << 64),
        lambda d: d.set(-1),
        lambda d: d.toggle(64),
        lambda d: d.set_frame(1 << 40),
        lambda d: d.read("0x"),
    ],
)
def test_bad_input(wrong):
    decoder = entry_decoder("0x67")
    with pytest.raises(InputError):
        wrong(decoder)
    assert (decoder.value, decoder.kind, decoder.mode, decoder.level) == (0x67, "guest", "64", 1)


def test_messages_say_which_numbers_are_expected():
    with pytest.raises(InputError, match="one number of at most 64 bits, such as .*; digits alone are read as hexadecimal"):
        entry_decoder("what?")
    with pytest.raises(InputError, match="expected a frame number below 0x10000000000$"):
        entry_decoder().set_frame(1 << 40)
    large = entry_decoder(0xE3, level=2)
    with pytest.raises(InputError, match="a frame number that is a multiple of 0x200, and below"):
        large.set_frame(0x201)
    for wrong in (-1, 1 << 60, "1"):
        with pytest.raises(InputError, match="frame is"):
            large.set_frame(wrong)
    assert large.value == 0xE3


OOPS = "PGD 62dd067 PUD 62dc067 PMD 62cb067 PTE 69025"
WINDBG = "PDE at C0300C00        PTE at C030A004\ncontains 0003B163        contains 00154121"


@pytest.mark.parametrize(
    ("text", "mode", "level", "value"),
    [
        ("00154121", "32", 1, 0x154121),
        ("0003B163", "32", 1, 0x3B163),
        ("69025", "64", 1, 0x69025),
        ("62dd067", "64", 1, 0x62DD067),
        ("80000000`02b45865", "64", 1, 0x8000000002B45865),
        ("8000000012345067", "64", 1, 0x8000000012345067),
        ("9223372036900000869", "64", 1, 9223372036900000869),  # too long for a hexadecimal number
        ("PTE 69025", "64", 1, 0x69025),
        ("pgd = 62dd067", "64", 4, 0x62DD067),
        ("*pde = 00000000", "32", 2, 0),
        ("*pdpt = 0000000033dd4001 *pde = 000000001f4c1067", "pae", 2, 0x1F4C1067),
        ("pte:80000000a5b6c067 pmd:12345067", "64", 1, 0x80000000A5B6C067),
        ("contains 0003B163", "32", 1, 0x3B163),
        ("entry: 0x67,", "64", 1, 0x67),
        (OOPS, "64", 1, 0x69025),
        (WINDBG, "32", 1, 0x154121),
    ],
)
def test_entries_as_debuggers_and_the_kernel_print_them(text, mode, level, value):
    decoder = entry_decoder(text, mode=mode)
    assert (decoder.value, decoder.level) == (value, level)


def test_each_level_shows_its_entry_of_the_text_that_was_pasted():
    decoder = entry_decoder(OOPS)
    for level, value in ((3, 0x62DC067), (4, 0x62DD067), (2, 0x62CB067), (1, 0x69025)):
        decoder.choose(level=level)
        assert decoder.value == value
    decoder.toggle(1)
    decoder.choose(level=2)
    assert decoder.value == 0x69027, "the text no longer counts"


def test_text_says_how_digits_were_read():
    assert "Read as hexadecimal, 0x69025. As decimal, it would be 0x10da1." in str(entry_decoder("69025"))
    assert "leading zeroes" in str(entry_decoder("00154121", mode="32"))
    assert "Read as" not in str(entry_decoder("0x69025")) and "Read as" not in str(entry_decoder(69025))


class TestForm:
    @pytest.fixture
    def form(self):
        pytest.importorskip("ipywidgets")
        form = entry_decoder(0x2B45067).form
        yield form
        form.close()

    def toggle(self, form, bit):
        return next(button for button in form.toggles.children if button.bit == bit)

    def test_numbers_and_buttons_agree(self, form):
        assert "gfn 0x2b45" in form.status.value and form.frame.text.value == "0x2b45"
        kept = self.toggle(form, 1)
        kept.value = False
        assert form.entry.text.value == "0x0000000002b45065" and self.toggle(form, 1) is kept
        form.entry.text.value = "0b1100111"
        assert kept.value and form.lab.value == 0x67 and form.frame.text.value == "0x0"
        form.frame.text.value = "0x30"
        assert form.entry.text.value == "0x0000000000030067"
        self.toggle(form, 63).value = True
        assert form.lab.value == 0x8000000000030067

    def test_bad_numbers_stay_in_their_fields(self, form):
        form.entry.text.value = "what?"
        assert "Expected one number" in form.entry.message.value and form.entry.text.value == "what?"
        form.frame.text.value = hex(1 << 41)
        assert "Expected" in form.frame.message.value and form.lab.value == 0x2B45067
        form.entry.text.value = "0x67"
        assert not form.entry.message.value and not form.frame.message.value

    def test_digits_can_be_read_the_other_way(self, form):
        form.entry.text.value = "69025"
        assert form.lab.value == 0x69025 and form.entry.text.value == "0x0000000000069025"
        assert "Read as hexadecimal" in form.entry.note.value and form.entry.other.description == "Use 0x10da1"
        form.entry.other.click()
        assert form.lab.value == 0x10DA1 and form.entry.reading.layout.display == "none"
        form.frame.text.value = "30"
        assert form.lab.frame == 0x30 and form.frame.other.description == "Use 0x1e"

    def test_all_kinds_modes_and_levels(self, form):
        for kind in KINDS:
            form.kind.value = kind
            for mode in PAGING:
                form.mode.value = mode
                for _, level in form.level.options:
                    form.level.value = level
                    assert (form.lab.kind, form.lab.mode, form.lab.level) == (kind, mode, level)
                    assert "bug in" not in form.status.value
                    assert bool(form.state.value) is (kind == "guest")
