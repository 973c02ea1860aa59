# SPDX-License-Identifier: GPL-2.0-only
"""The live course in a browser: the first visit, the next one without a network, a new version, and what can go wrong.

The site is below a path, as it is on most servers; nothing but the site's own server can be reached.
"""

import json
import re
import shutil

import pytest

from kvmmmu_lab.live.build import build_live

from .live_lab import KEPT, LiveLab, text_of
from .small import small_course
from .static_server import serving

pytestmark = pytest.mark.slow

NOTEBOOK = "notebooks/00_first.ipynb"


@pytest.fixture(scope="module")
def site(tmp_path_factory, small_site):
    """A copy of the small site that tests may change; its address begins with the name of its folder."""
    return shutil.copytree(small_site, tmp_path_factory.mktemp("www") / "a course")


@pytest.fixture(scope="module")
def server(site):
    with serving(site.parent) as server:
        yield server


@pytest.fixture(scope="module")
def address(server):
    return f"{server.address}/a%20course"


@pytest.fixture(scope="module")
def reader(browser, address):
    """A reader who has opened the first lesson, run it and waited until all was kept."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    lab = LiveLab(context, address).open(NOTEBOOK)
    lab.first_words, lab.first_outputs = lab.words, lab.run_all()
    lab.kept()
    yield lab
    context.close()


def test_a_first_visit_says_in_words_what_is_loaded(reader):
    loading = [re.fullmatch(r"Loading Python and the course: (\d+) of (\d+) MB", words) for words in reader.first_words]
    amounts = [(int(found[1]), int(found[2])) for found in loading if found]
    assert len(amounts) > 1 and amounts == sorted(amounts) and amounts[-1][0] <= amounts[-1][1]
    assert reader.first_words[-1] == "Python is starting …"


def test_a_link_leads_back_to_the_pages_of_the_site(reader, address):
    link = reader.page.locator("#kvmmmu-pages")
    assert link.inner_text() == "Pages of the course" and link.evaluate("(link) => link.href") == f"{address}/index.html"
    link.click(trial=True)


def test_cells_run_and_draw_with_what_is_in_the_site(reader):
    access, picture = reader.first_outputs
    assert "error" not in {one["output_type"] for one in [*access, *picture]}, text_of([*access, *picture])
    assert "Access" in text_of(access)
    assert "<svg" in json.dumps(picture) or "data:image/svg" in json.dumps(picture)


def test_the_browsers_tab_has_the_notebooks_name(reader):
    assert reader.page.title() == "00_first.ipynb - kvmmmu_lab"


def test_the_last_cell_stays_in_view_at_the_end_of_a_notebook(reader):
    reader.run("print('line\\n' * 100)")  # longer than the page
    panel = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-WindowedPanel-outer"
    reader.page.evaluate(f"document.querySelector('{panel}').scrollTop = 1e6")
    reader.page.wait_for_timeout(500)
    bottom = reader.page.evaluate(f"""() => {{
        const cells = [...document.querySelectorAll('{panel} .jp-Cell')];
        return Math.max(...cells.map((cell) => cell.getBoundingClientRect().bottom))
            - document.querySelector('{panel}').getBoundingClientRect().bottom;
    }}""")
    assert -100 < bottom <= 0


def test_nobody_else_is_asked(reader):
    assert reader.elsewhere == []


def test_nothing_is_fetched_twice(reader, server):
    """The page fetches early what the kernel wants later."""
    large = [path for path in server.asked if path.endswith((".whl", ".wasm", ".zip"))]
    assert large and sorted(large) == sorted(set(large))


def test_a_package_that_only_some_cells_need_comes_before_them(reader):
    assert text_of(reader.run("import sys; 'matplotlib' in sys.modules")) == "False"
    assert text_of(reader.run("import matplotlib; matplotlib.__version__")).strip("'")[0].isdigit()


def test_the_next_visit_needs_no_network(reader, server):
    reader.python_kept()
    server.down = True
    try:
        reader.open("notebooks/06_second.ipynb")
        assert any("early_kernel_worker" in worker.url for worker in reader.page.workers)
        assert text_of(reader.run_all()[-1]) == "42"
        assert text_of(reader.run("import kvmmmu_lab.labs; 'loaded'")) == "'loaded'"
        assert text_of(reader.run("import matplotlib; matplotlib.__version__")).strip("'")[0].isdigit()
    finally:
        server.down = False


def test_a_kernel_can_be_restarted(reader):
    reader.run("mine = 1")
    reader.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    assert "mine" in text_of(reader.run("mine"))  # a NameError
    assert text_of(reader.run("6 * 7")) == "42"


def test_a_kept_python_that_is_damaged_is_no_obstacle(reader):
    damaged = reader.page.evaluate(
        """async () => {
            let count = 0;
            for (const name of await caches.keys()) {
                const cache = await caches.open(name);
                for (const { url } of await cache.keys())
                    if (/\\/(memory|packages)-/.test(url)) (await cache.put(url, new Response("damaged")), (count += 1));
            }
            return count;
        }"""
    )
    assert damaged == 2
    reader.open(NOTEBOOK)
    assert text_of(reader.run("import kvmmmu_lab.labs; 6 * 7")) == "42"
    assert not reader.page.evaluate(KEPT)
    reader.python_kept()


def test_work_is_kept_in_the_browser_and_a_new_version_of_the_site_leaves_it(reader, site, tmp_path, pyodide, parts):
    reader.open(NOTEBOOK)
    reader.run("mine = 'an edited notebook'")
    cells = len(reader.outputs())
    reader.save()
    names = "async () => (await caches.keys()).filter((name) => name.startsWith('kvmmmu-live'))"
    old = set(reader.page.evaluate(names))
    course = small_course(tmp_path / "course")
    # a notebook that was not open before: all others may have been saved, with cells that tests have added
    changed = json.loads((course / "notebooks" / "07_third.ipynb").read_text())
    changed["cells"][-1]["source"] = "'of the new version'"
    (course / "notebooks" / "07_third.ipynb").write_text(json.dumps(changed))
    build_live(course, site / "live", pyodide=str(pyodide), **parts)

    reader.open("notebooks/07_third.ipynb")
    assert text_of(reader.run_all()[-1]) == "'of the new version'"
    reader.kept()
    new = set(reader.page.evaluate(names))
    assert len(new) == len(old) == 2 and len(new & old) == 1 and "pyodide" in (new & old).pop()
    reader.open(NOTEBOOK)
    assert "mine = 'an edited notebook'" in reader.page.evaluate(
        "[...jupyterapp.shell.currentWidget.content.model.cells].map((cell) => cell.sharedModel.source)"
    )
    assert len(reader.outputs()) == cells


def test_from_a_plain_http_address_the_page_says_that_it_needs_https(browser, address, server):
    """A browser gives such a page no service worker and no storage."""
    context = browser.new_context()
    try:
        other = "http://www.uni.example"
        context.route(
            f"{other}/**",
            lambda route: route.fulfill(response=route.fetch(url=route.request.url.replace(other, server.address))),
        )
        page = context.new_page()
        page.goto(f"{address.replace(server.address, other)}/live/lab/index.html?path={NOTEBOOK}", wait_until="commit")
        said = page.wait_for_selector("#kvmmmu-progress", timeout=60_000).inner_text()
        assert said == f"Browsers run this course only from an https: address, or from localhost, and this is {other}."
    finally:
        context.unroute_all(behavior="ignoreErrors")  # the page goes on asking
        context.close()


def test_what_cannot_be_loaded_is_said_in_a_sentence(browser, site, server, address):
    (lost,) = (site / "live" / "static" / "pyodide").glob("numpy-*.whl")
    lost.rename(lost.with_suffix(".away"))
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        lab = LiveLab(context, address)
        lab.page.goto(f"{address}/live/lab/index.html?path={NOTEBOOK}")
        lab.page.set_default_timeout(120_000)
        said = lab.page.wait_for_selector("#kvmmmu-progress:has-text('again')").inner_text()
        assert "Python can't be started" in said and "pyodide/numpy-2.0.2" in said
        assert said.endswith("Reload the page to try again.")
    finally:
        context.close()
        lost.with_suffix(".away").rename(lost)
