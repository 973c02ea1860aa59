# SPDX-License-Identifier: GPL-2.0-only
"""The states of ipywidgets that a notebook contains, as static HTML.

A notebook's metadata contain the state of each widget model: the value of a slider, the children of a box, the outputs that
an output widget has caught. From these a widget is shown as it was saved. A control that isn't known becomes a `WidgetPart`
with its name.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from ..printable import escaped_html, shortened

METADATA = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
PLOTLY = "application/vnd.plotly.v1+json"
REFERENCE = "IPY_MODEL_"

MAX_DEPTH = 20
"""How deep boxes may be nested."""

BOXES = ("HBox", "VBox", "Box", "GridBox", "Accordion", "Tab", "Stack")
VALUES = re.compile(
    r"(Bounded)?(Int|Float)Text|(Int|Float|FloatLog|IntRange|FloatRange)Slider|(Int|Float)Progress|Text|Textarea|Combobox|"
    r"(Date|Time|Datetime|NaiveDatetime|Color)Picker|(Tags|Colors|Floats|Ints)Input|Play|Password|FileUpload"
)
SELECTIONS = re.compile(r"Dropdown|RadioButtons|Select|SelectMultiple|ToggleButtons|SelectionSlider|SelectionRangeSlider")
STATELESS = re.compile(r"(Layout|.*Style|Controller.*|.*Link|Link)")
"""Matches models that show nothing: layouts, styles, links between widgets."""


@dataclass(frozen=True)
class WidgetPart:
    """A part of a widget: HTML, outputs that the widget contains, or the name of a widget that can't be shown."""

    html: str = ""
    outputs: list[Any] | None = None
    unknown: str = ""


class WidgetStates:
    """The states of the widgets of one notebook."""

    def __init__(self, notebook: Any) -> None:
        self.models: Mapping[str, Any] = {}
        found = notebook.get("metadata", {}).get("widgets", {})
        if isinstance(found, Mapping) and isinstance(found.get(METADATA), Mapping):
            models = found[METADATA].get("state", {})
            self.models = models if isinstance(models, Mapping) else {}

    def parts(self, model_id: str) -> list[WidgetPart]:
        """Return what a widget shows, from top to bottom; nothing if its state isn't in the notebook."""
        found = list[WidgetPart]()
        for is_html, group in groupby(self._parts(model_id, ()), lambda part: bool(part.html)):
            parts = list(group)
            found += [WidgetPart("".join(part.html for part in parts))] if is_html else parts
        return found

    def _parts(self, model_id: str, above: tuple[str, ...]) -> Iterator[WidgetPart]:
        model = self.models.get(model_id)
        if not isinstance(model, Mapping) or model_id in above or len(above) > MAX_DEPTH:
            return
        name = _name(model)
        state = model.get("state") if isinstance(model.get("state"), Mapping) else {}
        assert isinstance(state, Mapping)
        if name == "Output":
            yield WidgetPart(outputs=list(state.get("outputs") or ()))
        elif isinstance(state.get("_data"), list) and isinstance(state.get("_layout"), Mapping):  # a figure of Plotly
            figure = {"data": state["_data"], "layout": dict(state["_layout"])}
            yield WidgetPart(outputs=[{"output_type": "display_data", "data": {PLOTLY: figure}, "metadata": {}}])
        elif name in BOXES or ("children" in state and not VALUES.fullmatch(name)):
            yield from self._children(name, state, (*above, model_id))
        else:
            markup = _control(name, state, _values(model))
            if markup is not None:
                yield WidgetPart(f"<div>{markup}</div>" if markup else "")
            elif not STATELESS.fullmatch(name):
                yield WidgetPart(unknown=name or "widget")

    def _children(self, name: str, state: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[WidgetPart]:
        """Yield the children of a box, with the titles of tabs. Controls beside each other stay in one line."""
        titles = state.get("titles") or list((state.get("_titles") or {}).values())
        row = name == "HBox"
        line = list[str]()
        for number, child in enumerate(state.get("children") or ()):
            if name in ("Tab", "Accordion") and number < len(titles) and titles[number]:
                yield WidgetPart(f"<p><strong>{escaped_html(str(titles[number]))}</strong></p>")
            for part in self._parts(str(child).removeprefix(REFERENCE), above):
                if row and part.html:
                    line.append(part.html)
                    continue
                if line:
                    yield WidgetPart(f'<div class="widget-row">{"".join(line)}</div>')
                    line = []
                yield part
        if line:
            yield WidgetPart(f'<div class="widget-row">{"".join(line)}</div>')


def keep_needed_states(notebook: Any) -> None:
    """Remove the states of widgets that no page shows: layouts and styles, and the kit's own labs, which have stills."""
    models = WidgetStates(notebook).models
    if not models:
        return
    needed = _needed(notebook, models)
    kept = {name: model for name, model in models.items() if name in needed and not STATELESS.fullmatch(_name(model))}
    for model in kept.values():
        for name in ("_esm", "_css"):  # the code of a widget of anywidget
            model["state"].pop(name, None)
    if kept:
        notebook.metadata["widgets"][METADATA]["state"] = kept
    else:
        del notebook.metadata["widgets"]


def _needed(notebook: Any, models: Mapping[str, Any]) -> set[str]:
    """Return the ids of the models that the outputs of a notebook show, with all models inside them."""
    found = set[str]()
    waiting = [
        str(dict(output["data"][VIEW]).get("model_id", ""))
        for cell in notebook.cells
        for before, output in pairwise([{}, *cell.get("outputs", ())])
        if VIEW in output.get("data", {}) and "kvmmmu_lab" not in before.get("metadata", {})
    ]
    while waiting:
        one = waiting.pop()
        if one in models and one not in found:
            found.add(one)
            waiting += re.findall(rf"(?<={REFERENCE})[\w-]+|(?<='model_id': ')[\w-]+", repr(models[one]))
    return found


def _name(model: Mapping[str, Any]) -> str:
    """Return the name of a model's class without its ending."""
    return re.sub(r"(Model|View)$", "", str(model.get("model_name", "")))


def _values(model: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the binary values of a model, by their names."""
    found = {}
    for buffer in model.get("buffers") or ():
        path = list(buffer.get("path") or ())
        if len(path) == 1 and buffer.get("encoding") == "base64":
            found[str(path[0])] = base64.b64decode(buffer.get("data", ""))
    return found


def _control(name: str, state: Mapping[str, Any], binary: Mapping[str, bytes]) -> str | None:
    """Return a control as HTML, "" if it shows nothing, or None if it isn't known."""
    description, value = _label(state), state.get("value")
    if name in ("HTML", "HTMLMath"):
        return f"{description}{value or ''}"
    if name == "Label":
        return f"{description}{escaped_html(str(value or ''))}"
    if name in ("Image", "Video", "Audio"):
        content = binary.get("value", b"")
        address = f"data:{name.lower()}/{state.get('format') or 'png'};base64,{base64.b64encode(content).decode()}"
        if name != "Image":
            return f'<{name.lower()} controls src="{address}"></{name.lower()}>' if content else ""
        size = f' width="{state["width"]}"' if str(state.get("width") or "").isdecimal() else ""
        return f'<img src="{address}" alt="a picture"{size}>' if content else ""
    if isinstance(state.get("_data_url"), str):  # a figure of Matplotlib (ipympl)
        return f'<img src="{escaped_html(state["_data_url"])}" alt="a picture">'
    if name.endswith("Progress") and isinstance(value, (int, float)):
        low, high = state.get("min") or 0, state.get("max") or 100
        return f'{description}<progress max="{high - low}" value="{value - low}"></progress>'
    if name in ("Checkbox", "Valid"):
        text = escaped_html(str(state.get("description") or ""))
        return f'<label><input type="checkbox" disabled{" checked" if value else ""}> {text}</label>'
    if name in ("Button", "ToggleButton"):
        return f"<button disabled>{escaped_html(str(state.get('description') or state.get('icon') or '...'))}</button>"
    if SELECTIONS.fullmatch(name):
        return description + _selection(state)
    if VALUES.fullmatch(name) and not isinstance(value, Mapping):
        return description + _value(name, state, value)
    return None


def _label(state: Mapping[str, Any]) -> str:
    text = str(state.get("description") or "")
    return f'<span class="widget-label">{escaped_html(text)}</span> ' if text else ""


def _value(name: str, state: Mapping[str, Any], value: Any) -> str:
    if name == "Password":
        value = "\u2022" * 8 if value else ""
    if isinstance(value, (list, tuple)):
        value = " \u2013 ".join(map(str, value)) if "Range" in name else ", ".join(map(str, value))
    shown = f'<span class="widget-value">{escaped_html(shortened(str("" if value is None else value), 2000))}</span>'
    low, high = state.get("min"), state.get("max")
    if name.endswith("Slider") and all(isinstance(one, (int, float)) for one in (value, low, high)):
        return f'<input type="range" disabled min="{low}" max="{high}" step="any" value="{value}"> {shown}'
    return shown


def _selection(state: Mapping[str, Any]) -> str:
    """Return the options of a control; the chosen ones are marked."""
    chosen = state.get("index")
    chosen = set(chosen) if isinstance(chosen, (list, tuple)) else {chosen}
    options = [str(option) for option in state.get("_options_labels") or ()]
    if len(options) > 12:  # a long menu shows what is chosen
        options = [option for number, option in enumerate(options) if number in chosen]
        chosen = set(range(len(options)))
    return " ".join(
        f'<span class="widget-option{" chosen" if number in chosen else ""}">{escaped_html(option)}</span>'
        for number, option in enumerate(options)
    )
