# SPDX-License-Identifier: GPL-2.0-only
"""Cells become slides."""

from pathlib import Path

import pytest

from kvmmmu_lab.labs import predict
from kvmmmu_lab.publish.condense import beside_question
from kvmmmu_lab.publish.slides import Cutter

from .books import book, code, text

PICTURE = {"image/svg+xml": "<svg width='10' height='10'></svg>", "text/plain": "a picture"}


def cut(*cells, **options):
    return Cutter(book(*cells), Path("talk.ipynb"), **options).cut()


def shape(columns):
    return [[(sheet.title, [part.kind for part in sheet.parts]) for sheet in column] for column in columns]


def test_metadata_say_where_slides_begin():
    cells = [text("# Talk", "slide"), text("## One\n\nA thought.", "slide"), text("More.", "subslide"), text("No.", "skip")]
    columns = cut(*cells)
    assert shape(columns) == [[("Talk", [])], [("One", ["prose"]), ("One", ["prose"])]]


def test_without_metadata_headings_do():
    columns = cut(text("# Talk\n\nHello."), text("## One"), code("1 + 1", shows=[{"text/plain": "2"}]), text("### And"))
    assert shape(columns) == [[("Talk", ["prose"])], [("One", ["code", "text"]), ("And", [])]]


def test_a_second_picture_goes_on_the_next_slide():
    columns = cut(text("## One", "slide"), code("look()", shows=[PICTURE, PICTURE]))
    assert shape(columns) == [[("One", ["code", "picture"]), ("One", ["picture"])]]


def test_a_full_slide_goes_on():
    columns = cut(text("## One", "slide"), *(code("\n".join(f"line_{n} = {n}" for n in range(10))) for _ in range(2)))
    assert shape(columns) == [[("One", ["code"]), ("One", ["code"])]]


def test_long_code_goes_on_on_further_slides_and_nothing_is_lost():
    source = "\n".join(f"line_{n} = {n}" + "\n" * (n % 10 == 9) for n in range(40))
    columns = cut(text("## One", "slide"), code(source, shows=[PICTURE]))
    pieces = [part for sheet in columns[0] for part in sheet.parts]
    assert [part.kind for part in pieces] == ["code"] * 4 + ["picture"]
    assert all(f"line_{n}" in "".join(part.html for part in pieces) for n in range(40))
    assert max(part.html.count("\n") for part in pieces) < 20


def test_what_is_printed_without_end_is_cut():
    for printed in ("x" * 5000, "x\n" * 5000):
        ((sheet,),) = cut(text("## One", "slide"), code("f()", shows=[{"text/plain": printed}]))
        assert sheet.parts[1].html.count("\n") < 16 and "more lines)" in sheet.parts[1].html


def test_long_tables_and_listings_in_a_text_are_cut():
    table = "| a | b |\n| - | - |\n" + "\n".join(f"| {n} | x |" for n in range(60))
    listing = "```python\n" + "\n".join(f"a_{n} = 1" for n in range(60)) + "\n```"
    for long in (table, listing):
        ((sheet,),) = cut(text(f"## One\n\n{long}", "slide"))
        assert "more lines)" in sheet.parts[0].html and sheet.lines < 25 and "59" in sheet.notes[0]


def test_cells_for_learners_become_one_slide_that_says_so():
    tried = [code("rmap_lab()", None, "try-it"), code("check()", None, "try-it")]
    columns = cut(text("## Your turn", "slide"), *tried, text("## End", "slide"))
    assert [[sheet.kind for sheet in column] for column in columns] == [["try"], [""]]
    assert "talk.ipynb" in columns[0][0].parts[0].html


def test_what_comes_after_such_cells_has_a_slide_of_its_own():
    columns = cut(text("## One\n\nLook.", "slide"), code("pick()", None, "try-it"), text("And now."), code("f()"))
    assert [(sheet.title, sheet.kind) for sheet in columns[0]] == [("One", ""), ("Try it", "try"), ("One", "")]
    assert [part.kind for part in columns[0][2].parts] == ["prose", "code"]


def test_the_whole_of_a_long_text_is_in_the_notes():
    long = "The host looks at each of them in turn. " * 12
    columns = cut(text(f"## One\n\n{long}", "slide"), text("*To the teacher:* wait.", "notes"))
    (sheet,) = columns[0]
    assert len(sheet.notes) == 2 and sheet.notes[0].count("in turn") == 12 and "wait" in sheet.notes[1]


def test_an_author_can_say_what_stands_on_the_slide():
    ((sheet,),) = cut(text("## One\n\n<!-- slide:\n**This.**\n-->\n\nAll the rest.", "slide"))
    assert "This." in sheet.parts[0].html and "rest" not in sheet.parts[0].html and "rest" in sheet.notes[0]


def test_without_code_only_what_it_shows_is_there():
    assert shape(cut(text("## One", "slide"), code("look()", shows=[PICTURE]), code=False)) == [[("One", ["picture"])]]


def test_a_question_then_what_happened_then_the_answer():
    """The code that asks and compares isn't for the back row."""
    guess = predict("How many?", [0, 1])
    asks = code('vm = guest.vm()\nguess = predict("How many?", [0, 1])\nguess', shows=[guess._repr_mimebundle_()])
    told = code("guess.compare(1)", shows=[guess.compare(1)._repr_mimebundle_()])
    ((first, second, third),) = cut(text("## One\n\nThink.", "slide"), asks, code("run()", shows=[PICTURE]), told)
    assert [part.kind for part in first.parts] == ["prose", "code", "question"] and "predict" not in first.parts[1].html
    assert [part.kind for part in second.parts] == ["code", "picture"]
    assert [part.kind for part in third.parts] == ["answer"] and "How many?" in third.parts[0].html


@pytest.mark.parametrize(
    ("source", "rest"),
    [
        ('x = predict("?", [1, 2])\nx', ""),
        ('ends = ["a", "b"]\nends += ["c"]\nx = predict("?", ends)\nx', ""),
        ('lab = rmap_lab()\nx = predict("?", [1, 2])\nx', "lab = rmap_lab()"),
        ('ends = {1: "a"}\nx = predict("?", [*ends.values()])\nx', ""),
        ('vm = guest.vm()\nx = predict("?", [vm.root, 2])\nx', "vm = guest.vm()"),
        ('gva = 0x1000\nvm.access(gva)\nx = predict("?", [gva, 2])', "gva = 0x1000\nvm.access(gva)"),
        ("%time x = predict('?', [1, 2])", "%time x = predict('?', [1, 2])"),
    ],
)
def test_beside_a_question_only_code_that_does_something_stays(source, rest):
    assert beside_question(source) == rest


def test_a_heading_is_text_and_its_marks_are_not_lost():
    columns = cut(text("## A **wrong** idea: `x < 3`", "slide"))
    assert columns[0][0].title == "A <em>wrong</em> idea: <code>x &lt; 3</code>"


def test_links_lead_to_other_decks_or_lose_their_link():
    source = "## One\n\n[next](07_next.ipynb), [task](../exercises/04/README.md), [site](https://example.org)"
    ((sheet,),) = cut(text(source, "slide"), links={"07_next.ipynb": "07_next.html"})
    html = sheet.parts[0].html
    assert '<a href="07_next.html">next</a>' in html and "<a" not in html[html.index("task") - 9 : html.index("task")]
    assert 'href="https://example.org"' in html
