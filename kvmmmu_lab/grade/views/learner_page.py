# SPDX-License-Identifier: GPL-2.0-only
"""A learner's page: the points, what to fix first with its steps and pictures, and how to go on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from ...check.failure import CRASHED, NOT_ATTEMPTED, PASSED, TIMED_OUT
from ...check.report import SIGNS
from ...files import replace_file
from ..mark import NOT_HANDED_IN, NOT_JUDGED, NOT_READABLE, WALL, Mark, RuleMark
from ..record import ExerciseInfo, Info
from .class_summary import RESULTS, UNTRIED, fails_alike, first_to_fix, same_reason, same_sentence
from .failing_case import drawn
from .learner_name import file_name, shown_name
from .markup import END, beginning, block, count, line

MOST_STEPS = 12
"""The maximum number of steps shown, as in the checker's own report."""

ABSENT, NO_MATTER, OPTIONAL = "○", "·", "optional"
"""The signs of an exercise that was not handed in and of a rule that costs nothing; the word for an extra rule not met."""

MEANS = {
    PASSED: "All rules that count are met.",
    CRASHED: "Your code stopped with an error, or did something that a check does not allow.",
    TIMED_OUT: "Your code did not end in time.",
    NOT_ATTEMPTED: "Nothing is written yet: this is the file as it was given out.",
    NOT_HANDED_IN: "No file of yours was found for this exercise, so nothing was run.",
    NOT_READABLE: "What was handed in could not be read, so no rule was tried. Mend it and hand it in again.",
    NOT_JUDGED: "The checker could not judge this. That need not be your fault: tell your instructor.",
}
"""What each status means to a learner."""

ABOUT = (
    "A checker ran your code and a correct solution side by side, on the same small machines, and compared the two after each "
    "step. An exercise has several rules. A rule gives its points if your code passes all of its tests."
)

STUCK = "Your file never finished loading, so no rule could be tested."
NOT_TRIED = "not tried"
SAME = "for the same reason", "in the same way"

WORDS = {
    r"\bgva\b": ("gva", "an address that a program in the guest uses (guest virtual address)"),
    r"\bgpa\b": ("gpa", "an address in the guest's memory (guest physical address)"),
    r"\bgfn\b": ("gfn", "the guest's number of a 4 KiB frame of its memory"),
    r"\bhfns?\b": ("hfn", "the host's number of a 4 KiB frame of memory; code that works on shadow entries uses this one"),
    r"\bspte\b|#\d+:\d+": (
        "spte",
        "an entry of a shadow table, in the host; #7:12 is entry 12 of shadow page 7",
    ),
    r"\b[Ss]hadow page": ("shadow page", "a table that the host makes from one of the guest's, and that the processor walks"),
    r"\breverse map|\brmap\b": ("reverse map", "for each frame, the entries through which it can be written"),
    r"\bPAE\b": ("PAE guest", "a 32-bit guest whose entries have 8 bytes"),
    r"\bPDPTE\b": ("PDPTE", "one of the four top entries of a PAE guest"),
    r"\bengine\b": ("engine", "the kit's model of the kernel's MMU; your code takes the place of one of its parts"),
    r"\bdescriptor": ("descriptor", "a box with four places in which the kernel keeps several entries of a reverse map"),
    r"\bdigest": ("digest", "a number computed from data: two that differ say that the data differ, but not where"),
    r"\bframes\(\)": ("frames()", "returns the hfns of all frames whose reverse map is not empty"),
    r"\blevel\b": ("level", "how far a table is from the frames: level 1 holds the entries for 4 KiB frames"),
    r"\bCR0\.WP\b": ("CR0.WP", "set if the guest kernel, too, may not write where W is clear"),
    r"\bEFER\.NX\b": ("EFER.NX", "set if an entry can forbid execution"),
    r"\b[Pp]arents?\b": ("parent", "an entry of another shadow page that leads to this one"),
    r"\brole\b": ("role", "what tells shadow pages of one frame apart: level, mode, access"),
    r"\b(?:P?W[UADG]*|P[WUADG]+|P [WUADG] ?)\b": (
        "P, W, U, A, D, G, NX",
        "the flags of an entry: present, writable, for user code, accessed, dirty, global, no execution",
    ),
}
"""The words that a page explains if they occur on it, by patterns that find them."""


def write_learner_pages(marks: Iterable[Mark], info: Info, folder: Path) -> None:
    """Write a page for each learner into ``folder``. The marks of a learner must come one after the other. Raises OSError."""
    for learner, own in groupby(marks, attrgetter("learner")):
        replace_file(folder / f"{file_name(learner)}.html", learner_page(learner, own, info).encode())


def learner_page(learner: str, marks: Iterable[Mark], info: Info) -> str:
    """The page of one learner."""
    order = {exercise.name: place for place, exercise in enumerate(info.exercises)}
    known = {exercise.name: exercise for exercise in info.exercises}
    own = sorted(marks, key=lambda mark: order.get(mark.exercise, len(order)))
    points, of, extra = (sum(map(attrgetter(name), own)) for name in ("points", "of", "extra"))
    name = shown_name(learner)
    more = f" and {count(extra, 'extra point')}" if extra else ""
    body = [
        f'<header>{line(info.title or "kvmmmu-lab")} · <a href="../index.html">the class page</a> (for instructors)</header>',
        f"<main>\n<h1><bdi>{line(name)}</bdi>: {points} of {count(of, 'point')}{more}</h1>",
        *(_contents(own, known) if len(own) > 1 else []),
    ]
    for mark in own:
        body += _exercise(mark, known.get(mark.exercise, ExerciseInfo(mark.exercise)))
    ran = [mark for mark in own if mark.rules]
    if ran:
        body.append(f"<h2>How this was checked</h2><p>{ABOUT}</p>")
    body += _words([rule for mark in own for rule in mark.rules if rule.message and rule.kind != UNTRIED])
    body += ["</main>", *([_footer(ran, info)] if ran else [])]
    return beginning(f"{name}: {points} of {of} points") + "\n".join(body) + END


def title_of(exercise: ExerciseInfo) -> str:
    """The title of an exercise, such as "04 Reverse maps, add", as text."""
    return " ".join(filter(None, [exercise.number, exercise.title or exercise.name]))


def status_html(status: str) -> str:
    """A status as HTML: its sign and its word."""
    sign = SIGNS.get(status, ABSENT if status == NOT_HANDED_IN else NO_MATTER if status in (NOT_TRIED, OPTIONAL) else "?")
    return f'<span class="status {css_class(status)}">{sign} {line(status)}</span>'


def says_html(says: str) -> str:
    """What a rule says, as HTML: code stands between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", line(says))


def css_class(status: str) -> str:
    """The CSS class of a status."""
    return re.sub(r"[^a-z]+", "-", status.lower())


def anchor(exercise: str) -> str:
    """The place of an exercise on a learner's page."""
    return f"exercise-{file_name(exercise)}"


def _contents(marks: list[Mark], known: dict[str, ExerciseInfo]) -> Iterator[str]:
    yield '<div class="wide" tabindex="0" role="group" aria-label="All exercises"><table>'
    yield '<thead><tr><th scope="col">Exercise</th><th scope="col" class="number">Points</th>'
    yield '<th scope="col">Result</th></tr></thead>'
    for mark in marks:
        title = title_of(known.get(mark.exercise, ExerciseInfo(mark.exercise)))
        more = f" + {mark.extra}" if mark.extra else ""
        yield (
            f'<tr><td><a href="#{anchor(mark.exercise)}">{line(title)}</a></td>'
            f'<td class="number">{mark.points} of {mark.of}{more}</td><td>{status_html(mark.status)}</td></tr>'
        )
    yield "</table></div>"


def _exercise(mark: Mark, exercise: ExerciseInfo) -> Iterator[str]:
    more = f", and {count(mark.extra, 'extra point')}" if mark.extra else ""
    points = f"{mark.points} of {count(mark.of, 'point')}{more}"
    yield f'<section id="{anchor(mark.exercise)}"><h2>{line(title_of(exercise))}: {points}</h2>'
    yield f"<p>{status_html(mark.status)} {_means(mark)}</p>"
    if mark.problem:
        yield f'<div class="fix"><p><b>Why:</b> {line(_sentence(mark.problem))}</p></div>'
    if mark.file:
        yield f'<p class="quiet">Your file: <code>{line(mark.file)}</code></p>'
    yield from (f'<p class="quiet">Note: {line(_sentence(note))}</p>' for note in mark.notes)
    if mark.status == NOT_HANDED_IN:
        yield from _expected_file(mark, exercise)
    if mark.rules:
        folded = mark.status in (PASSED, NOT_ATTEMPTED)
        yield from _wrong(mark)
        yield f"<details><summary>The {len(mark.rules)} rules</summary>" if folded else "<h3>The rules</h3>"
        yield from _rules(mark)
        yield "</details>" * folded
        yield from _others(mark)
    if mark.printed:
        more = ", beginning with" if mark.print_count > len(mark.printed.encode("utf-8", "replace")) else ""
        yield f"<details><summary>Your code printed {count(mark.print_count, 'byte')}{more}</summary>"
        yield f"{block([mark.printed], 'What your code printed')}</details>"
    yield "</section>"


def _means(mark: Mark) -> str:
    """What the mark means to its learner."""
    rules = [rule for rule in mark.rules if not rule.extra]
    if not rules or mark.status in (PASSED, NOT_ATTEMPTED):
        return MEANS.get(mark.status, "")
    first, met = first_to_fix(mark), sum(rule.status == PASSED for rule in rules)
    if mark.status == TIMED_OUT and _stuck(mark):
        return STUCK
    total = count(len(rules), "rule")
    words = f"{met} of {total} {'is' if met == 1 else 'are'} met." if met else f"None of {total} is met."
    return f"{MEANS[mark.status]} {words}" if mark.status in MEANS and first is not None else words


def _stuck(mark: Mark) -> bool:
    """Whether no rule could be tested, because the file took too long to load."""
    first = first_to_fix(mark)
    return first is not None and first.kind == "timeout" and len(mark.rules) > 1 and fails_alike(mark)


def _expected_file(mark: Mark, exercise: ExerciseInfo) -> Iterator[str]:
    name = exercise.name
    where = f" in <code>{line(mark.place)}</code>" if mark.place else ""
    yield f"<p>Expected: a file <code>{line(name)}.py</code> or <code>{line(name)}.ipynb</code>{where}.</p>"
    yield "<p>If you did hand it in, compare its name with this one, and tell your instructor. If not, hand it in now if you "
    yield "still can.</p>"


def _rules(mark: Mark) -> Iterator[str]:
    yield '<ul class="rules">'
    stuck, extra = _stuck(mark), [rule for rule in mark.rules if rule.extra]
    for rule in mark.rules:
        if not rule.extra:
            yield _rule(rule, NOT_TRIED if stuck or rule.kind == UNTRIED else rule.status)
    yield "</ul>"
    if extra:
        more = sum(rule.of for rule in extra)
        yield f"<p>{count(more, 'extra point')}, which you do not need for {mark.of} of {mark.of}:</p>"
        yield '<ul class="rules">'
        yield from (_rule(rule, rule.status if rule.status == PASSED else OPTIONAL) for rule in extra)
        yield "</ul>"


def _rule(rule: RuleMark, status: str) -> str:
    return (
        f"<li>{status_html(status)}"
        f' <span class="points">{rule.points} of {rule.of}</span> <span class="says">{says_html(rule.says)}</span></li>'
    )


def _wrong(mark: Mark) -> Iterator[str]:
    """What to fix first."""
    first = next((rule for rule in _not_met(mark)), None)
    if first is None or mark.status == NOT_ATTEMPTED:
        if mark.status != PASSED:
            yield from _way_on(mark)
        return
    same, _ = _same_and_others(mark)
    yield f'<div class="fix"><h3>{"Fix this first" if not first.extra else "For the extra points"}</h3>'
    if first.extra or not fails_alike(mark):  # otherwise it is no matter of a rule
        yield f"<p><b>The rule:</b> {says_html(first.says)}</p>"
    yield from _failure(first, mark.picture if not first.extra else "")
    counted = [rule for rule in same if rule.kind != UNTRIED]
    if counted and not _stuck(mark):
        words = SAME[first.kind in RESULTS]
        yield f"<p>{count(len(counted), 'other rule fails', 'other rules fail')} {words}.</p>"
    yield from _way_on(mark, first)
    yield "</div>"


def _not_met(mark: Mark) -> list[RuleMark]:
    """The rules that are not met and say why, those with extra points last."""
    return sorted((rule for rule in mark.rules if rule.message), key=attrgetter("extra"))


def _same_and_others(mark: Mark) -> tuple[list[RuleMark], list[RuleMark]]:
    """The rules that fail like the one to fix first, and those that fail in another way."""
    first, *others = _not_met(mark)
    like_first = [same_reason(rule, first) or same_sentence(rule, first) for rule in others]
    same = [rule for rule, like in zip(others, like_first, strict=True) if like and not rule.extra]
    return same, [rule for rule in others if rule not in same and not (rule.extra and rule.kind == UNTRIED)]


def _others(mark: Mark) -> Iterator[str]:
    """The other rules that are not met."""
    if mark.status == NOT_ATTEMPTED or not _not_met(mark):
        return
    _, others = _same_and_others(mark)
    if not others:
        return
    many = count(len(others), "other rule that is not met", "other rules that are not met")
    yield f"<details><summary>{many}</summary>"
    yield "<p>Look at these when the first is mended: often they then pass, too.</p>"
    for rule in others:
        yield f"<h4>{says_html(rule.says)}{' (extra)' * rule.extra}</h4>"
        yield from _failure(rule, "")
    yield "</details>"


def _failure(rule: RuleMark, picture: str) -> Iterator[str]:
    yield f"<p><b>What happened:</b> {line(_sentence(rule.message))}</p>"
    if rule.where:
        yield f"<p>This happened {line(_sentence(rule.where))}</p>"
    if rule.steps:
        first = max(0, len(rule.steps) - MOST_STEPS)
        yield f"<h4>{'The shortest steps found that lead there' if len(rule.steps) > 1 else 'The step'}</h4>"
        guest = f"The machine is {rule.guest}." if rule.guest else ""
        left_out = f"{count(first, 'earlier step is', 'earlier steps are')} not shown." if first else ""
        if guest or left_out:
            yield f'<p class="quiet">{line(" ".join(filter(None, [guest, left_out])))}</p>'
        yield f'<ol start="{first + 1}">'
        yield from (f"<li>{line(step)}</li>" for step in rule.steps[first:])
        yield "</ol>"
    pictures = drawn(picture) if picture else None
    if pictures is None and not rule.expected and not rule.got:
        return
    expected, got = pictures or (block(rule.expected, "Expected"), block(rule.got, "With your code"))
    star = any(text.startswith("*") for text in (*rule.expected, *rule.got)) and pictures is None
    yield '<div class="both">'
    yield f"<figure><figcaption>Expected</figcaption>{expected}</figure>"
    yield f"<figure><figcaption>With your code</figcaption>{got}</figure></div>"
    if star:
        yield '<p class="quiet">A star (*) marks a line that the other side does not have.</p>'


def _way_on(mark: Mark, first: RuleMark | None = None) -> Iterator[str]:
    hint, check = (f"kvmmmu-lab {command} {mark.exercise}" for command in ("hint", "check"))
    if mark.seed:
        check += f" --seed {mark.seed}"
    again = ""
    if first is not None and first.steps:
        what = f"these {first.calls:,} calls" if first.calls > len(first.steps) else "these steps"
        again = f"This repeats {what if len(first.steps) > 1 or first.calls > 1 else 'this step'} and all other tests, now and "
        again += "after a change:"
    yield '<div class="way-on"><p>For a hint, type this in a terminal, in your working folder:</p>'
    yield f"{block([hint], 'Command for a hint')}<p>{again or 'After a change, check your code yourself:'}</p>"
    yield f"{block([check], 'Command for a check')}</div>"


def _words(wrong: Iterable[RuleMark]) -> Iterator[str]:
    """Explain the words that occur in what went wrong."""
    parts = [part for rule in wrong for part in (rule.says, rule.message, *rule.steps, *rule.expected, *rule.got)]
    text = "\n".join(parts)
    found = [entry for pattern, entry in WORDS.items() if re.search(pattern, text)]
    if found:
        yield "<h2>Words on this page</h2><dl>"
        yield from (f"<dt>{word}</dt><dd>{meaning}</dd>" for word, meaning in found)
        yield "</dl>"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _footer(marks: list[Mark], info: Info) -> str:
    first = marks[0]
    walled = all(mark.isolation == WALL for mark in marks if mark.rules)
    said = "Your code ran behind a wall: it could reach no network and no other file." if walled and first.isolation else ""
    versions = f" Versions: {line(first.versions)}." if first.versions else ""
    seed = f"The tests are chosen by seed {first.seed}: the same seed gives the same marks."
    when = f" The class was last graded on {line(info.ended)} UTC." if info.ended else ""
    return f"<footer><p>{said} {seed}{when}{versions}</p></footer>"
