# SPDX-License-Identifier: GPL-2.0-only
"""The player in a real browser: going forward and back, with buttons, keys, slider and list."""

import pytest

from ..player import films

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
    assert page.locator(".kp-item[aria-selected=true]").inner_text().split("\n")[-1] == "Before the first step."
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
    page.keyboard.press("ArrowUp")
    assert step(page) == 4
    page.keyboard.press("o")
    assert step(page) == 9


def test_keys(play):
    page = play(films.small())
    page.locator(".kp-caption").click()  # a click anywhere in the player gives it the focus
    for key, after in (
        ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", LAST), ("ArrowRight", LAST), ("Home", 0),
        ("ArrowDown", 1), ("ArrowDown", LAST), ("ArrowUp", 3),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert step(page) == after, key


def test_keys_only_act_in_the_player(play):
    page = play(films.small())
    page.evaluate("window.outside = []; document.addEventListener('keydown', (event) => outside.push(event.key))")
    page.keyboard.press("ArrowRight")
    assert step(page) == 0
    page.locator(".kp-caption").click()
    for key in ("ArrowRight", "a", "d", "Enter", "Escape"):
        page.keyboard.press(key)
    assert step(page) == 1
    assert page.evaluate("outside") == ["ArrowRight"]
    page.keyboard.press("Control+ArrowRight")
    assert step(page) == 1
    assert page.locator(".kvmmmu-player[data-lm-suppress-shortcuts]").count() == 1


def test_the_slider(play):
    page = play(films.small())
    slider = page.locator(".kp-slider")
    assert slider.get_attribute("aria-valuetext") == f"Step 0 of {LAST}: Before the first step."
    slider.evaluate("(slider) => { slider.value = 6; slider.dispatchEvent(new Event('input')); }")
    assert step(page) == 6
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert step(page) == 8
    page.keyboard.press("Home")
    assert step(page) == 0


def test_the_list(play):
    page = play(films.small())
    page.locator(".kp-item", has_text="Shadow page #252 is taken").click()
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
    page.locator(".kp-caption").click()
    page.keyboard.press("n")
    assert step(page) == 8


def test_playing_stops_at_a_breakpoint(play):
    page = play(films.small(), options={"step": 5})
    page.get_by_label("Stop when").select_option("spte")
    page.get_by_label("Speed").select_option("8")
    page.click(".kp-play")
    page.wait_for_selector(".kp-play[aria-label=Play]")
    assert step(page) == 6


def test_chapters(play):
    page = play(films.two_chapters())
    first = appearances(page)
    assert page.locator(".kp-chapter").inner_text() == "Chapter 1 of 2"
    assert page.locator(".kp-heading").all_inner_texts() == ["A read of 0x5000", "The same again"]
    page.click(".kp-next")
    assert step(page) == LAST + 1
    assert page.locator(".kp-chapter").inner_text() == "Chapter 2 of 2"
    assert appearances(page) == first
    page.keyboard.press("ArrowLeft")
    assert step(page) == LAST
    assert appearances(page) != first
    page.keyboard.press("PageUp")
    assert step(page) == LAST  # this is the first chapter
    page.keyboard.press("PageDown")
    assert step(page) == LAST + 1
    page.keyboard.press("ArrowUp")
    assert step(page) == LAST  # stepping over stops at the end of a chapter
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
