# SPDX-License-Identifier: GPL-2.0-only
"""`fault_lab`: choose tables and an access, predict what comes of it, and watch."""

from __future__ import annotations

import functools
import html
from typing import Any

from ..data import guests, open_guest
from ..draw.scene_builder import LEVELS
from ..errors import HostCrash, InputError, LabError
from ..mmu import Vm, bits, checks
from ..mmu import events as ev
from ..mmu.bits import CR0_WP, EFER_NX, MODES, ROOT_PAE
from ..player.cell_output import close_all
from .addresses import AddressPicker, pick_address
from .entry_decoder import parse
from .explain_access import Ask, Before, explain
from .guests import FLAGS, PRESETS, GuestTable
from .lab import Lab, Round
from .prediction import Prediction
from .watch import Watch
from .widgets import Form, choice, heading, menu, quiet, row, say, switch, tick

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
        pass

        return FaultForm(self)

    # Choosing

    def build(self, mode: str = "64", preset: str = "all allowed") -> None:
        """A guest with tables of your own: a mode of `bits.MODES`, a preset of `tables.PRESETS`."""
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
                vm.emulate_write_gpa(table.entry_gpa(level), table.entry(level), table.mode.format.size)
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
        own = f"a guest with tables that you built ({self.table.mode.title})"
        guest = {"tables": own, "vm": "your VM"}.get(self.source, f"the real guest {self.source}")
        registers = f"CR0.WP {'set' if self.wp else 'clear'}, EFER.NX {'set' if self.nx else 'clear'}"
        return f"{self._access()}, on {guest}, {registers}" + ", going on with the same VM" * self.keep

    def state(self) -> str:
        """The guest and the access."""
        guest = {"tables": str(self.table), "vm": "your VM"}.get(self.source, f"guest {self.source}")
        ask = Ask(self.gva, self.write, self.user, self.fetch)
        going = "the same VM" if self.keep else "a new VM"
        return f"{guest}\n{ask}; CR0.WP {int(self.wp)}, EFER.NX {int(self.nx)}; {going}"


# FOLDED IN: labs.fault_form: The form of `fault_lab`.


REGISTERS = (
    "CR0.WP: while it is set, the kernel, too, needs W to write; while it is clear, the kernel may write everywhere. "
    "EFER.NX: only while it is set do the NX bits in the guest's entries forbid anything."
)
CHANGED = "Something else is chosen by now than what the result below is about. Go shows what comes of it."
OWN, GIVEN = "tables", "vm"
SAYS = {flag.name: flag.word for flag in bits.FLAGS}


class FaultForm(Form):
    """Guest and tables, the access, the prediction, *Go*; the verdict and the film under them."""

    lab: FaultLab

    def controls(self) -> list[Any]:
        """From the guest down to *Go*."""
        import ipywidgets as widgets

        lab = self.lab
        sources = [("tables that you build", OWN), *((f"{name}, a real guest", name) for name in lab.guests())]
        self.source = menu(
            "Guest", [("your VM", GIVEN)] if lab.given is not None else sources, lab.source, "Whose tables are walked"
        )
        self.source.observe(lambda change: self.act(self.choose_source), "value")
        self.mode = menu("Mode", [(mode.title, key) for key, mode in MODES.items()], lab.table.key, "The guest's mode")
        self.mode.observe(lambda change: self.act(self.choose_mode), "value")
        self.preset = menu("Begin with", lab.table.presets(), "all allowed", "Tables to begin with")
        self.preset.observe(lambda change: self.act(self.choose_preset), "value")
        self.about = widgets.HTML()
        self.tables, self.place = widgets.VBox(), widgets.VBox()
        self.own = widgets.VBox([row(self.mode, self.preset), self.about, self.tables])
        self.address = self.field("gva", "Address", hex(lab.address), "The address (gva) of the access", width="280px")
        self.address.text.observe(lambda change: self.act(self.choose_address), "value")
        self.changed = quiet()
        self.build_tables()
        return [
            row(self.source),
            self.own,
            self.place,
            *self.access(),
            heading("Predict first"),
            row(lab.outcome.menu, lab.code.menu, lab.pages.menu),
            row(self.go),
            self.changed,
        ]

    def access(self) -> list[Any]:
        """What the access does, and to whom the processor listens."""
        lab = self.lab
        self.verb = choice("Access", [(verb, verb) for verb in ("read", "write", "fetch")], "read", "What the access does")
        self.who = choice("by", [("kernel", "kernel"), ("user", "user")], "kernel", "Who does it")
        self.wp = tick("CR0.WP", lab.wp, "CR0.WP: the kernel, too, needs W to write")
        self.nx = tick("EFER.NX", lab.nx, "EFER.NX: the guest's NX bits mean something")
        self.keep = tick("go on with the same VM", lab.keep, "Otherwise each access meets a new VM with an empty shadow")
        self.keep.disabled = lab.given is not None
        for box in (self.verb, self.who, self.wp, self.nx, self.keep):
            box.observe(lambda change: self.act(self.choose_access), "value")
        self.go = self.button("Go", "Run the access and watch it", lab.go, primary=True)
        return [row(self.verb, self.who), row(self.wp, self.nx, self.keep), quiet(REGISTERS)]

    def refresh(self) -> None:
        """Also whether the result that is shown is about what is chosen now."""
        super().refresh()
        last = self.lab.last if self.status.value else None
        say(self.changed, CHANGED if last is not None and last.about != self.lab.about else "")

    # What was chosen

    def choose_source(self) -> None:
        """Tables of one's own, or a real guest with its addresses."""
        if self.source.value == OWN:
            self.lab.build(self.mode.value, self.preset.value)
        elif self.source.value != GIVEN:
            self.lab.open(self.source.value)
            self.wp.value, self.nx.value, self.keep.value = self.lab.wp, self.lab.nx, self.lab.keep
        self.build_tables()
        self.clear()

    def choose_mode(self) -> None:
        """Another mode, with all allowed."""
        self.lab.build(self.mode.value)
        self.preset.options = self.lab.table.presets()
        self.preset.value = "all allowed"
        self.build_tables()
        self.clear()

    def choose_preset(self) -> None:
        """Other tables to begin with."""
        if self.preset.value in self.lab.table.presets():
            self.lab.build(self.mode.value, self.preset.value)
            self.build_tables()
            self.clear()

    def choose_access(self) -> None:
        """The access and the registers."""
        lab = self.lab
        lab.write, lab.fetch = self.verb.value == "write", self.verb.value == "fetch"
        lab.user, lab.wp, lab.nx, lab.keep = self.who.value == "user", self.wp.value, self.nx.value, self.keep.value

    def choose_address(self) -> None:
        """An address that was typed in."""
        self.clear()
        try:
            self.lab.address = parse(self.address.text.value)
        except InputError as error:
            raise InputError("gva", error.got, error.expected) from None

    def choose_frame(self, frame: int) -> None:
        """Another frame at the end of the path."""
        self.lab.table.frame = frame
        self.clear()

    def choose_flag(self, level: int, flag: str, on: bool) -> None:
        """A flag of an entry was turned over."""
        self.lab.table.set(level, flag, on)
        self.clear()

    # The tables

    def build_tables(self) -> None:
        """The toggles of each level, the frame at the end; or the real guest's addresses."""
        lab, old = self.lab, [*self.tables.children, *self.place.children]
        own = lab.source == OWN
        self.own.layout.display = "" if own else "none"
        self.tables.children, self.place.children = [], []
        if own:
            self.about.value = f'<span style="opacity:.8">{html.escape(PRESETS[self.preset.value or "all allowed"])}</span>'
            levels = [self.level(level) for level in range(lab.table.mode.levels, 0, -1)]
            self.tables.children = [*levels, self.frame_menu()]
        else:
            self.place.children = [self.address.box if lab.picker is None else lab.picker.widget]
            if lab.picker is not None:
                lab.picker.widget.observe(lambda change: self.act(self.clear), "value")
        for part in old:
            if part is not self.address.box:
                close_all(part)

    def level(self, level: int) -> Any:
        """One entry: a button for each of its flags."""
        import ipywidgets as widgets

        table = self.lab.table
        name = f"{LEVELS[level]} entry {table.index(level)}"
        label = widgets.HTML(f"<code>{name}</code>", layout={"width": "120px"})
        here = table.choices(level)
        known = [flag for flag in FLAGS if any(flag in table.choices(at) for at in table.flags)]
        return row(label, *(self.toggle(level, flag, name) if flag in here else self.gap() for flag in known))

    @staticmethod
    def gap() -> Any:
        """As wide as a toggle: flags stand in columns."""
        import ipywidgets as widgets

        return widgets.HTML(layout={"width": "52px"})

    def toggle(self, level: int, flag: str, name: str) -> Any:
        """A flag of an entry."""
        on = bool(self.lab.table.flags[level] & FLAGS[flag])

        def change(value: bool) -> None:
            self.act(lambda: self.choose_flag(level, flag, value))

        return switch(flag, on, f"{name}: {flag} ({SAYS[flag]})", "52px", change)

    def frame_menu(self) -> Any:
        """Where the last entry leads."""
        places = self.lab.table.places()
        options = [(f"{name} (gfn {gfn:#x})", gfn) for name, gfn in places.items()]
        frames = menu("Frame at the end", options, self.lab.table.frame, "Where the last entry leads")
        frames.observe(lambda change: self.act(lambda: self.choose_frame(change["new"])), "value")
        return frames

