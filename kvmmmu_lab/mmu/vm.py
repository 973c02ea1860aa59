# SPDX-License-Identifier: GPL-2.0-only
"""`Vm`: the composite that everybody uses. Its methods are what guest, processor and host can do.

Every operation checks its arguments first and then runs to its end. One that ends in a `HostCrash`, or in an
exception of a replaced part, leaves a VM that refuses further use.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import HostCrash, InputError, VmDead
from . import checks, context, cpu, registers, shadow, slots
from . import events as ev
from .audit import Complaint, undone
from .bits import PAGE_SHIFT, PAGE_SIZE, UNMAPPED_GVA
from .machine import Machine
from .memory import ALIAS_SLOTS, MEMORY_SLOTS
from .walk import gva_to_gpa, gva_to_hpa

if TYPE_CHECKING:
    from .machine import Machine


# FOLDED IN: mmu.guard: What surrounds every public operation of a `Vm`: a dead one refuses, and one in which an
# operation breaks off dies.


F = TypeVar("F", bound=Callable[..., Any])
CHECKING = {f"{__package__}.{name}" for name in ("vm", "checks", "memory", "arena", "slots", "events")}
"""Modules through which a refusal may come: a slot for which the machine has no memory gets as far as the arena."""


def _refused(error: BaseException) -> bool:
    """Whether a call was refused before anything began: by Python itself, or by a check of its arguments.

    An `InputError` of a replaced part comes from the middle of an operation, and is none.
    """
    trace = error.__traceback__ and error.__traceback__.tb_next
    if trace is not None and not isinstance(error, InputError):
        return False
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") not in CHECKING:
            return False
        trace = trace.tb_next
    return True


def operation(method: F) -> F:
    """A public operation: refused by a dead VM; a crash inside ends the VM, bad input doesn't."""

    @functools.wraps(method)
    def guarded(self: Machine, *args: Any, **kwargs: Any) -> Any:
        if self.dead is not None:
            raise VmDead(f"this VM is dead ({self.dead}); build a new one")
        before, self.injected = self.injected, []
        try:
            return method(self, *args, **kwargs)
        except BaseException as error:
            if _refused(error):
                self.injected = before
                raise
            self.dead = str(error) or type(error).__name__
            if self.emit is not None and isinstance(error, HostCrash):
                self.emit((ev.CRASH, error.kind, error.function, error.source, error.what))
            raise

    return guarded  # type: ignore[return-value]


PFERR_ALL = 0x17


class Vm(Machine):
    """A VM to work with; `Machine` says how to build one and what its state is.

    Addresses are byte addresses: gva (guest virtual), gpa (guest physical). Bad arguments raise `InputError` and change
    nothing. The guest's own faults are results: see ``injected`` and ``stats.gp``.
    """

    # The guest's accesses

    @operation
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
        """One access by the guest, through the shadow tables as the processor walks them, with all faults on the way.

        A write without ``value`` stores the byte that is there already. Raises InputError, HostCrash.
        """
        gva = checks.gva(self, gva)
        write, user, fetch = checks.flag("write", write), checks.flag("user", user), checks.flag("fetch", fetch)
        if write and fetch:
            raise InputError("fetch", fetch, "a fetch or a write, not both")
        if value is None:
            if checks.size(size) != 1:
                raise InputError("size", size, "none without a value to store")
        else:
            if not write:
                raise InputError("value", value, "no value for a read or a fetch (write=True stores it)")
            size = checks.size(size)
            value = checks.stored(value, size)
            checks.in_page("gva", gva, size)
        return cpu.access(self, gva, write, user, fetch, value, size)

    @operation
    def page_fault(self, gva: int, error: int = 0) -> int:
        """A fault at gva, with refill (kvm_main.c). 1: emulate the instruction, 0: run the guest again.

        ``error``: bit 0 present, 1 write, 2 user, 4 fetch.
        """
        gva = checks.gva(self, gva)
        error = checks.whole("error", error)
        if error & ~PFERR_ALL:
            raise InputError("error", error, "a page-fault error code of bits 0 (present), 1 (write), 2 (user), 4 (fetch)")
        return cpu.handle_fault(self, gva, error)

    @operation
    def emulate_write(self, gva: int, value: int, size: int) -> str:
        """A store that the host emulates, at a gva: "stored", "mmio", or "inject" where gva isn't mapped (error
        code 2)."""
        gva, size = checks.gva(self, gva), checks.size(size)
        value = checks.stored(value, size)
        gpa = gva_to_gpa(self, gva)
        if gpa == UNMAPPED_GVA:
            self.inject_page_fault(gva, 2)
            return "inject"
        return "stored" if cpu.emulated_write(self, gpa, value, size) else "mmio"

    @operation
    def emulate_write_gpa(self, gpa: int, value: int, size: int) -> bool:
        """The same at a gpa: pre-write (mmu.c:1140), store. False, and nothing done, across a page or without
        memory."""
        gpa, size = checks.word("gpa", gpa), checks.size(size)
        value = checks.stored(value, size)
        return cpu.emulated_write(self, gpa, value, size)

    @operation
    def gva_to_gpa(self, gva: int) -> int | None:
        """Translate by the guest's tables, None where gva isn't mapped. Sets accessed bits."""
        gva = checks.gva(self, gva)
        gpa = gva_to_gpa(self, gva)
        return None if gpa == UNMAPPED_GVA else gpa

    @operation
    def gva_to_hpa(self, gva: int) -> int | None:
        """The same, to the host address: None where gva isn't mapped, bit 63 set where no memory is (mmu.c:747-763)."""
        hpa = gva_to_hpa(self, checks.gva(self, gva))
        return None if hpa == UNMAPPED_GVA else hpa

    @operation
    def invlpg(self, gva: int) -> None:
        """The guest's INVLPG: not trapped, so the TLB forgets one page and the shadow tables stay."""
        gva = checks.gva(self, gva)
        if self.tlb is not None:
            self.tlb.pop(gva >> PAGE_SHIFT, None)

    # Control registers

    @operation
    def load_cr0(self, value: int) -> bool:
        """MOV CR0; False for a #GP (see `registers`)."""
        return registers.load_cr0(self, checks.word("cr0", value))

    @operation
    def load_cr3(self, value: int) -> bool:
        """MOV CR3; False for a #GP."""
        return registers.load_cr3(self, checks.word("cr3", value))

    @operation
    def load_cr4(self, value: int) -> bool:
        """MOV CR4; False for a #GP."""
        return registers.load_cr4(self, checks.word("cr4", value))

    @operation
    def load_efer(self, value: int) -> bool:
        """WRMSR EFER; False for a #GP."""
        return registers.load_efer(self, checks.word("efer", value))

    @operation
    def set_registers(self, cr0: int, cr3: int, cr4: int, efer: int) -> None:
        """All four at once, unchecked, as the host restores a guest; then the context is reset."""
        values = (("cr0", cr0), ("cr3", cr3), ("cr4", cr4), ("efer", efer))
        registers.set_registers(self, *(checks.word(name, value) for name, value in values))

    # Memory

    @operation
    def peek(self, gpa: int, size: int = 8) -> int:
        """Read ``size`` bytes of guest memory, little endian, behind the MMU's back."""
        size = checks.size(size)
        hpa = checks.ram(self, gpa, size)
        return int.from_bytes(self.memory.bytes[hpa : hpa + size], "little")

    @operation
    def poke(self, gpa: int, value: int, size: int = 8) -> None:
        """Store ``size`` bytes in guest memory, behind the MMU's back: no pre-write, no dirty mark."""
        size = checks.size(size)
        value = checks.stored(value, size)
        self.memory.store(checks.ram(self, gpa, size), value.to_bytes(size, "little"), ev.POKE)

    @operation
    def load_page(self, gfn: int, data: bytes) -> None:
        """Fill a guest frame with 4096 bytes, behind the MMU's back."""
        data, gfn = checks.page(data), checks.gfn(gfn)
        self.memory.load_page(checks.ram(self, gfn << PAGE_SHIFT, PAGE_SIZE), data)

    @operation
    def set_slot(self, slot: int, base: int, npages: int, log: bool = False) -> None:
        """Make, move, delete (npages 0) a memory slot, or turn its dirty log on and off. Raises SlotError (see
        `slots`)."""
        slot, (base, npages) = checks.number("slot", slot, MEMORY_SLOTS), checks.span("base", base, npages)
        log = checks.flag("log", log)
        self.memory.check_slot(slot, base, npages)
        slots.set_slot(self, slot, base, npages, log)

    @operation
    def set_alias(self, alias: int, base: int, npages: int, target: int) -> None:
        """Make gfns ``base`` and up another name for ``target`` and up (npages 0: no more). Raises SlotError."""
        alias, (base, npages) = checks.number("alias", alias, ALIAS_SLOTS), checks.span("base", base, npages)
        target, _ = checks.span("target", target, npages)
        slots.set_alias(self, alias, base, npages, target)

    @operation
    def dirty_log(self, slot: int) -> list[int]:
        """Pages of a slot, counted from its base, written since the last call; they are protected again. Raises
        SlotError."""
        slot = checks.number("slot", slot, MEMORY_SLOTS)
        self.memory.log_of(slot)
        return slots.dirty_log(self, slot)

    # What the host does

    @operation
    def unprotect(self, gva: int) -> bool:
        """Zap the shadow pages of the frame that gva is in, as after a failed emulation; whether any
        (mmu.c:1218-1223)."""
        gva = checks.gva(self, gva)
        return shadow.unprotect_page(self, gva_to_gpa(self, gva) >> PAGE_SHIFT)

    @operation
    def remove_write_access(self, slot: int) -> None:
        """Take write access from all shadow entries that reach a slot (mmu.c:1322-1342)."""
        shadow.slot_remove_write_access(self, checks.number("slot", slot, MEMORY_SLOTS))

    @operation
    def free_some_pages(self) -> None:
        """Zap the oldest shadow pages until 25 are free (mmu.c:1225-1234)."""
        shadow.free_some_pages(self)

    @operation
    def zap_all(self) -> None:
        """Zap every shadow page, then build the context again (mmu.c:1344-1359)."""
        context.zap_all(self)

    @operation
    def reset_context(self) -> None:
        """Let go of the roots and build those of the current mode (mmu.c:1108-1119)."""
        context.reset_context(self)

    @operation
    def destroy(self) -> None:
        """The end of the VM (mmu.c:1313-1320)."""
        context.destroy(self)
        self.dead = "it was destroyed"

    @operation
    def audit(self, undo: bool = True) -> list[Complaint]:
        """The three audits (mmu.c:1390-1546). ``undo`` takes back the accessed bits and dirty marks that they set."""
        return undone(self) if checks.flag("undo", undo) else self.run_audit()

