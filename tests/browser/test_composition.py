# SPDX-License-Identifier: GPL-2.0-only
"""compose.js: what doesn't fit on a slide flows on to further slides, and nothing is lost."""

import re

import pytest

from kvmmmu_lab.publish.template import asset, reveal_asset

pytestmark = pytest.mark.slow

MEASURE = """() => {
  const slides = [...document.querySelectorAll("section")];
  return slides.map((slide) => {
    slide.style.display = "block";
    const body = slide.querySelector(".slide-body"), box = body.getBoundingClientRect();
    const visible = (one) => one.getClientRects().length && !one.closest("mjx-assistive-mml");
    const shown = [...body.querySelectorAll("*")].filter(visible);
    const rects = shown.map((one) => one.getBoundingClientRect());
    const sizes = (selector) => [...body.querySelectorAll(selector)].map((one) => parseFloat(getComputedStyle(one).fontSize));
    const found = {
      kind: slide.className,
      title: slide.querySelector(".slide-title").textContent,
      text: body.textContent,
      notes: slide.querySelector(".notes")?.textContent ?? "",
      below: Math.max(...rects.map((one) => one.bottom)) - box.bottom,
      beyond: Math.max(...rects.map((one) => one.right)) - box.right,
      ends: Math.max(...rects.map((one) => one.bottom)),
      pictures: [...body.querySelectorAll("img, svg")].map((one) => one.getBoundingClientRect().height),
      prose: Math.min(...sizes("p, li, dd"), 99), code: Math.min(...sizes("pre"), 99), table: Math.min(...sizes("td, th"), 99),
      numbers: [...body.querySelectorAll("ol")].map((one) => [one.start, one.firstElementChild.style.listStyleType]),
    };
    slide.style.removeProperty("display");
    return found;
  });
}"""


@pytest.fixture(scope="module")
def tab(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    css = reveal_asset("reveal.css") + asset("theme.css", "deck.css")
    page.set_content(f"<style>{css}</style><body data-jp-theme-light=true><main class=reveal><div class=slides></div></main>")
    page.add_script_tag(content=asset("compose.js"))
    yield page
    page.close()


@pytest.fixture
def composed(tab):
    """Compose one slide; return the slides that it becomes, and the notices."""

    def compose(*elements, kind="prose", notes=""):
        notes = f"<aside class=notes>{notes}</aside>" if notes else ""
        head = '<header class="slide-title"><h2>A title</h2></header>'
        content = f'<div class="slide-content">{head}<div class="slide-body">{"".join(elements)}</div></div>'
        tab.evaluate(
            """async (markup) => {
              const root = document.querySelector(".slides");
              root.innerHTML = markup;
              await Promise.all([...root.querySelectorAll("img")].map((image) => image.decode()));
            }""",
            f'<section class="slide {kind}" id="here">{content}{notes}</section>',
        )
        notices = tab.evaluate("compose(document.querySelector('.slides'))")
        first = tab.evaluate("document.querySelector('.slides').innerHTML")
        assert tab.evaluate("compose(document.querySelector('.slides'))") == []
        assert tab.evaluate("document.querySelector('.slides').innerHTML") == first, "composing twice changes nothing"
        slides = tab.evaluate(MEASURE)
        for slide in slides:
            assert slide["below"] < 2 and slide["beyond"] < 2, "nothing is cut"
            assert slide["ends"] > 0.4 * 720, "short content stands in the middle"
            assert slide["prose"] >= 21.9 and slide["code"] >= 15.9 and slide["table"] >= 17.9
            assert slide["title"] == "A title"
        assert "continued" not in slides[0]["kind"] and all("continued" in slide["kind"] for slide in slides[1:])
        assert first.count('id="here"') == 1
        return slides, notices

    return compose


def element(markup, kind="prose", cell=1, more=""):
    return f'<div class="element {kind} {more}" data-cell="{cell}">{markup}</div>'


def words(count, sentence=9):
    return " ".join(f"word{n}{'.' if n % sentence == sentence - 1 else ''}" for n in range(count))


def items(count, text="item"):
    return "".join(f"<li>{text} {n}</li>" for n in range(count))


def picture(width, height, cell=1, kind="picture"):
    svg = f"%3Csvg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'%3E%3C/svg%3E"
    return element(f'<img alt="" src="data:image/svg+xml,{svg}">', kind, cell)


def code(lines, cell=1):
    return element("<pre>" + "".join(f"<b>x{n}</b> = {n}\n" for n in range(lines)) + "</pre>", "code", cell)


def table(rows, columns, text=""):
    head = "".join(f"<th>head{c}</th>" for c in range(columns))
    body = "".join("<tr>" + "".join(f"<td>{text}{r}.{c}</td>" for c in range(columns)) + "</tr>" for r in range(rows))
    return element(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", "table")


def text_of(slides):
    return re.sub(r"\s+", "", "".join(slide["text"] for slide in slides))


LONG = {
    "a list": element(f"<ul>{items(40)}</ul>"),
    "a nested list": element("<ol>" + "".join(f"<li>a{n}<ul>{items(8, 'inner')}</ul></li>" for n in range(6)) + "</ol>"),
    "a paragraph": element(f"<p>{words(700)}</p>"),
    "one sentence": element(f"<p>{words(700, 10_000)}</p>"),
    "text without spaces": element("<p>" + "影页表由宿主机维护。" * 200 + "</p>"),
    "code": code(90),
    "printed text": element("<pre>" + "\n\n".join(f"line {n} " + "x " * 90 for n in range(30)) + "</pre>", "text"),
    "one printed line": element("<pre>" + "0x1f " * 900 + "</pre>", "text"),
    "a quotation": element("<blockquote>" + "".join(f"<p>{words(60)}</p>" for _ in range(8)) + "</blockquote>"),
    "definitions": element("<dl>" + "".join(f"<dt>term {n}</dt><dd>{words(40)}</dd>" for n in range(12)) + "</dl>"),
    "boxes in boxes": element("<div><div>" + "".join(f"<div><p>{words(50)}</p></div>" for _ in range(9)) + "</div></div>"),
    "inline markup": element(f"<p>{''.join(f'<em>{words(13)}</em> and <code>{n}</code>. ' for n in range(40))}</p>"),
    "many kinds": "".join(
        [
            element(f"<h3>One</h3><p>{words(90)}</p><h3>Two</h3><ul>{items(9)}</ul>"),
            code(9, 2),
            element("<pre>" + "out\n" * 8 + "</pre>", "text", 2),
            element(f"<p>{words(120)}</p>", cell=3),
        ]
    ),
}


@pytest.mark.parametrize("name", LONG)
def test_long_content_flows_on_and_no_word_is_lost(composed, name):
    slides, notices = composed(LONG[name], notes="Say this.")
    expected = re.sub(r"\s+", "", re.sub(r"<[^>]+>", "", LONG[name]))
    assert len(slides) > 1 and text_of(slides) == expected and not notices
    assert all(slide["notes"] == "Say this." for slide in slides)
    assert all(len(slide["text"].split()) > 3 or len(slide["text"]) > 100 for slide in slides), "no slide has a single line"


def test_a_slide_that_is_a_little_too_long_shrinks_instead(composed):
    sizes = []
    for count in range(100, 250, 10):
        slides, _ = composed(element(f"<p>{words(count)}</p>"))
        if len(slides) > 1:
            break
        sizes.append(slides[0]["prose"])
    assert sizes[0] == 27 and 22 <= sizes[-1] < 26
    lengths = [len(slide["text"]) for slide in slides]
    assert len(lengths) == 2 and min(lengths) > 0.35 * max(lengths), "the parts are of similar length"


def test_numbering_goes_on(composed):
    slides, _ = composed(element(f'<ol start="4">{items(30, words(20))}</ol>'))
    number = 4
    for slide in slides:
        assert slide["numbers"] == [[number, ""]]
        number += slide["text"].count("word0")
    assert number == 34
    slides, _ = composed(element(f"<ol><li>{words(500)}</li><li>next</li></ol>"))
    assert slides[1]["numbers"] == [[1, "none"]], "the rest of item 1 has no number of its own, and item 2 has number 2"
    slides, _ = composed(element(f"<ol><li>a</li><li>b<ol>{items(30, 'inner')}</ol></li><li>c</li></ol>"))
    inner = slides[0]["text"].count("inner")
    assert slides[1]["numbers"] == [[2, "none"], [inner + 1, ""]], "item 2 goes on without its number"


def test_the_longest_number_of_a_list_has_room(tab, composed):
    lists = [f'<ol start="95">{items(9)}</ol>', f"<ol reversed>{items(12)}</ol>", f'<ol><li value="1000">x</li>{items(1)}</ol>']
    composed(*map(element, [*lists, f"<ol>{items(9)}</ol>"]))
    pads = tab.evaluate("[...document.querySelectorAll('ol')].map((one) => parseFloat(one.style.paddingInlineStart || 0))")
    assert sorted(set(pads)) == [0, 2.05, 2.7, 3.35]


def test_a_table_repeats_its_head(composed):
    slides, _ = composed(table(50, 4))
    assert len(slides) > 2 and all(slide["text"].startswith("head0head1head2head3") for slide in slides)
    cells = "".join(f"{r}.{c}" for r in range(50) for c in range(4))
    assert "".join(slide["text"].partition("head3")[2] for slide in slides) == cells


def test_a_wide_table_is_divided_by_columns_and_repeats_the_first(composed):
    slides, _ = composed(table(5, 40, "value_"))
    whole = "".join(slide["text"] for slide in slides)
    assert all(f"value_{r}.{c}" in whole for r in range(5) for c in range(40))
    assert whole.count("value_3.0") == whole.count("head0") > 1 and whole.count("value_3.17") == 1


def test_a_cell_over_several_rows_goes_on(composed):
    cell = "<td rowspan=20>block</td>"
    body = "".join(f"<tr>{cell if n % 20 == 0 else ''}<td>row {n}</td></tr>" for n in range(40))
    slides, _ = composed(element(f"<table><tr><th>a</th><th>b</th></tr>{body}</table>", "table"))
    assert all("block" in slide["text"] and slide["text"].startswith("ab") for slide in slides)


def test_a_header_cell_that_reaches_into_the_rows_does_not_shift_those_of_the_next_slide(tab, composed):
    rows = "".join(f"<tr><td>{n}</td><td>{n}</td></tr>" for n in range(40))
    composed(element(f"<table><tr><th>A</th><th rowspan=2>B</th></tr><tr><td>a</td></tr>{rows}</table>", "table"))
    spans = tab.evaluate("[...document.querySelectorAll('th:last-child')].map((one) => one.rowSpan)")
    assert spans[0] == 2 and len(spans) > 2 and set(spans[1:]) == {1}


def test_a_row_that_is_taller_than_a_slide_is_divided(composed):
    row = f"<tr><td>left</td><td>{words(500)}</td><td>right</td></tr>"
    head = "<tr><th>a</th><th>b</th><th>c</th></tr><tr><td>1</td></tr>"
    slides, notices = composed(element(f"<table>{head}{row}</table>", "table"))
    assert len(slides) > 2 and not notices and "right" in slides[0]["text"] and "right" not in slides[1]["text"]
    assert all(f"word{n}" in "".join(slide["text"] for slide in slides) for n in range(500))


def test_code_stays_with_its_output_and_a_fragment_with_what_it_follows(composed):
    slides, _ = composed(
        element(f"<p>{words(130)}</p>"),
        code(5, 2),
        element("<pre>result\n</pre>", "text", 2),
        element("<p>Look here.</p>", cell=3, more="fragment"),
    )
    assert len(slides) == 2 and all(one in slides[1]["text"] for one in ("x0 = 0", "result", "Look here."))


def test_a_line_of_code_is_not_parted_from_the_long_table_that_it_shows(composed):
    slides, _ = composed(
        element(f"<p>{words(90)}</p>", cell=1), code(1, 2), table(30, 3).replace('data-cell="1"', 'data-cell="2"')
    )
    assert ("x0" in slides[0]["text"]) == ("0.0" in slides[0]["text"])
    assert any("x0" in slide["text"] and "head0" in slide["text"] for slide in slides)


def test_a_heading_stays_with_what_follows(composed):
    for count in range(60, 200, 20):
        slides, _ = composed(element(f"<p>{words(count)}</p><h3>Heading</h3><p>{words(60)}</p>"))
        assert not any(slide["text"].rstrip().endswith("Heading") for slide in slides)


@pytest.mark.parametrize("size", [(800, 600), (400, 1600), (3000, 300)])
def test_a_picture_takes_the_room_that_is_left_but_never_less_than_45_percent(composed, size):
    for count in (20, 90, 160):
        slides, _ = composed(element(f"<p>{words(count)}</p>"), picture(*size), element(f"<p>{words(20)}</p>"))
        [height] = [height for slide in slides for height in slide["pictures"]]
        widest = min(size[1] * 1171 / size[0], 0.45 * 720)
        assert height >= widest - 2 and text_of(slides) == re.sub(r"\s", "", words(count) + words(20))
        assert all(slide["prose"] > 26 for slide in slides), "text does not shrink because of a picture"


def test_a_picture_in_prose_is_scaled_as_well(composed):
    slides, _ = composed(element(f"<p>{words(60)}</p><p>{picture(900, 1400)}</p><p>{words(60)}</p>"))
    assert [height >= 323 for slide in slides for height in slide["pictures"]] == [True]


def test_what_does_not_fit_beside_each_other_stands_below_each_other(composed):
    def beside(lines):
        left, right = code(lines), picture(800, 600)
        return f'<div class="parts code-and-picture"><div class="part">{left}</div><div class="part">{right}</div></div>'

    [one], _ = composed(beside(8), kind="beside")
    assert "beside" in one["kind"]
    several, _ = composed(beside(60), kind="beside")
    assert len(several) > 2 and several[-1]["pictures"] and text_of(several) == "".join(f"x{n}={n}" for n in range(60))
    assert not any("beside" in slide["kind"] for slide in several)


def test_slides_are_divided_between_formulas(composed):
    formula = '<span class="math" data-display="true"><span style="display: block; height: 90px">y = f(x)</span></span>'
    slides, _ = composed(element(f"<p>So {formula * 14} holds.</p>"))
    assert len(slides) == 3 and all("y = f(x)" in slide["text"] for slide in slides)


def test_little_content_is_marked_and_a_film_stands_alone(composed):
    [one], _ = composed(element("<p>Hello</p>"))
    assert "sparse" in one["kind"]
    film = '<div class="element film" data-film="0" data-cell="4"></div>'
    slides, _ = composed(element(f"<p>{words(20)}</p>"), film, kind="film")
    assert len(slides) == 2 and not slides[1]["text"].strip()


def test_what_can_t_fit_is_a_notice(composed):
    _, notices = composed(element(f"<table><tr><td>{'x' * 400}</td><td>2</td></tr></table>", "table", cell=7))
    assert [notice["cell"] for notice in notices] == [7] and "wider than the slide" in notices[0]["words"]
    composed(element(f"<p>{'x' * 400} {words(30)}</p>"))


def test_a_narrow_strip_is_reported(composed):
    (notice,) = composed(picture(300, 2000))[1]
    assert notice["words"].startswith("a picture of 300 x 2000 pixels is high and narrow; it is shown at 29 % of its size")
    assert composed(picture(2000, 1400))[1] == []


def test_a_page_s_layout_in_html_is_not_cut(composed):
    scrolled = "".join(f"<p>line {n}</p>" for n in range(60))
    slides, _ = composed(
        element(f'<div style="height:200px;overflow:auto">{scrolled}</div>'),
        element(
            f'<div style="position:absolute;top:0">placed</div><div style="width:3000px;white-space:nowrap">{words(60)}</div>'
        ),
    )
    assert len(slides) > 3 and "line59" in text_of(slides)


def test_a_slide_that_overflows_with_other_fonts_shrinks_when_it_is_shown(tab, composed):
    composed(element(f"<p>{words(145)}</p>"))
    fits = """() => {
      const slide = document.querySelector("section"), body = slide.querySelector(".slide-body");
      slide.style.display = "block";
      body.style.lineHeight = "1.62";
      const before = body.scrollHeight > body.clientHeight + 1;
      refit(slide);
      return [before, body.scrollHeight > body.clientHeight + 1];
    }"""
    assert tab.evaluate(fits) == [True, False]


def test_what_the_script_does_not_foresee_stays_on_its_slide(tab, composed):
    tab.evaluate("Segmenter = Intl.Segmenter; Intl.Segmenter = null")
    body = f"<div class=slide-body>{LONG['a paragraph']}</div>"
    markup = f"<section><div class=slide-content><header class=slide-title></header>{body}</div></section>"
    tab.evaluate("markup => document.querySelector('.slides').innerHTML = markup", markup)
    [notice] = tab.evaluate("compose(document.querySelector('.slides'))")
    tab.evaluate("Intl.Segmenter = Segmenter; null")
    assert notice["cell"] == 1 and "could not be composed" in notice["words"]
    assert "word699" in tab.evaluate("document.querySelector('section').textContent")
