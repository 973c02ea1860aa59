# SPDX-License-Identifier: GPL-2.0-only
"""Convert the directives of Jupyter Book (MyST) and the callouts of Quarto to Markdown that any notebook shows.

They are admonitions (notes, warnings), figures, code and formulas. A notebook shows directives as code, without their names and
titles, and callouts as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

ADMONITIONS = {
    **dict.fromkeys(("note", "tip", "hint", "important", "seealso", "admonition"), "info"),
    **dict.fromkeys(("attention", "caution", "warning"), "warning"),
    **dict.fromkeys(("danger", "error"), "danger"),
}
"""Maps the names of admonitions to the kinds of Bootstrap's alerts, which notebooks know."""

CODE = ("code", "code-block", "code-cell", "sourcecode")
PICTURES = ("figure", "image")

_FENCE = re.compile(r"^(?P<indent> {0,3})(?P<mark>`{3,}|~{3,}|:{3,})[ \t]*(?P<rest>[^`\n]*)$")
_DIRECTIVE = re.compile(r"\{(?P<name>[a-z][\w-]*)\}[ \t]*(?P<title>.*)$")
_CALLOUT = re.compile(r"\{[^}]*\.callout-(?P<name>[a-z]+)(?P<rest>[^}]*)\}")
_OPTION = re.compile(r"^[ \t]*:(?P<name>[\w-]+):[ \t]*(?P<value>.*)$")
_HEADING = re.compile(r"^#{1,6}[ \t]+")
_ROLES = ((re.compile(r"\{math\}`([^`\n]+)`"), r"$\1$"), (re.compile(r"\{eq\}`([^`\n]+)`"), r"\\eqref{\1}"))
_BEGINS = re.compile(r"\{(?:[a-z]|[^}\n]*\.callout-)")


def without_directives(text: str) -> str:
    """Return Markdown with admonitions as ``<div class="alert">``, figures as pictures, and code and formulas as usual ones.

    What isn't known stays as it is. A text that has nothing of this kind is returned unchanged.
    """
    return "\n".join(_converted(text.split("\n"))) if _BEGINS.search(text) else text


def _converted(lines: list[str]) -> Iterator[str]:
    """Yield lines with their fenced blocks converted."""
    number = 0
    while number < len(lines):
        line = lines[number]
        fence = _FENCE.match(line)
        number += 1
        if fence is None:
            for role, formula in _ROLES:
                line = role.sub(formula, line)
            yield line
            continue
        end = _end(lines, number, fence["mark"])
        found = _block(fence["rest"].strip(), lines[number:end]) if end < len(lines) else None
        if found is not None:
            yield from found
        elif fence["mark"][0] == ":":
            yield line
            continue
        else:
            yield from lines[number - 1 : end + 1]
        number = end + 1


def _end(lines: list[str], start: int, mark: str) -> int:
    """Return the number of the line that ends a fenced block. Fences of colons may contain others of the same length."""
    depth = 1
    for number in range(start, len(lines)):
        fence = _FENCE.match(lines[number])
        if fence is None or fence["mark"][0] != mark[0]:
            continue
        if not fence["rest"].strip():
            if mark[0] != ":" and len(fence["mark"]) < len(mark):
                continue
            depth -= 1
        elif mark[0] == ":":
            depth += 1
        if not depth:
            return number
    return len(lines)


def _block(info: str, body: list[str]) -> list[str] | None:
    """Return the lines of a fenced block as Markdown, or None if it isn't known."""
    callout, directive = _CALLOUT.fullmatch(info), _DIRECTIVE.match(info)
    if callout is not None and callout["name"] in ADMONITIONS:
        title = re.search(r"title\s*=\s*\"([^\"]*)\"", callout["rest"])
        while body and not body[0].strip():
            body = body[1:]
        if title is None and body and _HEADING.match(body[0]):
            return _admonition(callout["name"], _HEADING.sub("", body[0]), body[1:])
        return _admonition(callout["name"], title[1] if title else "", body)
    if directive is None:
        return None
    name, title_, options = directive["name"], directive["title"].strip(), dict[str, str]()
    while body and (option := _OPTION.match(body[0])) and name not in ("code-cell",):
        options[option["name"]] = option["value"].strip()
        body = body[1:]
    if name in ADMONITIONS:
        return _admonition(name, title_, body)
    if name in PICTURES and title_:
        return ["", f"![{options.get('alt', '')}](<{title_.strip('<>')}>)", "", *_converted(body), ""]
    if name in CODE:
        return [f"````{title_}", *body, "````"]
    if name == "math":
        label = f"\\label{{{options['label']}}}" if options.get("label") else ""
        star = "" if label else "*"
        lines = [line for line in [title_, *body] if line.strip()]
        return ["", f"\\begin{{equation{star}}}{label}", *lines, f"\\end{{equation{star}}}", ""]
    return None


def _admonition(name: str, title: str, body: list[str]) -> list[str]:
    """Return an admonition. Headings in it are small: they begin no slide."""
    heading = title or ("" if name == "admonition" else {"seealso": "See also"}.get(name, name.capitalize()))
    inside = [_HEADING.sub("#### ", line) for line in _converted(body)]
    return [
        "",
        f'<div class="alert alert-{ADMONITIONS[name]}">',
        "",
        *([f"**{heading}**", ""] if heading else []),
        *inside,
        "",
        "</div>",
        "",
    ]
