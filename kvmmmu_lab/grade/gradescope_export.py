# SPDX-License-Identifier: GPL-2.0-only
"""Who handed in what in a download from Gradescope: its ``submission_metadata.yml``, next to a folder for each submission.

The file is YAML as Ruby writes it. Only the names of the submitters are needed, and the results of earlier autograders in the
same file can have many megabytes. So it is read line by line, and only what Ruby writes about submitters is understood.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

METADATA = "submission_metadata.yml"

MOST_TEXT = 100_000
"""The maximum number of characters about the submitters of one submission."""

SUBMITTERS = re.compile(r"( +):submitters:\s*")
KEY = re.compile(r":(name|sid|email):(?:\s+(.*)|)", re.DOTALL)
ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    "_": "\xa0", "N": "\x85", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
"""What letters after a backslash stand for; all other characters stand for themselves."""


@dataclass(frozen=True)
class Submitter:
    """One of those who handed in a submission; what is not known is ""."""

    name: str = ""
    sid: str = ""
    email: str = ""

    @property
    def key(self) -> str:
        """What tells the submitter from all others: two learners can have the same name."""
        number = self.sid or self.email
        return f"{self.name} ({number})" if self.name and number else self.name or number


def submitters(content: bytes) -> dict[str, list[Submitter]]:
    """Return the submitters of each submission ("submission_123") in a metadata file."""
    found: dict[str, list[Submitter]] = {}
    submission, indent, lines = "", -1, list[str]()
    for raw in io.BytesIO(content):
        line = raw.rstrip(b"\r\n").decode(errors="replace")
        deep = len(line) - len(line.lstrip(" "))
        if lines and (deep > indent or not line.strip() or line[indent:].startswith("- ")):
            lines.append(line)
            continue
        if lines:
            found[submission], lines = list(_people(lines[1:])), []
        if deep == 0 and line.endswith(":"):
            submission = _scalar(line[:-1])
        elif submission not in found and (match := SUBMITTERS.fullmatch(line)):
            indent, lines = len(match[1]), [line]
    if lines:
        found[submission] = list(_people(lines[1:]))
    return found


def _people(lines: list[str]) -> Iterator[Submitter]:
    """Yield the items of a list of mappings."""
    indent = len(lines[0]) - len(lines[0].lstrip(" ")) if lines else 0
    person: dict[str, list[str]] = {}
    key = ""
    for line in lines if sum(map(len, lines)) <= MOST_TEXT else []:
        if line[indent:].startswith("- "):
            if person:
                yield _submitter(person)
            person, key = {}, ""
            line = line.replace("-", " ", 1)
        if line[: indent + 2].strip() or line[indent + 2 :].startswith(" ") or not line.strip():
            if key:
                person[key].append(line)  # the value goes on
        elif match := KEY.fullmatch(line[indent + 2 :]):
            key = match[1]
            person[key] = [match[2] or ""]
        else:
            key = ""
    if person:
        yield _submitter(person)


def _submitter(person: dict[str, list[str]]) -> Submitter:
    return Submitter(**{key: _scalar("\n".join(lines)).strip() for key, lines in person.items()})


def _scalar(text: str) -> str:
    """Return the text that a scalar of YAML stands for."""
    text = text.strip()
    first, _, rest = text.partition("\n")
    if text in ("", "~", "null", "!"):
        return ""
    if text.startswith("!binary"):
        try:
            return base64.b64decode(rest, validate=False).decode(errors="backslashreplace")
        except binascii.Error:
            return rest
    if re.fullmatch(r"[|>][0-9+-]*", first):
        lines = [line.strip() for line in rest.split("\n")]
        return "\n".join(lines) if first.startswith("|") else _folded("\n".join(lines))
    if len(text) > 1 and text[0] == text[-1] == "'":
        return _folded(text[1:-1]).replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        # a backslash at the end of a line joins it with the next one without a space
        joined = re.sub(r"(?<!\\)((?:\\\\)*)\\\n[ \t]*", r"\1", text[1:-1])
        return ESCAPE.sub(_escaped, _folded(joined))
    return _folded(text)


def _folded(text: str) -> str:
    """Join lines: a line break is a space, and each empty line is a line break."""
    return re.sub(r"[ \t]*\n((?:[ \t]*\n)*)[ \t]*", lambda match: "\n" * match[1].count("\n") or " ", text)


def _escaped(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code is None:
        return ESCAPES.get(match[4], match[4])
    number = int(code, 16)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else match[0]
