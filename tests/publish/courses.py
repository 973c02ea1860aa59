# SPDX-License-Identifier: GPL-2.0-only
"""A small course for tests of the site: two lessons with outputs, and two exercises."""

import shutil

from kvmmmu_lab.draw.course_picture import course_picture
from kvmmmu_lab.player.page import film_html
from kvmmmu_lab.workspace import course_root

from ..player.films import small, two_chapters
from .books import code, saved, text

FIRST = [
    text("[Next](06_second.ipynb)", None, "navigation"),
    text("# Lesson 0: The first\n\nA *program* reads `gfn 0x29af`. It is short.\n\n[Second](06_second.ipynb#A-heading-%C3%A9)"),
    text("<!-- notebook -->\nRun the cells with Shift+Enter.\n<!-- /notebook -->\n<!-- page: Films play here. -->"),
    text("Click on it and run the next cell.", None, "notebook-only"),
    code("print('cell only')", None, "notebook-only"),
    text("## Watch one\n\nThe entry `#248:454` is *made*.\n\n| a | b |\n| --- | --- |\n| 1 | in a table |"),
    code("x = 1  # the code of a cell", shows=[{"text/plain": "a printed result"}]),
    code("watch()", shows=[{"text/html": film_html(two_chapters())}]),
    code("ask()", None, "question", shows=[{"text/plain": "Which one?"}]),
    text("## Watch two"),
    code("watch()", shows=[{"text/html": film_html(small())}]),
    code("watch()", shows=[{"text/html": film_html(small())}]),
    text("[Gone](08_third.ipynb), [task](../exercises/01_split/README.md), [web](https://example.org/x), [all](start.ipynb)"),
]
WIDE = [[f"column{n}" for n in range(30)], ["---"] * 30, ["first", *(f"value{n}" for n in range(1, 30))]]
SECOND = [
    text("# Lesson 6: The second\n\nThe words of the second lesson are a few more than those of the first one."),
    text("## A heading é\n\nBack to [one film](00_first.ipynb#Watch-two) and to [nothing](00_first.ipynb#Lost)."),
    code("answer()", None, "answer", shows=[{"text/markdown": "It was so: see [the first](00_first.ipynb)."}]),
    code("long()", shows=[{"text/plain": "\n".join(f"line {n} " + "x" * 150 for n in range(80))}]),
    code("v = '" + "abcdefghij" * 20 + "'"),
    code("course_picture(3)", shows=[{"text/html": course_picture(3).html}]),
    text("Donau" * 40 + "\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in WIDE)),
]


def small_course(root):
    """Write the course to a folder; return it."""
    (root / "notebooks").mkdir(parents=True)
    saved(root / "notebooks", *FIRST, name="00_first.ipynb")
    saved(root / "notebooks", *SECOND, name="06_second.ipynb")
    for name in ("01_split", "02_walk"):
        shutil.copytree(course_root() / "exercises" / name, root / "exercises" / name)
    return root
