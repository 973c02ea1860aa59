# SPDX-License-Identifier: GPL-2.0-only
"""What an audience has to get of a notebook, read without any code of the kit: sentences, items, formulas, rows, pictures.

`pieces` lists them in order. `missing` looks for them in what a browser shows of a deck.
"""

import base64
import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass

from bs4 import BeautifulSoup, Comment, NavigableString
from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

HIDDEN_CELL = {"remove-cell", "remove_cell", "no-slide", "navigation"}
HIDDEN_INPUT = {"remove-input", "remove_input", "hide-input"}
HIDDEN_OUTPUT = {"remove-output", "remove_output", "hide-output"}
DEFINITION = re.compile(r"\\(?:(?:re)?newcommand|def|DeclareMathOperator|let)\b")
BLOCKS = {"p", "li", "tr", "div", "h1", "h2", "h3", "h4", "h5", "h6", "caption", "summary", "figcaption", "dt", "dd", "pre"}
BLOCKS |= {"blockquote", "details", "center", "section", "table", "thead", "tbody", "ul", "ol", "body", "br"}

WIDE = 12
"""The number of cells beyond which a row of a table may be divided, so that its cells are looked for one by one."""


@dataclass(frozen=True)
class Piece:
    """``kind``: what it is. ``words``: without spaces; of a formula, its TeX in ⟦⟧; of a picture, its hash or its words."""

    cell: int
    kind: str
    words: str
    reported: bool = False


def squeezed(text):
    """A text without spaces and signs that nobody sees, for comparison."""
    return re.sub(r"[\s\u00ad\u200b-\u200f\u2060\ufeff]+", "", unicodedata.normalize("NFC", text))


def formula(tex):
    """A formula as it stands in squeezed text."""
    return f"⟦{squeezed(tex)}⟧"


def picture(content):
    """The name of a bitmap or a film, by its bytes."""
    return f"bytes:{hashlib.sha256(content).hexdigest()[:16]}"


def drawing(svg):
    """The name of an SVG picture, by its words."""
    return "svg:" + squeezed("".join(one.get_text() for one in BeautifulSoup(svg, "html.parser").find_all("text")))


def sentences(text):
    return [one for one in re.split(r"(?<=[.!?…。!?])\s+", text) if one.strip()]


def terminal(text):
    """Printed text as a terminal shows it, as lines."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    lines = []
    for row in text.split("\n"):
        line, place = [], 0
        for letter in row:
            if letter == "\r":
                place = 0
            elif letter == "\b":
                place = max(0, place - 1)
            else:
                line[place : place + 1] = [letter]
                place += 1
        lines.append("".join(line))
    return lines


class Reader:
    """Reads one notebook."""

    def __init__(self, path):
        self.folder = path.parent
        self.cells = json.loads(path.read_text("utf-8"))["cells"]
        self.sources = ["".join(cell["source"]) for cell in self.cells]
        self.parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
        self.parser.use(dollarmath_plugin, double_inline=True).use(amsmath_plugin)
        self.references = {}
        for source, cell in zip(self.sources, self.cells, strict=True):
            if cell["cell_type"] == "markdown":
                environment = {}
                self.parser.parse(source, environment)
                self.references |= environment.get("references", {})
        self.found, self.notes = [], []

    def read(self):
        """All pieces for the slides, and those for the notes."""
        for number, (source, cell) in enumerate(zip(self.sources, self.cells, strict=True), 1):
            metadata = cell["metadata"]
            kind, tags = metadata.get("slideshow", {}).get("slide_type"), set(metadata.get("tags", ()))
            self.cell, self.reported, self.attachments = number, bool(metadata.get("reported")), cell.get("attachments", {})
            if kind == "skip" or tags & HIDDEN_CELL:
                continue
            if kind == "notes":
                before, self.found = self.found, self.notes
                self.markdown(source)
                self.found = before
            elif cell["cell_type"] == "markdown":
                self.markdown_cell(source)
            elif "text/html" in (metadata.get("raw_mimetype"), metadata.get("format")):
                self.html(source)
            elif cell["cell_type"] == "raw":
                self.raw(source)
            else:
                self.code(source, [] if tags & HIDDEN_OUTPUT else cell["outputs"], shown=not tags & HIDDEN_INPUT)
        return self.found, self.notes

    def add(self, kind, words):
        if squeezed(words):
            self.found.append(Piece(self.cell, kind, squeezed(words), self.reported))

    # Cells

    def markdown_cell(self, source):
        comment = re.search(r"<!--\s*slide:(.*?)-->", source, re.DOTALL)
        if comment is None:
            return self.markdown(source)
        heading = re.search(r"^#+ .*$", source, re.MULTILINE)
        own = re.match(r"\s*#", comment[1])
        self.markdown(("" if own or not heading else f"{heading[0]}\n\n") + comment[1])
        return None

    def raw(self, source):
        head = re.fullmatch(r"\s*---\n(.*?)\n---\s*", source, re.DOTALL)
        if head and self.cell == 1:
            values = dict(re.findall(r"^(\w+): *(.+)$", head[1], re.MULTILINE))
            for name in ("title", "author"):
                self.add(name, values.get(name, ""))
        else:
            for line in source.splitlines():
                self.add("raw line", line)

    def code(self, source, outputs, shown):
        if shown:
            self.lines("line of code", source)
        streams = []
        for output in outputs:
            if output["output_type"] == "stream" and streams and streams[-1][0] == output["name"]:
                streams[-1][1] += "".join(output["text"])
            elif output["output_type"] == "stream":
                streams.append([output["name"], "".join(output["text"])])
            else:
                streams.append([None, output])
        for name, output in streams:
            if name:
                for line in terminal(output):
                    self.add("printed line", line)
            elif output["output_type"] == "error":
                self.add("error", output["ename"])
                self.lines("error", output["evalue"])
            else:
                self.data(
                    {kind: "".join(value) if isinstance(value, list) else value for kind, value in output["data"].items()}
                )

    def data(self, data):
        if "text/html" in data:
            self.html(data["text/html"])
        elif "text/markdown" in data:
            self.markdown(data["text/markdown"])
        elif "image/svg+xml" in data:
            self.found.append(Piece(self.cell, "picture", drawing(data["image/svg+xml"]), self.reported))
        elif "text/latex" in data:
            self.add("formula", formula(data["text/latex"].strip().strip("$")))
        elif "image/png" in data:
            self.found.append(Piece(self.cell, "picture", picture(base64.b64decode(data["image/png"])), self.reported))
        elif "application/json" in data:
            self.add("data", json.dumps(data["application/json"], ensure_ascii=False))
        elif other := next((kind for kind in data if kind != "text/plain"), None):
            self.found.append(Piece(self.cell, "live output", other, self.reported))
        else:
            self.lines("result", data["text/plain"])

    def lines(self, kind, text):
        for line in text.splitlines():
            self.add(kind, line)

    # Markdown

    def markdown(self, source):
        tokens = self.parser.parse(source, {"references": dict(self.references)})
        number, lists, row = "", [], None
        for token in tokens:
            if token.type == "ordered_list_open":
                lists.append(int(token.attrGet("start") or 1))
            elif token.type == "bullet_list_open":
                lists.append(None)
            elif token.type.endswith("_list_close"):
                lists.pop()
            elif token.type == "list_item_open":
                number = ""
                if lists[-1] is not None:
                    number, lists[-1] = f"{lists[-1]}.", lists[-1] + 1
            elif token.type == "tr_open":
                row = []
            elif token.type == "tr_close":
                self.add("row", "".join(row))
                row = None
            elif token.type == "inline":
                words = re.sub(r"^\[[ xX]\] ", "", self.inline(token))
                if row is not None:
                    row.append(words)
                    continue
                for n, one in enumerate(sentences(words)):
                    self.add("list item" if lists else "sentence", (number if not n else "") + one)
                number = ""
            elif token.type in ("fence", "code_block"):
                self.lines("line of a listing", token.content)
            elif token.type.startswith(("math_block", "amsmath")):
                if not DEFINITION.match(token.content.strip()):
                    self.add("formula", formula(token.content))
            elif token.type == "html_block":
                self.html(token.content)

    def inline(self, token):
        words = []
        for child in token.children:
            if child.type == "text":
                words.append(re.sub(r"\\(?:eq)?ref\{[^}]*\}", lambda found: formula(found[0]), child.content))
            elif child.type == "code_inline":
                words.append(child.content)
            elif child.type in ("softbreak", "hardbreak"):
                words.append("\n")
            elif child.type.startswith("math_inline"):
                if not DEFINITION.match(child.content.strip()):
                    words.append(formula(child.content))
            elif child.type == "image":
                self.image(child.attrGet("src"))
            elif child.type == "html_inline":
                for image in BeautifulSoup(child.content, "html.parser").find_all("img"):
                    self.image(image["src"])
        return "".join(words)

    def image(self, source):
        name = source.removeprefix("attachment:")
        if name in self.attachments:
            content = base64.b64decode(next(iter(self.attachments[name].values())))
        elif "//" not in source and (self.folder / source).is_file():
            content = (self.folder / source).read_bytes()
        else:
            self.found.append(Piece(self.cell, "picture", source, True))
            return
        self.found.append(Piece(self.cell, "picture", picture(content), self.reported))

    def html(self, markup):
        """The words of HTML, by rows of tables and other blocks."""
        soup = BeautifulSoup(markup, "html.parser")
        for tag in soup(["style", "script"]):
            tag.decompose()
        for tag in soup(["img", "video", "audio", "iframe"]):
            source = tag.get("src") or (tag.find("source") or {}).get("src")
            if source:
                self.image(source)
            tag.decompose()
        pieces = [[]]

        def walk(node, row):
            for child in node.children:
                if isinstance(child, NavigableString):
                    if not isinstance(child, Comment):
                        pieces[-1].append(str(child))
                    continue
                if child.name == "tr" and len(child.find_all(["td", "th"])) > WIDE:
                    for cell in child.find_all(["td", "th"]):
                        self.add("cell", cell.get_text())
                    continue
                begins = child.name in BLOCKS and not row
                if begins:
                    pieces.append([])
                walk(child, row or child.name == "tr")
                if begins:
                    pieces.append([])

        walk(soup, False)
        for words in pieces:
            for one in sentences("".join(words)):
                self.add("row or words of HTML", one)


@dataclass
class Shown:
    """What a browser shows of a deck: squeezed text of its slides in order, notes, pictures, and cells with a drawing."""

    text: str
    notes: str
    pictures: set
    drawn_cells: set


def missing(path, shown, notices):
    """The pieces of a notebook that are neither in ``shown`` nor, if they may be, named in ``notices`` (pairs cell, words)."""
    on_slides, in_notes = Reader(path).read()
    named = {cell for cell, _ in notices}
    lost, place = [], 0
    for piece in on_slides:
        if piece.reported and piece.cell in named:
            at = shown.text.find(piece.words, place)
            continue
        if piece.kind == "picture":
            if piece.words not in shown.pictures:
                lost.append(piece)
        elif piece.kind == "cell":
            if piece.words not in shown.text:
                lost.append(piece)
        elif piece.kind == "live output":
            if piece.cell not in shown.drawn_cells:
                lost.append(piece)
        else:
            at = shown.text.find(piece.words, place)
            if at >= 0:
                place = at + len(piece.words)
            else:
                lost.append(piece)
    return lost + [piece for piece in in_notes if piece.words not in shown.notes]
