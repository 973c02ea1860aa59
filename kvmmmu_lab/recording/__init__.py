# SPDX-License-Identifier: GPL-2.0-only
"""Recordings: the steps that a machine took, and its state at each of them.

Read it in this order:

1. `tape`       the recorded data, as plain values, and how the steps nest
2. `recorder`   `record`, and the sink that fills a tape; `proxies`: how replaced parts are recorded
3. `snapshot`   saving and restoring a machine's state, except its memory
4. `moment`     the machine at one step
5. `narration`  how each kind of event is presented: its sentence, its tags, whether a film shows it
6. `recording`  the list of steps, with stepping and searching
7. `store`      saving a tape in a file, and loading it
"""

from .recorder import record
from .recording import Recording, Step, load

__all__ = ["Recording", "Step", "load", "record"]
