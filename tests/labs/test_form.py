# SPDX-License-Identifier: GPL-2.0-only
"""Numbers as people type and paste them into a form."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvmmmu_lab import InputError
from kvmmmu_lab.labs.form import parse_number


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
    "text", ["", "  ", "0x", "0b", "0b2", "xyz", "-1", "0x1g", "1.5", "0x1" + "0" * 16, "9" * 30, None, 5, "9" * 5000, "h"]
)
def test_text_that_isnt_a_number(text):
    with pytest.raises(InputError, match="text"):
        parse_number(text)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, (1 << 64) - 1))
def test_numbers_round_trip(value):
    for text in (hex(value), bin(value), str(value), f"0x{value:_x}", f"{value:064b}"):
        assert parse_number(text) == value
