# SPDX-License-Identifier: GPL-2.0-only
"""The class page: the marks as plots, the rules that fail most often, what goes wrong and for whom, and all learners."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from ...check.failure import CRASHED, FAILED, NOT_ATTEMPTED, PASSED, TIMED_OUT
from ...check.report import SIGNS
from ...draw.svg import data_url
from ...errors import LabError
from ...files import replacing
from ...plots.chart import Chart
from ...printable import escaped_html
from ..mark import NOT_HANDED_IN, WALL, Mark
from ..record import ExerciseInfo, Info
from .class_summary import (
    MOST,
    UNTRIED,
    Behaviour,
    ClassSummary,
    ExerciseSummary,
    LearnerGroup,
    RuleSummary,
    first_to_fix,
)
from .distribution import HEIGHT, WIDTH, distribution, in_words
from .failing_case import LINES
from .learner_name import file_name, shown_name
from .learner_page import ABSENT, NOT_TRIED, anchor, css_class, says_html, status_html, title_of
from .markup import END, beginning, block, count, file_link, line, script

LEARNERS = "learners"
"""The folder with the learners' pages, beside the class page."""

MOST_ROWS = 5000
"""The maximum number of learners in the table: a browser needs seconds for more."""

FILES = (
    ("gradebook.csv", "one row for each learner"),
    ("marks.csv", "one row for each mark"),
    ("marks.jsonl", "all rules and messages"),
    ("junit.xml", "for CI systems"),
)
"""The other views that are for the instructor, and what is in them."""

TOP = 15
"""The number of rules and of behaviours that are shown at once; the rest of the rules can be unfolded."""

NO_ACCUSATION = (
    "This lists what a check refuses, found in the failures of the checked code. Most of it is a mistake or curiosity: "
    "look at the code before you draw a conclusion. Behind the wall, code that starts a process or reads a system file is not "
    "refused, because it can do no harm there; so it is not listed."
)


def write_class_page(marks: Iterable[Mark], info: Info, path: Path) -> None:
    """Write the page. The marks of a learner must come one after the other. Raises OSError."""
    summary = ClassSummary()
    with tempfile.TemporaryFile() as rows, replacing(path) as page:
        for row in _rows(summary.watch(marks), info):
            rows.write(row.encode())
        rows.seek(0)
        for part in _page(summary, info):
            page.write(f"{part}\n".encode())
        for part in _table_head(summary, info):
            page.write(f"{part}\n".encode())
        shutil.copyfileobj(rows, page)
        page.write(f"</tbody></table></div></section></main><script>{script()}</script>{END}".encode())


def _page(summary: ClassSummary, info: Info) -> Iterator[str]:
    """Everything above the table of learners."""
    sections = [
        ("marks", "Marks", _marks(summary, info)),
        ("rules", "Rules to fix first", _rules(summary, info)),
        ("behaviours", "The most frequent wrong behaviours", _behaviours(summary, info)),
        ("late", "Time-outs", _late(summary, info)),
        ("refused", "Forbidden attempts", _refused(summary)),
        ("identical", "Identical hand-ins", _identical(summary, info)),
        ("unjudged", "What was not judged", _unjudged(summary)),
        ("run", "How it was judged", _run(summary, info)),
    ]
    title = info.title or "Marks of the class"
    yield beginning(title)
    yield f"<header>kvmmmu-lab grade</header>\n<main><h1>{line(title)}</h1>"
    yield from _facts(summary)
    links = [("all", "All learners"), *((key, words) for key, words, _ in sections)]
    yield '<nav aria-label="Contents"><ul class="contents">'
    yield from (f'<li><a href="#{key}">{words}</a></li>' for key, words in links)
    yield "</ul></nav>"
    yield f'<p class="quiet">Beside this page: {", ".join(f"{file_link(name)} ({what})" for name, what in FILES)}.</p>'
    for key, words, parts in sections:
        yield f'<section id="{key}"><h2>{words}</h2>'
        yield from parts
        yield "</section>"


def _facts(summary: ClassSummary) -> Iterator[str]:
    unjudged = sum(group.count for group in summary.unjudged.values())
    late = sum(group.count for group in summary.late.values())
    facts = [
        (summary.learners, "learner" if summary.learners == 1 else "learners"),
        (summary.marks - unjudged, "judged"),
        (unjudged, "not judged"),
        (late, "with a time-out"),
    ]
    yield '<ul class="facts">'
    yield from (f"<li><b>{value:,}</b> {words}</li>" for value, words in facts)
    yield "</ul>"


def _in_order(summary: ClassSummary, info: Info) -> list[tuple[ExerciseInfo, ExerciseSummary]]:
    """The exercises with a mark, in the order of the course."""
    known = {exercise.name: exercise for exercise in info.exercises}
    names = [*(name for name in known if name in summary.exercises), *sorted(summary.exercises.keys() - known.keys())]
    return [(known.get(name, ExerciseInfo(name)), summary.exercises[name]) for name in names]


def _titles(info: Info) -> dict[str, str]:
    return {exercise.name: title_of(exercise) for exercise in info.exercises}


def _marks(summary: ClassSummary, info: Info) -> Iterator[str]:
    if not summary.exercises:
        yield "<p>There are no marks yet.</p>"
        return
    yield "<p>How many learners have how many points. The last bar, in another colour, is a full mark.</p>"
    yield '<div class="charts">'
    for exercise, found in _in_order(summary, info):
        title = title_of(exercise)
        yield f"<figure><figcaption><b>{line(title)}</b><br>{in_words(found)}</figcaption>"
        yield from _chart(distribution(title, found))
        yield "</figure>"
    yield "</div>"


def _chart(chart: Chart) -> Iterator[str]:
    """A chart and its numbers; only the numbers without Matplotlib."""
    try:
        light, dark = chart.svg, chart.dark_svg
    except LabError as error:
        yield f'<pre>{escaped_html(f"{chart}")}</pre><p class="quiet">{line(str(error))}</p>'
        return
    name = line(f"{chart.title}. {chart.alternative}")
    # not a picture with two sources: a browser does not choose again when it prints
    for theme, svg in (("light", light), ("dark", dark)):
        yield f'<img class="{theme}" src="{data_url(svg)}" width="{WIDTH}" height="{HEIGHT}" alt="{name}">'
    yield "<details><summary>Numbers</summary><table><thead><tr>"
    yield "".join(f'<th scope="col" class="number">{name}</th>' for name in chart.head) + "</tr></thead>"
    rows = (row for row in chart.rows if row[1])
    yield from (
        f'<tr><td class="number">{line(str(points))}</td><td class="number">{many:,}</td></tr>' for points, many in rows
    )
    yield "</table></details>"


def _rules(summary: ClassSummary, info: Info) -> Iterator[str]:
    exercises = _in_order(summary, info)
    every = [(title_of(exercise), name, rule) for exercise, one in exercises for name, rule in one.rules.items()]
    found = [each for each in every if not each[2].extra and (each[2].first.count or each[2].also)]
    found.sort(key=lambda each: (-each[2].first.count / each[2].tried, -each[2].also / each[2].tried))
    alike = [(title_of(exercise), one.alike, one.judged) for exercise, one in exercises if one.alike.count]
    if not found and not alike:
        yield "<p>Every rule is met by all.</p>"
    else:
        yield "<p>Of each hand-in, the first rule that is not met is the one to fix first: the others often fail for the same "
        yield "reason. They are counted apart.</p>"
    if alike:
        yield "<ul>"
        for title, group, judged in alike:
            yield f"<li><b>{group.count:,} of {judged:,}</b>, {line(title)}: all rules fail for one reason, so they are not "
            yield f"counted below: {_links(group)}</li>"
        yield "</ul>"
    if found:
        yield from _rule_table(found[:TOP])
    if len(found) > TOP:
        yield f"<details><summary>{count(len(found) - TOP, 'more rule')}</summary>"
        yield from _rule_table(found[TOP:])
        yield "</details>"
    extra = [each for each in every if each[2].extra]
    if extra:
        yield "<h3>Rules for extra points</h3><p>They count only if they are met, and nobody has to attempt them.</p><ul>"
        for title, name, rule in extra:
            yield f"<li>{says_html(rule.says)} ({count(rule.of, 'point')}): met by <b>{rule.met:,}</b> of {rule.attempted:,} "
            yield f'who attempted it. <span class="quiet">{line(title)}, rule <code>{line(name)}</code></span></li>'
        yield "</ul>"


def _rule_table(found: Sequence[tuple[str, str, RuleSummary]]) -> Iterator[str]:
    yield '<div class="wide" tabindex="0" role="group" aria-label="Rules"><table>'
    yield '<thead><tr><th scope="col" class="number">To fix first</th><th scope="col" class="number">Also not met</th>'
    yield '<th scope="col">Rule</th></tr></thead>'
    for title, name, rule in found:
        share = f'<span class="share" style="--part:{rule.first.count / rule.tried:.3f}"></span>'
        links = f"<br>{_links(rule.first)}" if rule.first.count else ""
        place = f'<span class="quiet">{line(title)}, rule <code>{line(name)}</code></span>'
        yield (
            f'<tr><td class="number">{rule.first.count:,} of {rule.tried:,}<br>{share}</td>'
            f'<td class="number">{rule.also:,}</td><td>{says_html(rule.says)}<br>{place}{links}</td></tr>'
        )
    yield "</table></div>"


def _behaviours(summary: ClassSummary, info: Info) -> Iterator[str]:
    found = [
        (behaviour, title_of(exercise), one.rules[rule].says)
        for exercise, one in _in_order(summary, info)
        for (rule, _), behaviour in one.behaviours.items()
    ]
    found.sort(key=lambda each: -each[0].count)
    if not found:
        yield "<p>Nothing goes wrong.</p>"
        return
    yield "<p>Of each hand-in, the failure to fix first is counted. One behaviour is a failure of one rule in the same words "
    yield "and after the same calls, which stand in [brackets]; only names of entries, frames and addresses may differ (...). "
    yield f"The causes may still differ. The example is the one with the fewest calls. In examples: {LINES}.</p>"
    for behaviour, title, says in found[:TOP]:
        yield from _behaviour(behaviour, title, says)
    if len(found) > TOP:
        yield f'<p class="quiet">{count(len(found) - TOP, "more behaviour")}, of at most '
        yield f"{count(found[TOP][0].count, 'learner')} each, are in marks.jsonl.</p>"


def _behaviour(behaviour: Behaviour, title: str, says: str) -> Iterator[str]:
    rule = behaviour.example
    assert rule is not None
    yield f'<div class="behaviour"><p><b>{count(behaviour.count, "learner")}</b>: {line(rule.behaviour)}</p>'
    yield f'<p class="quiet">{line(title)}; rule: {says_html(says)}</p>'
    yield f"<p>{_links(behaviour)}</p>"
    if rule.steps or rule.expected or rule.got:
        calls = f", {count(rule.calls, 'call')}" if rule.calls else ""
        whose = line(shown_name(behaviour.whose))
        yield f"<details><summary>The shortest example: <bdi>{whose}</bdi>{calls}</summary>"
        yield f"<p>{line(rule.message)}{' (' + line(rule.guest) + ')' if rule.guest else ''}</p>"
        if rule.steps:
            yield f"<ol>{''.join(f'<li>{line(step)}</li>' for step in rule.steps)}</ol>"
        if rule.expected or rule.got:
            yield '<div class="both">'
            yield f"<figure><figcaption>Expected</figcaption>{block(rule.expected, 'Expected')}</figure>"
            got = block(rule.got, "With their code")
            yield f"<figure><figcaption>With the code of <bdi>{whose}</bdi></figcaption>{got}</figure>"
            yield "</div>"
        yield "</details>"
    yield "</div>"


def _links(group: LearnerGroup) -> str:
    """Links to the pages of learners."""
    more = f" and {group.count - len(group.examples):,} more" if group.count > len(group.examples) else ""
    return ", ".join(_link(learner, f"#{anchor(exercise)}") for learner, exercise in group.examples) + more


def _link(learner: str, place: str = "") -> str:
    return f'<a href="{LEARNERS}/{file_name(learner)}.html{place}"><bdi>{line(shown_name(learner))}</bdi></a>'


def _groups(groups: Iterable[tuple[str, LearnerGroup]]) -> Iterator[str]:
    """A list of groups; each has its words as HTML."""
    yield "<ul>"
    yield from (f"<li>{words}: {_links(group)}</li>" for words, group in groups)
    yield "</ul>"


def _late(summary: ClassSummary, info: Info) -> Iterator[str]:
    if not summary.late:
        yield "<p>None.</p>"
        return
    yield "<p>The code did not end in time. On a busy computer a slow solution may be among them: grade it again with "
    yield "<code>--only</code>, <code>--regrade</code> and a longer <code>--timeout</code>.</p>"
    titles = _titles(info)
    yield from _groups(
        (f"<b>{count(group.count, 'learner')}</b>, {line(titles.get(exercise, exercise))}", group)
        for exercise, group in summary.late.items()
    )


def _refused(summary: ClassSummary) -> Iterator[str]:
    if not summary.refused:
        yield "<p>Code that tries to reach the network, other files or other processes, or to answer for the checker: none.</p>"
        return
    yield f"<p>{NO_ACCUSATION}</p>"
    found = sorted(summary.refused.items(), key=lambda each: -each[1].count)
    yield from _groups(
        (f"<b>{count(group.count, 'learner')}</b>: the code tried to {line(tried)}", group) for tried, group in found
    )


def _identical(summary: ClassSummary, info: Info) -> Iterator[str]:
    found = summary.identical()
    if not found:
        yield "<p>None.</p>"
        return
    yield "<p>The same files, byte for byte. Learners may have worked in pairs, or with a solution that was given to all. "
    yield "The file as it was given out is not counted.</p>"
    titles = _titles(info)
    yield from _groups(
        (f"<b>{count(group.count, 'learner')}</b>, {line(titles.get(exercise, exercise))}", group)
        for exercise, group in found[:TOP]
    )
    if len(found) > TOP:
        yield f'<p class="quiet">{count(len(found) - TOP, "more set")}: those with the same sha256 in marks.csv.</p>'


def _unjudged(summary: ClassSummary) -> Iterator[str]:
    if not summary.unjudged:
        yield "<p>All was judged.</p>"
        return
    found = sorted(summary.unjudged.items(), key=lambda each: (each[0][0] == NOT_HANDED_IN, -each[1].count))
    yield from _groups(
        (f"<b>{count(group.count, 'learner')}</b>, {status_html(status)}{': ' * bool(problem)}{line(problem)}", group)
        for (status, problem), group in found
    )


def _run(summary: ClassSummary, info: Info) -> Iterator[str]:
    yield "<ul>"
    for why, many in summary.isolation.most_common():
        if why == WALL:
            yield f"<li>{count(many, 'hand-in')} behind the wall, a sandbox: no network, no other files, nothing stays</li>"
        else:
            yield f"<li>{count(many, 'hand-in')} <b>without the wall</b>, where only Python itself refuses: {line(why)}</li>"
    for name, found in (("Seed", summary.seeds), ("Versions", summary.versions)):
        texts = [line(str(value)) for value, _ in found.most_common(5) if str(value)]
        if texts:
            yield f"<li>{name}: {', '.join(texts)}{' and others' * (len(found) > 5)}</li>"
    yield f"<li>{summary.seconds:,.1f} seconds of judging, summed over all hand-ins, whichever process and run judged them</li>"
    if info.begun:
        ended = f"ended {line(info.ended)}" if info.ended else "<b>it did not end: some marks may be missing</b>"
        yield f"<li>The last run: begun {line(info.begun)} UTC, {ended}. It judged only what was new or changed, and kept the "
        yield "other marks.</li>"
    yield "</ul>"
    if info.notes:
        yield "<h3>Left out when the hand-ins were collected</h3><ul>"
        yield from (f"<li>{line(note)}</li>" for note in info.notes[:MOST])
        yield "</ul>"
        if len(info.notes) > MOST:
            yield f"<p>{count(len(info.notes) - MOST, 'more note')}.</p>"


def _table_head(summary: ClassSummary, info: Info) -> Iterator[str]:
    yield '<section id="all"><h2>All learners</h2>'
    if summary.learners > MOST_ROWS:
        yield f"<p>These are the first {MOST_ROWS:,} of {summary.learners:,}. All are in marks.csv and gradebook.csv, and have "
        yield f"a page in the folder {LEARNERS}.</p>"
    yield '<p class="needs-script" hidden><label>Find a learner by name '
    yield '<input id="filter" type="search" autocomplete="off"></label> '
    yield '<span id="shown" class="quiet" role="status"></span></p>'
    signs = f"{SIGNS[TIMED_OUT]} time-out, ? not judged, {ABSENT} not handed in"
    rules = f"The rules, in their order: {SIGNS[PASSED]} met, {SIGNS[FAILED]} not met, {SIGNS[CRASHED]} stopped with an error, "
    rules += f"{SIGNS[NOT_ATTEMPTED]} not attempted or not tried. "
    if len(info.exercises) == 1:
        rules += "The one to fix first has a frame. "
    yield f'<p class="quiet">Points, + extra points. {rules}{signs}.</p>'
    yield '<div class="wide" tabindex="0" role="group" aria-label="All learners"><table id="learners"><thead><tr>'
    yield '<th scope="col" aria-sort="ascending">Learner</th><th scope="col" class="number">Points</th>'
    if len(info.exercises) == 1:
        for name, rule in summary.exercises.get(info.exercises[0].name, ExerciseSummary()).rules.items():
            yield f'<th scope="col" class="number" title="{line(rule.says)}">{line(name)}</th>'
    else:
        for exercise in info.exercises:
            label = exercise.number or exercise.name
            yield f'<th scope="col" class="number" title="{line(title_of(exercise))}">{line(label)}</th>'
    yield "</tr></thead><tbody>"


def _rows(marks: Iterable[Mark], info: Info) -> Iterator[str]:
    """The rows of the table of learners."""
    number, columns = 0, dict[str, int]()
    for learner, found in groupby(marks, attrgetter("learner")):
        own = {mark.exercise: mark for mark in found}
        number += 1
        if number > MOST_ROWS:
            continue
        points, extra, of = (sum(map(attrgetter(name), own.values())) for name in ("points", "extra", "of"))
        if len(info.exercises) == 1:
            one = own.get(info.exercises[0].name)
            cells, sign = "".join(_rule_cells(one, columns)), _sign(one)
        else:
            cells, sign = "".join(_mark_cell(own.get(exercise.name)) for exercise in info.exercises), ""
        sums = f'<td class="number" data-value="{points + extra}">{points}{_plus(extra)} of {of}{" " * bool(sign)}{sign}</td>'
        yield f'<tr><th scope="row">{_link(learner)}</th>{sums}{cells}</tr>\n'


def _rule_cells(mark: Mark | None, columns: dict[str, int]) -> Iterator[str]:
    """A cell for each rule, in the order in which rules first occur in the class: that of the summary."""
    rules = {rule.rule: rule for rule in mark.rules} if mark is not None else {}
    for name in rules:
        columns.setdefault(name, len(columns))
    first = first_to_fix(mark) if mark is not None else None
    for name in columns:
        rule = rules.get(name)
        if rule is None:
            yield "<td></td>"
            continue
        status = NOT_TRIED if rule.kind == UNTRIED else rule.status
        sign = SIGNS[NOT_ATTEMPTED] if rule.kind == UNTRIED else SIGNS.get(status, "?")
        style = f"{css_class(status)} first" if rule is first else css_class(status)
        yield f'<td class="{style}" title="{line(name)}: {line(status)}">{sign}</td>'


def _signs(mark: Mark) -> str:
    """The signs of all rules, in their order."""
    signs = "".join(SIGNS[NOT_ATTEMPTED] if rule.kind == UNTRIED else SIGNS.get(rule.status, "?") for rule in mark.rules)
    said = ", ".join(f"{line(rule.rule)}: {line(rule.status)}" for rule in mark.rules)
    return f'<br><span class="quiet signs" title="{said}">{signs}</span>'


def _sign(mark: Mark | None) -> str:
    """The sign of a mark that is no number of points, or of a time-out."""
    if mark is None or mark.status == NOT_HANDED_IN:
        return ABSENT
    return "?" if not mark.rules else SIGNS[TIMED_OUT] if mark.status == TIMED_OUT else ""


def _mark_cell(mark: Mark | None) -> str:
    sign = _sign(mark)
    if mark is None or not mark.rules:
        return f'<td class="number" data-value="{-1 if sign == "?" else -2}">{sign}</td>'
    full = ' class="number passed"' if mark.status == PASSED else ' class="number"'
    points = f"{mark.points}{_plus(mark.extra)}{' ' * bool(sign)}{sign}"
    return f'<td{full} data-value="{mark.points + mark.extra}">{points}{_signs(mark)}</td>'


def _plus(extra: int) -> str:
    return f"+{extra}" if extra else ""
