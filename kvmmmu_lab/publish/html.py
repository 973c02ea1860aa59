# SPDX-License-Identifier: GPL-2.0-only
"""Convert Markdown, HTML and SVG to self-contained HTML.

Pictures, films and sounds in the notebook's folder are embedded. Formulas become elements with their TeX, for `typesetting`.
Anything else that a browser would fetch or run is removed; a note in its place says what stood there, and so does a
notice. Links are kept.

HTML of a user can't change the rest of the page: it is balanced, and its style rules apply to nothing else.
"""

from __future__ import annotations

import functools
import hashlib
import html
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from ..printable import escaped_html, shortened
from .directives import without_directives
from .formulas import Formulas
from .media import NOWHERE, ON_THE_WEB, LeftOut, MediaFolder, data_text, pixels
from .notices import Say, ignore
from .pipe_tables import PIPE, with_even_rows
from .readable import readable, with_directions
from .svg_image import isolate_svgs

ATTACHMENT = "attachment:"

FETCHES_OR_RUNS = re.compile(
    r"//|<(?:script|link|meta|base)\b|@import|\burl\(|\b(?:src|href|data|poster|action|background)\s*=|\bon\w+\s*=",
    re.IGNORECASE,
)
"""Matches markup that may make a browser fetch or run something. Markup without a match is already self-contained."""

NAMESPACE = re.compile(r'xmlns(?::\w+)?="[^"]*"')
TAG = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*)(?:"[^"]*"|'[^']*'|[^'">])*?(/?)>""")
VOID_TAGS = ("area", "br", "col", "hr", "img", "input", "wbr")
CSS_SOURCE = re.compile(r"(@import[^;]*;?)|url\(\s*(['\"]?)(?!data:|#)[^)]*\)", re.IGNORECASE)
FRAME_OF_ANIMATION = re.compile(r"data:image/(?:png|jpeg|svg\+xml|webp);base64,[A-Za-z0-9+/=\s\\]+")
WHOLE_PAGE = re.compile(r"^(?::root|html|body)(?![\w\[.#:-])")
OF_THE_PAGE = re.compile(r"(?<![\w.#-])(?::root|html|body)(?![\w-])")
ATTRIBUTES = re.compile(r"\[[^\]]*\]")

REMOVED_TAGS = ("link", "meta", "base", "template")
UNWRAPPED_TAGS = ("html", "head", "body", "noscript")
FRAME_TAGS = ("iframe", "frame", "object", "embed", "applet", "portal")
RECORDING_TAGS = ("video", "audio")
PAGE_TAGS = ("section", "header", "footer", "main", "nav", "article", "form")
"""Tags that slides and pages use for their own parts, or that could lead away from them; they become ``div``."""

NEEDS_CARE = re.compile(
    f"<[!?]|<({'|'.join((*REMOVED_TAGS, *UNWRAPPED_TAGS, *FRAME_TAGS, *RECORDING_TAGS, *PAGE_TAGS, 'style', 'canvas'))})\\b",
    re.IGNORECASE,
)
"""Matches tags that are changed or removed."""

SEEN_TAGS = ("img", "svg", "video", "audio", "input", "button", "progress", "meter", "hr", "math", "select", "textarea")
"""Tags that show something without text. A canvas doesn't: it needs a script."""

ADDRESS_ATTRIBUTES = ("src", "href", "xlink:href", "data", "poster", "background", "action", "formaction")
OTHER_ATTRIBUTES = ("srcset", "srcdoc", "ping", "autofocus", "autoplay")
"""Attributes that are always removed."""

MAX_ROWS = 500
"""The maximum number of rows of a table; of a longer one, the first and the last rows are shown."""

LAST_ROWS = 20

PLAYERS = (
    (re.compile(r"(?:https?:)?//(?:www\.)?youtube(?:-nocookie)?\.com/embed/([\w-]+)"), "https://www.youtube.com/watch?v={0}"),
    (re.compile(r"(?:https?:)?//player\.vimeo\.com/video/(\d+)"), "https://vimeo.com/{0}"),
)
"""Maps the addresses of players on the web to those of their pages."""

DIAGRAM = '<pre class="mermaid"'
"""The beginning of a Mermaid diagram's markup."""

Definitions = dict[str, dict[str, Any]]
"""The definitions of links and of footnotes in Markdown, as mistune keeps them."""


# Markdown


def markdown_html(
    text: str,
    media: MediaFolder = NOWHERE,
    attachments: Mapping[str, Mapping[str, str]] | None = None,
    say: Say = ignore,
    definitions: Definitions | None = None,
) -> str:
    """Convert Markdown to self-contained HTML. ``media`` contains the pictures; ``attachments`` belong to the cell.

    ``say`` takes notices about what is left out. ``definitions`` are those that the text may use.
    """
    formulas = Formulas()
    source = with_even_rows(formulas.extract(without_directives(readable(text.expandtabs(4)))))
    renderer = _renderer_class()(media, attachments or {}, say, f"{_digest(source)}-")
    parser = _parser(renderer)
    state = parser.block.state_cls()
    for kind, found in (definitions or {}).items():
        state.env[kind] = {key: formulas.extract(text) if isinstance(text, str) else text for key, text in found.items()}
    markup = str(parser.parse(source, state)[0]).replace(PIPE, "|")
    if renderer.has_html or FETCHES_OR_RUNS.search(markup):
        markup = self_contained(markup, media, say)
    return formulas.insert(with_directions(markup))


def definitions(text: str) -> Definitions:
    """Return the definitions of links and footnotes in a text."""
    if "]:" not in text:
        return {}
    parser = _parser(_renderer_class()(NOWHERE, {}, ignore, ""))
    state = parser.block.state_cls()
    state.process(f"{readable(text.expandtabs(4))}\n")
    parser.block.parse(state)
    return {kind: dict(state.env.get(kind) or {}) for kind in ("ref_links", "ref_footnotes")}


def _parser(renderer: Any) -> Any:
    """Return a parser without nbconvert's rules for formulas, since `Formulas` finds them.

    Unlike nbconvert's, it finds tables in list items and in block quotes, as notebooks do.
    """
    from mistune import Markdown, import_plugin
    from nbconvert.filters.markdown_mistune import MarkdownWithMath

    tables = (f"mistune.plugins.table.table_in_{place}" for place in ("list", "quote"))
    plugins = (*MarkdownWithMath.DEFAULT_PLUGINS, "footnotes", *tables)
    return Markdown(renderer=renderer, plugins=[import_plugin(name) for name in plugins])


@functools.cache
def _renderer_class() -> Any:
    """Return the class that renders Markdown. It is defined in a function because nbconvert is slow to import."""
    from mistune import HTMLRenderer
    from nbconvert.filters.markdown_mistune import IPythonRenderer
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    class MarkdownRenderer(IPythonRenderer):
        """nbconvert's renderer, extended to embed pictures. ``prefix`` is that of ids."""

        def __init__(self, media: MediaFolder, attachments: Mapping[str, Mapping[str, str]], say: Say, prefix: str) -> None:
            super().__init__(escape=False, exclude_anchor_links=True)
            self.media, self.attached, self.say, self.prefix = media, attachments, say, prefix
            self.has_html = False

        def image(self, text: str, url: str, title: str | None = None) -> str:
            """Embed a picture from the notebook's folder or from the cell's attachments, or insert a placeholder."""
            alt = html.unescape(re.sub(r"<[^>]*>", "", text))
            try:
                if url.startswith(ATTACHMENT):
                    address = self.attachment(unquote(url.removeprefix(ATTACHMENT)))
                elif self.media.kind(url).startswith(("video/", "audio/")):
                    return _player(self.media.kind(url), self.media.recording(url), alt)
                else:
                    address = self.media.picture(url, self.say)
            except LeftOut as reason:
                return left_out("a picture", alt, url.removeprefix(ATTACHMENT), str(reason), self.say)
            return str(HTMLRenderer.image(self, text, address, title))

        def attachment(self, name: str) -> str:
            """Return an attachment of the cell as a data URL."""
            found = self.attached.get(name)
            if not found:
                raise LeftOut("the cell has no such attachment")
            kind = next((kind for kind in ("image/svg+xml", "image/png", "image/jpeg") if kind in found), next(iter(found)))
            return f"data:{kind};base64,{''.join(found[kind])}"

        def block_html(self, html: str) -> str:
            self.has_html = True
            return str(super().block_html(self.with_attachments(html)))

        def inline_html(self, html: str) -> str:
            self.has_html = True
            return str(super().inline_html(self.with_attachments(html)))

        def with_attachments(self, markup: str) -> str:
            """Embed the attachments in HTML whose names are known; `clean` says which aren't."""

            def embed(found: re.Match[str]) -> str:
                name = unquote(html.unescape(found[2]))
                return f"{found[1]}{self.attachment(name)}" if self.attached.get(name) else found[0]

            return re.sub(rf"""(\bsrc\s*=\s*["']?){ATTACHMENT}([^"'>]+)""", embed, markup)

        def block_quote(self, text: str) -> str:
            """Convert a quotation. GitHub's ``[!NOTE]`` becomes a word in bold."""
            named = re.sub(
                r"^\s*<p>\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]\s*",
                lambda found: f"<p><strong>{found[1].capitalize()}.</strong> ",
                text,
            )
            return str(super().block_quote(named))

        def block_code(self, code: str, info: str | None = None) -> str:
            """Colour code whose language is known."""
            language = re.sub(r"^\W+|\W+$", "", (info or "").split()[0]) if info and info.split() else ""
            if language == "mermaid":
                return f'<div class="jp-Mermaid">{DIAGRAM}>\n{escaped_html(code.strip())}\n</pre></div>\n'
            try:
                return str(highlight(code, get_lexer_by_name(language), HtmlFormatter())) if language else self.plain_code(code)
            except ClassNotFound:
                return self.plain_code(code)

        def plain_code(self, code: str) -> str:
            return str(HTMLRenderer.block_code(self, code))

        def footnote_ref(self, key: str, index: int) -> str:
            return f'<sup class="footnote-ref"><a href="#fn-{self.prefix}{index}">{index}</a></sup>'

        def footnotes(self, text: str) -> str:
            return f'<ol class="footnotes">\n{text}</ol>\n'

        def footnote_item(self, text: str, key: str, index: int) -> str:
            return f'<li id="fn-{self.prefix}{index}">{text.strip()}</li>\n'

    return MarkdownRenderer


# Links

LINK_TAG = re.compile(r"<a\b([^>]*)>(.*?)</a>", re.DOTALL | re.IGNORECASE)
LINK_ADDRESS = re.compile(r"""(?<![\w-])href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)


def with_links(markup: str, link: Callable[[str], str | None]) -> str:
    """Redirect each link to a file; keep links to the web and links within the page.

    ``link`` maps the address of a file to a new address. If it returns None, the link is removed and its text is kept.
    """

    def redirect(found: re.Match[str]) -> str:
        attribute = LINK_ADDRESS.search(found[1])
        address = html.unescape(next(filter(None, attribute.groups()), "")) if attribute else ""
        if attribute is None or not address or re.match(r"(?:[a-z][a-z0-9+.-]*:|//|#)", address, re.IGNORECASE):
            return found[0]
        target = link(address)
        if target is None:
            return found[2]
        rest = LINK_ADDRESS.sub("", found[1]).strip()
        return f'<a href="{escaped_html(target)}"{f" {rest}" if rest else ""}>{found[2]}</a>'

    return LINK_TAG.sub(redirect, markup)


# HTML


@dataclass(frozen=True)
class CleanHtml:
    """HTML after `clean`. ``kind`` is "picture", "table" or "", ``scripts`` the number of scripts that were removed.

    ``visible``: whether it shows anything. ``styled``: whether it has style rules.
    """

    html: str
    kind: str = ""
    scripts: int = 0
    visible: bool = True
    styled: bool = False


def self_contained(markup: str, media: MediaFolder = NOWHERE, say: Say = ignore) -> str:
    """Embed pictures, films and sounds, and remove everything else that a browser would fetch or run, except links.

    The tags of the result are balanced, and its style rules apply only to it. SVG whose ids could clash with others on the
    page becomes an image. ``say`` takes notices about what is left out.
    """
    return clean(markup, media, say).html


def clean(markup: str, media: MediaFolder = NOWHERE, say: Say = ignore) -> CleanHtml:
    """Make HTML self-contained, like `self_contained`, and return also what it consists of."""
    markup = isolate_svgs(markup)
    return _clean_already(markup) or _Cleaner(markup, media, say).clean()


def _clean_already(markup: str) -> CleanHtml | None:
    """Return HTML that is found to be self-contained without being parsed, such as a drawing; otherwise None."""
    drawing, table = "<svg" in markup, "<table" in markup
    if (drawing and table) or FETCHES_OR_RUNS.search(NAMESPACE.sub("", markup)) or NEEDS_CARE.search(markup):
        return None
    stack = list[str]()
    for end, name, closed in TAG.findall(markup):
        if end and (not stack or stack.pop() != name.lower()):
            return None
        if not end and not closed and name.lower() not in VOID_TAGS:
            stack.append(name.lower())
    if stack or markup.count("<tr") > MAX_ROWS:
        return None
    visible = bool(TAG.sub("", markup).strip()) or any(f"<{name}" in markup for name in SEEN_TAGS)
    return CleanHtml(markup, "picture" if drawing else "table" if table else "", visible=visible)


class _Cleaner:
    """Makes one piece of HTML self-contained."""

    def __init__(self, markup: str, media: MediaFolder, say: Say) -> None:
        self.soup = _parsed(markup)
        self.markup, self.media, self.say = markup, media, say

    def clean(self) -> CleanHtml:
        """Clean all, and return the result."""
        scripts = self.remove_scripts()
        self.remove_parts_of_pages()
        for tag in self.soup.find_all(FRAME_TAGS):
            if not tag.decomposed:
                self.replace_frame(tag)
        for tag in self.soup.find_all(RECORDING_TAGS):
            self.embed_recording(tag)
        for tag in self.soup.find_all(True):
            if not tag.decomposed:
                self.clean_tag(tag)
        for table in self.soup.find_all("table"):
            self.shorten(table)
        self.rename_ids()
        visible, kind = self.visible(), self.kind()
        return CleanHtml(self.with_own_styles(), kind, scripts, visible, self.soup.find("style") is not None)

    def remove_scripts(self) -> int:
        """Remove the scripts, and return their number. Of an animation that a script shows, one frame remains."""
        scripts = [tag for tag in self.soup.find_all("script") if not re.search("json|text/x-", str(tag.get("type", "")))]
        for tag in scripts:
            frames = FRAME_OF_ANIMATION.findall(tag.get_text())
            box = self.soup.find(class_="animation")
            if frames and box is not None:
                image = self.soup.new_tag("img", src=pixels(frames[-1]), alt="the last frame of an animation")
                box.replace_with(image)
                self.say("of an animation, the last frame is shown: scripts don't run here")
                scripts = []
        for tag in self.soup.find_all("script"):
            tag.decompose()
        return len(scripts)

    def remove_parts_of_pages(self) -> None:
        """Remove what isn't content, and rename tags that have a meaning on the page."""
        from bs4.element import PreformattedString

        for text in self.soup.find_all(string=lambda text: isinstance(text, PreformattedString)):
            text.extract()  # comments, and declarations
        for tag in self.soup.find_all(REMOVED_TAGS):
            if tag.name == "link" and "stylesheet" in (tag.get("rel") or ()):
                self.say(f"the style sheet {tag.get('href', '')} is left out: nothing is fetched")
            tag.decompose()
        for tag in self.soup.find_all("title"):
            if tag.find_parent("svg") is None:
                tag.decompose()
        for tag in self.soup.find_all(UNWRAPPED_TAGS):
            tag.unwrap()
        for tag in self.soup.find_all(PAGE_TAGS):
            tag.name = "div"

    def replace_frame(self, tag: Any) -> None:
        """Replace an embedded page: a picture or a film is embedded, another page becomes a note."""
        address, title = str(tag.get("src") or tag.get("data") or ""), str(tag.get("title") or "")
        kind = self.media.kind(address) or str(tag.get("type", ""))
        if kind.startswith("image/") and not self.is_on_the_web(address):
            tag.replace_with(self.soup.new_tag("img", src=address, alt=title))
            return
        if kind.startswith(("video/", "audio/")) and not self.is_on_the_web(address):
            tag.replace_with(self.soup.new_tag(kind.partition("/")[0], src=address, controls=""))
            return
        for pattern, page in PLAYERS:
            found = pattern.match(address)
            if found is not None:
                self.replace(tag, left_out("a video", title, page.format(found[1]), ON_THE_WEB, self.say))
                return
        inner = str(tag.get("srcdoc") or "")
        if address.startswith("data:text/html"):
            inner, address = data_text(address), ""
        what, reason = "an embedded page", "a page can't be put into another one"
        if self.is_on_the_web(address):
            reason = ON_THE_WEB
        elif "<script" in inner:
            what = "an interactive map" if re.search(r"leaflet|\bL\.map\b", inner) else "an interactive page"
            reason = "scripts don't run here"
            tag = self.without_advice(tag)
        elif kind == "application/pdf":
            what = "a PDF document"
        self.replace(tag, left_out(what, title, "" if address.startswith("data:") else address, reason, self.say))

    def without_advice(self, tag: Any) -> Any:
        """Return the outermost element around a frame that contains nothing else but folium's words about trust."""
        while tag.parent is not None and tag.parent.name == "div":
            words = "".join(text for text in tag.parent.find_all(string=True) if text.find_parent("iframe") is None)
            alone = len(tag.parent.find_all((*SEEN_TAGS, *FRAME_TAGS, "table"))) <= 1
            if not alone or (words.strip() and not words.strip().startswith("Make this Notebook Trusted")):
                break
            tag = tag.parent
        return tag

    def embed_recording(self, tag: Any) -> None:
        """Embed a film or a sound, with controls. Use the first of its sources that can be embedded."""
        addresses = [str(one.get("src")) for one in (tag, *tag.find_all("source")) if one.get("src")]
        reason = "it has no source"
        for address in addresses:
            try:
                tag["src"] = self.media.recording(address)
                break
            except LeftOut as problem:
                reason = str(problem)
        else:
            shown = next((address for address in addresses if not address.startswith("data:")), "")
            what = "a video" if tag.name == "video" else "a sound"
            self.replace(tag, left_out(what, str(tag.get("title") or ""), shown, reason, self.say))
            return
        for one in tag.find_all(("source", "track")):
            one.decompose()
        tag["controls"] = ""
        if tag.get("poster"):
            try:
                tag["poster"] = self.media.picture(str(tag["poster"]), self.say)
            except LeftOut:
                del tag["poster"]

    def clean_tag(self, tag: Any) -> None:
        """Embed the picture of an ``img``, and remove attributes that make a browser fetch or run something."""
        if tag.name == "img" or (tag.name == "image" and tag.find_parent("svg")):
            name = "src" if tag.name == "img" else "href" if tag.get("href") else "xlink:href"
            try:
                if not str(tag.get(name, "")).startswith("#"):
                    tag[name] = self.media.picture(str(tag.get(name, "")), self.say)
            except LeftOut as reason:
                note = left_out("a picture", str(tag.get("alt", "")), str(tag.get(name, "")), str(reason), self.say)
                if tag.name == "img":
                    self.replace(tag, note)
                    return
        if tag.name == "style":
            tag.string = _tamed(str(tag.string or ""))
        for name in list(tag.attrs):
            value = str(tag[name]).strip()
            fetches = name in ADDRESS_ATTRIBUTES and not value.startswith(("#", "data:")) and not self.is_link(tag, name, value)
            if fetches or name.startswith("on") or name in OTHER_ATTRIBUTES:
                del tag[name]
            elif name == "style":
                tag[name] = _tamed(value)

    def rename_ids(self) -> None:
        """Give the ids in drawings that can't be images names of their own, and what refers to them in the same HTML."""
        names = {str(tag["id"]) for svg in self.soup.find_all("svg") for tag in (svg, *svg.find_all(id=True)) if tag.get("id")}
        if not names:
            return
        ending = f"-{_digest(self.markup)}"
        reference = re.compile(rf"#({'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})(?![\w-])")
        for tag in self.soup.find_all(True):
            for name, value in tag.attrs.items():
                if isinstance(value, str) and "#" in value and not value.startswith("data:"):
                    tag[name] = reference.sub(rf"#\1{ending}", value)
                elif name in ("id", "aria-labelledby", "aria-describedby") and str(value) in names:
                    tag[name] = f"{value}{ending}"
            if tag.name == "style":
                tag.string = reference.sub(rf"#\1{ending}", str(tag.string or ""))

    def shorten(self, table: Any) -> None:
        """Shorten a very long table, with a row that says how many rows are left out there."""
        rows = [row for row in table.find_all("tr") if row.find_parent("table") is table]
        if len(rows) <= MAX_ROWS:
            return
        gone = rows[MAX_ROWS - LAST_ROWS : -LAST_ROWS]
        columns = max(len(row.find_all(("td", "th"), recursive=False)) for row in rows)
        note = self.soup.new_tag("tr")
        cell = self.soup.new_tag("td", colspan=str(columns), attrs={"class": "left-out"})
        cell.string = f"({len(gone):,} more rows are left out)"
        note.append(cell)
        gone[0].insert_before(note)
        for row in gone:
            row.decompose()
        self.say(f"{len(gone):,} rows of a table are left out: it has {len(rows):,}, and the limit is {MAX_ROWS}")

    def visible(self) -> bool:
        """Return whether there is anything to see."""
        if self.soup.find(SEEN_TAGS) is not None:
            return True
        return any(text.strip() and text.find_parent("style") is None for text in self.soup.find_all(string=True))

    def kind(self) -> str:
        """Return "picture" if there is a picture outside tables, "table" if there is a table, and otherwise ""."""
        pictures = self.soup.find_all(("svg", "img", "video"))
        if any(picture.find_parent("table") is None for picture in pictures):
            return "picture"
        return "table" if self.soup.find("table") is not None else "picture" if pictures else ""

    def with_own_styles(self) -> str:
        """Return the HTML. If it has style rules, it is in a ``div`` of a class of its own, to which the rules are limited."""
        styles = [tag for tag in self.soup.find_all("style") if (tag.string or "").strip()]
        if not styles:
            return str(self.soup)
        name = f"style-{_digest(self.markup)}"
        for tag in styles:
            tag.string = _limited(str(tag.string), name)
            tag.attrs = {}
        return f'<div class="{name}">{self.soup}</div>'

    def replace(self, tag: Any, markup: str) -> None:
        tag.replace_with(_parsed(markup))

    @staticmethod
    def is_link(tag: Any, name: str, value: str) -> bool:
        """Return whether an attribute is a link, which fetches nothing until it is clicked."""
        scheme = re.sub(r"[\x00-\x20]", "", value).partition(":")[0].lower()  # browsers ignore such characters there
        return tag.name in ("a", "area") and name == "href" and scheme not in ("javascript", "vbscript")

    @staticmethod
    def is_on_the_web(address: str) -> bool:
        return re.match(r"(?:https?:)?//", address) is not None


def _parsed(markup: str) -> Any:
    import bs4

    with warnings.catch_warnings():  # a text may look like the name of a file, and like XML
        warnings.simplefilter("ignore", bs4.MarkupResemblesLocatorWarning)
        warnings.simplefilter("ignore", bs4.XMLParsedAsHTMLWarning)
        return bs4.BeautifulSoup(markup, "html.parser")


def _tamed(css: str) -> str:
    """Return style rules or declarations that fetch nothing, and place nothing on the screen instead of in its output."""
    css = CSS_SOURCE.sub(lambda found: "" if found[1] else "none", css)
    return re.sub(r"\bposition\s*:\s*(?:fixed|sticky)", "position: absolute", css, flags=re.IGNORECASE)


def _limited(css: str, name: str) -> str:
    """Limit style rules to the elements in one of a class, by nesting. Rules for the whole page apply to that element."""
    import tinycss2

    inside, outside = list[str](), list[str]()
    for rule in tinycss2.parse_stylesheet(css.replace("<!--", "").replace("-->", ""), skip_comments=True, skip_whitespace=True):
        if rule.type == "qualified-rule":
            own = ", ".join(map(_limited_selector, _selectors(rule.prelude)))
            inside.append(f"{own} {{{tinycss2.serialize(rule.content)}}}")
        elif rule.type == "at-rule" and rule.content is not None:
            nested = rule.lower_at_keyword in ("media", "supports", "container", "layer")
            (inside if nested else outside).append(rule.serialize())
    own = " ".join(inside).replace("</", "<\\/")
    return f"{' '.join(outside)} .{name} {{ {own} }}".strip()


def _selectors(prelude: list[Any]) -> list[tuple[str, str]]:
    """Return the selectors of a rule, each as what it says about its first element, and the rest."""
    import tinycss2

    found = [("", "")]
    for token in prelude:
        (first, rest), words = found[-1], tinycss2.serialize([token])
        if token == ",":
            found.append(("", ""))
        elif rest or (first and (token.type == "whitespace" or token in (">", "+", "~"))):
            found[-1] = (first, rest + words)
        else:
            found[-1] = (first + words.strip(), "")
    return found


def _limited_selector(selector: tuple[str, str]) -> str:
    """Return a selector for use in a nested rule. A condition on the page, such as its theme, stays one on the page."""
    first, rest = selector
    if OF_THE_PAGE.search(ATTRIBUTES.sub("", first)) and not WHOLE_PAGE.fullmatch(first):
        return f"{first} &{rest}".rstrip()
    return WHOLE_PAGE.sub("&", f"{first}{rest}".strip())


# Notes


def left_out(what: str, alt: str, address: str, reason: str, say: Say) -> str:
    """Say that something is left out; return a note in its place, with a link to it if it is on the web.

    ``what`` is a noun with its article, ``alt`` describes the thing, and ``reason`` is a sentence without its full stop.
    """
    noun = re.sub(r"^an? ", "the ", what)
    name = f" {shortened(address, 100)}" if address else f" “{shortened(alt, 100)}”" if alt else ""
    say(f"{noun}{name} is left out: {reason}")
    shown = escaped_html(shortened(address, 200))
    if re.match(r"(?:https?:)?//", address):
        url = escaped_html(address if address.startswith("http") else f"https:{address}")
        shown = f'<a href="{url}">{shown}</a>'
    described = escaped_html(f"{what}, {alt}," if alt else what)
    return f'<span class="left-out">({described} is left out{f": {shown}" if shown else ""})</span>'


def _player(kind: str, address: str, alt: str) -> str:
    """Return the element that plays a film or a sound."""
    name = kind.partition("/")[0]
    return f'<{name} controls src="{address}" title="{escaped_html(alt)}"></{name}>'


def _digest(text: str) -> str:
    """Return a name for a text, so that what belongs to it can have ids and classes of its own."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
