# SPDX-License-Identifier: GPL-2.0-only
"""A machine as plain data and back: a worker tells what its machine looks like, so that the judge can draw it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..film import state
from ..film.parts import SeenMap, SeenParents
from ..mmu.arena import FIRST_GUEST
from ..mmu.machine import Machine
from ..mmu.vm import Vm

MOST = 4096
"""So many words that aren't 0 are told at the most."""


def picture_data(vm: Machine) -> dict[str, Any]:
    """What is needed to draw ``vm``, as JSON can hold it."""
    taken = state.take(vm)
    words = vm.memory.pages.reshape(-1)
    found = words.nonzero()[0][:MOST]
    held, aliases, frames = taken["slots"]
    return {
        "counters": list(taken["counters"]),
        "registers": list(taken["registers"]),
        "injected": [list(fault) for fault in taken["injected"]],
        "slots": [[[base, n, hfn, log and log.hex()] for base, n, hfn, log in held], list(aliases), frames],
        "pages": [list(part) for part in taken["pages"]],
        "rmaps": [[hfn, _listed(kept)] for hfn, kept in state.look_at_all(vm, "rmaps").items()],
        "parents": [[id, _listed(kept)] for id, kept in state.look_at_all(vm, "parents").items()],
        "words": [found.tolist(), words[found].tolist()],
    }


def _listed(kept: Any) -> list[int]:
    return [int(spte) for spte in kept]


def rebuilt(data: dict[str, Any]) -> Machine:
    """The machine of `picture_data`, to be looked at. Raises whatever data that isn't what it should be leads to."""
    held, aliases, frames = data["slots"]
    if not FIRST_GUEST <= frames <= 1 << 20:
        raise ValueError(frames)
    vm = Vm(())
    pages = np.zeros((frames, 512), "<u8")
    indexes, values = data["words"]
    pages.reshape(-1)[np.array(indexes, np.int64)] = np.array(values, np.uint64)
    vm.memory._use(pages)
    vm.rmap, vm.parents = SeenMap(), SeenParents()  # type: ignore[assignment]  # looked at, and never changed
    slots = [(base, n, hfn, None if log is None else bytes.fromhex(log)) for base, n, hfn, log in held]
    state.put(
        vm,
        {
            **{name: data[name] for name in ("counters", "registers", "injected", "pages")},
            "slots": (slots, [tuple(alias) if alias else None for alias in aliases], frames),
            "rmaps": {int(hfn): kept for hfn, kept in data["rmaps"]},
            "parents": {int(id): kept for id, kept in data["parents"]},
        },
    )
    return vm
