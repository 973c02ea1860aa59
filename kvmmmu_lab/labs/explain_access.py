# SPDX-License-Identifier: GPL-2.0-only
"""`explain_access` explains the outcome of an access: which entry refuses it, and which rights the shadow withholds.

The reasons are derived from the guest and shadow paths before the access (`PathsBefore`) and after it.
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
from ..recording.narration import access_clause

OUTCOMES = {
    "through": "the access succeeds without a fault",
    "ok": "the access succeeds after a fault that the host handles",
    "inject": "the guest gets a page fault",
    "emul": "the host emulates the access to memory",
    "mmio": "a device answers (MMIO)",
    "stuck": "the same fault occurs again and again",
    "crash": "the host crashes",
    "else": "something else",
}
"""The outcomes of an access in words, by short name."""


@dataclass(frozen=True)
class Request:
    """A requested access: the address, whether it is a write or a fetch, and whether user code makes it."""

    gva: int
    write: bool = False
    user: bool = False
    fetch: bool = False

    @property
    def action(self) -> str:
        """The subject and the verb of a sentence about the access: "The guest's kernel reads"."""
        return access_clause(self.write, self.user, self.fetch)

    def __str__(self) -> str:
        return f"{self.action} {'from' if self.fetch else 'to' if self.write else 'at'} {self.gva:#x}"


@dataclass(frozen=True)
class PathsBefore:
    """The guest and shadow paths of an address before an access. ``refusal``: why the guest's tables refuse it, or ""."""

    request: Request
    guest: tuple[PathEntry, ...]
    shadow: tuple[PathEntry, ...]
    refusal: str

    @classmethod
    def of(cls, vm: Machine, request: Request) -> PathsBefore:
        """Read the paths, without changing the VM."""
        guest, shadow = guest_path(vm, request.gva).steps, shadow_path(vm, request.gva).steps
        return cls(request, tuple(guest), tuple(shadow), _refusal(vm, request, guest))


def explain_access(vm: Machine, before: PathsBefore, outcome: str, error: int | None, pages: int) -> list[str]:
    """Return sentences that explain the outcome of an access that has just been made.

    ``outcome``: `Access.outcome`, or "crash"; ``error``: the guest's page-fault error code, or None; ``pages``: the number of
    shadow pages that were allocated.
    """
    explain = {"inject": _inject, "mmio": _mmio, "emul": _emulated, "stuck": _stuck, "ok": _ok, "crash": _crash}.get(outcome)
    found = explain(vm, before, error) if explain else []
    found += _pdpt_in_registers(vm, before) if outcome == "ok" else []
    if pages and outcome != "stuck":
        found.append(_allocated(before, pages))
    if vm.dead is None and outcome in ("ok", "mmio"):
        found += _withheld_rights(vm, before)
    return [sentence[0].upper() + sentence[1:] + "." for sentence in found]


def _name(step: PathEntry) -> str:
    """Return the name that pictures give to a guest entry."""
    return f"the {LEVELS[step.level]} entry (level {step.level}, index {step.index})"


def _refusal(vm: Machine, request: Request, steps: list[PathEntry]) -> str:
    """Return text that names the first entry on the walk that refuses the access and gives the reason; "" if none does."""
    for step in steps:
        if not step.entry & PRESENT:
            return f"{_name(step)} isn't present, so the walk ends there, and bit 0 of the error code is clear"
        if step.table == PDPT:
            continue
        if request.write and not step.entry & WRITABLE and (request.user or vm.cpu.cr0 & CR0_WP):
            who = "user code always needs it to write" if request.user else "CR0.WP is set, so the kernel needs it, too"
            return f"{_name(step)} has no W, and {who}"
        if request.user and not step.entry & USER:
            return f"{_name(step)} has no U, so it is for the kernel only"
        if request.fetch and step.entry & NX and vm.root_level != ROOT_32 and vm.cpu.efer & EFER_NX:
            return f"{_name(step)} has NX, and EFER.NX is set, so no instruction may be fetched from there"
    return ""


# One function for each outcome


def _inject(vm: Machine, before: PathsBefore, error: int | None) -> list[str]:
    why = before.refusal or "the guest's tables refuse the access"
    bits = (
        (1, "an entry was present and refused the access"),
        (2, "a write"),
        (4, "by user code"),
        (16, "an instruction fetch"),
    )
    parts = [f"{bit} ({words})" for bit, words in bits if (error or 0) & bit]
    code = " + ".join(parts) or "a read by the kernel found an entry that was not present"
    codes = [f"error code {error} = {code}"] if error is not None else []
    return [
        why,
        *codes,
        "the guest's own tables refuse the access, so the host passes the fault on to the guest, and makes no shadow entry",
    ]


def _mmio(vm: Machine, before: PathsBefore, error: int | None) -> list[str]:
    if vm.root_level == NONPAGING:
        return ["there is no memory at this address; while the guest isn't paging, the host makes no shadow entry for it"]
    return [
        "no memory slot contains this frame: its shadow entry isn't present but marked by bit 9, and each access is emulated"
    ]


def _emulated(vm: Machine, before: PathsBefore, error: int | None) -> list[str]:
    if not _leaf(shadow_path(vm, before.request.gva).steps) & PRESENT:
        return [
            "the walk and the shadow disagree on the frame: the shadow uses bits 13-16 of a 4 MB entry (PSE-36) as address "
            "bits 32-35, and there is no memory at that address; the walk of KVM 2.6.22 ignores them, and finds memory"
        ]
    return [
        "the frame contains a shadowed page table, so no shadow entry allows writing to it: the host emulates the store, and "
        "before that it zaps the shadow entries that were made from those bytes"
    ]


def _stuck(vm: Machine, before: PathsBefore, error: int | None) -> list[str]:
    request, leaf = before.request, _leaf(shadow_path(vm, before.request.gva).steps)
    if request.fetch and leaf & NX and not vm.cpu.efer & EFER_NX:
        return [
            "this guest has EFER.NX clear, so its NX bits should have no effect; but KVM 2.6.22 copies them, and the real "
            "processor has NX enabled: it refuses what the guest allows, and the host finds nothing to fix"
        ]
    target = guest_path(vm, request.gva).gfn
    if request.user and request.write and target in [step.number for step in before.guest if step.table != PDPT]:
        return [
            "KVM 2.6.22 assumes that a page that user code writes to isn't a page table, and zaps its shadow; but this path "
            "needs the table again at once, so it is shadowed and write-protected again, and the same write faults again"
        ]
    return ["the shadow entry refuses what the guest's tables allow, and KVM 2.6.22 doesn't notice that the same fault recurs"]


def _crash(vm: Machine, before: PathsBefore, error: int | None) -> list[str]:
    request, root = before.request, next((step.number for step in before.guest if step.table != PDPT), None)
    if not (request.user and request.write and guest_path(vm, request.gva).gfn == root):
        return []
    return [
        "KVM 2.6.22 assumes that a page that user code writes to isn't a page table, and zaps its shadow pages until none is "
        "left; but this page is shadowed by the root in use, which is only emptied, so the loop never ends"
    ]


def _ok(vm: Machine, before: PathsBefore, error: int | None) -> list[str]:
    leaf = _leaf(before.shadow)
    if before.refusal:
        shadow = "the processor uses only the shadow, and the last shadow entry was made with the old rights"
        how = shadow if leaf & PRESENT else "the host's walk allowed it"
        return [f"the access succeeds, although the guest's own tables refuse it now: {how}", before.refusal]
    if not before.guest and leaf & PRESENT:
        return ["the shadow already had an entry for this page"]
    missing = next((step for step in before.shadow if not step.entry & PRESENT), None)
    if missing is not None:
        allowed = "" if vm.root_level == NONPAGING else "the guest's tables allow the access, but "
        return [f"{allowed}the shadow had no entry for this address at level {missing.level}: the host handles the fault, and "
                "the guest doesn't notice"]  # fmt: skip
    if before.request.write and not leaf & WRITABLE:
        dirty = before.guest and before.guest[-1].entry & DIRTY
        because = "" if dirty else ": the guest's D was clear, and the host had to see the first write in order to set D"
        return [f"the shadow had an entry for this page, but without W{because}"]
    if before.request.user and not leaf & USER:
        return [
            "the shadow had an entry for this page, but without U, because the kernel had written to it while CR0.WP was clear"
        ]
    return ["the shadow had every entry that the access needs, so the host wasn't involved"]


# Sentences about several outcomes


def _pdpt_in_registers(vm: Machine, before: PathsBefore) -> list[str]:
    gfn = guest_path(vm, before.request.gva).gfn
    if not before.request.write or vm.root_level != ROOT_PAE or gfn != vm.cpu.cr3 >> PAGE_SHIFT:
        return []
    return ["the frame contains the guest's PDPT, but the processor keeps its four entries in registers, so it isn't shadowed"]


def _allocated(before: PathsBefore, pages: int) -> str:
    missing = next((step.level for step in before.shadow if not step.entry & PRESENT), 0)
    below = "for the level below" if pages == 1 else f"one for each level below {missing}"
    each = f", {below}" if missing > 1 and pages == missing - 1 else ""
    large = before.guest and before.guest[-1].level == 2 and each
    extra = "; the last one maps the large page in pieces of 4 KiB, for which the guest has no table" if large else ""
    return f"{pages} shadow {'page was' if pages == 1 else 'pages were'} allocated{each}{extra}"


def _withheld_rights(vm: Machine, before: PathsBefore) -> list[str]:
    """Explain rights that the guest grants and the shadow entry withholds, and vice versa."""
    path = shadow_path(vm, before.request.gva)
    leaf, guest = _leaf(path.steps), guest_path(vm, before.request.gva)
    if not guest.steps or not leaf & (PRESENT | IO_MARK):
        return []
    last, above = guest.steps[-1], [step for step in guest.steps[:-1] if step.table != PDPT]
    found = []
    for bit, recorded, letter in ((WRITABLE, leaf & SHADOW_WRITABLE, "W"), (USER, leaf & SHADOW_USER, "U")):
        refusing = next((step for step in above if not step.entry & bit), None)
        if bool(recorded) != bool(last.entry & bit and refusing is None):
            found += _outdated_right(vm, letter, last if not last.entry & bit else refusing)
        elif last.entry & bit and refusing is not None:
            found.append(
                f"{_name(last)} has {letter}, but {_name(refusing)} doesn't: the rights of all levels are ANDed. The links in "
                f"the shadow allow everything, so only the last shadow entry has no {letter}"
            )
    if leaf & SHADOW_WRITABLE and not leaf & WRITABLE and leaf & PRESENT:
        found.append(_withheld_write(vm, guest.gfn, last))
    if leaf & WRITABLE and not leaf & SHADOW_WRITABLE:
        found.append(
            "the guest's tables don't allow writing, but while CR0.WP is clear the kernel may write: the shadow entry gets W "
            "and loses U, so that user code can't write through it"
        )
    elif leaf & SHADOW_USER and not leaf & USER:
        found.append("U is withheld: with it, user code could write through this entry")
    return found


def _outdated_right(vm: Machine, letter: str, refusing: PathEntry | None) -> list[str]:
    """Explain an outdated right in the shadow entry. Return nothing for your own `set_spte`, which may record other rights."""
    if vm.set_spte is not set_spte:
        return []
    now = f"{_name(refusing)} has no {letter}" if refusing is not None else f"the guest allows {letter} at all levels"
    return [
        f"{now}, but the last shadow entry was made with the old rights and keeps them: in KVM 2.6.22 the role of a shadow "
        "page doesn't contain the rights of the upper levels, so the old page is found and reused"
    ]


def _withheld_write(vm: Machine, gfn: int | None, last: PathEntry) -> str:
    if gfn is not None and vm.pool.lookup(gfn) is not None:
        return "W is withheld: the frame is itself a shadowed page table, so the host has to see every write"
    if not last.entry & DIRTY:
        return "W is withheld: the guest's D is clear, so the host has to see the first write"
    return "W is withheld until the next write faults"


def _leaf(steps: list[PathEntry] | tuple[PathEntry, ...]) -> int:
    """Return the level-1 entry of a shadow path; 0 if the path ends above it."""
    return steps[-1].entry if steps and steps[-1].level == 1 else 0
