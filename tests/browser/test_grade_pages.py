# SPDX-License-Identifier: GPL-2.0-only
"""The pages of a graded class in a browser: no barriers, at home on a phone, light and dark; the table sorts and searches."""

from dataclasses import replace

import pytest

from kvmmmu_lab.grade.mark import NOT_HANDED_IN
from kvmmmu_lab.grade.views.learner_name import file_name
from kvmmmu_lab.grade.views.report_folder import write_views

from ..grade.views.samples import ATTACK, EXTRA, INFO, LATE, PICTURE, RIGHT, WRONG, mark, unjudged
from .barriers import barriers

FORBIDDEN = replace(WRONG, kind="forbidden", message="Your code tried to use the network (socket.connect)")
LONG = replace(WRONG, expected=("* " + "x" * 300,), message="y" * 300, steps=("z" * 300,) * 20)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of a small class in which everything has happened."""
    folder = tmp_path_factory.mktemp("report")
    found = [
        mark(ATTACK, rules=[FORBIDDEN]), mark("Ada", picture=PICTURE, printed="hello\n" * 30, print_count=999, notes=("a",)),
        mark("Ada", "split", rules=[RIGHT, EXTRA], status="passed"), mark("Bob", rules=[LATE], status="timed out"),
        mark("Cy", rules=[LONG, WRONG], isolation="bubblewrap exists for Linux only"), unjudged("Dan"),
        unjudged("Eve", status=NOT_HANDED_IN), mark("Fay", rules=[RIGHT], points=10), mark("n" * 300),
    ]  # fmt: skip
    write_views(lambda: iter(found), INFO, folder)
    return folder


def pages(report):
    return [report / "index.html", *(report / "learners" / f"{file_name(name)}.html" for name in ("Ada", "Cy", "Dan", ATTACK))]


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1024])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_have_no_barriers_and_fit_the_screen(page, report, width, theme):
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=theme)
    for path in pages(report):
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
        assert barriers(page) == [], path.name
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark == (theme == "dark")


def test_nothing_of_a_submission_runs_and_a_link_leads_to_its_page(page, report):
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto((report / "index.html").as_uri())
    page.get_by_role("link", name="<script>alert(1)", exact=False).first.click()
    assert page.locator("h1").text_content().startswith("<script>alert(1)</script>&")
    assert "6 of" not in page.locator("h1").text_content()


def test_the_table_sorts_and_searches(page, report):
    page.goto((report / "index.html").as_uri())

    def names():
        return [text[:3] for text in page.locator("#learners tbody tr:visible th").all_text_contents()]

    page.get_by_role("button", name="Learner").click()
    down = names()
    page.get_by_role("button", name="Learner").click()
    assert names() == down[::-1] and names()[1] == "Ada"
    page.get_by_role("button", name="Points").click()
    page.get_by_role("button", name="Points").click()
    assert names()[0] == "Ada" and names()[-1] in ("Dan", "Eve", "Bob", "<sc")
    assert page.locator("th[aria-sort]").text_content() == "Points"
    page.locator("#filter").fill("6 of")
    assert names() == [] and page.locator("#shown").text_content() == "No learner's name contains this."
    page.locator("#filter").fill("eV")
    assert names() == ["Eve"] and page.locator("#shown").text_content() == "1 shown"


def test_the_pages_are_whole_without_scripts(browser, report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((report / "index.html").as_uri())
    assert page.locator("#learners tbody tr").count() == 8 and not page.locator("#filter").is_visible()
    assert page.locator(".charts img:visible").count() == 2
    page.goto((report / "learners" / f"{file_name('Ada')}.html").as_uri())
    assert page.locator(".both svg").count() == 2
    context.close()


def test_on_paper_the_pages_are_light_and_unfolded(page, report):
    page.emulate_media(color_scheme="dark")
    page.goto((report / "index.html").as_uri())
    shown = page.locator(".charts img:visible")
    assert [one.get_attribute("class") for one in shown.all()] == ["dark"] * 2
    page.emulate_media(media="print", color_scheme="dark")
    assert [one.get_attribute("class") for one in shown.all()] == ["light"] * 2
    page.goto((report / "learners" / f"{file_name('Ada')}.html").as_uri())
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.get_by_text("hello").first.evaluate("(one) => one.checkVisibility({ contentVisibilityAuto: true })")
