# SPDX-License-Identifier: GPL-2.0-only
"""`Form`: the base class of all forms, with the verdict, the film, the picture and error messages.

A lab doesn't depend on its form: `form_of` registers the class of the form with the class of the lab.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from ..draw.render import RenderError
from ..errors import InputError
from ..player.cell_output import close_all
from ..player.error_card import html_of
from ..printable import escaped_html
from .display import load_widgets
from .lab import GuestLab, Lab, Round, error_html
from .number import parse_number, read_number
from .prediction import Prediction
from .watch import Watch

FormClass = TypeVar("FormClass", bound="type[Form]")


def form_of(lab: type[Lab]) -> Callable[[FormClass], FormClass]:
    """Return a class decorator that registers a `Form` as the form of the class ``lab``."""

    def register(form: FormClass) -> FormClass:
        lab.form_class = form
        return form

    return register


OUTDATED = "You have changed your choices since then. This is the result for the previous ones."

NARROW = '<div style="contain:inline-size">{}</div>'
"""HTML that is never wider than its widget, so that a wide picture scrolls, and not the form."""

FILM, NOW = "film", "now"
VIEWS = [("film of the last step", FILM), ("state now", NOW)]


class Form:
    """The form of a lab. ``box`` is its widget: the controls and beside them the verdict; the film or the picture; the text.

    A subclass returns its controls from `controls` and updates them in `refresh`. It builds them with ``ui``, the module
    `labs.widgets`, and with `button`, `field` and `question`. Raises ImportError if ipywidgets isn't installed.
    """

    controls_width = "680px"
    """The width that the controls need. The verdict is beside them if there is room, else below."""

    low = False
    """Whether the controls are wide and low. Then the verdict is beside the film, which has more height, or above it."""

    def __init__(self, lab: Lab) -> None:
        self.ui = ui = load_widgets()
        self.lab = lab
        self.fields: list[Any] = []
        self.status, self.picture, self.state = (ui.html(**layout) for layout in (ui.REST, ui.WIDE, ui.WIDE))
        self.stage = ui.column(**ui.STAGE)
        self.film: Watch | None = None
        self.round = Round()
        self.undo = self.button("Undo", "Take back the last step", lab.undo)
        self.redo = self.button("Redo", "Repeat the step that was taken back", lab.redo)
        self.view = ui.menu("Show", VIEWS, FILM, "What is shown below the controls")
        self.view.observe(lambda change: self.act(lambda: None), "value")
        self.view.layout.display = "none"
        title = ui.html(f'<div style="font-size:16px;font-weight:600;margin-right:16px">{escaped_html(lab.title)}</div>')
        controls = ui.column(*self.controls(), min_width="0")
        head = controls if self.low else ui.row(controls, self.status, align_items="flex-start")
        controls.layout.flex = None if self.low else f"1 1 {self.controls_width}"
        top = ui.row(title, self.undo, self.redo, *self.tools(), self.view)
        self.box = ui.column(top, head, *self.body(), **ui.WIDE)
        self.box.add_class("kvmmmu-form")
        self.act(self.refresh)

    # For subclasses

    def controls(self) -> list[Any]:
        """Return the controls of this lab, from top to bottom."""
        raise NotImplementedError

    def tools(self) -> list[Any]:
        """Return further controls for the row of the title, beside *Undo* and *Redo*."""
        return []

    def body(self) -> list[Any]:
        """Return what is below the controls."""
        shown = [self.picture, self.stage]
        return [*([self.ui.beside(self.status, *shown)] if self.low else shown), self.state]

    def refresh(self) -> None:
        """Show the current state of the lab. Called after every action."""
        lab = self.lab
        text = f'<pre style="white-space:pre-wrap;line-height:1.4">{escaped_html(lab.state())}</pre>'
        self.state.value = f"<details><summary>The state as text</summary>{text}</details>"
        self.show_result()

    def holds(self) -> bool:
        """Return whether the verdict is about what is chosen now."""
        return bool(self.round.choices == self.lab.choices())

    def show_result(self) -> None:
        """Show the verdict, and the film or the picture. A verdict that no longer holds says so, and has no film."""
        holds = self.holds()
        self.set_verdict("" if holds else OUTDATED)
        played = self.film is not None and holds
        self.view.layout.display = "" if played else "none"
        shown = played and self.view.value == FILM
        self.stage.layout.display = "" if shown else "none"
        drawing = "" if shown else self.lab.drawing()
        self.picture.value = drawing and NARROW.format(drawing)

    def set_verdict(self, notice: str = "") -> None:
        """Show the verdict of the round. ``notice``: a sentence about it that comes first.

        As long as the verdict is about what is chosen, the controls and the film say what the round was.
        """
        shown = self.round if notice or self.film is None else replace(self.round, about="")
        text = shown.html
        said = f'<div style="font-weight:600">{escaped_html(notice)}</div>' if notice and text else ""
        self.status.value = status_html(said + text)
        self.status.layout.display = "" if text else "none"

    def button(self, name: str, tooltip: str, action: Callable[[], Any], primary: bool = False) -> Any:
        """Return a button that runs ``action`` and shows the result."""
        return self.ui.button(name, tooltip, lambda: self.act(action), primary)

    def field(self, *arguments: Any, **options: Any) -> Any:
        """Return a `widgets.InputField` that shows the error messages about its argument."""
        made = self.ui.InputField(*arguments, **options)
        self.fields.append(made)
        return made

    def number(self, field: Any, prefer: int = 16) -> int:
        """Return the number in a field. If it can be read in two ways, a note below the field says so, and offers the other.

        Raises InputError if there is no number (see `read_number`).
        """
        number = read_number(field.text.value, field.argument, prefer=prefer)
        field.set_note(number.note, number.other)
        return number.value

    def peek(self, field: Any, prefer: int = 16) -> int | None:
        """Return the number in a field, or None if there is none (yet)."""
        try:
            return parse_number(field.text.value, prefer=prefer)
        except InputError:
            return None

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
            self.undo.disabled, self.redo.disabled = not self.lab.can_undo, not self.lab.can_redo
        except InputError as error:
            field_ = next((field for field in self.fields if field.argument == error.argument), None)
            if field_ is None:
                self.show_error(error_html(error))
            else:
                field_.set_message(f"Expected {error.expected}.")
        except KeyboardInterrupt:
            words = "This was interrupted before it finished. Start again with a new guest."
            self.show_error(html_of("Interrupted", [words]))
        except Exception as error:
            self.show_error(error_html(error))
        self.lab.save_still()

    def show_error(self, text: str) -> None:
        """Show an error, as HTML, in place of the verdict."""
        self.status.value, self.status.layout.display = text, ""

    def show(self, round_: Round) -> None:
        """Show the verdict of a round and its film. Close the previous film."""
        old, self.round, self.film = self.stage.children, round_, round_.film
        self.set_verdict()
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
