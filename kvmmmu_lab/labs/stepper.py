# SPDX-License-Identifier: GPL-2.0-only
"""The stepper: a caption, a picture, buttons and a slider under it, and the list of all steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

if TYPE_CHECKING:
    from .watched import Watch

BUTTONS = (
    ("fast-backward", "First step", lambda at, last: 0),
    ("step-backward", "One step back", lambda at, last: at - 1),
    ("step-forward", "Next step", lambda at, last: at + 1),
    ("fast-forward", "Last step", lambda at, last: last),
)

MAIN_PART = {"flex": "1 1 860px", "max_width": "880px", "min_width": "0"}
LIST = {"flex": "1 1 360px", "width": "auto", "min_width": "0"}
"""The list of steps stands at the right where there is room, else below."""

INDENT = 2 * "\N{FIGURE SPACE}"


class Stepper:
    """The widgets of one watched operation; ``box`` is what to display, ``slider.value`` the step that shows."""

    def __init__(self, watch: Watch) -> None:
        self.watch, last = watch, len(watch.steps) - 1
        self.caption, self.picture, self.style = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.slider = widgets.IntSlider(0, 0, last, readout=False, layout={"flex": "1 1 120px", "min_width": "100px"})
        self.buttons = [self._button(*button) for button in BUTTONS]
        options = [(f"{number}  {INDENT * step.depth}{step.words}", number) for number, step in enumerate(watch.steps)]
        self.list = widgets.Select(options=options, value=0, rows=min(last + 1, 14), layout=LIST)
        for named, name in ((self.slider, "Step"), (self.list, "All steps")):
            named.tooltip = name
        widgets.link((self.slider, "value"), (self.list, "value"))
        self.slider.observe(lambda change: self.show(change["new"]), "value")
        controls = widgets.HBox([*self.buttons, self.slider], layout={"align_items": "center", "max_width": "720px"})
        main = widgets.VBox([self.style, self.caption, self.picture, controls], layout=MAIN_PART)
        self.box = widgets.HBox([main, self.list], layout={"flex_flow": "row wrap", "align_items": "flex-start"})
        self.show(0)

    def _button(self, icon: str, name: str, target: Any) -> widgets.Button:
        button = widgets.Button(icon=icon, tooltip=name, layout={"width": "44px"})
        button.on_click(lambda _: self.go(target(self.slider.value, self.slider.max)))
        return button

    def go(self, number: int) -> None:
        """Show a step, or the nearest that there is."""
        self.slider.value = min(max(number, 0), self.slider.max)

    def show(self, number: int) -> None:
        """Fill in caption and picture; a button that leads nowhere is disabled."""
        # A status that is replaced is read out by screen readers, without stealing the focus.
        self.caption.value = f'<div role="status" aria-live="polite">{self.watch.caption(number)}</div>'
        self.picture.value = self.watch.picture(number).html
        for button, at_end in zip(self.buttons, (0, 0, self.slider.max, self.slider.max), strict=True):
            button.disabled = number == at_end

    def hide_still(self, name: str) -> None:
        """Hide the still picture of this class name wherever this widget is alive: a rule that only lives with it."""
        self.style.value = f"<style>.{name} {{ display: none; }}</style>"
        self.style.layout.display = "none"

    def close(self) -> None:
        """Let the widgets go, and all that they hold."""
        for part in (*self.buttons, self.slider, self.list, self.style, self.caption, self.picture, *self.box.children):
            part.close()
        self.box.close()


def stepper(watch: Watch) -> Stepper:
    """The stepper of a watched operation."""
    return Stepper(watch)
