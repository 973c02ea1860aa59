# SPDX-License-Identifier: GPL-2.0-only
"""The bits of a guest entry and of its shadow entry in two rows: the values, the arrows, and the bits that change."""

import base64
import re

import pytest

from kvmmmu_lab.draw.bit_row import EMPTY, ROW, bit_row_scene
from kvmmmu_lab.draw.metrics import text_width
from kvmmmu_lab.draw.room import SLIDE
from kvmmmu_lab.draw.scene import scene_data, scene_of
from kvmmmu_lab.draw.svg import Drawing
from kvmmmu_lab.inspect.paths import guest_path, shadow_path
from kvmmmu_lab.labs import Picture, bit_row, watch_bits
from kvmmmu_lab.labs.guests import GuestTable

from ..mmu.guests import PAGED, everything
from .scenes import edges, sound


def rows(scene):
    """Return the texts of the guest's row and of the shadow's row, by the number of the bit."""
    found = {"g": {}, "s": {}}
    for table in scene.tables:
        low, side = table.key.split(":")
        if low[0] == "b":
            found[side][int(low[1:])] = [entry.flags for entry in table.entries]
    return found["g"], found["s"]


def made(mode="64", preset="all allowed", **access):
    table = GuestTable(mode, preset)
    vm = table.vm()
    if access:
        vm.access(table.gva, **access)
    before = everything(vm)
    scene = bit_row_scene(vm, table.gva)
    sound(scene)
    assert everything(vm) == before, "drawing changes nothing"
    return vm, table.gva, scene


@pytest.mark.parametrize("mode", PAGED)
@pytest.mark.parametrize("preset", ["all allowed", "not dirty", "read-only page", "supervisor page", "device"])
def test_the_bits_are_those_of_the_entries(mode, preset):
    vm, gva, scene = made(mode, preset, write=False)
    guest, shadow = rows(scene)
    entries = guest_path(vm, gva).steps[-1].entry, shadow_path(vm, gva).steps[-1].entry
    for row, entry in zip((guest, shadow), entries, strict=True):
        for field in ROW:
            if field.low in row and field.low != 12:
                assert row[field.low][0] == str(entry >> field.low & 1)
    assert shadow[12][0] == hex(entries[1] >> 12 & (1 << 40) - 1) and guest[12][0] == hex(guest_path(vm, gva).gfn)
    assert (63 in guest) == (mode != "32") and 63 in shadow and not {9, 10, 11} & guest.keys()


def test_an_arrow_leads_to_each_bit_that_is_copied():
    _, _, scene = made(write=True)
    assert edges(scene, "link") == {
        *((f"b{low}:g", f"b{low}:s") for low in (63, 12, 8, 6, 5, 2, 1, 0)),
        ("b1:g", "b10:s"),
        ("b2:g", "b11:s"),
    }


@pytest.mark.parametrize(
    ("preset", "own", "above", "there", "fate", "mark", "why"),
    [
        ("not dirty", "1", "above 1", "0", "held", "1", "so the first write must fault"),
        ("read-only page", "0", "above 1", "0", "=", "0", ""),
        ("upper level read-only", "1", "above 0", "0", "no", "0", "one above doesn't"),
        ("its own page table", "1", "above 1", "0", "held", "1", "itself a shadowed page table"),
        ("all allowed", "1", "above 1", "1", "=", "1", ""),
    ],
)
def test_what_becomes_of_w(preset, own, above, there, fate, mark, why):
    _, _, scene = made("64", preset, write=False)
    guest, shadow = rows(scene)
    assert guest[1] == [own, above] and shadow[1] == [there, fate] and shadow[10] == [mark, ""]
    assert (("b1:g", "b1:s") in edges(scene, "link")) == (own == there)
    assert (("b1:g", "b10:s") in edges(scene, "link")) == (mark == "1")
    assert why in " ".join(scene.notes)


def test_an_entry_that_is_not_made_yet_has_no_bits():
    vm, gva, scene = made()
    _, shadow = rows(scene)
    assert {tuple(texts) for texts in shadow.values()} == {(EMPTY, "")} and not scene.edges
    assert scene.table("e:s").words == ("not made yet",)
    vm.access(gva)
    assert bit_row_scene(vm, gva).table("e:s").words[0].startswith("#")
    vm.zap_all()
    sound(bit_row_scene(vm, gva))


def test_a_page_that_is_not_mapped_and_a_guest_without_paging():
    _, _, scene = made("64", "not present", user=True)
    assert rows(scene)[0][0][0] == "0"
    _, _, scene = made("none", write=False)
    assert scene.table("e:g").words == ("the walk ends above",) and {EMPTY} == {text[0] for text in rows(scene)[0].values()}


def test_what_became_of_a_bit_is_said_in_a_word():
    _, _, device = made("64", "device", write=False)
    assert rows(device)[1][0] == ["0", "!="] and rows(device)[1][12][1] == "="
    _, _, scene = made("64", "not dirty", write=True)
    assert rows(scene)[1][6] == ["0", "!="], "the host set D of the guest's entry alone"
    assert rows(scene)[1][12][1] == "host"
    table = GuestTable("64", "read-only page")
    vm = table.vm(wp=False)
    vm.access(table.gva, write=True)
    assert [rows(bit_row_scene(vm, table.gva))[1][low] for low in (1, 2)] == [["1", "WP"], ["0", "WP"]]


def test_a_film_marks_the_bits_that_change():
    table = GuestTable("64", "not dirty")
    vm = table.vm()
    film = watch_bits(lambda: [vm.access(table.gva), vm.access(table.gva, write=True)], vm, table.gva)
    changed = [{entry.key for _, entry in step.scene.marked() if entry} for step in film.steps]
    assert {"b1:s:0"} in changed, "W alone, at the write"
    assert {"b6:g:0"} in changed, "then D of the guest"
    at = next(n for n, keys in enumerate(changed) if "b10:s:0" in keys)
    assert {"b0:s:0", "b2:s:0", "b11:s:0", "b12:s:0"} <= changed[at] and "b1:s:0" not in changed[at], "W is withheld"


def test_two_long_arrows_are_two_lines():
    _, _, scene = made(write=True)
    place = Drawing(scene).layout
    one, other = (place.edges[f"link|b{low}:g|b{low + 9}:s"].d for low in (1, 2))
    assert one != other
    tops = {place.tables[table.key].y for table in scene.of("shadow")}
    assert max(tops) - min(tops) < 1, "the arrows don't push the boxes apart"


def test_no_arrow_ends_behind_the_title_of_the_lower_box():
    _, _, scene = made(write=True)
    place = Drawing(scene).layout
    end = place.boxes["shadow"].x + 8 + text_width(place.titles["shadow"][0], bold=True)
    tips = [float(re.findall(r"[\d.]+", line.head)[0]) for line in place.edges.values()]
    assert len(place.titles["shadow"]) == 1 and min(tips) > end


def test_the_boxes_have_their_own_titles_also_from_data_and_on_a_slide():
    _, _, scene = made(write=True)
    assert scene_of(scene_data(scene)).boxes == scene.boxes
    picture = Picture(scene)
    on_slide = base64.b64decode(re.search(r"base64,([^\"]+)", picture.fitted(SLIDE).html)[1]).decode()
    for text in (str(picture), picture.svg, picture.dot, on_slide):
        assert "Guest entry" in text and "Guest tables" not in text and "()" not in text
    fitted = picture.fitted(SLIDE)
    assert fitted.scale >= 1 and fitted.folded == ()


def test_the_picture_of_a_machine():
    vm, gva, scene = made(write=True)
    assert bit_row(vm, gva).scene == scene
