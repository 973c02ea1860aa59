# SPDX-License-Identifier: GPL-2.0-only
"""A question of a lesson: it is asked, something happens on a machine, and only then is the answer measured and shown.

The text of a notebook is on the screen from the start, also below the question. So neither the answer nor its reason may be
in the notebook. They are in the lesson's module, as a generator: it yields an `Ask`, and after the next cell of the notebook
has done what the question is about, it measures what happened and yields an `Answer`.
"""

from __future__ import annotations

import copy
import os
import re
import textwrap
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import LabError
from ..labs.prediction import Outcome, Prediction
from ..player.cell_output import UNATTENDED, ReplaceableOutput, has_kernel
from ..printable import escaped_html
from ..progress import Progress

DONT_KNOW = "I don't know"

CHOOSE = "First choose an answer above, or \N{LEFT DOUBLE QUOTATION MARK}I don't know\N{RIGHT DOUBLE QUOTATION MARK}. \
What happened, and why, then appears here."


@dataclass(frozen=True)
class Ask:
    """A question. ``on``: the machine on which the next cell acts; `Question.reveal` notices if that has not happened yet."""

    words: str
    choices: Sequence[Any]
    on: Any = None


@dataclass(frozen=True)
class Answer:
    """What happened: one of the choices, as measured. ``why`` is the reason, in a sentence or two of plain text.

    ``words`` replace ``str(happened)`` in the verdict. ``more`` is the text that follows, as Markdown. It may contain a slide
    comment and may be indented.
    """

    happened: Any
    why: str
    words: str = ""
    more: str = ""


Steps = Generator[Ask | Answer, Any, None]
"""What asks a question: it yields an `Ask`, receives the arguments of `Question.reveal`, and yields an `Answer`."""


def without_comments(text: str) -> str:
    """Remove the comments of a text in Markdown, such as the one for slides."""
    return re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)


def with_distinct_links(text: str) -> str:
    """Set the links in a text in Markdown in italics. In outputs, JupyterLab shows links by colour alone."""
    return re.sub(r"(?<!\*)\[[^]*]+\]\(https?://[^)]+\)(?!\*)", r"*\g<0>*", text)


class Passage:
    """A text in Markdown that a lesson shows when its cell runs, because the reader should not see it before."""

    def __init__(self, text: str) -> None:
        self.text = with_distinct_links(textwrap.dedent(text).strip())

    def __str__(self) -> str:
        return without_comments(self.text)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/markdown": self.text, "text/plain": str(self)}


class OpenPrediction(Prediction):
    """A prediction whose last choice is "I don't know"."""

    def still(self) -> str:
        """Return the question as HTML. "I don't know" is left out unless it is the answer."""
        every = self.choices
        try:
            self.choices = [choice for choice in every if choice != DONT_KNOW or self.answer == DONT_KNOW]
            return super().still()
        finally:
            self.choices = every


class Question(OpenPrediction):
    """A question of a lesson. ``key`` identifies it in the learner's progress; `reveal` shows the answer.

    ``first`` is the answer that counts: the one when the next cell runs, or else the first one after that, which is ``late``.
    """

    def __init__(self, key: str, steps: Steps) -> None:
        ask = next(steps)
        assert isinstance(ask, Ask)
        super().__init__(ask.words, [*ask.choices, DONT_KNOW])
        self.key, self.first, self.late, self.revealed = key, None, False, False
        self.outcome: Outcome | None = None
        self.more = ""
        self._steps, self._on = steps, ask.on
        self._before, self._asked_in = _state(ask.on), 0
        self._waiting: list[Callable[[], object]] = []
        self.asked()

    def asked(self) -> None:
        """Called when the question is shown. If nothing has happened yet, the choice can still be changed."""
        if self.outcome is None and _state(self._on) == self._before:
            self.first, self.late, self._asked_in = None, False, _cells_run()
            _before_next_cell(self._next_cell)

    @property
    def made(self) -> bool:
        """Whether a choice was made; "I don't know" is one."""
        return self.answer is not None

    def _next_cell(self) -> None:
        """Called once, when another cell runs: it shows the answer, so a choice counts only if it was made before."""
        if self.outcome is None:
            self.first, self.late = self.answer, self.answer is None

    def reveal(self, *happened: Any) -> Reveal:
        """Measure what happened, and return the answer. It appears as soon as a choice has been made.

        ``happened`` is what the question needs to know about the cell before. A second call shows the same answer again.
        Raises LabError if nothing has happened on the machine since the question was asked.
        """
        if self.outcome is None:
            if _cells_run() == self._asked_in + 1:
                self.late = False  # no other cell has shown anything
            if self._on is not None and _state(self._on) == self._before:
                raise LabError("nothing has happened since the question; first run the cell between the question and this one")
            answer = self._steps.send(happened[0] if len(happened) == 1 else happened)
            assert isinstance(answer, Answer)
            self.outcome = Outcome(self, answer.happened, answer.words, answer.why)
            self.more = with_distinct_links(textwrap.dedent(answer.more).strip())
        return Reveal(self, self.outcome)

    def settle(self) -> None:
        """Show the answer where a cell waits for a choice."""
        if self.made:
            for show in self._waiting:
                show()
            self._waiting.clear()

    def wait(self, show: Callable[[], object]) -> None:
        """Call ``show`` as soon as a choice has been made."""
        self._waiting.append(show)

    def commit(self, outcome: Outcome) -> None:
        """Make the present choice the one that counts, and record it. Called when the answer is shown."""
        if self.revealed or not self.made:
            return
        self.first = self.answer if self.first is None else self.first
        self.revealed = True
        outcome.answer = None if self.first == DONT_KNOW else self.first
        Progress().predicted(self.key, None if outcome.answer is None else str(self.first), bool(outcome.right), self.late)
        self._update()

    def make_note(self) -> str:
        """Return a line that says which answer counts, if it isn't the selected one."""
        if not self.revealed or self.answer == self.first:
            return ""
        return f"Your first answer counts: {self.first}. This one was chosen after the answer was shown."


class Reveal:
    """The answer to a question, shown once a choice has been made: the verdict, the reason, and the text that follows."""

    def __init__(self, question: Question, outcome: Outcome) -> None:
        self.question, self.outcome = question, outcome

    @property
    def open(self) -> bool:
        """Whether the answer may be shown."""
        return self.question.made or bool(os.environ.get(UNATTENDED))

    def parts(self) -> list[dict[str, str]]:
        """Return what is shown now, as MIME bundles: the verdict with its reason, and the text that follows."""
        if not self.open:
            words = escaped_html(CHOOSE)
            return [
                {"text/html": f'<p class="kvmmmu-waiting" role="status">{words}</p>', "text/plain": CHOOSE},
                {"text/plain": ""},
            ]
        self.question.commit(self.outcome)
        more = self.question.more
        plain = without_comments(more)
        return [self.outcome._repr_mimebundle_(), {"text/markdown": more, "text/plain": plain}]

    def __str__(self) -> str:
        if not self.open:
            return f"{CHOOSE}\n{self.question}"
        return "\n\n".join(filter(None, (part["text/plain"] for part in self.parts())))

    __repr__ = __str__

    def _ipython_display_(self) -> None:
        """Show the parts; while no choice has been made, show what to do, and replace it afterwards."""
        if not has_kernel():
            print(self)
            return
        was_open = self.open
        parts = [part for part in self.parts() if not was_open or any(part.values())]
        outputs = [ReplaceableOutput(f"answer {self.question.key} {number}") for number in range(len(parts))]
        for output, part in zip(outputs, parts, strict=True):
            output.show(part)

        def show() -> None:
            for output, part in zip(outputs, self.parts(), strict=False):
                output.replace(part)

        if not was_open:
            self.question.wait(show)


def _state(machine: Any) -> Any:
    """Return what changes when something happens on a machine: the counts of its events, and whether its host is alive."""
    return None if machine is None else (copy.copy(machine.stats), machine.dead)


def _cells_run() -> int:
    """Return how many cells of this notebook have run, with the present one; 0 outside IPython."""
    try:
        from IPython import get_ipython
    except ImportError:
        return 0
    shell = get_ipython()
    return 0 if shell is None else int(shell.execution_count)


def _before_next_cell(call: Callable[[], None]) -> None:
    """Call a function once, before the next cell of the notebook runs. Outside IPython, do nothing."""
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is None:
        return

    def once(*_: Any) -> None:
        shell.events.unregister("pre_run_cell", once)
        call()

    shell.events.register("pre_run_cell", once)
