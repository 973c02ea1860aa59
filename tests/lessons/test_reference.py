# SPDX-License-Identifier: GPL-2.0-only
"""The glossary, the map of the course, and looking things up: everything leads to a lesson, and on from there."""

import importlib
import inspect
import re

import pytest

from kvmmmu_lab.errors import InputError
from kvmmmu_lab.exercises import folders, load
from kvmmmu_lab.lessons import course_map, glossary, look_up, reference, source_map
from kvmmmu_lab.lessons.course import all_lessons
from kvmmmu_lab.lessons.course_map import COLUMNS
from kvmmmu_lab.lessons.glossary import terms, terms_named
from kvmmmu_lab.museum import exhibits
from kvmmmu_lab.progress import Progress
from kvmmmu_lab.workspace import course_root


def words_of(lesson):
    return re.sub(r"\s*\n[# ]*", " ", lesson.notebook.with_suffix(".py").read_text("utf-8")).lower()


def test_terms_are_in_the_order_of_the_alphabet_and_each_has_one_meaning():
    names = [term.name.lower() for term in terms()]
    assert names == sorted(names) and len(names) == len({*names}) > 80
    assert all(term.meaning.endswith(".") and not term.meaning[0].islower() for term in terms())


def test_each_term_is_used_in_the_lesson_that_explains_it():
    """One of its names at least, in the text or in the answers of the lesson."""
    texts = {lesson.number: words_of(lesson) for lesson in all_lessons()}
    for lesson in all_lessons():
        module = importlib.import_module(f"kvmmmu_lab.lessons.lesson_{lesson.number:02}")
        texts[lesson.number] += re.sub(r"\s+", " ", inspect.getsource(module)).lower()
    missing = [
        (term.name, term.lesson)
        for term in terms()
        if not any(re.search(rf"\b{re.escape(name.lower())}", texts[term.lesson]) for name in term.names)
    ]
    assert not missing


def test_a_term_is_found_by_each_of_its_names_and_in_the_plural():
    (dirty,) = terms_named("dirty bit")
    assert terms_named("D") == [dirty] and terms_named("Reverse Maps")[0].name == "reverse map, rmap"
    assert terms_named("hidden fault")[0].name == "fault, hidden" and terms_named("nonsense") == []


def test_a_term_leads_to_lesson_exercise_engine_and_museum():
    found = look_up("reverse map")
    assert found.lessons[0].number == 6
    assert [task.name for task in found.exercises] == ["rmap_add", "rmap_remove", "rmap_write_protect"]
    assert "kvmmmu_lab.mmu.rmap.ReverseMap.add" in found.engine
    assert "wp0_rmap_leak_then_pt_BUG" in [one.name for one in found.exhibits]
    assert "[Lesson 6: Reverse maps](06_reverse_maps.ipynb)" in found.markdown
    assert "(../exercises/04_rmap_add/rmap_add.ipynb)" in found.markdown


def test_lines_and_functions_lead_there_too():
    assert look_up("mmu.c:1190").parts == look_up("mmu.c:1188-1213").parts
    assert [task.name for task in look_up("walk_addr").exercises] == ["walk"]


@pytest.mark.parametrize(
    ("text", "expected"), [("rmap_ad", "'rmap_add'"), ("zapp", "'zap'"), ("mmu.c:9999", "lines of mmu.c from 1"), (7, "a term")]
)
def test_what_is_unknown_is_refused_with_what_is_near(text, expected):
    with pytest.raises(InputError, match=expected):
        look_up(text)


def test_each_exhibit_is_in_lines_of_the_map():
    listed = {one.name for _, _, row in (*source_map("mmu.c").rows, *source_map("paging_tmpl.h").rows) for one in row.exhibits}
    elsewhere = {one.name for one in exhibits() if one.lines == "kvm_main.c"}
    assert listed == {one.name for one in exhibits()} - elsewhere and len(elsewhere) == 2


def test_tables_have_a_row_for_each_term_and_each_part():
    for table in (glossary(), source_map("mmu.c"), source_map("paging_tmpl.h")):
        head, rule, *rows = table.markdown.splitlines()
        assert len(rows) == len(table.rows) and {row.count(" | ") for row in (head, rule, *rows)} == {1}
        assert len(str(table).splitlines()) == len(rows)
    with pytest.raises(InputError, match="paging_tmpl"):
        source_map("vmx.c")


def test_the_map_shows_all_lessons_and_exercises_and_what_each_builds_on():
    scene = course_map().scene
    numbers = [lesson.number for lesson in all_lessons()]
    assert sorted(number for column in COLUMNS for number in column) == numbers
    assert all(before < number for column in COLUMNS for number, those in column.items() for before in those)
    assert {table.title.removeprefix("next: ") for table in scene.tables} == {str(number) for number in numbers}
    assert sum(len(table.entries) for table in scene.tables) == len(folders(course_root()))


def test_the_map_shows_the_progress(tmp_path):
    progress = Progress(tmp_path)
    first = all_lessons()[0]
    keys = [first.key(name) for name in first.questions]
    progress.predicted(keys[0], "1", True, False)
    begun = course_map(progress).scene
    assert begun.tables[0].title == f"next: 0 · 1 of {len(keys) + len(first.checks)}"
    for key in keys:
        progress.predicted(key, "1", True, False)
    for name in first.checks:
        progress.checked(first.key(name), "1", True)
    (task,) = [load(folder) for folder in folders(course_root()) if folder.name == "01_split"]
    progress.points("split", task.points)
    done = course_map(progress).scene
    assert done.tables[0].title == "✓ 0"
    assert "✓ solved" in [entry.target for table in done.tables for entry in table.entries]
    assert "2 of" in done.title


def test_the_glossary_loads_each_exercise_once(monkeypatch):
    """In a browser tab, to load all of them for each term would take minutes."""
    loaded, load = [], reference.exercises.load
    monkeypatch.setattr(reference.exercises, "load", lambda folder: loaded.append(folder.name) or load(folder))
    reference._exercises.cache_clear()
    assert "rmap_add" in glossary()._repr_mimebundle_()["text/markdown"]
    assert len(loaded) == len({*loaded}) == 10
