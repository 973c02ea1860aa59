# SPDX-License-Identifier: GPL-2.0-only
"""Summaries: what a slide shows of a cell's Markdown. The speaker's notes have all of it.

A summary is made of whole sentences of the text. Sentences with something in bold come first, then questions, then the
first sentences of paragraphs. The author can say something else in a comment, ``<!-- slide: ... -->``.
"""

from __future__ import annotations

import itertools
import re

MAX_WORDS = 40
"""Words of prose on a slide."""

MAX_LINES = 14
"""Lines of a table or a listing in the prose of a slide."""

HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
SLIDE_COMMENT = re.compile(r"<!--\s*slide:(.*?)-->", re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
FENCE = re.compile(r" {0,3}(```|~~~)")
SENTENCE_END = re.compile(r"(?<!e\.g)(?<!i\.e)[.!?][\"')*_]*\s+(?=[\"'(*_`\[]*[A-Z0-9`])")
LIST_ITEM = re.compile(r"^ {0,3}(?:[-*+]|\d+[.)]) +", re.MULTILINE)
NOT_PROSE = re.compile(r"^(?:```|~~~|\||    |!\[|<)")
"""How a block begins that is a listing, a table, a picture or HTML."""

BOLD, ASKS, FIRST, OTHER, LEFT_OUT = range(5)
"""Ranks of sentences: the lowest come first."""


# What a cell says


def split_heading(text: str) -> tuple[str, int, str]:
    """Split a cell's text into its first heading, the level of that (0: no heading) and the rest, without comments."""
    text = COMMENT.sub("", text).strip()
    found = HEADING.match(text)
    if found is None:
        return "", 0, text
    return found[1], len(text) - len(text.lstrip("#")), text[found.end() :].strip()


def slide_comment(text: str) -> str | None:
    """Return what the author wants on the slide, ``<!-- slide: ... -->``, which a notebook doesn't show. None without it."""
    found = SLIDE_COMMENT.search(text)
    return None if found is None else found[1].strip()


def word_count(text: str) -> int:
    """Count the words that a reader sees: neither Markdown's signs nor the addresses of links."""
    return len(re.sub(r"\]\([^)]*\)|[*_`#|]", " ", COMMENT.sub("", text)).split())


# What fits on a slide


def summary(text: str, limit: int = MAX_WORDS) -> str:
    """Return sentences of a text (Markdown, without its heading) with at most ``limit`` words, in their order.

    Tables, listings and pictures stay; of a list, as many items as fit. A text that fits is returned unchanged.
    """
    if word_count(text) <= limit:
        return text
    parts = blocks(text)
    kept = dict[tuple[int, int], str]()  # (block, place in it) -> text
    candidates = list[tuple[int, int, int, str]]()  # (rank, block, place in it, text)
    for number, block in enumerate(parts):
        if NOT_PROSE.match(block):
            kept[number, 0] = block
        elif LIST_ITEM.match(block):
            starts = [found.start() for found in LIST_ITEM.finditer(block)]
            items = [block[a:b].rstrip() for a, b in zip(starts, [*starts[1:], len(block)], strict=True)]
            candidates += [(FIRST, number, place, _first_sentence(item)) for place, item in enumerate(items)]
        else:
            candidates += [(_rank(one, place), number, place, one) for place, one in enumerate(sentences(block))]
    left = limit
    for rank, number, place, sentence in sorted(candidates):
        if word_count(sentence) <= left and rank < LEFT_OUT:
            kept[number, place] = sentence
            left -= word_count(sentence)
    joined = []
    for number, block in enumerate(parts):
        pieces = [piece for (of, _), piece in sorted(kept.items()) if of == number]
        joined.append(("\n" if LIST_ITEM.match(block) else " ").join(pieces))
    return "\n\n".join(filter(None, joined))


def truncated(text: str, most: int = MAX_LINES) -> str:
    """Cut off the ends of tables and listings that have more than ``most`` lines; a line says how many are missing."""
    kept = []
    for block in blocks(text):
        lines = block.splitlines()
        if NOT_PROSE.match(block) and len(lines) > most:
            end = [lines[-1]] if FENCE.match(lines[0]) and FENCE.match(lines[-1]) else []
            block = "\n".join([*lines[:most], *end, "", f"... ({len(lines) - most - len(end)} more lines)"])
        kept.append(block)
    return "\n\n".join(kept)


def blocks(text: str) -> list[str]:
    """Split a text into paragraphs, lists and tables. What is between fences stays in one piece, empty lines included."""
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
    return [block.rstrip("\n") for block in found if block.strip()]


def sentences(text: str) -> list[str]:
    """Split a paragraph into sentences."""
    ends = [0, *(found.end() for found in SENTENCE_END.finditer(text)), len(text)]
    return [text[a:b].strip() for a, b in itertools.pairwise(ends) if text[a:b].strip()]


def _rank(sentence: str, place: int) -> int:
    """Rank a sentence. Asides in parentheses, fragments, and what only announces the next block are left out."""
    if sentence.startswith("(") or not re.search(r"[.!?][\"')*_]*$", sentence):
        return LEFT_OUT
    if place and word_count(sentence) < 3:
        return LEFT_OUT
    return BOLD if "**" in sentence else ASKS if "?" in sentence else OTHER if place else FIRST


def _first_sentence(item: str) -> str:
    """Return the first sentence of a list item, with its bullet or number."""
    mark = LIST_ITEM.match(item)
    assert mark is not None
    sentence = sentences(item[mark.end() :] or " - ")[0]
    return mark[0] + re.sub(r"(?:,? and|[,;])$", "", sentence)
