# SPDX-License-Identifier: GPL-2.0-only
"""Cells are rendered with what the whole notebook knows: definitions of links, files, notices."""

import pytest
from nbformat.v4 import new_raw_cell

from kvmmmu_lab.publish.cell_renderer import CellRenderer
from kvmmmu_lab.publish.notices import Notices
from kvmmmu_lab.publish.slides import slides

from .books import book, code, text


def renderer(folder, *cells, **options):
    return CellRenderer(book(*cells), folder, **options)


def test_links_and_footnotes_may_be_defined_in_any_cell(tmp_path):
    made = renderer(
        tmp_path,
        text("[a paper][one], [own][two][^n]\n\n[two]: https://example.org/own"),
        code("1"),
        text("[one]: https://example.org/1\n[two]: https://example.org/2\n\n[^n]: The note."),
        text("[one]: https://example.org/later\n\n[later][one]"),
        text("[a paper][one]"),
    )
    assert 'href="https://example.org/1">a paper' in made.prose(1) and 'href="https://example.org/own">own' in made.prose(1)
    assert "The note." in made.prose(1) and made.prose(3).strip() == ""
    assert 'href="https://example.org/later">later' in made.prose(4) and 'href="https://example.org/1"' in made.prose(5)
    assert 'href="https://example.org/own">x' in made.prose(1, "[x][two]"), "a part of a cell uses the definitions of the cell"


def test_slides_show_no_reference_link_as_text(tmp_path):
    notebook = book(
        text(f"## One\n\nSee [a paper][one]. {'word ' * 50}\n\n[one]: https://example.org/1"), text("## Two\n\n[it][one]")
    )
    first, second = slides(notebook, tmp_path / "talk.ipynb")
    assert "[one]" not in first.elements[0].html + second.elements[0].html and "example.org/1" in second.elements[0].html


@pytest.mark.parametrize(
    ("metadata", "source", "kind", "shown"),
    [
        ({}, "a **b**\n<i>", "text", "<pre>a **b**\n&lt;i&gt;</pre>"),
        ({"raw_mimetype": "text/html"}, "<b>x</b><script>y()</script>", "prose", "<b>x</b>"),
        ({"format": "text/markdown"}, "**b**", "prose", "<strong>b</strong>"),
        (
            {"raw_mimetype": "text/latex"},
            "\\newpage",
            None,
            "the raw cell is left out: it is meant for another format (text/latex)",
        ),
    ],
)
def test_raw_cells_are_shown_as_they_are(tmp_path, metadata, source, kind, shown):
    notices = Notices()
    found = renderer(tmp_path, text("# T"), new_raw_cell(source, metadata=metadata), notices=notices).raw(2)
    if kind is None:
        assert found is None and [one.words for one in notices] == [shown] * bool(shown)
    else:
        assert (found.kind, found.html.strip().removeprefix("<p>").removesuffix("</p>")) == (kind, shown)


def test_front_matter_is_no_content(tmp_path):
    yaml = "---\ntitle: My talk\nauthor: A. Lecturer\n---"
    cells = new_raw_cell(yaml), text("## First slide\n\nHello"), text("---"), text("Second"), new_raw_cell(yaml)
    shown = "".join(element.html for slide in slides(book(*cells), tmp_path / "talk.ipynb") for element in slide.elements)
    assert shown.count("A. Lecturer") == 1 and "<pre>---\ntitle" in shown and "<h" not in shown


def test_details_are_open_where_nobody_can_click(tmp_path):
    cell = text("<details><summary>More</summary>x</details>")
    assert renderer(tmp_path, text('<details class="a" open><summary>x</summary></details>')).prose(1).count("open") == 1
    assert "<details open>" in renderer(tmp_path, cell).prose(1)
    assert "<details>" in renderer(tmp_path, cell, page=True).prose(1)


def test_attachments_are_embedded(tmp_path):
    cell = text("![one](attachment:my%20plan.png) ![two](attachment:gone.png)\n\n<img src='attachment:my plan.png' width=9>")
    cell["attachments"] = {"my plan.png": {"image/png": "AAAA"}}
    notices = Notices()
    shown = renderer(tmp_path, cell, notices=notices).prose(1)
    assert '<img alt="one" src="data:image/png;base64,AAAA"' in shown
    assert '<img src="data:image/png;base64,AAAA" width="9"/>' in shown
    assert list(map(str, notices)) == ["cell 1: the picture gone.png is left out: the cell has no such attachment"]
