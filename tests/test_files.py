# SPDX-License-Identifier: GPL-2.0-only
"""What the kit reads: only regular files of bounded size; whatever else there is becomes one sentence."""

import gzip
import io
import json
import os
import socket
import struct
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from kvmmmu_lab.data.arrays import array_names, read_arrays
from kvmmmu_lab.errors import DataError, HostCrash, InputError
from kvmmmu_lab.files import DEPTH, DIGITS, NotJson, gzip_lines, inflated, open_regular, parse_json, read_bytes, reading

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="named pipes and devices of POSIX")


def refused(path, *words, read=read_bytes):
    with pytest.raises(DataError) as caught:
        read(path)
    said = str(caught.value)
    assert len(said) <= 300 and "\n" not in said
    assert all(word in said for word in words), said
    return said


# Files


def test_a_regular_file_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert read_bytes(tmp_path / "a") == b"abc"
    assert read_bytes(tmp_path / "a", 3) == b"abc"
    refused(tmp_path / "a", "a: 3 bytes", "at most 2 bytes", read=lambda path: read_bytes(path, 2))
    refused(tmp_path / "b", "b: no such file")
    assert refused(tmp_path, "a folder").endswith(f"{tmp_path.name}: a folder; expected a regular file")
    refused(Path("a\0b"), "a\\x00b: it can't be read")
    refused(tmp_path / ("x" * 5000), "it can't be read")


@POSIX
def test_nothing_waits_for_a_pipe_or_reads_a_device_without_end(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "pipe: a named pipe; expected a regular file")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    refused(tmp_path / "link", "a named pipe")
    for device in ("/dev/zero", "/dev/random", "/dev/null", "/dev/tty"):
        if os.path.exists(device):
            refused(Path(device), device, "device")
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{short}/s")
        refused(Path(short, "s"), "a socket")


@POSIX
def test_a_link_is_followed_unless_it_must_not_be(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "loop").symlink_to("loop")
    assert read_bytes(tmp_path / "link") == b"abc"
    refused(tmp_path / "link", "a symbolic link", read=lambda path: read_bytes(path, follow=False))
    refused(tmp_path / "loop", "loop")


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="files without a size are Linux's")
def test_a_file_without_a_size_is_read_no_further_than_allowed():
    assert read_bytes(Path("/proc/self/stat"))
    refused(Path("/proc/self/stat"), "more than 5 bytes", read=lambda path: read_bytes(path, 5))


def test_whatever_goes_wrong_names_the_file():
    ours = InputError("a", 3, "b")
    for error in (KeyError("b"), RecursionError(), MemoryError(), ValueError("x" * 900), ours, StopIteration()):
        with pytest.raises(DataError) as caught, reading("some/file", "another one", "line 3"):
            raise error
        assert str(caught.value).startswith("some/file: line 3: ") and len(str(caught.value)) <= 300
    with pytest.raises(HostCrash), reading("some/file", "another one"):
        raise HostCrash("BUG", "f", "mmu.c:1", "why")


def test_a_message_is_short_whatever_the_names_are():
    long = "n" * 999, "g" * 999, "e" * 999
    for argument, got, expected in (long, ("n", "g" * 999, "e"), ("\x1b\nb", ["\x1b\n"], "\u202e")):
        said = str(DataError(argument, got, expected))
        assert len(said) <= 300 and said.isprintable()
    said = str(DataError("/start/" + "n" * 999 + "/end", "what", "that"))
    assert said.startswith("/start/") and "/end: what; expected that" in said


# JSON


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "nested"),
        ("[" * DEPTH + "[1]" + "]" * DEPTH, "nested"),
        ('{"a":' * (DEPTH + 1) + "1" + "}" * (DEPTH + 1), "nested"),
        ("9" * 5000, "5,000 digits"),
        ("[-" + "9" * (DIGITS + 1) + "]", "41 digits"),
        ("[NaN]", "the number NaN"),
        ("-Infinity", "the number -Infinity"),
        ('{"a": 1, "a": 2}', "the key 'a' twice"),
        (b"\xff\xfe\xfa", "not JSON"),
    ],
)
def test_json_beyond_the_limits_is_refused(text, why):
    with pytest.raises(NotJson, match=why):
        parse_json(text)


def test_json_within_the_limits_is_read():
    deep = "[" * DEPTH + "1" + "]" * DEPTH
    assert parse_json(deep) == json.loads(deep)
    assert parse_json(f'{{"text": "{"9" * 5000}", "number": {"9" * DIGITS}}}')["number"] == 10**DIGITS - 1
    assert [parse_json(json.dumps(["ü"]).encode(code)) for code in ("utf-8", "utf-8-sig", "utf-16", "utf-32")] == [["ü"]] * 4
    assert parse_json("[NaN]", finite=False)[0] != 0 and parse_json('{"a": 1, "a": 2}', unique=False) == {"a": 2}


# Compressed data


def test_lines_are_decompressed_one_by_one(tmp_path):
    path = tmp_path / "lines.gz"
    path.write_bytes(gzip.compress(b"one\ntwo\n"))
    assert list(gzip_lines(path, 100, 100)) == ["one\n", "two\n"]
    path.write_bytes(gzip.compress(b"\0" * (1 << 26)))
    refused(path, "a line of more than 1,000 bytes", read=lambda path: list(gzip_lines(path, 10**9, 1000)))
    path.write_bytes(gzip.compress(b"x\n" * 10_000))
    refused(path, "more than 5,000 bytes", read=lambda path: list(gzip_lines(path, 5000, 1000)))
    for content in (b"\x1f\x8b", gzip.compress(b"x" * 1000)[:-9], gzip.compress(b"\xff\n"), b"\x1f\x8b" + b"\x08\xff" * 40):
        path.write_bytes(content)
        refused(path, "lines.gz", read=lambda path: list(gzip_lines(path, 5000, 1000)))


def test_a_compressed_text_is_bounded():
    assert inflated(zlib.compress(b"abc"), 3) == b"abc"
    whole = zlib.compress(b"abcd")
    for packed, why in ((whole, "more than 3"), (whole[:6], "truncated"), (b"xyz", "damaged")):
        with pytest.raises(ValueError, match=why):
            inflated(packed, 3)


# Archives

SHAPES = {"a": ("u8", 1), "t": ("U", 0), "m": ("u1", 2)}


def member(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def header(descr="<u8", shape="(3,)", fortran="False", version=1):
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}".ljust(117) + "\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode("latin-1")


GOOD = {
    "a.npy": member(np.arange(3, dtype="<u8")),
    "t.npy": member(np.array("täxt")),
    "m.npy": member(np.asfortranarray(np.arange(6, dtype="u1").reshape(2, 3))),
}


@pytest.fixture
def archive(tmp_path):
    def write(change=(), method=zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "x.npz", "w", method) as made:
            for name, content in {**GOOD, **dict(change)}.items():
                if content is not None:
                    made.writestr(name, content)
        return tmp_path / "x.npz"

    return write


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_arrays_are_read_as_numpy_reads_them(archive, method):
    path = archive({"a.npy": header(version=2) + np.arange(3, dtype="<u8").tobytes()}, method)
    found = read_arrays(path, SHAPES)
    with np.load(path) as expected:
        for name in SHAPES:
            assert np.array_equal(found[name], expected[name]) and found[name].dtype == expected[name].dtype
    assert found["a"].flags.writeable and array_names(path) == ["a", "t", "m"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"a.npy": None}, "an array 'a'"),
        ({"b.npy": GOOD["a.npy"]}, "unexpected member"),
        ({"../a": b""}, "unexpected member"),
        ({"a.npy": b"hello"}, "a: not an array"),
        ({"a.npy": header("<u4")}, "a of type u8"),
        ({"a.npy": header("|O")}, "not the header"),
        ({"a.npy": header(shape="(10**9,)")}, "not the header"),
        ({"a.npy": header(shape="(17592186044416,)")}, "as many bytes"),
        ({"a.npy": header(shape=f"({'9' * 80},)")}, "as many bytes"),
        ({"a.npy": header(shape="(3, 1)") + bytes(24)}, "1 dimensions"),
        ({"a.npy": header() + bytes(23)}, "as many bytes"),
        ({"a.npy": header() + bytes(25)}, "as many bytes"),
        ({"a.npy": header(fortran="-" * 99 + "1") + bytes(24)}, "not the header"),
        ({"a.npy": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f"}, "not an array"),
        ({"t.npy": header("<U1", "()") + b"\xff\xff\xff\xff"}, "t: "),
    ],
)
def test_an_archive_with_anything_else_is_refused(archive, change, words):
    refused(archive(change), "x.npz", words, read=lambda path: read_arrays(path, SHAPES))


def edited(path, edit):
    content = bytearray(path.read_bytes())
    edit(content, content.rindex(b"PK\x01\x02"))
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [(6, 255, "version"), (8, 1, "encrypted"), (10, 12, "method 12"), (27, 0x7F, "bytes")],
)
def test_an_entry_of_the_directory_that_is_changed_is_refused(archive, at, value, words):
    path = edited(archive(), lambda content, entry: content.__setitem__(entry + at, value))
    refused(path, words, read=lambda path: read_arrays(path, SHAPES))


def test_a_directory_is_not_read_when_it_is_large(tmp_path):
    path = tmp_path / "many.npz"
    with zipfile.ZipFile(path, "w") as made:
        for number in range(100):
            made.writestr(f"{number}.npy", b"")
    refused(path, "large directory", read=array_names)


def test_a_decompressed_size_that_is_a_lie_is_noticed(archive):
    path = archive({"a.npy": header(shape="(1000000,)") + bytes(8_000_000)})

    def shorter(content, entry):
        at = content.index(b"PK\x01\x02")
        content[at + 24 : at + 28] = struct.pack("<I", 128 + 24)

    refused(edited(path, shorter), "a: ", read=lambda path: read_arrays(path, SHAPES))


@pytest.mark.parametrize("cut", [1, 30, 300])
def test_a_truncated_archive_is_refused(archive, cut):
    path = archive()
    path.write_bytes(path.read_bytes()[:-cut])
    refused(path, "truncated", read=lambda path: read_arrays(path, SHAPES))


def test_an_open_file_is_closed_when_it_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    for _ in range(5):
        refused(tmp_path / "a", read=lambda path: open_regular(path, 2))
    assert not before or len(os.listdir("/proc/self/fd")) == before
