# SPDX-License-Identifier: GPL-2.0-only
"""`Number`: a number as people type and paste it, and how it was read.

Debuggers and the kernel print hexadecimal numbers without a prefix. Nobody writes a decimal number with leading zeroes, with
WinDbg's backtick, or in groups of four digits. Digits alone can be either, so a `Number` also has the other reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import InputError

EXPECTED = (
    "one number of at most {bits} bits, such as 0x67, 67h, 00000067 or 0b1100111; digits alone are read as {prefer} if possible"
)
NAMES = {2: "binary", 10: "decimal", 16: "hexadecimal"}

TOKEN = re.compile(r"(?<![\w`#-])(?:0x[0-9a-f_`]+|(?=[a-f]*[0-9])[0-9a-f][0-9a-f_`]*h?)(?:u?l{0,2})(?![\w`-])", re.IGNORECASE)
"""A number inside other text. It has a digit, so that words such as "dead" are no numbers."""

PATTERNS = (
    (r"0x([0-9a-f]+)", 16, ""),
    (r"0b([01]+)", 2, ""),
    (r"([01]{32}|[01]{64})", 2, "its digits are as many as an entry's bits, all 0 or 1"),
    (r"([0-9][0-9a-f]*)h", 16, ""),
    (r"(0[0-9]+)", 16, "it has leading zeroes"),
    (r"(0b[0-9a-f]{6}|0b[0-9a-f]{14})", 16, "it has as many digits as an entry"),
    (r"((?=[0-9]*[a-f])(?!0b)[0-9a-f]+)", 16, ""),
)
"""The notations that can be read in one way only: each with its base and, if that isn't obvious, the reason. The first wins."""


@dataclass(frozen=True)
class Number:
    """A number that was read from text. ``base``: 2, 10 or 16; ``why``: the reason if it isn't obvious, or "".

    ``other``: its value in the other base (10 or 16) if the text can be read in both ways, else None.
    """

    value: int
    base: int
    why: str = ""
    other: int | None = None

    @property
    def note(self) -> str:
        """A sentence that says how the text was read, or "" if that is obvious."""
        if self.other is not None:
            return f"Read as {NAMES[self.base]}, {self.value:#x}. As {NAMES[26 - self.base]}, it would be {self.other:#x}."
        return f"Read as {NAMES[self.base]}, because {self.why}." if self.why else ""


def read_number(text: str, argument: str = "text", bits: int = 64, prefer: int = 10) -> Number:
    """Return the unsigned number in ``text``, and how it was read. Spaces and underscores may be anywhere.

    ``prefer``: the base, 10 or 16, of digits that can be read in both ways. Other words may stand around the number.
    Raises InputError about ``argument`` if the text doesn't have exactly one number of at most ``bits`` bits.

    >>> read_number("00154121").note
    'Read as hexadecimal, because it has leading zeroes.'
    >>> read_number("69025", prefer=16).note
    'Read as hexadecimal, 0x69025. As decimal, it would be 0x10da1.'
    """
    found = None
    if isinstance(text, str) and len(text) <= 1000:
        found = _read(text, bits, prefer)
        tokens = TOKEN.findall(text)
        if found is None and len(tokens) == 1 and tokens[0].strip() != text.strip() and not re.search(r"-\s*[0-9]", text):
            found = _read(tokens[0], bits, prefer)
    if found is None or found.value >= 1 << bits:
        raise InputError(argument, text, EXPECTED.format(bits=bits, prefer=NAMES[prefer]))
    return found


def parse_number(text: str, argument: str = "text", bits: int = 64, prefer: int = 10) -> int:
    """Return only the value that `read_number` reads.

    >>> hex(parse_number("0x80000000_02b45c65")), parse_number("0b1 0110 0111"), parse_number("1_000")
    ('0x8000000002b45c65', 359, 1000)
    >>> hex(parse_number("2b4 5c65")), hex(parse_number("00000000`12345678"))
    ('0x2b45c65', '0x12345678')
    """
    return read_number(text, argument, bits, prefer).value


def _read(text: str, bits: int, prefer: int) -> Number | None:
    """Return the number if the whole text is one."""
    text = text.strip().lower()
    plain = re.sub(r"(?<=[0-9a-f])u?l{0,2}$", "", re.sub(r"[\s_,'`|]", "", text))
    if len(plain) > 80:
        return None
    for pattern, base, why in PATTERNS:
        if match := re.fullmatch(pattern, plain):
            return Number(int(match[1], base), base, why)
    if not re.fullmatch(r"[0-9]+", plain):
        return None
    if "`" in text:
        return Number(int(plain, 16), 16)
    if re.fullmatch(r"[0-9]{1,3}([\s_,'][0-9]{3})+", text):
        return Number(int(plain), 10, "its digits are in groups of three")
    if re.fullmatch(r"[0-9]{1,4}([\s_'][0-9]{4})+|[0-9]{1,8}[\s_'][0-9]{8}", text):
        return Number(int(plain, 16), 16, "its digits are in groups of four or eight")
    values = {base: int(plain, base) for base in (prefer, 26 - prefer)}
    fitting = {base: value for base, value in values.items() if value < 1 << bits} or values
    (base, value), *others = fitting.items()
    return Number(value, base, "", others[0][1] if others and others[0][1] != value else None)
