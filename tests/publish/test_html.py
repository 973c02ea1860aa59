# SPDX-License-Identifier: GPL-2.0-only
"""Any markup becomes self-contained: it fetches nothing and runs nothing."""

import base64

import pytest

from kvmmmu_lab.publish.html import markdown_html, self_contained

PIXEL = base64.b64decode("R0lGODlhAQABAAAAACwAAAAAAQABAAA=")


@pytest.mark.parametrize(
    "markup",
    [
        "<p>Text, and 1 / 2.</p>",
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0"></path></svg>',
        '<a href="https://example.org/x?a=1&amp;b=2">x</a>',
        '<img alt="x" src="data:image/gif;base64,AAAA"/>',
        '<p style="color: red">x</p>',
    ],
)
def test_self_contained_markup_is_unchanged(markup):
    assert self_contained(markup) == markup


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="//example.org/x.js"></script>',
        "<script>fetch('https://example.org')</script>",
        '<img src="https://example.org/x.png" onerror="alert(1)">',
        '<img src="gone.png" srcset="https://example.org/x.png 2x">',
        '<picture><source srcset="https://example.org/x.png"></picture>',
        "<iframe src=https://example.org></iframe>",
        '<iframe srcdoc="<img src=https://example.org>"></iframe>',
        '<object data="https://example.org/x"></object><embed src="https://example.org/x">',
        "<link rel=stylesheet href=https://example.org/x.css><base href=https://example.org/>",
        "<style>@import url(https://example.org/x.css); p { background: url('https://example.org/x.png') }</style>",
        '<p style="background:url(https://example.org/x.png)">x</p>',
        '<svg><image href="https://example.org/x.png"/><use xlink:href="https://example.org/x.svg#a"/></svg>',
        '<video poster="https://example.org/x.png" src="https://example.org/x.mp4"></video>',
        '<table background="https://example.org/x.png"><tr><td>x</td></tr></table>',
        '<form action="https://example.org"><input type=image src="//example.org/x.png" formaction="//example.org"></form>',
        '<a href="javascript:fetch(1)" ping="https://example.org">x</a>',
        '<meta http-equiv="refresh" content="0;url=https://example.org">',
    ],
)
def test_what_would_be_fetched_or_run_is_removed(markup):
    left = self_contained(markup)
    for link in ('<a href="https://example.org/x.png">https://example.org/x.png</a>', '<a href="https://example.org">https://example.org</a>',
                 '<a href="https://example.org/x">https://example.org/x</a>'):  # fmt: skip
        left = left.replace(link, "")
    assert "example.org" not in left and "javascript:" not in left and "alert" not in left and "fetch" not in left


def test_a_picture_beside_the_notebook_is_embedded_and_no_other_file(tmp_path):
    (tmp_path / "book").mkdir()
    for path in (tmp_path / "book" / "a b.gif", tmp_path / "secret.gif"):
        path.write_bytes(PIXEL)
    assert "data:image/gif;base64,R0lG" in self_contained('<img src="a%20b.gif">', tmp_path / "book")
    assert "data:image/gif;base64,R0lG" in markdown_html("![x](a%20b.gif)", tmp_path / "book")
    for address in ("../secret.gif", str(tmp_path / "secret.gif"), (tmp_path / "secret.gif").as_uri()):
        assert "is left out" in self_contained(f'<img src="{address}">', tmp_path / "book")


def test_a_missing_picture_is_named(tmp_path):
    said = markdown_html("![a plan](gone.png) ![b](attachment:lost.png) ![c](https://example.org/c.png)", tmp_path)
    assert "gone.png" in said and "lost.png" in said and 'href="https://example.org/c.png"' in said and "<img" not in said
    attached = {"here.png": {"image/png": "AAAA"}}
    assert "data:image/png;base64,AAAA" in markdown_html("![d](attachment:here.png)", tmp_path, attached)


def test_formulas_become_mathml(tmp_path):
    said = markdown_html("$x^2$ and\n\n$$\\frac{a}{b}$$\n\n\\begin{align}a\\end{align}", tmp_path)
    assert said.count("<math") == 3 and "<msup>" in said and "<mfrac>" in said and "$" not in said
    assert "<code>" in markdown_html("$\\left($", tmp_path), "a formula that can't be converted is shown as source"
