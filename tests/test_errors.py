# SPDX-License-Identifier: GPL-2.0-only
"""Errors in a notebook and in a program: the sentence is where the reader looks, without the kit's own lines around it."""

import re
import subprocess
import sys

import pytest

from kvmmmu_lab import InputError, Vm

SENTENCE = "gva is 0x1000000000000000; expected an address below 2**32 (the guest isn't in long mode)"


@pytest.fixture
def shell():
    interactive = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
    shell = interactive.instance()
    shell.run_line_magic("colors", "nocolor")
    shell.run_cell("from kvmmmu_lab import *\nfrom kvmmmu_lab import labs\nvm = Vm()")
    yield shell
    interactive.clear_instance()


def told(shell, capsys, cell):
    """Run a cell; return the lines that it prints."""
    capsys.readouterr()
    shell.run_cell(cell)
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in capsys.readouterr().out.splitlines()]


def test_a_notebook_shows_the_sentence_then_your_own_lines(shell, capsys):
    lines = told(shell, capsys, "def far(gva):\n    return vm.access(gva)\nlist(map(far, [1 << 60]))")
    assert lines[0] == f"InputError: {SENTENCE}"
    assert [line.partition(", ")[2] for line in lines[1:-1]] == [
        "line 3: list(map(far, [1 << 60]))",
        "line 2: return vm.access(gva)",
    ]
    assert lines[-1] == "(%tb shows the whole traceback.)"


def test_the_whole_traceback_is_there_on_request(shell, capsys):
    told(shell, capsys, "vm.access(1 << 60)")
    lines = told(shell, capsys, "%tb")
    assert lines[-1] == f"InputError: {SENTENCE}" and any("checks.py" in line for line in lines)


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("labs.who_maps(vm, 'x')", "InputError: gfn is 'x'; expected a frame number"),
        ("labs.fault_lab(part=3)", "InputError: parts is 'part'; expected parts of a VM"),
        ("open_guest('nix')", "InputError: name is 'nix'; expected one of lin32_A"),
        ("load_recording('there is none')", "MissingFileError: "),
        ("%load_ext kvmmmu_lab\nget_ipython().run_cell_magic('record', '3', '1')", "InputError: %%record is '3'; expected "),
    ],
)
def test_none_of_the_kits_lines_are_shown(shell, capsys, cell, sentence):
    lines = told(shell, capsys, cell)
    assert lines[0].startswith(sentence) and "kvmmmu_lab/" not in "".join(lines[1:]), lines


def test_an_error_in_your_own_part_shows_its_line(shell, capsys):
    part = "class Mine:\n    def __init__(self, vm):\n        1 / 0\nlab = labs.fault_lab(rmap=Mine)\nlab.run(lab._new_vm)"
    lines = told(shell, capsys, part)
    assert lines[0].startswith("PartError: your rmap raised ZeroDivisionError: division by zero")
    assert [line.rpartition(": ")[2] for line in lines[1:-1]] == ["lab.run(lab._new_vm)", "1 / 0"]


def test_in_a_program_the_sentence_stands_last():
    program = "from kvmmmu_lab import Vm\nVm().access(1 << 60)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.stderr.splitlines()[-1] == f"kvmmmu_lab.errors.InputError: {SENTENCE}"


def test_without_a_shell_the_lines_are_plain():
    pytest.importorskip("IPython")
    with pytest.raises(InputError) as caught:
        Vm().access(1 << 60)
    for _ in range(2):
        assert caught.value._render_traceback_()[0] == f"InputError: {SENTENCE}"
