# SPDX-License-Identifier: GPL-2.0-only
"""Films laid out again for a room, from their data alone."""

import json
import xml.etree.ElementTree as ET

import pytest

from kvmmmu_lab import open_guest, record
from kvmmmu_lab.draw.render import renderers
from kvmmmu_lab.player.film import film
from kvmmmu_lab.player.fitting import fitted, remarks

pytestmark = pytest.mark.skipif(not renderers(), reason="nothing here can lay out a drawing")

GVA, SELF = 0x343C9000, 0xFFFF8880061C9E48


@pytest.fixture(scope="module")
def data():
    vm = open_guest("lin64_A").vm()
    with record(vm) as recording:
        vm.access(GVA, user=True)
        vm.access(SELF, write=True)
    return json.loads(json.dumps(film(recording, GVA, SELF).data))


def size(chapter):
    return tuple(map(float, ET.fromstring(chapter["svg"]).get("viewBox").split()[2:]))


def keys(chapter):
    return {group.get("data-key") for group in ET.fromstring(chapter["svg"]).iter() if group.get("data-key")}


def test_a_film_is_laid_out_for_a_slide(data):
    for before, chapter in zip(data["chapters"], fitted(data)["chapters"], strict=True):
        assert chapter["fits"] == (size(chapter)[0] <= 825 and size(chapter)[1] <= 290)
        assert size(chapter)[1] < size(before)[1]
        missing = {key for key in keys(before) - keys(chapter) if "|" not in key}
        assert all(any(key == gone or key.startswith(f"{gone}:") for gone in chapter["folded"]) for key in missing)
        for step in chapter["steps"]:
            assert set(step["set"]) <= keys(chapter)


def test_a_chapter_without_a_stage_stays_as_it_is(data):
    old = [{name: value for name, value in chapter.items() if name != "stage"} for chapter in data["chapters"]]
    assert fitted({**data, "chapters": old})["chapters"] == old


@pytest.mark.parametrize("stage", [None, 5, {}, {"title": "", "tables": [["s:1"]], "edges": [], "notes": [], "path": []}])
def test_a_chapter_with_a_damaged_stage_stays_as_it_is(data, stage):
    damaged = {**data, "chapters": [{**chapter, "stage": stage} for chapter in data["chapters"]]}
    found = fitted(damaged)
    assert found == damaged
    assert all("run the cell again" in words for words in remarks(found))


def test_remarks_say_what_is_missing(data):
    chapter = {**data["chapters"][0], "title": "A read.", "folded": ["s:1", "s:2", "s:3:4"], "fits": False}
    larger, fewer = remarks({"chapters": [chapter]})
    assert larger == "the drawing of “A read.” is larger than a slide, so each step shows a part of it"
    assert fewer == "the drawing of “A read.” leaves out 2 tables and 1 row to which nothing happens"
