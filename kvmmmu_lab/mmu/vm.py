# SPDX-License-Identifier: GPL-2.0-only
"""`Vm`: a complete VM. Its methods are the operations of the guest, the processor and the host.

Every operation first checks its arguments: bad arguments raise `InputError` and change nothing. Then it runs. If a `HostCrash`
or an exception from a replaced part occurs while it runs, the VM is terminated: every later operation raises `VmDead`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

from ..errors import HostCrash, InputError, VmDead
from . import checks, context, cpu, registers, shadow, slots
from . import events as ev
from .audit import Complaint, audit, undone
from .bits import PAGE_SHIFT, PAGE_SIZE, UNMAPPED_GVA, mode_of_levels
from .fault import table_access, user_write
from .machine import (
    FixRead,
    GuestWalk,
    Machine,
    NonpagingFault,
    ParentsPart,
    PreWrite,
    RegisterLoad,
    ReverseMapPart,
    RoleMaker,
    RootMaker,
    SlotChange,
    SpteMaker,
    TableAccess,
    UserWrite,
    part_methods,
)
from .memory import ALIAS_SLOTS, MEMORY_SLOTS
from .parents import ParentChains
from .prewrite import pre_write
from .rmap import ReverseMap
from .spte import fix_read, set_spte
from .walk import gva_to_gpa, gva_to_hpa, walk_guest

P = ParamSpec("P")
R = TypeVar("R")
PFERR_ALL = 0x17


class Vm(Machine):
    """A VM with guest memory, shadow pages and a vcpu, at first without paging. `Machine` describes its state.

    ``slots``: up to four ``(base gfn, pages)`` or ``(base gfn, pages, log)``. ``tlb``: the processor keeps
    translations until they are flushed. ``audits``: run the audits before and after each fault, and keep the complaints in
    ``audit_log``. The other arguments replace parts (see `machine`). Raises SlotError.

    Addresses are byte addresses: gva (guest virtual), gpa (guest physical). The guest's own faults aren't exceptions: see
    ``injected`` and ``stats.gp``.
    """

    def __init__(
        self,
        slots: Iterable[tuple[int, int] | tuple[int, int, bool]] = ((0, 256),),
        *,
        rmap: Callable[[Machine], ReverseMapPart] = ReverseMap,
        parents: Callable[[Machine], ParentsPart] = ParentChains,
        walk: GuestWalk = walk_guest,
        set_spte: SpteMaker = set_spte,
        pre_write: PreWrite = pre_write,
        role: RoleMaker = shadow.role,
        table_access: TableAccess = table_access,
        fix_read: FixRead = fix_read,
        user_write: UserWrite = user_write,
        get_root: RootMaker = context.get_root,
        nonpaging_fault: NonpagingFault = context.nonpaging_fault,
        set_register: RegisterLoad = registers.set_register,
        change_slot: SlotChange = slots.change_slot,
        tlb: bool = False,
        audits: bool = False,
    ) -> None:
        super().__init__(tlb, audits)
        self._use(
            rmap=rmap,
            parents=parents,
            walk=walk,
            set_spte=set_spte,
            pre_write=pre_write,
            role=role,
            table_access=table_access,
            fix_read=fix_read,
            user_write=user_write,
            get_root=get_root,
            nonpaging_fault=nonpaging_fault,
            set_register=set_register,
            change_slot=change_slot,
        )
        for number, (base, npages, log) in enumerate(checks.slots(slots)):
            self.memory.check_slot(checks.number("slot", number, MEMORY_SLOTS), base, npages)
            self.memory.set_slot(number, base, npages, log)
        context.init_context(self)

    def _use(self, **given: Callable[..., Any]) -> None:
        """Install the parts. A function is used as it is; a class makes one object. Raises InputError."""
        checks.parts(given)
        for name, part in given.items():
            methods = part_methods(name)
            if methods:
                made = part(self)
                if not all(callable(getattr(made, method, None)) for method in methods):
                    raise InputError(name, part, f"a class whose objects have the methods {', '.join(methods)}")
                setattr(self, name, made)
            else:
                self.functions[name] = part
                setattr(self, name, part)

    def __repr__(self) -> str:
        mode, used = mode_of_levels(self.root_level), len(self.pool.active)
        words = [f"{mode.guest}, CR3 {self.cpu.cr3:#x}", f"{used} shadow page{'s' * (used != 1)}"]
        words += [f"{self.stats.exits} fault{'s' * (self.stats.exits != 1)}"] + [f"dead: {self.dead}"] * bool(self.dead)
        return f"<Vm: {', '.join(words)}>"

    def _run(self, operate: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> R:
        """Run an operation whose arguments have been checked. An exception terminates the VM. Raises VmDead if it is already
        terminated."""
        if self.dead is not None:
            raise VmDead(f"this VM is dead ({self.dead}); build a new one")
        self.injected = []
        try:
            return operate(*arguments, **keywords)
        except BaseException as error:
            self.dead = str(error) or type(error).__name__
            if self.emit is not None and isinstance(error, HostCrash):
                self.emit((ev.CRASH, error.kind, error.function, error.source, error.what))
            raise

    # The guest's accesses

    def access(
        self,
        gva: int,
        *,
        write: bool = False,
        user: bool = False,
        fetch: bool = False,
        value: int | None = None,
        size: int = 1,
    ) -> cpu.Access:
        """Perform one access by the guest: the processor walks the shadow tables, and the host handles its faults.

        A write without ``value`` stores the byte that is already there. Raises InputError, HostCrash.
        """
        gva = checks.gva(self, gva)
        write, user, fetch = checks.flag("write", write), checks.flag("user", user), checks.flag("fetch", fetch)
        if write and fetch:
            raise InputError("fetch", fetch, "a fetch or a write, not both")
        if value is None:
            if checks.size(size) != 1:
                raise InputError("size", size, "no size without a value to store")
        else:
            if not write:
                raise InputError("value", value, "no value for a read or a fetch (write=True stores it)")
            size = checks.size(size)
            value = checks.stored(value, size)
            checks.in_page("gva", gva, size)
        return self._run(cpu.access, self, gva, write, user, fetch, value, size)

    def page_fault(self, gva: int, error: int = 0) -> int:
        """Refill the pool and handle a fault at gva (kvm_main.c). Returns 1 to emulate the instruction, 0 to resume the guest.

        ``error``: bit 0 present, 1 write, 2 user, 4 fetch.
        """
        gva = checks.gva(self, gva)
        error = checks.whole("error", error)
        if error & ~PFERR_ALL:
            raise InputError("error", error, "a page-fault error code of bits 0 (present), 1 (write), 2 (user), 4 (fetch)")
        return self._run(cpu.handle_fault, self, gva, error)

    def emulate_write(self, gva: int, value: int, size: int) -> str:
        """Emulate a store at a gva. Returns "stored", "mmio", or "inject" if gva isn't mapped (error code 2)."""
        gva, size = checks.gva(self, gva), checks.size(size)
        value = checks.stored(value, size)
        return self._run(cpu.emulated_write_gva, self, gva, value, size)

    def emulate_write_gpa(self, gpa: int, value: int, size: int) -> bool:
        """Like `emulate_write`, but at a gpa: pre-write (mmu.c:1140), then the store. Returns False, and changes nothing, if
        the store crosses a page or there is no memory."""
        gpa, size = checks.word("gpa", gpa), checks.size(size)
        value = checks.stored(value, size)
        return self._run(cpu.emulated_write, self, gpa, value, size)

    def gva_to_gpa(self, gva: int) -> int | None:
        """Translate gva with the guest's tables. Returns None if it isn't mapped. Sets accessed bits."""
        gpa = self._run(gva_to_gpa, self, checks.gva(self, gva))
        return None if gpa == UNMAPPED_GVA else gpa

    def gva_to_hpa(self, gva: int) -> int | None:
        """Like `gva_to_gpa`, but return the host address; bit 63 is set if there is no memory (mmu.c:747-763)."""
        hpa = self._run(gva_to_hpa, self, checks.gva(self, gva))
        return None if hpa == UNMAPPED_GVA else hpa

    def invlpg(self, gva: int) -> None:
        """The guest's INVLPG, which isn't trapped: drop one page from the TLB; the shadow tables don't change."""
        self._run(cpu.invlpg, self, checks.gva(self, gva))

    # Control registers

    def load_cr0(self, value: int) -> bool:
        """Load CR0 (MOV CR0). Returns False after a #GP (see `registers`)."""
        return self._run(registers.load_cr0, self, checks.word("cr0", value))

    def load_cr3(self, value: int) -> bool:
        """Load CR3 (MOV CR3). Returns False after a #GP."""
        return self._run(registers.load_cr3, self, checks.word("cr3", value))

    def load_cr4(self, value: int) -> bool:
        """Load CR4 (MOV CR4). Returns False after a #GP."""
        return self._run(registers.load_cr4, self, checks.word("cr4", value))

    def load_efer(self, value: int) -> bool:
        """Load EFER (WRMSR). Returns False after a #GP."""
        return self._run(registers.load_efer, self, checks.word("efer", value))

    def set_registers(self, cr0: int, cr3: int, cr4: int, efer: int) -> None:
        """Set CR0, CR3, CR4 and EFER without checks, as the host does to restore a guest; then reset the context."""
        cr0, cr3 = checks.word("cr0", cr0), checks.word("cr3", cr3)
        cr4, efer = checks.word("cr4", cr4), checks.word("efer", efer)
        self._run(registers.set_registers, self, cr0, cr3, cr4, efer)

    # Memory

    def peek(self, gpa: int, size: int = 8) -> int:
        """Read ``size`` bytes of guest memory, little endian, bypassing the MMU."""
        size = checks.size(size)
        return self._run(self.memory.load, checks.ram(self, gpa, size), size)

    def poke(self, gpa: int, value: int, size: int = 8) -> None:
        """Store ``size`` bytes in guest memory, bypassing the MMU: no pre-write, no dirty mark."""
        size = checks.size(size)
        data = checks.stored(value, size).to_bytes(size, "little")
        self._run(self.memory.store, checks.ram(self, gpa, size), data, ev.POKE)

    def load_page(self, gfn: int, data: bytes) -> None:
        """Fill a guest frame with 4096 bytes, bypassing the MMU."""
        data, gfn = checks.page(data), checks.gfn(gfn)
        self._run(self.memory.load_page, checks.ram(self, gfn << PAGE_SHIFT, PAGE_SIZE), data)

    def set_slot(self, slot: int, base: int, npages: int, log: bool = False) -> None:
        """Make, move or delete (npages 0) a memory slot, or turn its dirty log on or off. Raises SlotError (see
        `slots`)."""
        slot, (base, npages) = checks.number("slot", slot, MEMORY_SLOTS), checks.span("base", base, npages)
        log = checks.flag("log", log)
        self.memory.check_slot(slot, base, npages)
        self._run(slots.set_slot, self, slot, base, npages, log)

    def set_alias(self, alias: int, base: int, npages: int, target: int) -> None:
        """Define the ``npages`` gfns from ``base`` as other names for the gfns from ``target``. If npages is 0, the alias is
        removed. Raises SlotError."""
        alias, (base, npages) = checks.number("alias", alias, ALIAS_SLOTS), checks.span("base", base, npages)
        target, _ = checks.span("target", target, npages)
        self._run(slots.set_alias, self, alias, base, npages, target)

    def dirty_log(self, slot: int) -> list[int]:
        """Return the pages of a slot that were written since the last call, as numbers relative to its base, and write-protect
        the slot again. Raises SlotError."""
        slot = checks.number("slot", slot, MEMORY_SLOTS)
        self.memory.log_of(slot)
        return self._run(slots.dirty_log, self, slot)

    # Operations of the host

    def unprotect(self, gva: int) -> bool:
        """Zap the shadow pages of the frame to which gva is mapped, as after a failed emulation; return whether there were any
        (mmu.c:1218-1223)."""
        return self._run(shadow.unprotect_gva, self, checks.gva(self, gva))

    def remove_write_access(self, slot: int) -> None:
        """Remove write access from all shadow entries that reach a slot (mmu.c:1322-1342)."""
        self._run(shadow.slot_remove_write_access, self, checks.number("slot", slot, MEMORY_SLOTS))

    def free_some_pages(self) -> None:
        """Zap the oldest shadow pages until 25 are free (mmu.c:1225-1234)."""
        self._run(shadow.free_some_pages, self)

    def zap_all(self) -> None:
        """Zap every shadow page, then rebuild the context (mmu.c:1344-1359)."""
        self._run(context.zap_all, self)

    def reset_context(self) -> None:
        """Release the roots and build those of the current mode (mmu.c:1108-1119)."""
        self._run(context.reset_context, self)

    def destroy(self) -> None:
        """Terminate the VM (mmu.c:1313-1320)."""
        self._run(context.destroy, self)
        self.dead = "it was destroyed"

    def audit(self, undo: bool = True) -> list[Complaint]:
        """Run the three audits (mmu.c:1390-1546). ``undo``: restore the accessed bits and dirty marks that they change."""
        return self._run(undone if checks.flag("undo", undo) else audit, self)
