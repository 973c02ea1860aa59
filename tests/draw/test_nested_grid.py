# SPDX-License-Identifier: GPL-2.0-only
"""The grid of a nested walk: a cell for each reference, step by step, and as a film."""

import pytest

from kvmmmu_lab import InputError
from kvmmmu_lab.draw.geometry import Box, dots, points
from kvmmmu_lab.draw.metrics import text_width
from kvmmmu_lab.draw.nested_grid import cell_key, nested_grid_scene
from kvmmmu_lab.draw.room import Room
from kvmmmu_lab.draw.scene import check
from kvmmmu_lab.draw.svg import Drawing
from kvmmmu_lab.labs import nested_grid, watch_nested
from kvmmmu_lab.labs.nested_film import nested_walk

SHAPES = [(4, 4), (5, 5), (4, 0), (2, 3), (1, 1)]


@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_each_reference_is_a_cell_with_its_number(n, m):
    walk = nested_walk(n, m, 7)
    scene = nested_grid_scene(walk)
    check(scene)
    cells = {entry.key: entry for table in scene.tables for entry in table.entries}
    assert [cells[cell_key(reference)].index for reference in walk.references] == [
        str(k + 1) for k in range(len(walk.references))
    ]
    assert len(cells) == len(walk.references)
    assert len(scene.of("guest")) == n and len(scene.of("shadow")) == (n + 1) * bool(m) and len(scene.of("frame")) == 1
    assert f"{len(walk.references)} references" in scene.title


def test_what_is_not_read_yet_is_not_drawn():
    walk = nested_walk(4, 4, 7)
    for upto in range(len(walk.references) + 1):
        scene = nested_grid_scene(walk, upto, [upto])
        assert sum(len(table.entries) for table in scene.tables) == upto
        assert bool(scene.of("frame")) == (upto == 24)
        assert len(scene.of("guest")) == min(4, 1 + upto // 5), "a table is drawn when its address is known"
        assert [entry.index for _, entry in scene.marked() if entry] == ([str(upto)] if upto else [])


@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_the_film_has_a_step_for_each_reference(n, m):
    film = watch_nested(n, m, 7)
    assert len(film.steps) == len(nested_walk(n, m, 7).references) + 1
    assert [step.words.startswith(f"Reference {k}: ") for k, step in enumerate(film.steps) if k] == [True] * (
        len(film.steps) - 1
    )
    assert film.html.startswith("<") and film.title in film.text()
    assert not film.folds[0]
    assert film.picture(1).svg


def test_the_film_says_where_each_walk_begins_and_ends():
    words = [step.words for step in watch_nested(4, 4, 7).steps]
    assert sum("begins at the host's root" in text for text in words) == 5
    assert sum("has to be translated next" in text for text in words) == 4
    assert "The data is in hfn" in words[-1]
    assert not any("translated" in step.words for step in watch_nested(4, 0, 7).steps)
    assert sum("maps 2 MB" in step.words for step in watch_nested(4, 4, 7, large=True).steps) == 5


@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_it_fits_on_a_slide_with_readable_text(n, m):
    fitted = nested_grid(n, m, 7).fitted(Room(1170 * 11 / 16, 540 * 11 / 16))
    assert fitted.scale >= 1 and not fitted.folded


def test_a_picture_can_stop_at_a_step():
    assert "7 of 24 references" in str(nested_grid(4, 4, 7, step=7))
    assert str(nested_grid(4, 4, 7, step=99)).count("references") == 1
    with pytest.raises(InputError):
        nested_grid(9)


def test_the_text_form_has_the_same_numbers():
    text = str(nested_grid(4, 4, 7))
    assert all(f" {number} " in text for number in range(1, 25))
    assert "the processor reads them" in text and "never reads" not in text


def test_no_arrow_passes_behind_the_title_of_the_lower_box():
    place = Drawing(nested_grid_scene(nested_walk(4, 4, 7))).layout
    title, box = place.titles["shadow"], place.boxes["shadow"]
    words = Box(box.x + 8, box.y + 3, text_width(title[0], bold=True), 13)
    lines = [dot for line in place.edges.values() for dot in dots(points(line.d))]
    assert len(title) == 1
    assert not any(words.x < across < words.right and words.y < down < words.bottom for across, down in lines)
