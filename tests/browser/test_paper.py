# SPDX-License-Identifier: GPL-2.0-only
"""Decks on paper: `--pdf` and the browser's own command print the same handout."""

import re

import pytest

from ..publish.books import FILM, code, saved, text
from ..publish.pdf import Pdf
from .test_decks import command, opened

pytestmark = pytest.mark.slow

TALK = (
    text("# My talk\n\nAbout [the kernel](https://example.org/kernel) and [another talk](other.ipynb)."),
    text("## Two maps\n\n- one\n- two", "slide"), text("A fragment.", "fragment"),
    text("Say this aloud. <small>Press <kbd>J</kbd>, x<sup>2</sup>.</small>", "notes"),
    text("## Much code"), code("\n".join(f"line_{number} = {number}" for number in range(70))),
    text("## A table\n\n| n | square |\n| --- | --- |\n" + "\n".join(f"| {n} | {n * n} |" for n in range(40))),
    text("## More\n\n<details><summary>Why?</summary>Because of the tables.</details>"),
    text('<div style="max-height: 90px; overflow: auto">' + "".join(f"<p>scrolled {n}</p>" for n in range(12)) + "</div>"),
    text("\\begin{align}\\sqrt{" + "+".join(f"x_{{{n}}}" for n in range(90)) + "} &= 1\\end{align}"),
    text("## A fault fills the shadow"), code(FILM), text("## The end\n\nThat is all."),
)  # fmt: skip


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """The folder with a dark deck, made with `--pdf --notes`."""
    folder = tmp_path_factory.mktemp("paper")
    command("slides", saved(folder, *TALK), "--out", folder, "--pdf", "--notes", "--theme", "dark")
    return folder


@pytest.fixture(scope="module")
def pdf(printed):
    return Pdf(printed / "talk.pdf")


def test_all_text_on_paper_can_be_read_and_no_page_is_nearly_empty(pdf):
    assert pdf.smallest >= 9
    assert not pdf.thin_pages()


def test_all_that_the_slides_say_is_on_paper(pdf):
    for words in ("About the kernel", "A fragment.", "Because of the tables.", "That is all.", "38 1444", "39 1521"):
        assert pdf.says(words)
    assert pdf.says("scrolled 11")
    assert all(pdf.says(f"line_{number} = {number}") for number in range(70))


def test_a_film_on_paper_is_the_list_of_its_steps_with_pictures_of_some(pdf):
    words = pdf.text
    shown = re.search(r"Steps ([\d, and]+) of 15 are shown", words)
    assert shown and 3 <= len(re.findall(r"\d+", shown[1])) <= 6
    assert all(f"{number}. " in words for number in range(1, 16))
    pictures = sum(text.count("PML4") for text in pdf.texts)
    assert pictures == len(re.findall(r"\d+", shown[1]))


def test_pages_have_numbers_and_the_title_at_their_foot(pdf):
    for number in range(1, len(pdf.texts) + 1):
        assert pdf.says(f"{number} / {len(pdf.texts)}")
    assert all("Mytalk" in "".join(words.split()) for words in pdf.texts)


def test_readers_with_a_screen_reader_get_tags_an_outline_a_title_and_the_language(pdf, printed):
    assert pdf.tagged and pdf.title == "My talk"
    assert pdf.outline == ["My talk", "Two maps", "Much code", "A table", "More", "A fault fills the shadow", "The end"]
    assert re.search(rb"/Lang ?\(en\)", (printed / "talk.pdf").read_bytes())


def test_links_lead_to_the_web_and_name_no_file_of_this_machine(pdf, printed):
    assert pdf.links == ["https://example.org/kernel"]
    assert b"file:" not in (printed / "talk.pdf").read_bytes()


def test_a_table_and_code_that_are_on_several_slides_are_whole_on_paper(pdf):
    assert pdf.text.count("square") <= 3  # the head of the table, repeated in each column
    assert pdf.outline.count("Much code") == 1


def test_a_dark_deck_prints_light(pdf):
    assert all(pdf.brightness(page) > 225 for page in range(len(pdf.texts)))


def test_the_browser_prints_what_the_command_prints(pdf, printed, page, tmp_path):
    opened(page, printed / "talk.html")
    page.evaluate("kvmmmu.deck.next()")
    page.pdf(path=tmp_path / "own.pdf")
    own = Pdf(tmp_path / "own.pdf")  # on Letter, to which A4 is scaled
    assert own.texts == pdf.texts and own.smallest >= 9
    assert page.evaluate("document.body.dataset.jpThemeLight") == "false" and not page.query_selector(".handout")
    assert pdf.says("Say this aloud.")
    page.evaluate("document.body.dataset.notes = ''")
    page.pdf(path=tmp_path / "own.pdf")
    assert not Pdf(tmp_path / "own.pdf").says("Say this aloud.")


def test_the_print_view_of_reveal_prints_the_handout_too(pdf, printed, page, tmp_path):
    page.goto((printed / "talk.html").as_uri() + "?print-pdf")
    page.wait_for_selector("body.ready")
    page.pdf(path=tmp_path / "own.pdf")
    assert Pdf(tmp_path / "own.pdf").texts == pdf.texts
