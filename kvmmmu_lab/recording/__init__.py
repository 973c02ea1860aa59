# SPDX-License-Identifier: GPL-2.0-only
"""Recordings: what a machine did, step by step, and its state at each of them.

Read it in this order:

1. `recorder`   `record`, the sink that keeps what happens; `parts`: what replaced parts keep
2. `state`      a machine's state apart from memory, taken out and put back
3. `moment`     the machine at one step
4. `recording`  steps, stepping over and out, search; `structure`: how they nest; `tags` and `filters`
5. `words`      what each kind of step says; `cuts`: which steps a film shows as one
6. `store`      saving and loading
"""

from .recorder import record
from .recording import Recording, Step
from .store import load

__all__ = ["Recording", "Step", "load", "record"]
