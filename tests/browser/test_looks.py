# SPDX-License-Identifier: GPL-2.0-only
"""How the player looks: room, themes, contrast, names for screen readers, and texts that mean harm."""

import asyncio
import io
import itertools
import re

import numpy as np
import pytest
from PIL import Image

from kvmmmu_lab.draw.example import example
from kvmmmu_lab.player.gif import gif

from ..player import films
from ..share import one_in
from .barriers import barriers
from .conftest import open_list

pytestmark = pytest.mark.slow

GUEST_BLUE = (0x00, 0x72, 0xB2)

OVERFLOWS = """() => [...document.querySelectorAll(".kvmmmu-player *")]
    .filter((one) => !one.closest("svg") && !one.closest(".kp-picture") && one.scrollWidth > one.clientWidth + 1
        && one.clientWidth && getComputedStyle(one).display !== "inline" && one.tagName !== "SELECT"
        && one.title !== one.textContent)
    .map((one) => `${one.className}: ${one.scrollWidth} > ${one.clientWidth}`)"""

CONTRAST = """() => {
    const rgb = (colour) => { const all = colour.match(/[\\d.]+/g).map(Number); return [...all.slice(0, 3), all[3] ?? 1]; };
    const mix = ([r, g, b, a], under) => [r, g, b].map((part, k) => part * a + under[k] * (1 - a));
    const behind = (one) => { const chain = [];
        for (let at = one; at; at = at.parentElement) chain.unshift(rgb(getComputedStyle(at).backgroundColor));
        return chain.reduce((under, over) => mix(over, under), [255, 255, 255]); };
    const light = (colour) => { const [r, g, b] = colour.map((part) => { const s = part / 255;
        return s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const own = (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const found = [];
    for (const one of document.querySelectorAll(".kvmmmu-player *")) {
        if (one.closest("svg") || one.tagName === "STYLE" || !own(one) || !one.getClientRects().length) continue;
        if (one.closest("[aria-disabled=true]")) continue;
        const [paper, ink] = [behind(one), mix(rgb(getComputedStyle(one).color), behind(one))].map(light);
        const ratio = (Math.max(paper, ink) + 0.05) / (Math.min(paper, ink) + 0.05);
        if (ratio < 4.5) found.push(`${one.className} ${one.textContent.slice(0, 20)}: ${ratio.toFixed(2)}`);
    }
    return found; }"""


def is_dark(page, number=0):
    return page.locator(".kvmmmu-player").nth(number).evaluate("(root) => root.classList.contains('kvmmmu-dark')")


@pytest.mark.parametrize("width", [1024, 1280, 1600])
@pytest.mark.parametrize("name", ["small", "two_chapters", "hostile", "large"])
def test_nothing_overflows(play, width, name):
    film = getattr(films, name)()
    page = play(film)
    page.set_viewport_size({"width": width, "height": 800})
    last = sum(len(chapter["steps"]) for chapter in film["chapters"]) - 1
    for number in range(0, last + 1, max(1, last // 12)):
        page.evaluate(f"handles[0].seek({number})")
        assert page.evaluate(OVERFLOWS) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate("handles[0].pick([...document.querySelectorAll('[data-key]')].at(-1).dataset.key)")
    assert page.evaluate(OVERFLOWS) == []


@pytest.mark.parametrize(("width", "opened", "beside"), [(840, False, False), (1280, True, True), (1600, True, True)])
def test_the_list_is_a_drawer(play, width, opened, beside):
    """It is open from the start, beside the picture, if that has room enough for large text; else it opens over the picture."""
    page = play(films.small())
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_timeout(100)
    assert page.locator(".kp-list").is_visible() == opened
    open_list(page)
    picture, steps = (page.locator(name).bounding_box() for name in (".kp-picture", ".kp-steps"))
    assert (steps["x"] >= picture["x"] + picture["width"]) == beside
    assert steps["y"] == picture["y"] and steps["height"] == picture["height"]
    page.get_by_role("button", name="Steps", exact=True).click()
    assert page.locator(".kp-list").is_hidden()


SCALE = """(() => { const svg = document.querySelector(".kp-picture svg");
    return svg.getBoundingClientRect().width / svg.viewBox.baseVal.width; })()"""
SCROLLS = """(() => { const one = document.querySelector(".kp-picture");
    return [one.scrollWidth > one.clientWidth, one.scrollHeight > one.clientHeight]; })()"""


@pytest.mark.parametrize(
    ("width", "height", "least"), [(856, 800, 11), (1024, 800, 11), (1280, 800, 13), (1600, 900, 14), (1920, 1080, 16)]
)
def test_a_film_fits_the_pane_and_its_picture_grows_with_it(play, width, height, least):
    page = play(films.small())
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(100)
    assert page.locator(".kvmmmu-player").bounding_box()["height"] <= height - 200 + 2
    assert 11 * page.evaluate(SCALE) >= least
    assert page.evaluate(SCROLLS) == [False, False]


def test_a_drawing_too_large_for_the_pane_scrolls_and_keeps_its_size(play):
    page = play(films.large())
    assert page.evaluate(SCALE) == pytest.approx(1, abs=0.01)
    assert page.locator(".kvmmmu-player").bounding_box()["height"] <= 602
    assert page.evaluate(SCROLLS)[1]


def test_the_size_is_chosen(play):
    page = play(films.small())
    fit = page.evaluate(SCALE)
    height = page.locator(".kvmmmu-player").bounding_box()["height"]
    for choice, scale in (("1", 1), ("2", 2), ("fit", fit)):
        page.get_by_label("Size").select_option(choice)
        assert page.evaluate(SCALE) == pytest.approx(scale, abs=0.01)
        assert page.locator(".kvmmmu-player").bounding_box()["height"] == height
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_function("document.fullscreenElement")
    page.wait_for_timeout(300)
    box = page.locator(".kvmmmu-player").bounding_box()
    assert (box["width"], box["height"]) == tuple(page.evaluate("[innerWidth, innerHeight]"))
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_function("!document.fullscreenElement && !document.querySelector('.kp-fill')")
    assert page.locator(".kvmmmu-player").bounding_box()["height"] == height


def test_a_host_may_give_the_film_a_height(play):
    page = play(films.small(), options={"fill": True})
    page.evaluate("document.querySelector('.place').style.height = '700px'")
    page.wait_for_timeout(100)
    assert page.locator(".kvmmmu-player").bounding_box()["height"] == 700
    assert page.evaluate(SCROLLS) == [False, False]


def test_a_lessons_drawing_fits_the_column_of_a_small_window(play):
    """The drawings are made for 826 pixels; JupyterLab leaves about 840 in a window of 1,024."""
    page = play(films.small())
    page.set_viewport_size({"width": 856, "height": 800})  # the page's own margins take 16
    assert page.locator(".kp-picture").evaluate("(picture) => picture.clientWidth") >= 826


def test_the_picture_stays_where_it_is(play):
    page = play(films.small())
    open_list(page)
    places = set()
    for number in range(10):
        page.evaluate(f"handles[0].seek({number})")
        places.add(tuple(page.locator(name).bounding_box()["y"] for name in (".kp-picture", ".kp-controls", ".kp-side")))
    assert len(places) == 1


def test_the_name_of_a_chapter_is_not_shown_above_the_same_words(play):
    film = films.two_chapters()
    film["chapters"][1]["title"] = film["chapters"][1]["steps"][0]["words"]
    page = play(film)
    seen = []
    second = len(film["chapters"][0]["steps"])
    for number in (second - 1, second, second + 1):
        page.evaluate(f"handles[0].seek({number})")
        seen.append((page.locator(".kp-title").last.is_visible(), page.locator(".kp-picture").bounding_box()["y"]))
    assert [visible for visible, _ in seen] == [True, False, True]
    assert len({y for _, y in seen}) == 1


def test_the_values_of_a_long_change_are_not_cut(play):
    film = films.small()
    step = film["chapters"][0]["steps"][6]
    values = {"name": "entry 454 of the guest table in gfn 0x61c9", "old": "0x80000000029af867", "new": "0x80000000029ae867"}
    step["changes"] = [{**step["changes"][0], **values, "bits": "leads to gfn 0x29ae"}]
    page = play({**film, "chapters": [film["chapters"][0]]}, options={"step": 6})
    fits = """(part) => {
      const words = document.createRange();
      words.selectNodeContents(part);
      return words.getBoundingClientRect().width <= part.getBoundingClientRect().width;
    }"""  # exactly: a fifth of a pixel costs two letters
    for part in (".kp-name", ".kp-values"):
        assert page.locator(part).first.evaluate(fits), part


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1024, 1600])
def test_text_can_be_read(play, scheme, width):
    page = play(films.two_chapters())
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    page.evaluate("handles[0].pick('s:255:0')")
    page.get_by_role("button", name="List only these").click()
    for number in (0, 6, 7, 19):
        page.evaluate(f"handles[0].seek({number})")
        assert page.evaluate(CONTRAST) == []
    sizes = "() => [...document.querySelectorAll('.kvmmmu-player *')].map((one) => parseFloat(getComputedStyle(one).fontSize))"
    assert min(page.evaluate(sizes)) >= 11


def test_the_theme_is_the_systems(play):
    page = play(films.small())
    assert not is_dark(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector(".kvmmmu-player.kvmmmu-dark")
    assert page.locator(".stage").first.evaluate("(stage) => getComputedStyle(stage).fill") == "rgb(20, 25, 31)"
    page.emulate_media(color_scheme="light")
    page.wait_for_selector(".kvmmmu-player:not(.kvmmmu-dark)")


@pytest.mark.parametrize(
    ("body", "dark"),
    [
        ('class="vscode-dark" data-vscode-theme-kind="vscode-dark"', True),
        ('class="vscode-dark"', True),
        ('data-vscode-theme-kind="vscode-high-contrast"', True),
        ('data-vscode-theme-kind="vscode-high-contrast-light"', False),
        ('class="vscode-light"', False),
    ],
)
def test_the_theme_of_vs_code_counts_more_than_the_systems(play, body, dark):
    page = play(films.small(), body=f'{body} style="--vscode-editor-background: rgb(30, 31, 32)"')
    page.emulate_media(color_scheme="light" if dark else "dark")
    assert is_dark(page) == dark
    paper = page.locator(".kvmmmu-player").evaluate("(root) => getComputedStyle(root).backgroundColor")
    assert paper == "rgb(30, 31, 32)"
    page.evaluate("document.body.className = document.body.dataset.vscodeThemeKind = 'vscode-dark'")
    page.wait_for_selector(".kvmmmu-player.kvmmmu-dark")


def test_a_wide_picture_is_scrolled_with_keys(page):
    page.set_content(example().html)
    page.set_viewport_size({"width": 400, "height": 600})
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.kvmmmu-picture').scrollLeft > 0")


def test_jupyterlabs_theme_counts_more(play):
    page = play(films.small(), body='data-jp-theme-light="true"')
    page.emulate_media(color_scheme="dark")
    assert not is_dark(page)
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    page.wait_for_selector(".kvmmmu-player.kvmmmu-dark")


def test_a_theme_that_was_asked_for_counts_most(play):
    page = play(films.small(), body='data-jp-theme-light="true"', options={"theme": "dark"})
    assert is_dark(page)
    page.evaluate("handles[0].destroy(); document.body.dataset.jpThemeLight = 'false'")
    assert page.locator(".kvmmmu-dark").count() == 0


def test_hostile_texts_stay_text(play):
    page = play(films.hostile())
    nodes = page.evaluate("document.querySelectorAll('script, img, iframe').length")
    for number, words in enumerate(films.HOSTILE, 1):
        page.evaluate(f"handles[0].seek({number})")
        assert page.evaluate("document.querySelector('[data-key=\"s:252:5\"] .flags').textContent") == words[:40]
        if number < len(films.HOSTILE):
            assert page.evaluate("document.querySelector('.kp-words').textContent") == words
    page.evaluate("handles[0].pick('s:252:5')")
    assert page.title() == "test"
    assert page.evaluate("document.querySelectorAll('script, img, iframe').length") == nodes
    # a text that runs from right to left does so, and drags nothing else along
    direction = page.locator(".kp-item .kp-text").nth(4).evaluate("(text) => getComputedStyle(text).direction")
    assert direction == "rtl"


def test_everything_has_a_name_for_screen_readers(play):
    page = play(films.two_chapters(), options={"step": 7})
    page.evaluate("handles[0].pick('s:255:0')")
    tree = page.locator(".kvmmmu-player").aria_snapshot()
    assert 'group "About #255:0"' in tree
    page.evaluate("handles[0].pick(null)")
    open_list(page)
    page.keyboard.press("?")
    tree = page.locator(".kvmmmu-player").aria_snapshot()
    found = re.findall(r"^\s*- ((?:button|slider|combobox|searchbox|listbox|region|group)\b.*)$", tree, re.MULTILINE)
    assert len(found) >= 25
    assert [line for line in found if '"' not in line and ":" not in line] == []
    for name in ('button "Play"', 'slider "Step"', 'combobox "Speed"', 'searchbox "Search steps"', 'listbox "All steps"'):
        assert name in tree, name
    assert page.locator(".kp-button:not([aria-label])").evaluate_all("(all) => all.every((one) => one.textContent)")


def test_the_focus_is_visible(play):
    page = play(films.small())
    open_list(page)
    page.keyboard.press("Tab")
    for name in (".kp-forward", ".kp-slider", ".kp-search", ".kp-list"):
        page.locator(name).focus()
        page.keyboard.press("Shift")  # the browser shows the focus to those who use keys, with the next frame
        shown = "(name) => getComputedStyle(document.querySelector(name)).outline.endsWith('solid 2px')"
        page.wait_for_function(shown, arg=name)


def test_a_step_that_changes_a_whole_page_lists_some(play):
    film = films.small()
    change = film["chapters"][0]["steps"][6]["changes"][0]
    film["chapters"][0]["steps"][6]["changes"] = [change] * 512
    page = play(film, options={"step": 6})
    assert page.locator(".kp-change").count() == 3
    assert page.get_by_text("and 509 more").count() == 1
    height = page.locator(".kp-caption").bounding_box()["height"]
    page.evaluate("handles[0].seek(0)")
    assert page.locator(".kp-caption").bounding_box()["height"] == height < 200


@pytest.mark.parametrize("window", one_in(3, itertools.product((1024, 1600), ("light", "dark")), rest=pytest.mark.whole))
def test_there_are_no_barriers(play, window):
    """What axe finds in a film: at rest, with the list, with the details, and with the keys."""
    width, scheme = window
    page = play(films.two_chapters(), films.large(), options={"step": 7})
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    page.evaluate("scheme => { document.body.style.background = scheme === 'dark' ? '#111' : '#fff'; }", scheme)
    page.evaluate("document.querySelector('#end').remove()")
    found = []

    def look(where):
        page.wait_for_timeout(100)
        found.extend((where, *one) for one in barriers(page, off=("region", "landmark-one-main", "page-has-heading-one")))

    look("at rest")
    for number in (0, 1):
        open_list(page, number)
    look("list")
    page.evaluate("handles[0].pick('s:255:0'); handles[1].pick('s:14:2')")
    look("details")
    page.locator(".kp-slider").first.focus()
    page.keyboard.press("?")
    look("keys")
    assert not found


@pytest.mark.parametrize("name", ["two_chapters", "hostile"])
def test_a_moving_picture_shows_the_drawing_and_the_words_of_each_step(browser, name):
    """Also where an event loop runs, as in a notebook, which playwright on its own refuses; here ``browser`` has one."""
    film = getattr(films, name)()
    assert asyncio.get_running_loop()
    with Image.open(io.BytesIO(gif(film))) as moving:
        steps = [step for chapter in film["chapters"] for step in chapter["steps"]]
        assert moving.n_frames == len(steps) and moving.width == 960
        frames = []
        for number in range(moving.n_frames):
            moving.seek(number)
            frames.append(np.asarray(moving.convert("RGB")))
    for frame in frames:
        assert (frame == GUEST_BLUE).all(axis=2).sum() > 500, "the header of a guest table"
        assert (frame[:110] != 255).any(axis=2).sum() > 300, "words"
    assert all((one != another).any() for one, another in itertools.pairwise(frames))


@pytest.mark.parametrize(
    ("body", "dark"),
    [
        ('data-jp-theme-light="false"', True),
        ('data-jp-theme-light="true" class="vscode-dark"', False),
        ('class="vscode-dark" data-vscode-theme-kind="vscode-dark"', True),
        ('class="vscode-dark"', True),
        ('class="vscode-high-contrast"', True),
        ('class="vscode-high-contrast-light vscode-high-contrast"', False),
        ('data-vscode-theme-kind="vscode-high-contrast-light"', False),
        ('class="vscode-light"', False),
        ("", False),
    ],
)
def test_pictures_are_dark_in_a_dark_notebook(page, body, dark):
    page.set_content(f"<body {body}>{example().html}</body>")
    (shown,) = [one.get_attribute("class") for one in page.locator("img").all() if one.is_visible()]
    assert shown == ("dark" if dark else "light")
