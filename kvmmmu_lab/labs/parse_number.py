# SPDX-License-Identifier: GPL-2.0-only
"""`parse_number`: a number as somebody types or pastes it: hexadecimal, binary or decimal, with spaces and underscores."""

from __future__ import annotations

import re

from ..errors import InputError

EXPECTED = (
    "a number of at most {bits} bits: hexadecimal after 0x, binary after 0b, or decimal; digits without a prefix are "
    "hexadecimal only if a letter from a to f is among them"
)
PATTERNS = (
    (r"0x[0-9a-f]+", 16),
    (r"0b[01]+", 2),
    (r"[01]{32}|[01]{64}", 2),
    (r"[0-9]+", 10),
    (r"[0-9][0-9a-f]*h", 16),
    (r"(?!0b)[0-9a-f]+", 16),
)
"""Each form of a number with its base. The first pattern that fits counts: 32 or 64 zeroes and ones are binary."""


def parse_number(text: str, argument: str = "text", bits: int = 64) -> int:
    """The unsigned number in ``text``. Raises InputError about ``argument`` for everything else.

    >>> hex(parse_number("0x80000000_02b45c65")), parse_number("0b1 0110 0111"), parse_number("1_000")
    ('0x8000000002b45c65', 359, 1000)
    >>> hex(parse_number("2b4 5c65"))
    '0x2b45c65'
    """
    plain = re.sub(r"[\s_,'`|]", "", text).lower() if isinstance(text, str) else ""
    base = next((base for pattern, base in PATTERNS if re.fullmatch(pattern, plain)), None)
    value = int(plain.removesuffix("h"), base) if base and len(plain) <= 80 else None
    if value is None or value >= 1 << bits:
        raise InputError(argument, text, EXPECTED.format(bits=bits))
    return value
