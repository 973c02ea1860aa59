# SPDX-License-Identifier: GPL-2.0-only
"""Films as data: the player gets what happened."""

import io
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

from kvmmmu_lab import InputError, open_guest, record
from kvmmmu_lab.draw.dot import to_dot
from kvmmmu_lab.draw.example import SELF, guest_with_its_own_table_mapped
from kvmmmu_lab.draw.render import VARIABLE, renderers
from kvmmmu_lab.draw.reverse_maps import reverse_map_scene
from kvmmmu_lab.labs import parent_chains, small_guest, watch, watch_store
from kvmmmu_lab.mmu.vm import Vm
from kvmmmu_lab.player.film import LEGEND, film, selection_of
from kvmmmu_lab.player.film_steps import BEFORE, MOST_STEPS
from kvmmmu_lab.recording.narration import TAGS

pytestmark = pytest.mark.skipif(not renderers(), reason="nothing here can lay out a drawing")

GVA = 0x343C9000


@pytest.fixture(scope="module")
def recording():
    vm = open_guest("lin64_A").vm()
    with record(vm) as recording:
        vm.access(GVA, user=True)
        vm.emulate_write_gpa(0x61C9E48, 0, 8)
    return recording


@pytest.fixture(scope="module")
def made(recording):
    return film(recording, GVA)


def played(chapter):
    """Yield the appearance of all parts of a chapter after each of its steps, as the player sets it."""
    root = ET.fromstring(chapter["svg"])
    now = {}
    for group in root.iter("{http://www.w3.org/2000/svg}g"):
        if group.get("data-key"):
            texts = [child.text or "" for child in group if child.tag.rpartition("}")[2] in ("title", "text")]
            now[group.get("data-key")] = [group.get("class"), *texts]
    for step in chapter["steps"]:
        assert set(step["set"]) <= set(now)
        now |= step["set"]
        yield dict(now)


@pytest.mark.parametrize("detail", [False, True])
def test_playing_the_steps_shows_what_each_picture_shows(recording, detail):
    made = film(recording, GVA, detail=detail)
    shown = [parts for chapter in made.data["chapters"] for parts in played(chapter)]
    assert len(shown) == len(made.steps)
    for number, parts in enumerate(shown):
        picture = made.picture(number)
        assert parts == picture.drawing.appearances(picture.scene), number


def test_each_operation_is_a_chapter_of_its_own(made):
    first, second = made.data["chapters"]
    assert first["steps"][0]["words"] == "Before the first step." and first["title"] == "User code reads 0x343c9000."
    assert second["steps"][0]["words"].startswith("The host carries out the store for the guest")
    assert second["steps"][0]["words"].startswith(f"{second['title']} It checks the shadow tables first")
    assert second["title"].endswith("."), "a later chapter is called by the first sentence of its first step"
    assert first["steps"][0]["set"] == {} == second["steps"][0]["set"]
    assert len(first["steps"]) == 16


def test_steps_say_what_changed_bit_by_bit(made):
    changes = {change["name"]: change for step in made.steps for change in step.changes}
    assert changes["#251:0"] == {
        "key": "s:251:0",
        "name": "#251:0",
        "old": "0x0",
        "new": "0x1fa027",
        "bits": "P W U A set; leads to #250",
    }
    assert changes["#248:457"]["bits"] == "P W U A D NX cleared"


def test_marks_and_tags_say_what_a_step_is_about(made):
    (zap,) = [step for chapter in made.data["chapters"] for step in chapter["steps"] if "is zapped" in step["words"]]
    assert set(zap["tags"]) == {"zap", "spte"} and "s:248:457" in zap["about"]
    assert set(made.data["tags"]) <= set(TAGS) and "rmap" in made.data["tags"]


def test_a_film_is_plain_data_of_moderate_size(made):
    text = json.dumps(made.data)
    assert json.loads(text) == made.data
    assert len(text) < 80_000


def test_a_film_can_show_another_picture(recording):
    made = film(recording, draw=lambda vm, marks: reverse_map_scene(vm, 0x29A5, marks=marks))
    assert {table.key for step in made.steps for table in step.scene.tables} >= {"f:29a5", "s:248"}


def test_a_long_recording_ends_somewhere_and_says_so():
    vm = open_guest("lin64_A").vm()
    with record(vm) as recording:
        for page in range(80):
            vm.access(GVA + page * 4096, user=True)
    made = film(recording, GVA)
    assert len(made.steps) == MOST_STEPS + 2  # the state before, and the sentence at the end
    assert re.search(r"\d+ more operations isn't shown", made.steps[-1].words)


def test_nothing_happened():
    vm = guest_with_its_own_table_mapped()
    with record(vm) as recording:
        pass
    made = film(recording, SELF)
    assert [step.words for step in made.steps] == ["Before the first step."]
    assert made.data["chapters"][0]["steps"][0]["set"] == {}


def test_files(made, tmp_path):
    page = made.save(tmp_path / "fault.html").read_text("utf-8")
    assert page.startswith("<!doctype html>") and "http:" not in page.replace("http://www.w3.org", "")
    assert ET.fromstring(made.save(tmp_path / "fault.svg", step=3).read_text("utf-8")).tag.endswith("svg")
    assert json.loads(made.save(tmp_path / "fault.json").read_text("utf-8")) == made.data
    for path in (tmp_path / "fault.webm", tmp_path / "no" / "fault.html"):
        with pytest.raises(InputError, match="path"):
            made.save(path)


def test_a_moving_picture_has_a_frame_for_each_step_that_stays_as_long_as_one_reads(made, tmp_path, monkeypatch):
    """tests/browser tests the browser that takes the pictures; here they are white, each in a different shade."""

    def white(markup, selector, *, width):
        shots = [io.BytesIO() for _ in range(markup.count("<figure "))]
        for number, shot in enumerate(shots):
            Image.new("RGB", (width, 9), (255, 255, 255 - number)).save(shot, "PNG")
        return [shot.getvalue() for shot in shots]

    monkeypatch.setattr("kvmmmu_lab.player.gif.pictures", white)
    with Image.open(made.save(tmp_path / "fault.gif")) as moving:
        assert moving.n_frames == len(made.steps) and moving.info["loop"] == 0
        for number, step in enumerate(made.steps):
            moving.seek(number)
            assert moving.convert("RGB").getpixel((0, 0)) == (255, 255, 255 - number)
            assert moving.info["duration"] >= max(1300, 38 * len(step.words) - 10)  # a GIF counts hundredths of a second


def test_a_long_film_cannot_be_saved_as_a_gif(tmp_path):
    vm = open_guest("lin64_A").vm()
    with record(vm) as recording:
        for page in range(9):
            vm.access(GVA + page * 4096, user=True)
    with pytest.raises(InputError, match="a GIF can have at most 60"):
        film(recording, GVA).save(tmp_path / "long.gif")
    assert not list(tmp_path.iterdir())


def test_each_step_is_saved_as_dot_with_the_state_at_that_step(made, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "none")  # DOT needs no renderer
    saved = [made.save(tmp_path / "x.dot", step=number).read_text("ascii") for number in range(len(made.steps))]
    assert saved == [to_dot(step.scene) for step in made.steps]
    assert saved[-1] == made.save(tmp_path / "last.dot").read_text("ascii")
    changed = next(number for number, step in enumerate(made.steps) if ("g:61c9:457", "changed") in marks(step))
    for number, dot in enumerate(saved):
        (row,) = re.findall(
            r'<TR><TD PORT="r0w".*?</TR>', next(line for line in dot.splitlines() if line.startswith('"g:61c9" ['))
        )
        assert ("PWUAD.NX" in row) == (number < changed)
        assert ("<S>" in dot) == any(mark == "dead" for _, mark in marks(made.steps[number]))


def marks(step):
    return [((entry or table).key, (entry or table).mark) for table, entry in step.scene.marked()]


@pytest.mark.parametrize("step", [99, -99, True, "1"])
def test_pictures_of_steps_that_are_not_there(made, step, tmp_path):
    expected = f"expected a step of this film: 0 to {len(made.steps) - 1}"
    for ask in (
        made.picture,
        lambda step: made.save(tmp_path / "x.dot", step=step),
        lambda step: made.save(tmp_path / "x.svg", step=step),
    ):
        with pytest.raises(InputError, match=expected):
            ask(step)
    assert not list(tmp_path.iterdir())


def test_no_recording_and_no_address(recording):
    with pytest.raises(InputError, match="recording"):
        film([])
    with pytest.raises(InputError, match="gva"):
        film(recording, 1 << 50)


def test_what_was_clicked_on_is_told_with_what_happens_to_it(recording):
    pytest.importorskip("anywidget")
    made = film(recording, GVA)
    assert not made.picked and "Nothing was clicked on" in repr(made.picked)
    made.widget.picked = {"key": "s:248:457", "step": 3}
    assert made.picked.dies and not made.widget.close()
    assert str(made.picked) == (
        "You clicked on #248:457. In this film it is made from entry 457 of the guest table in gfn 0x61c9 at step 11; it is "
        "recorded in the reverse map of gfn 0x29a5 at step 12; it is read by the processor at step 14; it is dropped from the "
        "reverse map of gfn 0x29a5 at step 18; it is zapped: its guest entry is about to change at step 19."
    )
    made.widget.picked = {"key": "s:251", "step": 0}
    assert not made.picked.dies and "stays as it is" in str(made.picked)


# Stories: what happened to each part


def told(film, key):
    return selection_of(film.steps, key, 0).story


def test_the_story_of_a_guest_entry_names_who_read_it_and_what_was_made_from_it(made):
    assert told(made, "g:61c9:457") == {
        "it is read by the host": [4],
        "#248:457 is made from it": [11],
        "it is about to change: the host looks for what was made from it": [17],
        "#248:457, which was made from it, is zapped": [19],
        "it is cleared": [21],
    }
    assert told(made, "g:61d5:417")["#249:417, its counterpart in the shadow, now leads to #248"] == [10]


@pytest.mark.parametrize(
    ("key", "name", "story"),
    [
        ("shadow|s:248:457|f:29a5", "the arrow: #248:457 leads to gfn 0x29a5", {"it appears": [11], "it is removed": [19]}),
        (
            "rmap|f:29a5:rmap|s:248:457",
            "the arrow: gfn 0x29a5 can be written through #248:457",
            {"it appears": [12], "it is removed": [18]},
        ),
        ("s:248", "shadow page #248", {"it is taken from the pool": [9]}),
        ("g:61c9", "the guest table in gfn 0x61c9", {"shadow page #248, which will shadow it, is taken from the pool": [9]}),
        ("f:29a5:rmap", "the reverse map of gfn 0x29a5", {"it records #248:457": [12], "it drops #248:457": [18]}),
    ],
)
def test_everything_has_a_human_name_and_its_story(made, key, name, story):
    assert selection_of(made.steps, key, 0).name == name
    assert told(made, key) == story


def test_a_position_in_a_descriptor_has_a_story():
    vm = open_guest("lin64_A").vm()
    vm.access(GVA, user=True)
    with record(vm) as recording:
        vm.access(0xFFFF8880029A5000)
    made = film(recording, draw=lambda vm, marks: reverse_map_scene(vm, 0x29A5, marks=marks))
    assert list(told(made, "d:29a5:0:1")) == ["it appears"]
    assert selection_of(made.steps, "d:29a5:0:1", 0).name == "entry 1 of descriptor 0 of the reverse map of frame 0x29a5"


def test_names_are_in_the_data_for_tables_and_arrows(made):
    names = made.data["chapters"][0]["names"]
    assert names["shadow|s:251:0|s:250"] == "the arrow: #251:0 leads to shadow page #250"
    assert not [name for name in names.values() if re.search(r"\b[sgfrdcmb]:\w", name)]


def test_a_picture_with_keys_of_its_own_has_names_for_them():
    vm = open_guest("lin64_A").vm()
    vm.access(GVA, user=True)
    names = watch_store(vm, 0x61C9E48, 0).data["chapters"][0]["names"]
    assert names["g"] == "the guest's PT" and names["a"] == "which entry?"
    assert names["link|g:61c9:457|a:0"].endswith("is followed by “offset” in “which entry?”")
    assert not [name for name in names.values() if re.search(r"\b[sgfrdcmba]:\w", name)]


# Folds: what the viewer has seen before


def test_the_first_level_is_shown_and_the_others_are_folded(made):
    (fold,) = made.folds[0]
    assert (fold.first, fold.last) == (7, 10)
    assert fold.words == "4 steps like earlier ones: 2 new shadow pages, 2 new links."
    assert made.data["chapters"][0]["folds"] == [{"first": 7, "last": 10, "words": fold.words}]
    assert made.folds[1] == []


def second_access(seen=()):
    vm = open_guest("lin64_A").vm()
    vm.access(GVA, user=True)
    with record(vm) as recording:
        vm.access(0xFFFF8880029A5000, write=True)
    return film(recording, seen=seen)


def test_what_an_earlier_film_has_shown_is_folded(made):
    alone, later = second_access(), second_access(made.patterns)
    left = {film: sum(fold.last - fold.first for fold in film.folds[0]) for film in (alone, later)}
    assert left[later] > left[alone]
    folded = {number for fold in later.folds[0] for number in range(fold.first, fold.last + 1)}
    shown = [step.words for number, step in enumerate(later.steps) if number not in folded]
    assert any("its second, which takes a descriptor" in words for words in shown), "this is new, so it stays"


def test_a_detailed_film_folds_nothing(recording):
    detailed = film(recording, GVA, detail=True)
    assert detailed.folds == [[], []]
    assert str(detailed) == detailed.text(every=True)


def test_a_printed_film_folds_the_same_steps_and_can_print_them_all(made):
    printed, every = str(made), made.text(every=True)
    indent = "  " * made.steps[7].depth
    assert f"\n7-10  {indent}4 steps like earlier ones: 2 new shadow pages, 2 new links.\n" in printed
    assert made.steps[8].words not in printed and made.steps[8].words in every
    assert printed.count("To print all steps: print(film.text(every=True))") == 1 and "To print" not in every
    for number in (6, 11, len(made.steps) - 1):
        assert f"{number:3}  " in printed and made.steps[number].words in printed, "the steps keep their numbers"
    assert "like earlier ones" not in every and all(step.words in every for step in made.steps[1:])


def first_words(*gvas, write=False):
    """The first words of the films of some accesses, each film of all of them."""
    vm = open_guest("lin64_A").vm()
    films = [watch(lambda: [vm.access(gva, write=write, user=True) for gva in gvas], vm) for _ in range(3)]
    for made in films:
        assert made.data["chapters"][0]["steps"][0]["words"] == made.steps[0].words
        assert (f"  0  {made.steps[0].words}" in str(made)) is (made.steps[0].words != BEFORE)
    return [made.steps[0].words for made in films]


def test_a_film_without_a_fault_says_first_that_the_address_was_in_the_shadow():
    before = "Before the first step."
    there = "already in the shadow. The film has"
    assert first_words(GVA) == [before, *[f"{before} This address was {there} 3 steps."] * 2]
    assert first_words(GVA, GVA + 0x1000)[1:] == [f"{before} These addresses were {there} 6 steps."] * 2
    assert first_words(0xFFFF_0000, 0xFFFF_0000)[1:] == [before] * 2, "the guest's own fault, each time"


def test_a_fault_without_paging_is_a_fault():
    vm = Vm()
    first, second = (watch(lambda: vm.access(0x5000), vm).steps[0].words for _ in range(2))
    assert first == BEFORE and "already in the shadow" in second


@pytest.mark.slow
def test_a_film_is_the_same_in_every_process():
    program = (
        "import hashlib; from kvmmmu_lab.labs import watch\n"
        "from kvmmmu_lab.draw.reverse_maps import reverse_map_scene as scene\n"
        "from kvmmmu_lab import open_guest; vm = open_guest('lin64_A').vm(); run = lambda: vm.access(0x343C9000, user=True)\n"
        "films = [watch(run, vm), watch(lambda: vm.zap_all(), vm, draw=lambda vm, marks: scene(vm, 0x29A5, marks=marks))]\n"
        "films.append(watch(run, vm, draw=lambda vm, marks: scene(vm, 0x29A5, marks=marks)))\n"
        "print(*(hashlib.sha256(one.html.encode()).hexdigest() for one in films))"
    )
    names = [
        subprocess.check_output([sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}) for seed in "12"
    ]
    assert names[0] == names[1]


def test_the_legend_of_parents_does_not_call_them_a_reverse_map():
    """A line of the legend is shown where its classes occur, and the boxes of a parent chain are of the kind "rmap"."""
    vm = small_guest("64", 0x1000).vm
    vm.access(0x1000)
    page = next(page for page in vm.pool.active if page.level == 1)
    looks = [{*names.split()} for names in re.findall(r' class="([^"]*)"', parent_chains(vm, page.id).svg)]
    assert [words for kind, words in LEGEND if any({*kind.split()} <= look for look in looks)] == ["parent"]
