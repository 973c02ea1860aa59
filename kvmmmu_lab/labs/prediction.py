# SPDX-License-Identifier: GPL-2.0-only
"""`predict`: a question to be answered before looking, and compared with what happened."""

from __future__ import annotations

import functools
import html
from collections.abc import Sequence
from typing import Any

from ..errors import InputError
from .cells import Shown

NO_GUESS = "(no guess)"


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

    def compare(self, happened: Any) -> Outcome:
        """The answer beside what happened. No answer is no shame, but guessing first makes it stick."""
        return Outcome(self, happened)

    @functools.cached_property
    def widget(self) -> Any:
        """Question and choices. Raises ImportError without ipywidgets."""
        import ipywidgets as widgets

        return widgets.VBox([widgets.HTML(f"<b>{html.escape(self.question)}</b>"), self.radio])

    @functools.cached_property
    def radio(self) -> Any:
        """A button for each choice. Raises ImportError without ipywidgets."""
        import ipywidgets as widgets

        radio = widgets.RadioButtons(
            options=[(str(choice), choice) for choice in self.choices], value=self.answer, layout={"width": "max-content"}
        )
        radio.observe(lambda change: setattr(self, "answer", change["new"]), "value")
        return radio

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
        self.answer = None

    def still(self) -> str:
        """Question and choices in one line."""
        return f"<p>{html.escape(str(self))}</p>"

    def __str__(self) -> str:
        return f"{self.question} {' / '.join(map(str, self.choices))}"

    __repr__ = __str__


class Outcome:
    """A prediction beside what happened, both as they were then."""

    def __init__(self, prediction: Prediction, happened: Any) -> None:
        self.prediction, self.answer, self.happened = prediction, prediction.answer, happened

    @property
    def right(self) -> bool | None:
        """Whether the prediction came true; None if there was none."""
        return None if self.answer is None else bool(self.answer == self.happened)

    @property
    def sign(self) -> str:
        """One sign for right, wrong, no guess."""
        return {True: "✓", False: "✗", None: "·"}[self.right]

    def __str__(self) -> str:
        if self.right is None:
            return f"It was: {self.happened}. (You made no guess this time.)"
        verdict = "Right!" if self.right else "Where did your picture of it differ?"
        return f"You said: {self.answer}. It was: {self.happened}. {verdict}"

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": f"<p><b>{self.sign}</b> {html.escape(str(self))}</p>"}
