# SPDX-License-Identifier: GPL-2.0-only
"""Reading numbers as people paste them: hexadecimal, binary or decimal, with spaces and underscores."""

from __future__ import annotations

import re

from ..errors import InputError

EXPECTED = (
    "a number of at most 64 bits: hexadecimal with 0x before it, binary with 0b before it, or decimal; without 0x, digits "
    "are taken for hexadecimal only if a letter from a to f is among them"
)


def parse(text: str, bits: int = 64) -> int:
    """The number that ``text`` says.

    >>> hex(parse("0x80000000_02b45c65")), parse("0b1 0110 0111"), parse("1_000"), hex(parse("2b4 5c65"))
    ('0x8000000002b45c65', 359, 1000, '0x2b45c65')

    32 or 64 zeroes and ones are taken for bits. Raises InputError.
    """
    if not isinstance(text, str):
        raise InputError("text", text, EXPECTED)
    plain = re.sub(r"[\s_,'`|]", "", text).lower()
    value = None
    for pattern, base in (
        (r"0x[0-9a-f]+", 16),
        (r"0b[01]+", 2),
        (r"[01]{32}|[01]{64}", 2),
        (r"[0-9]+", 10),
        (r"[0-9][0-9a-f]*h", 16),
        (r"(?!0b)[0-9a-f]+", 16),
    ):
        if re.fullmatch(pattern, plain):
            value = int(plain.removesuffix("h"), base) if len(plain) <= 80 else None
            break
    if value is None or value >= 1 << bits:
        raise InputError("text", text, EXPECTED.replace("64", str(bits)))
    return value
