# SPDX-License-Identifier: GPL-2.0-only
"""The player in a real browser: going forward and back, with buttons, keys, slider and list."""

import pytest

from ..player import films
from .conftest import open_list

pytestmark = pytest.mark.slow

LAST = len(films.small()["chapters"][0]["steps"]) - 1


def step(page, number=0):
    return page.evaluate(f"handles[{number}].step")


def appearances(page, number=0):
    """What the drawing shows: for each part its class and its texts."""
    return page.evaluate(
        """(number) => Object.fromEntries([...document.querySelectorAll(".kvmmmu-player")[number]
            .querySelectorAll("[data-key]")].map((g) => [g.dataset.key, [g.getAttribute("class"),
                ...[...g.querySelectorAll(":scope > title, :scope > text")].map((text) => text.textContent)]]))""",
        number,
    )


def test_the_first_step_shows(play):
    page = play(films.small())
    assert page.locator(".kp-count").inner_text() == f"Step 0 of {LAST}"
    assert page.locator(".kp-words").inner_text() == "Before the first step."
    assert page.locator(".kp-place").inner_text() == ""
    assert page.locator(".kp-item[aria-selected=true] .kp-text").text_content() == "Before the first step."
    assert page.get_by_text("before", exact=True).count() == 0


def test_the_caption_says_where_what_and_how(play):
    page = play(films.small(), options={"step": 7})
    assert page.locator(".kp-count").inner_text() == f"Step 7 of {LAST}"
    assert page.locator(".kp-place").inner_text() == "paging64_set_pte_common(), paging_tmpl.h:189-240"
    assert page.locator(".kp-words").inner_text().startswith("#252:5 now maps gfn 0x20")
    change = page.locator(".kp-change").inner_text()
    assert " ".join(change.split()) == "#252:5 0x0 → 0x8000000002b45c67 P W U A D NX set; frame 0x2b45"


def test_each_step_looks_the_same_whichever_way_one_comes(play):
    page = play(films.small())
    forward = []
    for number in range(LAST + 1):
        page.evaluate(f"handles[0].seek({number})")
        forward.append(appearances(page))
    assert all(one != other for one, other in zip(forward[2:], forward[1:], strict=False))
    for number in (LAST, 3, 7, 0, 8, 1, LAST, 0):
        page.evaluate(f"handles[0].seek({number})")
        assert appearances(page) == forward[number], number


def test_only_what_differs_is_touched(play):
    page = play(films.large(), options={"step": 99})
    page.evaluate(
        """() => { window.touched = new Set();
        new MutationObserver((all) => all.forEach(({ target }) => touched.add(target.closest?.("[data-key]")?.dataset.key
            ?? target.parentElement?.closest("[data-key]")?.dataset.key)))
          .observe(document.querySelector(".kp-picture"), { subtree: true, childList: true, attributes: true }); }"""
    )
    page.evaluate("handles[0].seek(100)")
    page.wait_for_timeout(50)
    changed = films.large()["chapters"][0]["steps"][100]["set"]
    assert set(page.evaluate("[...touched]")) == set(changed)


def test_buttons(play):
    page = play(films.small())
    for name, after in (("forward", 1), ("forward", 2), ("back", 1), ("last", LAST), ("first", 0)):
        page.click(f".kp-{name}")
        assert step(page) == after, name
    assert page.locator(".kp-back").get_attribute("aria-disabled") == "true"
    page.click(".kp-back", force=True)
    assert step(page) == 0
    page.click(".kp-last")
    assert page.locator(".kp-forward").get_attribute("aria-disabled") == "true"
    # the focus isn't lost at the end, so the keys still work
    page.keyboard.press("ArrowLeft")
    assert step(page) == LAST - 1


def test_over_and_out(play):
    page = play(films.small(), options={"step": 4})
    page.click(".kp-over")
    assert step(page) == 6  # step 5 is inside of 4
    page.click(".kp-over")
    assert step(page) == 9  # 7 and 8 are inside of 6, and nothing follows beside it
    page.evaluate("handles[0].seek(5)")
    page.click(".kp-out")
    assert step(page) == 6


def test_keys(play):
    page = play(films.small())
    page.locator(".kp-caption").click()  # a click anywhere in the player gives it the focus
    for key, after in (
        ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", LAST), ("ArrowRight", LAST), ("Home", 0),
        ("ArrowLeft", 0),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert step(page) == after, key


OTHERS = ("a", "b", "d", "o", "n", "Enter", "Escape", "PageDown", "Tab", "Shift+Enter", "Control+Enter", "Alt+Enter",
          "Control+ArrowRight", "Shift+ArrowRight", "Alt+ArrowLeft", "Shift+Space", "Control+/", "Shift+Home")  # fmt: skip


@pytest.mark.parametrize("focus", ["slider", "button", "menu", "entry", "list", "details"])
def test_the_film_takes_only_its_own_keys(play, focus):
    """All others reach the notebook, as they would from any other output."""
    page = play(films.small(), options={"step": 7})
    open_list(page)
    selectors = {"slider": ".kp-slider", "button": ".kp-over", "menu": ".kp-size", "list": ".kp-list", "details": ".kp-jump"}
    selectors["entry"] = '[data-key="s:252:5"]'
    if focus == "details":
        page.evaluate("handles[0].pick('s:252:5')")
    page.evaluate(
        """window.outside = []; document.addEventListener('keydown', (event) => {
            outside.push([event.key, event.defaultPrevented]); event.preventDefault(); })"""
    )
    for key in OTHERS:
        if focus == "details" and key == "Escape":
            continue  # it closes the details
        page.locator(selectors[focus]).first.focus()
        page.evaluate("outside.length = 0")
        page.keyboard.press(key)
        name = key.split("+")[-1].replace("Space", " ")
        assert [name, False] in page.evaluate("outside"), key
        assert step(page) == 7
    for key in ("ArrowRight", "ArrowLeft", "Home", "/"):
        page.evaluate("handles[0].seek(7)")
        page.locator(selectors[focus]).first.focus()
        page.evaluate("outside.length = 0")
        page.keyboard.press(key)
        assert page.evaluate("outside") == [], key


def test_without_the_focus_no_key_is_taken(play):
    page = play(films.small())
    for key in ("ArrowRight", "End", "Space", "/", "?"):
        page.keyboard.press(key)
    assert step(page) == 0 and page.locator(".kp-help").is_hidden()


def focused(page):
    return page.evaluate("document.activeElement.className.baseVal ?? document.activeElement.className")


def test_one_tab_goes_in_and_the_next_leaves(play):
    page = play(films.large(), films.small())  # the picture of the first scrolls
    page.evaluate("document.querySelector('#end').innerHTML = '<button>after</button>'")
    page.evaluate("document.querySelector('.place').insertAdjacentHTML('beforebegin', '<button>in front</button>')")
    where = """[document.activeElement.textContent.slice(0, 8), [...document.querySelectorAll('.kvmmmu-player')]
        .findIndex((one) => one.contains(document.activeElement))]"""

    def tab(key="Tab"):
        page.keyboard.press(key)
        return page.evaluate(where)

    assert tab() == ["in front", -1]
    for player in (0, 1):
        assert tab()[1] == player and focused(page) == "kp-slider"
    assert tab() == ["after", -1]
    for player in (1, 0):
        assert tab("Shift+Tab")[1] == player and focused(page) == "kp-slider"
    assert tab("Shift+Tab") == ["in front", -1]
    # also from inside: from an entry, a button, the list, its search field, the details
    for keys in (["ArrowUp"], ["ArrowDown"], ["ArrowDown", "ArrowRight"], ["/"], ["/", "ArrowDown"], ["ArrowUp", "Space"]):
        page.evaluate("document.activeElement.blur()")
        page.locator("button", has_text="in front").focus()
        for key in ("Tab", *keys):
            page.keyboard.press(key)
        assert focused(page) != "kp-slider", keys
        assert tab()[1] == 1, keys
        assert tab("Shift+Tab")[1] == 0, keys
        assert tab("Shift+Tab") == ["in front", -1], keys


def test_all_buttons_are_reached_with_arrow_keys(play):
    page = play(films.two_chapters())
    page.locator(".kp-slider").focus()
    page.keyboard.press("ArrowDown")
    assert focused(page) == "kp-button kp-play"
    reached = set()
    for key in ["ArrowLeft"] * 3 + ["ArrowRight"] * 20:
        page.keyboard.press(key)
        reached.add(page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"))
    names = {"First step", "One step back", "Play", "Next step", "Last step", "Previous chapter", "Next chapter"}
    names |= {"Step over: skip the steps inside this one", "Step out: go to where this function returns"}
    assert names | {"Speed", "Size", "Full screen", "Steps", "Keys and signs"} <= reached
    page.keyboard.press("Space")
    assert page.locator(".kp-help").is_visible()
    page.keyboard.press("ArrowUp")
    assert focused(page) == "kp-slider"
    # a menu keeps the arrow keys that choose; the others go on
    page.locator(".kp-size").focus()
    page.keyboard.press("ArrowDown")
    assert page.locator(".kp-size").input_value() == "1" and focused(page) == "kp-select kp-size"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Speed"


def test_the_list_is_reached_with_arrow_keys(play):
    page = play(films.small())
    open_list(page)
    page.locator(".kp-slider").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert focused(page) == "kp-list"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "Show all"
    page.keyboard.press("ArrowRight")
    assert "kp-stop" in focused(page)
    page.keyboard.press("ArrowRight")
    assert "kp-run" in focused(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")  # from the list: the next step
    assert (focused(page), step(page)) == ("kp-list", 1)
    page.keyboard.press("ArrowLeft")
    assert focused(page) == "kp-slider"


def test_a_panel_shows_the_keys(play):
    page = play(films.small())
    page.evaluate("window.outside = []; document.addEventListener('keydown', (event) => outside.push(event.key))")
    page.locator(".kp-slider").focus()
    help = page.get_by_role("group", name="Keys and signs")
    for close in ("?", "Escape"):
        page.keyboard.press("?")
        text = help.inner_text()
        for word in ("Home", "Space", "search the steps", "leave the film", "reverse map"):
            assert word in text, word
        page.keyboard.press(close)
        assert help.count() == 0
    assert page.evaluate("outside") == []
    page.keyboard.press("Escape")  # nothing is open: the notebook gets it
    assert page.evaluate("outside") == ["Escape"]
    page.click(".kp-keys")
    help.click()
    assert help.count() == 0


def test_the_slider(play):
    page = play(films.small())
    slider = page.get_by_role("slider", name="Step")
    assert slider.get_attribute("aria-valuetext") == f"Step 0 of {LAST}: Before the first step."
    assert slider.get_attribute("aria-valuemax") == str(LAST)
    box = slider.bounding_box()
    place = [box["x"] + 7 + (box["width"] - 14) * 6 / LAST, box["y"] + box["height"] / 2]
    page.mouse.move(*place)
    page.mouse.down()
    assert step(page) == 6
    page.mouse.move(box["x"] + box["width"] + 300, place[1])
    assert step(page) == LAST
    page.mouse.up()
    page.mouse.move(*place)
    assert step(page) == LAST and slider.get_attribute("aria-valuenow") == str(LAST)
    page.keyboard.press("ArrowLeft")
    assert step(page) == LAST - 1


UNSEEN = "(all) => all.map((one) => one.classList.contains('kp-unseen'))"


def test_the_list_does_not_tell_what_follows(play):
    film = films.small()
    for number, one in enumerate(film["chapters"][0]["steps"]):
        one["operation"] = f"Operation {number}"
    page = play(film, options={"step": 2})
    open_list(page)
    texts = lambda: page.locator(".kp-item .kp-text").all_inner_texts()  # noqa: E731
    words = [one["words"] for one in film["chapters"][0]["steps"]]
    assert texts() == words[:3] + [f"Operation {number}" for number in range(3, 10)]
    page.evaluate("handles[0].seek(5); handles[0].seek(4)")
    assert texts()[:6] == words[:6] and texts()[6] == "Operation 6"
    assert page.locator(".kp-item").evaluate_all(UNSEEN) == [False] * 6 + [True] * 4
    # the history of an entry doesn't, either, nor its values
    page.evaluate("handles[0].pick('s:252:5')")
    assert page.locator(".kp-jump").inner_text().split() == ["7", "Operation", "7"]
    page.keyboard.press("Escape")
    page.locator(".kp-caption").click()
    page.evaluate("handles[0].pick(null)")
    show = page.get_by_role("button", name="Show all")
    show.click()
    assert texts() == words and show.get_attribute("aria-pressed") == "true"
    show.click()
    assert texts()[5:7] == [words[5], "Operation 6"]


def test_a_film_without_operations_does_not_tell_either(play):
    """A film that an earlier version saved."""
    page = play(films.small())
    open_list(page)
    assert page.locator(".kp-item .kp-text").all_inner_texts()[6] == "a shadow entry changes"


def test_lines_of_source_stand_beside_the_step_that_they_are_about(play):
    film = films.small()
    film["chapters"][0]["steps"][3]["reference"] = "mmu.c:315"
    page = play(film, options={"source": {"mmu.c:315": [[315, "static int f(void)", True], [316, "{ <b>", False]]}})
    lines = page.get_by_role("group", name="Lines of source")
    assert lines.inner_text() == "No lines of your copy belong to this step."
    page.evaluate("handles[0].seek(3)")
    assert lines.inner_text().split("\n") == ["315", "static int f(void)", "316", "{ <b>"]
    page.get_by_role("button", name="Source").click()
    assert lines.count() == 0, "the panel folds"


def test_the_list(play):
    page = play(films.small())
    open_list(page)
    page.locator(".kp-item").nth(5).click()
    assert step(page) == 5
    current = page.locator(".kp-item[aria-selected=true]")
    assert current.count() == 1
    assert page.locator(".kp-list").get_attribute("aria-activedescendant") == current.get_attribute("id")
    page.locator(".kp-list").focus()
    page.keyboard.press("ArrowDown")  # every step, unlike elsewhere
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    assert step(page) == 6
    inset = "(all) => all.map((text) => parseFloat(getComputedStyle(text).paddingLeft))"
    indent = page.locator(".kp-item .kp-text").evaluate_all(inset)
    assert indent == [12.0 * one["depth"] for one in films.small()["chapters"][0]["steps"]]


def test_the_list_follows(play):
    page = play(films.large())
    for number in (150, 20, 199, 0):
        page.evaluate(f"handles[0].seek({number})")
        page.wait_for_timeout(60)
        inside = """() => { const [item, list] = [".kp-item[aria-selected=true]", ".kp-list"]
            .map((name) => document.querySelector(name).getBoundingClientRect());
            return item.top >= list.top - 1 && item.bottom <= list.bottom + 1; }"""
        assert page.evaluate(inside), number
    assert page.evaluate("scrollY") == 0


def test_what_changed_is_scrolled_into_view_and_the_page_stays(play):
    page = play(films.large())
    for number in (5, 8, 150, 199):
        page.evaluate(f"handles[0].seek({number})")
        page.wait_for_timeout(60)
        inside = """() => { const [row, picture] = [".row.changed", ".kp-picture"]
            .map((name) => document.querySelector(name).getBoundingClientRect());
            return row.top >= picture.top && row.bottom <= picture.bottom
                && row.left >= picture.left && row.right <= picture.right; }"""
        assert page.evaluate(inside), number
    assert page.evaluate("[scrollX, scrollY]") == [0, 0]


def test_playing_goes_to_the_end_and_begins_anew(play):
    page = play(films.small(), options={"step": LAST - 2})
    page.locator("select[aria-label=Speed]").select_option("8")
    assert page.locator(".kp-live").get_attribute("aria-live") == "polite"
    page.locator(".kp-caption").click()
    page.keyboard.press("Space")
    assert page.locator(".kp-play").get_attribute("aria-label") == "Pause"
    assert page.locator(".kp-live").get_attribute("aria-live") == "off"
    page.wait_for_function(f"handles[0].step === {LAST}")
    page.wait_for_selector(".kp-play[aria-label=Play]")
    assert page.locator(".kp-live").get_attribute("aria-live") == "polite"
    page.click(".kp-play")
    assert step(page) == 0
    page.keyboard.press("Space")  # the button has the focus: it is pressed, once
    assert page.locator(".kp-play").get_attribute("aria-label") == "Play"


def test_going_by_hand_ends_playing(play):
    page = play(films.small())
    page.click(".kp-play")
    page.keyboard.press("ArrowRight")
    assert page.locator(".kp-play").get_attribute("aria-label") == "Play"
    page.wait_for_timeout(1500)
    assert step(page) == 1


def test_breakpoints(play):
    page = play(films.small())
    open_list(page)
    run = page.get_by_role("button", name="Run to next")
    run.click(force=True)
    assert page.locator(".kp-status").inner_text() == "First choose when to stop."
    page.get_by_label("Stop when").select_option("spte")
    assert page.locator(".kp-stops").count() == 2
    run.click()
    assert step(page) == 6
    run.click()
    assert step(page) == 7
    run.click()
    assert step(page) == 7
    assert page.locator(".kp-status").inner_text() == "There is no later one."
    page.get_by_label("Stop when").select_option("rmap")
    run.click()
    assert step(page) == 8


def test_playing_stops_at_a_breakpoint(play):
    page = play(films.small(), options={"step": 5})
    open_list(page)
    page.get_by_label("Stop when").select_option("spte")
    page.get_by_label("Speed").select_option("8")
    page.click(".kp-play")
    page.wait_for_selector(".kp-play[aria-label=Play]")
    assert step(page) == 6


def test_chapters(play):
    page = play(films.two_chapters())
    first = appearances(page)
    assert page.locator(".kp-chapter").inner_text() == "Chapter 1 of 2"
    assert page.locator(".kp-heading").all_text_contents() == ["A read of 0x5000", "The same again"]
    page.get_by_role("button", name="Next chapter").click()
    assert step(page) == LAST + 1
    assert page.locator(".kp-chapter").inner_text() == "Chapter 2 of 2"
    assert appearances(page) == first
    page.keyboard.press("ArrowLeft")
    assert step(page) == LAST
    assert appearances(page) != first
    page.get_by_role("button", name="Previous chapter").click(force=True)
    assert step(page) == LAST  # this is the first chapter
    page.get_by_role("button", name="Step over").click()
    assert step(page) == LAST + 1  # stepping over stops at the end of a chapter
    assert page.locator(".kp-picture svg").count() == 1


def test_an_error_is_a_card_at_the_end(play):
    page = play(films.two_chapters())
    assert page.get_by_role("alert").count() == 0
    page.click(".kp-last")
    assert "The host would have crashed" in page.get_by_role("alert").inner_text()
    page.click(".kp-back")
    assert page.get_by_role("alert").count() == 0
    assert page.locator(".kp-words").inner_text().startswith("The reverse map of frame")


@pytest.mark.parametrize(
    ("film", "words"),
    [
        ({**films.small(), "version": 3}, "A newer kvmmmu-lab plays it"),
        ({**films.small(), "version": 1}, "Make the film again"),
        ({**films.small(), "chapters": []}, "no steps"),
        ({"format": "something else"}, "not a kvmmmu-lab film"),
        ({}, "not a kvmmmu-lab film"),
    ],
    ids=["newer", "older", "empty", "foreign", "nothing"],
)
def test_what_it_cannot_play_is_a_card(play, film, words):
    page = play(film)
    assert words in page.get_by_role("alert").inner_text()
    assert page.get_by_text("before", exact=True).count() == 1
    page.evaluate("handles[0].seek(3); handles[0].play(); handles[0].destroy()")
    assert page.locator(".kvmmmu-player").count() == 0


def test_events_and_the_handle(play):
    page = play(films.small())
    page.evaluate("window.off = handles[0].on('step', (number) => heard.push(['more', number])); 0")
    page.evaluate("handles[0].seek(3)")
    page.evaluate("handles[0].seek(3)")
    page.evaluate("off(); handles[0].seek(99)")
    assert page.evaluate("heard") == [["step", 3], ["more", 3], ["step", LAST]]


def test_several_players_leave_each_other_alone(play):
    page = play(films.small(), films.two_chapters(), films.small())
    players = page.locator(".kvmmmu-player")
    players.nth(1).locator(".kp-forward").click()
    page.keyboard.press("ArrowRight")
    players.nth(2).locator(".kp-last").click()
    open_list(page)
    open_list(page, 2)
    players.nth(0).locator(".kp-search").fill("zap")
    assert [step(page, number) for number in range(3)] == [0, 2, LAST]
    assert players.nth(2).locator(".kp-item:visible").count() == LAST + 1
    ids = page.locator("[id]").evaluate_all("(all) => all.map((one) => one.id)")
    assert len(ids) == len(set(ids))


def test_destroy_leaves_nothing_behind(play):
    page = play(films.small(), films.small())
    page.evaluate("handles[0].play(); handles[0].destroy()")
    assert page.locator(".kvmmmu-player").count() == 1
    assert page.get_by_text("before", exact=True).count() == 1
    page.wait_for_timeout(1500)
    assert page.evaluate("heard") == []
    page.evaluate("handles[0].seek(4)")
    assert page.evaluate("heard") == []
    page.evaluate("handles[1].seek(4)")
    assert page.evaluate("heard") == [["step", 4]]


def test_where_the_list_of_keys_has_too_little_room_the_arrow_keys_scroll_it(play):
    page = play(films.small())
    page.set_viewport_size({"width": 420, "height": 500})
    page.locator(".kp-slider").focus()
    page.keyboard.press("?")
    keys = page.locator(".kp-help")
    assert keys.evaluate("(keys) => keys.scrollHeight > keys.clientHeight && keys === document.activeElement")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.querySelector('.kp-help').scrollTop > 0")
    assert page.locator(".kp-count").inner_text() == "Step 0 of 9"
    page.keyboard.press("Escape")
    assert keys.is_hidden() and page.locator(".kp-slider").evaluate("(slider) => slider === document.activeElement")
