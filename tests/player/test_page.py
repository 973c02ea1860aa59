# SPDX-License-Identifier: GPL-2.0-only
"""A film as HTML: its content, that no text of a film breaks out of its place, and reading the film back."""

import base64
import html.parser
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from importlib.resources import files

import pytest

from kvmmmu_lab.errors import InputError
from kvmmmu_lab.player.page import MODULES, as_script, film_html, film_page, read_film, script, still_svg, style, unpacked
from kvmmmu_lab.printable import printable

from . import films

SVG = "{http://www.w3.org/2000/svg}"


class Reader(html.parser.HTMLParser):
    """Collects elements, and the text of scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self.text, self.inside = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if self.inside[-1:] == ["script"]:
            self.scripts[-1] += data
        elif self.inside[-1:] != ["style"]:
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.mark.parametrize(
    "text", ["</script>", "<!-- <script>", "\u2028 \u2029", 'quote " and \\ backslash', "é ש \U0001f600", "\x00\x1f\x7f"]
)
def test_whatever_a_text_holds_it_stays_in_the_script(text):
    written = as_script({"words": text})
    assert not set("<\u2028\u2029") & set(written)
    assert json.loads(written) == {"words": text}


def test_the_parts_are_joined_to_one_module():
    text = script()
    assert not re.findall(r"^import\b|^\} from", text, re.MULTILINE)
    assert len(re.findall(r"^export default", text, re.MULTILINE)) == 1
    assert "export function mount(" in text
    names = re.findall(r"^(?:export )?(?:const|let|function|class) (\w+)", text, re.MULTILINE)
    assert len(names) == len(set(names)), "two parts use the same name"
    for end in ("</script", "<!--"):
        assert end not in text.lower()
    assert "</style" not in style().lower()


def test_nothing_comes_from_elsewhere():
    addresses = set(re.findall(r"https?://[^\s\"']+|url\([^)]*\)|@import|\bfetch\(|XMLHttpRequest", script() + style()))
    assert addresses <= {"http://www.w3.org/2000/svg", "url(#([^)", "url(#${prefix}${inner})"}


def test_parts_import_only_what_comes_before():
    for place, name in enumerate(MODULES):
        text = (files("kvmmmu_lab.player") / name).read_text("utf-8")
        imported = re.findall(r'^import \{[^}]*\} from "\./([\w.]+)";$', text, re.MULTILINE)
        assert set(imported) <= set(MODULES[:place]), name
        assert text.startswith("// SPDX-License-Identifier: GPL-2.0-only\n")
    assert style().startswith("/* SPDX-License-Identifier: GPL-2.0-only */\n")


def test_an_output_has_a_still_picture_the_steps_and_the_player():
    page = Reader(film_html(films.small()))
    (image,) = page.all("img")
    address = image["src"].removeprefix("data:image/svg+xml;base64,")
    assert base64.b64decode(address).decode() == still_svg(films.small())
    assert image["alt"].startswith("vm.access(0x5000): the last of 9 steps. The fault is handled.")
    assert len(page.all("li")) == 10
    assert any("[rmap_add(), mmu.c:315-346]" in text for text in page.text)
    data, start = page.all("script")
    assert data["type"] == "application/json" and start == {"type": "module"}
    assert json.loads(unpacked(json.loads(page.scripts[0])["packed"])) == {
        "options": {"step": 0, "theme": "auto"},
        "film": json.loads(json.dumps(films.small())),
    }
    assert page.scripts[1].count("mount(place, film, options)") == 1


def test_the_player_in_an_output_is_compressed_and_whole():
    (text,) = re.findall(r'text: "([^"]+)"', film_html(films.small()))
    player = json.loads(unpacked(text))
    for packed_text, whole, comment in ((player["script"], script(), "//"), (player["style"], style(), "/*")):
        assert len(packed_text) < len(whole) and not packed_text.startswith(comment)
        lines = [line.strip() for line in whole.splitlines()]
        kept = packed_text.splitlines()
        assert set(kept) <= set(lines) and not [line for line in kept if line != line.lstrip()]
        assert "".join(line for line in lines if line in set(kept)) == "".join(kept)
    assert len(text) < 0.4 * (len(script()) + len(style()))


def test_a_still_picture_may_be_given():
    page = Reader(film_html(films.small(), "<svg>mine</svg>"))
    assert page.all("img")[0]["src"].endswith(base64.b64encode(b"<svg>mine</svg>").decode())


def test_the_same_film_is_the_same_html_and_another_has_another_name():
    assert film_html(films.small()) == film_html(films.small()) and film_page(films.small()) == film_page(films.small())
    others = (film_html(films.small()), film_html(films.small(), step=1), film_html(films.large(4, 2, 2)))
    names = [Reader(page).all(tag)[0]["data-film"] for page in others for tag in ("div", "script")]
    assert names[::2] == names[1::2] and len(set(names)) == 3


@pytest.mark.parametrize("film", [films.small(), films.two_chapters(), films.hostile()], ids=["small", "two", "hostile"])
def test_a_film_is_read_out_of_html_as_it_was(film):
    markup = film_html(film, "<svg>mine</svg>", step=3, theme="dark")
    (still,) = re.findall(r'<div class="kvmmmu-film" data-film="\w+">(.*)</div>\n<script type="app', markup, re.DOTALL)
    page = film_page(film, "<svg>mine</svg>", step=3, theme="dark")
    around = f"<div><p>&amp; before &#8212; <br/>{markup}</div>{film_html(films.large(4, 2, 2))}"
    for text in (markup, page, around, f'<div class="kvmmmu-still-1">{markup}</div>'):
        found = read_film(text)
        assert found.data == json.loads(json.dumps(film))
        assert found.options == {"step": 3, "theme": "dark"}
        assert found.still == still


@pytest.mark.parametrize(
    "markup",
    [
        "",
        "<p>no film</p>",
        "<p>kvmmmu-film-data</p>",
        '<script type="application/json" class="kvmmmu-film-data">{"film": </script>',
        '<script type="application/json" class="kvmmmu-film-data">[]</script>',
        film_html({**films.small(), "version": 1}),
        film_html({**films.small(), "format": "another"}),
    ],
    ids=["nothing", "no film", "a word", "broken JSON", "other JSON", "another version", "another format"],
)
def test_where_no_playable_film_is_none_is_read(markup):
    assert read_film(markup) is None


def test_hostile_texts_make_no_elements():
    tame, hostile = Reader(film_page(films.small())), Reader(film_page(films.hostile()))
    assert len(hostile.all("script")) == len(tame.all("script")) == 3
    assert len(hostile.all("img")) == 1
    assert {name for name, _ in hostile.elements} <= {name for name, _ in tame.elements} | {"strong"}
    for words in films.HOSTILE:
        assert any(printable(words) in text for text in hostile.text)


def test_a_page_is_complete():
    page = Reader(film_page(films.small(), lang="de"))
    assert page.all("html") == [{"lang": "de"}]
    assert page.all("meta")[0] == {"charset": "utf-8"}
    assert page.all("meta")[1]["name"] == "viewport"
    assert page.all("meta")[2]["content"].startswith("default-src 'none'")
    assert page.text.count("vm.access(0x5000)") == 2  # title and heading
    assert not [one for _, one in page.elements if str(one.get("src", "data:")).startswith("http")]
    assert "SPDX-License-Identifier" in film_page(films.small())


def test_a_still_shows_its_step():
    for number in range(10):
        root = ET.fromstring(still_svg(films.small(), number))
        classes = {g.get("data-key"): g.get("class") for g in root.iter(f"{SVG}g") if g.get("data-key")}
        assert classes["s:252"].split()[2:] == (["absent"] if number < 5 else ["new"] if number == 5 else [])
        assert classes["s:252:5"] == ("row absent" if number < 5 else "row changed" if number == 7 else "row")
    texts = [text.text for text in ET.fromstring(still_svg(films.small())).iter(f"{SVG}text")]
    assert "1 entry" in texts
    assert root.find(f"{SVG}style").text == films.small()["css"]


def test_the_last_step_of_the_last_chapter_is_the_still():
    film = films.two_chapters()
    assert still_svg(film) == still_svg(film, 19)
    assert still_svg(film, 10) == still_svg(film, 0)
    assert "The host would have crashed" in film_html(film)


@pytest.mark.parametrize("step", [-1, 10])
def test_a_still_of_no_step_is_refused(step):
    with pytest.raises(InputError, match="from 0 to 9"):
        still_svg(films.small(), step)


def test_a_theme_that_nobody_knows_is_refused():
    with pytest.raises(InputError, match="auto, light or dark"):
        film_html(films.small(), theme="blue")


def test_the_rooms_modules_load_without_the_extra():
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('anywidget', 'traitlets', 'ipywidgets', 'IPython')));"
        "import kvmmmu_lab.player.page, kvmmmu_lab.player.widget as widget\n"
        "try:\n    widget.film_widget({'format': 'kvmmmu-lab film'})\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install anywidget" in done.stdout
