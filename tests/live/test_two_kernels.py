# SPDX-License-Identifier: GPL-2.0-only
"""Two notebooks of one page, each with its Python: both use the browser's files, and neither gets the other's answers."""

import pytest

from .live_lab import text_of

pytestmark = pytest.mark.slow

FIRST, SECOND = "notebooks/00_first.ipynb", "notebooks/06_second.ipynb"
ROUNDS = 60
FILES = """
import os
for number in range({rounds}):
    mine = {name!r} * number
    with open({name!r}, "w") as file:
        file.write(mine)
    assert os.stat({name!r}).st_size == len(mine)
    assert {name!r} in os.listdir()
    assert open({name!r}).read() == mine
print("done")
"""

BOTH = """async () => {
    const { commands, shell } = jupyterapp;
    const done = [];
    for (const panel of [...shell.widgets("main")].filter(({ context }) => context)) {
        shell.activateById(panel.id);
        while (shell.currentWidget !== panel) await new Promise((later) => setTimeout(later, 20));
        done.push(commands.execute("notebook:run-cell"));
    }
    await Promise.all(done);
}"""


def outputs(lab):
    """Of the last cell of each notebook."""
    return lab.page.evaluate(
        """[...jupyterapp.shell.widgets("main")].filter(({ context }) => context)
            .map(({ content }) => content.model.cells.get(content.model.cells.length - 1).outputs.toJSON())"""
    )


def show(lab, notebook):
    """Open a notebook beside the others; wait until its kernel is idle."""
    lab.page.evaluate(f"jupyterapp.commands.execute('docmanager:open', {{ path: '{notebook}' }}).then(() => null)")
    shown = f"jupyterapp.shell.currentWidget.context?.path === '{notebook}'"
    idle = "jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
    lab.page.wait_for_function(f"{shown} && {idle}")


def test_both_write_and_read_files(new_reader, server):
    lab = new_reader(server).open(FIRST)
    lab.add(FILES.format(name="a", rounds=ROUNDS))
    show(lab, SECOND)
    lab.add(FILES.format(name="b", rounds=ROUNDS))
    lab.page.evaluate(BOTH)
    assert [text_of(one) for one in outputs(lab)] == ["done\n", "done\n"]
    assert text_of(lab.run("sorted(name for name in os.listdir() if len(name) == 1)")) == "['a', 'b']"


def test_one_waits_for_input_while_the_other_reads_files(new_reader, server):
    lab = new_reader(server).open(FIRST)
    lab.add(FILES.format(name="a", rounds=10))
    show(lab, SECOND)
    lab.add("input('Which gfn? ')")
    lab.page.evaluate("void jupyterapp.commands.execute('notebook:run-cell')")
    lab.page.wait_for_selector(".jp-Stdin-input")
    show(lab, FIRST)
    lab.page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")
    assert "done\n" in map(text_of, outputs(lab))
    lab.page.evaluate(f"jupyterapp.commands.execute('docmanager:open', {{ path: '{SECOND}' }}).then(() => null)")
    asked = lab.page.locator(".jp-Stdin-input:visible")
    asked.fill("0x29af")
    asked.press("Enter")
    lab.page.locator(".jp-OutputArea-output:visible", has_text="'0x29af'").wait_for()
