# SPDX-License-Identifier: GPL-2.0-only
"""How long a reader waits on two quiet cores for the first picture of lesson 0, a film, and the check of a wrong solution;
and how many bytes come for lesson 0.
"""

import gzip
import itertools
import time
from urllib.parse import unquote

import pytest

from ..exercises import solutions
from ..pace import best
from .live_lab import text_of
from .static_server import serving

pytestmark = pytest.mark.speed

FIRST_SECONDS, LATER_SECONDS, FILM_SECONDS, CHECK_SECONDS = 30, 10, 1.5, 20
FIRST_BYTES, FIRST_BYTES_GZIP = 40_000_000, 24_000_000
NOTEBOOK = "notebooks/00_first_fault.ipynb"
PICTURE = "document.querySelector('.jp-OutputArea-output svg, .jp-OutputArea-output img')"
PLAYERS = "[...document.querySelectorAll('.kvmmmu-player')].filter((one) => one.querySelector('svg'))"
BEFORE = "from kvmmmu_lab import open_guest\nfrom kvmmmu_lab.labs import watch\nvm = open_guest('lin64_A').vm()"
FILM = "watch(lambda: vm.access({gva}, user=True), vm, [{gva}])"


@pytest.fixture(scope="module")
def server(whole_site):
    with serving(whole_site) as server:
        yield server


def seconds_until(page, condition, begin):
    """Seconds from ``begin`` until a condition holds in the page, looked at 20 times a second."""
    while not page.evaluate(condition):
        assert time.monotonic() - begin < 120, condition
        page.wait_for_timeout(50)
    return time.monotonic() - begin


def visit(lab):
    """Open lesson 0 in a new tab; return the seconds until the first picture, if the lesson is run at once.

    ``lab.asked`` is then what the server had been asked for when Python was ready.
    """
    lab.page.close()
    lab.page = lab.context.new_page()
    begin = time.monotonic()
    lab.open(NOTEBOOK)
    lab.asked = list(lab.server.asked)
    lab.page.evaluate("jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")  # those of an earlier visit
    lab.page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    return seconds_until(lab.page, f"{PICTURE} !== null", begin)


@pytest.fixture
def lab(new_reader, server):
    lab = new_reader(server)
    lab.server = server
    lab.context.unroute("**/*")  # a request that waits for this test is slower
    return lab


def test_the_first_picture_of_lesson_0(lab, whole_site, record_property):
    [first] = best(lambda: [visit(lab)], rounds=1)
    paths = {unquote(path.partition("?")[0]).lstrip("/") for path in lab.asked}
    files = [content.read_bytes() for path in paths if (content := whole_site / path).is_file()]
    plain, packed = sum(map(len, files)), sum(len(gzip.compress(content, 6)) for content in files)
    lab.kept()
    lab.python_kept()
    [later] = best(lambda: [visit(lab)], LATER_SECONDS, rounds=3)
    figures = (
        f"first visit {first:.1f} s, {len(files)} files, {plain / 1e6:.1f} MB, {packed / 1e6:.1f} MB with gzip; "
        f"later visit {later:.1f} s"
    )
    print(figures)
    record_property("figures", figures)
    assert first <= FIRST_SECONDS and later <= LATER_SECONDS, figures
    assert plain <= FIRST_BYTES and packed <= FIRST_BYTES_GZIP, figures


def test_the_first_picture_of_a_film(lab, record_property):
    lab.open(NOTEBOOK)
    lab.run(BEFORE)
    numbers = itertools.count()

    def measure():  # the first round also loads the player
        number = next(numbers)
        lab.add(FILM.format(gva=hex(0x400000 + number * 0x1000)))
        begin = time.monotonic()
        lab.page.evaluate("void jupyterapp.commands.execute('notebook:run-cell')")
        return [seconds_until(lab.page, f"{PLAYERS}.length > {number}", begin)]

    [film] = best(measure, FILM_SECONDS, rounds=3)
    record_property("figures", f"a film's first picture {film:.2f} s")
    assert film <= FILM_SECONDS


def test_the_check_of_a_wrong_solution(lab, record_property):
    """It tries more than that of a right one: it shortens the scenario of each rule that fails."""
    lab.open("exercises/04_rmap_add/rmap_add.ipynb")
    lab.run("from kvmmmu_lab.check import check")
    wrong = iter([one for one in solutions.wrong("04_rmap_add").values() if one.breaks])

    def measure():
        source, begin = next(wrong).source, time.monotonic()
        assert text_of(lab.run(f"{source}\ncheck('04_rmap_add', ReverseMap).status")) == "'failed'"
        return [time.monotonic() - begin]

    [seconds] = best(measure, CHECK_SECONDS, rounds=2)
    record_property("figures", f"the check of a wrong solution {seconds:.1f} s")
    assert seconds <= CHECK_SECONDS
