# SPDX-License-Identifier: GPL-2.0-only
"""Headings have the ids that JupyterLab gives them, and links by name lead to them."""

import pytest

from kvmmmu_lab.publish.anchors import Anchors, anchor
from kvmmmu_lab.publish.links import Links


def test_an_anchor_is_jupyterlabs():
    """JupyterLab: `element.textContent.replace(/ /g, "-")`."""
    assert anchor("Watch one fault") == "Watch-one-fault"
    assert anchor("What's next? `rmap` & Co.") == "What's-next?-`rmap`-&-Co."


def test_equal_headings_are_numbered():
    anchors = Anchors(["Points", "Points", "Points-2", "Points"])
    assert anchors.ids == ["Points", "Points-2", "Points-2-2", "Points-3"]


@pytest.mark.parametrize("fragment", ["Watch-one-fault", "watch-one-fault", "Watch%2Done-fault"])
def test_a_heading_is_found_as_jupyterlab_and_github_write_it(fragment):
    assert Anchors(["Pick", "Watch one fault"]).find(fragment) == "Watch-one-fault"
    assert Anchors(["Pick"]).find(fragment) is None


def test_headings_in_html_get_ids():
    marked = Anchors().mark('<h2>A <code>b</code> &amp; "c"</h2><p>x</p><h3 class="k" id=old>A</h3>')
    assert marked == '<h2 id="A-b-&amp;-&quot;c&quot;">A <code>b</code> &amp; "c"</h2><p>x</p><h3 id="A" class="k">A</h3>'


ADDRESSES = {"06_maps.ipynb": "lessons/06_maps.html", "01_split/README.md": "exercises/01_split.html", "a b.ipynb": "a b.html"}


@pytest.mark.parametrize(
    ("link", "address", "said"),
    [
        ("06_maps.ipynb", "../lessons/06_maps.html", ""),
        ("../notebooks/06_maps.ipynb#Watch-it", "../lessons/06_maps.html#Watch-it", ""),
        ("06_maps.ipynb#watch-it", "../lessons/06_maps.html#Watch-it", ""),
        ("../exercises/01_split/README.md", "../exercises/01_split.html", ""),
        ("a%20b.ipynb", "../a%20b.html", ""),
        ("06_maps.ipynb#Gone", "../lessons/06_maps.html", "06_maps.ipynb has no heading Gone"),
        ("08_chains.ipynb#x", None, "the link to 08_chains.ipynb is left out"),
        ("02_walk/README.md", None, "the link to 02_walk/README.md is left out"),
    ],
)
def test_a_link_by_name_leads_to_the_exported_file_or_a_notice_says_why_not(link, address, said):
    notices = []
    assert Links(ADDRESSES, lambda name: Anchors(["Watch it"])).address(link, notices.append, up="../") == address
    assert [said in one for one in notices] == [True] * bool(said)
