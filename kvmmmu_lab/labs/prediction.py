# SPDX-License-Identifier: GPL-2.0-only
"""`predict`: ask a question before the result is shown, and compare the answer with what happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import InputError
from ..printable import escaped_html
from .display import Displayable

NO_GUESS = "(no guess)"
NOT_GUESSED = "(You made no guess this time.)"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
HOW_TO_ANSWER = 'To answer, call the method guess of this question with a letter or a choice: guess("A").'
AGAIN = "Run the comparison again to check this guess."


def predict(question: str, choices: Sequence[Any]) -> Prediction:
    """Return a question with at least two ``choices``; see `Prediction`. Raises InputError if there are fewer."""
    if isinstance(choices, str) or len(choices) < 2:
        raise InputError("choices", choices, "at least two answers to choose from")
    return Prediction(question, list(choices))


class Prediction(Displayable):
    """A question with choices. Select one in a notebook, or call `guess`; then `compare` it with what happened.

    ``answer`` is the selected choice, or None.
    """

    def __init__(self, question: str, choices: list[Any]) -> None:
        self.question, self.choices = question, choices
        self.answer: Any = None
        self.judged: list[Any] = []
        """The answer at the latest comparison, as a list of one; empty if there was no comparison."""
        self.note = ""
        """A line below the choices: what the latest change of the answer means."""
        self._views: list[Callable[[], None]] = []
        self._updating = False

    def choice(self, answer: Any, argument: str = "answer") -> Any:
        """Return the choice that equals ``answer``, or None if ``answer`` is None.

        Raises InputError about ``argument`` if no choice equals it.
        """
        for choice in [None, *self.choices]:
            if choice is answer or (choice == answer and isinstance(answer, bool) is isinstance(choice, bool)):
                return choice
        raise InputError(argument, answer, f"one of {', '.join(map(repr, self.choices))}")

    def guess(self, answer: Any) -> None:
        """Select one of the choices, by value or letter; None withdraws the answer. Raises InputError otherwise."""
        letter = answer if isinstance(answer, str) and answer in LETTERS[: len(self.choices)] else ""
        by_letter = len(letter) == 1 and letter not in self.choices
        self.answer = self.choices[LETTERS.index(letter)] if by_letter else self.choice(answer)
        self._update()
        self.settle()

    def settle(self) -> None:
        """Called when the answer has been chosen for good: with `guess`, a click, or a key that confirms it."""

    def compare(self, happened: Any, words: str = "", why: str = "") -> Outcome:
        """Compare the answer with what happened. ``words`` replace ``str(happened)`` in the verdict; ``why`` is the reason."""
        self.judged = [self.answer]
        self._update()
        return Outcome(self, happened, words, why)

    def ask_again(self, choices: Sequence[Any] | None = None) -> None:
        """Remove the answer, and replace the choices if new ones are given."""
        self.choices = self.choices if choices is None else list(choices)
        self.answer, self.judged = None, []
        self._update()

    # What it shows

    def make_widget(self, ui: Any) -> Any:
        """Create the question with its radio buttons."""
        group = ui.radio_group(self.question, [str(choice) for choice in self.choices])

        def show() -> None:
            group.question, group.labels = self.question, [str(choice) for choice in self.choices]
            group.index = None if self.answer is None else self.choices.index(self.answer)
            if self.answer is None:
                group.settled = None  # so that the same choice can be confirmed once more
            group.note = self.note

        def selected(change: Any) -> None:
            if not self._updating:
                self.answer = None if change["new"] is None else self.choices[change["new"]]
                self._update()

        def settled(change: Any) -> None:
            if change["new"] is not None and not self._updating:
                self.settle()

        show()
        self._views.append(show)
        group.observe(selected, "index")
        group.observe(settled, "settled")
        return group

    def menu(self, ui: Any) -> Any:
        """Return the choices as a menu, for a form."""
        menu = ui.menu(self.question, self._options(NO_GUESS), NO_GUESS)
        self._connect(menu, NO_GUESS)
        return menu

    def _options(self, *none: str) -> tuple[tuple[str, Any], ...]:
        """Return (label, choice) pairs. ``none``: the label for no answer, which comes first."""
        return tuple([(label, label) for label in none] + [(str(choice), choice) for choice in self.choices])

    def _connect(self, widget: Any, *none: str) -> None:
        """Keep the selection in a widget equal to the answer, in both directions."""
        shift = len(none)

        def show() -> None:
            if widget.options != self._options(*none):
                widget.options = self._options(*none)
            index = -1 if self.answer is None else self.choices.index(self.answer)
            widget.index = None if index + shift < 0 else index + shift

        def selected(change: Any) -> None:
            if not self._updating:
                index = -1 if change["new"] is None else change["new"] - shift
                self.answer = None if index < 0 else self.choices[index]
                self._update()

        show()
        self._views.append(show)
        widget.observe(selected, "index")

    def _update(self) -> None:
        """Make all widgets show the current answer, choices and note."""
        self.note = self.make_note()
        self._updating = True
        for view in self._views:
            view()
        self._updating = False
        self.save_still()

    def make_note(self) -> str:
        """Return the line below the choices, or ""."""
        return AGAIN if self.judged and self.judged != [self.answer] else ""

    def still(self) -> str:
        """Return the question and the choices as HTML; the selected one is marked."""
        choices = "".join(f"<li>{self._still_choice(choice)}</li>" for choice in self.choices)
        return f'<div class="kvmmmu-question"><p><b>{escaped_html(self.question)}</b></p><ol type="A">{choices}</ol></div>'

    def _still_choice(self, choice: Any) -> str:
        text = escaped_html(str(choice))
        selected = self.answer is not None and choice is self.answer
        return f"<b>{text}</b> \N{LEFTWARDS ARROW} your prediction" if selected else text

    def __str__(self) -> str:
        """The question, a line for each choice, and how to answer in a terminal."""
        choices = [f"  {letter}. {choice}" for letter, choice in zip(LETTERS, self.choices, strict=False)]
        said = f"Your answer: {self.answer}" if self.answer is not None else HOW_TO_ANSWER
        return "\n".join([self.question, *choices, said])

    __repr__ = __str__


class Outcome:
    """The result of a comparison: the answer at that time, what happened, and ``why``: the reason, or ""."""

    def __init__(self, prediction: Prediction, happened: Any, words: str = "", why: str = "") -> None:
        self.prediction, self.answer, self.happened = prediction, prediction.answer, happened
        self.words, self.why = words or str(happened), why

    @property
    def right(self) -> bool | None:
        """Whether the answer is right; None if there is none."""
        return None if self.answer is None else bool(self.answer == self.happened)

    @property
    def sign(self) -> str:
        """A sign that shows whether the answer is right or wrong, or that there is none."""
        return {True: "✓", False: "✗", None: "·"}[self.right]

    @property
    def verdict(self) -> str:
        """The answer and what happened. A wrong answer without a reason is followed by a question to think about."""
        if self.right is None:
            return f"It was: {self.words}. {NOT_GUESSED}"
        judged = "Right!" if self.right else "" if self.why else "Which step did you expect to be different?"
        return f"You said: {self.answer}. It was: {self.words}. {judged}".rstrip()

    def __str__(self) -> str:
        return self.verdict + f"\nWhy: {self.why}" * bool(self.why)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        asked = f"<p hidden>{escaped_html(self.prediction.question)}</p>"  # slides repeat the question
        said = escaped_html(self.verdict).replace(NOT_GUESSED, f"<small>{NOT_GUESSED}</small>")
        why = f'<p style="max-width:60em">Why: {escaped_html(self.why)}</p>' * bool(self.why)
        sign = f"<small><b>{self.sign}</b></small>" if self.right is None else f"<b>{self.sign}</b>"
        markup = f'<div class="kvmmmu-answer">{asked}<p>{sign} {said}</p>{why}</div>'
        return {"text/plain": str(self), "text/html": markup}
