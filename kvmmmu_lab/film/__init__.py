# SPDX-License-Identifier: GPL-2.0-only
"""Recordings: what a machine did, step by step, and its state at each of them.

Read it in this order: `recorder` (the sink that keeps what happens), `state` (a machine's state apart from memory),
`moment` (the machine at one step), `recording` (steps, search, stepping over and out), `words` (what a step says), `cuts`
(what a film shows as one), `store` (saving and loading).
"""

from .recorder import record
from .recording import Recording, Step
from .store import load

__all__ = ["Recording", "Step", "load", "record"]
