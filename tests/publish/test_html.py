# SPDX-License-Identifier: GPL-2.0-only
"""Any markup becomes self-contained: it fetches nothing and runs nothing."""

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kvmmmu_lab.publish import media
from kvmmmu_lab.publish.html import MAX_ROWS, definitions, markdown_html, self_contained
from kvmmmu_lab.publish.media import MediaFolder

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
    for link in (
        '<a href="https://example.org/x.png">https://example.org/x.png</a>',
        '<a href="https://example.org">https://example.org</a>',
        '<a href="https://example.org/x">https://example.org/x</a>',
        '<a href="https://example.org/x.mp4">https://example.org/x.mp4</a>',
    ):
        left = left.replace(link, "")
    assert "example.org" not in left and "javascript:" not in left and "alert" not in left and "fetch" not in left


def test_a_picture_beside_the_notebook_is_embedded_and_no_other_file(tmp_path):
    (tmp_path / "book").mkdir()
    for path in (tmp_path / "book" / "a b.gif", tmp_path / "secret.gif"):
        path.write_bytes(PIXEL)
    assert "data:image/gif;base64,R0lG" in self_contained('<img src="a%20b.gif">', MediaFolder(tmp_path / "book"))
    assert "data:image/gif;base64,R0lG" in markdown_html("![x](a%20b.gif)", MediaFolder(tmp_path / "book"))
    for address in ("../secret.gif", str(tmp_path / "secret.gif"), (tmp_path / "secret.gif").as_uri()):
        assert "is left out" in self_contained(f'<img src="{address}">', MediaFolder(tmp_path / "book"))


def test_a_missing_picture_is_named(tmp_path):
    said = markdown_html("![a plan](gone.png) ![b](attachment:lost.png) ![c](https://example.org/c.png)", MediaFolder(tmp_path))
    assert "gone.png" in said and "lost.png" in said and 'href="https://example.org/c.png"' in said and "<img" not in said
    attached = {"here.png": {"image/png": "AAAA"}}
    assert "data:image/png;base64,AAAA" in markdown_html("![d](attachment:here.png)", MediaFolder(tmp_path), attached)


def test_formulas_keep_their_tex_for_the_typesetter():
    said = markdown_html("$x^2 < 3$ and\n\n$$\\frac{a}{b}$$\n\n\\begin{align}[a]\\end{align}")
    assert '<span class="math" data-display="false">x^2 &lt; 3</span>' in said
    assert '<span class="math" data-display="true">\\frac{a}{b}</span>' in said
    assert '<span class="math" data-display="true">\\begin{align}[a]\\end{align}</span>' in said and "$" not in said


# HTML that a page can't take as it is


@pytest.mark.parametrize(
    ("markup", "left"),
    [
        ("<div><b>open", "<div><b>open</b></div>"),
        ('<p style="position:fixed;top:0">x</p><style></style>', '<p style="position: absolute;top:0">x</p><style></style>'),
        ("closed</div></section> twice", "closed twice"),
        ("<section class='a'><header>x</header></section>", '<div class="a"><div>x</div></div>'),
        ("<!DOCTYPE html><html><head><title>T</title></head><body><p>x</p></body></html>", "<p>x</p>"),
        ("a<!-- a comment -->b", "ab"),
        ("<noscript>without scripts</noscript><script>x()</script>", "without scripts"),
        ('<form action="/x"><input autofocus="" type="text"/></form>', '<div><input type="text"/></div>'),
        ('<a href="java\nscript:x()">x</a>', "<a>x</a>"),
    ],
)
def test_markup_is_balanced_and_has_no_parts_of_the_page(markup, left):
    assert self_contained(markup) == left


def test_style_rules_apply_only_to_the_markup_that_they_come_with():
    one = self_contained("<style>table, .a > b { color: red } body { margin: 0 }</style><table><tr><td>1</td></tr></table>")
    other = self_contained("<style>table { color: lime }</style><table><tr><td>2</td></tr></table>")
    name = one.partition('class="')[2].partition('"')[0]
    assert one.startswith(f'<div class="{name}"><style>.{name} {{ table, .a > b {{ color: red }} & {{ margin: 0 }} }}</style>')
    assert name not in other
    kept = self_contained("<style>@keyframes k { to { top: 0 } } @media print { p { top: 0 } } </style>x")
    assert "<style>@keyframes k { to { top: 0 } } .style-" in kept and "{ @media print { p { top: 0 } } }" in kept
    assert (
        "</style><b>"
        not in self_contained("<style>a:after { content: '<' } unclosed { </style><i>x</i>").replace("<i>", "<b>", 2)[20:60]
    )


@pytest.mark.parametrize(
    ("selector", "limited"),
    [
        ('body[data-jp-theme-light="false"] .a > img', 'body[data-jp-theme-light="false"] & .a > img'),
        (":is(body.dark, html[lang]) b, i", ":is(body.dark, html[lang]) & b, i"),
        ("body.dark, body > p", "body.dark &, & > p"),
        (".body[x] :is(a, body-x)", ".body[x] :is(a, body-x)"),
        ('a[title="body x"] b ~ c', 'a[title="body x"] b ~ c'),
    ],
)
def test_a_style_rule_for_a_theme_of_the_page_asks_the_page(selector, limited):
    """As a nested rule it would look for the page inside the output, so that pictures stayed light on a dark page."""
    assert f" {{ {limited} {{ top: 0 }} }}</style>" in self_contained(f"<style>{selector} {{ top: 0 }}</style>x")


@pytest.mark.parametrize(
    ("markup", "word", "notice"),
    [
        (
            '<iframe src="https://www.youtube.com/embed/abc?rel=0"></iframe>',
            'href="https://www.youtube.com/watch?v=abc"',
            "the video https://www.youtube.com/watch?v=abc is left out: it is on the web, and nothing is fetched",
        ),
        (
            '<iframe src="https://player.vimeo.com/video/1"></iframe>',
            'href="https://vimeo.com/1"',
            "the video https://vimeo.com/1 is left out: it is on the web, and nothing is fetched",
        ),
        (
            '<iframe srcdoc="&lt;script&gt;L.map()&lt;/script&gt;" title="Roads"></iframe>',
            "an interactive map, Roads, is left out",
            "the interactive map “Roads” is left out: scripts don't run here",
        ),
        (
            '<embed src="paper.pdf" type="application/pdf">',
            "paper.pdf",
            "the PDF document paper.pdf is left out: a page can't be put into another one",
        ),
        (
            '<video src="gone.mp4"></video>',
            "a video is left out: gone.mp4",
            "the video gone.mp4 is left out: there is no such file",
        ),
        ("<audio controls></audio>", "a sound is left out", "the sound is left out: it has no source"),
    ],
)
def test_what_is_embedded_from_elsewhere_is_named(tmp_path, markup, word, notice):
    said = []
    assert word in self_contained(markup, MediaFolder(tmp_path), said.append) and said == [notice]


def test_local_films_and_sounds_are_embedded_until_there_is_no_more_room(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"x" * 60)
    (tmp_path / "b.webm").write_bytes(b"y" * 60)
    (tmp_path / "p.gif").write_bytes(PIXEL)
    monkeypatch.setattr(media, "MAX_MEDIA", 100)
    said, folder = [], MediaFolder(tmp_path)
    markup = '<video autoplay poster="p.gif"><source src="a.mov"><source src="a.mp4"></video>'
    for shown in (self_contained(markup, folder, said.append), self_contained(markup, folder, said.append)):
        assert 'src="data:video/mp4;base64,eHh4' in shown and "controls" in shown and 'poster="data:image/gif' in shown
        assert "<source" not in shown and "autoplay" not in shown and not said
    assert "<video" in markdown_html("![one film](a.mp4)", folder)
    assert "b.webm" in self_contained('<video src="b.webm"></video>', folder, said.append)
    assert said == ["the video b.webm is left out: it has 0.0 MB, and there is room for 0.0 of 0 MB of films and sounds"]


def test_a_large_picture_is_embedded_with_fewer_pixels(tmp_path, monkeypatch):
    Image.effect_noise((300, 200), 90).save(tmp_path / "photo.png")
    monkeypatch.setattr(media, "MAX_PICTURE", 30_000)
    monkeypatch.setattr(media, "MAX_SIDE", 100)
    said = []
    shown = markdown_html("![a photo](photo.png)", MediaFolder(tmp_path), say=said.append)
    assert Image.open(io.BytesIO(base64.b64decode(shown.partition("base64,")[2].partition('"')[0]))).size == (100, 67)
    assert len(said) == 1 and "it is embedded with at most 100 pixels a side" in said[0]
    embedded = "data:image/png;base64," + base64.b64encode((tmp_path / "photo.png").read_bytes()).decode()
    assert len(self_contained(f'<img src="{embedded}">', say=said.append)) < len(embedded) / 3
    assert re.fullmatch(r"a picture of 0.\d MB is embedded with at most 100 pixels a side", said[1])


def test_a_very_long_table_keeps_its_first_and_last_rows():
    said = []
    rows = "".join(f"<tr><td>{n}</td><td>x</td></tr>" for n in range(MAX_ROWS + 30))
    shown = self_contained(f"<table><thead><tr><th>n</th><th>m</th></tr></thead>{rows}</table>", say=said.append)
    assert "<td>0</td>" in shown and f"<td>{MAX_ROWS + 29}</td>" in shown and "(31 more rows are left out)" in shown
    assert shown.count("<tr") == MAX_ROWS + 1 and said == [
        f"31 rows of a table are left out: it has 531, and the limit is {MAX_ROWS}"
    ]


# Markdown


def rendered(source, **options):
    return markdown_html(source, **options).strip()


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("- [x] done\n- [ ] open", 'type="checkbox" disabled checked/>done'),
        ("~~gone~~", "<del>gone</del>"),
        ("https://example.org/a", '<a href="https://example.org/a">https://example.org/a</a>'),
        ("<https://example.org>", '<a href="https://example.org">https://example.org</a>'),
        ("*over\ntwo lines*", "<em>over\ntwo lines</em>"),
        ("one\\\ntwo", "one<br />\ntwo"),
        ("a&nbsp;b", "a\xa0b"),
        ("<kbd>Ctrl</kbd> H<sub>2</sub>O", "<kbd>Ctrl</kbd> H<sub>2</sub>O"),
        ("a <!-- hidden --> b", "<p>a  b</p>"),
        ("| a | b |\n|:-:|--:|\n| 1 | 2 |", '<td style="text-align:center">1</td>'),
        ("- a\n  - b\n\n    ```\n    code\n    ```", "<pre><code>code\n</code></pre>"),
        ("#include and #1", "<p>#include and #1</p>"),
        ("> [!WARNING]\n> Hot.", "<p><strong>Warning.</strong> Hot.</p>"),
        ("```nosuchlanguage\ncode\n```", "<pre><code>code\n</code></pre>"),
        ("```{.python .numberLines}\nx = 1\n```", '<span class="n">x</span>'),
        ("```mermaid\nA-->|<b>|B\n```", "A--&gt;|&lt;b&gt;|B"),
        ("<details><summary>More</summary>\n\n**bold**\n\n</details>", "<p><strong>bold</strong></p>"),
        ("line one\r\nline two", "line one\nline two"),
        ("soft\u00adhyphen\ufeff and a\u200bb", "soft\u00adhyphen and a\u200bb"),
        ("evil \u202e override", "evil \\u202e override"),
    ],
)
def test_markdown_is_shown_as_jupyterlab_shows_it(source, shown):
    assert shown in rendered(source)


def test_an_unclosed_tag_in_markdown_ends_with_its_cell():
    assert rendered("<div class='a'>\n\ntext").count("</div>") == 1
    assert rendered("</div></section>\n\ntext").endswith("<p>text</p>") and "</section>" not in rendered("x </section>")


def test_definitions_of_links_come_from_other_cells_unless_the_cell_has_its_own():
    given = {"ref_links": definitions("[One]: https://example.org/1 'first'\n[two]: https://example.org/2")["ref_links"]}
    shown = rendered("[a paper][one], [two], [three]\n\n[two]: https://example.org/own", definitions={**given})
    assert '<a href="https://example.org/1" title="first">a paper</a>' in shown and "[three]" in shown


def test_footnotes_are_listed_below_the_text_and_have_ids_of_their_own():
    one, two = rendered("A[^n].\n\n[^n]: The note."), rendered("B[^n].\n\n[^n]: The note.")
    name = one.partition('href="#')[2].partition('"')[0]
    assert f'<li id="{name}"><p>The note.</p></li>' in one and name not in two and "[^n]" not in one + two
    assert "C[^x]" in rendered("C[^x]"), "without a definition it is text"


def test_text_from_right_to_left_is_set_so():
    shown = rendered("## كتاب\n\nهذا نص باللغة العربية.\n\n- واحد\n- two\n\n| عمود | b |\n|---|---|\n| ١ | 2 |\n\nEnglish.")
    assert '<h2 dir="auto">' in shown and '<p dir="auto">هذا' in shown and '<ul dir="rtl">\n<li>' in shown
    assert '<table dir="rtl">' in shown and '<th dir="auto">عمود' in shown and '<p dir="auto">English.' in shown
    assert "dir=" not in rendered("English, 日本語 and Ελληνικά.\n\n- one")
    assert "\u200fعربي" in rendered("\u200fعربي"), "a mark of direction is no danger"


def test_around_a_map_nothing_remains_of_its_frame():
    """As folium writes it."""
    frame = '<iframe srcdoc="&lt;script src=leaflet.js&gt;&lt;/script&gt;"></iframe>'
    advice = "<span>Make this Notebook Trusted to load map</span>"
    inner = f'<div style="position:relative;height:0;padding-bottom:60%;">{advice}{frame}</div>'
    note = '<span class="left-out">(an interactive map is left out)</span>'
    assert self_contained(f'<div style="width:100%;">{inner}</div>') == note
    assert self_contained(f"<div><p>Roads</p>{inner}</div>") == f"<div><p>Roads</p>{note}</div>"


def test_drawings_that_can_t_be_images_have_ids_of_their_own():
    """No XML, since an attribute has no quotes; and a drawing that uses another one's symbol."""
    clip = '<svg width=9><clipPath id="c"><rect width="{}"/></clipPath><g clip-path="url(#c)"/></svg><p id="c1">x</p>'
    one, two = self_contained(clip.format(1)), self_contained(clip.format(2))
    names = [re.search(r'id="(c-\w+)"', shown)[1] for shown in (one, two)]
    assert names[0] != names[1] and f'clip-path="url(#{names[0]})"' in one and 'id="c1"' in one
    icons = '<svg><symbol id="i"><title>An icon</title></symbol></svg><svg><use href="#i"/><use href="#else"/></svg>'
    sprite = self_contained(icons)
    assert re.search(r'id="(i-\w+)".*href="#\1"', sprite) and 'href="#else"' in sprite and "<title>An icon</title>" in sprite


PIECES = [
    "<div>",
    "</div>",
    "<p>",
    "</p>",
    "<b>",
    "<style>",
    "</style>",
    "a{b:c}",
    "@media",
    "<script>",
    "</script>",
    "<svg>",
    "<svg/id='a'>",
    "</svg>",
    "<g/>",
    "<table>",
    "<tr>",
    "<td>",
    "<section>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?xml/?>",
    "<!DOCTYPE/html>",
    "<iframe/src=x>",
    "<img/src=x>",
    "<video>",
    "<noscript>",
    "</noscript>",
    "<title>",
    "text",
    "&",
    "<",
    "&nbsp;",
    "<a/href=#>",
    "<form>",
    "<textarea>",
    "#",
    "-",
    ">",
    "```",
    "$$",
    "`",
    "[a]",
    "[^1]",
    "\u202e",
    "ع",
]


class OpenTags(HTMLParser):
    """Collects the tags that are not closed, and those that close nothing."""

    def __init__(self, markup):
        super().__init__()
        self.open, self.wrong = [], []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.open += [tag] * (tag not in ("br", "hr", "img", "input"))

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=20))
def test_whatever_a_cell_contains_its_markup_is_balanced(pieces):
    for shown in (self_contained("".join(pieces)), markdown_html(" ".join(pieces)), markdown_html("\n".join(pieces))):
        found = OpenTags(shown)
        assert not found.open and not found.wrong


@pytest.mark.parametrize("markup", ["<?xml version='1.0'?><p>x</p>", "<report.html>", "https://example.org/a.html<!-- -->"])
def test_markup_that_looks_like_something_else_is_no_reason_for_a_warning(markup):
    self_contained(markup)
