# SPDX-License-Identifier: GPL-2.0-only
"""Plots of the recordings say what the engine counts. They are readable, light and dark, and text without Matplotlib."""

import builtins
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from kvmmmu_lab import InputError, LabError
from kvmmmu_lab.data import traces
from kvmmmu_lab.draw.theme import colours
from kvmmmu_lab.labs import plot_exits, plot_flooding, plot_missing, plot_nested, plot_pool, plot_tables
from kvmmmu_lab.plots import chart
from kvmmmu_lab.replay.timeline import timeline
from kvmmmu_lab.replay.wrong_accesses import wrong_accesses

from ..share import one_in

PLOTS = {
    **{f"exits {name}": lambda name=name: plot_exits(name) for name in traces()},
    **{f"tables {name}": lambda name=name: plot_tables(name) for name in traces()},
    "some exits": lambda: plot_exits("lin64_20k", 7_000),
    **{f"nested {name}": lambda name=name: plot_nested(name) for name in traces()},
    "pool": plot_pool,
    "flooding": plot_flooding,
    "missing": plot_missing,
}
SVG = "{http://www.w3.org/2000/svg}"


def without_matplotlib(monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    chart._matplotlib.cache_clear()
    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.fixture(autouse=True)
def forget():
    yield
    chart._matplotlib.cache_clear()


@pytest.mark.parametrize("name", one_in(5, PLOTS))
def test_a_plot_is_an_image_for_each_theme_with_an_alternative_text(name):
    plot = PLOTS[name]()
    html = plot.html
    assert html.count("<img ") == 2
    assert html.startswith('<div class="kvmmmu-picture"')
    assert f'alt="{plot.title}' in html
    assert len(html) < 250_000
    assert plot.alternative.endswith(".")
    assert plot._repr_mimebundle_() == {"text/html": html, "text/plain": str(plot)}


@pytest.mark.parametrize("name", one_in(5, PLOTS))
def test_all_text_is_large_enough_for_a_slide(name):
    root = ET.fromstring(PLOTS[name]().svg)
    width, height = float(root.get("width")), float(root.get("height"))
    assert width <= 800 and height <= 500
    scale = min(1170 / width, 540 / height)  # the room below the title of a slide
    sizes = [float(size) for text in root.iter(f"{SVG}text") for size in re.findall(r"([\d.]+)px", text.get("style", ""))]
    assert sizes
    assert min(sizes) >= 13
    assert min(sizes) * scale >= 16


@pytest.mark.parametrize("name", one_in(5, PLOTS))
def test_a_dark_plot_has_the_colours_of_the_dark_theme(name):
    plot = PLOTS[name]()
    light, dark = plot.svg.lower(), plot._drawn(dark=True).lower()
    assert colours()["shadow"].lower() in light and colours(dark=True)["shadow"].lower() in dark
    assert colours()["shadow"].lower() not in dark
    assert colours(dark=True)["stage"].lower() in dark


def test_a_plot_is_the_same_each_time():
    assert plot_pool().svg == plot_pool().svg


def test_lines_and_bars_differ_in_more_than_colour():
    svg = plot_exits("lin64_20k").svg
    assert len(set(re.findall(r"stroke-dasharray: ([\d. ,]+)", svg))) >= 3
    assert plot_flooding().svg.count("<pattern") >= 3


@pytest.mark.parametrize("name", traces())
def test_the_table_of_exits_ends_with_the_counts_of_the_engine(name):
    plot = plot_exits(name)
    assert list(plot.rows[-1][1:]) == list(timeline(name).total.values())
    assert f"{sum(timeline(name).total.values()):,} exits" in plot.title
    assert str(plot).splitlines()[0] == plot.title


def test_exits_can_be_counted_for_the_first_events_only():
    plot = plot_exits("lin32_20k", 5_000)
    assert plot.rows[-1][0] == 5_000
    assert sum(plot.rows[-1][1:]) < timeline("lin32_20k").vm.stats.exits
    for events in (0, 60, 20_001, True, 3.5):
        with pytest.raises(InputError):
            plot_exits("lin32_20k", events)


def test_the_table_of_what_is_missing_has_the_counted_numbers():
    rows = {(name, words): (emulated, native) for name, words, emulated, native, _ in plot_missing().rows}
    for name in traces():
        found = rows[name.removesuffix("_20k"), "without write protection"]
        assert found == (0, len(wrong_accesses(name, "write-protection", "native")))


def test_the_pool_is_never_used_up():
    assert max(plot_pool().rows[-1][1:]) < 256
    assert not any(timeline(name).vm.stats.evicted for name in traces())


def test_without_matplotlib_a_plot_is_a_table_and_says_what_to_install(monkeypatch, tmp_path):
    plot = plot_flooding()
    without_matplotlib(monkeypatch)
    assert "7,034" in plot.html
    assert "kvmmmu-lab[plots]" in plot.html
    with pytest.raises(LabError, match="pip install 'kvmmmu-lab"):
        _ = plot.svg
    plot.save(tmp_path / "plot.txt")
    assert "7,034" in (tmp_path / "plot.txt").read_text()


def test_a_plot_can_be_saved(tmp_path):
    plot_pool().save(tmp_path / "pool.svg")
    assert (tmp_path / "pool.svg").read_text().startswith("<svg ")
    with pytest.raises(InputError, match="ends in"):
        plot_pool().save(tmp_path / "pool.png")
    with pytest.raises(InputError, match="can be written"):
        plot_pool().save(tmp_path / "none" / "pool.svg")


@pytest.mark.slow
def test_matplotlib_is_loaded_at_the_first_drawing_and_is_silent():
    program = "import sys; from kvmmmu_lab.labs import plot_pool; p = plot_pool(); print('matplotlib' in sys.modules); p.svg"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
