# SPDX-License-Identifier: GPL-2.0-only
"""The steps of scenarios: what each does to a machine, and how it is said.

An spte is written "7:12": entry 12 of shadow page 7. Flags are letters: P W U A D G, X for NX, S for PS (a large page).

================================== ===================================================================
("map", spte, gfn, flags)          make the entry, past the engine, then ``rmap.add(spte)``; a negative gfn is a host frame's
                                   number, such as a host with much memory has
("maps", spte, count, gfn, flags)  the same for so many entries in a row
("unmap", spte)                    ``rmap.remove(spte)``, then the entry is zeroed
("unmaps", spte, count)            the same for so many entries in a row, one after the other
("protect", gfn)                   ``rmap.write_protect(gfn)``
("alias", base, npages, target)    gfns from base on are another name for those from target on
("host", gfn, hfn)                 the guest's frame is this one of the host's, as on a host with much memory
("flag", spte, flags)              the processor sets these bits, A or D, in the entry
("another",)                       another machine of the same kind; the steps behind it happen there
("back",)                          the steps behind it happen to the first machine again
("link", page, spte[, count])      ``parents.add(page, spte)``, for so many entries in a row
("unlink", page, spte[, count])    ``parents.remove(page, spte)``, likewise
("stranger", page, spte)           the same for an entry that is no parent: whether it raises an exception, and what it leaves
("shadowed", gfn[, count])         a shadow page for gfn is taken from the pool: gfn is a page table; and the gfns after it
("page", gfn, level, glevels[, quadrant, kind])  the same, with this role; in ``kind`` "M": metaphysical, "R": a root in use
("fill", sptes, gfn)               those of these entries that are 0 lead to gfn: of level 1 to the frame, writable, and they
                                   are noted in its reverse map; higher ones to its newest shadow page, as its parents
("counted", gfn, times)            as if the guest's latest writes, so many, had gone to gfn
("make", spte, entry, rights, gpa, gfn)  ``set_spte(...)``; ``rights`` as letters
("pdpte", number, value)           the processor keeps this as one of a PAE guest's four PDPTEs
("walk", gva, kind)                ``walk(...)``; a kind is letters of "wux": write, user, fetch
("access", gva, kind[, value, size])  the guest's access, through the shadow tables, faults and all
("write", gpa, size, value)        a store that the host emulates: pre-write, then the bytes
("writes", places, size)           such stores of 0 at these gpas, one after the other
("poke", gpa, size, value)         bytes behind everybody's back
("zap", gfn)                       all shadow pages of the table in gfn go (unprotect)
("call", name, arguments)          a function of the submission's
("corrupt", what[, number, gfn])   plant a mistake, see `corrupt`
("mend",)                          take back what was planted
("audit",)                         what the submission's ``audit(vm)`` answers
================================== ===================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..inspect.keys import PDPT
from ..inspect.names import entry_name, parse_entry_name
from ..inspect.paths import guest_path
from ..mmu import bits, shadow
from ..mmu import events as ev
from ..mmu.bits import (
    BASE_MASK,
    CR0_WP,
    CR4_PSE,
    EFER_NX,
    PAGE_SHIFT,
    flag_names,
    guest_format,
    mode_of_levels,
)
from ..mmu.memory import FIRST_SHADOW
from ..mmu.pool import METAPHYSICAL, NUM_PAGES
from ..mmu.walk import Walk
from .fault_injection import corrupt, said
from .sandbox.protocol import plain

if TYPE_CHECKING:
    from ..mmu import Vm
    from .testbench import Bench


FLAGS = {flag.letter: flag.mask for flag in bits.FLAGS if flag.letter}


def flag_bits(flags: str) -> int:
    """The bits of flags given as letters; a bit without a letter by its number, "PW+52"."""
    letters, *numbers = flags.split("+")
    return sum(FLAGS[letter] for letter in letters) | sum(1 << int(number) for number in numbers)


def _name(spte: str) -> str:
    """An spte of a scenario, as messages name it: "#7:12"."""
    return entry_name(parse_entry_name(spte))


def _map(bench: Bench, spte: str, gfn: int, flags: str) -> None:
    vm, at = bench.vm, parse_entry_name(spte)
    page = vm.pool.pages[(at >> 9) - FIRST_SHADOW]
    if not page.role:  # a page that nobody took: for pictures, one of a page table
        page.gfn, page.role = page.id, 4 | 1 << 4
    hfn = -gfn if gfn < 0 else vm.memory.frames[gfn] or 0
    bench.known.add(hfn & BASE_MASK >> PAGE_SHIFT)
    bench.touched.add(page.id)
    vm.memory.words[at] = hfn << PAGE_SHIFT | flag_bits(flags)
    vm.rmap.add(at)


def _maps(bench: Bench, spte: str, count: int, gfn: int, flags: str) -> None:
    for at in range(parse_entry_name(spte), parse_entry_name(spte) + count):
        bench.vm.caches.top_up(None)  # as before each fault
        _map(bench, entry_name(at), gfn, flags)


def _unmap(bench: Bench, spte: str) -> str | None:
    at, words = parse_entry_name(spte), bench.vm.memory.words
    before = words[at]
    bench.vm.rmap.remove(at)
    after, words[at] = words[at], 0
    said = f"remove({entry_name(at)}) changes the entry itself, from {before:#x} to {after:#x}, which is for others to do"
    return said if after != before else None


def _unmaps(bench: Bench, spte: str, count: int) -> str | None:
    said = [_unmap(bench, entry_name(at)) for at in range(parse_entry_name(spte), parse_entry_name(spte) + count)]
    return next(filter(None, said), None)


def _protect(bench: Bench, gfn: int) -> None:
    bench.known.add(bench.vm.memory.frames[gfn] or 0)
    bench.vm.rmap.write_protect(gfn)


def _link(bench: Bench, page: int, spte: str, count: int = 1) -> None:
    header, first = bench.vm.pool.pages[page], parse_entry_name(spte)
    for at in range(first, first + count):
        if at in list(bench.vm.parents.sptes(header)):
            raise InputError("spte", entry_name(at), f"an entry that isn't a parent of page #{page} yet")
        bench.vm.parents.add(header, at)


def _unlink(bench: Bench, page: int, spte: str, count: int = 1) -> None:
    for at in range(parse_entry_name(spte), parse_entry_name(spte) + count):
        bench.vm.parents.remove(bench.vm.pool.pages[page], at)


def _stranger(bench: Bench, page: int, spte: str) -> str:
    try:
        bench.vm.parents.remove(bench.vm.pool.pages[page], parse_entry_name(spte))
    except NotImplementedError:
        raise
    except Exception:
        return "it raises an exception"
    return "it goes unnoticed"


def _shadowed(bench: Bench, gfn: int, count: int = 1) -> None:
    for number in range(gfn, gfn + count):
        bench.vm.pool.take(number, bench.vm.root_level | 1 << 4)


def _page(bench: Bench, gfn: int, level: int, glevels: int, quadrant: int = 0, kind: str = "") -> None:
    page = bench.vm.pool.take(gfn, glevels | level << 4 | quadrant << 8 | ("M" in kind and METAPHYSICAL))
    if page is not None:
        page.root_count = int("R" in kind)


def _fill(bench: Bench, sptes: Iterable[str], gfn: int) -> None:
    vm, flags = bench.vm, flag_bits("PWUAD")
    child = next((page for page in vm.pool.bucket(gfn) if page.gfn == gfn), None)
    for at in map(parse_entry_name, sptes):
        page = vm.pool.pages[(at >> 9) - FIRST_SHADOW]
        if vm.memory.words[at] or page not in vm.pool.active:
            continue
        vm.caches.top_up(None)  # as before each fault
        if page.level == 1:
            _map(bench, entry_name(at), gfn, "PWUAD")
        elif child is not None:
            vm.memory.put(at, child.hpa | flags, ev.LINK_TABLE)
            vm.parents.add(child, at)


def _flag(bench: Bench, spte: str, flags: str) -> None:
    at = parse_entry_name(spte)
    bench.vm.memory.words[at] |= flag_bits(flags)


def _host(bench: Bench, gfn: int, hfn: int) -> None:
    bench.vm.memory.frames[gfn], bench.vm.memory.gfns[hfn] = hfn, None


def _counted(bench: Bench, gfn: int, times: int) -> None:
    bench.vm.last_pt_write_gfn, bench.vm.last_pt_write_count = gfn, times


def _writes(bench: Bench, places: Iterable[int], size: int) -> None:
    for gpa in places:
        bench.vm.emulate_write_gpa(gpa, 0, size)


def _pdpte(bench: Bench, number: int, value: int) -> None:
    bench.vm.cpu.pdptrs[number] = value


def _make(bench: Bench, spte: str, entry: int, rights: str, gpa: int, gfn: int) -> None:
    bench.vm.set_spte(bench.vm, parse_entry_name(spte), entry, flag_bits(rights), gpa, gfn)


def _walk(bench: Bench, gva: int, kind: str) -> Any:
    walk = bench.vm.walk(bench.vm, gva, "w" in kind, "u" in kind, "x" in kind)
    if not all(hasattr(walk, name) for name in Walk.__slots__):
        return plain(walk)
    if walk.error is not None:
        return {"error": plain(walk.error), "level": plain(walk.level)}
    try:
        tables = [walk.tables[level] for level in range(walk.level, min(bench.top, 2 if bench.top == 3 else 4) + 1)]
    except (TypeError, IndexError, KeyError):
        tables = walk.tables
    seen = {"error": None, "level": walk.level, "gfn": walk.gfn, "rights": walk.rights, "tables": tables, "entry": walk.entry}
    return {name: plain(value) for name, value in seen.items()}


def _access(bench: Bench, gva: int, kind: str, value: int | None = None, size: int = 1) -> Any:
    store = {} if value is None else {"value": value, "size": size}
    access = bench.vm.access(gva, write="w" in kind, user="u" in kind, fetch="x" in kind, **store)
    return list(access)


def _call(bench: Bench, name: str, arguments: list[Any]) -> Any:
    return plain(bench.defined[name](*arguments))


def _audit(bench: Bench) -> Any:
    found = bench.defined["audit"](bench.vm)
    if not isinstance(found, Iterable):
        raise TypeError(f"audit(vm) has to answer a list of complaints; it answers {found!r}")
    return sorted((_complaint(item) for item in plain(list(found))), key=repr)


def _complaint(item: Any) -> Any:
    """A complaint in words, so that it can be read; what is none stays as it is."""
    kind, where = item if isinstance(item, list) and len(item) == 2 else (None, None)
    if not isinstance(where, int) or kind not in ("rmap", "wp", "map"):
        return item
    inside = kind == "rmap" and FIRST_SHADOW <= where >> 9 < FIRST_SHADOW + NUM_PAGES
    return f"rmap {entry_name(where)}" if inside else f"{kind} {WHERE[kind]} {where:#x}"


WHERE = {"rmap": "spte", "wp": "gfn", "map": "gva"}


def _corrupt(bench: Bench, what: str, number: int = 0, gfn: int = 0) -> None:
    bench.planted.append(corrupt(bench.vm, what, number, gfn))


def _mend(bench: Bench) -> None:
    while bench.planted:
        bench.planted.pop()()


STEPS: dict[str, Callable[..., Any]] = {
    "map": _map,
    "maps": _maps,
    "unmap": _unmap,
    "unmaps": _unmaps,
    "protect": _protect,
    "alias": lambda bench, base, npages, target: bench.vm.set_alias(0, base, npages, target),
    "back": lambda bench: bench.back(),
    "another": lambda bench: bench.another(),
    "link": _link,
    "unlink": _unlink,
    "stranger": _stranger,
    "shadowed": _shadowed,
    "page": _page,
    "fill": _fill,
    "counted": _counted,
    "host": _host,
    "flag": _flag,
    "make": _make,
    "pdpte": _pdpte,
    "walk": _walk,
    "access": _access,
    "write": lambda bench, gpa, size, value: bench.vm.emulate_write_gpa(gpa, value, size),
    "writes": _writes,
    "poke": lambda bench, gpa, size, value: bench.vm.poke(gpa, value, size),
    "zap": lambda bench, gfn: shadow.unprotect_page(bench.vm, gfn),
    "call": _call,
    "corrupt": _corrupt,
    "mend": _mend,
    "audit": _audit,
}


# FOLDED IN: check.words: The steps of scenarios (see `steps`) in words, as they are told before they happen.


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
    return f"remove({_name(spte)}) to remove({entry_name(parse_entry_name(spte) + count - 1)}), and each entry is then zeroed"


def _say_maps(vm: Vm, spte: str, count: int, gfn: int, flags: str) -> str:
    last = entry_name(parse_entry_name(spte) + count - 1)
    return f"add({_name(spte)}) to add({last}): {count} entries that are {_flags(flags)} {_frame(vm, gfn)}"


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
    entry_size = guest_format(tables[0].glevels).size
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
    words = [f"a shadow page of level {level} is made for gfn {gfn:#x} of a {mode_of_levels(glevels).guest}: {_next(vm)}"]
    words += [f"quadrant {quadrant}"] * (glevels == 2) + ["metaphysical"] * ("M" in kind) + ["a root in use"] * ("R" in kind)
    return ", ".join(words)


def _say_fill(vm: Vm, sptes: Sequence[str], gfn: int) -> str:
    some = ", ".join(map(_name, sptes[:4])) + f" and {len(sptes) - 4} more" * (len(sptes) > 4)
    return f"{some} {'leads' if len(sptes) == 1 else 'lead'} to gfn {gfn:#x} now, where 0 stood"


def _say_writes(vm: Vm, places: Sequence[int], size: int) -> str:
    if len(places) == 1:
        return _say_write(vm, places[0], size, 0)
    some = ", ".join(map(hex, places[:4])) + f" and {len(places) - 4} more" * (len(places) > 4)
    return f"the guest writes {size} byte{'s' * (size > 1)} {len(places)} times, at gpa {some}"


def _row(spte: str, count: int = 1) -> str:
    return f", and so on up to {entry_name(parse_entry_name(spte) + count - 1)}" if count > 1 else ""


def _say_make(vm: Vm, spte: str, entry: int, rights: str, gpa: int, gfn: int) -> str:
    given = f"{_name(spte)}, guest entry {entry:#x}, rights {rights or 'none'}, gpa {gpa:#x}, gfn {gfn:#x}"
    spelled = f"{mode_of_levels(vm.root_level).guest}; the guest's entry: {flag_names(entry) or 'no flags'}"
    return f"set_spte({given}) [{spelled}]"


def _say_walk(vm: Vm, gva: int, kind: str) -> str:
    """The access and, in brackets, what the guest's tables say about it."""
    registers = [name for name, value, bit in (
        ("CR0.WP", vm.cpu.cr0, CR0_WP), ("CR4.PSE", vm.cpu.cr4, CR4_PSE), ("EFER.NX", vm.cpu.efer, EFER_NX)
    ) if value & bit]  # fmt: skip
    way = [
        f"{'PDPTE' if step.table == PDPT else f'gfn {step.number:#x} entry'} {step.index}: "
        + (f"{step.entry:#x} {flag_names(step.entry)}" if step.entry else "0")
        for step in guest_path(vm, gva).steps
    ]
    guest = " ".join([mode_of_levels(vm.root_level).guest, *registers])
    return f"walk: {_who(kind)} gva {gva:#x} [{guest}; {', '.join(way)}]"


SAID: dict[str, Callable[..., str]] = {
    "map": lambda vm, spte, gfn, flags: f"add({_name(spte)}): an entry that is {_flags(flags)} {_frame(vm, gfn)}",
    "maps": _say_maps,
    "unmaps": _say_unmaps,
    "unmap": lambda vm, spte: f"remove({_name(spte)}), and then the entry is zeroed",
    "protect": lambda vm, gfn: f"write_protect(gfn {gfn:#x})",
    "alias": lambda vm, base, npages, target: f"gfns from {base:#x} on become other names of those from {target:#x} on",
    "back": lambda vm: "the first machine goes on",
    "another": lambda vm: "another machine of the same kind is made",
    "link": lambda vm, page, spte, *count: f"add(page #{page}, {_name(spte)}){_row(spte, *count)}",
    "unlink": lambda vm, page, spte, *count: f"remove(page #{page}, {_name(spte)}){_row(spte, *count)}",
    "pdpte": lambda vm, number, value: f"PDPTE {number}, as the processor keeps it, is {value:#x}",
    "stranger": lambda vm, page, spte: f"remove(page #{page}, {_name(spte)}), which is no parent of that page",
    "shadowed": _say_shadowed,
    "page": _say_page,
    "fill": _say_fill,
    "counted": lambda vm, gfn, times: f"vm.last_pt_write_gfn is {gfn:#x} now, and vm.last_pt_write_count {times}",
    "writes": _say_writes,
    "host": lambda vm, gfn, hfn: f"gfn {gfn:#x} is host frame {hfn:#x}, as on a host with much memory",
    "flag": lambda vm, spte, flags: f"the processor sets {' and '.join(flags)} in {_name(spte)}",
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
