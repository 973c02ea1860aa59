# SPDX-License-Identifier: GPL-2.0-only
"""`fault_lab`: choose tables and an access, predict what comes of it, and watch."""

from __future__ import annotations

import functools
from typing import Any

from ..data import guests, open_guest
from ..errors import HostCrash, InputError, LabError
from ..mmu import Vm, checks
from ..mmu import events as ev
from ..mmu.bits import CR0_WP, EFER_NX, ROOT_PAE
from .addresses import AddressPicker, pick_address
from .lab import Lab, Round
from .prediction import Prediction
from .tables import GuestTable
from .watched import Watch
from .why import Ask, Before, explain

OUTCOMES = {
    "through": "it goes through, without a fault",
    "ok": "it goes through after a fault that the host handles",
    "inject": "the guest gets a page fault",
    "emul": "the host does the store (emulation)",
    "mmio": "a device answers (MMIO)",
    "stuck": "the same fault for ever",
    "crash": "the host crashes",
    "else": "something else",
}
"""What can come of an access, by short names for `FaultLab.guess`."""

CODES = ["none", 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 20, 21]
MOST = 5
PAGES = [*range(MOST + 1), "more"]


def fault_lab(vm: Vm | None = None, **parts: Any) -> FaultLab:
    """The lab of faults: on tables that you build, on a real guest, or on your own ``vm``.

    ``parts`` (``set_spte=...``, ``walk=...``) go into each VM that the lab makes. Raises InputError.
    """
    return FaultLab(vm, parts)


class FaultLab(Lab):
    """Choose with `build`, ``table``, `open` and the attributes; `guess`; `go`.

    ``source``: "tables" (the guest in ``table``), a real guest's name, or "vm". ``write``, ``user``, ``fetch`` say what
    the access does; ``wp`` and ``nx`` are CR0.WP and EFER.NX; with ``keep`` the VM goes on instead of a new one.
    """

    title = "What comes of an access?"

    def __init__(self, vm: Vm | None, parts: dict[str, Any]) -> None:
        super().__init__(parts)
        if vm is not None and parts:
            raise InputError("parts", list(parts), "no parts beside a VM: make the VM with them")
        if vm is not None and not isinstance(vm, Vm):
            raise InputError("vm", vm, "a Vm, or nothing")
        self.given, self.vm = vm, vm
        self.after_crash = "The next round runs on a new VM." if vm is None else "Make another VM, and the lab anew."
        self.table, self.picker = GuestTable(), None
        self.write = self.user = self.fetch = False
        self.wp = self.nx = True
        self.keep, self.source = vm is not None, "tables" if vm is None else "vm"
        self.address = 0x1000
        if vm is not None:
            self.wp, self.nx = bool(vm.cpu.cr0 & CR0_WP), bool(vm.cpu.efer & EFER_NX)
        self.written: dict[int, int] = {}
        self.replaced = False
        """Whether the latest access should have gone on with a VM, but that was dead."""
        self.outcome = Prediction("Outcome", list(OUTCOMES.values()))
        self.code = Prediction("Error code for the guest", CODES)
        self.pages = Prediction("Shadow pages taken", PAGES)
        self.predictions = [self.outcome, self.code, self.pages]

    picker: AddressPicker | None

    @functools.cached_property
    def form(self) -> Any:
        """The form. Raises ImportError without ipywidgets."""
        from .fault_form import FaultForm

        return FaultForm(self)

    # Choosing

    def build(self, mode: str = "64", preset: str = "all allowed") -> None:
        """A guest with tables of your own: a mode of `tables.MODES`, a preset of `tables.PRESETS`."""
        self._mine()
        table = GuestTable(mode, preset)
        if self.source != "tables" or mode != self.table.key:
            self.vm = None
        self.table, self.source, self.picker = table, "tables", None
        self.rounds.clear()

    def open(self, name: str) -> None:
        """A real guest, with the addresses that it maps in ``picker``."""
        self._mine()
        guest = open_guest(name)
        self.picker, self.source, self.vm, self.keep = pick_address(guest), name, None, False
        self.wp, self.nx = bool(guest.meta["cr0"] & CR0_WP), bool(guest.meta["efer"] & EFER_NX)
        self.rounds.clear()

    def _mine(self) -> None:
        """A lab on a VM of yours has no other guest."""
        if self.given is not None:
            raise InputError("vm", self.given, "a lab without a VM of your own: make another one, fault_lab()")

    @staticmethod
    def guests() -> list[str]:
        """Real guests that page."""
        return guests()

    @property
    def gva(self) -> int:
        """The address of the access."""
        if self.source == "tables":
            return self.table.gva
        return self.picker.gva if self.picker is not None else self.address

    def guess(self, outcome: str | None = None, code: int | str | None = None, pages: int | str | None = None) -> None:
        """Predict: ``outcome`` is one of "through", "ok", "inject", "emul", "mmio", "stuck", "crash", "else".

        ``code`` is one of ``lab.code.choices``; ``pages`` is a number of pages, and more than 5 count as "more".
        """
        if outcome is not None and outcome not in OUTCOMES:
            raise InputError("outcome", outcome, f"one of {', '.join(OUTCOMES)}")
        pages = "more" if isinstance(pages, int) and pages > MOST else pages
        self.answer(outcome=None if outcome is None else OUTCOMES[outcome], code=code, pages=pages)

    # Going

    def go(self) -> Round:
        """Run the access, and compare."""
        if self.write and self.fetch:
            raise InputError("fetch", self.fetch, "a fetch or a write, not both")
        try:
            vm = self.guarded(self._machine)
            ask = Ask(checks.gva(vm, self.gva), self.write, self.user, self.fetch)
            before, title = Before.of(vm, ask), self._access()
            title = title[0].upper() + title[1:]
            film = self.film(title, lambda: vm.access(ask.gva, write=ask.write, user=ask.user, fetch=ask.fetch), vm, [ask.gva])
        except InputError:
            raise
        except LabError as error:
            return self.played(Round(error=error, about=self.about))
        return self.played(self._judged(vm, before, film))

    def _machine(self) -> Vm:
        """The VM for this access: a new one, or the one of before with what was changed since."""
        self.replaced = False
        if self.source == "vm" and self.given is not None:
            self.vm = self.given
        elif self.vm is None or not self.keep or self.vm.dead is not None:
            self.replaced = self.keep and self.vm is not None
            self.vm = self._new()
            self.written = {level: self.table.entry(level) for level in self.table.flags}
        vm = self.vm
        if self.source == "tables":
            self._edit(vm)
        if bool(vm.cpu.cr0 & CR0_WP) != self.wp:
            vm.load_cr0(vm.cpu.cr0 ^ CR0_WP)
        if bool(vm.cpu.efer & EFER_NX) != self.nx:
            vm.load_efer(vm.cpu.efer ^ EFER_NX)
        return vm

    def _new(self) -> Vm:
        if self.source == "tables":
            return self.table.vm(self.wp, self.nx, **self.parts)
        return open_guest(self.source).vm(**self.parts)

    def _edit(self, vm: Vm) -> None:
        """The guest writes the entries that were changed in the form, as its kernel would."""
        table = self.table
        for level, old in self.written.items():
            if table.entry(level) != old:
                vm.emulate_write_gpa(table.entry_gpa(level), table.entry(level), table.mode.form.size)
        if vm.root_level == ROOT_PAE and self.written[3] != table.entry(3):
            vm.load_cr3(vm.cpu.cr3)
        self.written = {level: table.entry(level) for level in table.flags}

    def _judged(self, vm: Vm, before: Before, film: Watch) -> Round:
        pages = len(film.recording.where(kind=ev.ALLOC_PAGE.name))
        kind, code, shown = "else", None, pages if pages <= MOST else "more"
        if film.result is not None:
            kind, code = film.result.outcome, film.result.error
        elif isinstance(film.error, HostCrash):
            kind = "crash"
        reasons = ["That VM is dead; this ran on a new one."] * self.replaced + explain(vm, before, kind, code, pages)
        if kind == "ok" and not film.result.faults:
            kind = "through"
        outcomes = [self.outcome.compare(OUTCOMES.get(kind, OUTCOMES["else"]))]
        if kind == "inject" or self.code.answer is not None:
            outcomes.append(self.code.compare("none" if code is None else code))
        outcomes.append(self.pages.compare(shown, f"{pages} (more than {MOST})" if pages > MOST else ""))
        return Round(tuple(outcomes), tuple(reasons), film, film.error, self.about)

    # Looking

    def _access(self) -> str:
        verb = "write" if self.write else "fetch" if self.fetch else "read"
        return f"a {verb} by {'user code' if self.user else 'the kernel'} at {self.gva:#x}"

    @property
    def about(self) -> str:
        """What is chosen now, in words: the access, the guest, the registers, and which VM."""
        own = f"a guest with tables that you built ({self.table.mode.name})"
        guest = {"tables": own, "vm": "your VM"}.get(self.source, f"the real guest {self.source}")
        registers = f"CR0.WP {'set' if self.wp else 'clear'}, EFER.NX {'set' if self.nx else 'clear'}"
        return f"{self._access()}, on {guest}, {registers}" + ", going on with the same VM" * self.keep

    def state(self) -> str:
        """The guest and the access."""
        guest = {"tables": str(self.table), "vm": "your VM"}.get(self.source, f"guest {self.source}")
        ask = Ask(self.gva, self.write, self.user, self.fetch)
        going = "the same VM" if self.keep else "a new VM"
        return f"{guest}\n{ask}; CR0.WP {int(self.wp)}, EFER.NX {int(self.nx)}; {going}"
