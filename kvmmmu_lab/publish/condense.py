# SPDX-License-Identifier: GPL-2.0-only
"""What of a text goes on a slide: its heading and the sentences that carry it, or what its author says. All of it is what the
speaker says."""

from __future__ import annotations

import ast
import itertools
import re

# FOLDED IN: publish.questions: What of a cell's code stays on a slide that shows the question of a prediction in
# large letters.


def beside_question(source: str) -> str:
    """A cell's code without what asks: the question will be there in large letters. ``x = predict(...)``, ``x``, and names that
    only this needs."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:  # such as one with a magic command
        return source.strip()
    asks = [one for one in statements if "predict" in _called(one)]
    asked = {name for one in asks for name in _names(one, ast.Store)}
    asks += [one for one in statements if _is_name(one) and _names(one, ast.Load) <= asked]
    rest = [one for one in statements if one not in asks]
    needed = {name for one in rest if not _is_literal(one) for name in _names(one, ast.Load)}
    only_asked = {name for one in asks for name in _names(one, ast.Load)} - needed
    rest = [one for one in rest if not (_is_literal(one) and _names(one, ast.Store) <= only_asked)]
    gone = _lines(statements) - _lines(rest)
    return "\n".join(line for number, line in enumerate(source.splitlines(), 1) if number not in gone).strip()


def _is_name(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Name)


def _is_literal(statement: ast.stmt) -> bool:
    """Whether a statement only gives a name to a value that is written out there."""
    try:
        return isinstance(statement, ast.Assign | ast.AugAssign) and ast.literal_eval(statement.value) is not Ellipsis
    except ValueError:
        return False


def _lines(statements: list[ast.stmt]) -> set[int]:
    return {number for one in statements for number in range(one.lineno, (one.end_lineno or one.lineno) + 1)}


def _names(tree: ast.AST, use: type[ast.expr_context]) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, use)}


def _called(tree: ast.AST) -> set[str]:
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


WORDS = 40
"""So many words of prose stand on a slide, beside its picture."""

LINES = 14
"""So many lines of a table or a piece of code."""

HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
MARKED = re.compile(r"<!--\s*slide:(.*?)-->", re.DOTALL)
"""What an author wants on the slide instead."""

COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
FENCE = re.compile(r" {0,3}(```|~~~)")
END = re.compile(r"(?<!e\.g)(?<!i\.e)[.!?][\"')*_]*\s+(?=[\"'(*_`\[]*[A-Z0-9`])")
ITEM = re.compile(r"^ {0,3}(?:[-*+]|\d+[.)]) +", re.MULTILINE)
VISUAL = re.compile(r"^(?:```|~~~|\||    |!\[|<)")


def words(text: str) -> int:
    """How many words a reader sees."""
    return len(re.sub(r"\]\([^)]*\)|[*_`#|]", " ", COMMENT.sub("", text)).split())


def parted(text: str) -> tuple[str, int, str]:
    """The first heading of a cell's text, its level (0: none), and what follows, without comments."""
    text = COMMENT.sub("", text).strip()
    found = HEADING.match(text)
    if found is None:
        return "", 0, text
    return found[1], len(text) - len(text.lstrip("#")), text[found.end() :].strip()


def marked(text: str) -> str | None:
    """What the author wants on the slide: ``<!-- slide: ... -->`` in a cell, which a notebook doesn't show; None without it."""
    found = MARKED.search(text)
    return None if found is None else found[1].strip()


def gist(text: str, limit: int = WORDS) -> str:
    """The sentences of a text (Markdown, without its heading) that fit: those with something in bold, then questions, then
    first sentences, then others. Tables, code and pictures stay; of a list, as much as fits. A text that fits stays whole."""
    if words(text) <= limit:
        return text
    left, kept = limit, dict[tuple[int, int], str]()
    blocks = parts(text)
    wanted = list[tuple[int, int, int, str]]()
    for place, block in enumerate(blocks):
        if VISUAL.match(block):
            kept[place, 0] = block
        elif ITEM.match(block):
            starts = [found.start() for found in ITEM.finditer(block)]
            items = [block[a:b].rstrip() for a, b in zip(starts, [*starts[1:], len(block)], strict=True)]
            wanted += [(2, place, number, _first(item)) for number, item in enumerate(items)]
        else:
            wanted += [(_weight(one, number), place, number, one) for number, one in enumerate(sentences(block))]
    for weight, place, number, sentence in sorted(wanted):
        if words(sentence) <= left and weight < OUT:
            kept[place, number] = sentence
            left -= words(sentence)
    lines = [" ".join(part for (of, _), part in sorted(kept.items()) if of == place) if not ITEM.match(block)
             else "\n".join(part for (of, _), part in sorted(kept.items()) if of == place)
             for place, block in enumerate(blocks)]  # fmt: skip
    return "\n\n".join(filter(None, lines))


def clipped(text: str, most: int = LINES) -> str:
    """Without the ends of long tables and pieces of code, which nobody reads on a slide."""
    found = list[str]()
    for block in parts(text):
        lines = block.splitlines()
        if VISUAL.match(block) and len(lines) > most:
            end = [lines[-1]] if FENCE.match(lines[0]) and FENCE.match(lines[-1]) else []
            block = "\n".join([*lines[:most], *end, "", f"... ({len(lines) - most - len(end)} more lines)"])
        found.append(block)
    return "\n\n".join(found)


def parts(text: str) -> list[str]:
    """A text's paragraphs, lists, tables; what stands between fences stays one piece, with its empty lines."""
    found, fence = [""], ""
    for line in text.splitlines():
        mark = FENCE.match(line)
        if mark is not None and not fence:
            found, fence = [*found, ""], mark[1]
        if not line.strip() and not fence:
            found.append("")
        else:
            found[-1] += f"{line}\n"
        if mark is not None and found[-1].count(fence) > 1:
            found, fence = [*found, ""], ""
    return [part.rstrip("\n") for part in found if part.strip()]


def sentences(text: str) -> list[str]:
    """A paragraph, taken apart."""
    ends = [0, *(found.end() for found in END.finditer(text)), len(text)]
    return [text[a:b].strip() for a, b in itertools.pairwise(ends) if text[a:b].strip()]


def _weight(sentence: str, number: int) -> int:
    """0 for what comes first. What is in parentheses, or announces what may not come, stays out."""
    if sentence.startswith("(") or not re.search(r"[.!?][\"')*_]*$", sentence):
        return OUT
    if number and words(sentence) < 3:
        return OUT
    return 0 if "**" in sentence else 1 if "?" in sentence else 3 if number else 2


OUT = 9


def _first(item: str) -> str:
    """The first sentence of a list's item, with its mark."""
    mark = ITEM.match(item)
    assert mark is not None
    said = re.sub(r"(?:,? and|[,;])$", "", sentences(item[mark.end() :] or " - ")[0])
    return f"{mark[0]}{said}"

