# SPDX-License-Identifier: GPL-2.0-only
"""Text from outside is printed with visible escape sequences in place of control characters."""

import io
import sys
import unicodedata

import pytest

from kvmmmu_lab.printable import PrintableStream, escaped_html, one_line, printable, printable_streams, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("\x00\x07\x7f\x9b", "\\x00\\x07\\x7f\\x9b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2028b\u2029\u0085", "a\\u2028b\\u2029\\x85"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("a\r\nb", "a\\r\nb"),
        ("a\tb", "a       b"),
        ("plain ü → ✓ 🧑\u200d🔧", "plain ü → ✓ 🧑\u200d🔧"),
    ],
)
def test_control_characters_become_visible(text, shown):
    assert printable(text) == shown


def test_no_character_that_controls_a_terminal_remains():
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    left = {c for c in printable(every) if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert left == {"\n", "\u200c", "\u200d"}


def test_a_name_stays_in_one_line_and_keeps_both_ends():
    assert one_line("a\nb\x1b") == "a\\nb\\x1b"
    assert shortened("a" * 30 + "b" * 30, 11) == "aaaa...bbbb"
    assert shortened("short", 11) == "short"


def test_html_is_escaped():
    assert escaped_html("<b>\x1b'\"") == "&lt;b&gt;\\x1b&#x27;&quot;"


def test_a_stream_escapes_what_is_printed_but_not_the_kits_own_sequences():
    out = io.StringIO()
    stream = PrintableStream(out)
    print("x\x1b[31m", file=stream)
    stream.writelines(["\u202e", "\n"])
    stream.control("\x1b[2J")
    assert out.getvalue() == "x\\x1b[31m\n\\u202e\n\x1b[2J"
    assert not stream.isatty()


def test_the_streams_are_put_back(capsys):
    before = sys.stdout, sys.stderr
    with printable_streams():
        print("\x1b")
        print("\x07", file=sys.stderr)
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr() == ("\\x1b\n", "\\x07\n")
