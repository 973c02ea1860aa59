# SPDX-License-Identifier: GPL-2.0-only
"""Whatever the console's encoding, and even if the reader of a pipe leaves, what the kit prints can be printed."""

import contextlib
import io
import os
import subprocess
import sys

import pytest

from kvmmmu_lab import labs, open_guest, record
from kvmmmu_lab.check.report import SIGNS
from kvmmmu_lab.cli import main
from kvmmmu_lab.console_encoding import print_anything, similar

from .exercises import solutions

ENCODINGS = ["cp1252", "cp437", "cp850", "cp932", "ascii"]


def console(monkeypatch, encoding):
    """Make standard output one with this encoding, and return a function that returns the text on it."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    print_anything()

    def printed():
        stream.flush()
        return stream.buffer.getvalue().decode(encoding)

    return printed


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_pictures_films_and_recordings_can_be_printed(monkeypatch, encoding):
    printed = console(monkeypatch, encoding)
    vm = open_guest("lin32_A").vm()
    with record(vm) as recording:
        vm.access(0xC0101000)
    for thing in (labs.hierarchy(vm, 0xC0101000), labs.film(recording), recording, vm):
        print(thing)
    assert "Shadow tables" in printed()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("arguments", [["hint", "rmap_add", "1"], ["--help"], ["check", "--help"], ["doctor"]])
def test_commands_print(monkeypatch, encoding, arguments, tmp_path):
    monkeypatch.chdir(tmp_path)
    printed = console(monkeypatch, encoding)
    with contextlib.suppress(SystemExit):
        main([*arguments, *(["--folder", str(tmp_path)] if arguments[0] == "hint" else [])])
    assert len(printed()) > 100


def test_the_signs_of_all_verdicts_stay_different():
    assert len(set(map(similar, SIGNS.values()))) == len(SIGNS)


def test_a_character_becomes_a_similar_one_or_its_base_letter_or_an_escape_sequence():
    assert similar("✓ ┌ 3 × 4 → é 中 \udc80") == "+ + 3 x 4 -> e \\u4e2d \\udc80"


def test_a_stream_that_can_encode_everything_stays_as_it_is(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8")
    monkeypatch.setattr(sys, "stdout", stream)
    print_anything()
    assert stream.errors == "strict"


def check(tmp_path, **options):
    path = next(iter(solutions.right("01_split").values())).write(tmp_path)
    command = [sys.executable, "-m", "kvmmmu_lab", "check", "split", str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@pytest.mark.slow
def test_a_right_solution_is_reported_where_check_marks_are_lacking(tmp_path):
    with check(tmp_path, env={**os.environ, "PYTHONIOENCODING": "cp1252"}) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and not err, err
    assert b"+ 1/1" in out and b"10 of 10 points" in out and b"\x1b" not in out


def test_a_reader_that_leaves_early_causes_no_traceback(tmp_path):
    with check(tmp_path) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(timeout=60)
    assert process.returncode == 141
