# SPDX-License-Identifier: GPL-2.0-only
"""What the elements of a drawing are called, and whether a scene can be drawn at all."""

from __future__ import annotations

from collections import Counter

from ..errors import InputError
from .scene import Edge, Scene, Table
from .theme import EDGES, KINDS, SIGNS, plain


def edge_key(edge: Edge) -> str:
    """What an edge is called in a drawing: "shadow|s:248:457|f:29a5". Tables and rows go by their own keys."""
    return f"{edge.kind}|{edge.source}|{edge.target}"


def keys_of(table: Table) -> list[str]:
    """The keys of a table and its rows."""
    return [table.key, *(entry.key for entry in table.entries)]


def edges_of(scene: Scene) -> dict[str, Edge]:
    """The edges of a scene by their keys, without those that begin or end at nothing."""
    known = {key for table in scene.tables for key in keys_of(table)}
    return {edge_key(edge): edge for edge in scene.edges if edge.source in known and edge.target in known}


def check(scene: Scene) -> None:
    """Raise InputError unless the scene has only kinds, marks and keys with which it can be drawn."""
    for edge in scene.edges:
        _among("kind of an edge", edge.kind, EDGES)
    for table in scene.tables:
        _among("kind of a table", table.kind, KINDS)
        for key, mark in [(table.key, table.mark), *((entry.key, entry.mark) for entry in table.entries)]:
            _among(f"mark of {key}", mark, tuple(SIGNS))
    for key, times in Counter(key for table in scene.tables for key in keys_of(table)).items():
        if plain(key, 200) != key:
            raise InputError("key", key, "a short key without control characters")
        if times > 1:
            raise InputError("scene", key, "no key twice")


def _among(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(name, value, f"one of {', '.join(map(repr, known))}")
