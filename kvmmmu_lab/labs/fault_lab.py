# SPDX-License-Identifier: GPL-2.0-only
"""`fault_lab`: choose guest tables and an access, predict the outcome, and watch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..data import guests, open_guest
from ..draw.arguments import check_gva
from ..draw.pictures import hierarchy
from ..errors import HostCrash, InputError, LabError
from ..inspect.names import LEVELS
from ..inspect.refusal import Request
from ..mmu import Vm, bits, checks
from ..mmu import events as ev
from ..mmu.bits import CR0_WP, EFER_NX, MODES, ROOT_PAE
from ..player.cell_output import close_all
from ..recording.narration import access_noun
from ..replay.trace_moments import moment, moments
from .addresses import AddressPicker, leads_to, pick_address
from .explain_access import OUTCOMES, PathsBefore, action, explain_access
from .form import Form, form_of
from .guests import FLAGS, PRESETS, GuestTable
from .lab import ChoiceLab, Round, form_picture
from .prediction import Prediction
from .watch import Watch

CODES = ["none", 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 20, 21]
MOST = 5
PAGES = [*range(MOST + 1), "more"]


TABLES, VM = "tables", "vm"
"""Sources of guests besides the names of real ones: tables that you build, and your own VM."""


@dataclass(frozen=True)
class Choices:
    """What is chosen in a `FaultLab`: the guest, its tables if you build them, the address, the access and the registers."""

    source: str
    tables: tuple[Any, ...]
    gva: int
    access: tuple[bool, ...]


def fault_lab(vm: Vm | None = None, preset: str = "", **parts: Any) -> FaultLab:
    """Return a lab about page faults, with tables that you build, with a real guest, or with your own ``vm``.

    ``preset``: a moment of a recording to start from ("fork in lin64", see `replay.trace_moments`); the access is then the
    one that the recorded guest did next. ``parts`` (``set_spte=...``, ``walk=...``) are passed to each VM of the lab. Raises
    InputError for an invalid argument.
    """
    return FaultLab(vm, parts, preset)


class FaultLab(ChoiceLab):
    """A lab about page faults: choose a guest with `build` and ``table``, `open` or `start_at`; then `guess`, then `go`.

    ``source``: "tables" (the guest in ``table``), the name of a real guest, a moment of a recording, or "vm". ``write``,
    ``user``, ``fetch``: the access. ``wp`` and ``nx``: CR0.WP and EFER.NX. ``keep``: use the same VM for all accesses, not a
    new one for each. `undo` takes back the last change of these choices, but not an access in a VM that is kept.
    """

    title = "What happens on an access?"

    picker: AddressPicker | None

    def __init__(self, vm: Vm | None, parts: dict[str, Any], preset: str = "") -> None:
        super().__init__(parts)
        if vm is not None and preset:
            raise InputError("preset", preset, "no preset together with a VM of your own")
        if vm is not None and parts:
            raise InputError("parts", list(parts), "no parts together with a VM: pass them to the VM, Vm(..., rmap=...)")
        if vm is not None and not isinstance(vm, Vm):
            raise InputError("vm", vm, "a Vm, or None")
        self.given, self.vm = vm, vm
        self.after_crash = "The next round runs in a new VM." if vm is None else "Create a new VM, and a new lab with it."
        self.table, self.picker = GuestTable(), None
        self.write = self.user = self.fetch = False
        self.wp = self.nx = True
        self.keep, self.source = vm is not None, TABLES if vm is None else VM
        self.address, self._typed = 0x1000, False
        if vm is not None:
            self.wp, self.nx = bool(vm.cpu.cr0 & CR0_WP), bool(vm.cpu.efer & EFER_NX)
        self._fresh: tuple[Any, Vm] | None = None
        """A VM for the picture before an access in a new VM, and the choices it was made for."""
        self._entries: dict[int, int] = {}
        """The entries of ``table`` as they are in the VM, by level."""
        self._replaced = False
        """Whether the latest access needed a new VM because the previous one was dead."""
        self.outcome = Prediction("Outcome", list(OUTCOMES.values()))
        self.code = Prediction("Error code for the guest", CODES)
        self.pages = Prediction("Shadow pages allocated", PAGES)
        self.predictions = [self.outcome, self.code, self.pages]
        if preset:
            self.start_at(preset)
        self._note_changes()

    # The guest and the access

    def build(self, mode: str = "64", preset: str = "all allowed") -> None:
        """Choose a guest with tables that you build: a mode of `bits.MODES`, and one of `guests.PRESETS` to start from."""
        self._check_no_vm_given()
        table = GuestTable(mode, preset)
        if self.source != TABLES or mode != self.table.mode.name:
            self.vm = None
        self.table, self.source, self.picker = table, TABLES, None
        self.rounds.clear()

    def choose_source(self, name: str) -> None:
        """Choose a real guest or a moment of a recording."""
        (self.start_at if name in moments() else self.open)(name)

    def open(self, name: str) -> None:
        """Choose a real guest; ``picker`` then offers addresses that it maps. `choose_address` takes any other."""
        self._check_no_vm_given()
        guest = open_guest(name)
        self.picker, self.source, self.vm, self.keep = pick_address(guest), name, None, False
        self._typed = False
        self.wp, self.nx = bool(guest.meta["cr0"] & CR0_WP), bool(guest.meta["efer"] & EFER_NX)
        self.rounds.clear()

    def start_at(self, name: str) -> None:
        """Choose a moment of a recording (see `replay.trace_moments`), with the access that the recorded guest did next."""
        self._check_no_vm_given()
        meta, access = moment(name).trace.meta, moment(name).next_access
        self.picker, self.source, self.vm, self.keep = None, name, None, False
        self.address, self._typed = access.gva, True
        _, self.write, self.user, self.fetch = access
        self.wp, self.nx = bool(meta["cr0"] & CR0_WP), bool(meta["efer"] & EFER_NX)
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
        if self.source == TABLES:
            return self.table.gva
        return self.address if self.picker is None or self._typed else self.picker.gva

    def choose_address(self, gva: int) -> None:
        """Choose an address of a real guest or of your own VM. Raises InputError for one that the guest's mode doesn't have."""
        if self.source == TABLES:
            raise InputError("gva", gva, "no address: the tables that you build map one, lab.table.gva")
        self.address, self._typed = check_gva(self.upcoming(), gva), True

    # Choices

    def choices(self) -> Choices:
        """Return everything that is chosen, for `undo` and for the verdict of a round."""
        tables = (self.table.mode.name, tuple(self.table.flags.items()), self.table.frame) if self.source == TABLES else ()
        access = (self.write, self.user, self.fetch, self.wp, self.nx, self.keep)
        return Choices(self.source, tables, self.gva, access)

    def restore(self, choices: Choices) -> None:
        """Choose the guest, the tables, the address and the access that `choices` has returned."""
        if choices.source == TABLES:
            mode, flags, frame = choices.tables
            if (self.source, self.table.mode.name) != (TABLES, mode):
                self.build(mode)
            self.table.flags, self.table.frame = dict(flags), frame
        else:
            if choices.source != self.source:
                self.choose_source(choices.source)
            self.address, self._typed = choices.gva, True
        self.write, self.user, self.fetch, self.wp, self.nx, self.keep = choices.access

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
        if self.source == VM and self.given is not None:
            self.vm = self.given
        elif self.vm is None or not self.keep or self.vm.dead is not None:
            self._replaced = self.keep and self.vm is not None
            self.vm = self._new_vm()
            self._entries = {level: self.table.entry(level) for level in self.table.flags}
        vm = self.vm
        if self.source == TABLES:
            self._store_entries(vm)
        if bool(vm.cpu.cr0 & CR0_WP) != self.wp:
            vm.load_cr0(vm.cpu.cr0 ^ CR0_WP)
        if bool(vm.cpu.efer & EFER_NX) != self.nx:
            vm.load_efer(vm.cpu.efer ^ EFER_NX)
        return vm

    def _new_vm(self) -> Vm:
        if self.source == TABLES:
            return self.table.vm(self.wp, self.nx, **self.parts)
        if self.source in moments():
            return moment(self.source).replay(**self.parts).vm
        return open_guest(self.source).vm(**self.parts)

    def upcoming(self) -> Vm:
        """Return the VM for the next access, as it is before it. Don't change it: it may be a new one, only for a picture."""
        if self.vm is not None and self.keep and (self.vm.dead is None or self.given is not None):
            return self.vm
        tables = self.choices().tables
        wanted = self.source, tables, tables and (self.wp, self.nx)
        if self._fresh is None or self._fresh[0] != wanted:
            self._fresh = wanted, self._new_vm()
        return self._fresh[1]

    def picture(self) -> str:
        """Return the paths of the address before the access as HTML."""
        gva = self.gva
        return form_picture(self.run(lambda: hierarchy(self.upcoming(), gva))).html

    def where(self) -> str:
        """Return a sentence that says where the guest's tables lead for the address."""
        return leads_to(self.run(self.upcoming), self.gva)

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
        if self.source in moments():
            return f"the recording {moment(self.source).trace.name}, at a moment when {moment(self.source).says}"
        return {TABLES: tables, VM: "your VM"}.get(self.source, f"the real guest {self.source}")

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
WORDS = {flag.name: flag.word for flag in bits.FLAGS}
CHANGED = "(changed)"
"""The label in the menu of tables to start from, if none of them has these flags."""


@form_of(FaultLab)
class FaultForm(Form):
    """A form with the guest, its tables or its addresses, and beside these the access, the predictions, and *Go*."""

    lab: FaultLab
    controls_width = "762px"

    def controls(self) -> list[Any]:
        """Return the controls: a row for the guest; below it, the tables, and beside them the access."""
        lab, ui = self.lab, self.ui
        self.filling = False
        sources = [("tables that you build", TABLES), *((f"{name}, a real guest", name) for name in lab.guests())]
        sources += [(f"{name}, a recording", name) for name in moments()]
        sources = [("your VM", VM)] if lab.given is not None else sources
        self.source = ui.menu("Guest", sources, lab.source, "The guest whose tables are used")
        modes = [(mode.title, key) for key, mode in MODES.items()]
        self.mode = ui.menu("Mode", modes, lab.table.mode.name, "The guest's mode")
        self.preset = ui.menu("Start from", lab.table.presets(), "all allowed", "The tables to start from")
        for menu, change in (
            (self.source, self.choose_source),
            (self.mode, self.choose_mode),
            (self.preset, self.choose_preset),
        ):
            self.follow(menu, change)
        self.about = ui.note()
        self.tables, self.place = ui.column(), ui.column()
        self.builder = ui.column(self.about, self.tables)
        self.address = self.field("gva", "Any address", hex(lab.address), "The address (gva) of the access", width="280px")
        self.follow(self.address.text, self.choose_address)
        self.leads = ui.note()
        self.outcome, self.code, self.pages = (self.question(prediction) for prediction in lab.predictions)
        self.go = self.button("Go", "Run the access and watch it", self.run, primary=True)
        self.access_controls()
        self.build_tables()
        registers = ui.row(self.keep, self.wp, self.nx, ui.fold("What they do", REGISTERS))
        left = ui.column(self.builder, self.place, registers, flex="0 1 470px", min_width="0")
        predictions = [ui.heading("Predict first"), self.outcome, ui.row(self.code, self.pages), self.go]
        right = ui.column(self.verb, self.who, *predictions, flex="1 1 284px", min_width="0", padding="0 0 0 8px")
        return [ui.row(self.source, self.mode, self.preset), ui.row(left, right, align_items="flex-start")]

    def access_controls(self) -> None:
        """Create the controls for the access, the registers, and keeping the VM."""
        lab, ui = self.lab, self.ui
        self.verb = ui.choice("Access", [(verb, verb) for verb in ("read", "write", "fetch")], "read", "The kind of access")
        self.who = ui.choice("by", [("kernel", "kernel"), ("user", "user")], "kernel", "Who makes the access", width="66px")
        self.wp = ui.checkbox("CR0.WP", lab.wp, "CR0.WP: the kernel also needs W to write")
        self.nx = ui.checkbox("EFER.NX", lab.nx, "EFER.NX: the guest's NX bits forbid execution")
        self.keep = ui.checkbox(
            "keep the VM", lab.keep, "Use the same VM for the next access, not a new one with an empty shadow"
        )
        self.keep.disabled = lab.given is not None
        for box in (self.verb, self.who, self.wp, self.nx, self.keep):
            self.follow(box, self.choose_access)

    def follow(self, widget: Any, action: Callable[[], Any]) -> None:
        """Run ``action`` when the user changes a widget, but not when `refresh` does."""
        widget.observe(lambda change: None if self.filling else self.act(action), "value")

    def refresh(self) -> None:
        """Show the choices of the lab in all widgets, and what follows from them."""
        lab, self.filling = self.lab, True
        try:
            self.source.value = lab.source
            self.mode.value = lab.table.mode.name
            for box, value in ((self.wp, lab.wp), (self.nx, lab.nx), (self.keep, lab.keep)):
                box.value = value
            self.verb.value = "fetch" if lab.fetch else "write" if lab.write else "read"
            self.who.value = "user" if lab.user else "kernel"
            self.build_tables()
        finally:
            self.filling = False
        super().refresh()

    def close(self) -> None:
        """Close all widgets, including those for an address, which aren't shown while tables are built."""
        super().close()
        close_all(self.leads)

    # Changes

    def choose_source(self) -> None:
        """Switch to another guest."""
        if self.source.value == TABLES:
            self.lab.build(self.mode.value, self.preset.value)
        elif self.source.value != VM:
            self.lab.choose_source(self.source.value)
        self.clear()

    def choose_mode(self) -> None:
        """Switch to another mode, starting with all rights."""
        self.lab.build(self.mode.value)
        self.clear()

    def choose_preset(self) -> None:
        """Start from other tables."""
        self.lab.build(self.mode.value, self.preset.value)
        self.clear()

    def choose_access(self) -> None:
        """Apply the choices for the access, the registers, and whether to keep the VM."""
        lab = self.lab
        lab.write, lab.fetch = self.verb.value == "write", self.verb.value == "fetch"
        lab.user, lab.wp, lab.nx, lab.keep = self.who.value == "user", self.wp.value, self.nx.value, self.keep.value

    def choose_address(self) -> None:
        """Read the address from its input field."""
        try:
            self.lab.choose_address(self.number(self.address))
        except InputError:
            self.clear()
            raise

    def pick(self) -> None:
        """Choose the address selected in the menu."""
        if self.menu.value is not None:
            self.lab.choose_address(self.menu.value.gva)

    def run(self) -> Round:
        """Run the access. An address that can't be used is refused, even if it was entered before."""
        if self.lab.source != TABLES and self.peek(self.address) != self.lab.gva:
            self.choose_address()
        return self.lab.go()

    # The tables

    def build_tables(self) -> None:
        """Show the flags at each level and the frame that the last entry maps, or the address. Keep widgets that still fit."""
        lab = self.lab
        builds = lab.source == TABLES
        for part in (self.builder, self.mode, self.preset):
            part.layout.display = "" if builds else "none"
        shape = (lab.source, lab.table.mode.name if builds else "")
        if shape != self.shape:
            self.shape = shape
            old = [*self.tables.children, *self.place.children]
            self.tables.children = self.table_controls() if builds else []
            self.place.children = [] if builds else self.address_controls()
            for part in old:
                if part is not self.address.box and part is not self.leads:
                    close_all(part)
        if builds:
            self.fill_tables()
        else:
            self.fill_address()

    shape: tuple[str, str] | None = None
    """The guest and the mode for which the widgets of the tables were built."""

    def table_controls(self) -> list[Any]:
        """Return a row of buttons for each entry, and the menu of frames."""
        table = self.lab.table
        self.flags = dict[tuple[int, str], Any]()
        levels = [self.flag_row(level) for level in range(table.mode.levels, 0, -1)]
        options = [(f"{name} (gfn {gfn:#x})", gfn) for name, gfn in table.places().items()]
        self.frames = self.ui.menu("Frame at the end", options, table.frame, "The frame that the last entry leads to")
        self.follow(self.frames, lambda: setattr(self.lab.table, "frame", self.frames.value))
        return [*levels, self.frames]

    def fill_tables(self) -> None:
        """Show the flags, the frame, and the preset that they are equal to."""
        table = self.lab.table
        for (level, flag), button in self.flags.items():
            button.value = bool(table.flags[level] & FLAGS[flag])
        self.frames.value = table.frame
        same = [name for name in table.presets() if table.equals(GuestTable(table.mode.name, name))]
        self.preset.options = [*table.presets(), *([] if same else [CHANGED])]
        self.preset.value = same[0] if same else CHANGED
        self.ui.set_note(self.about, PRESETS.get(self.preset.value, "the flags and the frame below"))

    def address_controls(self) -> list[Any]:
        """Return the menu of a real guest's addresses, and the field for any address."""
        if self.lab.picker is None:
            return [self.address.box, self.leads]
        self.menu = self.lab.picker.widget
        self.follow(self.menu, self.pick)
        return [self.menu, self.address.box, self.leads]

    def fill_address(self) -> None:
        """Show the address and where it leads."""
        lab = self.lab
        if self.peek(self.address) != lab.gva:
            self.address.text.value = hex(lab.gva)
        if lab.picker is not None:
            self.menu.value = next((choice for choice in lab.picker.choices if choice.gva == lab.gva), None)
        self.ui.set_note(self.leads, lab.where())

    def flag_row(self, level: int) -> Any:
        """Return a row with a button for each flag of an entry. A flag is in the same column at all levels."""
        table, ui = self.lab.table, self.ui
        name = f"{LEVELS[level]} entry {table.index(level)}"
        label = ui.html(f"<code>{name}</code>", width="98px")
        columns = [flag for flag in FLAGS if any(flag in table.choices(at) for at in table.flags)]
        has = table.choices(level)
        return ui.row(label, *(self.flag(level, flag, name) if flag in has else ui.html(width="40px") for flag in columns))

    def flag(self, level: int, flag: str, name: str) -> Any:
        """Return the button for a flag of an entry."""
        on = bool(self.lab.table.flags[level] & FLAGS[flag])

        def change(value: bool) -> None:
            if not self.filling:
                self.act(lambda: self.lab.table.set(level, flag, value))

        self.flags[level, flag] = self.ui.toggle(flag, on, f"{name}: {flag} ({WORDS[flag]})", "40px", change)
        return self.flags[level, flag]
