# SPDX-License-Identifier: GPL-2.0-only
"""Recordings: what a machine did, step by step, and its state at each of them.

Read it in this order:

1. `tape`       all that is kept, as plain values, and how the steps nest
2. `recorder`   `record`, the sink that fills a tape; `proxies`: how replaced parts are recorded
3. `snapshot`   a machine's state apart from memory, taken out and put back
4. `moment`     the machine at one step
5. `narration`  what is known of each kind of event: its sentence, its tags, whether a first look shows it
6. `recording`  steps, stepping over and out, search
7. `store`      a tape in a file
"""

from .recorder import record
from .recording import Recording, Step, load

__all__ = ["Recording", "Step", "load", "record"]
