# SPDX-License-Identifier: GPL-2.0-only
"""Films on the slides of a deck: one key walks the whole talk, and a film is shown, not operated."""

import pytest

from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import watch
from kvmmmu_lab.player.page import film_html
from kvmmmu_lab.publish.deck import deck

from ..player import films
from ..publish.books import code, saved, text
from .barriers import barriers
from .deck_measures import measured

pytestmark = pytest.mark.slow

SMALL = films.small() | {"question": "What happens to entry 5?"}
SMALL_STEPS = len(SMALL["chapters"][0]["steps"])
SIZES = [(1280, 720), (1920, 1080)]
WHERE = """() => { const slide = kvmmmu.deck.getCurrentSlide(), film = slide.querySelector(".element.film");
    const shown = slide.querySelectorAll(".fragment.visible").length;
    return [kvmmmu.slides().indexOf(slide), shown, film ? kvmmmu.players.get(film).step : 0]; }"""
FORWARD, BACK = ("ArrowRight", "Space", "PageDown", "ArrowDown"), ("ArrowLeft", "Shift+Space", "PageUp", "ArrowUp")


@pytest.fixture(scope="module")
def fault():
    vm = open_guest("lin64_A").vm()
    return watch(lambda: vm.access(0x343C6000, user=True), vm, [0x343C6000])


@pytest.fixture(scope="module")
def exported(tmp_path_factory, fault):
    """A deck: a title, a film of a fault with two fragments after it, prose, a film with the question of its author, an end."""
    folder = tmp_path_factory.mktemp("talk")
    book = saved(
        folder,
        text("# A talk about faults\n\nTwo films."),
        text("## One read builds three tables\n\nThe read faults once."),
        code("fault", None, "remove-input", shows=[{"text/html": fault.html}]),
        text("The film is over.", "fragment"),
        text("So is the fault.", "fragment"),
        text("## One entry changes"),
        code("small", None, "remove-input", shows=[{"text/html": film_html(SMALL)}]),
        text("My own words.", "notes"),
        text("## The end\n\nThat is all."),
    )
    path = folder / "talk.html"
    path.write_text(deck(book, execute=False), "utf-8")
    return path


@pytest.fixture
def talk(page, exported):
    """The deck, opened at its first slide, as large as a projector."""
    return opened(page, exported)


def opened(page, deck):
    """The page, with this deck."""
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(deck.as_uri())
    page.wait_for_selector("body.ready")
    return page


def where(page):
    """The slide, how many of its fragments are visible, and the step of its film."""
    return tuple(page.evaluate(WHERE))


def go(page, film, step=0):
    """Go to a step of the first or the second film, as a link would; return the number of the slide."""
    number = page.evaluate("(film) => kvmmmu.slides().findIndex((slide) => slide.querySelector(`[data-film='${film}']`))", film)
    page.evaluate("([h, f]) => kvmmmu.deck.slide(h, 0, f)", [number, step - 1])
    assert where(page) == (number, step, step)
    return number


def film(page, what=""):
    """A part of the film on the present slide."""
    return page.locator(f"section.present .kvmmmu-player {what}")


def test_one_key_walks_all_steps_fragments_and_slides_and_back(talk):
    fragments = talk.evaluate("kvmmmu.slides().map((slide) => slide.querySelectorAll('.fragment').length)")
    films = talk.evaluate("kvmmmu.slides().map((slide) => slide.querySelectorAll('.film-step').length)")
    assert sorted(films)[-2:] == [SMALL_STEPS - 1, 15] and sum(fragments) == sum(films) + 2
    states = [(slide, shown) for slide, count in enumerate(fragments) for shown in range(count + 1)]
    progress = []
    for number, state in enumerate(states):
        slide, shown, step = where(talk)
        assert (slide, shown) == state and step == min(shown, films[slide])
        assert talk.locator(".slide-number").inner_text().replace(" ", "") == f"{slide + 1}/{len(fragments)}"
        progress.append(talk.evaluate("kvmmmu.deck.getProgress()"))
        talk.keyboard.press(FORWARD[number % len(FORWARD)])
    assert where(talk)[:2] == states[-1] and progress == sorted(set(progress)) and progress[-1] == 1
    for number, state in enumerate(reversed(states)):
        slide, shown, step = where(talk)
        assert (slide, shown) == state and step == min(shown, films[slide])
        talk.keyboard.press(BACK[number % len(BACK)])


def test_a_phone_shows_one_slide_after_another_too(talk):
    talk.set_viewport_size({"width": 400, "height": 800})
    talk.reload()
    talk.wait_for_selector("body.ready")
    slide = go(talk, 0, 4)
    talk.keyboard.press("ArrowRight")
    assert where(talk) == (slide, 5, 5)
    assert film(talk, ".kp-caption").bounding_box()["width"] < 400


def test_home_and_end(talk):
    go(talk, 0, 3)
    talk.keyboard.press("End")
    assert where(talk)[0] == talk.evaluate("kvmmmu.slides().length") - 1
    talk.keyboard.press("Home")
    assert where(talk)[0] == 0


def clicked_drawing(page):
    box = film(page, ".kp-picture > svg").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)


def clicked_button(page):
    film(page, ".kp-picture").hover()
    film(page, ".kp-back").click()
    page.keyboard.press("ArrowRight")


def focused_button(page):
    film(page, ".kp-over").focus()


def opened_list(page):
    if not film(page, ".kp-steps").is_visible():
        page.keyboard.press("l")
    film(page, ".kp-list").focus()


@pytest.mark.parametrize("enter", [clicked_drawing, clicked_button, focused_button, opened_list])
def test_the_deck_keeps_its_keys_while_a_film_has_the_focus(talk, enter):
    for key, after in (("ArrowRight", 5), ("Space", 5), ("PageDown", 5), ("ArrowLeft", 3), ("Shift+Space", 3), ("PageUp", 3)):
        slide = go(talk, 0, 4)
        enter(talk)
        talk.keyboard.press(key)
        assert where(talk) == (slide, after, after), key
    talk.evaluate("kvmmmu.deck.slide(0)")
    for key, so in (("b", "isPaused"), ("o", "isOverview")):
        go(talk, 0, 4)
        enter(talk)
        talk.keyboard.press(key)
        assert talk.evaluate(f"kvmmmu.deck.{so}()"), key
        talk.keyboard.press(key)
        assert not talk.evaluate(f"kvmmmu.deck.{so}()")
    for key, slide in (("End", talk.evaluate("kvmmmu.slides().length") - 1), ("Home", 0)):
        go(talk, 0, 4)
        enter(talk)
        talk.keyboard.press(key)
        assert where(talk)[0] == slide, key


def test_escape_shows_the_overview_also_after_a_click_into_a_film(talk):
    for act in (clicked_drawing, clicked_button):
        go(talk, 0, 4)
        act(talk)
        talk.keyboard.press("Escape")
        assert talk.evaluate("kvmmmu.deck.isOverview()")
        talk.keyboard.press("Escape")


def test_f_fills_the_screen_also_after_a_click_into_a_film(talk):
    go(talk, 0, 4)
    clicked_drawing(talk)
    talk.evaluate("document.documentElement.requestFullscreen = async () => (window.filled = true)")
    talk.keyboard.press("f")
    assert talk.evaluate("window.filled")


def test_j_jumps_over_the_rest_of_a_film(talk):
    slide = go(talk, 0, 4)
    talk.keyboard.press("j")
    assert where(talk)[0] == slide + 1
    talk.keyboard.press("ArrowLeft")
    assert where(talk) == (slide, 15, 15)
    talk.evaluate("kvmmmu.deck.slide(0)")
    talk.keyboard.press("j")  # without a film there is nothing to jump over
    assert where(talk)[0] == 0


def test_j_leaves_the_fragments_after_the_film(talk):
    talk.evaluate("""() => { const last = [...document.querySelectorAll("[data-film='1'].film-step")].at(-1);
        last.insertAdjacentHTML("afterend", "<p class=fragment>one</p><p class=fragment>two</p>"); kvmmmu.deck.sync(); }""")
    slide = go(talk, 1, 2)
    talk.keyboard.press("j")
    assert where(talk) == (slide, SMALL_STEPS, SMALL_STEPS - 1)
    talk.keyboard.press("ArrowRight")
    assert where(talk) == (slide, SMALL_STEPS + 1, SMALL_STEPS - 1)


def test_the_help_lists_the_keys_of_films_once(talk):
    talk.keyboard.press("Shift+Slash")
    rows = talk.locator(".r-overlay-help-content tr").all_inner_texts()
    for key in ("J", "L", "D", "S"):
        named = [row for row in rows if key in row.split("\t")[0].replace(",", " ").split()]
        assert len(named) == 1, rows
    assert any("rest of the film" in row for row in rows)


def opacity(page):
    return film(page, ".kp-panels").evaluate("(panels) => Number(getComputedStyle(panels).opacity)")


def until(page, shown):
    page.wait_for_function(
        "(shown) => getComputedStyle(document.querySelector('section.present .kp-panels')).opacity === shown", arg=str(shown)
    )


def test_panels_appear_when_the_pointer_moves_and_vanish_at_the_next_key(talk):
    go(talk, 0, 4)
    assert opacity(talk) == 0
    talk.mouse.move(600, 200)
    talk.mouse.move(600, 230)
    until(talk, 1)
    assert film(talk, ".kp-steps").is_hidden()
    film(talk, ".kp-steps-button").click()
    assert film(talk, ".kp-steps").is_visible()
    film(talk, ".kp-item").nth(2).click()
    assert where(talk)[2] == 2
    talk.keyboard.press("ArrowRight")
    until(talk, 0)
    assert where(talk)[2] == 3


def test_panels_vanish_when_the_pointer_rests(talk):
    go(talk, 0, 4)
    talk.mouse.move(600, 230)
    talk.mouse.move(600, 200)
    until(talk, 1)
    until(talk, 0)


def test_a_key_opens_the_list_and_closes_it(talk):
    slide = go(talk, 0, 4)
    talk.keyboard.press("l")
    until(talk, 1)
    assert film(talk, ".kp-item[aria-selected=true]").is_visible()
    talk.keyboard.press("ArrowDown")  # in the list: to the next item that it shows
    assert where(talk)[2] > 4
    talk.keyboard.press("Space")
    assert opacity(talk) == 1  # what a key has opened stays
    film(talk, ".kp-search").fill("reverse map")
    talk.keyboard.press("Enter")
    assert where(talk) == (slide, 12, 12)
    talk.keyboard.press("l")
    assert film(talk, ".kp-search").input_value() == "reverse mapl"
    for _ in range(2):  # the first one empties the field
        talk.keyboard.press("Escape")
    until(talk, 0)
    assert not talk.evaluate("kvmmmu.deck.isOverview()")
    assert talk.evaluate("document.activeElement === document.body")
    for shown in (1, 0):
        talk.keyboard.press("l")
        until(talk, shown)


def test_tab_reaches_the_panels_which_then_show(talk):
    slide = go(talk, 1, 0)
    film(talk, ".kp-picture").focus()
    for _ in range(40):
        talk.keyboard.press("Tab")
        if talk.evaluate("document.activeElement.matches('.kp-forward')"):
            break
    until(talk, 1)
    talk.keyboard.press("Enter")
    assert where(talk) == (slide, 1, 1)
    assert film(talk, ".kp-slider").get_attribute("aria-valuetext").startswith("Step 1 of 9")


def test_the_slider_and_playing_lead_the_deck(talk):
    slide = go(talk, 0, 0)
    talk.mouse.move(600, 200)
    talk.mouse.move(600, 230)
    until(talk, 1)
    box = film(talk, ".kp-slider").bounding_box()
    talk.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    assert where(talk) == (slide, 15, 15)
    film(talk, ".kp-first").click()
    assert where(talk) == (slide, 0, 0)
    film(talk, ".kp-controls .kp-select").first.select_option("8")
    film(talk, ".kp-play").click()
    talk.wait_for_function("document.querySelectorAll('section.present .film-step.visible').length === 2")
    talk.keyboard.press("ArrowRight")
    assert "kp-on" not in film(talk, ".kp-play").get_attribute("class")
    assert where(talk) == (slide, 3, 3)


def test_step_0_is_a_title_with_a_question(talk):
    go(talk, 0)
    assert film(talk, ".kp-opening").inner_text() == "User code reads 0x343c6000"
    asked = "What does the processor find in the shadow tables, and what must the host do?"
    assert film(talk, ".kp-caption .kp-words").inner_text() == asked
    go(talk, 1)
    assert film(talk, ".kp-opening").inner_text() == SMALL["title"]
    assert film(talk, ".kp-caption .kp-words").inner_text() == "What happens to entry 5?"
    assert talk.get_by_text("Before the first step").locator("visible=true").count() == 0


def opening(page, **film):
    """What step 0 says of a film: the line that is set larger, the bold one, the question."""
    first = "document.querySelector('.kp-caption')"
    place = page(films.small() | film)
    lines = ("kp-opening", "kp-subject", "kp-words:not(.kp-subject)")
    return [place.evaluate(f"{first}.querySelector('.{line}')?.textContent ?? ''") for line in lines]


def test_the_opening_takes_the_title_from_the_film_or_from_the_question(play_slide):
    by_step = films.small()["chapters"][0]["steps"][1]["words"]
    long = "A title of more than fifty-five letters is in the size of the captions"
    for title, question, shown in (
        ("A fault", "Why?", ["A fault", "", "Why?"]),
        (long, "Why?", ["", long, "Why?"]),
        (by_step, "The guest writes: what is lost?", ["The guest writes", "", "What is lost?"]),
        (by_step, "What is lost?", [by_step.rstrip("."), "", "What is lost?"]),
    ):
        assert opening(play_slide, title=title, question=question) == shown


def test_what_changes_is_marked_in_the_caption(talk):
    go(talk, 0, 9)
    assert film(talk, ".kp-mark").all_inner_texts() == ["Shadow page #248"]
    go(talk, 0, 11)
    assert film(talk, ".kp-mark").all_inner_texts() == ["#248:454"]
    go(talk, 0, 12)
    assert film(talk, ".kp-mark").all_inner_texts() == ["reverse map of gfn 0x29af"]
    go(talk, 0, 2)  # nothing: it is only read
    assert film(talk, ".kp-mark").all_inner_texts() == []
    assert film(talk, ".kp-caption").inner_text().startswith("The processor walks")


def test_the_foot_names_the_function_the_step_and_the_signs_of_this_film(talk):
    go(talk, 0, 9)
    assert film(talk, ".kp-where").inner_text().startswith("kvm_mmu_alloc_page, mmu.c:473-489")
    assert film(talk, ".kp-where").inner_text().endswith("step 9 of 15")
    assert film(talk, ".kp-foot .kp-sample").all_inner_texts() == ["new", "changed", "> read", "reverse map", "is shadowed by"]
    go(talk, 1, 2)
    assert film(talk, ".kp-foot .kp-sample").all_inner_texts() == ["> read", "changed", "new"]


PLACES = """() => [".kp-picture > svg", ".kp-caption", ".kp-foot", ".kp-line-of-progress"].map((name) => {
    const { x, y, width, height } = document.querySelector(`section.present ${name}`).getBoundingClientRect();
    return [x, y, width, height].map((one) => (one * 720) / innerHeight); })"""


@pytest.mark.parametrize("number", [0, 1])
def test_nothing_jumps_from_step_to_step_and_all_grows_with_the_screen(talk, number):
    last = (15, SMALL_STEPS - 1)[number]
    found = []
    for width, height in SIZES:
        talk.set_viewport_size({"width": width, "height": height})
        places = []
        for step in range(last + 1):
            go(talk, number, step)
            places.append(talk.evaluate(PLACES))
        assert all(one == places[0] for one in places)
        found.append(places[0])
    for small, large in zip(*found, strict=True):
        assert large == pytest.approx(small, abs=1.5)
    assert found[0][0][2] > 1100  # the drawing has the whole width


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_everything_can_be_read_and_nothing_overlaps(browser, exported, size):
    found = measured(browser, exported, size)
    shown = [slide for slide in found.slides if slide.drawn is not None]
    assert len(shown) == 2 and not found.missed_steps and not found.missed_slides
    for slide in shown:
        assert not slide.too_small and not slide.overlapping and not slide.cut, slide
        assert slide.drawn > 0.4
    assert not found.requests and not found.complaints


def test_the_panels_can_be_read_too(talk):
    go(talk, 0, 4)
    talk.keyboard.press("l")
    until(talk, 1)
    sizes = film(talk, ".kp-panels").evaluate("""(panels) => {
        const says = (one) => one.matches("select, input") || [...one.childNodes].some((node) => node.nodeType === 3);
        const shown = [...panels.querySelectorAll("*")].filter((one) => one.getClientRects().length && says(one));
        return shown.map((one) => parseFloat(getComputedStyle(one).fontSize)); }""")
    assert len(sizes) > 20 and min(sizes) >= 15.99


def test_a_drawing_larger_than_the_room_shows_what_changes(play_slide):
    page = play_slide(films.large() | {"question": "Where?"})
    for step in (1, 60, 120, 199):
        page.evaluate("(step) => handle.seek(step)", step)
        page.wait_for_timeout(200)
        key = films.large()["chapters"][0]["steps"][step]["about"][0]
        box = page.locator(f'[data-key="{key}"]').bounding_box()
        view = page.locator(".kp-picture").bounding_box()
        assert view["x"] - 1 <= box["x"] and box["x"] + box["width"] <= view["x"] + view["width"] + 1, step
        assert view["y"] - 1 <= box["y"] and box["y"] + box["height"] <= view["y"] + view["height"] + 1, step
    text = page.locator(".kp-picture svg text").first
    assert text.evaluate("(text) => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a") >= 15.9


@pytest.fixture
def play_slide(page, tmp_path):
    """Open one film as on a slide of 1280 x 720, without a deck; its handle is ``handle`` there."""
    from kvmmmu_lab.player.page import as_script, slide_script, slide_style

    def play_slide(film):
        page.set_viewport_size({"width": 1280, "height": 720})
        file = tmp_path / "page.html"
        file.write_text(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>test</title><link rel="icon" href="data:,">'
            f"<style>{slide_style()} body {{ margin: 0 }} .film {{ height: 80vh; padding: 10vh 40px 0 }}</style>"
            f'<body><div class="film"></div><script type="module">{slide_script()}'
            f'window.handle = mountSlide(document.querySelector(".film"), {as_script(film)});</script></html>',
            "utf-8",
        )
        page.goto(file.as_uri())
        page.wait_for_function("window.handle")
        return page

    return play_slide


def test_the_card_of_a_film_that_ends_with_an_error_is_its_last_caption(play_slide):
    card = {"title": "The host would have crashed", "rows": ["BUG: no parent.", "It happened in rmap_remove()."]}
    page = play_slide(films.small() | {"card": card})
    page.evaluate("handle.seek(9)")
    assert page.locator(".kp-caption").inner_text() == (
        "The host would have crashed. BUG: no parent. It happened in rmap_remove()."
    )


def test_long_captions_are_set_smaller_but_not_below_24(play_slide):
    film = films.small()
    film["chapters"][0]["steps"][3]["words"] = "This is a long sentence about the tables. " * 8
    page = play_slide(film)
    page.evaluate("handle.seek(3)")
    words = page.locator(".kp-caption .kp-words")
    assert 24 <= words.evaluate("(words) => parseFloat(getComputedStyle(words).fontSize)") < 25
    assert words.bounding_box()["height"] <= page.locator(".kp-caption").bounding_box()["height"]


def test_what_cannot_be_played_says_so_on_the_slide(play_slide):
    page = play_slide({"format": "kvmmmu-lab film", "version": 99})
    assert "A newer kvmmmu-lab plays it." in page.locator(".film").inner_text()


@pytest.fixture
def own_window(browser, exported):
    """The deck in a browser profile of its own, where no window of another test can be taken for the speaker view."""
    context = browser.new_context()
    context.set_default_timeout(20_000)
    yield opened(context.new_page(), exported)
    context.close()


def test_the_speaker_view_follows_the_film(own_window):
    talk = own_window
    slide = go(talk, 0, 4)
    with talk.context.expect_page() as window:
        talk.keyboard.press("s")
    view = window.value
    try:
        notes = view.locator(".speaker-controls-notes .value")
        notes.get_by_text("Step 4 of 15").wait_for()
        talk.keyboard.press("ArrowRight")
        notes.get_by_text("Step 5 of 15").wait_for()
        said = notes.inner_text()
        assert "Step 5 of 15: Shadow page #250 of level 3 is taken from the pool" in said
        assert "Next: Entry #251:0 now leads to shadow page #250." in said
        assert "Key steps" in said  # the notes of the slide
        step = "() => kvmmmu.players?.get(kvmmmu.deck.getCurrentSlide().querySelector('.element.film'))?.step"
        frames = [frame for frame in view.frames if "receiver" in frame.url]
        assert len(frames) == 2
        for frame, shown in zip(frames, (5, 6), strict=True):
            frame.wait_for_function(f"({step})() === {shown}")
        view.bring_to_front()
        view.keyboard.press("ArrowRight")
        talk.wait_for_function("document.querySelectorAll('section.present .film-step.visible').length === 6")
        assert where(talk) == (slide, 6, 6)
        talk.bring_to_front()
        go(talk, 1, SMALL_STEPS - 1)
        notes.get_by_text("the film has ended").wait_for()
        assert "My own words." in notes.inner_text() and "Key steps" not in notes.inner_text()
    finally:
        view.close()


def test_every_film_slide_has_notes_the_authors_or_made_ones(talk):
    made, own = talk.evaluate("""[0, 1].map((film) => [...document.querySelector(`[data-film='${film}']`).closest("section")
        .querySelectorAll("aside.notes")].map((note) => note.innerText ?? note.textContent).join(" "))""")
    assert "User code reads 0x343c6000" in made and "Key steps: " in made and "#248:454" in made
    assert "The read faults once." in made and "The film is over." in made and "Two films" not in made
    assert "What happens to entry 5?" in own and "My own words." in own and "Key steps" not in own


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_film_slide_has_no_barriers(talk, theme):
    if theme == "dark":
        talk.keyboard.press("d")
    found = []
    for step in (0, 12):
        go(talk, 0, step)
        found += barriers(talk, "section.present")
    talk.keyboard.press("l")
    until(talk, 1)
    found += barriers(talk, "section.present")
    assert not found
