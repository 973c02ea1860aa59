# SPDX-License-Identifier: GPL-2.0-only
"""Write the links between lessons: ``python -m tests.lessons.links`` after a lesson is added or gets another title.

It replaces the navigation cells in the sources of all lessons, and builds each notebook that isn't built from its source.
It also replaces the first cell of the exercises' notebooks, which links to their lessons.
"""

import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat

from kvmmmu_lab.lessons.course import all_lessons, course, exercise_navigation, navigation

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
CELL = re.compile(r'(?m)^(# %% \[markdown\] tags=\["navigation"\]\n)((?:#.*\n?)*?)(?=\n|# %%|\Z)')


def is_built(source: Path) -> bool:
    """Return whether the notebook has the cells of its source."""
    built = source.with_suffix(".ipynb")
    if not built.exists():
        return False
    books = nbformat.read(built, as_version=4), jupytext.read(source)
    one, other = ([(cell.cell_type, cell.source, dict(cell.metadata)) for cell in book.cells] for book in books)
    return one == other


def build(source: Path) -> None:
    """Build the notebook of a source."""
    update = ["--update"] * source.with_suffix(".ipynb").exists()
    subprocess.run([sys.executable, "-m", "jupytext", "--quiet", "--to", "ipynb", *update, str(source)], check=True)


def main() -> None:
    """Write all links, and print the names of the notebooks that are built."""
    sources = sorted(NOTEBOOKS.glob("[0-9]*.py"))
    for source in sources:
        if not source.with_suffix(".ipynb").exists():
            build(source)  # the links of its neighbours need its title
            print(source.stem)
    for lesson in all_lessons():
        source = lesson.notebook.with_suffix(".py")
        text = source.read_text("utf-8")
        links = "".join(f"# {line}\n" for line in navigation(lesson).splitlines())
        written, count = CELL.subn(lambda cell, links=links: cell[1] + links, text)
        if count != 2:
            sys.exit(f"{source.name}: {count} navigation cells instead of two")
        if written != text:
            source.write_text(written, "utf-8")
    for source in sources:
        if not is_built(source):
            build(source)
            print(source.stem)
    for exercise in (state.exercise for state in course().exercises):
        path = exercise.folder / f"{exercise.name}.ipynb"
        book = nbformat.read(path, as_version=4)
        if book.cells[0].source != exercise_navigation(exercise):
            book.cells[0].source = exercise_navigation(exercise)
            nbformat.write(book, path)
            print(path.stem)


if __name__ == "__main__":
    main()
