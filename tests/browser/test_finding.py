# SPDX-License-Identifier: GPL-2.0-only
"""Search, and what a click on a table or an entry shows and tells."""

import pytest

from ..player import films
from .conftest import open_list

pytestmark = pytest.mark.slow

ROW, TABLE = '[data-key="s:252:5"]', '[data-key="s:252"]'


def step(page):
    return page.evaluate("handles[0].step")


def listed(page):
    return [int(number) for number in page.locator(".kp-item:visible .kp-number").all_inner_texts()]


def test_search_keeps_what_matches_and_counts(play):
    page = play(films.small())
    page.locator(".kp-caption").click()
    page.keyboard.press("/")
    page.keyboard.type("SHADOW page")
    assert listed(page) == [5, 6]
    assert page.locator(".kp-matches").inner_text() == "2 found"
    for key, after, place in (("Enter", 5, 1), ("Enter", 6, 2), ("Enter", 5, 1), ("Enter", 6, 2)):
        page.keyboard.press(key)
        assert (step(page), page.locator(".kp-matches").inner_text()) == (after, f"{place} of 2")
    page.keyboard.press("Escape")
    assert len(listed(page)) == 10
    page.keyboard.press("ArrowUp")  # the list has the focus now
    assert step(page) == 5
    page.get_by_role("button", name="Steps", exact=True).click()
    page.keyboard.press("/")  # opens the list
    page.keyboard.type("shadow page")
    page.get_by_role("button", name="Previous match").click()
    assert step(page) == 6


def test_search_knows_keys_places_and_values(play):
    page = play(films.small())
    open_list(page)
    for wanted, numbers in (
        ("#252:5", [7, 8]), ("s:252:5", [7]), ("0x1:0", [4]), ("mmu.c:315", [8]), ("0x8000000002b45c67", [7]), ("zzz", []),
        ("f:20:rmap", [8]), ("0x20:rmap", [8]), ("", list(range(10))),
    ):  # fmt: skip
        page.fill(".kp-search", wanted)
        assert listed(page) == numbers, wanted
    page.fill(".kp-search", "zzz")
    assert page.locator(".kp-matches").inner_text() == "no match"
    page.keyboard.press("Enter")
    assert step(page) == 0


def test_the_list_stays_near_a_step_that_it_leaves_out(play):
    page = play(films.large())
    open_list(page)
    page.fill(".kp-search", "#3:")
    numbers = listed(page)
    page.evaluate(f"handles[0].seek({numbers[-1] + 1})")
    page.wait_for_timeout(60)
    last, around = (page.locator(name).last.bounding_box() for name in (".kp-item:visible", ".kp-list"))
    assert around["y"] <= last["y"] and last["y"] + last["height"] <= around["y"] + around["height"] + 1


def test_the_search_box_keeps_its_keys(play):
    page = play(films.small())
    open_list(page)
    page.locator(".kp-search").focus()
    page.keyboard.type("a/ n o b")
    for key in ("Home", "ArrowRight", "ArrowLeft", "End", "ArrowDown"):
        page.keyboard.press(key)
    assert step(page) == 0
    assert page.locator(".kp-search").input_value() == "a/ n o b"
    assert page.locator(".kp-play").get_attribute("aria-label") == "Play"


def test_the_list_steps_from_match_to_match(play):
    page = play(films.small())
    open_list(page)
    page.fill(".kp-search", "#255:0")
    assert listed(page) == [2, 3, 6]
    page.locator(".kp-list").focus()
    for key, after in (("ArrowDown", 2), ("ArrowDown", 3), ("ArrowDown", 6), ("ArrowDown", 6), ("ArrowUp", 3)):
        page.keyboard.press(key)
        assert step(page) == after


def test_a_click_on_an_entry_tells_and_shows_its_history(play):
    page = play(films.small(), options={"step": 7})
    page.click(f"{ROW} .target")
    assert page.evaluate("heard") == [["pick", {"key": "s:252:5", "step": 7}]]
    details = page.get_by_role("group", name="About #252:5")
    assert details.locator(".kp-says").inner_text() == "entry 5: PWUAD to gfn 0x20"
    assert details.locator(".kp-texts span").all_inner_texts() == ["5", "*", "PWUAD", "gfn 0x20"]
    jumps = details.locator(".kp-jump")
    assert jumps.locator(".kp-number").all_inner_texts() == ["7"]
    assert jumps.get_attribute("aria-current") == "step"
    assert "0x0 → 0x8000000002b45c67" in jumps.inner_text()
    page.evaluate("handles[0].seek(5)")
    assert details.locator(".kp-texts span").all_inner_texts() == ["5", ".....", "empty"]
    assert jumps.get_attribute("aria-current") is None
    jumps.click()
    assert step(page) == 7
    assert page.locator(".kp-frame-picked").count() == 1


def test_the_frame_is_around_what_was_picked(play):
    page = play(films.small(), options={"step": 7})
    for part in (ROW, TABLE):
        page.locator(f"{part} >> css=text >> nth=0").click()
        inner, outer = page.locator(part).bounding_box(), page.locator(".kp-frame-picked").bounding_box()
        assert page.locator(".kp-frame-picked").count() == 1
        assert outer["x"] < inner["x"] and outer["y"] < inner["y"]
        assert outer["width"] > inner["width"] and outer["height"] > inner["height"]


def test_a_tables_history_is_that_of_its_rows_too(play):
    page = play(films.small(), options={"step": 7})
    page.click(f"{TABLE} > .heading")
    assert page.evaluate("heard.at(-1)") == ["pick", {"key": "s:252", "step": 7}]
    assert page.locator(".kp-jump .kp-number").all_inner_texts() == ["5", "7"]


def test_edges_are_not_picked(play):
    page = play(films.small())
    page.locator('[data-key="guest|g:1:0|g:4"] .head').click()
    assert page.evaluate("heard") == []
    assert page.locator(".kp-details").is_hidden()


def test_an_arrow_with_a_name_is_picked_and_tells_its_story(play):
    key, film = "guest|g:1:0|g:4", films.small()
    film["chapters"][0]["names"] = {key: "the arrow: 0x1:0 leads to gfn 0x4", "s:252": "shadow page #252"}
    film["chapters"][0]["steps"][4]["story"] = {key: "it is followed by the host", "s:252:6": "it is read"}
    page = play(film, options={"step": 7})
    page.evaluate("key => handles[0].pick(key)", key)
    details = page.get_by_role("group", name="About the arrow: 0x1:0 leads to gfn 0x4")
    assert details.locator(".kp-jump").all_inner_texts()[0].split("\n") == ["4", "It is followed by the host."]
    hit = page.locator(f'[data-key="{key}"] .kp-hit')
    page.evaluate("handles[0].pick(null)")
    middle = hit.evaluate(
        """(path) => { const { x, y } = path.getPointAtLength(path.getTotalLength() / 2)
            .matrixTransform(path.getScreenCTM()); return [x, y]; }"""
    )
    page.mouse.click(middle[0], middle[1] + 3)
    assert page.evaluate("heard.at(-1)") == ["pick", {"key": key, "step": 7}]
    # a row without a name of its own is named after its table; that it is read is in its story, too
    page.evaluate("handles[0].pick('s:252:6')")
    details = page.get_by_role("group", name="About entry 6 of shadow page #252")
    assert "It is read." in details.inner_text()


def test_a_run_of_steps_like_earlier_ones_is_one_line_until_it_is_opened(play):
    film = films.small()
    film["chapters"][0]["folds"] = [{"first": 4, "last": 6, "words": "3 steps like earlier ones: a new page."}]
    page = play(film)
    open_list(page)
    fold = page.locator(".kp-fold")
    assert listed(page) == [0, 1, 2, 3, 7, 8, 9]
    assert fold.inner_text().split("\n") == ["4\N{EN DASH}6", "3 steps like earlier ones"]
    page.evaluate("handles[0].seek(5)")  # a step inside opens it, while it lasts
    assert listed(page) == list(range(10)) and fold.is_hidden()
    page.evaluate("handles[0].seek(8)")
    assert listed(page) == [0, 1, 2, 3, 7, 8, 9]
    assert fold.inner_text().split("\n")[1] == "3 steps like earlier ones: a new page."
    page.fill(".kp-search", "shadow page")
    assert listed(page) == [5, 6]
    page.fill(".kp-search", "")
    assert listed(page) == [0, 1, 2, 3, 7, 8, 9]
    fold.click()
    assert listed(page) == list(range(10)) and step(page) == 8


def test_only_the_steps_that_change_it(play):
    page = play(films.small(), options={"step": 7})
    page.click(f"{TABLE} > .heading")
    page.get_by_role("button", name="List only these").click()
    assert listed(page) == [5, 7]
    page.fill(".kp-search", "now maps")
    assert listed(page) == [7]
    page.fill(".kp-search", "")
    page.locator(".kp-chip").click()
    assert len(listed(page)) == 10


def test_the_history_goes_over_all_chapters(play):
    page = play(films.two_chapters(), options={"step": 7})
    page.click(f"{ROW} .target")
    assert page.locator(".kp-jump .kp-number").all_inner_texts() == ["7", "17"]
    page.locator(".kp-jump").last.click()
    assert step(page) == 17


def test_the_name_of_a_change_is_a_way_to_its_details(play):
    page = play(films.small(), options={"step": 6})
    page.get_by_role("button", name="#255:0").first.click()
    assert page.evaluate("heard.at(-1)") == ["pick", {"key": "s:255:0", "step": 6}]
    page.keyboard.press("Escape")
    assert page.locator(".kp-details").is_hidden()
    assert page.locator(".kp-frame-picked").count() == 0


def test_parts_are_reached_with_the_keyboard_alone(play):
    page = play(films.small(), options={"step": 7})
    page.locator(".kp-slider").focus()
    page.keyboard.press("ArrowUp")  # enters the picture: at what the step is about
    focused = "document.activeElement.dataset.key"
    assert page.evaluate(focused) == "s:252:5"
    assert page.locator(".kp-frame-focus").count() == 1
    for key, after in (("Down", "s:252:6"), ("Up", "s:252:5"), ("Left", "s:255:0"), ("Left", "s:255:0"), ("Right", "s:252:5")):
        page.keyboard.press(f"Arrow{key}")
        assert page.evaluate(focused) == after
    page.keyboard.press("Space")
    assert page.evaluate("heard") == [["pick", {"key": "s:252:5", "step": 7}]]
    assert page.evaluate(focused) == "s:252:5" and step(page) == 7
    # on, into the details and their history, and back
    page.keyboard.press("ArrowRight")
    while page.evaluate(focused):
        page.keyboard.press("ArrowRight")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.className") == "kp-jump"
    page.evaluate("handles[0].seek(3)")
    page.keyboard.press("Space")
    assert step(page) == 7
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focused) == "s:252:5"
    page.keyboard.press("Escape")
    assert page.locator(".kp-details").is_hidden() and page.evaluate(focused) == "s:252:5"
    for _ in range(9):
        page.keyboard.press("ArrowDown")  # under the last entry is the slider
        if not page.evaluate(focused):
            break
    assert page.evaluate("document.activeElement.className") == "kp-slider"


def test_the_name_of_an_entry_has_its_table_index_flags_and_target(play):
    page = play(films.small(), options={"step": 7})
    name = lambda key: page.locator(f'[data-key="{key}"]').get_attribute("aria-label")  # noqa: E731
    title, words = (page.locator(f"{TABLE} > .{part}").text_content() for part in ("heading", "words"))
    assert name("s:252:5") == f"entry 5 of {title} {words}: entry 5: PWUAD to gfn 0x20, changed"
    page.evaluate("handles[0].seek(8)")
    assert name("s:252:5") == f"entry 5 of {title} {words}: entry 5: PWUAD to gfn 0x20"
    page.evaluate("handles[0].seek(0)")
    assert name("s:252:5") == ""
    assert page.locator('[data-key="s:252:5"]').get_attribute("aria-hidden") == "true"


def test_a_click_moves_nothing(play):
    """The details have room inside the film: beside the picture, in place of the list, or over its other half."""
    for width in (1024, 1600):
        page = play(films.small(), options={"step": 7})
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(100)
        places = """() => [...document.querySelectorAll(
                '.kvmmmu-player, .kp-view, .kp-picture, .kp-controls, #end, [data-key]')]
            .map((one) => one.getBoundingClientRect())
            .map((box) => [box.x, box.y, box.width, box.height].map(Math.round))"""
        before = page.evaluate(places)
        for key in ("s:252:5", "g:1:0"):
            page.locator(f'[data-key="{key}"] .target').click()
            assert page.locator(".kp-details").is_visible()
            assert page.evaluate(places) == before
            details, part = (page.locator(one).bounding_box() for one in (".kp-side", f'[data-key="{key}"]'))
            apart = details["x"] >= part["x"] + part["width"] or details["x"] + details["width"] <= part["x"]
            assert apart, "the details hide what was clicked on"
            page.get_by_role("button", name="Close").click()
        assert page.evaluate("scrollY") == 0
