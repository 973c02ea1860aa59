# SPDX-License-Identifier: GPL-2.0-only
"""`predict`: a question to be answered before looking, and compared with what happened."""

from __future__ import annotations

import functools
import html
from collections.abc import Sequence
from typing import Any

from ..errors import InputError
from .display import Shown

NO_GUESS = "(no guess)"
NOT_GUESSED = "(You made no guess this time.)"
AGAIN = "Run the comparison again to see this guess judged."


def predict(question: str, choices: Sequence[Any]) -> Prediction:
    """Ask ``question`` with some ``choices``. The answer isn't judged before `Prediction.compare` knows what happened."""
    if isinstance(choices, str) or len(choices) < 2:
        raise InputError("choices", choices, "at least two answers to choose from")
    return Prediction(question, list(choices))


class Prediction(Shown):
    """Show it in a notebook to choose, or `guess`; ``answer`` is what was chosen, None until then."""

    def __init__(self, question: str, choices: list[Any]) -> None:
        self.question, self.choices = question, choices
        self.answer: Any = None
        self.judged: list[Any] = []
        """The answer that was compared last, if one was: another one since isn't judged yet."""

    def choice(self, answer: Any, argument: str = "answer") -> Any:
        """The choice that an answer stands for; None stands for none. Raises InputError, about ``argument``."""
        for choice in [None, *self.choices]:
            if choice is answer or (choice == answer and isinstance(answer, bool) is isinstance(choice, bool)):
                return choice
        raise InputError(argument, answer, f"one of {', '.join(map(repr, self.choices))}")

    def guess(self, answer: Any) -> None:
        """Answer with one of the choices, or take the answer back (None). Raises InputError."""
        self.answer = self.choice(answer)
        index = None if self.answer is None else self.choices.index(self.answer)
        if "radio" in vars(self):
            self.radio.index = index
        if "menu" in vars(self):
            self.menu.index = 0 if index is None else 1 + index
        self._remind()

    def compare(self, happened: Any, words: str = "", why: str = "") -> Outcome:
        """The answer beside what happened (in other ``words``, if given), and ``why``. Guessing first makes it stick."""
        self.judged = [self.answer]
        self._remind()
        return Outcome(self, happened, words, why)

    def _remind(self) -> None:
        """Say under the choices that the answer changed after a comparison: that one stays as it was."""
        if "note" in vars(self):
            waiting = bool(self.judged) and self.judged != [self.answer]
            self.note.value = f'<span role="status" style="opacity:.8">{AGAIN}</span>' if waiting else ""
            self.note.layout.display = "" if waiting else "none"

    @functools.cached_property
    def widget(self) -> Any:
        """Question and choices. Raises ImportError without ipywidgets."""
        import ipywidgets as widgets

        return widgets.VBox([widgets.HTML(f"<b>{html.escape(self.question)}</b>"), self.radio, self.note])

    @functools.cached_property
    def note(self) -> Any:
        """A line under the choices, empty at first. Raises ImportError without ipywidgets."""
        import ipywidgets as widgets

        return widgets.HTML(layout={"display": "none"})

    @functools.cached_property
    def radio(self) -> Any:
        """A button for each choice. Raises ImportError without ipywidgets."""
        import ipywidgets as widgets

        radio = widgets.RadioButtons(
            options=[(str(choice), choice) for choice in self.choices], value=self.answer, layout={"width": "max-content"}
        )
        radio.observe(lambda change: self._picked(change["new"]), "value")
        return radio

    def _picked(self, answer: Any) -> None:
        self.answer = answer
        self._remind()

    @functools.cached_property
    def menu(self) -> Any:
        """The same as a menu of one line, for a form with little room. Raises ImportError without ipywidgets."""
        import ipywidgets as widgets

        menu = widgets.Dropdown(
            options=self._options(),
            index=0 if self.answer is None else 1 + self.choices.index(self.answer),
            description=self.question,
            tooltip=self.question,
            style={"description_width": "initial"},
            layout={"width": "max-content", "max_width": "100%", "margin": "2px 20px 2px 2px"},
        )
        menu.observe(lambda change: self._chosen(change["new"]), "index")
        return menu

    def _chosen(self, index: int | None) -> None:
        self.answer = self.choices[index - 1] if index else None

    def _options(self) -> list[str]:
        return [NO_GUESS, *map(str, self.choices)]

    def ask_again(self, choices: Sequence[Any] | None = None) -> None:
        """Forget the answer, and offer other ``choices``, if some are given."""
        self.choices = self.choices if choices is None else list(choices)
        if "menu" in vars(self):
            self.menu.options = self._options()
            self.menu.index = 0
        if "radio" in vars(self):
            self.radio.options = [(str(choice), choice) for choice in self.choices]
            self.radio.index = None
        self.answer, self.judged = None, []
        self._remind()

    def still(self) -> str:
        """Question and choices."""
        choices = "".join(f"<li>{html.escape(str(choice))}</li>" for choice in self.choices)
        return f'<div class="kvmmmu-question"><p><b>{html.escape(self.question)}</b></p><ol type="A">{choices}</ol></div>'

    def __str__(self) -> str:
        return f"{self.question} {' / '.join(map(str, self.choices))}"

    __repr__ = __str__


class Outcome:
    """A prediction beside what happened, both as they were then; ``why`` it happened, if somebody said so."""

    def __init__(self, prediction: Prediction, happened: Any, words: str = "", why: str = "") -> None:
        self.prediction, self.answer, self.happened = prediction, prediction.answer, happened
        self.words, self.why = words or str(happened), why

    @property
    def right(self) -> bool | None:
        """Whether the prediction came true; None if there was none."""
        return None if self.answer is None else bool(self.answer == self.happened)

    @property
    def sign(self) -> str:
        """One sign for right, wrong, no guess."""
        return {True: "✓", False: "✗", None: "·"}[self.right]

    @property
    def verdict(self) -> str:
        """What was said and what it was. Where no reason will be given, a wrong answer is sent to look for one."""
        if self.right is None:
            return f"It was: {self.words}. {NOT_GUESSED}"
        judged = "Right!" if self.right else "" if self.why else "Where did your picture of it differ?"
        return f"You said: {self.answer}. It was: {self.words}. {judged}".rstrip()

    def __str__(self) -> str:
        return self.verdict + f"\nWhy: {self.why}" * bool(self.why)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        asked = f"<p hidden>{html.escape(self.prediction.question)}</p>"  # slides show it again
        said = html.escape(self.verdict).replace(NOT_GUESSED, f"<small>{NOT_GUESSED}</small>")
        why = f'<p style="max-width:60em">Why: {html.escape(self.why)}</p>' * bool(self.why)
        sign = f"<small><b>{self.sign}</b></small>" if self.right is None else f"<b>{self.sign}</b>"
        markup = f'<div class="kvmmmu-answer">{asked}<p>{sign} {said}</p>{why}</div>'
        return {"text/plain": str(self), "text/html": markup}
