# SPDX-License-Identifier: GPL-2.0-only
"""Summarise the Markdown of a cell for a slide. The speaker notes contain the whole text.

A summary consists of whole sentences of the text. Sentences with bold text are taken first, then questions, then the
first sentences of paragraphs. Authors can replace the summary with a comment, ``<!-- slide: ... -->``.
"""

from __future__ import annotations

import itertools
import re

from .section import COMMENT

MAX_WORDS = 40
"""The maximum number of words of prose in a summary."""

MAX_LINES = 14
"""The maximum number of lines of a table or a listing on a slide."""

FENCE = re.compile(r" {0,3}(```|~~~)")
SENTENCE_END = re.compile(r"(?<!e\.g)(?<!i\.e)[.!?][\"')*_]*\s+(?=[\"'(*_`\[]*[A-Z0-9`])")
LIST_ITEM = re.compile(r"^ {0,3}(?:[-*+]|\d+[.)]) +", re.MULTILINE)
NOT_PROSE = re.compile(r"^(?:```|~~~|[ >]{0,3}\||    |!\[|<)")
"""Matches the beginning of a block that isn't prose: a listing, a table, a picture or HTML."""

BOLD, ASKING, FIRST, OTHER, LEFT_OUT = range(5)
"""Ranks of sentences; those with the lowest rank are taken first."""


def word_count(text: str) -> int:
    """Count the words that a reader sees, without Markdown markup and the addresses of links."""
    return len(re.sub(r"\]\([^)]*\)|[*_`#|]", " ", COMMENT.sub("", text)).split())


# Summaries


def summary(text: str, limit: int = MAX_WORDS) -> str:
    """Summarise a text (Markdown without its heading) in at most ``limit`` words. Its sentences keep their order.

    Tables, listings and pictures are kept, and as many items of a list as fit. A short text is returned unchanged.
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
    """Truncate tables and listings to ``most`` lines, followed by a note with the number of lines left out."""
    kept = []
    for block in blocks(text):
        lines = block.splitlines()
        if NOT_PROSE.match(block) and len(lines) > most:
            end = [lines[-1]] if FENCE.match(lines[0]) and FENCE.match(lines[-1]) else []
            block = "\n".join([*lines[:most], *end, "", f"... ({len(lines) - most - len(end)} more lines)"])
        kept.append(block)
    return "\n\n".join(kept)


def blocks(text: str) -> list[str]:
    """Split a text at empty lines into paragraphs, lists, tables and listings. A fenced listing is one block."""
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
    """Rank a sentence. Remarks in parentheses, fragments and introductions to the next block get LEFT_OUT."""
    if sentence.startswith("(") or not re.search(r"[.!?][\"')*_]*$", sentence):
        return LEFT_OUT
    if place and word_count(sentence) < 3:
        return LEFT_OUT
    return BOLD if "**" in sentence else ASKING if "?" in sentence else OTHER if place else FIRST


def _first_sentence(item: str) -> str:
    """Return the first sentence of a list item, with its bullet or number."""
    mark = LIST_ITEM.match(item)
    assert mark is not None
    sentence = sentences(item[mark.end() :] or " - ")[0]
    return mark[0] + re.sub(r"(?:,? and|[,;])$", "", sentence)
