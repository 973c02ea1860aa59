# SPDX-License-Identifier: GPL-2.0-only
"""A machine as plain data: a worker sends its machine as data, and the judge rebuilds it from that data to draw it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...mmu import Vm
from ...mmu.machine import Machine
from ...mmu.memory import FIRST_GUEST

MOST_WORDS = 4096
"""The maximum number of nonzero words sent."""


def machine_data(vm: Machine) -> dict[str, Any]:
    """Return what is needed to draw ``vm``, as JSON data."""
    from ...recording import snapshot  # only here: it takes time to load, and most checks draw nothing

    taken = snapshot.take(vm)
    words = vm.memory.pages.reshape(-1)
    found = words.nonzero()[0][:MOST_WORDS]
    held, aliases, frames = taken["slots"]
    return {
        "counters": list(taken["counters"]),
        "registers": list(taken["registers"]),
        "injected": [list(fault) for fault in taken["injected"]],
        "slots": [[[base, n, hfn, log and log.hex()] for base, n, hfn, log in held], list(aliases), frames],
        "pages": [list(part) for part in taken["pages"]],
        "rmaps": [[hfn, [*map(int, kept)]] for hfn, kept in snapshot.look_at_all(vm, "rmaps").items()],
        "parents": [[id, [*map(int, kept)]] for id, kept in snapshot.look_at_all(vm, "parents").items()],
        "words": [found.tolist(), words[found].tolist()],
    }


def rebuilt(data: dict[str, Any], most: int) -> Machine:
    """Rebuild a machine with at most ``most`` frames for drawing from `machine_data`. Invalid data may raise any exception."""
    from ...recording import snapshot
    from ...recording.proxies import SeenMap, SeenParents

    held, aliases, frames = data["slots"]
    if not FIRST_GUEST <= frames <= most:
        raise ValueError(frames)
    vm = Vm(())
    pages = np.zeros((frames, 512), "<u8")
    indexes, values = data["words"]
    pages.reshape(-1)[np.array(indexes, np.int64)] = np.array(values, np.uint64)
    vm.memory.use(pages)
    vm.rmap, vm.parents = SeenMap(), SeenParents()  # type: ignore[assignment]  # read only
    slots = [(base, n, hfn, None if log is None else bytes.fromhex(log)) for base, n, hfn, log in held]
    snapshot.put(
        vm,
        {
            **{name: data[name] for name in ("counters", "registers", "injected", "pages")},
            "slots": (slots, [tuple(alias) if alias else None for alias in aliases], frames),
            "rmaps": {int(hfn): kept for hfn, kept in data["rmaps"]},
            "parents": {int(id): kept for id, kept in data["parents"]},
        },
    )
    return vm
