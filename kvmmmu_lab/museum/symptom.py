# SPDX-License-Identifier: GPL-2.0-only
"""`Observer`: it compares each access of a guest with what the guest's own tables say, and says what went wrong."""

from __future__ import annotations

from types import TracebackType
from typing import Any, NamedTuple

from ..errors import HostCrash
from ..inspect.paths import guest_path
from ..mmu import Access, Vm
from ..mmu.bits import (
    CR0_WP,
    DIRTY,
    EFER_NX,
    LARGE,
    NONPAGING,
    NX,
    PAGE_SHIFT,
    PRESENT,
    PSE36_MASK,
    PSE36_SHIFT,
    ROOT_32,
    ROOT_PAE,
    USER,
    WRITABLE,
)
from ..mmu.cpu import MAX_FAULTS

CRASH, LOOP, WRONG, WORK, RIGHT = "crash", "loop", "wrong", "work", "right"
SYMPTOMS = {
    CRASH: "the host crashes",
    LOOP: "an endless loop",
    WRONG: "a wrong result",
    WORK: "a right result, but needless work",
    RIGHT: "nothing goes wrong",
}
"""The kinds of outcomes, each in words."""


class Symptom(NamedTuple):
    """What happened: ``kind``, a key of `SYMPTOMS`, and a sentence."""

    kind: str
    words: str

    @property
    def title(self) -> str:
        """The kind in words: "The host crashes"."""
        words = SYMPTOMS[self.kind]
        return words[0].upper() + words[1:]

    def __str__(self) -> str:
        return self.words


class Work(NamedTuple):
    """How often something was done, and how often it had to be done. ``what``: such as "shadow entries zapped"."""

    what: str
    done: int
    needed: int


class Truth(NamedTuple):
    """What the guest's tables say about an access: the gpa that it reaches, or None if they deny it."""

    gpa: int | None
    why: str = ""


def truth(vm: Vm, gva: int, write: bool = False, user: bool = False, fetch: bool = False) -> Truth:
    """Ask the guest's own tables about an access, as a processor would, without changing them. Reserved bits are ignored."""
    path = guest_path(vm, gva)
    entries = [step.entry for step in path.steps]
    if vm.root_level != NONPAGING and not entries[-1] & PRESENT:
        return Truth(None, "isn't present")
    rights = entries[1:] if vm.root_level == ROOT_PAE else entries
    if user and not all(entry & USER for entry in rights):
        return Truth(None, "is for supervisors only")
    if write and (user or vm.cpu.cr0 & CR0_WP) and not all(entry & WRITABLE for entry in rights):
        return Truth(None, "is read-only")
    if fetch and vm.cpu.efer & EFER_NX and any(entry & NX for entry in rights):
        return Truth(None, "can't be executed")
    assert path.gfn is not None
    gpa = path.gfn << PAGE_SHIFT | gva & 0xFFF
    if vm.root_level == ROOT_32 and len(entries) == 1 and entries[0] & LARGE:
        gpa |= (entries[0] & PSE36_MASK) << PSE36_SHIFT
    return Truth(gpa)


class Observer:
    """Observes what a VM does inside a ``with`` block. ``symptoms``: what went wrong, first things first, each a `Symptom`.
    ``gvas``: the addresses that were accessed."""

    def __init__(self, vm: Vm) -> None:
        self.vm, self.symptoms, self.gvas = vm, list[Symptom](), list[int]()

    def __enter__(self) -> Observer:
        vm: Any = self.vm
        for name, judged in (("access", self._access), ("gva_to_gpa", self._gva_to_gpa)):
            setattr(vm, name, _around(getattr(vm, name), judged))
        for register in ("cr3", "cr4"):
            name = f"load_{register}"
            setattr(vm, name, _around(getattr(vm, name), self._load(register)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for name in ("access", "gva_to_gpa", "load_cr3", "load_cr4"):
            delattr(self.vm, name)

    def outcome(self, crash: Exception | None, work: Work | None, complaints: bool) -> Symptom:
        """Return what happened, in the order of importance: a crash, then what was noticed first."""
        if isinstance(crash, HostCrash) and crash.kind == "hang":
            return Symptom(LOOP, f"The host loops for ever in {crash.function}, {crash.source}: {crash.what}.")
        if isinstance(crash, HostCrash):
            return Symptom(CRASH, f"The host crashes ({crash.kind}) in {crash.function}, {crash.source}: {crash.what}.")
        if self.symptoms:
            return self.symptoms[0]
        if complaints:
            return Symptom(WRONG, "The guest notices nothing yet, but the host's records are wrong.")
        if work is not None and work.done > work.needed:
            return Symptom(WORK, f"The guest gets what it should, but {work.what}: {work.done}, where {work.needed} would do.")
        count = f" ({work.what}: {work.done})" if work is not None else ""
        return Symptom(RIGHT, f"Nothing goes wrong: each access ends as the guest's tables say{count}.")

    # Each of these runs an operation, and notes what went wrong

    def _access(self, run: Any, gva: int, **kind: Any) -> Access:
        self.gvas.append(gva)
        how = {name: bool(kind.get(name)) for name in ("write", "user", "fetch")}
        said = truth(self.vm, gva, **how)
        access: Access = run(gva, **kind)
        if symptom := self._symptom(access, said, gva, how):
            self.symptoms.append(symptom)
        return access

    def _symptom(self, access: Access, said: Truth, gva: int, how: dict[str, bool]) -> Symptom | None:
        words = _words(how)
        if access.outcome == "stuck":
            return Symptom(LOOP, f"The {words} at {gva:#x} faults for ever; it is cut after {MAX_FAULTS} faults.")
        if access.outcome == "escape":
            return Symptom(WRONG, f"The {words} at {gva:#x} reaches a host frame that no longer belongs to the guest.")
        if said.gpa is None:
            granted = f"The {words} at {gva:#x} is granted, although the guest's tables say that the page {said.why}."
            return None if access.outcome == "inject" else Symptom(WRONG, granted)
        if access.outcome == "inject":
            return Symptom(WRONG, f"The {words} at {gva:#x} faults in the guest, although its tables allow it.")
        if access.outcome == "emul" and not how["write"]:
            return Symptom(WORK, f"The {words} at {gva:#x} is emulated, although there is memory at gpa {said.gpa:#x}.")
        if access.outcome == "ok" and access.gpa != said.gpa:
            return Symptom(WRONG, f"The {words} at {gva:#x} reaches gpa {access.gpa:#x}; the guest's tables map {said.gpa:#x}.")
        if how["write"] and access.outcome == "ok" and not _dirty(self.vm, gva):
            return Symptom(WRONG, f"The {words} at {gva:#x} doesn't set the dirty bit in the guest's entry.")
        return None

    def _gva_to_gpa(self, run: Any, gva: int) -> int | None:
        said, got = truth(self.vm, gva), run(gva)
        if got != said.gpa and got is not None:
            to = "nothing" if said.gpa is None else f"gpa {said.gpa:#x}"
            self.symptoms.append(Symptom(WRONG, f"The host translates {gva:#x} to gpa {got:#x}; for the processor it is {to}."))
        return got

    def _load(self, register: str) -> Any:
        def load(run: Any, value: int) -> bool:
            before = getattr(self.vm.cpu, register)
            accepted: bool = run(value)
            if not accepted and getattr(self.vm.cpu, register) != before:
                words = f"The guest gets a #GP for its load of {register.upper()}, but {register.upper()} is now {value:#x}."
                self.symptoms.append(Symptom(WRONG, words))
            return accepted

        return load


def _around(run: Any, judged: Any) -> Any:
    return lambda *arguments, **keywords: judged(run, *arguments, **keywords)


def _words(how: dict[str, bool]) -> str:
    verb = "fetch" if how["fetch"] else "write" if how["write"] else "read"
    return f"{'user' if how['user'] else 'kernel'} {verb}"


def _dirty(vm: Vm, gva: int) -> bool:
    """Whether the guest's entry for gva has the dirty bit; true without paging."""
    steps = guest_path(vm, gva).steps
    return not steps or bool(steps[-1].entry & DIRTY)
