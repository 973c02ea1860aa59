# SPDX-License-Identifier: GPL-2.0-only
"""`Picture`, which shows itself in a notebook, and one function for each kind of picture.

The functions draw a VM as it is now, or a moment of a recording. Drawing changes nothing, not even accessed bits; a crashed VM
can be drawn too. All functions raise InputError for impossible arguments. ``limit`` sets how much to draw; None
stands for the default. The notes of a picture state what it leaves out.
"""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import packed, unpacked
from ..inspect.refusal import Request
from ..mmu.machine import Machine
from ..printable import escaped_html
from .arguments import check_count, check_gfn, check_gva, check_level, check_page, check_role, check_vm
from .audit_counters import audit_counters_scene
from .bit_row import bit_row_scene
from .dot import to_dot
from .entry_bits import entry_bits_scene
from .guest_walk import guest_walk_scene
from .hash_bucket import hash_bucket_scene
from .large_pages import large_page_scene
from .memory_slots import memory_slots_scene
from .page_belt import page_belt_scene
from .page_pool import hash_table_scene, pool_scene
from .page_tables import Limits, guest_tables_scene, hierarchy_scene, overview_scene, shadow_tables_scene, walk_scene
from .parent_graph import parent_graph_scene
from .render import RenderError
from .reverse_maps import parent_chains_scene, reverse_map_scene, who_maps_scene
from .room import Room, fit, with_texts
from .root_slots import root_slots_scene
from .scene import Scene, scene_data, scene_of
from .svg import Drawing, data_url, legend_of
from .text import alternative, to_text
from .theme import DARK_BODY

SWITCH = f"""{DARK_BODY} .kvmmmu-picture > img.dark {{ display: inline !important; }}
{DARK_BODY} .kvmmmu-picture > img.light {{ display: none; }}"""
"""Style rules that show the dark image instead of the light one in a dark theme."""


class Picture:
    """A drawing of a scene as ``svg``, ``dot`` or ``html``, each made when it is first needed, or as text with ``str``.

    With a ``stage``, the `union` of several scenes, every element keeps its place from one picture to the next. Pictures
    that share a ``drawing`` of the stage also share its layout. If no renderer can draw the picture, a notebook shows
    the text form and the reason.
    """

    def __init__(self, scene: Scene, stage: Scene | None = None, *, drawing: Drawing | None = None) -> None:
        self.scene = scene
        self.drawing = drawing or Drawing(stage or scene)

    @functools.cached_property
    def svg(self) -> str:
        """The picture as SVG. Raises `RenderError` if no renderer can draw it."""
        return self.drawing.svg(self.scene, alternative(self.scene))

    @functools.cached_property
    def dot(self) -> str:
        """The whole picture in the DOT language, for use with Graphviz: ``graphviz.Source(picture.dot)``, or ``dot -Tpdf``.

        Labels, colours, edges and marks are in it; nodes are named after what they show ("s:248"), see `dot.to_dot`. It
        needs no renderer. Graphviz places and draws everything, so the result looks a little different from ``svg``.
        """
        return to_dot(self.scene)

    @functools.cached_property
    def html(self) -> str:
        """The picture as HTML: an image that needs no script, or the text. JupyterLab and VS Code, if dark, show a dark one.

        An image in a ``data:`` URL also works in a notebook that isn't trusted, where bare SVG is broken and style rules
        are removed; such a notebook shows the light image. A wide image scrolls instead of shrinking, since its text is
        already small; the element can have the focus, so that the arrow keys scroll it.
        """
        name = alternative(self.scene)
        try:
            light, dark = (self.drawing.image(self.scene, name, night) for night in (False, True))
        except RenderError as error:
            text = escaped_html(f"{self}\n\n(Shown as text: {error})")
            return f'<pre class="kvmmmu-text" style="line-height:1.25;overflow-x:auto">{text}</pre>'
        data = packed(json.dumps(scene_data(self.scene), separators=(",", ":")))
        return images(light, dark, name, f' data-scene="{data}"')

    def fitted(self, room: Room) -> FittedPicture:
        """Return the picture laid out for a room. What isn't in its scene leaves no space free."""
        drawing, name = Drawing(self.scene), alternative(self.scene)
        now = drawing.appearances(self.scene)
        kept = {*self.scene.path, *((entry or table).key for table, entry in self.scene.marked())}
        notes = [*self.scene.notes, *filter(None, [legend_of(self.scene)])]
        found = fit(with_texts(self.scene, [now]), room, kept, notes)
        looks = {key: look for key in now if (look := found.look(key, now[key])) is not None}
        made = Drawing(found.stage, found.layout)
        light, dark = (made.still(looks, name, found.notes, night) for night in (False, True))
        return FittedPicture(images(light, dark, name), found.scale(room), found.folded)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file: .svg, .dot or .txt.

        Raises InputError for another suffix or a file that can't be written, `RenderError` for an .svg that can't be drawn.
        """
        file = Path(path)
        if file.suffix not in (".svg", ".dot", ".txt"):
            raise InputError("path", str(path), "a file whose name ends in .svg, .dot or .txt")
        text = self.svg if file.suffix == ".svg" else self.dot if file.suffix == ".dot" else str(self)
        try:
            file.write_text(text.rstrip("\n") + "\n", "utf-8")
        except OSError as error:
            raise InputError("path", str(path), f"a file that can be written ({error.strerror})") from error

    def __str__(self) -> str:
        return to_text(self.scene)

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": str(self)}


def picture_of(data: str) -> Picture:
    """Return the picture whose scene the HTML of a picture carries in ``data-scene``. Raises ValueError for other data."""
    try:
        return Picture(scene_of(json.loads(unpacked(data))))
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not the scene of a picture: {error}") from None


@dataclass(frozen=True)
class FittedPicture:
    """A picture laid out for a room, as HTML. ``scale``: how much larger it can be drawn in the room; below 1, it doesn't fit.

    ``folded``: the keys of what isn't drawn.
    """

    html: str
    scale: float
    folded: tuple[str, ...]


def images(light: str, dark: str, name: str, attributes: str = "", *, shrinks: bool = False) -> str:
    """Return a picture as HTML: a drawing for each theme. A page that is too narrow scrolls it, or shrinks it if it may."""
    return (
        f'<div class="kvmmmu-picture" style="overflow-x:auto" tabindex="0" role="group" aria-label="Picture"{attributes}>'
        f"{_image(light, name, 'light', '', shrinks)}{_image(dark, name, 'dark', 'display:none;', shrinks)}"
        f"<style>{SWITCH}</style></div>"
    )


def _image(svg: str, name: str, theme: str, hidden: str, shrinks: bool) -> str:
    style = f"{hidden}max-width:{'100%' if shrinks else 'none'};border-radius:6px"
    return f'<img class="{theme}" alt="{escaped_html(name)}" style="{style}" src="{data_url(svg)}">'


__all__ = [
    "audit_counters",
    "belt",
    "bit_row",
    "entry_bits",
    "guest_tables",
    "guest_walk",
    "hash_bucket",
    "hash_table",
    "hierarchy",
    "large_page",
    "memory_slots",
    "parent_chains",
    "parent_graph",
    "pool",
    "reverse_map",
    "root_slots",
    "shadow_tables",
    "walk",
    "who_maps",
]


def hierarchy(vm: Machine, *gvas: int, depth: int | None = None, limit: int | None = None, fold: int | None = None) -> Picture:
    """Draw the guest's tables and, below them, the shadow tables, along the paths of these addresses.

    Without addresses: both trees from their roots, up to ``depth`` levels, ``limit`` tables, and ``fold`` rows of each
    table. With addresses, these limits add other tables to those on the paths.
    """
    chosen, limits = _checked(vm, gvas, depth, limit, fold)
    if chosen and limits == Limits():
        return Picture(hierarchy_scene(vm, chosen))
    return Picture(overview_scene(vm, chosen, limits=limits))


def guest_tables(
    vm: Machine, *gvas: int, depth: int | None = None, limit: int | None = None, fold: int | None = None
) -> Picture:
    """Draw the guest's tables alone: the paths of these addresses, or the whole tree. For the limits, see `hierarchy`."""
    chosen, limits = _checked(vm, gvas, depth, limit, fold)
    return Picture(guest_tables_scene(vm, chosen, limits=limits))


def shadow_tables(
    vm: Machine, *gvas: int, depth: int | None = None, limit: int | None = None, fold: int | None = None
) -> Picture:
    """Draw the shadow tables alone, with roots, quadrants and parents. For the arguments, see `hierarchy`."""
    chosen, limits = _checked(vm, gvas, depth, limit, fold)
    return Picture(shadow_tables_scene(vm, chosen, limits=limits))


def walk(vm: Machine, gva: int) -> Picture:
    """Draw the walk of an address through both trees, with the fields of the address that select the entries."""
    check_vm(vm)
    return Picture(walk_scene(vm, check_gva(vm, gva)))


def guest_walk(vm: Machine, gva: int, *, write: bool = False, user: bool = False, fetch: bool = False) -> Picture:
    """Draw the host's walk of the guest's tables for one access, check by check, as it would go now. For a film, see
    `watch_guest_walk`."""
    check_vm(vm)
    return Picture(guest_walk_scene(vm, Request(check_gva(vm, gva), write, user, fetch)))


def entry_bits(vm: Machine, gva: int, level: int = 1) -> Picture:
    """Draw the guest's and the shadow's entry of one level on the path of gva, bit by bit: what was copied or not, and why."""
    check_vm(vm)
    return Picture(entry_bits_scene(vm, check_gva(vm, gva), check_level(vm, level)))


def large_page(vm: Machine, *gvas: int, limit: int | None = None) -> Picture:
    """Draw the large page of the first address, and the entries for its 4 KiB pieces; without paging, its 2 MB of memory.

    ``gvas``: at least one address; the pieces of the others are drawn, too. ``limit``: maximum number of other entries of a
    shadow page. For films, see `watch_large_page`.
    """
    check_vm(vm)
    if not gvas:
        raise InputError("gvas", gvas, "at least one address")
    return Picture(large_page_scene(vm, [check_gva(vm, gva) for gva in gvas], limit=check_count("limit", limit)))


def bit_row(vm: Machine, gva: int) -> Picture:
    """Draw the bits of the guest's last entry for gva in a row, and below them those of the spte that is made from them."""
    check_vm(vm)
    return Picture(bit_row_scene(vm, check_gva(vm, gva)))


def reverse_map(vm: Machine, gfn: int, *, limit: int | None = None) -> Picture:
    """Draw a frame, its reverse map descriptor by descriptor, and the entries in it. ``limit``: maximum number of tables."""
    check_vm(vm)
    return Picture(reverse_map_scene(vm, check_gfn(gfn), limit=check_count("limit", limit)))


def who_maps(vm: Machine, gfn: int, *, limit: int | None = None) -> Picture:
    """Draw all shadow entries that lead to a frame, with their guest entries. ``limit``: maximum number of tables."""
    check_vm(vm)
    return Picture(who_maps_scene(vm, check_gfn(gfn), limit=check_count("limit", limit)))


def parent_chains(vm: Machine, page_id: int, *, limit: int | None = None) -> Picture:
    """Draw a shadow page in use, its parents chain by chain, and the entries above it. ``limit``: maximum number of tables."""
    check_vm(vm)
    return Picture(parent_chains_scene(vm, check_page(vm, page_id), limit=check_count("limit", limit)))


def parent_graph(vm: Machine, page_id: int | None = None, *, limit: int | None = None) -> Picture:
    """Draw the shadow pages with the links between them, and the ways back to the parents; also pages without a parent.

    ``page_id``: draw only this page, and those above and below it. ``limit``: maximum number of pages.
    """
    check_vm(vm)
    chosen = None if page_id is None else check_page(vm, page_id)
    return Picture(parent_graph_scene(vm, chosen, limit=check_count("limit", limit)))


def hash_table(vm: Machine, gfn: int | None = None, *, limit: int | None = None) -> Picture:
    """Draw the hash table of shadow pages, or the bucket of gfn and a lookup in it. ``limit``: maximum number of pages."""
    check_vm(vm)
    chosen = None if gfn is None else check_gfn(gfn)
    return Picture(hash_table_scene(vm, chosen, limit=check_count("limit", limit)))


def hash_bucket(vm: Machine, gfn: int, role: int | None = None, *, limit: int | None = None) -> Picture:
    """Draw the hash bucket of gfn with the names of its pages, part by part. ``role``: look for the page of gfn with this role.

    ``limit``: maximum number of pages.
    """
    check_vm(vm)
    chosen = None if role is None else check_role(role)
    return Picture(hash_bucket_scene(vm, check_gfn(gfn), chosen, limit=check_count("limit", limit)))


def pool(vm: Machine, *, limit: int | None = None) -> Picture:
    """Draw the free list, the active list in eviction order, and the object caches. ``limit``: maximum rows per list."""
    check_vm(vm)
    return Picture(pool_scene(vm, limit=check_count("limit", limit)))


def root_slots(vm: Machine, *, limit: int | None = None) -> Picture:
    """Draw the root or the root slots, the shadow pages that are or were roots, with their pins, and the rest of the pool.

    ``limit``: the maximum number of pages that are or were roots.
    """
    check_vm(vm)
    return Picture(root_slots_scene(vm, limit=check_count("limit", limit)))


def belt(vm: Machine, *, limit: int | None = None) -> Picture:
    """Draw the pool as a belt: free pages, the head, where pages enter, and the tail, where eviction takes them.

    ``limit``: the number of pages drawn at each end.
    """
    check_vm(vm)
    return Picture(page_belt_scene(vm, limit=check_count("limit", limit)))


def audit_counters(vm: Machine, *, limit: int | None = None) -> Picture:
    """Draw what the first audit compares: references in reverse maps and writable entries. ``limit``: maximum rows per box."""
    check_vm(vm)
    return Picture(audit_counters_scene(vm, limit=check_count("limit", limit)))


def memory_slots(vm: Machine, *, limit: int | None = None) -> Picture:
    """Draw the memory slots, their dirty logs, and the aliases. ``limit``: maximum number of dirty ranges of a slot."""
    check_vm(vm)
    return Picture(memory_slots_scene(vm, limit=check_count("limit", limit)))


def _checked(
    vm: Machine, gvas: tuple[int, ...], depth: int | None, limit: int | None, fold: int | None
) -> tuple[list[int], Limits]:
    check_vm(vm)
    chosen = [check_gva(vm, gva) for gva in gvas]
    limits = Limits(check_count("depth", depth), check_count("limit", limit), check_count("fold", fold, 0))
    return chosen, limits
