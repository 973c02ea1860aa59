# SPDX-License-Identifier: GPL-2.0-only
"""The steps of scenarios (see `steps`) in words, as they are told before they happen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..mmu.bits import (
    CR0_WP,
    CR4_PSE,
    EFER_NX,
    PAGE_SHIFT,
)
from ..mmu.pool import METAPHYSICAL
from ..read.paths import PDPT, guest_path
from .corrupt import said
from .steps import FLAGS, named, reference

if TYPE_CHECKING:
    from ..mmu import Vm

GOLDEN = {
    "create": "a new machine, with memory slots {slots} (base gfn, pages, log)",
    "regs": "registers are set: CR0 {cr0}, CR3 {cr3}, CR4 {cr4}, EFER {efer}",
    "cr3": "the guest loads CR3 with {v}",
    "cr0": "the guest loads CR0 with {v}",
    "cr4": "the guest loads CR4 with {v}",
    "efer": "the guest loads EFER with {v}",
    "fault": "a page fault at gva {gva}, error code {err}",
    "gva2gpa": "gva {gva} is translated by the guest's tables",
    "unprot": "all shadow pages of the frame of gva {gva} are zapped",
    "rwa": "write access is taken from slot {slot}",
    "getdirty": "the dirty log of slot {slot} is read, and its pages are protected again",
    "free_some": "the oldest shadow pages are zapped until 25 are free",
    "zap_all": "every shadow page is zapped",
    "reset": "the context is built again",
}

KINDS = {"w": "writes", "x": "fetches from", "": "reads"}
GUESTS = {0: "no paging", 2: "32-bit guest", 3: "PAE guest", 4: "64-bit guest"}


def say(step: Any, vm: Vm) -> str:
    """A step in words, before it happens. What stands in [brackets] at its end is for lists of steps, not for sentences."""
    if isinstance(step, dict):
        return _say_golden(step, vm)
    name, *operands = step
    return SAID[name](vm, *operands)


def _say_golden(step: dict[str, Any], vm: Vm) -> str:
    """An operation of a golden trace."""
    op = step["op"]
    if op == "access":
        kind = "".join(letter for letter in "wux" if step[letter])
        return f"{_who(kind)} gva {step['gva']:#x}"
    if op == "emul":
        return _say_write(vm, step["gpa"], step["n"], step["val"])
    if op == "poke":
        many = f"{len(step['w'])} words" if len(step["w"]) > 1 else f"the {step['size']} bytes at gpa {step['w'][0][0]:#x}"
        return f"{many} of guest memory are set, unseen"
    if op in GOLDEN:
        return GOLDEN[op].format_map({key: _number(value) for key, value in step.items()})
    return f"{op} {', '.join(f'{key} {_number(value)}' for key, value in step.items() if key != 'op')}".strip()


def _number(value: Any) -> str:
    if isinstance(value, list) and len(value) > 4:
        return f"({len(value)} of them)"
    if isinstance(value, list):
        return f"[{', '.join(map(_number, value))}]"
    return hex(value) if isinstance(value, int) and not isinstance(value, bool) and value > 9 else str(value)


def _flags(flags: str) -> str:
    what = "writable" if {"P", "W"} <= set(flags) else "read-only" if "P" in flags else "not present"
    return f"{what} ({flags}), to" if flags else f"{what}, to"


def _frame(vm: Vm, gfn: int) -> str:
    """A frame as the guest and as the host number it."""
    hfn = None if gfn < 0 else vm.memory.frames[gfn]
    return f"host frame {-gfn:#x}" if gfn < 0 else f"gfn {gfn:#x}" if hfn is None else f"gfn {gfn:#x} (hfn {hfn:#x})"


def _say_unmaps(vm: Vm, spte: str, count: int) -> str:
    return f"remove(#{spte}) to remove(#{named(reference(spte) + count - 1)}), and each entry is then zeroed"


def _say_maps(vm: Vm, spte: str, count: int, gfn: int, flags: str) -> str:
    last = named(reference(spte) + count - 1)
    return f"add(#{spte}) to add(#{last}): {count} entries that are {_flags(flags)} {_frame(vm, gfn)}"


def _who(kind: str) -> str:
    doing = KINDS["w" if "w" in kind else "x" if "x" in kind else ""]
    return f"{'user code' if 'u' in kind else 'the guest kernel'} {doing}"


def _say_write(vm: Vm, gpa: int, size: int, value: int) -> str:
    again = vm.last_pt_write_count + 1 if gpa >> PAGE_SHIFT == vm.last_pt_write_gfn else 1
    row = f", write {again} in a row to this gfn" if again > 2 else ""
    where = f"the guest writes {size} byte{'s' * (size > 1)} at gpa {gpa:#x}{row}"
    pages = [page for page in vm.pool.bucket(gpa >> PAGE_SHIFT) if page.gfn == gpa >> PAGE_SHIFT]
    tables = [page for page in pages if not page.role & METAPHYSICAL]
    if not tables:
        return where
    entry_size = 4 if tables[0].glevels == 2 else 8
    first, last = (gpa & 0xFFF) // entry_size, ((gpa & 0xFFF) + size - 1) // entry_size
    which = f"entry {first}" if first == last else f"entries {first} {'and' if last == first + 1 else 'to'} {last}"
    part = "" if size == entry_size and not gpa % entry_size else "a part of " if first == last else "across "
    many = f", which has {len(tables)} shadow pages" if len(tables) > 1 else ""
    levels = {page.level for page in tables}
    what = "page table" if levels == {1} else "directory" if levels == {2} else "table"
    return f"{where} ({part}{which} of its {what} in gfn {gpa >> PAGE_SHIFT:#x}{many})"


def _say_call(vm: Vm, name: str, arguments: list[Any]) -> str:
    return f"{name}({', '.join(repr(a) if isinstance(a, str) else _number(a) for a in arguments)})"


def _next(vm: Vm) -> str:
    return f"shadow page #{vm.pool.free[-1].id}" if vm.pool.free else "no shadow page, for all are in use"


def _say_shadowed(vm: Vm, gfn: int, count: int = 1) -> str:
    if count > 1:
        return f"the gfns {gfn:#x} to {gfn + count - 1:#x} are page tables: they get a shadow page each, the first {_next(vm)}"
    return f"gfn {gfn:#x} is a page table: it gets {_next(vm)}"


def _say_page(vm: Vm, gfn: int, level: int, glevels: int, quadrant: int = 0, kind: str = "") -> str:
    words = [f"a shadow page of level {level} is made for gfn {gfn:#x} of {'a ' * bool(glevels)}{GUESTS[glevels]}: {_next(vm)}"]
    words += [f"quadrant {quadrant}"] * (glevels == 2) + ["metaphysical"] * ("M" in kind) + ["a root in use"] * ("R" in kind)
    return ", ".join(words)


def _say_fill(vm: Vm, sptes: Sequence[str], gfn: int) -> str:
    some = ", ".join(f"#{spte}" for spte in sptes[:4]) + f" and {len(sptes) - 4} more" * (len(sptes) > 4)
    return f"{some} {'leads' if len(sptes) == 1 else 'lead'} to gfn {gfn:#x} now, where 0 stood"


def _say_writes(vm: Vm, places: Sequence[int], size: int) -> str:
    if len(places) == 1:
        return _say_write(vm, places[0], size, 0)
    some = ", ".join(map(hex, places[:4])) + f" and {len(places) - 4} more" * (len(places) > 4)
    return f"the guest writes {size} byte{'s' * (size > 1)} {len(places)} times, at gpa {some}"


def _row(spte: str, count: int = 1) -> str:
    return f", and so on up to #{named(reference(spte) + count - 1)}" if count > 1 else ""


def _say_make(vm: Vm, spte: str, entry: int, rights: str, gpa: int, gfn: int) -> str:
    given = f"#{spte}, guest entry {entry:#x}, rights {rights or 'none'}, gpa {gpa:#x}, gfn {gfn:#x}"
    spelled = f"{GUESTS[vm.root_level]}; the guest's entry: {_letters(entry) or 'no flags'}"
    return f"set_spte({given}) [{spelled}]"


def _say_walk(vm: Vm, gva: int, kind: str) -> str:
    """The access and, in brackets, what the guest's tables say about it."""
    registers = [name for name, value, bit in (
        ("CR0.WP", vm.cpu.cr0, CR0_WP), ("CR4.PSE", vm.cpu.cr4, CR4_PSE), ("EFER.NX", vm.cpu.efer, EFER_NX)
    ) if value & bit]  # fmt: skip
    way = [
        f"{'PDPTE' if step.table == PDPT else f'gfn {step.number:#x} entry'} {step.index}: "
        + (f"{step.entry:#x} {_letters(step.entry)}" if step.entry else "0")
        for step in guest_path(vm, gva).steps
    ]
    guest = " ".join([GUESTS[vm.root_level], *registers])
    return f"walk: {_who(kind)} gva {gva:#x} [{guest}; {', '.join(way)}]"


def _letters(entry: int) -> str:
    return " ".join("NX" if letter == "X" else "PS" if letter == "S" else letter for letter in FLAGS if entry & FLAGS[letter])


SAID: dict[str, Callable[..., str]] = {
    "map": lambda vm, spte, gfn, flags: f"add(#{spte}): an entry that is {_flags(flags)} {_frame(vm, gfn)}",
    "maps": _say_maps,
    "unmaps": _say_unmaps,
    "unmap": lambda vm, spte: f"remove(#{spte}), and then the entry is zeroed",
    "protect": lambda vm, gfn: f"write_protect(gfn {gfn:#x})",
    "alias": lambda vm, base, npages, target: f"gfns from {base:#x} on become other names of those from {target:#x} on",
    "back": lambda vm: "the first machine goes on",
    "another": lambda vm: "another machine of the same kind is made",
    "link": lambda vm, page, spte, *count: f"add(page #{page}, #{spte}){_row(spte, *count)}",
    "unlink": lambda vm, page, spte, *count: f"remove(page #{page}, #{spte}){_row(spte, *count)}",
    "pdpte": lambda vm, number, value: f"PDPTE {number}, as the processor keeps it, is {value:#x}",
    "stranger": lambda vm, page, spte: f"remove(page #{page}, #{spte}), which is no parent of that page",
    "shadowed": _say_shadowed,
    "page": _say_page,
    "fill": _say_fill,
    "counted": lambda vm, gfn, times: f"vm.last_pt_write_gfn is {gfn:#x} now, and vm.last_pt_write_count {times}",
    "writes": _say_writes,
    "host": lambda vm, gfn, hfn: f"gfn {gfn:#x} is host frame {hfn:#x}, as on a host with much memory",
    "flag": lambda vm, spte, flags: f"the processor sets {' and '.join(flags)} in #{spte}",
    "make": _say_make,
    "walk": _say_walk,
    "access": lambda vm, gva, kind, *store: f"{_who(kind)} gva {gva:#x}",
    "write": _say_write,
    "poke": lambda vm, gpa, size, value: f"{size} bytes at gpa {gpa:#x} become {value:#x}, unseen",
    "zap": lambda vm, gfn: f"all shadow pages of the table in gfn {gfn:#x} are zapped",
    "call": _say_call,
    "corrupt": said,
    "mend": lambda vm: "what was planted is mended",
    "audit": lambda vm: "audit(vm)",
    "boot": lambda vm, name, way, begin, end: f"events {begin} to {end - 1} of {name}",
}
