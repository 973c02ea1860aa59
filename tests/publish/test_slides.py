# SPDX-License-Identifier: GPL-2.0-only
"""The cells of a notebook become slides."""

from functools import cache
from pathlib import Path

import pytest
from nbformat.v4 import new_raw_cell

from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import predict, watch
from kvmmmu_lab.publish.anchors import Anchors
from kvmmmu_lab.publish.links import Links
from kvmmmu_lab.publish.metadata import Metadata, notebook_metadata
from kvmmmu_lab.publish.notices import Notices
from kvmmmu_lab.publish.slides import heading_anchors, slides

from .books import book, code, text

PICTURE = {"image/svg+xml": "<svg width='10' height='10'></svg>", "text/plain": "a picture"}


def made(*cells, **options):
    return slides(book(*cells), Path("talk.ipynb"), **options)


def shape(slides):
    return [(slide.title, [element.kind for element in slide.elements]) for slide in slides]


def test_slideshow_metadata_mark_the_beginning_of_slides():
    cells = [text("# Talk", "slide"), text("## One\n\nA thought.", "slide"), text("More.", "subslide"), text("No.", "skip")]
    assert shape(made(*cells)) == [("Talk", []), ("One", ["prose"]), ("One", ["prose"])]


def test_without_metadata_headings_mark_the_beginning_of_slides():
    slides = made(text("# Talk\n\nHello."), text("## One"), code("1 + 1", shows=[{"text/plain": "2"}]), text("### And"))
    assert shape(slides) == [("Talk", ["prose"]), ("One", ["code", "text"]), ("And", [])]


@pytest.mark.parametrize("kind", [None, "slide"])
def test_headings_and_thematic_breaks_inside_a_cell_begin_slides(kind):
    slides = made(text("## One\n\na\n\n---\n\nb\n\n## Two\n\nc\n\n#### In the text\n\nd", kind), text("---"), text("e"))
    assert shape(slides) == [("One", ["prose"]), ("One", ["prose"]), ("Two", ["prose"]), ("Two", ["prose"])]
    assert [slide.continued for slide in slides] == [False, True, False, True]
    assert "In the text" in slides[2].elements[0].html


def test_a_comment_of_the_author_can_give_a_slide_another_title_and_begin_more_slides():
    comment = "<!-- slide: ## The host fills one entry\n\n- why?\n\n---\n\nmore\n\n## Two\n-->"
    cell = text(f"{comment}\n\n## Watch\n\nLong text.", "slide")
    slides = made(cell, code("f()"), text("<!-- slide: ## Three -->\n\nMore text."))
    titles = ["The host fills one entry", "The host fills one entry", "Two", "Three"]
    assert shape(slides) == list(zip(titles, [["prose"], ["prose"], ["code"], []], strict=True))
    assert ["Long text" in "".join(slide.notes) for slide in slides] == [True, False, False, False]
    assert "More text" in slides[3].notes[0]


def test_a_code_cell_can_begin_a_slide_with_a_title():
    cell = code("f()")
    cell.metadata["slideshow"] = {"slide_type": "subslide", "title": "An entry *without* W"}
    assert shape(made(text("## One", "slide"), cell)) == [("One", []), ("An entry <em>without</em> W", ["code"])]


def test_a_raw_cell_is_on_no_slide():
    assert shape(made(new_raw_cell("---\ntitle: x\n---"), text("## One"))) == [("One", [])]


def test_nothing_of_a_long_cell_is_left_out():
    items = "\n".join(f"- topic {n}: chapters {n} and {n + 1} of the book by Tanenbaum" for n in range(30))
    (slide,) = made(text(f"## Exam\n\n{items}"), code("f()", shows=[{"text/plain": "x\n" * 300}]))
    assert slide.elements[0].html.count("<li>") == 30 and slide.elements[2].html.count("x") == 300 and not slide.notes


def test_code_and_its_picture_stand_beside_each_other():
    (slide,) = made(text("## One", "slide"), code("look()", shows=[PICTURE]))
    assert slide.kind == "beside"
    assert [[element.kind for element in part] for part in slide.elements[0].parts] == [["code"], ["picture"]]
    (slide,) = made(text("## One", "slide"), code("look()", shows=[PICTURE, {"text/plain": "after"}]))
    assert [element.kind for element in slide.elements] == ["code", "picture", "text"], "outputs keep their order"


@cache
def a_film():
    """A film as the output of a cell, and its title."""
    vm = open_guest("lin64_A").vm()
    film = watch(lambda: vm.access(0x343C6000, user=True), vm, [0x343C6000])
    return film._repr_mimebundle_(), film.title


def test_a_film_has_a_slide_of_its_own_with_its_code_folded():
    film, _ = a_film()
    slides = made(text("## One\n\nLook.", "slide"), code("watch()", shows=[film]), text("And then."))
    assert shape(slides) == [("One", ["prose"]), ("One", ["code", "film"]), ("One", ["prose"])]
    assert slides[1].elements[0].folded and [slide.kind for slide in slides] == ["prose", "film", "closing"]


def test_every_slide_has_a_title():
    slides = made(code("a = 1", "slide"), text("Text."), code("b = 2", "slide"), metadata=Metadata(title="My talk"))
    assert [slide.title for slide in slides] == ["My talk", "My talk", "My talk"]


def test_elements_know_their_cells():
    (slide,) = made(text("No.", "skip"), text("## One\n\na", "slide"), code("b"))
    assert [element.cell for element in slide.elements] == [2, 3]


def test_a_condensed_deck_shows_summaries_and_the_notes_contain_the_whole_text():
    long = "The host looks at each of them in turn. " * 12
    (slide,) = made(text(f"## One\n\n{long}", "slide"), text("*To the teacher:* wait.", "notes"), condense=True)
    assert slide.elements[0].html.count("in turn") < 12
    assert len(slide.notes) == 2 and slide.notes[0].count("in turn") == 12 and "wait" in slide.notes[1]


def test_a_condensed_deck_cuts_long_printed_text_tables_and_listings():
    for printed in ("x" * 5000, "x\n" * 5000):
        (slide,) = made(text("## One", "slide"), code("f()", shows=[{"text/plain": printed}]), condense=True)
        assert slide.elements[1].html.count("\n") < 16 and "more lines)" in slide.elements[1].html
    table = "| a | b |\n| - | - |\n" + "\n".join(f"| {n} | x |" for n in range(60))
    listing = "```python\n" + "\n".join(f"a_{n} = 1" for n in range(60)) + "\n```"
    for long in (table, listing):
        (slide,) = made(text(f"## One\n\n{long}", "slide"), condense=True)
        assert "more lines)" in slide.elements[0].html and "59" in slide.notes[0]


def test_successive_cells_for_learners_become_one_hands_on_slide():
    tried = [code("rmap_lab()", None, "try-it"), code("check()", None, "try-it")]
    slides = made(text("## Your turn", "slide"), *tried, text("## End", "slide"))
    assert [slide.kind for slide in slides] == ["hands-on", "section"]
    assert "talk.ipynb" in slides[0].elements[0].html


def test_the_next_cell_after_a_hands_on_slide_begins_another_slide():
    slides = made(text("## One\n\nLook.", "slide"), code("pick()", None, "try-it"), text("And now."), code("f()"))
    assert shape(slides) == [("One", ["prose"]), ("Try it", ["prose", "code"]), ("One", ["prose", "code"])]


def test_a_comment_replaces_the_text_on_the_slide_and_the_text_is_in_the_notes():
    for cell in (
        "<!-- slide:\n**This.**\n-->\n## One\n\nAll the rest.",
        "## One\n\n<!-- slide: **This.** -->\n\nAll the rest.",
    ):
        (slide,) = made(text(cell, "slide"))
        assert "This." in slide.elements[0].html and "rest" not in slide.elements[0].html and "rest" in slide.notes[0]


def test_without_code_only_its_output_is_shown():
    assert shape(made(text("## One", "slide"), code("look()", shows=[PICTURE]), code=False)) == [("One", ["picture"])]


def ask_and_answer(*tags):
    """A cell that asks for a prediction, one that shows what happens, and one that compares."""
    guess = predict("How many?", [0, 1])
    asks = code('guess = predict("How many?", [0, 1])\nguess', None, *tags[:1], shows=[guess._repr_mimebundle_()])
    told = code("guess.compare(1)", None, *tags[1:], shows=[guess.compare(1)._repr_mimebundle_()])
    return asks, code("run()", shows=[PICTURE]), told


def test_cells_tagged_question_and_answer_show_their_output_without_their_code():
    cells = text("## One\n\nThink.", "slide"), code("vm = guest.vm()"), *ask_and_answer("question", "answer")
    first, second = made(*cells)
    assert [element.kind for element in first.elements] == ["prose", "code", "question"] and first.kind == "question"
    assert [element.kind for element in second.elements] == ["parts", "answer"], "the audience answers first"
    assert "How many?" in second.elements[1].html


def test_the_same_cells_without_tags_are_ordinary_cells():
    (slide,) = made(text("## One", "slide"), *ask_and_answer())
    assert [element.kind for element in slide.elements] == ["code", "text", "parts", "code", "text"]
    assert "predict" in slide.elements[0].html


def test_a_heading_keeps_its_bold_text_and_code():
    (slide,) = made(text("## 1. A **wrong** [idea](https://example.org): `x < 3`", "slide"))
    assert slide.title == "1. A <strong>wrong</strong> idea: <code>x &lt; 3</code>"


def test_links_lead_to_other_decks_or_are_removed():
    source = "## One\n\n[next](07_next.ipynb), [task](../exercises/04/README.md), [site](https://example.org)"
    (slide,) = made(text(source, "slide"), links=Links({"07_next.ipynb": "07_next.html"}, lambda name: Anchors()))
    html = slide.elements[0].html
    assert '<a href="07_next.html">next</a>' in html and "<a" not in html[html.index("task") - 9 : html.index("task")]
    assert 'href="https://example.org"' in html


def test_the_text_after_an_answer_is_prose_with_its_own_slide_comment():
    more = {"text/markdown": "<!-- slide:\n**Short.**\n-->\nLong and *winding*.", "text/plain": "Long and *winding*."}
    said = {"text/html": "<p>It was: 1.</p>", "text/plain": "It was: 1."}
    reveals = code("guess.reveal()", None, "answer", shows=[said, more])
    (slide,) = made(text("## One", "slide"), reveals)
    assert [element.kind for element in slide.elements] == ["answer", "prose"]
    assert "Short." in slide.elements[1].html and "winding" not in slide.elements[1].html and "winding" in slide.notes[0]


def test_links_between_lessons_are_on_no_slide():
    slides = made(text("[All lessons](start.ipynb)", None, "navigation"), text("## One\n\nThink.", "slide"))
    assert [slide.title for slide in slides] == ["One"]


# Titles, and slides with a layout of their own


def test_the_first_heading_of_level_1_is_the_title_slide():
    known = Metadata(subtitle="One step at a time", author="A. Lecturer", course="Operating systems", date="2026-11-28")
    first, second = made(text("# Paging\n\nWho fills the hole?"), text("## One\n\na"), metadata=known)
    assert (first.kind, first.title, second.kind) == ("title", "Paging", "closing")
    assert [element.kind for element in first.elements] == ["subtitle", "prose", "byline"]
    assert "A. Lecturer" in first.elements[2].html and "2026-11-28" in first.elements[2].html


def test_a_long_text_below_the_first_heading_goes_to_the_next_slide():
    first, second, _ = made(text(f"# Paging\n\n{'A long text. ' * 30}"), text("## One"))
    assert (first.kind, first.elements, second.title, second.continued) == ("title", [], "Paging", True)


def test_metadata_make_a_title_slide_before_the_first_heading():
    front = new_raw_cell("---\ntitle: My talk\nauthor: A. Lecturer\n---")
    notebook = book(front, text("## First slide\n\nHello"), text("---"), text("Second"))
    found = slides(notebook, Path("talk.ipynb"), metadata=notebook_metadata(notebook))
    assert shape(found) == [("My talk", ["byline"]), ("First slide", ["prose"]), ("First slide", ["prose"])]


def test_without_a_heading_of_level_1_and_without_metadata_there_is_no_title_slide():
    assert [slide.kind for slide in made(text("## One\n\na"), text("## Two\n\nb"))] == ["prose", "closing"]


def test_a_heading_alone_is_a_section_slide_and_so_is_a_chapter_with_a_short_text():
    found = made(text("# Talk"), text("## Alone"), text("### a\n\na"), text("# Chapter\n\nShort."), text("## b\n\nb"))
    assert [slide.kind for slide in found] == ["title", "section", "prose", "section", "closing"]


def test_a_film_without_a_heading_before_it_gives_its_slide_a_title():
    film, title = a_film()
    first, second = made(code("watch()", shows=[film]), code("b", shows=[{"text/plain": "2"}]))
    assert (first.title, second.title) == (title, "Talk")


def test_the_metadata_of_a_cell_give_its_slide_a_title():
    cell = text("## In the notebook\n\na")
    cell.metadata["slideshow"] = {"title": "An entry *without* W"}
    assert shape(made(cell)) == [("An entry <em>without</em> W", ["prose"])]


# What an author can write


def test_columns_stand_beside_each_other_and_may_contain_other_cells():
    plot = code("plot()", None, "remove-input", shows=[PICTURE])
    (slide,) = made(text("## One\n\n<!-- columns -->\nleft\n<!-- column 60% -->"), plot, text("<!-- end columns -->\n\nafter"))
    columns, after = slide.elements
    assert [[element.kind for element in part] for part in columns.parts] == [["prose"], ["picture"]]
    assert columns.widths == [0, 60] and after.kind == "prose" and not columns.code_and_picture


def test_a_new_slide_ends_columns_and_one_column_is_no_columns():
    one, two = made(text("## One\n\n<!-- columns -->\nleft"), text("## Two\n\nb"))
    assert shape([one, two]) == [("One", ["prose"]), ("Two", ["prose"])]


@pytest.mark.parametrize(
    "cell", [text("<!-- incremental -->\n- a\n  - inner\n- b"), text("- a\n  - inner\n- b", None, "incremental")]
)
def test_items_of_incremental_lists_are_fragments(cell):
    (slide,) = made(text("## One"), cell)
    assert slide.elements[0].html.count('<li class="fragment">') == 2 and slide.elements[0].html.count("<li>") == 1


def test_a_fragment_stays_with_the_plot_that_it_belongs_to():
    cells = (
        text("## Plot", "slide"),
        code("plot()", shows=[PICTURE]),
        text("- the peak", "fragment"),
        text("- the tail", "fragment"),
    )
    (slide,) = made(*cells)
    assert [(element.kind, element.fragment) for element in slide.elements] == [
        ("parts", False),
        ("prose", True),
        ("prose", True),
    ]


def test_lines_of_code_are_highlighted_and_wrong_steps_are_reported():
    notices = Notices()
    (slide,) = made(text("## One"), code("# highlight: 1|2\na\nb"), code("c", None, "highlight=x"), notices=notices)
    assert slide.elements[0].html.count("code-line") == 2 and "highlight:" not in slide.elements[0].html
    assert [notice.cell for notice in notices] == [3]


def test_text_for_the_speaker_is_in_the_notes():
    (slide,) = made(text("## One\n\na\n\n::: {.notes}\nSay it slowly.\n:::"))
    assert "slowly" in slide.notes[0] and "slowly" not in slide.elements[0].html


def test_links_lead_to_headings_in_the_same_deck_and_in_others():
    other = book(text("# Other"), text("## A `code` heading"))
    links = Links({"other.ipynb": "other.html"}, lambda name: heading_anchors(other))
    source = "[here](#Watch-one-fault) [too](#watch-one-fault) [there](other.ipynb#A-code-heading) [none](#nowhere)"
    first, second = made(text(f"## One\n\n{source}"), text("## Watch one fault\n\na"), links=links)
    assert second.anchor == "Watch-one-fault" and first.elements[0].html.count('href="#/Watch-one-fault"') == 2
    assert 'href="other.html#A-code-heading"' in first.elements[0].html


def test_slides_with_the_same_heading_have_different_anchors():
    assert [slide.anchor for slide in made(text("## One"), text("## One"), text("## 2007"))] == ["One", "One-2", ""]


def test_a_link_may_be_defined_in_another_section():
    first, second = made(text("## One\n\n[a][x]\n\n## Two\n\n[b][x]\n\n[x]: https://example.org"))
    assert all('href="https://example.org"' in slide.elements[0].html for slide in (first, second))
