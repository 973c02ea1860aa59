# SPDX-License-Identifier: GPL-2.0-only
"""Keys of drawn elements and names of shadow entries, formatted and parsed."""

import json

import pytest

from kvmmmu_lab.data import open_guest
from kvmmmu_lab.errors import InputError
from kvmmmu_lab.inspect import keys
from kvmmmu_lab.inspect.keys import HASH, PDPT, ROOTS, Key, frame_key, key_of, spte_key
from kvmmmu_lab.inspect.names import Names, entry_name, key_name, parse_entry_name
from kvmmmu_lab.mmu.memory import FIRST_SHADOW

SPTE = FIRST_SHADOW + 248 << 9 | 457


@pytest.mark.parametrize(
    ("table", "row", "text"),
    [
        (keys.shadow_page(248), 457, "s:248:457"),
        (keys.guest_table(0x61C9), 5, "g:61c9:5"),
        (PDPT, 3, "g:pdpt:3"),
        (ROOTS, 2, "r:2"),
        (keys.guest_frame(0x29A5), "rmap", "f:29a5:rmap"),
        (Key("h:2b45"), "rmap", "h:2b45:rmap"),
        (keys.rmap_descriptor(keys.guest_frame(0x29A5), 0), 3, "d:29a5:0:3"),
        (keys.parent_chain(248, 0), 4, "c:248:0:4"),
        (keys.memory_slot(0), 12, "m:0:12"),
        (HASH, 201, "b:201"),
        (keys.large_page(0x600), 5, "p:600:5"),
        (Key("l:free"), 7, "l:free:7"),
    ],
)
def test_a_key_has_a_kind_a_table_and_a_row(table, row, text):
    key = table.entry(row)
    assert key == text and json.loads(json.dumps({key: key})) == {text: text}
    assert (key.kind, key.table, key.row) == (text[0], table, str(row))
    assert (table.table, table.row) == (table, "")


def test_numbers_in_a_key():
    assert Key("s:248:457").page == Key("c:248:0:4").page == 248
    assert Key("g:61c9:5").gfn == Key("f:61c9").gfn == Key("h:61c9").hfn == 0x61C9
    assert Key("s:248:457").spte == SPTE and spte_key(SPTE) == "s:248:457"
    with pytest.raises(ValueError, match="'g:61c9' is a key of kind 'g', not 's' or 'c'"):
        _ = Key("g:61c9").page


def test_the_key_of_the_entry_at_a_host_address():
    vm = open_guest("lin64_A").vm()
    hfn = vm.memory.frames[0x61A6]
    assert key_of(vm, SPTE << 3) == "s:248:457"
    assert key_of(vm, hfn << 12 | 8 * 511) == "g:61a6:511"
    assert (frame_key(vm, hfn), frame_key(vm, 1)) == ("f:61a6", "h:1")
    assert key_of(vm, 1 << 12) == "?" and Names(vm).entry(1 << 12) == "host address 0x1000"


def test_a_shadow_entry_has_one_name():
    assert entry_name(SPTE) == key_name(Key("s:248:457")) == "#248:457"
    assert parse_entry_name("#248:457") == parse_entry_name("248:457") == SPTE
    assert all(parse_entry_name(entry_name(SPTE + n)) == SPTE + n for n in range(54))
    assert entry_name(5) == "0x5", "a number that is no shadow entry"
    assert key_name(Key("r:3")) == "root slot 3"
    assert key_name(Key("g:61c9:457")) == "entry 457 of the guest table in gfn 0x61c9"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("s:248", "shadow page #248"),
        ("g:61c9", "the guest table in gfn 0x61c9"),
        ("g:pdpt", "the guest's PDPT"),
        ("g:pdpt:3", "PDPTE 3"),
        ("r", "the root slots"),
        ("f:29a5", "gfn 0x29a5"),
        ("f:29a5:rmap", "the reverse map of gfn 0x29a5"),
        ("h:2b45:rmap", "the reverse map of host frame 0x2b45"),
        ("d:29a5:0", "descriptor 0 of the reverse map of frame 0x29a5"),
        ("d:29a5:0:3", "entry 3 of descriptor 0 of the reverse map of frame 0x29a5"),
        ("c:248:0:4", "entry 4 of parent chain 0 of shadow page #248"),
        ("m:0", "memory slot 0"),
        ("m:a0", "alias 0"),
        ("m:0:12", "the pages of memory slot 0 from page 12 on"),
        ("b", "the hash of shadow pages"),
        ("b:201", "hash bucket 201"),
        ("p:600", "the large page at gfn 0x600"),
        ("p:600:5", "gfn 0x605"),
        ("l:free", "l:free"),
        ("g", "g"),
    ],
)
def test_everything_that_has_a_key_has_a_name(key, name):
    assert key_name(Key(key)) == name


@pytest.mark.parametrize("wrong", ["#256:0", "#0:512", "#0", "#-1:0", "# 1:0", "#1:0 ", "#٣:0", "", "s:1:0", 1, None, ["#1:0"]])
def test_text_that_is_not_an_entry_name_is_refused(wrong):
    with pytest.raises(InputError, match=r"zapped is .*; expected a shadow entry's name, such as '#248:457'"):
        parse_entry_name(wrong, "zapped")


def test_a_key_that_a_picture_made_up_has_no_other_name():
    assert [key_name(Key(key)) for key in ("g", "s", "l:free", "g:7")] == ["g", "s", "l:free", "the guest table in gfn 0x7"]
