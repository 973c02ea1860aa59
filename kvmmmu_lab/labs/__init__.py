# SPDX-License-Identifier: GPL-2.0-only
"""What the lessons are made of: everything here shows itself in a notebook, and says the same as text elsewhere.

**Films.** `watch` runs one operation and makes a film of it; `recording` makes one of a recording (``with record(vm) as r:``,
or the cell magic ``%%record vm`` after ``%load_ext kvmmmu_lab``). A film plays forward and back, ``recording.save("x.html")``
writes it to one file, ``recording.picked`` is what was clicked on.

**Pictures**, of a VM or of any step of a recording: `hierarchy` (guest and shadow tables side by side), `guest_tables`,
`shadow_tables`, `walk`, `entry_bits`, `reverse_map`, `who_maps`, `parent_chains`, `hash_table`, `pool`, `memory_slots`. Of a
store that is about to happen: `store_beam` (which shadow entries it hits, by which arithmetic; `watch_store` is its film).

**Questions.** `pick_address` offers a real guest's mappings, `entry_of` finds the guest's own entry for an address,
`predict` asks before it looks.

**Labs** to play with, each also without a notebook, and on your own parts (``fault_lab(set_spte=mine)``): `fault_lab`
(what comes of an access?), `write_lab` (which shadow entries does a write kill?), `rmap_lab` (who can write a frame?),
`entry_decoder` (what does an entry say?), `pool_lab` (who has to go?).

**Guests by hand.** `small_guest` has a few pages in its shadow; `Builder` puts one together, mapping by mapping; `neighbour`
gives a guest a second processor.
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
from .store_diagram import store_beam, watch_store
from .watch import Watch, watch
from .write_lab import write_lab

__all__ = [
    "Builder",
    "Film",
    "Picture",
    "Watch",
    "entry_bits",
    "entry_decoder",
    "entry_of",
    "fault_lab",
    "film",
    "guest_tables",
    "hash_table",
    "hierarchy",
    "memory_slots",
    "neighbour",
    "parent_chains",
    "pick_address",
    "pool",
    "pool_lab",
    "predict",
    "record",
    "reverse_map",
    "rmap_lab",
    "shadow_tables",
    "small_guest",
    "store_beam",
    "walk",
    "watch",
    "watch_store",
    "who_maps",
    "write_lab",
]
