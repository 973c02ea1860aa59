# SPDX-License-Identifier: GPL-2.0-only
"""Tables of Markdown whose rows don't all have as many cells as the head.

Notebooks fill short rows and drop what is too much. The parser takes such a table for text; so its rows get their cells here,
and what is too much stays in the last one.
"""

from __future__ import annotations

import re

PIPE = "\ue0f2"
"""Stands for a bar that divides no cells, until the text is HTML."""

_DELIMITERS = re.compile(r"^\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_BAR = re.compile(r"(?<!\\)\|")
_CODE = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)")
_MARK = re.compile(r"(?:[-*+]|\d{1,9}[.)]) +")
_FENCE = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)*(`{3,}|~{3,})")


def with_even_rows(text: str) -> str:
    """Return Markdown in which each row of a table has as many cells as the table's head.

    The table may be in an item of a list or in a block quote.
    """
    if "|" not in text:
        return text
    lines = text.split("\n")
    columns, edge, fence, head = 0, 0, "", ""
    items = list[int]()  # the columns at which the text of the list items around a line begins
    for number, line in enumerate(lines):
        body = line.lstrip(" >")
        lead = line[: len(line) - len(body)]
        if found := _FENCE.match(line):
            fence = "" if fence and found[1].startswith(fence) else fence or found[1]
            columns = 0
        elif fence:
            continue
        elif columns and "|" in body and len(lead) >= edge:
            lines[number] = lead + _even(body, columns)
            continue
        if body:
            items = [item for item in items if item <= len(lead)]
        quote = min(lead.rfind(">") + 2, len(lead)) if ">" in lead else 0
        edge = max(quote, *items) if items else quote
        indented_code = len(lead) - edge > 3
        if "|" in body and "|" in head and _DELIMITERS.match(body) and not indented_code:
            cells = len(_cells(body))
            columns, head = cells if cells == len(_cells(head)) else 0, ""
            continue
        columns, head = 0, body
        while not indented_code and (mark := _MARK.match(head)):
            items.append(len(line) - len(head) + mark.end())
            head = head[mark.end() :]
    return "\n".join(lines)


def _cells(line: str) -> list[str]:
    return _BAR.split(re.sub(r"(?<!\\)\|$", "", line.strip().removeprefix("|")))


def _even(line: str, columns: int) -> str:
    """Return a row with a number of cells."""
    line = _CODE.sub(lambda code: code[0].replace("\\|", PIPE), line)
    if len(_cells(line)) > columns:
        line = _CODE.sub(lambda code: code[0].replace("|", PIPE), line)
    cells = _cells(line)
    if len(cells) == columns:
        return line
    has_border = line.strip().startswith("|")
    first, rest = cells[: columns - 1], cells[columns - 1 :]
    cells = [*first, PIPE.join(rest), *[" "] * (columns - len(first) - 1)]
    return f"| {' | '.join(cells)} |" if has_border else " | ".join(cells)
