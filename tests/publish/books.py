# SPDX-License-Identifier: GPL-2.0-only
"""Small notebooks for tests."""

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

FILM = """\
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import watch
vm = open_guest("lin64_A").vm()
watch(lambda: vm.access(0x343C6000, user=True), vm, [0x343C6000])
"""


def text(source, kind=None, *tags):
    return new_markdown_cell(source, metadata=_meta(kind, tags))


def code(source, kind=None, *tags, shows=()):
    outputs = [new_output("display_data", data=data) for data in shows]
    return new_code_cell(source, metadata=_meta(kind, tags), outputs=outputs)


def _meta(kind, tags):
    return ({"slideshow": {"slide_type": kind}} if kind else {}) | ({"tags": list(tags)} if tags else {})


def book(*cells):
    return new_notebook(cells=list(cells))


def saved(folder, *cells, name="talk.ipynb"):
    path = folder / name
    nbformat.write(book(*cells), path)
    return path
