# SPDX-License-Identifier: GPL-2.0-only
"""`Form`: the base class of all forms, with the verdict, the film, the picture and error messages. Also `parse_number`.

A lab doesn't depend on its form: `form_of` registers the class of the form with the class of the lab.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any, TypeVar

from ..draw.render import RenderError
from ..errors import InputError
from ..player.cell_output import close_all
from ..player.error_card import html_of
from .display import load_widgets
from .lab import GuestLab, Lab, Round, error_html
from .prediction import Prediction
from .watch import Watch

FormClass = TypeVar("FormClass", bound="type[Form]")


def form_of(lab: type[Lab]) -> Callable[[FormClass], FormClass]:
    """Return a class decorator that registers a `Form` as the form of the class ``lab``."""

    def register(form: FormClass) -> FormClass:
        lab.form_class = form
        return form

    return register


class Form:
    """The form of a lab. ``box`` is its widget: the controls, the verdict, the picture, the film, and the state as text.

    A subclass returns its controls from `controls` and updates them in `refresh`. It builds them with ``ui``, the module
    `labs.widgets`, and with `button`, `field` and `question`. Raises ImportError if ipywidgets isn't installed.
    """

    def __init__(self, lab: Lab) -> None:
        self.ui = ui = load_widgets()
        self.lab = lab
        self.fields: list[Any] = []
        self.status, self.picture, self.state = (ui.html(**ui.WIDE) for _ in range(3))
        self.stage = ui.column(**ui.WIDE)
        self.film: Watch | None = None
        title = ui.html(f'<div style="font-size:16px;font-weight:600">{html.escape(lab.title)}</div>')
        self.box = ui.column(title, *self.controls(), self.status, self.picture, self.stage, self.state, **ui.WIDE)
        self.act(self.refresh)

    # For subclasses

    def controls(self) -> list[Any]:
        """Return the controls of this lab, from top to bottom."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Show the current state of the lab. Called after every action."""
        text = f'<pre style="white-space:pre-wrap;line-height:1.4">{html.escape(self.lab.state())}</pre>'
        self.state.value = f"<details><summary>The state as text</summary>{text}</details>"
        self.picture.value = self.lab.drawing()

    def button(self, name: str, tooltip: str, action: Callable[[], Any], primary: bool = False) -> Any:
        """Return a button that runs ``action`` and shows the result."""
        return self.ui.button(name, tooltip, lambda: self.act(action), primary)

    def field(self, *arguments: Any, **options: Any) -> Any:
        """Return a `widgets.InputField` that shows the error messages about its argument."""
        made = self.ui.InputField(*arguments, **options)
        self.fields.append(made)
        return made

    def question(self, prediction: Prediction) -> Any:
        """Return a menu for a prediction."""
        return prediction.menu(self.ui)

    # Actions

    def act(self, action: Callable[[], Any]) -> None:
        """Run an action, show the `Round` that it returns, and refresh the form.

        An `InputError` about a field is shown below that field; any other error is shown as a card.
        """
        for field in self.fields:
            field.set_message("")
        try:
            result = action()
            if isinstance(result, Round):
                self.show(result)
            self.refresh()
        except InputError as error:
            field_ = next((field for field in self.fields if field.argument == error.argument), None)
            if field_ is None:
                self.status.value = error_html(error)
            else:
                field_.set_message(f"Expected {error.expected}.")
        except KeyboardInterrupt:
            self.status.value = html_of(
                "Interrupted", ["This was interrupted before it finished. Start again with a new guest."]
            )
        except Exception as error:
            self.status.value = error_html(error)

    def show(self, round_: Round) -> None:
        """Show the verdict of a round with the film below it. Close the previous film."""
        self.status.value = status_html(round_.html)
        old, self.film = self.stage.children, round_.film
        self.stage.children = [self._player(round_.film)] if round_.film is not None else []
        for player in set(old) - set(self.stage.children):
            close_all(player)

    def _player(self, film: Watch) -> Any:
        """Return the widget that plays a film, or its steps as text if no renderer is installed."""
        try:
            return film.widget
        except RenderError:
            return self.ui.html(film.html)

    def clear(self) -> None:
        """Remove the verdict and the film."""
        self.show(Round())

    def close(self) -> None:
        """Close all widgets, including fields that aren't shown at the moment."""
        for part in (self.box, *(field.box for field in self.fields)):
            close_all(part)


class GuestForm(Form):
    """The form of a `GuestLab`."""

    lab: GuestLab

    def restart(self) -> None:
        """Start again with a new guest. If your own part raises an exception while it is built, show the error."""
        self.lab.reset()
        last = self.lab.last
        if self.lab.vm is None and last is not None:
            self.show(last)
        else:
            self.clear()


def status_html(text: str) -> str:
    """Return HTML that a screen reader announces when it changes."""
    return f'<div role="status" aria-live="polite" style="line-height:1.5">{text}</div>' if text else ""


# Numbers in input fields

NUMBER_EXPECTED = (
    "a number of at most {bits} bits: hexadecimal after 0x, binary after 0b, or decimal; without a prefix, it is "
    "hexadecimal only if it contains a letter from a to f"
)
NUMBER_PATTERNS = (
    (r"0x[0-9a-f]+", 16),
    (r"0b[01]+", 2),
    (r"[01]{32}|[01]{64}", 2),
    (r"[0-9]+", 10),
    (r"[0-9][0-9a-f]*h", 16),
    (r"(?!0b)[0-9a-f]+", 16),
)
"""The accepted notations, each with its base. The first match wins, so 32 or 64 zeros and ones are binary."""


def parse_number(text: str, argument: str = "text", bits: int = 64) -> int:
    """Return the unsigned number in ``text``: hexadecimal, binary or decimal, with spaces and underscores anywhere.

    Raises InputError about ``argument`` if ``text`` isn't a number of at most ``bits`` bits.

    >>> hex(parse_number("0x80000000_02b45c65")), parse_number("0b1 0110 0111"), parse_number("1_000")
    ('0x8000000002b45c65', 359, 1000)
    >>> hex(parse_number("2b4 5c65"))
    '0x2b45c65'
    """
    plain = re.sub(r"[\s_,'`|]", "", text).lower() if isinstance(text, str) else ""
    base = next((base for pattern, base in NUMBER_PATTERNS if re.fullmatch(pattern, plain)), None)
    value = int(plain.removesuffix("h"), base) if base and len(plain) <= 80 else None
    if value is None or value >= 1 << bits:
        raise InputError(argument, text, NUMBER_EXPECTED.format(bits=bits))
    return value
