# SPDX-License-Identifier: GPL-2.0-only
"""Events: the small steps that the engine can report.

An event is a plain tuple: its `Kind`, then the operands in the order of ``kind.operands``. Every kind names
the kernel function and the lines that it represents. If ``opens`` is true, the event begins an operation, which an `END`
event ends, so events nest as the kernel's calls do. A sink is any function that takes one event, such as ``list.append``::

    events = []
    detach = vm.attach(events.append)
    vm.access(0x1000)
    print(*map(describe, events), sep="\\n")
    detach()

Kinds with the operands ``hpa size old new`` are changes of ``size`` bytes of host memory. All changes of guest memory
and of shadow tables have this form (see `memory`), except `LOAD`, which fills a whole page. An event is reported after its
step; an event that opens an operation is reported before it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import InputError

Sink = Callable[[tuple], object]
F = TypeVar("F", bound=Callable[..., Any])
KINDS: dict[str, Kind] = {}


class Kind:
    """A kind of event: its name, kernel function, source lines and operand names.

    ``opens``: whether it begins an operation. ``change``: whether it changes memory. ``context``: whether the operation that it
    begins may change registers, roots or memory slots; no events report these changes.
    """

    __slots__ = ("name", "function", "source", "operands", "opens", "change", "context", "width")

    def __init__(self, name: str, function: str, source: str, operands: str = "", opens: bool = False) -> None:
        self.name, self.function, self.source, self.opens = name, function, source, opens
        self.operands = tuple(operands.split())
        self.change, self.context = operands == "hpa size old new", False
        self.width = 1 + len(self.operands)
        KINDS[name] = self

    def __repr__(self) -> str:
        return f"<Kind {self.name}>"


@dataclass(frozen=True)
class Event:
    """One step in readable form: the kernel function, and the operands by name."""

    name: str
    function: str
    source: str
    operands: dict[str, Any]

    def __str__(self) -> str:
        values = (f"{k}={hex(v) if type(v) is int else v}" for k, v in self.operands.items())
        return f"{self.name:<18} {' '.join(values)}  [{self.function} {self.source}]"


def describe(event: tuple) -> Event:
    """Turn a raw event into an `Event`. Raises InputError if it isn't an event."""
    kind = event[0] if isinstance(event, tuple) and event else None
    if not isinstance(kind, Kind) or len(event) != 1 + len(kind.operands):
        raise InputError("event", event, "a tuple that was passed to a sink: a Kind and its operands")
    return Event(kind.name, kind.function, kind.source, dict(zip(kind.operands, event[1:], strict=True)))


def _brief(result: Any) -> Any:
    return list(result) if type(result) is list else getattr(result, "brief", result)


def traced(kind: Kind) -> Callable[[F], F]:
    """Make a decorator that reports each call of a function as an operation.

    It reports ``kind`` with the call's first arguments, then `END` with the result. A page or a result object is reported as
    its ``brief`` value, since the object itself may change later.
    """

    def wrap(function: F) -> F:
        count, of_page = len(kind.operands), kind.operands[:1] == ("page",)

        @functools.wraps(function)
        def reported(vm: Any, *operands: Any) -> Any:
            emit = vm.emit
            if emit is None:
                return function(vm, *operands)
            emit((kind, operands[0].brief) if of_page else (kind, *operands[:count]))
            result = function(vm, *operands)
            emit((END, result if type(result) is int else _brief(result)))
            return result

        return reported  # type: ignore[return-value]

    return wrap


def _change(name: str, function: str, source: str) -> Kind:
    return Kind(name, function, source, "hpa size old new")


def _context(name: str, function: str, source: str, operands: str = "") -> Kind:
    kind = Kind(name, function, source, operands, True)
    kind.context = True
    return kind


END = Kind("end", "", "", "result")
CRASH = Kind("host_crash", "", "", "kind function source what")

# The processor and the VM around the MMU (kvm_main.c)
ACCESS = Kind("access", "", "the processor", "gva write user fetch", True)
HARDWARE_READ = Kind("hardware_read", "", "the processor", "hpa level entry")
STORE = Kind("store", "", "the processor", "hpa size old new")
POKE = Kind("poke", "", "the test bench", "hpa size old new")
LOAD = Kind("load", "", "the test bench", "hpa old new")
EMULATED_WRITE = Kind("emulated_write", "emulator_write_phys", "kvm_main.c", "gpa value size", True)
EMULATED_STORE = Kind("emulated_store", "emulator_write_phys", "kvm_main.c", "hpa size old new")
SET_REGISTERS = _context("set_registers", "", "kvm_main.c", "cr0 cr3 cr4 efer")
LOAD_CR0 = _context("load_cr0", "set_cr0", "kvm_main.c", "value")
LOAD_CR3 = _context("load_cr3", "set_cr3", "kvm_main.c", "value")
LOAD_CR4 = _context("load_cr4", "set_cr4", "kvm_main.c", "value")
LOAD_EFER = _context("load_efer", "set_efer", "kvm_main.c", "value")
LOAD_PDPTES = Kind("load_pdptes", "load_pdptrs", "kvm_main.c", "pdpte0 pdpte1 pdpte2 pdpte3")
GENERAL_PROTECTION = Kind("inject_gp", "inject_gp", "kvm_main.c", "why")
SET_SLOT = _context("set_slot", "kvm_vm_ioctl_set_memory_region", "kvm_main.c", "slot base npages log")
SET_ALIAS = _context("set_alias", "kvm_vm_ioctl_set_memory_alias", "kvm_main.c", "alias base npages target")
DIRTY_LOG = _context("dirty_log", "kvm_vm_ioctl_get_dirty_log", "kvm_main.c", "slot")
CLEAR_LOG = Kind("clear_log", "kvm_vm_ioctl_get_dirty_log", "kvm_main.c", "slot")
MARK_DIRTY = Kind("mark_dirty", "mark_page_dirty", "kvm_main.c", "gfn")
FLUSH = Kind("tlb_flush", "tlb_flush", "mmu.c:436, 649, 940, 990, 1357")
LOAD_ROOT = Kind("load_root", "set_cr3", "mmu.c:933, 951, 1052, 1074", "root")
INJECT = Kind("inject_page_fault", "inject_page_fault", "mmu.c:1002-1007", "gva error")

# Page faults and walks of the guest's tables (paging_tmpl.h)
PAGE_FAULT = Kind("page_fault", "page_fault", "paging_tmpl.h:392", "gva error", True)
WALK = Kind("walk", "walk_addr", "paging_tmpl.h:72", "gva write user fetch", True)
GUEST_READ = Kind("guest_read", "walk_addr", "paging_tmpl.h:72", "gfn index level entry")
GUEST_ACCESSED = Kind("guest_accessed", "walk_addr", "paging_tmpl.h:72", "hpa size old new")
FETCH = Kind("fetch", "fetch", "paging_tmpl.h:224", "gva", True)
SHADOW_READ = Kind("shadow_read", "fetch", "paging_tmpl.h:224", "spte level entry")
LINK_TABLE = _change("link_table", "fetch", "paging_tmpl.h:224")
MARK_LARGE = _change("mark_large", "fetch", "paging_tmpl.h:224")
SET_SPTE = Kind("set_spte", "set_pte_common", "mmu.c:954-1000", "spte guest_entry rights gpa gfn", True)
MAKE_SPTE = _change("make_spte", "set_pte_common", "mmu.c:954-1000")
FIX_READ = _change("fix_read", "fix_read_pf", "mmu.c:1009-1024")
FIX_WRITE = Kind("fix_write", "fix_write_pf", "paging_tmpl.h:307", "spte user", True)
WITHHOLD_USER = _change("withhold_user", "fix_write_pf", "paging_tmpl.h:307")
DROP_SPTE = _change("drop_spte", "fix_write_pf", "paging_tmpl.h:307")
ALLOW_WRITE = _change("allow_write", "fix_write_pf", "paging_tmpl.h:307")
GUEST_DIRTY = Kind("guest_dirty", "fix_write_pf", "paging_tmpl.h:307", "hpa size old new")
NONPAGING_FAULT = Kind("nonpaging_fault", "nonpaging_page_fault", "mmu.c:893-914", "gva error", True)
NONPAGING_LINK = _change("nonpaging_link", "nonpaging_map", "mmu.c:794-810")
NONPAGING_MAP = _change("nonpaging_map", "nonpaging_map", "mmu.c:782-793")

# Shadow pages
TOP_UP = Kind("top_up", "mmu_topup_memory_caches", "mmu.c:205-255", "cache taken")
GET_PAGE = Kind("get_page", "kvm_mmu_get_page", "mmu.c:587-632", "gfn gva level metaphysical access parent", True)
ALLOC_PAGE = Kind("alloc_page", "kvm_mmu_alloc_page", "mmu.c:473-489, 622-629", "page gfn role")
FREE_PAGE = Kind("free_page", "kvm_mmu_free_page", "mmu.c:458-466, 692-693", "page")
ROTATE_PAGE = Kind("rotate_page", "kvm_mmu_zap_page", "mmu.c:691-695", "page")
ZAP_PAGE = Kind("zap_page", "kvm_mmu_zap_page", "mmu.c:671-696", "page", True)
UNLINK_PARENT = _change("unlink_parent", "kvm_mmu_zap_page", "mmu.c:687-688")
UNLINK_CHILD = _change("unlink_child", "kvm_mmu_page_unlink_children", "mmu.c:634-662")
SLOT_BIT = Kind("slot_bit", "page_header_update_slot", "mmu.c:720-726", "page slot_bitmap")
EVICT = Kind("evict", "kvm_mmu_free_some_pages", "mmu.c:1225-1234", "", True)
UNPROTECT = Kind("unprotect", "kvm_mmu_unprotect_page", "mmu.c:698-718", "gfn", True)
PARENT_ADD = Kind("parent_add", "mmu_page_add_parent_pte", "mmu.c:491-526", "page spte form")
PARENT_REMOVE = Kind("parent_remove", "mmu_page_remove_parent_pte", "mmu.c:528-565", "page spte form")
RMAP_ADD = Kind("rmap_add", "rmap_add", "mmu.c:315-346", "spte hfn form")
RMAP_REMOVE = Kind("rmap_remove", "rmap_remove", "mmu.c:372-410", "spte hfn form")
WRITE_PROTECT = Kind("write_protect", "rmap_write_protect", "mmu.c:412-439", "gfn", True)
PROTECT_SPTE = _change("protect_spte", "rmap_write_protect", "mmu.c:437")
SLOT_PROTECT = Kind("slot_protect", "kvm_mmu_slot_remove_write_access", "mmu.c:1322-1342", "slot", True)
PROTECT_SLOT_SPTE = _change("protect_slot_spte", "kvm_mmu_slot_remove_write_access", "mmu.c:1337-1339")
PRE_WRITE = Kind("pre_write", "kvm_mmu_pre_write", "mmu.c:1140-1212", "gpa size", True)
FLOODED = Kind("flooded", "kvm_mmu_pre_write", "mmu.c:1157-1164", "gfn writes")
MISALIGNED = Kind("misaligned", "kvm_mmu_pre_write", "mmu.c:1170-1187", "page offset size")
ZAP_SPTE = _change("zap_spte", "mmu_pre_write_zap_pte", "mmu.c:1121-1138")

# Contexts and the whole VM
ALLOC_ROOTS = _context("alloc_roots", "mmu_alloc_roots", "mmu.c:845-886")
FREE_ROOTS = _context("free_roots", "mmu_free_roots", "mmu.c:815-843")
ROOT_COUNT = Kind("root_count", "mmu_alloc_roots, mmu_free_roots", "mmu.c:826, 838, 861, 882", "page count")
ROOT_SLOT = _change("root_slot", "mmu_alloc_roots", "mmu.c:866-884")
ROOT_SLOT_FREE = _change("root_slot_free", "mmu_free_roots", "mmu.c:831-841")
RESET_CONTEXT = _context("reset_context", "kvm_mmu_reset_context", "mmu.c:1108-1119")
NEW_CR3 = _context("new_cr3", "paging_new_cr3", "mmu.c:943-952")
ZAP_ALL = _context("zap_all", "kvm_mmu_zap_all", "mmu.c:1344-1359")
DESTROY = _context("destroy", "kvm_mmu_destroy", "mmu.c:1313-1320")
