# SPDX-License-Identifier: GPL-2.0-only
"""The start page of the live course: it says where a learner's work is, and has buttons to download and upload it."""

from __future__ import annotations

import json
from typing import Any

from ..files import parse_json

FOR_COMPUTERS = "computer"
"""The tag of cells that are right on a computer only. The live start page has others instead."""

WORDS = """\
## Your work is in this browser

This page and the other notebooks save what you change **in this browser, on this computer**. It is there when you reload the
page, when you come back another day, and when the course has a new version. If a notebook that you have changed has a new
version, that is next to yours, as `NAME.new.ipynb`.

Nobody else sees your work, and no other browser has it. A **private window** forgets it when you close the window. It is
also **lost if you clear the browser's data** for this page. So download a copy now and then: one zip with the notebooks and
exercises that you have changed, and your progress. You can hand it in, or upload it here, in another browser or on another
computer. An upload replaces nothing that you have changed here.

Below are the two buttons. If you don't see them, run the cell: click on it and press <kbd>Shift</kbd>+<kbd>Enter</kbd>."""

ABOVE_THE_TABLE = """\
The cell below runs by itself once Python has started, and shows the lessons, the exercises and your progress; click on a
lesson or an exercise to open it. If you see no table, run the cell: click on it and press <kbd>Shift</kbd>+<kbd>Enter</kbd>.
The table follows what you do in the other notebooks."""

BUTTONS = """\
from kvmmmu_lab.work import my_work

my_work()"""


def live_start_page(notebook: bytes) -> bytes:
    """Return the start page with cells about the browser's storage instead of those about this computer."""
    book = parse_json(notebook)
    cells = [cell for cell in book["cells"] if FOR_COMPUTERS not in cell.get("metadata", {}).get("tags", ())]
    table = next((number for number, cell in enumerate(cells) if cell["cell_type"] == "code"), len(cells))
    cells.insert(table, _cell("markdown", "above-the-table", ABOVE_THE_TABLE))
    book["cells"] = [*cells, _cell("markdown", "where-work-is", WORDS), _cell("code", "my-work", BUTTONS)]
    return json.dumps(book, indent=1, ensure_ascii=False).encode() + b"\n"


def code_of(notebook: bytes) -> list[str]:
    """Return the source of each code cell of a notebook."""
    return ["".join(cell["source"]) for cell in parse_json(notebook)["cells"] if cell["cell_type"] == "code"]


def _cell(kind: str, name: str, source: str) -> dict[str, Any]:
    cell = {"cell_type": kind, "id": name, "metadata": {}, "source": source.splitlines(keepends=True)}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
