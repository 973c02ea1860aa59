# SPDX-License-Identifier: GPL-2.0-only
"""`Vm`: the composite that everybody uses. Its methods are what guest, processor and host can do.

Every operation checks its arguments first and then runs to its end. One that ends in a `HostCrash`, or in an
exception of a replaced part, leaves a VM that refuses further use.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import HostCrash, InputError, SlotError, VmDead
from . import context, cpu, registers, shadow
from . import events as ev
from .audit import Complaint
from .bits import ALL_ONES, PAGE_SHIFT, PAGE_SIZE, ROOT_64, UNMAPPED_GVA, canonical
from .machine import Machine
from .memory import ALIAS_SLOTS, EINVAL, MEMORY_SLOTS, Alias
from .walk import gva_to_gpa

PFERR_ALL = 0x17
F = TypeVar("F", bound=Callable[..., Any])
PFERR_ALL = 0x17


def operation(method: F) -> F:
    """A public operation: refused by a dead VM; a crash inside ends the VM, bad input doesn't."""

    @functools.wraps(method)
    def guarded(self: Vm, *args: Any, **kwargs: Any) -> Any:
        if self.dead is not None:
            raise VmDead(f"this VM is dead ({self.dead}); build a new one")
        self.injected.clear()
        try:
            return method(self, *args, **kwargs)
        except InputError:
            raise
        except BaseException as error:
            self.dead = str(error) or type(error).__name__
            if self.emit is not None and isinstance(error, HostCrash):
                self.emit((ev.CRASH, error.kind, error.function, error.source, error.what))
            raise

    return guarded  # type: ignore[return-value]


class Vm(Machine):
    """A VM to work with; `Machine` says how to build one and what its state is.

    Addresses are byte addresses: gva (guest virtual), gpa (guest physical). Bad arguments raise `InputError` and change
    nothing. The guest's own faults are results: see ``injected`` and ``stats.gp``.
    """

    # The guest's accesses

    @operation
    def access(
        self, gva: int, *, write: bool = False, user: bool = False, fetch: bool = False, value: int | None = None, size: int = 1
    ) -> cpu.Access:
        """One access by the guest, through the shadow tables as the processor walks them, with all faults on the way.

        A write without ``value`` stores the byte that is there already. Raises InputError, HostCrash.
        """
        self._check_gva(gva)
        if write and fetch:
            raise InputError("fetch", fetch, "a fetch or a write, not both")
        if value is not None:
            self._check_value(gva, value, size, "gva")
            if gva % PAGE_SIZE + size > PAGE_SIZE:
                raise InputError("gva", gva, f"{size} bytes inside one page")
        return cpu.access(self, gva, write, user, fetch, value, size)

    @operation
    def page_fault(self, gva: int, error: int = 0) -> int:
        """A fault at gva, with refill (kvm_main.c). 1: emulate the instruction, 0: run the guest again, -12: no pages.

        ``error``: bit 0 present, 1 write, 2 user, 4 fetch.
        """
        self._check_gva(gva)
        if not isinstance(error, int) or error & ~PFERR_ALL:
            raise InputError("error", error, "a page-fault error code of bits 0 (present), 1 (write), 2 (user), 4 (fetch)")
        return cpu.handle_fault(self, gva, error)

    @operation
    def emulate_write(self, gva: int, value: int, size: int) -> str:
        """A store that the host emulates, at a gva: "stored", "mmio", or "inject" where gva isn't mapped (error code 2)."""
        self._check_gva(gva)
        self._check_value(gva, value, size, "gva")
        gpa = gva_to_gpa(self, gva)
        if gpa == UNMAPPED_GVA:
            self.inject_page_fault(gva, 2)
            return "inject"
        return "stored" if cpu.emulated_write(self, gpa, value, size) else "mmio"

    @operation
    def emulate_write_gpa(self, gpa: int, value: int, size: int) -> bool:
        """The same at a gpa: pre-write (mmu.c:1140), store. False, and nothing done, across a page or without memory."""
        self._check_value(gpa, value, size, "gpa")
        return cpu.emulated_write(self, gpa, value, size)

    @operation
    def gva_to_gpa(self, gva: int) -> int | None:
        """Translate by the guest's tables, None where gva isn't mapped. Sets accessed bits."""
        self._check_gva(gva)
        gpa = gva_to_gpa(self, gva)
        return None if gpa == UNMAPPED_GVA else gpa

    @operation
    def invlpg(self, gva: int) -> None:
        """The guest's INVLPG: not trapped, so the TLB forgets one page and the shadow tables stay."""
        self._check_gva(gva)
        if self.tlb is not None:
            self.tlb.pop(gva >> PAGE_SHIFT, None)

    # Control registers

    @operation
    def load_cr0(self, value: int) -> bool:
        """MOV CR0; False for a #GP (see `registers`)."""
        return self._load("cr0", registers.load_cr0, value)

    @operation
    def load_cr3(self, value: int) -> bool:
        """MOV CR3; False for a #GP."""
        return self._load("cr3", registers.load_cr3, value)

    @operation
    def load_cr4(self, value: int) -> bool:
        """MOV CR4; False for a #GP."""
        return self._load("cr4", registers.load_cr4, value)

    @operation
    def load_efer(self, value: int) -> bool:
        """WRMSR EFER; False for a #GP."""
        return self._load("efer", registers.load_efer, value)

    def _load(self, name: str, load: Callable[[Machine, int], bool], value: int) -> bool:
        self._check_word(name, value)
        if self.emit is not None:
            self.emit((ev.LOAD_REGISTER, name, value))
        accepted = load(self, value)
        if self.emit is not None:
            self.emit((ev.END, accepted))
        return accepted

    @operation
    def set_registers(self, cr0: int, cr3: int, cr4: int, efer: int) -> None:
        """All four at once, unchecked, as the host restores a guest; then the context is reset."""
        for name, value in (("cr0", cr0), ("cr3", cr3), ("cr4", cr4), ("efer", efer)):
            self._check_word(name, value)
        if self.emit is not None:
            self.emit((ev.SET_REGISTERS, cr0, cr3, cr4, efer))
        registers.set_registers(self, cr0, cr3, cr4, efer)
        if self.emit is not None:
            self.emit((ev.END, None))

    # Memory

    @operation
    def peek(self, gpa: int, size: int = 8) -> int:
        """Read ``size`` bytes of guest memory, little endian, behind the MMU's back."""
        self._check_value(gpa, 0, size, "gpa")
        hpa = self._check_ram(gpa, size)
        return int.from_bytes(self.memory.bytes[hpa : hpa + size], "little")

    @operation
    def poke(self, gpa: int, value: int, size: int = 8) -> None:
        """Store ``size`` bytes in guest memory, behind the MMU's back: no pre-write, no dirty mark."""
        self._check_value(gpa, value, size, "gpa")
        self.memory.store(self._check_ram(gpa, size), value.to_bytes(size, "little"), ev.POKE)

    @operation
    def load_page(self, gfn: int, data: bytes) -> None:
        """Fill a guest frame with 4096 bytes, behind the MMU's back."""
        if len(data) != PAGE_SIZE:
            raise InputError("data", len(data), "4096 bytes")
        if not (isinstance(gfn, int) and 0 <= gfn <= ALL_ONES >> PAGE_SHIFT):
            raise InputError("gfn", gfn, "a frame number of at most 52 bits")
        hpa = self._check_ram(gfn << PAGE_SHIFT, PAGE_SIZE)
        self.memory.load_page(hpa, data)

    @operation
    def set_slot(self, slot: int, base: int, npages: int, log: bool = False) -> None:
        """Make, move, delete (npages 0) a memory slot, or turn its dirty log on and off; then the context is reset.

        Shadow entries into a slot that is deleted or moved stay (2007). Raises SlotError.
        """
        self.memory.check_slot(slot, base, npages)
        if self.emit is not None:
            self.emit((ev.SET_SLOT, slot, base, npages, log))
        self.memory.set_slot(slot, base, npages, log)
        if self.memory.slots[slot].log is not None:
            shadow.slot_remove_write_access(self, slot)
        context.reset_context(self)
        if self.emit is not None:
            self.emit((ev.END, None))

    @operation
    def set_alias(self, alias: int, base: int, npages: int, target: int) -> None:
        """Make gfns ``base`` and up another name for ``target`` and up (npages 0: no more); zaps everything. Raises SlotError."""
        if not (isinstance(alias, int) and 0 <= alias < ALIAS_SLOTS):
            raise SlotError("alias", alias, f"0..{ALIAS_SLOTS - 1}", EINVAL)
        for name, value in (("base", base), ("npages", npages), ("target", target)):
            if not (isinstance(value, int) and 0 <= value <= ALL_ONES >> PAGE_SHIFT):
                raise SlotError(name, value, "a frame number or count of at most 52 bits (pages, not bytes)", EINVAL)
        if self.emit is not None:
            self.emit((ev.SET_ALIAS, alias, base, npages, target))
        self.memory.set_alias(alias, Alias(base, npages, target) if npages else None)
        context.zap_all(self)
        if self.emit is not None:
            self.emit((ev.END, None))

    @operation
    def dirty_log(self, slot: int) -> list[int]:
        """Pages of a slot, counted from its base, written since the last call; they are protected again. Raises SlotError."""
        log = self.memory.log_of(slot)
        if self.emit is not None:
            self.emit((ev.DIRTY_LOG, slot))
        dirty = [page for page, written in enumerate(log) if written]
        if dirty:
            shadow.slot_remove_write_access(self, slot)
            log[:] = bytes(len(log))
            self.flush_tlb()
        if self.emit is not None:
            self.emit((ev.END, len(dirty)))
        return dirty

    # What the host does

    @operation
    def unprotect(self, gva: int) -> bool:
        """Zap the shadow pages of the frame that gva is in, as after a failed emulation; whether any (mmu.c:1218-1223)."""
        self._check_gva(gva)
        return shadow.unprotect_page(self, gva_to_gpa(self, gva) >> PAGE_SHIFT)

    @operation
    def remove_write_access(self, slot: int) -> None:
        """Take write access from all shadow entries that reach a slot (mmu.c:1322-1342)."""
        if not (isinstance(slot, int) and 0 <= slot < MEMORY_SLOTS):
            raise SlotError("slot", slot, f"0..{MEMORY_SLOTS - 1}", EINVAL)
        shadow.slot_remove_write_access(self, slot)

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
        if not undo:
            return self.run_audit()
        sink, changes = self.emit, list[tuple]()
        logs = [slot.log and bytes(slot.log) for slot in self.memory.slots]
        self._listen(changes.append)
        try:
            return self.run_audit()
        finally:
            self._listen(sink)
            for kind, *operands in reversed(changes):
                if kind is ev.GUEST_ACCESSED:
                    hpa, size, old, _ = operands
                    self.memory.bytes[hpa : hpa + size] = old.to_bytes(size, "little")
            for slot, log in zip(self.memory.slots, logs, strict=True):
                if log:
                    slot.log[:] = log

    # Checks of arguments

    @staticmethod
    def _check_word(name: str, value: int) -> None:
        if not (isinstance(value, int) and 0 <= value <= ALL_ONES):
            raise InputError(name, value, "an unsigned value of 64 bits")

    def _check_gva(self, gva: int) -> None:
        if self.root_level == ROOT_64:
            if not (isinstance(gva, int) and 0 <= gva <= ALL_ONES and canonical(gva) == gva):
                raise InputError("gva", gva, "a canonical 64-bit address (bits 48..63 like bit 47)")
        elif not (isinstance(gva, int) and 0 <= gva < 1 << 32):
            raise InputError("gva", gva, "an address below 2**32 (the guest isn't in long mode)")

    @staticmethod
    def _check_value(address: int, value: int, size: int, name: str) -> None:
        if size not in (1, 2, 4, 8):
            raise InputError("size", size, "1, 2, 4 or 8 bytes")
        if not (isinstance(value, int) and 0 <= value < 1 << 8 * size):
            raise InputError("value", value, f"an unsigned value of {size} bytes, 0..{(1 << 8 * size) - 1:#x}")
        if not (isinstance(address, int) and 0 <= address <= ALL_ONES):
            raise InputError(name, address, "an address of at most 64 bits")

    def _check_ram(self, gpa: int, size: int) -> int:
        if gpa % PAGE_SIZE + size > PAGE_SIZE:
            raise InputError("gpa", gpa, f"{size} bytes inside one page")
        hfn = self.memory.frames[gpa >> PAGE_SHIFT]
        if hfn is None:
            raise InputError("gpa", gpa, "an address in a memory slot")
        return hfn << PAGE_SHIFT | gpa % PAGE_SIZE
