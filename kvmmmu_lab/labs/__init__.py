# SPDX-License-Identifier: GPL-2.0-only
"""Films, pictures, questions and labs for the lessons. A notebook displays each of them; elsewhere they print as text.

**Films.** `watch` runs one operation and returns its film. `film` makes a film from a recording (``with record(vm) as r:``, or
the cell magic ``%%record vm`` after ``%load_ext kvmmmu_lab``). A film plays forwards and backwards; ``film.save("x.html")``
saves it as a single file; ``film.picked`` describes the last click.

**Pictures** of a VM, or of a step of a recording: `hierarchy` (guest and shadow tables in one picture), `guest_tables`,
`shadow_tables`, `walk`, `entry_bits`, `reverse_map`, `who_maps`, `parent_chains`, `hash_table`, `pool`, `memory_slots`.
`store_diagram` shows which shadow entries a store to a page table zaps and how they are computed;
`watch_store` makes a film of it.

``picture.svg`` contains a picture as SVG, ``picture.dot`` as DOT for your own Graphviz: ``graphviz.Source(picture.dot)``.
``film.save("x.dot", step=7)`` writes one step of a film in the DOT language; ``help(Film.save)`` lists the other formats.

**Questions.** `predict` asks for a prediction before you see the result. `pick_address` offers addresses that a real guest
maps; `entry_of` returns the guest's last-level entry for an address.

**Labs** for experiments in a notebook or a terminal, with the kernel's parts or your own (``fault_lab(set_spte=mine)``):
`fault_lab` (what happens on an access?), `write_lab` (which shadow entries does a write zap?), `rmap_lab` (which entries allow
writing to a frame?), `entry_decoder` (what does an entry mean?), `pool_lab` (which shadow pages are evicted?).

**Guests** built by hand: `small_guest` maps a few pages and has accessed each of them; `Builder` maps any pages;
`neighbour` adds a second processor.

**To add a lab**, write one file for it. The docstring of ``labs/lab.py`` contains a complete short lab; ``pool_lab.py`` is a
longer one. Then import its function here and add it to ``LABS``.
"""

from ..draw.pictures import (
    Picture,
    entry_bits,
    guest_tables,
    hash_table,
    hierarchy,
    memory_slots,
    parent_chains,
    pool,
    reverse_map,
    shadow_tables,
    walk,
    who_maps,
)
from ..player.film import Film, film
from ..recording import record
from .addresses import entry_of, pick_address
from .entry_decoder import entry_decoder
from .fault_lab import fault_lab
from .guests import Builder, neighbour, small_guest
from .pool_lab import pool_lab
from .prediction import predict
from .rmap_lab import rmap_lab
from .store_diagram import store_diagram, watch_store
from .watch import Watch, watch
from .write_lab import write_lab

LABS = [fault_lab, write_lab, rmap_lab, entry_decoder, pool_lab]
"""All labs, each as a function that returns a `lab.Lab`. All its arguments are optional."""

__all__ = [
    "Builder",
    "Film",
    "Picture",
    "Watch",
    "entry_bits",
    "entry_of",
    "film",
    "guest_tables",
    "hash_table",
    "hierarchy",
    "memory_slots",
    "neighbour",
    "parent_chains",
    "pick_address",
    "pool",
    "predict",
    "record",
    "reverse_map",
    "shadow_tables",
    "small_guest",
    "store_diagram",
    "walk",
    "watch",
    "watch_store",
    "who_maps",
]
__all__ += [lab.__name__ for lab in LABS]
