# SPDX-License-Identifier: GPL-2.0-only
"""What the labs' forms share: inputs with a message beside them, and actions that never end in a traceback."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from ..errors import InputError
from ..player.cell_output import close_all
from .display import error_html, player_of
from .lab import GuestLab, Lab, Round
from .watch import Watch

ROW = {"flex_flow": "row wrap", "align_items": "center"}
WIDTH = {"width": "auto", "max_width": "1400px"}
WORDS = {"description_width": "initial"}


def status(text: str) -> str:
    """HTML that screen readers read out when it changes."""
    return f'<div role="status" aria-live="polite" style="line-height:1.5">{text}</div>' if text else ""


def heading(text: str) -> Any:
    """A small heading."""
    import ipywidgets as widgets

    return widgets.HTML(f'<div style="font-weight:600;padding-top:6px">{html.escape(text)}</div>')


def row(*parts: Any) -> Any:
    """Widgets side by side, as many as there is room for."""
    import ipywidgets as widgets

    return widgets.HBox(list(parts), layout=ROW)


def menu(name: str, options: list[Any], value: Any, tooltip: str = "", width: str = "max-content") -> Any:
    """A menu of one line."""
    import ipywidgets as widgets

    layout = {"width": width, "max_width": "100%", "margin": "2px 20px 2px 2px"}
    return widgets.Dropdown(options=options, value=value, description=name, tooltip=tooltip or name, style=WORDS, layout=layout)


def tick(name: str, value: bool, tooltip: str) -> Any:
    """A box to tick."""
    import ipywidgets as widgets

    layout = {"width": "max-content", "margin": "2px 14px 2px 2px"}
    return widgets.Checkbox(value=value, description=name, tooltip=tooltip, indent=False, layout=layout)


def choice(name: str, options: list[tuple[str, Any]], value: Any, tooltip: str) -> Any:
    """A few buttons of which one is down."""
    import ipywidgets as widgets

    return widgets.ToggleButtons(
        options=options,
        value=value,
        description=f"{name}\N{EN SPACE}",
        tooltip=tooltip,
        tooltips=[f"{tooltip}: {label}" for label, _ in options],
        style={**WORDS, "button_width": "76px"},
        layout={
            "width": "max-content",
            "margin": "2px 20px 2px 2px",
            "display": "flex",
            "flex_flow": "row nowrap",
            "align_items": "center",
        },
    )


def switch(letter: str, on: bool, says: str, width: str, change: Callable[[bool], None]) -> Any:
    """A flag to turn over. That it is set shows in colour and in its name: a dot stands before one that is clear."""
    import ipywidgets as widgets

    button = widgets.ToggleButton(value=on, layout={"width": width})

    def look() -> None:
        button.description = letter if button.value else f"·{letter}"
        button.tooltip = f"{says}: {'set' if button.value else 'clear'}"
        button.button_style = "info" if button.value else ""

    def changed(event: Any) -> None:
        look()
        change(event["new"])

    look()
    button.observe(changed, "value")
    return button


def quiet(text: str = "") -> Any:
    """A line that explains something; without a text there is none."""
    import ipywidgets as widgets

    line = widgets.HTML()
    say(line, text)
    return line


def say(line: Any, text: str) -> None:
    """Let a `quiet` line say something else."""
    line.value = f'<div style="opacity:.8;line-height:1.4;max-width:900px">{html.escape(text)}</div>' if text else ""
    line.layout.display = "" if text else "none"


class Field:
    """A line to fill in, with a message under it: a text, or a whole number. ``argument``: whose errors belong here.

    ``live``: every key counts, not only what stands there in the end. A message goes as soon as the field changes. ``box``
    holds both; in a row with others ``text`` and ``message`` are placed apart, so that a message pushes nothing away.
    """

    def __init__(
        self,
        argument: str,
        name: str,
        value: str | int,
        tooltip: str,
        width: str = "220px",
        empty: str = "",
        live: bool = False,
    ) -> None:
        import ipywidgets as widgets

        self.argument = argument
        shown: dict[str, Any] = {"value": value, "description": name, "tooltip": tooltip, "style": WORDS}
        shown |= {"continuous_update": live, "layout": {"width": width, "margin": "2px 24px 2px 2px"}}
        self.text = widgets.IntText(**shown) if isinstance(value, int) else widgets.Text(placeholder=empty, **shown)
        self.message = widgets.HTML(layout={"display": "none"})
        self.box = widgets.VBox([self.text, self.message])
        self.text.observe(lambda _: self.complain(""), "value")

    def complain(self, words: str) -> None:
        """Show a message, or none."""
        text = f'<span role="alert" style="color:#B3261E;background:#fff;padding:0 4px">{html.escape(words)}</span>'
        self.message.value = text if words else ""
        self.message.layout.display = "" if words else "none"


class Form:
    """The form of a lab. ``box`` is what to display; ``status`` shows the verdict, ``stage`` the film, ``state`` what is.

    Derived forms fill ``controls`` and say in `refresh` what follows from the lab's state.
    """

    def __init__(self, lab: Lab) -> None:
        import ipywidgets as widgets

        self.lab = lab
        self.fields: list[Field] = []
        self.state, self.status, self.picture = (widgets.HTML(layout=WIDTH) for _ in range(3))
        self.stage = widgets.VBox(layout=WIDTH)
        self.film: Watch | None = None
        title = widgets.HTML(f'<div style="font-size:16px;font-weight:600">{html.escape(lab.title)}</div>')
        parts = [title, *self.controls(), self.status, self.picture, self.stage, self.state]
        self.box = widgets.VBox(parts, layout=WIDTH)
        self.act(self.refresh)

    def controls(self) -> list[Any]:
        """The lab's own controls."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Show the lab's state."""
        text = f'<pre style="white-space:pre-wrap;line-height:1.4">{html.escape(self.lab.state())}</pre>'
        self.state.value = f"<details><summary>The state as text</summary>{text}</details>"
        self.picture.value = self.lab.drawing()

    def button(self, name: str, tooltip: str, action: Callable[[], Any], primary: bool = False) -> Any:
        """A button that does ``action``, and shows what comes of it."""
        import ipywidgets as widgets

        button = widgets.Button(
            description=name, tooltip=tooltip, button_style="primary" if primary else "", layout={"width": "max-content"}
        )
        button.on_click(lambda _: self.act(action))
        return button

    def field(self, *arguments: Any, **options: Any) -> Field:
        """A `Field` of this form."""
        made = Field(*arguments, **options)
        self.fields.append(made)
        return made

    def act(self, action: Callable[[], Any]) -> None:
        """Do something. A `Round` is shown; bad input is told beside its field, everything else as a card."""
        for field in self.fields:
            field.complain("")
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
                field_.complain(f"Expected {error.expected}.")
        except (Exception, KeyboardInterrupt) as error:
            self.status.value = error_html(error if isinstance(error, Exception) else RuntimeError("it was stopped"))

    def show(self, round_: Round) -> None:
        """The verdict, and the film under it; the film before goes."""
        self.status.value = status(round_.html)
        old, self.film = self.stage.children, round_.film
        self.stage.children = [player_of(round_.film)] if round_.film is not None else []
        for player in set(old) - set(self.stage.children):
            close_all(player)

    def clear(self) -> None:
        """No verdict and no film, as in the beginning."""
        self.show(Round())

    def close(self) -> None:
        """Let the widgets go, and all that they hold; also fields that aren't shown now."""
        for part in (self.box, *(field.box for field in self.fields)):
            close_all(part)


class GuestForm(Form):
    """The form of a lab that makes its guest itself."""

    lab: GuestLab

    def anew(self) -> None:
        """A new guest; or the card that says why your own part let none come to be."""
        self.lab.reset()
        last = self.lab.last
        if self.lab.vm is None and last is not None:
            self.show(last)
        else:
            self.clear()
