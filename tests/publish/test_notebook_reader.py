# SPDX-License-Identifier: GPL-2.0-only
"""The reader that compares lectures with their decks finds what a deck leaves out."""

import pytest

from .lectures import LECTURES, Lecture, code, printed, raw, text
from .notebook_reader import Reader, Shown, missing, squeezed, terminal

TALK = Lecture([
    raw("---\ntitle: My talk\n---"),
    text("## One\n\nA sentence with $x^2$. Another, [it][r].\n\n3. item\n4. item\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n[r]: x"),
    code("f()", printed("10%\r20%\nab\b\bxy\n")),
    text("Look at ![](gone.png)."),
    text("For me.", "notes"),
])  # fmt: skip


def shown(text, notes=""):
    return Shown(squeezed(text), squeezed(notes), set(), set())


def test_it_lists_sentences_items_rows_formulas_and_lines(tmp_path):
    found, notes = Reader(TALK.save(tmp_path, "talk")).read()
    sentences = ["Asentencewith⟦x^2⟧.", "Another,it."]
    lines = ["f()", "20%", "xy"]
    assert [piece.words for piece in found] == [
        "Mytalk", "One", *sentences, "3.item", "4.item", "ab", "12", *lines, "gone.png", "Lookat.",
    ]  # fmt: skip
    assert [piece.words for piece in notes] == ["Forme."]


def test_it_finds_what_a_deck_leaves_out_or_puts_in_another_order(tmp_path):
    path = TALK.save(tmp_path, "talk")
    whole = "My talk One A sentence with ⟦x^2⟧. Another, it. 3. item 4. item a b 1 2 f() 20% xy Look at ."
    assert missing(path, shown(whole, "For me."), [(4, "the picture is not there")]) == []
    assert [piece.words for piece in missing(path, shown(whole, "For me."), [])] == ["gone.png"]
    for lost in ("Another, it.", "4. item", "1 2", "xy", "⟦x^2⟧"):
        assert missing(path, shown(whole.replace(lost, ""), "For me."), [(4, "gone")]), lost
    moved = whole.replace("20% xy", "xy 20%")
    assert [piece.words for piece in missing(path, shown(moved, "For me."), [(4, "gone")])] == ["xy"]
    assert [piece.words for piece in missing(path, shown(whole), [(4, "gone")])] == ["Forme."]


def test_it_shows_printed_text_as_a_terminal_does():
    assert terminal("  loss: 2.31\rloss: 0.12\n\x1b[31mred\x1b[0m") == ["loss: 0.1231", "red"]


@pytest.mark.parametrize("name", LECTURES)
def test_it_reads_each_lecture(tmp_path, name):
    found, _ = Reader(LECTURES[name]().save(tmp_path, name)).read()
    assert len(found) > 5
