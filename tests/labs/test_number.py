# SPDX-License-Identifier: GPL-2.0-only
"""Numbers as people type and paste them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvmmmu_lab import InputError
from kvmmmu_lab.labs.number import parse_number, read_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x67", 0x67),
        ("0X8000_0000_0000_0067", 0x8000000000000067),
        (" 8000 0000 02b4 5c65 ", 0x8000000002B45C65),
        ("0b1100111", 0x67),
        ("0b 0110_0111", 0x67),
        ("103", 103),
        ("1_000", 1000),
        ("67h", 0x67),
        ("67ah", 0x67A),
        ("0" * 25 + "1100111", 0x67),
        ("1" + "0" * 63, 1 << 63),
        ("18446744073709551615", (1 << 64) - 1),
        ("0xffffffffffffffff", (1 << 64) - 1),
    ],
)
def test_numbers_as_they_are_pasted(text, value):
    assert parse_number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "0x",
        "0b",
        "0b2",
        "xyz",
        "-1",
        "0x1g",
        "1.5",
        "0x1" + "0" * 16,
        "9" * 30,
        None,
        5,
        "9" * 5000,
        "h",
        "dead beef?",
        "0x1 and 0x2",
        "pte-1",
    ],
)
def test_text_that_isnt_a_number(text):
    with pytest.raises(InputError, match="text"):
        parse_number(text)


@pytest.mark.parametrize(
    ("text", "decimal", "hexadecimal"),
    [
        ("00154121", 0x154121, 0x154121),
        ("0003B163", 0x3B163, 0x3B163),
        ("FFFFF800`00123456", 0xFFFFF80000123456, 0xFFFFF80000123456),
        ("10000000`12345678", 0x1000000012345678, 0x1000000012345678),
        ("80000000 12345067", 0x8000000012345067, 0x8000000012345067),
        ("8000_0000", 0x80000000, 0x80000000),
        ("1,000", 1000, 1000),
        ("0b41c867", 0xB41C867, 0xB41C867),
        ("67H", 0x67, 0x67),
        ("0x67UL", 0x67, 0x67),
        ("[0x67]", 0x67, 0x67),
        ("value 0x67", 0x67, 0x67),
        ("e.g. 00154121", 0x154121, 0x154121),
        ("cr2: ffff888000001000", 0xFFFF888000001000, 0xFFFF888000001000),
        ("69025", 69025, 0x69025),
        ("offset 16", 16, 0x16),
        ("99999999999999999999", None, None),
        ("18446744073709551615", 2**64 - 1, 2**64 - 1),
        ("8", 8, 8),
        ("0", 0, 0),
    ],
)
def test_digits_alone_can_be_read_in_two_ways_and_others_in_one(text, decimal, hexadecimal):
    for prefer, value in ((10, decimal), (16, hexadecimal)):
        if value is None:
            with pytest.raises(InputError):
                read_number(text, prefer=prefer)
        else:
            number = read_number(text, prefer=prefer)
            assert number.value == value
            assert number.other == (None if decimal == hexadecimal else decimal + hexadecimal - value)
            assert (number.other is None) or f"{value:#x}. As " in number.note


@settings(max_examples=60, deadline=None)
@given(st.integers(0, (1 << 64) - 1))
def test_numbers_round_trip(value):
    for text in (hex(value), bin(value), str(value), f"0x{value:_x}", f"{value:064b}"):
        assert parse_number(text) == value
