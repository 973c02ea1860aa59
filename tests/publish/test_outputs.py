# SPDX-License-Identifier: GPL-2.0-only
"""The outputs of cells are rendered as HTML."""

import base64
import html
import json
import re
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_output

from kvmmmu_lab.player.page import film_html
from kvmmmu_lab.publish.cell_renderer import CellRenderer
from kvmmmu_lab.publish.notices import Notices
from kvmmmu_lab.publish.outputs import MAX_LINES, MAX_TEXT, text_html

from ..player.films import two_chapters as a_film
from .books import book, code


def rendered_outputs(cell, notices=None):
    return CellRenderer(book(cell), Path(), notices).outputs(1)


def kinds(*data):
    return [output.kind for output in rendered_outputs(code("x", shows=data))]


def test_a_film_is_found_in_its_html():
    (output,) = rendered_outputs(code("x", shows=[{"text/html": film_html(a_film(), step=1)}]))
    assert (output.kind, output.film.data, output.film.options["step"]) == ("film", json.loads(json.dumps(a_film())), 1)


def test_formatted_outputs_are_shown_formatted():
    said = [{"text/markdown": "**bold**"}, {"text/latex": r"$\frac{1}{2}$"}, {"application/json": {"a": 1}, "text/plain": "<>"}]
    bold, half, data = (output.html for output in rendered_outputs(code("x", shows=said)))
    assert "<strong>bold</strong>" in bold and r"\frac{1}{2}</span>" in half and "&quot;a&quot;: 1" in data


# Printed text


def printed(*parts):
    """What is shown of texts, each printed to a stream."""
    outputs = [new_output("stream", name=name, text=text) for name, text in parts]
    return [output.html for output in rendered_outputs(new_code_cell("x", outputs=outputs))]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("".join(f"\r{i:3}% {'#' * (i // 5)}" for i in range(0, 101, 5)), f"100% {'#' * 20}"),
        ("wrong\b\b\b\b\bright", "right"),
        ("a longer text\rshort\x1b[K", "short"),
        ("a longer text\rshort", "shortger text"),
        ("one\r\ntwo\r\n", "one\ntwo"),
        ("loading\x1b[2K\rdone", "done"),
        ("a\tb\n1234567\t8", "a       b\n1234567 8"),
        ("\x1b[?25lhidden cursor\x1b[?25h\x07", "hidden cursor"),
        ("\x1b]8;;https://example.org\x1b\\a link\x1b]8;;\x1b\\", "a link"),
        ("\x1b]0;title\x07text", "text"),
        ("outer 0\n\rinner 1\x1b[A\n\rinner 2\x1b[A\r outer 1", " outer 1\ninner 2"),
        ("\x1b[31m<b>\x1b[0m", '<span class="ansi-red-fg">&lt;b&gt;</span>'),
        ("\x1b[1;38;5;196mred\x1b[22;39m plain", '<span class="ansi-red-fg ansi-bold">red</span> plain'),
        ("\x1b[48;2;0;200;0mbg\x1b[m", '<span class="ansi-green-bg">bg</span>'),
        ("100 \x9d and \x1b", "100 \\x9d and"),
        ("\n\nx", "\n\n\nx"),
    ],
)
def test_text_is_shown_as_a_terminal_shows_it(text, shown):
    assert printed(("stdout", text)) == [f"<pre>{shown}</pre>"]


def test_each_stream_is_shown_where_it_was_printed():
    one, two, three = printed(("stdout", "a\n"), ("stdout", "b\n"), ("stderr", "50%"), ("stderr", "\r99%"), ("stdout", "c"))
    assert (one, two, three) == ("<pre>a\nb</pre>", '<pre class="stderr">99%</pre>', "<pre>c</pre>")


def test_a_line_feed_that_ends_the_line_of_the_other_stream_is_no_empty_line():
    assert printed(("stderr", "\r100%"), ("stdout", "\nright\n"), ("stderr", "\nx")) == [
        '<pre class="stderr">100%</pre>',
        "<pre>right</pre>",
        '<pre class="stderr">\n\nx</pre>',
    ]


def test_a_tag_removes_what_is_printed_to_a_stream():
    outputs = [new_output("stream", name=name, text=name) for name in ("stdout", "stderr")]
    cell = new_code_cell("x", outputs=outputs, metadata={"tags": ["remove-stderr"]})
    assert [output.html for output in rendered_outputs(cell)] == ["<pre>stdout</pre>"]


def test_long_text_keeps_its_beginning_and_end_and_says_what_is_missing_between():
    said = []
    shown = text_html("\n".join(f"line {n}" for n in range(MAX_LINES + 50)), said.append)
    assert ">line 0\n" in shown and f"line {MAX_LINES + 49}<" in shown and "(50 lines are left out here)" in shown
    assert said == [f"50 lines of printed text are left out; the limit is {MAX_LINES} lines, or {MAX_TEXT:,} characters"]
    assert "left out" not in text_html("x\n" * MAX_LINES, said.append) and len(said) == 1
    assert "(5 more characters are left out)" in text_html("x" * (MAX_TEXT + 5), said.append)
    assert said[1:] == [f"one line of printed text is cut off; the limit is {MAX_TEXT:,} characters"]


def test_a_long_traceback_keeps_its_first_and_last_lines():
    lines = ["\x1b[31mValueError\x1b[39m    Traceback", *(f"  frame {n}" for n in range(200)), "ValueError: the reason"]
    cell = new_code_cell("x", outputs=[new_output("error", ename="ValueError", evalue="the reason", traceback=lines)])
    (error,) = rendered_outputs(cell)
    assert (
        error.kind == "error"
        and "ValueError</span>    Traceback" in error.html
        and "ValueError: the reason</pre>" in error.html
    )
    bare = new_code_cell("x", outputs=[new_output("error", ename="KeyError", evalue="'k'", traceback=[])])
    assert rendered_outputs(bare)[0].html == "<pre>KeyError: &#x27;k&#x27;</pre>"


# Drawings of other programs

CAIRO = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="200" height="80"><defs>'
    '<clipPath id="c"><rect width="{0}" height="80"/></clipPath><g id="glyph"><text>{1}</text></g></defs>'
    '<rect width="200" height="80" clip-path="url(#c)"/><use xlink:href="#glyph" x="10"/></svg>'
)
CLASSES = '<svg viewBox="0 0 9 9"><style>.st0 {{ fill: {1} }}</style><rect class="st0" width="{0}" height="9"/></svg>'
SCRIPT = (
    '<?xml version="1.0" encoding="latin1"?>\n<svg xmlns="http://www.w3.org/2000/svg" onload="alert({0})">'
    '<title>A plot</title><g id="a"/><script>document.write("{1}")</script></svg>'
)


def images(*outputs):
    """The drawings in the images of some outputs; anything else about them is checked."""
    found = []
    for output in rendered_outputs(code("x", shows=outputs)):
        assert output.kind == "picture"
        rest = re.sub(r'<img src="data:image/svg\+xml;base64,([^"]*)" alt="[^"]+"/?>', "", output.html)
        assert not re.search(r"<svg|<style|<script|\bid=", rest)
        found += [base64.b64decode(one).decode() for one in re.findall(r"base64,([^\"]*)", output.html)]
    return found


@pytest.mark.parametrize("form", [CAIRO, CLASSES, SCRIPT], ids=["ids", "classes", "script"])
def test_two_drawings_with_the_same_ids_or_classes_are_kept_apart(form):
    """As images: on a page, the ids and style rules of the first would apply to the second."""
    first, second = form.format(60, "ONE"), form.format(200, "TWO")
    for kind in ("image/svg+xml", "text/html"):
        shown = images({kind: first}, {kind: second})
        assert "ONE" in shown[0] and "TWO" in shown[1] and len(shown) == 2
        assert all('xmlns="http://www.w3.org/2000/svg"' in one and "<?xml" not in one for one in shown)
    both = images({"text/html": f"<p>é</p>\n<div>{first}\n</div><p>{second}</p>"})
    assert "ONE" in both[0] and "TWO" in both[1]


def test_a_drawing_says_what_it_shows():
    named, titled, nameless = (
        next(iter(rendered_outputs(code("x", shows=[{"image/svg+xml": svg, "text/plain": "<Figure 1>"}])))).html
        for svg in ('<svg aria-label="a &lt; b"/>', "<svg><title>Two axes</title></svg>", "<svg/>")
    )
    assert 'alt="a &lt; b"' in named and 'alt="Two axes"' in titled and 'alt="a picture"' in nameless


def test_a_drawing_that_needs_its_surroundings_or_is_no_xml_stays_as_it_is():
    sprite = '<svg><use href="#icon"/></svg><svg><symbol id="icon"><path d="M0 0"/></symbol><use href="#else"/></svg>'
    for markup in (sprite, "<svg id=broken><g></svg>", "<p>no <b>picture</b></p>", '<svg class="plain"><path d="M0 0"/></svg>'):
        (output,) = rendered_outputs(code("x", shows=[{"text/html": markup}]))
        assert "<img" not in output.html
    (output,) = rendered_outputs(code("x", shows=[{"image/svg+xml": "<svg><g onclick='x()'></svg>"}]))
    assert "<svg" in output.html and "onclick" not in output.html


def test_a_drawing_with_characters_that_only_html_names():
    assert "a\xa0b &amp; c" in images({"image/svg+xml": "<svg><text id='t'>a&nbsp;b &amp; c</text></svg>"})[0]


# Tables


def table(*rows, head=""):
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table border="1" class="dataframe">{head}<tbody>{body}</tbody></table>'


def test_tables_are_whole():
    head = '<thead><tr><th rowspan="2">a</th><th colspan="2" halign="left">b</th></tr></thead>'
    rows = table(*[[n, n * n] for n in range(40)], ["..."], head=head)
    frame = f"<div>\n<style scoped>\n.dataframe tbody tr th {{ x: y }}\n</style>\n{rows}</div>"
    (output,) = rendered_outputs(code("df", shows=[{"text/html": frame, "text/plain": "df"}]))
    assert (
        output.kind == "table" and output.html.count("<tr>") == 42 and 'colspan="2"' in output.html and ">...<" in output.html
    )
    assert kinds({"text/html": table([1])}, {"text/html": f"<p>x</p>{table(['<svg></svg>'])}"}) == ["table", "table"]
    assert kinds({"text/html": f'<img src="data:image/png;base64,AA" alt="">{table([1])}'}) == ["picture"]


def test_styles_of_two_tables_with_the_same_ids_are_kept_apart():
    """As pandas' Styler writes them, if both get the same uuid."""
    one, two = (
        f'<style type="text/css">#T_a_row0 {{ color: {colour} }}</style>'
        f'<table id="T_a"><tr><td id="T_a_row0">{colour}</td></tr></table>'
        for colour in ("red", "blue")
    )
    first, second = rendered_outputs(code("x", shows=[{"text/html": one}, {"text/html": two}]))
    names = [re.search(r"<style>(\.style-\w+) \{ #T_a_row0", shown.html)[1] for shown in (first, second)]
    assert names[0] != names[1] and f'<div class="{names[0][1:]}">' in first.html


# What only a notebook shows


@pytest.mark.parametrize(
    ("data", "kind", "shown", "notice"),
    [
        (
            {"application/javascript": "alert(1)", "text/plain": "<Javascript>"},
            "notice",
            "What a script (JavaScript) does is left out here",
            "what a script",
        ),
        (
            {"application/vnd.vegalite.v5+json": {}, "text/plain": "alt.Chart(...)"},
            "notice",
            "An interactive chart (Vega)",
            "the interactive chart (Vega)",
        ),
        ({"application/vnd.vegalite.v5+json": {}, "image/png": "AAAA"}, "picture", "data:image/png;base64,AAAA", ""),
        (
            {"application/vnd.bokehjs_exec.v0+json": "", "application/javascript": "b()"},
            "notice",
            "(Bokeh)",
            "the interactive chart (Bokeh)",
        ),
        ({"text/html": "<script>window.PlotlyConfig = {}</script>"}, None, "", ""),
        (
            {"application/vnd.plotly.v1+json": {"data": []}, "text/html": "<p>loading ...</p><script>draw()</script>"},
            "picture",
            "data-figure",
            "",
        ),
        (
            {"text/html": "<div id='x'></div><script>window.PlotlyConfig = {};\nPlotly.newPlot('x')</script>"},
            "notice",
            "(Plotly)",
            "the interactive chart (Plotly)",
        ),
        (
            {"text/html": "<div id='x'></div><script>vegaEmbed()</script>", "image/svg+xml": "<svg/>"},
            "picture",
            "data:image/svg",
            "",
        ),
        (
            {"text/html": "<script>draw()</script>", "text/plain": "<a.B object>"},
            "notice",
            "What a script draws",
            "what a script draws",
        ),
        (
            {"text/html": "<b>shown</b><script>more()</script>"},
            "text",
            "<b>shown</b>",
            "a script in an HTML output is left out",
        ),
        (
            {"application/geo+json": {"type": "Point"}, "text/plain": "<IPython.display.GeoJSON object>"},
            "notice",
            "A map is left out",
            "the map is left out",
        ),
        (
            {"application/pdf": "JVBE", "text/plain": "<IPython.core.display.PDF object>"},
            "notice",
            "A PDF document",
            "the PDF document",
        ),
        (
            {"application/x-odd": "1", "text/plain": "<odd.Thing object at 0x7f>"},
            "notice",
            "An output of the type application/x-odd",
            "the output of the type",
        ),
        (
            {"application/x-odd": "1", "text/plain": "Thing(1)"},
            "text",
            "Thing(1)",
            "an output of the type application/x-odd is shown as text",
        ),
        ({"text/x-rst": "a *b*"}, "text", "a *b*", ""),
        ({"application/ld+json": {"a": 1}}, "text", "&quot;a&quot;: 1", ""),
        ({"text/latex": "$x$", "image/png": "AAAA"}, "text", "x", ""),
        ({"image/tiff": "AAAA", "text/plain": "<TIFF object>"}, "notice", "image/tiff", "the output of the type image/tiff"),
        ({"video/mp4": "AAAA"}, "picture", '<video controls src="data:video/mp4;base64,AAAA">', ""),
        (
            {"text/html": '<audio controls><source src="data:audio/wav;base64,AAAA" type="audio/wav"></audio>'},
            "text",
            "<audio controls",
            "",
        ),
        (
            {"text/html": "<style>body { margin: 0 }</style>"},
            None,
            "",
            "the style rules in an output apply only to this output",
        ),
        ({"text/html": '<div class="bk-root"><span>Loading BokehJS ...</span></div><script>x()</script>'}, None, "", ""),
        ({"application/vnd.bokehjs_load.v0+json": "", "application/javascript": "load()"}, None, "", ""),
        ({"text/html": "<div></div>", "text/plain": "<X>"}, None, "", ""),
        ({"text/plain": ""}, None, "", ""),
    ],
)
def test_the_static_alternative_is_shown_or_a_note(data, kind, shown, notice):
    notices = Notices()
    found = rendered_outputs(code("x", shows=[data]), notices)
    assert [one.kind for one in found] == ([kind] if kind else []) and all(shown in one.html for one in found)
    assert [one.words.startswith(notice) for one in notices] == [True] * bool(notice), list(map(str, notices))


def test_a_figure_of_plotly_is_drawn_later_wherever_it_stands():
    figure = {"data": [{"x": [1, 2], "name": "a, )"}], "layout": {"title": {"text": "T"}}}
    call = f'Plotly.newPlot(  "id",  {json.dumps(figure["data"])},  {json.dumps(figure["layout"])}, {{"responsive": true}} )'
    page = f"<div><script>window.PlotlyConfig = {{}};</script><div id='id'></div><script>{call}.then(x)</script></div>"
    for data in ({"application/vnd.plotly.v1+json": figure}, {"text/html": page}):
        (output,) = rendered_outputs(code("x", shows=[data]))
        assert output.kind == "picture" and json.loads(html.unescape(output.html.split('"')[3])) == figure
    (output,) = rendered_outputs(code("x", shows=[{"text/html": page, "image/png": "AAAA"}]))
    assert "base64,AAAA" in output.html and "data-figure" not in output.html


def test_of_an_animation_that_a_script_shows_one_frame_remains():
    """As matplotlib's to_jshtml writes it."""
    script = 'frames[0] = "data:image/png;base64,CCCC"\nframes[1] = "data:image/png;base64,AAAA\\\nBBBB"'
    page = f'<style>.a {{}}</style><div class="animation"><img id="i"><input type="range"></div><script>{script}</script>'
    notices = Notices()
    (output,) = rendered_outputs(code("x", shows=[{"text/html": page}]), notices)
    assert output.kind == "picture" and 'src="data:image/png;base64,AAAABBBB"' in output.html and "<input" not in output.html
    assert "the last frame is shown" in next(iter(notices)).words


def test_a_picture_has_the_size_and_the_text_of_its_metadata():
    output = new_output(
        "display_data",
        data={"image/png": "AA\nAA\n", "text/plain": "<Figure size 640x480>"},
        metadata={"image/png": {"width": 320.0, "height": 240, "alt": "a < b"}, "needs_background": "light"},
    )
    (shown,) = rendered_outputs(new_code_cell("x", outputs=[output]))
    assert shown.html == '<img width="320" height="240" class="needs-light" src="data:image/png;base64,AAAA" alt="a &lt; b">'
    assert 'alt="a picture"' in rendered_outputs(code("x", shows=[{"image/png": "AAAA", "text/plain": "<Figure>"}]))[0].html
