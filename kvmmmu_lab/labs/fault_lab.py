# SPDX-License-Identifier: GPL-2.0-only
"""`fault_lab`: choose guest tables and an access, predict the outcome, and watch it."""

from __future__ import annotations

import html
from typing import Any

from ..data import guests, open_guest
from ..errors import HostCrash, InputError, LabError
from ..inspect.names import LEVELS
from ..inspect.refusal import Request
from ..mmu import Vm, bits, checks
from ..mmu import events as ev
from ..mmu.bits import CR0_WP, EFER_NX, MODES, ROOT_PAE
from ..player.cell_output import close_all
from ..recording.narration import access_noun
from .addresses import AddressPicker, pick_address
from .explain_access import OUTCOMES, PathsBefore, action, explain_access
from .form import Form, form_of
from .guests import FLAGS, PRESETS, GuestTable
from .lab import Lab, Round
from .prediction import Prediction
from .watch import Watch

CODES = ["none", 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 20, 21]
MOST = 5
PAGES = [*range(MOST + 1), "more"]


def fault_lab(vm: Vm | None = None, **parts: Any) -> FaultLab:
    """Return a lab about page faults, with tables that you build, with a real guest, or with your own ``vm``.

    ``parts`` (``set_spte=...``, ``walk=...``) are passed to each VM of the lab. Raises InputError for an invalid argument.
    """
    return FaultLab(vm, parts)


class FaultLab(Lab):
    """A lab about page faults: choose a guest with `build` and ``table``, or with `open`; then `guess`, then `go`.

    ``source``: "tables" (the guest in ``table``), the name of a real guest, or "vm". ``write``, ``user``, ``fetch``: the
    access. ``wp`` and ``nx``: CR0.WP and EFER.NX. ``keep``: use the same VM for all accesses, not a new one for each.
    """

    title = "What happens on an access?"

    picker: AddressPicker | None

    def __init__(self, vm: Vm | None, parts: dict[str, Any]) -> None:
        super().__init__(parts)
        if vm is not None and parts:
            raise InputError("parts", list(parts), "no parts together with a VM: pass them to the VM, Vm(..., rmap=...)")
        if vm is not None and not isinstance(vm, Vm):
            raise InputError("vm", vm, "a Vm, or None")
        self.given, self.vm = vm, vm
        self.after_crash = "The next round runs in a new VM." if vm is None else "Create a new VM, and a new lab with it."
        self.table, self.picker = GuestTable(), None
        self.write = self.user = self.fetch = False
        self.wp = self.nx = True
        self.keep, self.source = vm is not None, "tables" if vm is None else "vm"
        self.address = 0x1000
        if vm is not None:
            self.wp, self.nx = bool(vm.cpu.cr0 & CR0_WP), bool(vm.cpu.efer & EFER_NX)
        self._entries: dict[int, int] = {}
        """The entries of ``table`` as they are in the VM, by level."""
        self._replaced = False
        """Whether the latest access needed a new VM because the previous one was dead."""
        self.outcome = Prediction("Outcome", list(OUTCOMES.values()))
        self.code = Prediction("Error code for the guest", CODES)
        self.pages = Prediction("Shadow pages allocated", PAGES)
        self.predictions = [self.outcome, self.code, self.pages]

    # The guest and the access

    def build(self, mode: str = "64", preset: str = "all allowed") -> None:
        """Choose a guest with tables that you build: a mode of `bits.MODES`, and one of `guests.PRESETS` to start from."""
        self._check_no_vm_given()
        table = GuestTable(mode, preset)
        if self.source != "tables" or mode != self.table.mode.name:
            self.vm = None
        self.table, self.source, self.picker = table, "tables", None
        self.rounds.clear()

    def open(self, name: str) -> None:
        """Choose a real guest; ``picker`` then offers addresses that it maps."""
        self._check_no_vm_given()
        guest = open_guest(name)
        self.picker, self.source, self.vm, self.keep = pick_address(guest), name, None, False
        self.wp, self.nx = bool(guest.meta["cr0"] & CR0_WP), bool(guest.meta["efer"] & EFER_NX)
        self.rounds.clear()

    def _check_no_vm_given(self) -> None:
        if self.given is not None:
            raise InputError("vm", self.given, "a lab without a VM of your own: create one with fault_lab()")

    @staticmethod
    def guests() -> list[str]:
        """Return the names of the real guests that have paging enabled."""
        return guests()

    @property
    def gva(self) -> int:
        """The address of the access."""
        if self.source == "tables":
            return self.table.gva
        return self.picker.gva if self.picker is not None else self.address

    # A round

    def guess(self, outcome: str | None = None, code: int | str | None = None, pages: int | str | None = None) -> None:
        """Make predictions. ``outcome``: "through", "ok", "inject", "emul", "mmio", "stuck", "crash" or "else".

        ``code``: one of ``lab.code.choices``. ``pages``: the number of shadow pages; more than 5 count as "more".
        """
        if outcome is not None and outcome not in OUTCOMES:
            raise InputError("outcome", outcome, f"one of {', '.join(OUTCOMES)}")
        pages = "more" if isinstance(pages, int) and pages > MOST else pages
        self.answer(outcome=None if outcome is None else OUTCOMES[outcome], code=code, pages=pages)

    def go(self) -> Round:
        """Run the access, and compare the result with the predictions."""
        if self.write and self.fetch:
            raise InputError("fetch", self.fetch, "a fetch or a write, not both")
        try:
            vm = self.run(self._prepare_vm)
            request = Request(checks.gva(vm, self.gva), self.write, self.user, self.fetch)
            before, title = PathsBefore.of(vm, request), self._access()
            film = self.film(
                title[0].upper() + title[1:],
                lambda: vm.access(request.gva, write=request.write, user=request.user, fetch=request.fetch),
                vm,
                [request.gva],
            )
        except InputError:
            raise
        except LabError as error:
            return self.add_round(Round(error=error, about=self.about))
        return self.add_round(self._compare(vm, before, film))

    def _prepare_vm(self) -> Vm:
        """Return the VM for this access: a new one, or the previous one with the changes made since then."""
        self._replaced = False
        if self.source == "vm" and self.given is not None:
            self.vm = self.given
        elif self.vm is None or not self.keep or self.vm.dead is not None:
            self._replaced = self.keep and self.vm is not None
            self.vm = self._new_vm()
            self._entries = {level: self.table.entry(level) for level in self.table.flags}
        vm = self.vm
        if self.source == "tables":
            self._store_entries(vm)
        if bool(vm.cpu.cr0 & CR0_WP) != self.wp:
            vm.load_cr0(vm.cpu.cr0 ^ CR0_WP)
        if bool(vm.cpu.efer & EFER_NX) != self.nx:
            vm.load_efer(vm.cpu.efer ^ EFER_NX)
        return vm

    def _new_vm(self) -> Vm:
        if self.source == "tables":
            return self.table.vm(self.wp, self.nx, **self.parts)
        return open_guest(self.source).vm(**self.parts)

    def _store_entries(self, vm: Vm) -> None:
        """Store the entries that were changed, as the guest's kernel would."""
        table = self.table
        for level, old in self._entries.items():
            if table.entry(level) != old:
                vm.emulate_write_gpa(table.entry_gpa(level), table.entry(level), table.mode.format.size)
        if vm.root_level == ROOT_PAE and self._entries[3] != table.entry(3):
            vm.load_cr3(vm.cpu.cr3)
        self._entries = {level: table.entry(level) for level in table.flags}

    def _compare(self, vm: Vm, before: PathsBefore, film: Watch) -> Round:
        pages = len(film.recording.where(kind=ev.ALLOC_PAGE.name))
        kind, code, shown = "else", None, pages if pages <= MOST else "more"
        if film.result is not None:
            kind, code = film.result.outcome, film.result.error
        elif isinstance(film.error, HostCrash):
            kind = "crash"
        reasons = ["The previous VM is dead, so this access ran in a new one."] * self._replaced
        reasons += explain_access(vm, before, kind, code, pages)
        if kind == "ok" and not film.result.faults:
            kind = "through"
        outcomes = [self.outcome.compare(OUTCOMES.get(kind, OUTCOMES["else"]))]
        if kind == "inject" or self.code.answer is not None:
            outcomes.append(self.code.compare("none" if code is None else code))
        outcomes.append(self.pages.compare(shown, f"{pages} (more than {MOST})" if pages > MOST else ""))
        return Round(tuple(outcomes), tuple(reasons), film, film.error, self.about)

    # The choices as text

    def _access(self) -> str:
        return f"{access_noun(self.write, self.user, self.fetch)} at {self.gva:#x}"

    def _guest(self, tables: str) -> str:
        return {"tables": tables, "vm": "your VM"}.get(self.source, f"the real guest {self.source}")

    @property
    def about(self) -> str:
        """The access, the guest, the registers, and whether the VM was kept, in one line."""
        guest = self._guest(f"a guest with tables that you built ({self.table.mode.title})")
        registers = f"CR0.WP {'set' if self.wp else 'clear'}, EFER.NX {'set' if self.nx else 'clear'}"
        return f"{self._access()}, in {guest}, {registers}" + ", in the same VM as before" * self.keep

    def state(self) -> str:
        """Return the guest and the access as text."""
        request = Request(self.gva, self.write, self.user, self.fetch)
        which = "the same VM for each access" if self.keep else "a new VM for each access"
        registers = f"CR0.WP is {int(self.wp)}, EFER.NX is {int(self.nx)}"
        return f"{self._guest(str(self.table))}\n{action(request)}. {registers}; {which}."


# The form

REGISTERS = (
    "CR0.WP: if it is set, the kernel also needs W to write; if it is clear, the kernel may write to every page. "
    "EFER.NX: the NX bits in the guest's entries forbid execution only if it is set."
)
CHANGED = "You have changed your choices since. The result below is for the previous ones. Press Go to run the new ones."
TABLES, VM = "tables", "vm"
WORDS = {flag.name: flag.word for flag in bits.FLAGS}


@form_of(FaultLab)
class FaultForm(Form):
    """A form with the guest and its tables, the access, the predictions and *Go*; below them, the verdict and the film."""

    lab: FaultLab

    def controls(self) -> list[Any]:
        """Return the controls, from the guest down to *Go*."""
        lab, ui = self.lab, self.ui
        sources = [("tables that you build", TABLES), *((f"{name}, a real guest", name) for name in lab.guests())]
        sources = [("your VM", VM)] if lab.given is not None else sources
        self.source = ui.menu("Guest", sources, lab.source, "The guest whose tables are used")
        self.source.observe(lambda change: self.act(self.choose_source), "value")
        modes = [(mode.title, key) for key, mode in MODES.items()]
        self.mode = ui.menu("Mode", modes, lab.table.mode.name, "The guest's mode")
        self.mode.observe(lambda change: self.act(self.choose_mode), "value")
        self.preset = ui.menu("Start from", lab.table.presets(), "all allowed", "The tables to start from")
        self.preset.observe(lambda change: self.act(self.choose_preset), "value")
        self.about = ui.html()
        self.tables, self.place = ui.column(), ui.column()
        self.builder = ui.column(ui.row(self.mode, self.preset), self.about, self.tables)
        self.address = self.field("gva", "Address", hex(lab.address), "The address (gva) of the access", width="280px")
        self.address.text.observe(lambda change: self.act(self.choose_address), "value")
        self.changed = ui.note()
        self.outcome, self.code, self.pages = (self.question(prediction) for prediction in lab.predictions)
        self.build_tables()
        return [
            ui.row(self.source),
            self.builder,
            self.place,
            *self.access_controls(),
            ui.heading("Predict first"),
            ui.row(self.outcome, self.code, self.pages),
            ui.row(self.go),
            self.changed,
        ]

    def access_controls(self) -> list[Any]:
        """Return the controls for the access, the registers, and keeping the VM."""
        lab, ui = self.lab, self.ui
        self.verb = ui.choice("Access", [(verb, verb) for verb in ("read", "write", "fetch")], "read", "The kind of access")
        self.who = ui.choice("by", [("kernel", "kernel"), ("user", "user")], "kernel", "Who makes the access")
        self.wp = ui.checkbox("CR0.WP", lab.wp, "CR0.WP: the kernel also needs W to write")
        self.nx = ui.checkbox("EFER.NX", lab.nx, "EFER.NX: the guest's NX bits forbid execution")
        self.keep = ui.checkbox(
            "keep the VM", lab.keep, "Use the same VM for the next access, not a new one with an empty shadow"
        )
        self.keep.disabled = lab.given is not None
        for box in (self.verb, self.who, self.wp, self.nx, self.keep):
            box.observe(lambda change: self.act(self.choose_access), "value")
        self.go = self.button("Go", "Run the access and watch it", lab.go, primary=True)
        return [ui.row(self.verb, self.who), ui.row(self.wp, self.nx, self.keep), ui.note(REGISTERS)]

    def refresh(self) -> None:
        """Update the form, and add a note if the result below isn't for the current choices."""
        super().refresh()
        last = self.lab.last if self.status.value else None
        self.ui.set_note(self.changed, CHANGED if last is not None and last.about != self.lab.about else "")

    # Changes

    def choose_source(self) -> None:
        """Switch to another guest."""
        if self.source.value == TABLES:
            self.lab.build(self.mode.value, self.preset.value)
        elif self.source.value != VM:
            self.lab.open(self.source.value)
            self.wp.value, self.nx.value, self.keep.value = self.lab.wp, self.lab.nx, self.lab.keep
        self.build_tables()
        self.clear()

    def choose_mode(self) -> None:
        """Switch to another mode, starting with all rights."""
        self.lab.build(self.mode.value)
        self.preset.options = self.lab.table.presets()
        self.preset.value = "all allowed"
        self.build_tables()
        self.clear()

    def choose_preset(self) -> None:
        """Start from other tables."""
        if self.preset.value in self.lab.table.presets():
            self.lab.build(self.mode.value, self.preset.value)
            self.build_tables()
            self.clear()

    def choose_access(self) -> None:
        """Apply the choices for the access, the registers, and whether to keep the VM."""
        lab = self.lab
        lab.write, lab.fetch = self.verb.value == "write", self.verb.value == "fetch"
        lab.user, lab.wp, lab.nx, lab.keep = self.who.value == "user", self.wp.value, self.nx.value, self.keep.value

    def choose_address(self) -> None:
        """Read the address from its input field."""
        self.clear()
        self.lab.address = self.number(self.address)

    def choose_frame(self, frame: int) -> None:
        """Change the frame at the end of the path."""
        self.lab.table.frame = frame
        self.clear()

    def choose_flag(self, level: int, flag: str, on: bool) -> None:
        """Set or clear a flag of an entry."""
        self.lab.table.set(level, flag, on)
        self.clear()

    # The tables

    def build_tables(self) -> None:
        """Show the flags at each level and the frame that the last entry maps, or the addresses of a real guest."""
        lab, old = self.lab, [*self.tables.children, *self.place.children]
        builds = lab.source == TABLES
        self.builder.layout.display = "" if builds else "none"
        self.tables.children, self.place.children = [], []
        if builds:
            self.about.value = f'<span style="opacity:.8">{html.escape(PRESETS[self.preset.value or "all allowed"])}</span>'
            levels = [self.flag_row(level) for level in range(lab.table.mode.levels, 0, -1)]
            self.tables.children = [*levels, self.frame_menu()]
        else:
            self.place.children = [self.address.box if lab.picker is None else lab.picker.widget]
            if lab.picker is not None:
                lab.picker.widget.observe(lambda change: self.act(self.clear), "value")
        for part in old:
            if part is not self.address.box:
                close_all(part)

    def flag_row(self, level: int) -> Any:
        """Return a row with a button for each flag of an entry. A flag is in the same column at all levels."""
        table, ui = self.lab.table, self.ui
        name = f"{LEVELS[level]} entry {table.index(level)}"
        label = ui.html(f"<code>{name}</code>", width="120px")
        columns = [flag for flag in FLAGS if any(flag in table.choices(at) for at in table.flags)]
        has = table.choices(level)
        return ui.row(label, *(self.flag(level, flag, name) if flag in has else ui.html(width="52px") for flag in columns))

    def flag(self, level: int, flag: str, name: str) -> Any:
        """Return the button for a flag of an entry."""
        on = bool(self.lab.table.flags[level] & FLAGS[flag])

        def change(value: bool) -> None:
            self.act(lambda: self.choose_flag(level, flag, value))

        return self.ui.toggle(flag, on, f"{name}: {flag} ({WORDS[flag]})", "52px", change)

    def frame_menu(self) -> Any:
        """Return the menu of frames that the last entry can lead to."""
        options = [(f"{name} (gfn {gfn:#x})", gfn) for name, gfn in self.lab.table.places().items()]
        frames = self.ui.menu("Frame at the end", options, self.lab.table.frame, "The frame that the last entry leads to")
        frames.observe(lambda change: self.act(lambda: self.choose_frame(change["new"])), "value")
        return frames
