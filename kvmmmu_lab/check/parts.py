# SPDX-License-Identifier: GPL-2.0-only
"""The parts that learners write: put a submission into a `Vm`, and remove the kit's own version.

In a worker, the engine lacks its own version of the part under test: the part's functions raise `Absent`. This prevents
honest mistakes and easy cheating; it cannot prevent more, because the sources of the kit are public.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import LabError
from ..exercises import StepData
from ..mmu import audit, bits, parents, prewrite, rmap, spte, vm, walk
from ..mmu.bits import WRITABLE
from ..mmu.events import KINDS, PROTECT_SPTE
from ..mmu.machine import Machine, part_methods
from ..mmu.rmap import COUNTED


class Absent(LabError):
    """The submission, or the engine, used the kit's version of the part under test."""


@dataclass(frozen=True)
class Part:
    """A part under test. ``keyword`` names the argument of `Vm` for it, or is "" for functions that the engine does not call.

    ``gone``: what is removed from a worker, as (owner, names). ``modules``: files of the kit that a submission must not read.
    ``wrap`` completes a submission that defines only some of the part's methods.
    """

    keyword: str
    gone: tuple[tuple[Any, tuple[str, ...]], ...]
    modules: tuple[str, ...]
    wrap: Callable[[Any], Any] | None = None

    def runs_in(self, step: StepData, events: Iterable[tuple]) -> bool:
        """Whether the submission's code may run in a step in which these events happened."""
        if not self.keyword:
            return not isinstance(step, dict) and step[0] in ("audit", "call")
        if part_methods(self.keyword):
            return True  # calls of methods aren't reported, and observations call them, too
        call = KINDS[self.keyword]
        return any(event[0] is call for event in events)

    def parts(self, defined: dict[str, Any], first: str) -> dict[str, Any]:
        """The arguments of `Vm` for a submission: ``defined``: what it defines, by name; ``first``: the part's name there."""
        given = defined[first]
        return {self.keyword: self.wrap(given) if self.wrap else given} if self.keyword else {}


class OnlyAdds:
    """Completes a reverse map that can only add: to remove an entry, it builds a new map from all the others."""

    def __init__(self, kind: Any, vm: Machine) -> None:
        self.kind, self.vm = kind, vm
        self.part, self.added = kind(vm), dict[int, None]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.part, name)

    def add(self, spte: int) -> None:
        """Add an entry to the submission's map."""
        if self._counts(spte):
            self.added[spte] = None
        self.part.add(spte)

    def remove(self, spte: int) -> None:
        """Rebuild the submission's map without this entry."""
        if self._counts(spte) and spte in self.added:
            del self.added[spte]
            spare = self.vm.caches.rmap_desc
            self.part, free, spare.free = self.kind(self.vm), spare.free, len(self.added)
            for other in self.added:
                self.part.add(other)
            spare.free = free

    def _counts(self, spte: int) -> bool:
        return self.vm.memory.words[spte] & COUNTED == COUNTED

    def write_protect(self, gfn: int) -> None:
        """Remove write access to a frame, as `machine.ReverseMapPart` specifies."""
        vm, hfn = self.vm, self.vm.memory.frames[gfn]
        for at in [] if hfn is None else list(self.part.sptes(hfn)):
            self.remove(at)
            vm.flush_tlb()
            vm.memory.put(at, vm.memory.words[at] & ~WRITABLE, PROTECT_SPTE)


class NoProtect:
    """Completes a reverse map that lacks ``write_protect``."""

    def __init__(self, kind: Any, vm: Machine) -> None:
        self.part, self.vm = kind(vm), vm

    def __getattr__(self, name: str) -> Any:
        return getattr(self.part, name)

    write_protect = OnlyAdds.write_protect


RMAP = ("add", "remove", "write_protect", "link", "unlink", "_remove_from")
PARTS = {
    "rmap_add": Part("rmap", ((rmap.ReverseMap, RMAP),), ("mmu/rmap",), lambda kind: functools.partial(OnlyAdds, kind)),
    "rmap_remove": Part(
        "rmap", ((rmap.ReverseMap, RMAP), (OnlyAdds, ("add", "remove"))), ("mmu/rmap",),
        lambda kind: functools.partial(NoProtect, kind),
    ),
    "rmap_write_protect": Part(
        "rmap", ((rmap.ReverseMap, RMAP), (OnlyAdds, RMAP[:3]), (NoProtect, RMAP[2:3])), ("mmu/rmap",),
    ),
    "parents": Part("parents", ((parents.ParentChains, ("add", "remove", "first", "sptes")),), ("mmu/parents",)),
    "walk": Part("walk", ((walk, ("walk_guest",)),), ("mmu/walk",)),
    "set_spte": Part("set_spte", ((spte, ("set_spte",)),), ("mmu/spte",)),
    "pre_write": Part(
        "pre_write",
        ((prewrite, ("pre_write", "shadow_pages", "crosses_entries", "shadow_range", "zap_spte")),),
        ("mmu/prewrite",),
    ),
    "split": Part("", ((bits.EntryFormat, ("index",)), (bits, ("shadow_index",))), ("mmu/bits", "mmu/walk", "mmu/pool")),
    "audit": Part(
        "",
        ((audit, ("audit", "undone", "audit_rmap", "audit_write_protection", "audit_mappings", "_mappings_below")),
         (vm.Vm, ("audit",))),
        ("mmu/audit",),
    ),
}  # fmt: skip
"""The parts, by exercise."""


def remove(part: Part) -> None:
    """Permanently remove the kit's own version of a part from this process, in every module that imported it."""
    gone: dict[int, tuple[Any, Any]] = {}  # what is removed and what comes instead of it, by the id of the former
    for owner, names in part.gone:
        for name in names:
            own, instead = getattr(owner, name), _absent(name)
            setattr(owner, name, instead)
            gone[id(own)] = own, instead
    defaults = vm.Vm.__init__.__kwdefaults__ or {}
    modules = [vars(module) for key, module in sys.modules.items() if key.startswith("kvmmmu_lab")]
    for held in (defaults, *modules):
        held.update([(name, gone[id(value)][1]) for name, value in held.items() if id(value) in gone])


def _absent(name: str) -> Callable[..., Any]:
    def absent(*arguments: Any, **keywords: Any) -> Any:
        raise Absent(f"the kit's own {name} is not available while yours is checked: write it yourself")

    absent.__name__ = name
    return absent


def missing(defined: dict[str, Any], names: Iterable[str]) -> list[str]:
    """Those of ``names`` (such as "ReverseMap" and "ReverseMap.add") that are undefined. A constructor may define a method."""
    found = []
    for name in names:
        owner, _, method = name.partition(".")
        thing = defined.get(owner)
        if method and not hasattr(thing, method):
            thing = _built(thing)
        if not callable(getattr(thing, method, None) if method else thing):
            found.append(name)
    return found


def _built(kind: Any) -> Any:
    """Construct an object of a submission's class, in an empty machine; None if that fails."""
    try:
        return kind(vm.Vm(()))
    except Exception:
        return None
