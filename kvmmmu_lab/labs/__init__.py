# SPDX-License-Identifier: GPL-2.0-only
"""What the lessons are made of: everything here shows itself in a notebook, and says the same as text elsewhere.

`watch` runs one operation and steps through it, `hierarchy` draws guest and shadow tables side by side, `pick_address`
offers a real guest's mappings, `entry_of` finds the guest's own entry for an address, `predict` asks before it looks.

Five labs to play with, each also without a notebook, and on your own parts (``fault_lab(set_spte=mine)``): `fault_lab`
(what comes of an access?), `write_lab` (which shadow entries does a write kill?), `rmap_lab` (who can write a frame?),
`entry_decoder` (what does an entry say?), `pool_lab` (who has to go?).
"""

from ..draw.picture import Picture
from ..draw.pictures import hierarchy
from .addresses import entry_of, pick_address
from .decoder import entry_decoder
from .faults import fault_lab
from .pools import pool_lab
from .prediction import predict
from .rmaps import rmap_lab
from .watched import Watch, watch
from .writes import write_lab

__all__ = [
    "Picture",
    "Watch",
    "entry_decoder",
    "entry_of",
    "fault_lab",
    "hierarchy",
    "pick_address",
    "pool_lab",
    "predict",
    "rmap_lab",
    "watch",
    "write_lab",
]
