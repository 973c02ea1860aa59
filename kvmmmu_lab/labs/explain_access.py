# SPDX-License-Identifier: GPL-2.0-only
"""`explain_access` explains the outcome of an access: which entry refuses it, and which rights the shadow withholds.

The reasons are derived from the guest and shadow paths before the access (`PathsBefore`) and after it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..inspect.keys import PDPT
from ..inspect.paths import PathEntry, guest_path, shadow_path
from ..inspect.refusal import Refusal, Request, place, refusals, shadow_grants, why_shadow_allows
from ..mmu.bits import (
    DIRTY,
    EFER_NX,
    IO_MARK,
    NARROW,
    NONPAGING,
    NX,
    PAGE_SHIFT,
    PRESENT,
    PSE36_MASK,
    PSE36_SHIFT,
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
class PathsBefore:
    """The guest and shadow paths of an address before an access.

    ``refused``: the guest's entries that refuse it. ``table``: whether the frame is a shadowed page table.
    """

    request: Request
    guest: tuple[PathEntry, ...]
    shadow: tuple[PathEntry, ...]
    refused: tuple[Refusal, ...]
    table: bool

    @classmethod
    def of(cls, vm: Machine, request: Request) -> PathsBefore:
        """Read the paths, without changing the VM."""
        guest, shadow = guest_path(vm, request.gva), shadow_path(vm, request.gva)
        table = guest.gfn is not None and vm.pool.lookup(guest.gfn) is not None
        return cls(request, tuple(guest.steps), tuple(shadow.steps), tuple(refusals(vm, request, guest.steps)), table)


def action(request: Request) -> str:
    """Return the request as a sentence without its full stop: "User code writes to 0x1000"."""
    where = "from" if request.fetch else "to" if request.write else "at"
    return f"{access_clause(request.write, request.user, request.fetch)} {where} {request.gva:#x}"


def explain_access(vm: Machine, before: PathsBefore, outcome: str, error: int | None, pages: int) -> list[str]:
    """Return sentences that explain the outcome of an access that has just been made.

    ``outcome``: `Access.outcome`, or "crash"; ``error``: the guest's page-fault error code, or None; ``pages``: the number of
    shadow pages that were allocated.
    """
    explain = {
        "inject": _inject,
        "mmio": _mmio,
        "emul": _emulated,
        "stuck": _stuck,
        "ok": _ok,
        "crash": _crash,
        "escape": _escape,
    }.get(outcome)
    found = explain(vm, before, error) if explain else []
    found += _pdpt_in_registers(vm, before) if outcome == "ok" else []
    if pages and outcome != "stuck":
        found.append(_allocated(before, pages))
    if vm.dead is None and outcome in ("ok", "mmio", "stuck"):
        found += _withheld_rights(vm, before, outcome)
    return [sentence[0].upper() + sentence[1:] + "." for sentence in found]


# One function for each outcome


def _inject(vm: Machine, before: PathsBefore, error: int | None) -> list[str]:
    bits = (
        (1, "an entry was present and refused the access"),
        (2, "a write"),
        (4, "by user code"),
        (16, "an instruction fetch"),
    )
    parts = [f"{bit} ({words})" for bit, words in bits if (error or 0) & bit]
    code = " + ".join(parts) or "a read by the kernel found an entry that was not present"
    codes = [f"error code {error} = {code}"] if error is not None else []
    if not before.refused:
        return ["no entry of the guest's tables refuses the access, but the host's walk does", *codes]
    return [
        *_refused(before),
        *codes,
        "the guest's own tables refuse the access, so the host passes the fault on to the guest, and makes no shadow entry",
    ]


def _refused(before: PathsBefore) -> list[str]:
    """Name the entry that ends the walk, and why each of its bits matters; then the entries below it that refuse as well."""
    first, *others = before.refused
    found = [f"{first}, {_why_needed(before.request, first.bits)}"]
    denied = [other for other in others if other.bits != ("P",)]
    if denied:
        also = "so does" if len(denied) == 1 else "so do"
        found.append(f"{also} {', and '.join(place(other.entry) for other in denied)}; but the walk stops at the first refusal")
    if first.bits != ("P",) and others and others[-1].bits == ("P",):
        found.append(
            f"{others[-1]} either. A processor checks rights only at the end of its walk, and would report an entry that isn't "
            "present (bit 0 clear); the walk of KVM 2.6.22 stops at the first refusal"
        )
    return found


def _why_needed(request: Request, bits: tuple[str, ...]) -> str:
    """Return why an access fails because of these bits, to follow "has no W"."""
    if bits == ("P",):
        return "so the walk ends there, and bit 0 of the error code is clear"
    because = {
        "W": "user code always needs W to write" if request.user else "CR0.WP is set, so the kernel needs W to write, too",
        "U": "a page without U is for the kernel only",
        "NX": "EFER.NX is set, so no instruction may be fetched from there",
    }
    return f"and {'; '.join(because[bit] for bit in bits)}"


def _mmio(vm: Machine, before: PathsBefore, error: int | None) -> list[str]:
    if vm.root_level == NONPAGING:
        return ["there is no memory at this address; while the guest isn't paging, the host makes no shadow entry for it"]
    return [
        "no memory slot contains this frame: its shadow entry isn't present but marked by bit 9, and each access is emulated"
    ]


def _emulated(vm: Machine, before: PathsBefore, error: int | None) -> list[str]:
    leaf = _leaf(before.shadow)
    if leaf & IO_MARK and not leaf & PRESENT and not _pse36_without_memory(vm, before):
        return [
            "the shadow entry was made when no memory slot contained this frame (bit 9 is set). KVM 2.6.22 keeps it when a "
            "slot is added, so each access is still emulated"
        ]
    if _pse36_without_memory(vm, before):
        return [
            "the walk and the shadow disagree on the frame: the shadow uses bits 13-16 of a 4 MB entry (PSE-36) as address "
            "bits 32-35, and there is no memory at that address; the walk of KVM 2.6.22 ignores them, and finds memory"
        ]
    return [
        "the frame contains a shadowed page table, so no shadow entry allows writing to it: the host emulates the store, and "
        "before that it zaps the shadow entries that were made from those bytes, if there are any"
    ]


def _pse36_without_memory(vm: Machine, before: PathsBefore) -> bool:
    """Whether the last guest entry is a 4 MB entry whose PSE-36 bits lead to an address without memory."""
    last = before.guest[-1] if before.guest else None
    if last is None or vm.root_level != ROOT_32 or last.level != 2 or not last.entry & PSE36_MASK:
        return False
    gfn = (last.entry & NARROW.large_base) >> PAGE_SHIFT | (last.entry & PSE36_MASK) << PSE36_SHIFT - PAGE_SHIFT
    return vm.memory.frames[gfn | before.request.gva >> PAGE_SHIFT & 1023] is None


def _stuck(vm: Machine, before: PathsBefore, error: int | None) -> list[str]:
    request, leaf = before.request, _leaf(shadow_path(vm, before.request.gva).steps)
    if request.fetch and leaf & NX and not vm.cpu.efer & EFER_NX:
        return [
            "this guest has EFER.NX clear, so the walk of its tables ignores NX; but KVM 2.6.22 copies NX into the shadow, and "
            "the host's processor has NX enabled: it refuses what the walk allows, and the host finds nothing to fix"
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


def _escape(vm: Machine, before: PathsBefore, error: int | None) -> list[str]:
    return [
        "the shadow entry still leads to a host frame that no longer belongs to a memory slot: KVM 2.6.22 doesn't zap the "
        "shadow entries of a slot that is removed"
    ]


def _ok(vm: Machine, before: PathsBefore, error: int | None) -> list[str]:
    request, leaf = before.request, _leaf(before.shadow)
    if before.refused:
        return _allowed_nevertheless(vm, before)
    if shadow_grants(request, before.shadow):
        return [
            "the shadow already had an entry for this page"
            if not before.guest
            else "the shadow had every entry that the access needs, so the host wasn't involved"
        ]
    missing = next((step for step in before.shadow if not step.entry & PRESENT), None)
    if vm.tlb is not None and not shadow_grants(request, shadow_path(vm, request.gva).steps):
        return [CACHED]
    if missing is not None:
        allowed = "" if vm.root_level == NONPAGING else "the guest's tables allow the access, but "
        return [f"{allowed}the shadow had no entry for this address at level {missing.level}: the host handles the fault, and "
                "the guest doesn't notice"]  # fmt: skip
    if request.write and not leaf & WRITABLE:
        return [f"the shadow had an entry for this page, but without W: {_why_not_writable(before, leaf)}"]
    if request.user and not leaf & USER:
        return [
            "the shadow had an entry for this page, but without U, because the kernel had written to it while CR0.WP was clear"
        ]
    return ["the shadow refused the access, and after the fault it allows it"]  # only with your own parts


CACHED = "the processor used a translation that it had cached in its TLB, so it read no shadow entry"


def _allowed_nevertheless(vm: Machine, before: PathsBefore) -> list[str]:
    """Explain an access that succeeds although the guest's tables refuse it."""
    allows = "the access succeeds, although the guest's own tables refuse it"
    first = [f"{refusal}" for refusal in before.refused]
    if not shadow_grants(before.request, before.shadow):
        how = CACHED if vm.tlb is not None else "the host's walk allowed it"
        return [f"{allows}: {how}", *first]
    reasons = why_shadow_allows(before.request, before.refused, _leaf(before.shadow))
    return [f"{allows}: the processor uses only the shadow, which allows it", *first, *reasons]


def _why_not_writable(before: PathsBefore, leaf: int) -> str:
    """Return why a shadow entry had no W, although the write was allowed in the end."""
    if not leaf & SHADOW_WRITABLE:
        return "the guest's tables don't allow writing, but CR0.WP is clear, so its kernel may write"
    if before.table:
        return (
            "the frame was a shadowed page table. KVM 2.6.22 assumes that a page that user code writes to isn't one any more, "
            "and zaps its shadow pages"
        )
    if before.guest and not before.guest[-1].entry & DIRTY:
        return "the guest's D was clear, and the host had to see the first write in order to set D"
    return "W had been withheld or taken away, so that the host would see the next write"


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


def _withheld_rights(vm: Machine, before: PathsBefore, outcome: str) -> list[str]:
    """Explain rights that the guest grants and the shadow entry withholds, and vice versa."""
    path = shadow_path(vm, before.request.gva)
    leaf, guest = _leaf(path.steps), guest_path(vm, before.request.gva)
    if not guest.steps or not leaf & (PRESENT | IO_MARK):
        return []
    last, above = guest.steps[-1], [step for step in guest.steps[:-1] if step.table != PDPT]
    found, told = [], {bit for refusal in before.refused for bit in refusal.bits}
    for bit, recorded, letter in ((WRITABLE, leaf & SHADOW_WRITABLE, "W"), (USER, leaf & SHADOW_USER, "U")):
        refusing = next((step for step in above if not step.entry & bit), None)
        if letter in told:
            continue
        if bool(recorded) != bool(last.entry & bit and refusing is None):
            found += _outdated_right(vm, letter, bool(recorded), last if not last.entry & bit else refusing)
        elif last.entry & bit and refusing is not None and not leaf & bit:
            found.append(
                f"{place(last)} has {letter}, but {place(refusing)} doesn't: the rights of all levels are ANDed. The links in "
                f"the shadow allow everything, so only the last shadow entry has no {letter}"
            )
    if outcome == "stuck":
        return found
    if leaf & PRESENT:
        found += _lost_nx(vm, before, last, above, leaf)
    if leaf & SHADOW_WRITABLE and not leaf & WRITABLE and leaf & PRESENT:
        found.append(_withheld_write(vm, guest.gfn, last))
    if leaf & WRITABLE and not leaf & SHADOW_WRITABLE:
        found.append(
            "the shadow entry records that the guest's tables don't allow writing. When the kernel writes while CR0.WP is "
            "clear, such an entry gets W and loses U, so that user code can't write through it"
        )
    elif leaf & SHADOW_USER and not leaf & USER:
        found.append(
            "U is withheld since the kernel wrote here while CR0.WP was clear; the next read by user code gives it back"
        )
    return found


def _lost_nx(vm: Machine, before: PathsBefore, last: PathEntry, above: list[PathEntry], leaf: int) -> list[str]:
    """Explain NX of an upper level that the shadow doesn't have. `_ok` has told it already if this access is such a fetch."""
    refusing = next((step for step in above if step.entry & NX), None)
    if refusing is None or leaf & NX or last.entry & NX or vm.root_level == ROOT_32 or not vm.cpu.efer & EFER_NX:
        return []
    if before.request.fetch and before.refused:
        return []
    return [
        f"{place(refusing)} has NX, but the last shadow entry doesn't: KVM 2.6.22 copies NX from the last entry alone. A fetch "
        "would now go through"
    ]


def _outdated_right(vm: Machine, letter: str, recorded: bool, refusing: PathEntry | None) -> list[str]:
    """Explain a right that the shadow entry records otherwise than the guest's tables grant it now.

    Return nothing for your own `set_spte`, which may record other rights.
    """
    if vm.set_spte is not set_spte:
        return []
    now = f"{place(refusing)} has no {letter}" if refusing is not None else f"the guest allows {letter} at all levels"
    made = f"the last shadow entry was made when the path to it {'allowed' if recorded else 'did not allow'} {letter}"
    if refusing is not None and refusing.level == 1:
        return [f"{now}, but {made}, and the host hasn't seen the change"]
    return [
        f"{now}, but {made} (before an entry above changed, or through other entries that lead to the same table). In KVM "
        "2.6.22 the role of a shadow page doesn't contain the rights of the upper levels, so the old page is found and reused"
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
