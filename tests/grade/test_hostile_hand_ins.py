# SPDX-License-Identifier: GPL-2.0-only
"""Hostile and broken hand-ins: each is a problem of its own learner or is left out, without an exception and within bounds."""

import contextlib
import io
import json
import os
import socket
import stat
import struct
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvmmmu_lab.check.sandbox.limits import HELPER_FILES, HELPERS, SOURCE
from kvmmmu_lab.errors import DataError
from kvmmmu_lab.files import MOST_BYTES
from kvmmmu_lab.grade import folder_tree
from kvmmmu_lab.grade.collection import collect
from kvmmmu_lab.grade.learner_files import MOST_ZIP
from kvmmmu_lab.grade.portable_name import is_portable
from kvmmmu_lab.printable import one_line

from .submissions import BOOK, PY, RMAP, SPLIT, Link, make, zipped

SECRET = b"the neighbour's solution"
needs_fifo = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


def collected(folder, exercises=(RMAP,)):
    """Collect, check what holds for each hand-in whatever it is, and return them by learner."""
    collection = collect(folder, exercises)
    found = {}
    for one in collection.hand_ins:
        check_bounds(one)
        found[one.learner] = one
    for text in (*collection.notes, *collection.learners):
        check_text(text)
    return found


def check_bounds(one):
    assert (one.main in one.files) if one.main else not one.files
    assert one.notebook == "" or (one.notebook in one.files and one.main.endswith(".py"))
    assert not (one.main and one.problem)
    names = [name.split("/") for name in one.files]
    assert all(is_portable(tuple(parts)) for parts in names)
    assert len({name.casefold() for name in one.files}) == len(names)
    folders = {"/".join(parts[:number]).casefold() for parts in names for number in range(1, len(parts))}
    assert folders.isdisjoint(name.casefold() for name in one.files)
    beside = [content for name, content in one.files.items() if name not in (one.main, one.notebook)]
    assert len(beside) <= HELPER_FILES.value and sum(map(len, beside)) <= HELPERS.bytes
    for name in filter(None, (one.main, one.notebook)):
        assert len(one.files[name]) <= (SOURCE.bytes if name.endswith(".py") else MOST_BYTES)
    assert len(one.notes) <= 50 and len(one.problem) <= 300
    for text in (one.learner, one.place, one.problem, *one.notes):
        check_text(text)
    assert all(text == one_line(text) for text in (one.problem, *one.notes))


def check_text(text):
    text.encode()  # no lone surrogates: SQLite, JSON and XML can't store them


def problem(folder, tree):
    """Return the problem of the learner ada, and check that her neighbour has none."""
    make(folder, {"zoe": {"rmap_add.py": SECRET}, **tree})
    found = collected(folder)
    assert found["zoe"].main == "rmap_add.py"
    return found["ada"].problem


# Links


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"ada": Link("zoe")}, "ada: a symbolic link"),
        ({"ada.zip": Link("zoe")}, "ada.zip: a symbolic link"),
        ({"ada.py": Link("zoe/rmap_add.py")}, "ada.py: a symbolic link"),
        ({"ada": Link("/etc")}, "ada: a symbolic link"),
        ({"ada": Link("ada")}, "ada: a symbolic link"),
        ({"ada": Link("nowhere")}, "ada: a symbolic link"),
        ({"ada": {"rmap_add.py": Link("../zoe/rmap_add.py")}}, "ada/rmap_add.py: a symbolic link"),
        ({"ada": {"rmap_add.ipynb": Link("/etc/passwd")}}, "ada/rmap_add.ipynb: a symbolic link"),
        ({"ada": {"exercises": Link("../zoe")}}, "ada/exercises: a symbolic link"),
        ({"ada": {"exercises": {RMAP: Link("../../zoe")}}}, f"ada/exercises/{RMAP}: a symbolic link"),
        ({"ada.zip": zipped({"rmap_add.py": Link("../zoe/rmap_add.py")})}, "ada.zip/rmap_add.py: a symbolic link"),
        ({"ada": {"w.zip": Link("../zoe.zip")}}, ""),  # nothing of this exercise
    ],
)
def test_no_link_is_followed(tmp_path, tree, words):
    said = problem(tmp_path, tree)
    assert said.startswith(words) and bool(said) == bool(words)


def test_links_beside_the_file_are_left_out_and_said(tmp_path):
    tree = {"rmap_add.py": PY, "bits.py": Link("../zoe/rmap_add.py"), "tools": Link("../zoe"), "loop": Link(".")}
    assert problem(tmp_path, {"ada": tree}) == ""
    ada = collected(tmp_path)["ada"]
    assert list(ada.files) == ["rmap_add.py"]
    assert ada.notes == ("left out: bits.py, loop, tools (a symbolic link)",)


def test_a_link_in_place_of_the_notebook_is_said(tmp_path):
    assert problem(tmp_path, {"ada": {"rmap_add.py": PY, "rmap_add.ipynb": Link("../zoe/rmap_add.py")}}) == ""
    assert collected(tmp_path)["ada"].notes == ("left out: rmap_add.ipynb (a symbolic link)",)


@pytest.mark.skipif(not folder_tree.BY_DESCRIPTOR, reason="this system can't open files relative to a folder")
@pytest.mark.parametrize("replaced", ["ada", "ada/rmap_add.py", "ada/work", "ada/work/x.py"])
def test_what_becomes_a_link_between_looking_and_opening_leads_nowhere(tmp_path, monkeypatch, replaced):
    """Each time when a folder or a file is opened, it is a link to the neighbour's for that moment."""
    work = {"rmap_add.py": SECRET, "work": {"x.py": SECRET}}
    make(tmp_path, {"zoe": work, "ada": {"rmap_add.py": PY, "work": {"x.py": PY}}})
    real, path, seen = os.open, tmp_path / replaced, []

    def replacing(name, *arguments, **named):
        if str(name) != path.name:
            return real(name, *arguments, **named)
        seen.append(name)
        path.rename(tmp_path / "away")
        path.symlink_to(tmp_path / replaced.replace("ada", "zoe", 1))
        try:
            return real(name, *arguments, **named)
        finally:
            path.unlink()
            (tmp_path / "away").rename(path)

    collection = collect(tmp_path, [RMAP], "ada")
    monkeypatch.setattr(os, "open", replacing)
    (ada,) = collection.hand_ins
    monkeypatch.undo()
    assert seen and SECRET not in ada.files.values()
    assert ada.problem if "work" not in replaced else list(ada.files) == ["rmap_add.py"]


def test_where_there_are_no_descriptors_links_are_refused_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_tree, "BY_DESCRIPTOR", False)
    tree = {
        "zoe": {"rmap_add.py": SECRET},
        "ada": {"exercises": {RMAP: {"rmap_add.py": PY, "a": {"b.py": b""}}}},
        "bob": Link("zoe"),
        "cy": {"rmap_add.py": Link("../zoe/rmap_add.py")},
        "dan": {"exercises": Link("../zoe")},
    }
    found = collected(make(tmp_path, tree))
    assert sorted(found["ada"].files) == ["a/b.py", "rmap_add.py"]
    assert [found[name].problem.partition("; ")[0] for name in ("bob", "cy", "dan")] == [
        "bob: a symbolic link",
        "cy/rmap_add.py: a symbolic link",
        "dan/exercises: a symbolic link",
    ]


# Files that are no files, that can't be read, or that change


@needs_fifo
@pytest.mark.parametrize("name", ["ada", "ada.py", "ada.zip", "ada/rmap_add.py", f"ada/{RMAP}", "submission_metadata.yml"])
def test_a_named_pipe_is_not_waited_for(tmp_path, name):
    make(tmp_path, {"ada": {}} if name.startswith("ada/") else {})
    os.mkfifo(tmp_path / name)
    found = collected(tmp_path)
    if name.startswith("ada"):
        assert found["ada"].problem.startswith(f"{name}: a named pipe")
    else:
        assert found == {}


def test_a_socket_is_not_connected_to(tmp_path, monkeypatch):
    make(tmp_path, {"ada": {}})
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("ada/rmap_add.py")
        assert collected(tmp_path)["ada"].problem.startswith("ada/rmap_add.py: a socket")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make a device")
def test_a_device_is_not_opened(tmp_path):
    make(tmp_path, {"ada": {}})
    os.mknod(tmp_path / "ada/rmap_add.py", stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero
    assert collected(tmp_path)["ada"].problem.startswith("ada/rmap_add.py: a device")


@pytest.mark.parametrize("name", ["rmap_add.py", "ada"])
def test_what_can_not_be_read_is_a_problem(tmp_path, monkeypatch, name):
    """As another user would see it: root may read everything."""
    make(tmp_path, {"ada": {"rmap_add.py": PY}})
    real = os.open

    def refusing(path, *arguments, **named):
        if str(path).endswith(name):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **named)

    collection = collect(tmp_path, [RMAP])
    monkeypatch.setattr(os, "open", refusing)
    (ada,) = collection.hand_ins
    monkeypatch.undo()
    assert ada.problem.startswith(f"{'ada' if name == 'ada' else 'ada/rmap_add.py'}: it can't be read: Permission denied")


@pytest.mark.parametrize("always", [False, True])
def test_a_file_that_changes_while_it_is_read_is_read_again_once(tmp_path, monkeypatch, always):
    make(tmp_path, {"ada": {"rmap_add.py": PY}})
    path, real, calls = tmp_path / "ada/rmap_add.py", os.fstat, []

    def changing(descriptor):
        found = real(descriptor)
        if stat.S_ISREG(found.st_mode):
            calls.append(descriptor)
            if always or len(calls) == 2:
                with path.open("ab") as file:
                    file.write(b"#")
        return found

    monkeypatch.setattr(os, "fstat", changing)
    (ada,) = collect(tmp_path, [RMAP]).hand_ins
    monkeypatch.undo()
    if always:
        assert ada.problem == "ada/rmap_add.py: it changes while it is read; expected a file that stays as it is"
    else:
        assert ada.files == {"rmap_add.py": PY + b"#"} and len(calls) > 3


def test_a_file_that_vanishes_meanwhile_is_a_problem(tmp_path, monkeypatch):
    make(tmp_path, {"ada": {"rmap_add.py": PY, "a.py": b""}})
    real = os.scandir

    def vanishing(place):
        listing = real(place)
        with_names = list(real(place))
        if any(entry.name == "rmap_add.py" for entry in with_names):
            for name in ("rmap_add.py", "a.py"):
                (tmp_path / "ada" / name).unlink(missing_ok=True)
        return listing

    monkeypatch.setattr(os, "scandir", vanishing)
    (ada,) = collect(tmp_path, [RMAP]).hand_ins
    monkeypatch.undo()
    assert ada.problem == "" or ada.problem.startswith("ada/rmap_add.py: no such file")


# Sizes and counts


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("ada/rmap_add.py", SOURCE.bytes + 1, "1,048,577 bytes"),
        ("ada/rmap_add.ipynb", MOST_BYTES + 1, "67,108,865 bytes"),
        ("ada/work.zip", MOST_ZIP + 1, "67,108,865 bytes"),
        ("ada.zip", MOST_ZIP + 1, "67,108,865 bytes"),
    ],
)
def test_a_file_that_is_too_long_is_not_read(tmp_path, name, size, words):
    make(tmp_path, {name: b""})
    os.truncate(tmp_path / name, size)
    assert collected(tmp_path)["ada"].problem.startswith(f"{name}: {words}; expected a file of at most ")


def test_the_zips_of_a_learner_have_one_limit_together(tmp_path, monkeypatch):
    first, second = zipped({"notes.txt": b""}), zipped({"rmap_add.py": PY})
    make(tmp_path, {"ada": {"a.zip": first, "b.zip": second}})
    assert collected(tmp_path)["ada"].main == "rmap_add.py"
    monkeypatch.setattr("kvmmmu_lab.grade.learner_files.MOST_ZIP", len(first) + len(second) - 1)
    assert collected(tmp_path)["ada"].problem.startswith(f"ada/b.zip: {len(second)} bytes; expected a file of at most ")


def test_files_beside_the_submission_are_taken_up_to_the_limits_modules_first(tmp_path):
    many = {f"{number:03}.txt": b"" for number in range(300)}
    make(
        tmp_path,
        {"ada": {"rmap_add.py": PY, "zz": {"late.py": b""}, **many}, "bob": {"rmap_add.py": PY, "a": b"", "z.py": b""}},
    )
    for name in ("a", "z.py"):  # together more than the limit
        os.truncate(tmp_path / "bob" / name, HELPERS.bytes * 2 // 3)
    found = collected(tmp_path)
    assert len(found["ada"].files) == 1 + HELPER_FILES.value and "zz/late.py" in found["ada"].files
    assert found["ada"].notes[0].startswith("left out: 199.txt, 200.txt, 201.txt and 98 more (the limit for files beside")
    assert sorted(found["bob"].files) == ["rmap_add.py", "z.py"]
    assert found["bob"].notes[0].startswith("left out: a (the limit for the files beside a submission is 8 MiB")


@contextlib.contextmanager
def deep(folder):
    """Make 1,000 folders, each in the one before, and remove them again, which pytest can't."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        for _ in range(1000):  # the whole path at once would be too long
            os.mkdir("deep", dir_fd=opened)
            inner = os.open("deep", os.O_RDONLY, dir_fd=opened)
            os.close(opened)
            opened = inner
        yield
    finally:
        os.close(opened)
        subprocess.run(["rm", "-rf", folder / "deep"], check=True)


@pytest.mark.slow
@pytest.mark.skipif(not folder_tree.BY_DESCRIPTOR, reason="this system can't make folders relative to a folder")
def test_a_folder_that_is_1000_deep_is_looked_into_only_so_far(tmp_path):
    make(tmp_path, {"ada": {"rmap_add.py": PY}, "bob": {}})
    with deep(tmp_path / "ada"), deep(tmp_path / "bob"):
        found = collected(tmp_path)
    assert list(found["ada"].files) == ["rmap_add.py"]
    assert found["ada"].notes == ("not everything was looked at: folders more than 12 deep",)
    assert found["bob"].problem == "bob: folders more than 12 deep; expected only the files that you hand in"


def test_a_folder_with_too_many_files_is_a_problem_or_is_not_looked_into(tmp_path, monkeypatch):
    monkeypatch.setattr("kvmmmu_lab.grade.learner_files.MOST_ENTRIES", 50)
    many = {f"{number}.py": b"" for number in range(60)}
    fewer = {f"{number}.py": b"" for number in range(20)}
    tree = {"rmap_add.py": PY, "a": fewer, "b": fewer, "c": fewer}
    found = collected(make(tmp_path, {"ada": many, "bob": tree, "cy": {"venv": many}}))
    assert len(found["bob"].files) == 41
    assert found["ada"].problem.startswith("ada: more than 50 files and folders; expected ")
    assert found["bob"].notes == ("not everything was looked at: more than 50 files and folders",)
    assert found["cy"].problem.startswith("cy: more than 50 files and folders; expected ")


@pytest.mark.slow
def test_100_000_files_of_one_learner(tmp_path):
    make(tmp_path, {"ada": {"rmap_add.py": PY}})
    for number in range(100_000):
        (tmp_path / f"ada/{number}.py").touch()
    assert collected(tmp_path)["ada"].problem.startswith("ada: more than 20,000 files and folders")


def test_what_is_in_the_files_is_not_looked_at(tmp_path):
    cells = [{"cell_type": "code", "source": "x = 1", "metadata": {}}] * 10_000
    files = {
        "ada": {"rmap_add.ipynb": json.dumps({"cells": cells})},
        "bob": {"rmap_add.ipynb": b"{not JSON" + b"[" * 100_000},
        "cy": {"rmap_add.py": b"# caf\xe9 \xff\xfe\x00"},
        "dan": {"rmap_add.py": b"(" * 100_000},
        "eve": {"rmap_add.py": b""},
    }
    found = collected(make(tmp_path, files))
    for learner, tree in files.items():
        ((name, content),) = tree.items()
        assert found[learner].files == {name: content if isinstance(content, bytes) else content.encode()}


# Names

NAMES = ["<script>alert(1)", "a\nb", "a\rb\tc", "\u202etxt.exe", "'; DROP TABLE marks; --", "a\\..\\x",
         "é" * 127, "C:", "con.py", "\x1b[2J", "a\udcff", " ", "&amp;\"'"]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="such names can't exist on Windows")
@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_a_learner(tmp_path, name):
    make(tmp_path, {name: {"rmap_add.py": PY}})
    (one,) = collected(tmp_path).values()
    assert one.files == {"rmap_add.py": PY}
    assert one.learner == name.replace("\udcff", "\\xff")


@pytest.mark.skipif(os.name == "nt", reason="such names can't exist on Windows")
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("é" * 127, "'; DROP TABLE marks; --")])
def test_names_that_not_every_system_has_are_left_out(tmp_path, name):
    tree = {"rmap_add.py": PY, name: b"", "folder": {name: b""}}
    found = collected(make(tmp_path, {"ada": tree, "bob.py": PY}))
    if name != "&amp;\"'":
        (tmp_path / "zip.zip").write_bytes(zipped({"rmap_add.py": PY, name.replace("\udcff", ""): b""}))
    assert list(found["ada"].files) == ["rmap_add.py"]
    assert found["ada"].notes[0].startswith("left out: ") and "not every system can have" in found["ada"].notes[0]
    collected(tmp_path)


def test_files_that_are_one_on_some_systems_are_taken_once(tmp_path):
    tree = {"rmap_add.py": PY, "Bits.py": b"1", "bits.py": b"2", "RMAP_ADD.PY": b"3", "tools": b"4", "Tools": {"x.py": b"5"}}
    (ada,) = collected(make(tmp_path, {"ada": tree})).values()
    assert ada.files == {"rmap_add.py": PY, "Bits.py": b"1", "Tools/x.py": b"5"}
    assert "on some systems, another file has the same name" in ada.notes[1]


# Zips


def test_paths_out_of_a_zip_are_left_out(tmp_path):
    names = ["../rmap_add.py", "a/../../x.py", "/etc/passwd", "\\\\host\\x", "C:\\x.py", "c:x", "..\\x", "a/..", ".."]
    tree = {**dict.fromkeys(names, SECRET), "work\\tools\\bits.py": b"", "work/./rmap_add.py": PY}
    make(tmp_path, {"class": {"ada.zip": zipped(tree)}})
    ada = collected(tmp_path / "class")["ada"]
    assert ada.files == {"rmap_add.py": PY, "tools/bits.py": b""}
    assert ada.notes == (
        "in ada.zip, left out: ../rmap_add.py, a/../../x.py, /etc/passwd and 6 more (the path leads out of the zip)",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["class"]


def packed(entries):
    """Return a zip of (name, content, what to set in its entry) with a directory that says what is set, true or not."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, given in entries:
            archive.writestr(name, content)
            for key, value in given.items():
                setattr(archive.filelist[-1], key, value)
    return buffer.getvalue()


def overlapping(count):
    """Return a zip with ``count`` names for the same 10 MB of zeros, which take 10 kB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rmap_add.py", bytes(10 << 20))
        (first,) = archive.filelist
        for number in range(count):
            again = zipfile.ZipInfo(f"{number}.py")
            for key in ("compress_type", "CRC", "compress_size", "file_size", "header_offset", "flag_bits"):
                setattr(again, key, getattr(first, key))
            archive.filelist.append(again)
    return buffer.getvalue()


def claimed(size):
    """Return a zip whose only file has 2 MB, and whose directory says that it has ``size`` bytes."""
    return packed([("rmap_add.py", os.urandom(2 << 20), {"file_size": size})])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (packed([("rmap_add.py", bytes(100 << 20), {})]), "ada.zip/rmap_add.py: packed to less than 1/200 of its size"),
        (zipped({"rmap_add.ipynb": bytes(5 << 20)}), "ada.zip/rmap_add.ipynb: packed to less than 1/200 of its size"),
        (overlapping(1000), "ada.zip: a zip whose files overlap"),
        (claimed(3 << 20), "ada.zip/rmap_add.py: 3,145,728 bytes; expected a file of at most 1,048,576 bytes"),
        (claimed(1000), "ada.zip/rmap_add.py: damaged: Bad CRC-32"),
        (packed([("rmap_add.py", PY, {"flag_bits": 1})]), "ada.zip/rmap_add.py: encrypted"),
        (packed([("rmap_add.py", PY, {"compress_type": 14})]), "ada.zip/rmap_add.py: compressed in a way other than "),
        (packed([("rmap_add.py", PY, {"external_attr": (stat.S_IFIFO | 0o644) << 16})]), "ada.zip/rmap_add.py: a named pipe"),
        (packed([("rmap_add.py", PY, {"CRC": 7})]), "ada.zip/rmap_add.py: damaged: Bad CRC-32"),
        (packed([("rmap_add.py", PY, {"header_offset": 10**6})]), "ada.zip: a truncated zip"),
        (packed([("rmap_add.py", PY, {"flag_bits": 0x20})]), "ada.zip/rmap_add.py: damaged: compressed patched data"),
        (zipped({"rmap_add.py": PY})[:-30], "ada.zip: a damaged zip"),
        (zipped({"rmap_add.py": PY})[30:], "ada.zip: a zip whose files overlap"),
        (b"", "ada.zip: a damaged zip"),
        (b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 9, 9, 10**9, 0, 0), "ada.zip: a damaged zip"),
    ],
)
def test_bombs_and_damaged_zips_are_a_problem(tmp_path, content, words):
    assert problem(tmp_path, {"ada.zip": content}).startswith(words)


def test_a_bomb_beside_the_file_is_left_out(tmp_path):
    (ada,) = collected(make(tmp_path, {"ada.zip": zipped({"rmap_add.py": PY, "bomb.bin": bytes(50 << 20)})})).values()
    assert list(ada.files) == ["rmap_add.py"]
    assert ada.notes == ("left out: bomb.bin (packed to less than 1/200 of its size)",)


@pytest.mark.slow
def test_a_zip_of_too_many_files_is_refused_before_they_are_counted(tmp_path):
    many = b"".join(
        struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
        for _ in range(10**6)
    )
    content = many + b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 65535, 65535, len(many), 0, 0)
    said = problem(tmp_path, {"ada.zip": content})
    assert said.startswith("ada.zip: a damaged zip: its directory has more than 3,200,000 bytes")


def test_a_zip_may_have_files_and_folders_of_one_name(tmp_path):
    content = packed([("a", b"1", {}), ("a/b.py", b"2", {}), ("c/d.py", b"3", {}), ("c", b"4", {}), ("rmap_add.py", b"5", {})])
    (ada,) = collected(make(tmp_path, {"ada.zip": content})).values()
    assert ada.files == {"rmap_add.py": b"5", "c/d.py": b"3", "a": b"1"}


def test_of_two_files_of_one_name_in_a_zip_the_last_counts(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = packed([("rmap_add.py", b"old", {}), ("rmap_add.py", b"new", {})])
    (ada,) = collected(make(tmp_path, {"ada.zip": content})).values()
    assert ada.files == {"rmap_add.py": b"new"}


def test_a_path_of_10_000_folders_in_a_zip_takes_no_time(tmp_path):
    content = zipped({"a/" * 10_000 + "rmap_add.py": PY, "rmap_add.py": PY})
    (ada,) = collected(make(tmp_path, {"ada.zip": content})).values()
    assert list(ada.files) == ["rmap_add.py"]
    assert "more than 12 folders deep" in ada.notes[0]


# Anything

USUAL = [RMAP, "rmap_add.py", "rmap_add.ipynb", "exercises", "a.py", "A.py", "w.zip", "x", "submitted", "submission_1"]
DOWNLOADS = ["submission_metadata.yml", "Ada_1_assignsubmission_file_", "B_2_assignsubmission_file_a.zip"]
others = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=20)
names = st.sampled_from([*USUAL, *DOWNLOADS, *NAMES[:4]]) | others
contents = st.binary(max_size=60) | st.just(PY) | st.just(BOOK)
links = st.sampled_from(["../secret", "../../secret", "..", ".", "/", "../ada", "rmap_add.py"]).map(Link)
files = st.dictionaries(names, contents, max_size=4)


@st.composite
def damaged_zips(draw):
    tree = draw(st.dictionaries(names, contents | files.map(zipped), max_size=5))
    content = bytearray(zipped(tree, draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))))
    for place, byte in draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4)):
        content[place] = byte
    cut = draw(st.sampled_from([0, 0, 0, 1, 22, 60]))
    return bytes(content[cut // 2 : len(content) - cut // 2])


trees = st.recursive(
    st.dictionaries(names, contents | links | damaged_zips(), max_size=4),
    lambda inner: st.dictionaries(names, contents | links | damaged_zips() | inner, max_size=4),
    max_leaves=8,
)


def possible(tree):
    """Return what of a tree the file system accepts as a name."""
    return {
        name: possible(content) if isinstance(content, dict) else content
        for name, content in tree.items()
        if name not in (".", "..") and len(os.fsencode(name)) <= 255
    }


@pytest.mark.skipif(os.name == "nt", reason="the names can't exist on Windows")
@given(tree=trees, exercises=st.sampled_from([[RMAP], [SPLIT, RMAP]]))
@settings(max_examples=50, deadline=None)
def test_any_folder_gives_hand_ins_within_bounds(tree, exercises):
    with tempfile.TemporaryDirectory() as folder:
        make(folder, {"secret": SECRET, "class": possible(tree)})
        collection = collect(Path(folder, "class"), exercises)
        found, again = list(collection.hand_ins), list(collection.hand_ins)
    wanted = [(learner, exercise[3:]) for learner in collection.learners for exercise in exercises]
    assert [(one.learner, one.exercise) for one in found] == wanted and len(set(wanted)) == len(wanted)
    assert found == again
    for one in found:
        check_bounds(one)
        assert SECRET not in one.files.values()


@given(content=damaged_zips())
@settings(max_examples=100, deadline=None)
def test_any_zip_gives_hand_ins_within_bounds(content):
    with tempfile.TemporaryDirectory() as name:
        folder = make(name, {"ada.zip": content})
        assert collected(folder).keys() == {"ada"}
        try:
            collected(folder / "ada.zip")  # as if it was the download
        except DataError as error:
            assert str(error).startswith("ada.zip")
