# SPDX-License-Identifier: GPL-2.0-only
"""The cells of a notebook become slides."""

from pathlib import Path

from kvmmmu_lab.labs import predict
from kvmmmu_lab.publish.slides import slides

from .books import book, code, text

PICTURE = {"image/svg+xml": "<svg width='10' height='10'></svg>", "text/plain": "a picture"}


def made(*cells, **options):
    return slides(book(*cells), Path("talk.ipynb"), **options)


def shape(columns):
    return [[(slide.title, [element.kind for element in slide.elements]) for slide in column] for column in columns]


def test_slideshow_metadata_mark_the_beginning_of_slides():
    cells = [text("# Talk", "slide"), text("## One\n\nA thought.", "slide"), text("More.", "subslide"), text("No.", "skip")]
    columns = made(*cells)
    assert shape(columns) == [[("Talk", [])], [("One", ["prose"]), ("One", ["prose"])]]


def test_without_metadata_headings_mark_the_beginning_of_slides():
    columns = made(text("# Talk\n\nHello."), text("## One"), code("1 + 1", shows=[{"text/plain": "2"}]), text("### And"))
    assert shape(columns) == [[("Talk", ["prose"])], [("One", ["code", "text"]), ("And", [])]]


def test_a_second_picture_goes_to_the_next_slide():
    columns = made(text("## One", "slide"), code("look()", shows=[PICTURE, PICTURE]))
    assert shape(columns) == [[("One", ["code", "picture"]), ("One", ["picture"])]]


def test_a_full_slide_is_continued():
    columns = made(text("## One", "slide"), *(code("\n".join(f"line_{n} = {n}" for n in range(10))) for _ in range(2)))
    assert shape(columns) == [[("One", ["code"]), ("One", ["code"])]]


def test_long_code_is_continued_on_more_slides_and_nothing_is_lost():
    source = "\n".join(f"line_{n} = {n}" + "\n" * (n % 10 == 9) for n in range(40))
    columns = made(text("## One", "slide"), code(source, shows=[PICTURE]))
    pieces = [element for slide in columns[0] for element in slide.elements]
    assert [element.kind for element in pieces] == ["code"] * 4 + ["picture"]
    assert all(f"line_{n}" in "".join(element.html for element in pieces) for n in range(40))
    assert max(element.html.count("\n") for element in pieces) < 20


def test_long_printed_text_is_cut():
    for printed in ("x" * 5000, "x\n" * 5000):
        ((slide,),) = made(text("## One", "slide"), code("f()", shows=[{"text/plain": printed}]))
        assert slide.elements[1].html.count("\n") < 16 and "more lines)" in slide.elements[1].html


def test_long_tables_and_listings_in_a_text_are_cut():
    table = "| a | b |\n| - | - |\n" + "\n".join(f"| {n} | x |" for n in range(60))
    listing = "```python\n" + "\n".join(f"a_{n} = 1" for n in range(60)) + "\n```"
    for long in (table, listing):
        ((slide,),) = made(text(f"## One\n\n{long}", "slide"))
        assert "more lines)" in slide.elements[0].html and slide.lines < 25 and "59" in slide.notes[0]


def test_successive_cells_for_learners_become_one_hands_on_slide():
    tried = [code("rmap_lab()", None, "try-it"), code("check()", None, "try-it")]
    columns = made(text("## Your turn", "slide"), *tried, text("## End", "slide"))
    assert [[slide.kind for slide in column] for column in columns] == [["hands-on"], [""]]
    assert "talk.ipynb" in columns[0][0].elements[0].html


def test_the_next_cell_after_a_hands_on_slide_begins_another_slide():
    columns = made(text("## One\n\nLook.", "slide"), code("pick()", None, "try-it"), text("And now."), code("f()"))
    assert [(slide.title, slide.kind) for slide in columns[0]] == [("One", ""), ("Try it", "hands-on"), ("One", "")]
    assert [element.kind for element in columns[0][2].elements] == ["prose", "code"]


def test_the_whole_of_a_long_text_is_in_the_notes():
    long = "The host looks at each of them in turn. " * 12
    columns = made(text(f"## One\n\n{long}", "slide"), text("*To the teacher:* wait.", "notes"))
    (slide,) = columns[0]
    assert len(slide.notes) == 2 and slide.notes[0].count("in turn") == 12 and "wait" in slide.notes[1]


def test_a_comment_replaces_the_summary_on_the_slide():
    ((slide,),) = made(text("## One\n\n<!-- slide:\n**This.**\n-->\n\nAll the rest.", "slide"))
    assert "This." in slide.elements[0].html and "rest" not in slide.elements[0].html and "rest" in slide.notes[0]


def test_without_code_only_its_output_is_shown():
    assert shape(made(text("## One", "slide"), code("look()", shows=[PICTURE]), code=False)) == [[("One", ["picture"])]]


def ask_and_answer(*tags):
    """A cell that asks for a prediction, one that shows what happens, and one that compares."""
    guess = predict("How many?", [0, 1])
    asks = code('guess = predict("How many?", [0, 1])\nguess', None, *tags[:1], shows=[guess._repr_mimebundle_()])
    told = code("guess.compare(1)", None, *tags[1:], shows=[guess.compare(1)._repr_mimebundle_()])
    return asks, code("run()", shows=[PICTURE]), told


def test_cells_tagged_question_and_answer_show_their_output_without_their_code():
    cells = text("## One\n\nThink.", "slide"), code("vm = guest.vm()"), *ask_and_answer("question", "answer")
    ((first, second, third),) = made(*cells)
    assert [element.kind for element in first.elements] == ["prose", "code", "question"]
    assert [element.kind for element in second.elements] == ["code", "picture"], "the audience answers first"
    assert [element.kind for element in third.elements] == ["answer"] and "How many?" in third.elements[0].html


def test_the_same_cells_without_tags_are_ordinary_cells():
    columns = made(text("## One", "slide"), *ask_and_answer())
    kinds = [kind for _, kinds in shape(columns)[0] for kind in kinds]
    assert kinds == ["code", "text", "code", "picture", "code", "text"]
    assert "predict" in columns[0][0].elements[0].html


def test_a_heading_keeps_its_bold_text_and_code():
    columns = made(text("## A **wrong** idea: `x < 3`", "slide"))
    assert columns[0][0].title == "A <em>wrong</em> idea: <code>x &lt; 3</code>"


def test_links_lead_to_other_decks_or_are_removed():
    source = "## One\n\n[next](07_next.ipynb), [task](../exercises/04/README.md), [site](https://example.org)"
    ((slide,),) = made(text(source, "slide"), links={"07_next.ipynb": "07_next.html"})
    html = slide.elements[0].html
    assert '<a href="07_next.html">next</a>' in html and "<a" not in html[html.index("task") - 9 : html.index("task")]
    assert 'href="https://example.org"' in html


def test_the_style_of_a_question_takes_no_room():
    style = "<style>" + "a { b: c }\n" * 40 + "</style>"
    asks = code("guess", None, "question", shows=[{"text/html": f"<p>How many?</p>{style}"}])
    (slide,) = made(text("## One\n\nThink.", "slide"), asks)[0]
    assert [element.kind for element in slide.elements] == ["prose", "question"]


def test_the_text_after_an_answer_is_prose_with_its_own_slide_comment():
    more = {"text/markdown": "<!-- slide:\n**Short.**\n-->\nLong and *winding*.", "text/plain": "Long and *winding*."}
    said = {"text/html": "<p>It was: 1.</p>", "text/plain": "It was: 1."}
    reveals = code("guess.reveal()", None, "answer", shows=[said, more])
    (slide,) = made(text("## One", "slide"), reveals)[0]
    assert [element.kind for element in slide.elements] == ["answer", "prose"]
    assert "Short." in slide.elements[1].html and "winding" not in slide.elements[1].html and "winding" in slide.notes[0]


def test_links_between_lessons_are_on_no_slide():
    columns = made(text("[All lessons](start.ipynb)", None, "navigation"), text("## One\n\nThink.", "slide"))
    assert [slide.title for column in columns for slide in column] == ["One"]
