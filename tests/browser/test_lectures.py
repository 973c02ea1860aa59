# SPDX-License-Identifier: GPL-2.0-only
"""Lectures of others become decks without losing a sentence: each is on a slide, whole and readable, or in the report."""

import base64
import re
import subprocess
import sys
from urllib.parse import unquote_to_bytes

import pytest

from ..publish.lectures import LECTURES
from ..publish.notebook_reader import Shown, drawing, missing, picture, squeezed
from .deck_measures import SCRIPT, measured

pytestmark = pytest.mark.slow

LAYOUT = re.compile(r": (?:cut|overlap|[a-z]+ of [\d.]+ px)|asks for|says|is not reached|no title")


@pytest.fixture(scope="session")
def lectures(tmp_path_factory):
    """Decks of all lectures, made by one command; and what its report says: {name: [(cell, words), ...]}."""
    folder = tmp_path_factory.mktemp("lectures")
    paths = [make().save(folder, name) for name, make in LECTURES.items()]
    command = [sys.executable, "-m", "kvmmmu_lab", "slides", *map(str, paths), "--out", str(folder), "--no-execute"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return folder, report(done.stdout)


def report(printed):
    """The notices of each notebook in what the command prints."""
    found, name = {}, None
    for line in printed.splitlines():
        if begin := re.match(r"Look at these in (.+)\.ipynb:$", line):
            name = found.setdefault(begin[1], [])
        elif name is not None and (notice := re.match(r"  (?:cell (\d+): )?(.+)$", line)):
            name.append((int(notice[1] or 0), notice[2]))
    return found


def content(source):
    """The bytes of a data URI."""
    head, _, data = source.partition(",")
    return base64.b64decode(data) if head.endswith(";base64") else unquote_to_bytes(data)


def name_of(found):
    kind, value = found
    if kind == "svg":
        return "svg:" + squeezed(value)
    if value.startswith("data:image/svg+xml"):
        return drawing(content(value).decode())
    return picture(content(value)) if value.startswith("data:") else value


def lost_from(read, path, notices):
    """The pieces of a notebook that are neither in what was read of slides or of a handout nor in the notices."""
    shown = Shown(
        squeezed("".join(part["text"] for part in read)),
        squeezed("".join(part["notes"] for part in read)),
        {name_of(one) for part in read for one in part["pictures"]},
        {cell for part in read for cell in part["cells"]},
    )
    return [f"cell {one.cell}: {one.kind}: {one.words}" for one in missing(path, shown, notices)]


@pytest.mark.parametrize("name", LECTURES)
def test_every_piece_of_a_lecture_is_on_a_slide_or_in_the_report(lectures, browser, name):
    folder, notices = lectures
    read = {}
    found = measured(browser, folder / f"{name}.html", visit=lambda page, n: read.update({n: page.evaluate("measures.read()")}))
    lost = lost_from([read[number] for number in sorted(read)], folder / f"{name}.ipynb", notices.get(name, []))
    faults = [fault for fault in found.faults if LAYOUT.search(fault)]
    assert not lost + faults, "\n" + "\n".join(line[:160] for line in (lost + faults)[:25])


def test_every_piece_of_a_lecture_is_on_paper_or_in_the_report(lectures, page):
    folder, notices = lectures
    lost = {}
    for name in LECTURES:
        page.goto((folder / f"{name}.html").as_uri())
        page.wait_for_selector("body.ready")
        page.add_script_tag(path=SCRIPT)
        read = page.evaluate("""() => {
          document.body.dataset.notes = "print";
          dispatchEvent(new Event("beforeprint"));
          return measures.read(document.querySelector(".handout"));
        }""")
        lost[name] = lost_from([read], folder / f"{name}.ipynb", notices.get(name, []))
    assert not any(lost.values()), {name: lines for name, lines in lost.items() if lines}
