# SPDX-License-Identifier: GPL-2.0-only
"""The widgets that forms are built from: menus, checkboxes, buttons, input fields. No other lab module imports ipywidgets.

`display.load_widgets` imports this module when the first widget is needed, so labs work as text without ipywidgets.
"""

from __future__ import annotations

import functools
import html as markup
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets

from ..player.page import one_module, resource

WIDE = {"width": "auto", "max_width": "1400px"}
REST = {"flex": "1 1 330px", "min_width": "0", "display": "none"}
"""The layout of a part that takes the width that its neighbours leave."""

STAGE = {"width": "100%", "max_width": "850px", "min_width": "0"}
FULL_NAME = {"description_width": "initial"}
MARGIN = "2px 12px 2px 2px"


def html(text: str = "", **layout: str) -> Any:
    """Return an HTML widget; assign to ``value`` to change it. ``layout``: CSS properties, with _ in place of -."""
    return ipywidgets.HTML(text, layout=layout)


def heading(text: str) -> Any:
    """Return a small heading."""
    return html(f'<div style="font-weight:600;line-height:1.4;padding-top:4px">{markup.escape(text)}</div>')


def note(text: str = "") -> Any:
    """Return a line of explanation, which is hidden while it is empty."""
    line = html()
    set_note(line, text)
    return line


def set_note(line: Any, text: str) -> None:
    """Change the text of a `note`."""
    line.value = f'<div style="opacity:.8;line-height:1.4;max-width:900px">{markup.escape(text)}</div>' if text else ""
    line.layout.display = "" if text else "none"


def fold(title: str, text: str) -> Any:
    """Return an explanation of which only the title is shown until it is opened."""
    words = f'<div style="opacity:.8;line-height:1.4;max-width:900px">{markup.escape(text)}</div>'
    return html(f"<details><summary>{markup.escape(title)}</summary>{words}</details>")


def row(*parts: Any, **layout: str) -> Any:
    """Return a box of widgets side by side, wrapped if necessary; assign to ``children`` to change them."""
    return ipywidgets.HBox(list(parts), layout={"flex_flow": "row wrap", "align_items": "center", **layout})


def beside(words: Any, *parts: Any) -> Any:
    """Return a box with ``words`` at the right of the other widgets, or above them where there is no room."""
    words.layout.flex, words.layout.padding = "1 1 240px", "0 0 0 12px"
    stage = column(*parts, flex=f"1 1 {STAGE['max_width']}", min_width="0")
    return row(words, stage, flex_flow="row-reverse wrap", align_items="flex-start")


def column(*parts: Any, **layout: str) -> Any:
    """Return a box of widgets one below the other; assign to ``children`` to change them."""
    return ipywidgets.VBox(list(parts), layout=layout)


def button(name: str, tooltip: str, action: Callable[[], Any], primary: bool = False) -> Any:
    """Return a button that calls ``action``."""
    style = "primary" if primary else ""
    made = ipywidgets.Button(description=name, tooltip=tooltip, button_style=style, layout={"width": "max-content"})
    made.on_click(lambda _: action())
    return made


def menu(name: str, options: Sequence[Any], value: Any, tooltip: str = "", width: str = "max-content") -> Any:
    """Return a drop-down menu. ``options``: values or (label, value) pairs."""
    return ipywidgets.Dropdown(
        options=options,
        value=value,
        description=name,
        tooltip=tooltip or name,
        style=FULL_NAME,
        layout={"width": width, "max_width": "calc(100% - 22px)", "margin": MARGIN},
    )


def radio_group(question: str, labels: Sequence[str]) -> Any:
    """Return a question with a radio button for each label. Raises ImportError if anywidget isn't installed.

    ``index`` is the number of the selected button, or None, as it is at first. ``settled`` is the ``index`` that was confirmed:
    the arrow keys also pass the choices that lie between. ``note`` is a line of text below the choices.
    """
    return _radio_group_class()(question=question, labels=list(labels))


@functools.cache
def _radio_group_class() -> Any:
    import anywidget
    import traitlets

    folder = Path(__file__).parent

    class RadioGroup(anywidget.AnyWidget):
        """See `radio_group`."""

        _esm = one_module(resource("notebook.js"), (folder / "radio_group.js").read_text("utf-8"))
        _css = folder / "radio_group.css"
        question = traitlets.Unicode().tag(sync=True)
        labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
        index = traitlets.Int(None, allow_none=True).tag(sync=True)
        settled = traitlets.Int(None, allow_none=True).tag(sync=True)
        note = traitlets.Unicode().tag(sync=True)

    return RadioGroup


def last_button(name: str, tooltip: str, action: Callable[[], Any]) -> Any:
    """Return a button that calls ``action``, for the end of a cell's output: Tab leads from it to the next cell.

    Raises ImportError if anywidget isn't installed.
    """
    made = _last_button_class()(label=name, hint=tooltip)
    made.observe(lambda _: action(), "clicks")
    return made


@functools.cache
def _last_button_class() -> Any:
    import anywidget
    import traitlets

    class LastButton(anywidget.AnyWidget):
        """See `last_button`."""

        _esm = one_module(resource("notebook.js"), Path(__file__).with_name("last_button.js").read_text("utf-8"))
        label = traitlets.Unicode().tag(sync=True)
        hint = traitlets.Unicode().tag(sync=True)
        clicks = traitlets.Int(0).tag(sync=True)

        def click(self) -> None:
            """Do what a click does."""
            self.clicks += 1

    return LastButton


def choice(name: str, options: list[tuple[str, Any]], value: Any, tooltip: str, width: str = "60px") -> Any:
    """Return a row of buttons of which exactly one is selected. ``width``: the width of each."""
    return ipywidgets.ToggleButtons(
        options=options,
        value=value,
        description=f"{name}\N{EN SPACE}",
        tooltip=tooltip,
        tooltips=[f"{tooltip}: {label}" for label, _ in options],
        style={**FULL_NAME, "button_width": width},
        layout={
            "width": "max-content",
            "margin": MARGIN,
            "display": "flex",
            "flex_flow": "row nowrap",
            "align_items": "center",
        },
    )


def checkbox(name: str, value: bool, tooltip: str) -> Any:
    """Return a checkbox."""
    layout = {"width": "max-content", "margin": "2px 14px 2px 2px"}
    return ipywidgets.Checkbox(value=value, description=name, tooltip=tooltip, indent=False, layout=layout)


def toggle(name: str, value: bool, tooltip: str, width: str, change: Callable[[bool], None]) -> Any:
    """Return a button for a flag, which calls ``change`` with each new value.

    If the flag is set, the button is coloured; if it is clear, there is a dot before its name.
    """
    made = ipywidgets.ToggleButton(value=value, layout={"width": width, "padding": "0", "margin": "1px 2px"})

    def show() -> None:
        made.description = name if made.value else f"·{name}"
        made.tooltip = f"{tooltip}; now {'set' if made.value else 'clear'}"
        made.button_style = "info" if made.value else ""

    def changed(event: Any) -> None:
        show()
        change(event["new"])

    show()
    made.observe(changed, "value")
    return made


class InputField:
    """An input field for text (or for a whole number, if ``value`` is an int) and a message about invalid input.

    ``argument``: an `InputError` about this argument is shown here until the field changes. ``live``: every keystroke
    counts as a change, not only Enter. ``box`` contains the field, the note about how its number was read, and the message;
    in a row, place ``text`` and ``below`` separately, so that these don't move the other widgets.
    """

    def __init__(
        self,
        argument: str,
        name: str,
        value: str | int,
        tooltip: str,
        width: str = "220px",
        placeholder: str = "",
        live: bool = False,
    ) -> None:
        self.argument = argument
        options: dict[str, Any] = {"value": value, "description": name, "tooltip": tooltip, "style": FULL_NAME}
        options |= {"continuous_update": live, "layout": {"width": width, "margin": "2px 12px 2px 2px"}}
        if isinstance(value, int):
            self.text = ipywidgets.IntText(**options)
        else:
            self.text = ipywidgets.Text(placeholder=placeholder, **options)
        self.message, self.note = html(display="none"), note()
        self.other = button("Read it the other way", "", self.read_other)
        self.reading = row(self.note, self.other)
        self.below = column(self.message, self.reading)
        self.box = column(self.text, self.below)
        self.set_note("")
        self.text.observe(lambda _: self.clear(), "value")

    def clear(self) -> None:
        """Remove the message and the note, because the field has changed."""
        self.set_message("")
        self.set_note("")

    def set_note(self, text: str, other: int | None = None) -> None:
        """Show how the number was read, and a button that replaces it by ``other``, unless that is None."""
        set_note(self.note, text)
        self.reading.layout.display = "" if text else "none"
        self.other.layout.display = "none" if other is None else ""
        self.replacement = "" if other is None else hex(other)
        self.other.description = f"Use {self.replacement}"

    def read_other(self) -> None:
        """Replace the number by its other reading, if there is one."""
        if self.replacement:
            self.text.value = self.replacement

    def set_message(self, text: str) -> None:
        """Show a message, or hide it if ``text`` is empty."""
        line = f'<span role="alert" style="color:#B3261E;background:#fff;padding:0 4px">{markup.escape(text)}</span>'
        self.message.value = line if text else ""
        self.message.layout.display = "" if text else "none"
