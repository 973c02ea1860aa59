# SPDX-License-Identifier: GPL-2.0-only
"""Films, pictures, questions and labs for the lessons. A notebook displays each of them; elsewhere they print as text.

**Films.** `watch` runs one operation and returns its film. `film` makes a film from a recording (``with record(vm) as r:``, or
the cell magic ``%%record vm`` after ``%load_ext kvmmmu_lab``). A film plays forwards and backwards; ``film.save("x.html")``
saves it as a single file; ``film.picked`` describes the last click.

**Pictures** of a VM, or of a step of a recording: `hierarchy` (guest and shadow tables in one picture), `guest_tables`,
`shadow_tables`, `walk`, `entry_bits`, `reverse_map`, `who_maps`, `parent_chains`, `parent_graph`, `hash_table`, `pool`,
`belt`, `memory_slots`, `large_page`, `hash_bucket`, `audit_counters`, `root_slots`, `bit_row`.
`store_diagram` shows which shadow entries a store to a page table zaps and how they are computed;
`watch_store` makes a film of it. `watch_walk` makes a film of `walk`, `watch_belt` of `belt`, `watch_bucket` of
`hash_bucket`, `watch_large_page` of `large_page`, `watch_counters` of `audit_counters`, `watch_parents` of
`parent_graph`, `watch_roots` of `root_slots`.
`guest_walk` is the host's walk of the guest's tables, check by check; `watch_guest_walk` makes a film of it.
`watch_bits` makes a film of `bit_row`. `fault_flow` is a page fault as a flow chart; `watch_fault` makes a film in which the
part of the chart that runs is lit, below the trees that it changes.

`course_picture` is the picture of the course: what each lesson adds to the one image that all lessons share.

``picture.svg`` contains a picture as SVG, ``picture.dot`` as DOT for your own Graphviz: ``graphviz.Source(picture.dot)``.
``film.save("x.dot", step=7)`` writes one step of a film in the DOT language; ``help(Film.save)`` lists the other formats.

**Plots** of the recordings that come with the kit: `plot_exits` (how many faults, and why), `plot_tables` (which frames become
page tables, and are shadowed), `plot_pool`, `plot_flooding`, `plot_missing` (what breaks without a mechanism).

**What came later.** `nested_grid` draws the two-dimensional walk of nested paging, `watch_nested` makes a film of it, and
`plot_nested` compares its exits with those of shadow paging.

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

from ..draw.course_picture import course_picture
from ..draw.pictures import (
    Picture,
    audit_counters,
    belt,
    bit_row,
    entry_bits,
    guest_tables,
    guest_walk,
    hash_bucket,
    hash_table,
    hierarchy,
    large_page,
    memory_slots,
    parent_chains,
    parent_graph,
    pool,
    reverse_map,
    root_slots,
    shadow_tables,
    walk,
    who_maps,
)
from ..player.film import Film, film
from ..plots.recordings import plot_exits, plot_flooding, plot_missing, plot_nested, plot_pool, plot_tables
from ..recording import record
from .addresses import entry_of, pick_address
from .entry_decoder import entry_decoder
from .fault_lab import fault_lab
from .guests import Builder, neighbour, small_guest
from .nested_film import nested_grid, watch_nested
from .pool_lab import pool_lab, watch_belt, watch_bucket, watch_parents
from .prediction import predict
from .rmap_lab import rmap_lab
from .store_diagram import store_diagram, watch_store
from .watch import Watch, watch, watch_bits, watch_counters, watch_guest_walk, watch_large_page, watch_roots, watch_walk
from .watch_fault import fault_flow, watch_fault
from .write_lab import write_lab

LABS = [fault_lab, write_lab, rmap_lab, entry_decoder, pool_lab]
"""All labs, each as a function that returns a `lab.Lab`. All its arguments are optional."""

__all__ = [
    "Builder",
    "Film",
    "Picture",
    "Watch",
    "audit_counters",
    "belt",
    "bit_row",
    "course_picture",
    "entry_bits",
    "entry_of",
    "fault_flow",
    "film",
    "guest_tables",
    "guest_walk",
    "hash_bucket",
    "hash_table",
    "hierarchy",
    "large_page",
    "memory_slots",
    "neighbour",
    "nested_grid",
    "parent_chains",
    "parent_graph",
    "pick_address",
    "plot_exits",
    "plot_flooding",
    "plot_missing",
    "plot_nested",
    "plot_pool",
    "plot_tables",
    "pool",
    "predict",
    "record",
    "reverse_map",
    "root_slots",
    "shadow_tables",
    "small_guest",
    "store_diagram",
    "walk",
    "watch",
    "watch_belt",
    "watch_bits",
    "watch_bucket",
    "watch_counters",
    "watch_fault",
    "watch_guest_walk",
    "watch_large_page",
    "watch_nested",
    "watch_parents",
    "watch_roots",
    "watch_store",
    "watch_walk",
    "who_maps",
]
__all__ += [lab.__name__ for lab in LABS]
