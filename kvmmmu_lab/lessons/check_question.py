# SPDX-License-Identifier: GPL-2.0-only
"""A check question at the end of a lesson: the engine grades it at once, and then asks it again with other numbers.

It is written like a question of the lesson (see `question`), as a generator, but it makes its own machine from a seed. So the
answer can be measured as soon as a choice has been made, and the next seed gives another question.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Callable
from typing import Any

from ..errors import InputError
from ..labs.prediction import Outcome
from ..player.cell_output import UNATTENDED, has_kernel
from ..printable import escaped_html
from ..progress import Progress
from .question import DONT_KNOW, Answer, Ask, OpenPrediction, Steps, without_comments

ANOTHER = "For other numbers, call its method another."


class CheckQuestion(OpenPrediction):
    """A check question. ``steps`` asks it for a seed; ``seed`` is the present one; ``key`` identifies it in the progress.

    The first choice is graded at once. `another` asks again with the next seed.
    """

    def __init__(self, key: str, steps: Callable[[int], Steps], seed: int) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise InputError("seed", seed, "a whole number")
        super().__init__("", [])
        self.key, self.seed = key, seed
        self.outcome: Outcome | None = None
        """The verdict, or None before a choice has been made."""
        self._measured: Answer | None = None
        self._make = steps
        self._ask()

    def _ask(self) -> None:
        """Ask with the present seed."""
        self.outcome, self._measured = None, None
        self._steps = self._make(self.seed)
        ask = next(self._steps)
        assert isinstance(ask, Ask)
        self.question = ask.words
        self.ask_again([*ask.choices, DONT_KNOW])

    def another(self) -> None:
        """Ask again with the next seed."""
        self.seed += 1
        self._ask()

    def measured(self) -> Answer:
        """Return the answer. It is measured at the first call."""
        if self._measured is None:
            answer = self._steps.send(())
            assert isinstance(answer, Answer)
            self._measured = answer
        return self._measured

    def settle(self) -> None:
        """Grade the first choice, record it, and show the verdict."""
        if self.answer is None or self.outcome is not None:
            return
        answer = self.measured()
        self.outcome = Outcome(self, answer.happened, answer.words, answer.why)
        self.outcome.answer = None if self.answer == DONT_KNOW else self.answer
        choice = None if self.outcome.answer is None else str(self.outcome.answer)
        Progress().checked(self.key, choice, bool(self.outcome.right))
        self._update()

    def make_note(self) -> str:
        """Return a line that says which choice was graded, if it isn't the selected one."""
        if self.outcome is None:
            return ""
        graded = DONT_KNOW if self.outcome.answer is None else self.outcome.answer
        return "" if self.answer == graded else f"Your first answer counts: {graded}. Try another one."

    # What it shows

    def make_widget(self, ui: Any) -> Any:
        """Create the question with its radio buttons, the verdict, and the button "Another one"."""
        group, verdict = super().make_widget(ui), ui.html()
        another = ui.last_button("Another one", "Ask this question again with other numbers", self.another)

        def show() -> None:
            verdict.value = f'<div role="status">{self.verdict_html()}</div>'

        show()
        self._views.append(show)
        return ui.column(group, verdict, another)

    def verdict_html(self) -> str:
        """Return the verdict, the reason, and the text that follows as HTML; "" before a choice has been made."""
        if self.outcome is None:
            return ""
        return self.outcome._repr_mimebundle_()["text/html"] + paragraphs(self.measured().more)

    def still(self) -> str:
        """Return the question as HTML, with its verdict. Where nobody can answer, the answer is folded."""
        question = super().still()
        if self.outcome is not None or (has_kernel() and not os.environ.get(UNATTENDED)):
            return question + self.verdict_html()
        answer = self.measured()
        words, why = (escaped_html(str(text)) for text in (answer.words or answer.happened, answer.why))
        folded = f"<details><summary>Answer</summary><p>{words}.</p><p>Why: {why}</p>{paragraphs(answer.more)}</details>"
        return f'<div class="kvmmmu-check">{question}{folded}</div>'

    def __str__(self) -> str:
        """The question and its choices, and then the verdict."""
        parts = [super().__str__()]
        if self.outcome is not None:
            more = without_comments(textwrap.dedent(self.measured().more).strip())
            parts += [str(self.outcome), *filter(None, [more]), ANOTHER]
        return "\n".join(parts)

    __repr__ = __str__


def paragraphs(text: str) -> str:
    """Return paragraphs of Markdown as HTML. Of its markup, `code`, *emphasis* and **strong emphasis** are known."""
    shown = []
    for paragraph in re.split(r"\n\s*\n", without_comments(textwrap.dedent(text)).strip()):
        markup = escaped_html(" ".join(paragraph.split()))
        markup = re.sub(r"`([^`]+)`", r"<code>\1</code>", markup)
        markup = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", markup)
        shown.append(re.sub(r"\*([^*]+)\*", r"<em>\1</em>", markup))
    return "".join(f'<p style="max-width:60em">{markup}</p>' for markup in shown if markup)
