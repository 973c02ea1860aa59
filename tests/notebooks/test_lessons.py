# SPDX-License-Identifier: GPL-2.0-only
"""Lessons: each notebook matches its source, is mostly prose, and runs from top to bottom unattended."""

import ast
import json
import re
from pathlib import Path

import jupytext
import nbformat
import pytest

from kvmmmu_lab import lessons
from kvmmmu_lab.labs import Builder
from kvmmmu_lab.lessons import lesson_06
from kvmmmu_lab.mmu.bits import CR0_WP, PRESENT, USER
from kvmmmu_lab.recording.narration import TAGS

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9]*.py"))
MODULES = sorted(Path(lessons.__file__).parent.glob("lesson_*.py"))
DRAWING = ("matplotlib", "graphviz", "svg", "digraph", "pyplot", ".plot(", "ipywidgets", "html", "display")


@pytest.fixture(params=sorted(NOTEBOOKS.glob("*.py")), ids=lambda path: path.stem)
def source(request):
    return request.param


@pytest.fixture
def notebook(source):
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def code_cells(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def code_lines(text):
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def test_there_are_lessons():
    assert LESSONS[0].stem == "00_first_fault"
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == {path.stem for path in NOTEBOOKS.glob("*.py")}


def test_the_notebook_is_built_from_its_source(source, notebook):
    """To build it: ``jupytext --to ipynb --update notebooks/NAME.py``."""

    def cells(book):
        return [(cell.cell_type, cell.source, dict(cell.metadata)) for cell in book.cells]

    assert cells(notebook) == cells(jupytext.read(source))


def test_the_notebook_is_clean_and_starts_its_kernel(notebook):
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


def test_it_is_mostly_prose(notebook):
    prose = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    words = re.findall(r"[A-Za-z]+", re.sub(r"<!--.*?-->|`[^`]*`", "", prose, flags=re.DOTALL))
    assert len(words) >= 10 * sum(len(code_lines(text)) for text in code_cells(notebook))


def test_cells_are_short_import_from_one_package_and_do_not_draw(notebook):
    for text in code_cells(notebook):
        assert len(code_lines(text)) <= 15
        assert not [word for word in DRAWING if word in text.lower()]
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] == "kvmmmu_lab" for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] == "kvmmmu_lab"


def test_lessons_quote_the_choices_of_a_film_as_they_are():
    quoted = []
    for path in [*LESSONS, *MODULES]:
        text = re.sub(r"\s*\n[# ]*", " ", path.read_text("utf-8"))
        quoted += re.findall(r"\*([^*]+)\* under \*Stop when\*", text)
        quoted += re.findall(r"\*Stop when\*(?:, for example)?,? \*([^*]+)\*", text)
    assert len(quoted) == 3 and set(quoted) <= set(TAGS.values())


def test_a_commit_is_called_a_commit():
    """A number such as 40907d5 means nothing to a reader who doesn't know what it is."""
    for path in [*LESSONS, *MODULES]:
        text = re.sub(r"\s*\n[# ]*", " ", path.read_text("utf-8"))
        numbers = re.findall(r"(\w+)\W+((?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{7,12})\b", text)
        assert not [number for before, number in numbers if before.lower() != "commit"]


@pytest.mark.slow
def test_an_entry_is_named_by_its_page_and_index(ran):
    for path in LESSONS:
        text = "\n".join(output.data.get("text/plain", "") for output in outputs(ran(path.stem)) if "data" in output)
        assert not re.findall(r"spte (?:0x)?[0-9a-f]{4,}\b", text)


def outputs(book):
    return [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]


@pytest.mark.slow
def test_it_runs_unattended(source, ran):
    if source not in LESSONS:
        pytest.skip("the start page has no pictures")
    found = outputs(ran(source.stem))
    assert not [output for output in found if output.output_type in ("error", "stream")]
    pages = [output.data["text/html"] for output in found if "text/html" in output.get("data", {})]
    # a saved notebook without a kernel shows pictures, or their text form, and text
    assert len([page for page in pages if "data:image/svg+xml;base64," in page or "<pre" in page]) >= 5
    assert not [page for page in pages if re.search(r"src=.https?:|@import|url\(http", page)]


@pytest.mark.slow
def test_it_is_saved_in_at_most_a_megabyte(source, ran):
    saved = {**ran(source.stem), "metadata": {}}  # JupyterLab doesn't save the state of widgets, unless it is told to
    assert len(json.dumps(saved, indent=1, ensure_ascii=False).encode()) <= 1_000_000


def test_lesson_0_ends_as_it_says(ran):
    text = "\n".join(output.data.get("text/plain", "") for output in outputs(ran("00_first_fault")))
    assert "It was: 4 entries." in text and "It was: #248:454 becomes empty." in text
    assert "133 entries: all in use" in text
    assert "457 Pw.ADGNX  gfn 0x61c9" in text, "0x61c9 - 0x6000 = 457"
    assert "gpa=0x29af000" in text, "the stale access reaches the old frame"
    assert "The shadow entry #248:454, which led to gfn 0x29af, is zapped:" in text
    assert "#248:454 is made from the guest's entry: PWUAD.NX gfn 0x29ae" in text


@pytest.fixture
def said(text_of):
    """A function that asserts that a notebook prints all these words, in this order."""

    def check(book, *words):
        text, at = "\n".join(map(text_of, outputs(book))), 0
        for word in words:
            at = text.find(word, at) + 1
            assert at, f"{word!r} is not printed, or not after the words before it"

    return check


def test_lesson_6_ends_as_it_says(ran, said):
    said(
        ran("06_reverse_maps"),
        "rmap 1 entry   #248:454",
        "It was: the entry, with W set.",  # a read is enough, and another CR3 changes nothing
        "records #244:431, its second, which takes a descriptor",
        "kept directly, one entry needs no descriptor",
        "3 P.UAD..   gfn 0x11",  # the read-only entry is not noted
        "[2, 2, 3]",
        "It was: at the write.",  # D is clear before
        "descriptor 2, 1 of 4 places",
        "It was: #248:1 #248:4 #248:3 | #248:5 #248:6.",
        "3 #248:2",  # the next entry goes to the first descriptor with room
        "It was: in the descriptor, in the first place.",
        "1 .......   empty",  # the entry was cleared first and is still in the map
        "the host would have crashed (BUG) in rmap_write_protect, mmu.c:430-433",
        "(['0x11', '0x11', '0x11'], ['#248:1'])",  # three addresses
        "#248:1 gets U back, because user code reads here.",
        "loses U: with CR0.WP clear the kernel may write here, but user code may not.",
        "The reverse map of gfn 0x11 records #248:1",
        "It was: the entry, twice.",
        "the host would have crashed (BUG) in rmap_write_protect, mmu.c:430-433",
    )


def test_lesson_6_finds_an_emptied_descriptor_gone(ran):
    film = next(
        output.data["text/plain"]
        for output in outputs(ran("06_reverse_maps"))
        if output.data.get("text/plain", "").startswith("Unmap 0x4000")
    )
    assert "descriptor 1, 2 of 4 places" in film and "descriptor 2" not in film and "0 #248:5" in film


def test_lesson_6_the_audit_would_have_complained_after_the_read():
    """As lesson 6 says, with the numbers 1 and 0. And the moving entry is the last one of the first descriptor."""
    old = Builder()
    old.map(0x1000, flags=PRESENT | USER)
    vm = old.start()
    vm.load_cr0(vm.cpu.cr0 & ~CR0_WP)
    vm.access(0x1000, write=True)
    assert not vm.audit()
    vm.access(0x1000, user=True)
    assert vm.audit() == [("rmap", (1, 0))]
    for mappings in (2, 4, 5, 8):
        lab = lesson_06.mapped(mappings)
        first, *others = lab.places()
        lab.unmap(0)
        assert lab.places() == [[first[-1], *first[1:-1]], *others]


@pytest.mark.slow
def test_lesson_7_ends_as_it_says(ran, said):
    flush = "The TLB is flushed: the processor forgets its translations."
    said(
        ran("07_write_protection"),
        "457 PW.ADGNX  gfn 0x61c9",
        "The reverse map of gfn 0x61c9 drops #248:457",
        flush,
        "#248:457 loses its W: gfn 0x61c9 is a page table now.",
        "457 Pw.ADGNX  gfn 0x61c9",
        "Access(outcome='ok', gpa=0x61c9e30, faults=0, error=None)",  # the kernel can still read its table
        "It was: only the write.",
        *(words for number in (1, 4, 3, 2, 5, 6) for words in (f"drops #248:{number}.", flush, f"#248:{number} loses its W")),
        "It was: 6.",
        "The new spte #248:8 has W for a moment.",
        "The spte #248:8 is made from the guest's entry: PwUAD.. gfn 0x11.",
        "It was: 1 fault, and an spte for the new mapping is left.",
        "14 tables are shadowed. 0 of them can be written.",
        "reaches gfn 0x61c9, without W.",
        "The shadow entry #245:454",
        "Guest memory changes only now",
        "It was: 4 fault, and the host performs 3.",  # the third of five stores drops the shadow
        "It was: all the time, even after this load of CR3.",
        "('emul', True)",
        "faults: 1 at heap page 2, 0 at heap page 1, which reaches gfn 0x29af",  # nothing is corrected
        "is zapped: its guest entry is about to change.',\n 'Guest memory changes only now",  # the zap, then the store
        "[(1, '0x29ae000'), (0, '0x29af000'), (0, '0x29af000')]",
        "Meanwhile the guest's other processor walks",  # the neighbour, between flush and protection
        "#248:1 loses its W: gfn 0x11 is a page table now.",
        "It was: nothing at all.",
        "The host carries out the store for the guest",  # in the second try
    )


def test_lesson_7_the_light_is_red_again_when_a_dropped_table_is_used():
    """As lesson 7 says of a table that is still in use after three stores in a row."""
    guest = Builder()
    guest.map(0x1000)
    guest.map(0x400000, gfn=guest.table(0x1000))
    vm = guest.start()
    vm.access(0x1000)
    vm.access(0x400000)
    stores = [vm.access(0x400800, write=True, value=0, size=8).outcome for _ in range(4)]
    assert stores == ["emul"] * 3 + ["ok"]
    assert vm.access(0x1000).faults == 1 and vm.access(0x1000).faults == 0
    assert vm.access(0x400800, write=True, value=0, size=8).outcome == "emul"
