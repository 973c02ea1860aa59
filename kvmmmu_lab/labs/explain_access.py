# SPDX-License-Identifier: GPL-2.0-only
"""Why an access ended as it did, in words: which entry refused, what the shadow withholds, what was missing.

Everything is read from the machine, before and after; nothing is worked out anew but which entry refused first.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..draw.scene_builder import LEVELS
from ..inspect.keys import PDPT
from ..inspect.paths import PathEntry, guest_path, shadow_path
from ..mmu.bits import (
    CR0_WP,
    DIRTY,
    EFER_NX,
    IO_MARK,
    NONPAGING,
    NX,
    PAGE_SHIFT,
    PRESENT,
    ROOT_32,
    ROOT_PAE,
    SHADOW_USER,
    SHADOW_WRITABLE,
    USER,
    WRITABLE,
)
from ..mmu.machine import Machine
from ..mmu.spte import set_spte


@dataclass(frozen=True)
class Ask:
    """An access: what is asked of the tables."""

    gva: int
    write: bool = False
    user: bool = False
    fetch: bool = False

    def __str__(self) -> str:
        verb = "writes to" if self.write else "fetches from" if self.fetch else "reads"
        return f"{'user code' if self.user else 'the kernel'} {verb} {self.gva:#x}"


@dataclass(frozen=True)
class Before:
    """What there was before an access: the guest's path, the shadow's, and why the guest's tables would refuse."""

    ask: Ask
    guest: tuple[PathEntry, ...]
    shadow: tuple[PathEntry, ...]
    refusal: str

    @classmethod
    def of(cls, vm: Machine, ask: Ask) -> Before:
        """Look, and change nothing."""
        guest, shadow = guest_path(vm, ask.gva).steps, shadow_path(vm, ask.gva).steps
        return cls(ask, tuple(guest), tuple(shadow), _refusal(vm, ask, guest))


def name_of(step: PathEntry) -> str:
    """A guest entry, as pictures call it."""
    return f"the {LEVELS[step.level]} entry (level {step.level}, index {step.index})"


def _refusal(vm: Machine, ask: Ask, steps: list[PathEntry]) -> str:
    """The first entry that refuses, and why: as the host's walk goes, from the root down."""
    for step in steps:
        if not step.entry & PRESENT:
            return f"{name_of(step)} isn't present, and the walk ends there; so bit 0 of the error code is clear"
        if step.table == PDPT:
            continue
        if ask.write and not step.entry & WRITABLE and (ask.user or vm.cpu.cr0 & CR0_WP):
            who = "user code may never write without it" if ask.user else "CR0.WP is set, so the kernel needs it, too"
            return f"{name_of(step)} has no W, and {who}"
        if ask.user and not step.entry & USER:
            return f"{name_of(step)} has no U: it is for the kernel only"
        if ask.fetch and step.entry & NX and vm.root_level != ROOT_32 and vm.cpu.efer & EFER_NX:
            return f"{name_of(step)} has NX, and EFER.NX is on: no instruction may come from there"
    return ""


def explain(vm: Machine, before: Before, outcome: str, error: int | None, pages: int) -> list[str]:
    """Sentences that say why the outcome was this one. ``outcome`` is `Access.outcome`, or "crash"."""
    known = {"inject": _inject, "mmio": _mmio, "emul": _emulated, "stuck": _stuck, "ok": _ok, "crash": _crash}
    said = known.get(outcome)
    found = said(vm, before, error) if said else []
    found += _registers(vm, before) if outcome == "ok" else []
    if pages and outcome != "stuck":
        found.append(_taken(before, pages))
    if vm.dead is None and outcome in ("ok", "mmio"):
        found += _kept_back(vm, before)
    return [sentence[0].upper() + sentence[1:] + "." for sentence in found]


def _inject(vm: Machine, before: Before, error: int | None) -> list[str]:
    why = before.refusal or "the guest's tables refuse it"
    bits = ((1, "an entry was present but forbids"), (2, "a write"), (4, "by user code"), (16, "an instruction fetch"))
    parts = [f"{bit} ({words})" for bit, words in bits if (error or 0) & bit]
    code = " + ".join(parts) or "nothing present, a read by the kernel"
    made = [f"error code {error} = {code}"] if error is not None else []
    return [why, *made, "what the guest's own tables refuse is the guest's business: the host makes no shadow entry for it"]


def _mmio(vm: Machine, before: Before, error: int | None) -> list[str]:
    if vm.root_level == NONPAGING:
        return ["there is no memory at this address, and a guest that doesn't page gets no shadow entry for that"]
    return ["no memory slot has the frame: the shadow entry notes that in bit 9, isn't present, and every access is emulated"]


def _emulated(vm: Machine, before: Before, error: int | None) -> list[str]:
    if not _leaf(shadow_path(vm, before.ask.gva).steps) & PRESENT:
        return [
            "the walk and the shadow disagree on the frame: bits 13-16 of a 4 MB entry (PSE-36) are address bits 32-35 for "
            "the shadow, which finds no memory there, and nothing for the walk, which does (so the code of 2007)"
        ]
    return [
        "the frame holds a page table that is shadowed, so no shadow entry may write it: "
        "the host does the store itself, and zaps before it what was made from those bytes"
    ]


def _stuck(vm: Machine, before: Before, error: int | None) -> list[str]:
    ask, leaf = before.ask, _leaf(shadow_path(vm, before.ask.gva).steps)
    if ask.fetch and leaf & NX and not vm.cpu.efer & EFER_NX:
        return [
            "NX means nothing to this guest, since EFER.NX is off; but the code of 2007 copies the bit, and the real processor "
            "has NX on: it refuses what the guest allows, and the host finds nothing to do"
        ]
    target = guest_path(vm, ask.gva).gfn
    if ask.user and ask.write and target in [step.number for step in before.guest if step.table != PDPT]:
        return [
            "the code of 2007 takes a page table that user code writes for none, and zaps its shadow; but this very path needs "
            "that table again at once, it is shadowed and protected again, and the same write faults again"
        ]
    return [
        "the shadow entry refuses what the guest's tables allow, and the code of 2007 doesn't notice that the fault comes back"
    ]


def _crash(vm: Machine, before: Before, error: int | None) -> list[str]:
    ask, root = before.ask, next((step.number for step in before.guest if step.table != PDPT), None)
    if not (ask.user and ask.write and guest_path(vm, ask.gva).gfn == root):
        return []
    return [
        "the code of 2007 takes a page table that user code writes for none, and zaps its shadow until there is none; but this "
        "is the root in use, which is emptied and stays"
    ]


def _ok(vm: Machine, before: Before, error: int | None) -> list[str]:
    leaf = _leaf(list(before.shadow))
    if before.refusal:
        shadow = "the processor asks the shadow alone, and its last entry was made with other rights"
        how = shadow if leaf & PRESENT else "the host's walk let it pass"
        return [f"it went through, although the guest's own tables refuse it now: {how}", before.refusal]
    if not before.guest and leaf & PRESENT:
        return ["the shadow had this page"]
    missing = next((step for step in before.shadow if not step.entry & PRESENT), None)
    if missing is not None:
        allowed = "" if vm.root_level == NONPAGING else "the guest's tables allow this, but "
        return [
            f"{allowed}the shadow had nothing for this address at level {missing.level}: a fault for the host alone, which "
            "the guest never sees"
        ]
    if before.ask.write and not leaf & WRITABLE:
        dirty = before.guest and before.guest[-1].entry & DIRTY
        because = "" if dirty else ": the guest's D was clear, and this first write had to be noticed, so that D gets set"
        return [f"the shadow had the page, but without W{because}"]
    if before.ask.user and not leaf & USER:
        return ["the shadow had the page, but without U: the kernel's write with CR0.WP clear had taken it"]
    return ["everything was in place: the processor needed no help"]


def _registers(vm: Machine, before: Before) -> list[str]:
    if not before.ask.write or vm.root_level != ROOT_PAE or guest_path(vm, before.ask.gva).gfn != vm.cpu.cr3 >> PAGE_SHIFT:
        return []
    return ["the frame has the guest's PDPT, but the processor holds those four entries in registers: nothing shadows it"]


def _taken(before: Before, pages: int) -> str:
    missing = next((step.level for step in before.shadow if not step.entry & PRESENT), 0)
    below = "for the level below" if pages == 1 else f"one for each level below {missing}"
    each = f": {below}" if missing > 1 and pages == missing - 1 else ""
    large = before.guest and before.guest[-1].level == 2 and each
    extra = "; the last holds pieces of 4 KiB of the large page, for which the guest has no table" if large else ""
    return f"{pages} shadow {'page was' if pages == 1 else 'pages were'} taken{each}{extra}"


def _kept_back(vm: Machine, before: Before) -> list[str]:
    """What the guest allows and the shadow entry doesn't, and the other way round."""
    path = shadow_path(vm, before.ask.gva)
    leaf, guest = _leaf(path.steps), guest_path(vm, before.ask.gva)
    if not guest.steps or not leaf & (PRESENT | IO_MARK):
        return []
    last, above = guest.steps[-1], [step for step in guest.steps[:-1] if step.table != PDPT]
    found = []
    for bit, noted, letter in ((WRITABLE, leaf & SHADOW_WRITABLE, "W"), (USER, leaf & SHADOW_USER, "U")):
        refusing = next((step for step in above if not step.entry & bit), None)
        if bool(noted) != bool(last.entry & bit and refusing is None):
            found += _other_rights(vm, letter, last if not last.entry & bit else refusing)
        elif last.entry & bit and refusing is not None:
            found.append(
                f"{name_of(last)} has {letter} but {name_of(refusing)} hasn't: rights are ANDed over the path, and "
                f"since the shadow's links allow everything, the last shadow entry goes without {letter}"
            )
    if leaf & SHADOW_WRITABLE and not leaf & WRITABLE and leaf & PRESENT:
        found.append(_withheld(vm, guest.gfn, last))
    if leaf & WRITABLE and not leaf & SHADOW_WRITABLE:
        found.append(
            "W isn't what the guest's tables gave, but with CR0.WP clear the kernel may write: the shadow entry gets W, and "
            "loses U as long, so that user code can't write through it"
        )
    elif leaf & SHADOW_USER and not leaf & USER:
        found.append("U is withheld: with it, user code could write through this entry")
    return found


def _other_rights(vm: Machine, letter: str, refusing: PathEntry | None) -> list[str]:
    """The shadow entry notes another right than the guest's tables give now. Your own `set_spte` may have its own notes."""
    if vm.set_spte is not set_spte:
        return []
    now = f"{name_of(refusing)} has no {letter}" if refusing is not None else f"the guest allows {letter} on all of the path"
    return [
        f"{now}, but the last shadow entry was made with the old rights, and keeps them: what upper levels allow isn't in the "
        "role of a shadow page, so the old page is found again by the code of 2007"
    ]


def _withheld(vm: Machine, gfn: int | None, last: PathEntry) -> str:
    if gfn is not None and vm.pool.lookup(gfn) is not None:
        return "W is withheld: the frame is itself a shadowed page table, and each write to it must be seen"
    if not last.entry & DIRTY:
        return "W is withheld: the guest's D is clear, so the first write must be seen"
    return "W is withheld (and nobody gives it back before the next write faults)"


def _leaf(steps: list[PathEntry] | tuple[PathEntry, ...]) -> int:
    return steps[-1].entry if steps and steps[-1].level == 1 else 0
