# SPDX-License-Identifier: GPL-2.0-only
"""The cells of a notebook file, in plain Python."""

import json

import pytest

from kvmmmu_lab.check.cells import Cell, as_python, cells, left_out, used_from
from kvmmmu_lab.check.python_source import parsed

PLAIN = [
    "",
    "x = 1;",
    "x = (21\n% 2)",
    "x = (21\n%2\n)",
    'HELP = """\n% of pages\n!ls\n%%time\nwhat?\n"""',
    "x = 5 \\\n% 3",
    "# %time\n# !ls",
    "s = '\u2028 \x0c \x85'\n\x0cx = 1",
    "await f()\nasync with g() as x:\n    pass",
    "def f(a, /, *, b): return (a := b)",
    "match x:\n    case [1, *_]: pass",
    "d = {'a': 1}\nd['!ls']",
    "r'\\d' '\\d'",
]


@pytest.mark.parametrize("cell", PLAIN)
def test_a_cell_in_plain_python_stays_as_it_is(cell):
    assert as_python(cell) == cell


RUN, LINE, CELL = "get_ipython().system", "get_ipython().run_line_magic", "get_ipython().run_cell_magic"


@pytest.mark.parametrize(
    ("cell", "python"),
    [
        ("!ls\nx = 1", f"{RUN}('ls')\nx = 1"),
        ("there = !ls", "there = get_ipython().getoutput('ls')"),
        ("now = %time 1 + 1", f"now = {LINE}('time', '1 + 1')"),
        ("%matplotlib inline\nx = 1", f"{LINE}('matplotlib', 'inline')\nx = 1"),
        ("def f():\n    %time g()\n    return 1", f"def f():\n    {LINE}('time', 'g()')\n    return 1"),
        ("x?\ny = 1", f"{LINE}('pinfo', 'x')\ny = 1"),
        ("?x", f"{LINE}('pinfo', 'x')"),
        ("x??", f"{LINE}('pinfo2', 'x')"),
        ("/f 1", "f(1)"),
        (";f a b", 'f("a b")'),
        (">>> x = 1\n... ", "x = 1\n"),
        ("In [3]: x = 1", "x = 1"),
        ("  x = 1\n  y = 2", "x = 1\ny = 2"),
        ("\n\n!ls\nx", f"\n\n{RUN}('ls')\nx"),
        ("!echo a \\\n  b\nx = 1", f"{RUN}('echo a    b')\n\nx = 1"),
        ("s = '''\n% x\n'''\n%time f()", f"s = '''\n% x\n'''\n{LINE}('time', 'f()')"),
        ("%%time\nx = 1", "\nx = 1"),
        ("%%time\n%matplotlib inline\nx = 1", f"\n{LINE}('matplotlib', 'inline')\nx = 1"),
        ("%%capture out\nx = 1", "out = get_ipython().captured()\nx = 1"),
        ("%%capture --no-stderr\nx = 1", "\nx = 1"),
        ("\n%%time\nx = (1\n% 2)", "\n\nx = (1\n% 2)"),
        ("%%bash\nls\npwd", f"{CELL}('bash', '', 'ls\\npwd\\n')\n\n"),
        ("%%writefile h.py\nX = '''\n'''", f'{CELL}(\'writefile\', \'h.py\', "X = \'\'\'\\n\'\'\'\\n")\n\n'),
    ],
)
def test_ipythons_own_syntax_becomes_calls_on_the_same_lines(cell, python):
    made = as_python(cell)
    assert made == python and parsed(made) is not None
    assert made.count("\n") == cell.count("\n") or cell.startswith(">>>")


@pytest.mark.parametrize("cell", ["def f(:", "x = (", "%%time\ndef f(:", "x = '''", "a b"])
def test_a_cell_that_is_neither_stays_as_it_is_and_python_says_why(cell):
    assert as_python(cell).splitlines()[-1] == cell.splitlines()[-1]


def test_a_worker_that_executes_no_shell_commands_says_so():
    def said(cell):
        return list(left_out(as_python(cell), "code cell 2"))

    assert said("x = 1\n!ls -l") == ["not executed during a check: !ls -l (code cell 2, line 2)"]
    assert said("x = !ls") == ["not executed during a check: !ls (code cell 2, line 1)"]
    assert said("%%bash\nls") == ["not executed during a check: the cell after %%bash (code cell 2)"]
    assert said("%matplotlib inline") == said("%%time\nx = 1") == said("%%timeit\nx") == said("x = 1") == []


CODE = {"cell_type": "code", "metadata": {"tags": ["solution"]}}


def code(source, **more):
    return {**CODE, "source": source, **more}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "book",
    [
        {"nbformat": 4, "cells": [code("é = 1\nb")]},
        {"nbformat": 4, "cells": [code(["é = 1\r\n", "b"])]},
        {"nbformat": 3, "worksheets": [{"cells": [{**CODE, "input": "é = 1\rb"}]}]},
    ],
)
def test_a_notebook_is_read_in_either_format_and_any_encoding(book, encoding):
    content = json.dumps(book, ensure_ascii=False).encode(encoding)
    assert cells(content) == [Cell(1, "é = 1\nb", ("solution",))]


def test_outputs_of_any_size_do_not_count():
    outputs = [{"output_type": "stream", "name": "stdout", "text": "x" * 5_000_000}]
    assert cells(json.dumps({"cells": [code("a", outputs=outputs)]}).encode())[0].source == "a"


def test_names_that_only_other_cells_define_are_mentioned():
    others = [Cell(1, "%matplotlib inline\nimport numpy as np\ndef low(g): return g", ()), Cell(2, "other = 1", ())]
    solution = parsed("from math import inf\ndef split(g, *, a=inf):\n    return [low(np.uint64(x)) for x in [g, a]], more")
    (said,) = used_from([solution], others)
    assert said.startswith("your solution uses low, np, which code cell 1 defines; that cell is not tagged 'solution'")
    assert used_from([parsed("from math import *\nlow")], others) == []
