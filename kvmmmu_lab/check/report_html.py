# SPDX-License-Identifier: GPL-2.0-only
"""A report in a notebook: HTML that needs no script."""

from __future__ import annotations

import html
import textwrap

from ..exercises import Exercise
from .report import GUESTS, MOST, NOT_ATTEMPTED, SIGNS, Failure, Report, Verdict, beside, capital, hint_command


def html_of(report: Report) -> str:
    """The report as HTML that needs no script."""
    rows = "".join(f"<div>{html.escape(verdict.line)}</div>" for verdict in report.verdicts)
    wrong = report.first
    parts = [f"<p><b>{html.escape(report.head)}</b></p>", f'<div style="line-height:1.6">{rows}</div>']
    if report.status == NOT_ATTEMPTED:
        parts.append("<p>Nothing is written yet.</p>")
    elif wrong is not None and wrong.failure is not None:
        parts.append(_failure_html(wrong, wrong.failure, report.exercise))
    if report.print_count:
        first, *rest = report.told_printed()
        parts.append(f"<p>{html.escape(first)}</p><pre>{html.escape(textwrap.dedent(chr(10).join(rest)))}</pre>")
    return "".join(parts)


def _failure_html(verdict: Verdict, failure: Failure, exercise: Exercise) -> str:
    guest = GUESTS.get(failure.scenario.mode, "") if failure.scenario is not None else ""
    steps = "".join(f"<li>{html.escape(said)}</li>" for said in failure.steps[-MOST:])
    where = f"<p>This happened {html.escape(failure.where)}.</p>" if failure.where else ""
    start = max(0, len(failure.steps) - MOST) + 1
    said = f"<p><b>{html.escape(capital(failure.sentence))}.</b></p>{where}"
    printed = f"<p>Your code printed on this way:</p><pre>{html.escape(failure.printed)}</pre>" * bool(failure.printed)
    listed = f"<p>({guest})</p>" * bool(guest) + (f'<ol start="{start}">{steps}</ol>' if steps else "")
    return (
        f"<hr><p>{html.escape(f'{SIGNS[verdict.status]} {verdict.status.capitalize()}: {verdict.rule.says}')}</p>"
        f"{said}{listed}{_pictures(failure)}{printed}<p>{html.escape(hint_command(exercise))}</p>"
    )


def _pictures(failure: Failure) -> str:
    if failure.picture is not None:
        expected, got = (picture.html for picture in failure.picture.pictures())
    elif failure.difference is not None:
        expected, got = (f"<pre>{html.escape(chr(10).join(lines))}</pre>" for lines in beside(failure.difference))
    else:
        return ""
    return f"<p>What it should be:</p>{expected}<p>What it is with your code:</p>{got}"
