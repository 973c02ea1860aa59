# SPDX-License-Identifier: GPL-2.0-only
"""Compare the outputs of a notebook in a browser tab with those on a computer."""

import json
import re

NAMES = re.compile(r'kvmmmu-still-[0-9a-f]{12}(-\d+)?|(?<="model_id": ")[^"]*|\b[0-9a-f]{32}\b')
"""Names that are new in each run: those of stills and widgets."""

PLOT = re.compile(r"(?<=data:image/svg\+xml;base64,)[A-Za-z0-9+/=]+")
"""Matplotlib's own picture. Its versions differ by fractions of a pixel, and Pyodide brings its own."""

SHOWN = 300


def same(cells, tab, computer):
    """Return a text for each cell whose outputs differ."""
    assert len(cells) == len(tab) == len(computer)
    return [
        difference
        for number, (code, here, there) in enumerate(zip(cells, computer, tab, strict=True))
        if (difference := _difference(f"cell {number}, {code[:60]!r}", _plain(code, here), _plain(code, there)))
    ]


def wrong(outputs):
    """Return what errors, and what was printed on stderr, in the outputs of cells."""
    every = [one for cell in outputs for one in cell]
    errors = [f"{one['ename']}: {one['evalue']}" for one in every if one["output_type"] == "error"]
    return errors + [_text(one["text"]) for one in every if one.get("name") == "stderr"]


def _difference(where, here, there):
    if here == there:
        return ""
    pairs = enumerate(zip(here, there, strict=False))
    at = next((at for at, (one, other) in pairs if one != other), min(len(here), len(there)))
    part = slice(max(0, at - 80), at + SHOWN)
    return f"{where} on a computer: ...{here[part]}\n  in a tab: ...{there[part]}"


def _plain(code, outputs):
    """The outputs as text that is the same in each run. JupyterLite adds an empty result after objects that show themselves."""
    found = []
    for one in outputs:
        kind, name = one["output_type"], one.get("name")
        if kind == "stream" and found and found[-1][:2] == [kind, name]:
            found[-1][2] += _text(one["text"])
        elif kind == "stream":
            found.append([kind, name, _text(one["text"])])
        elif kind == "error":
            found.append([kind, one["ename"].rpartition(".")[2].strip("'>"), one["evalue"]])
        elif one["data"]:
            found.append([kind, {key: _text(value) for key, value in one["data"].items()}, one["metadata"]])
    text = NAMES.sub("", json.dumps(found, sort_keys=True))
    return PLOT.sub("", text) if code.startswith("plot_") else text


def _text(value):
    return "".join(value) if isinstance(value, list) else value
