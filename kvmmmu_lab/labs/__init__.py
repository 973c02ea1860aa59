# SPDX-License-Identifier: GPL-2.0-only
"""What the lessons are made of: everything here shows itself in a notebook, and says the same as text elsewhere.

`watch` runs one operation and steps through it, `hierarchy` draws guest and shadow tables side by side, `pick_address`
offers a real guest's mappings, `entry_of` finds the guest's own entry for an address, `predict` asks before it looks.
"""

from ..draw.picture import Picture, hierarchy
from .addresses import entry_of, pick_address
from .prediction import predict
from .watched import Watch, watch

__all__ = ["Picture", "Watch", "entry_of", "hierarchy", "pick_address", "predict", "watch"]
