# SPDX-License-Identifier: GPL-2.0-only
"""`Exhibit`: a bug of the code of 2007 that can be triggered, filmed, examined, and fixed.

An exhibit is made from its trigger, a generator function::

    @PERMISSIONS.exhibit(
        "A read-only page stays writable",              # what goes wrong
        "The guest sets CR0.WP, and writes again.",     # what it does, for those who haven't seen it yet
        lesson=4, lines="mmu.c:602-611", fix={"role": role_with_wp},
    )
    def wp0_to_wp1_stale_write(**fix):
        \"\"\"What the kernel does wrong, in a few sentences.\"\"\"
        guest = Builder(**fix)
        ...
        yield vm                                 # the film begins here
        vm.load_cr0(CR0_PG | CR0_WP | CR0_PE)
        vm.access(0x1000, write=True)

``fix`` are the parts of the VM that correct the bug (see `mmu.machine`); without them, the VM is that of 2007. The trigger
yields its VM when the preparations are over. At each ``yield`` and at the end, the three audits are asked. What happens is
measured by an `Observer`, which compares each access with the guest's own tables. If the bug is only work for nothing, the
trigger returns a `Work`.
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import HostCrash, InputError
from ..labs.watch import Watch
from ..mmu import Complaint, Vm, checks
from ..mmu.audit import undone
from ..player.film import Film
from ..player.film_steps import Draw
from ..printable import escaped_html
from ..recording import record
from ..workspace import WorkspaceError, lesson_notebook
from .symptom import RIGHT, Observer, Symptom, Work

Trigger = Callable[..., Iterator[Vm]]
AUDITS = {"rmap": "reverse maps", "wp": "write protection", "map": "mappings"}
"""The three audits, each with what it compares."""

NOT_TRACED = "not traced"
NO_FIX = "This exhibit has no fix."
HARMLESS = "Nothing has to be fixed."


@dataclass(frozen=True)
class ExhibitRun:
    """What happened when a trigger ran. ``complaints``: what the audits said at each ``yield`` and at the end, each once."""

    outcome: Symptom
    complaints: tuple[Complaint, ...]
    vm: Vm

    @property
    def audits(self) -> tuple[str, ...]:
        """The names of the audits that complained, in the kernel's order."""
        named = {complaint.audit for complaint in self.complaints}
        return tuple(name for name in AUDITS if name in named)

    @property
    def silent(self) -> bool:
        """Whether no audit complained."""
        return not self.complaints

    @property
    def audit_words(self) -> str:
        """Which audits complained, in a few words."""
        if self.silent:
            return "all three are silent"
        return " and ".join(f"{name} ({AUDITS[name]})" for name in self.audits) + f" complain{'s' * (len(self.audits) == 1)}"

    def __str__(self) -> str:
        lines = [str(self.outcome), f"Audits: {self.audit_words}."]
        return "\n".join([*lines, *(f"  {complaint}" for complaint in self.complaints)])

    __repr__ = __str__


@dataclass(frozen=True)
class Group:
    """A group of exhibits, such as those that crash the host."""

    name: str
    title: str

    def exhibit(
        self,
        title: str,
        setting: str,
        *,
        lesson: int,
        lines: str,
        fix: Mapping[str, Any] | None = None,
        fixed_by: str = "",
        note: str = "",
        focus: tuple[int, ...] = (),
        draw: Draw | None = None,
    ) -> Callable[[Trigger], Exhibit]:
        """Make an exhibit of its trigger, and add it to the museum. Use it as a decorator. The arguments are those of
        `Exhibit`."""

        def make(trigger: Trigger) -> Exhibit:
            name = trigger.__name__
            made = Exhibit(name, title, setting, self, trigger, dict(fix or {}), fixed_by, note, lines, lesson, focus, draw)
            MUSEUM[name] = made
            return made

        return make


CRASHES = Group("crashes", "The host crashes, or its memory is no longer safe")
PERMISSIONS = Group("permissions", "Wrong access rights, or the wrong frame")
LIVELOCKS = Group("livelocks", "Endless loops, and work for nothing")
LOOK_ALIKES = Group("look-alikes", "It looks like a bug, but it isn't")

GROUPS = (CRASHES, PERMISSIONS, LIVELOCKS, LOOK_ALIKES)

MUSEUM: dict[str, Exhibit] = {}
"""All exhibits by name."""


@dataclass(frozen=True)
class Exhibit:
    """A bug of 2007: ``run()`` triggers it, ``film()`` shows it; with ``fixed=True``, both use the fix.

    Both also take your own parts of the VM, to try another fix: ``run(fix_read=mine)``. ``lab()`` opens a lab with the exhibit.

    ``title``: what goes wrong. ``setting``: what the guest or the host does, without saying what comes of it. ``fix``: the
    parts of the VM that correct it, by name. ``fixed_by``: the kernel's commit that fixed it, "" if it wasn't traced.
    ``note``: where the bug is discussed, or how it came back. ``lines``: the kernel's lines. ``lesson``: the number of the
    lesson that teaches what it needs. ``focus``: addresses whose paths the film draws, besides those that it uses. ``draw``:
    another picture for the film.
    """

    name: str
    title: str
    setting: str
    group: Group
    trigger: Trigger
    fix: Mapping[str, Any]
    fixed_by: str
    note: str
    lines: str
    lesson: int
    focus: tuple[int, ...] = ()
    draw: Draw | None = None

    opens: ClassVar[Callable[[str], Any]]
    """What `lab` calls with the exhibit's name."""

    # What happens

    def run(self, fixed: bool = False, **parts: Any) -> ExhibitRun:
        """Run the trigger, and return what happened and what the audits said. Raises InputError if there is no fix."""
        started = Started(*self._start(fixed, parts))
        crash = None
        try:
            started.finish()
        except HostCrash as error:
            crash = error
        return started.result(crash)

    def film(self, fixed: bool = False, **parts: Any) -> ExhibitFilm:
        """Run the trigger, and return the film of it, from the first ``yield`` on. Raises InputError if there is no fix."""
        started = Started(*self._start(fixed, parts))
        with_fix = " with your parts" if parts else " with the fix" if fixed else ", the code of 2007"
        return ExhibitFilm(started, self.focus, self.draw, f"{self.name}{with_fix}")

    def lab(self) -> Any:
        """Open a lab with this exhibit."""
        return type(self).opens(self.name)

    def _start(self, fixed: bool, parts: dict[str, Any]) -> tuple[Iterator[Vm], Vm]:
        if fixed and not self.fix:
            raise InputError("fixed", fixed, f"False, since {self.name} has no fix")
        checks.parts(parts)
        steps = self.trigger(**{**(self.fix if fixed else {}), **parts})
        return steps, next(steps)

    # What a card shows

    @property
    def about(self) -> str:
        """What the kernel does wrong, in a few sentences."""
        return " ".join(inspect.cleandoc(self.trigger.__doc__ or "").split())

    @property
    def code(self) -> str:
        """The source of the trigger, without its docstring."""
        return _body(self.trigger)

    @property
    def fix_code(self) -> str:
        """The source of the fix; a sentence if there is none."""
        if not self.fix:
            return HARMLESS if self.group is LOOK_ALIKES else NO_FIX
        found = dict[Callable[..., Any], None]()
        for part in self.fix.values():
            _collect(part, found)
        return "\n\n".join(inspect.getsource(part).rstrip() for part in found)

    @property
    def call(self) -> str:
        """How the fix is given to a VM: "Vm(role=role_with_wp)"."""
        return f"Vm({', '.join(f'{name}={part.__name__}' for name, part in self.fix.items())})"

    @property
    def source_name(self) -> str:
        """What `source` says: what fixed the bug, or why there is none."""
        return "Why it is right" if self.group is LOOK_ALIKES else "Fixed by"

    @property
    def source(self) -> str:
        """The commit that fixed the bug, or "not traced"; then the note."""
        if self.group is LOOK_ALIKES:
            return self.note
        fixed = f"commit {self.fixed_by}" if self.fixed_by else NOT_TRACED
        return f"{fixed}; {self.note}" if self.note else fixed

    def __str__(self) -> str:
        run = self.run()
        rows = [f"{self.name}: {self.title}", "", *textwrap.wrap(self.about, 100), "", textwrap.indent(self.code, "    "), ""]
        rows += [f"What happens: {run}"]
        if self.fix:
            rows += [f"With the fix: {self.run(fixed=True)}", "", textwrap.indent(self.fix_code, "    "), f"    {self.call}"]
        else:
            rows += [self.fix_code]
        return "\n".join([*rows, "", f"{self.source_name}: {self.source}. Kernel lines: {self.lines}. Lesson {self.lesson}."])

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": str(self)}

    @property
    def html(self) -> str:
        """The card as HTML, with a link to the lesson. For a notebook in notebooks/."""
        run = self.run()
        rows = [("What happens", str(run.outcome)), ("The audits", _complaints(run))]
        if self.fix:
            fixed = self.run(fixed=True)
            rows += [("With the fix", f"{fixed.outcome} The audits: {_complaints(fixed)}")]
        rows += [(self.source_name, self.source), ("Kernel lines", self.lines)]
        marked = [*((name, escaped_html(text)) for name, text in rows), ("Lesson", self.lesson_html)]
        cells = "".join(f"<tr><th {HEAD}>{name}</th><td {CELL}>{markup}</td></tr>" for name, markup in marked)
        return (
            f'<div class="kvmmmu-exhibit" style="max-width:60em;line-height:1.4"><p><b>{escaped_html(self.title)}</b><br>'
            f"<code>{self.name}</code></p><p>{escaped_html(self.about)}</p><p>The trigger:</p>{code_html(self.code)}"
            f'<table style="border-collapse:collapse">{cells}</table>'
            f"{self.fix_html}</div>"
        )

    @property
    def lesson_html(self) -> str:
        """The number of the lesson as HTML, with a link if the lesson has a notebook."""
        address = lesson_address(self.lesson)
        return f'<a href="{escaped_html(address)}">{self.lesson}</a>' if address else str(self.lesson)

    @property
    def fix_html(self) -> str:
        """The fix, and how it is given to a machine, as HTML."""
        if not self.fix:
            return f"<p>{self.fix_code}</p>"
        return f"<p>The fix, given to the machine as <code>{escaped_html(self.call)}</code>:</p>{code_html(self.fix_code)}"


class Started:
    """A trigger whose preparations are over, with its ``vm``."""

    def __init__(self, steps: Iterator[Vm], vm: Vm) -> None:
        self.steps, self.vm, self.observer = steps, vm, Observer(vm)
        self.complaints = dict.fromkeys(undone(vm))
        self.work: Work | None = None

    def finish(self) -> None:
        """Run the trigger to its end; ask the audits at each further ``yield``. Raises HostCrash."""
        with self.observer:
            while True:
                try:
                    next(self.steps)
                except StopIteration as end:
                    self.work = end.value
                    return
                self.complaints |= dict.fromkeys(undone(self.vm))

    def result(self, crash: Exception | None) -> ExhibitRun:
        """Return what happened."""
        if self.vm.dead is None:
            self.complaints |= dict.fromkeys(undone(self.vm))
        outcome = self.observer.outcome(crash, self.work, bool(self.complaints))
        return ExhibitRun(outcome, tuple(self.complaints), self.vm)


class ExhibitFilm(Watch):
    """The film of an exhibit. Its last step says what went wrong. ``run``: what happened, and what the audits said."""

    def __init__(self, started: Started, focus: Iterable[int], draw: Draw | None, title: str) -> None:
        try:
            with record(started.vm) as recording:
                started.finish()
        except HostCrash:
            pass  # the recording contains it, and the film shows it
        super().__init__(recording, [*dict.fromkeys([*focus, *started.observer.gvas])], draw, False, None)
        self.title, self.run = title, started.result(recording.error)

    @functools.cached_property
    def data(self) -> dict[str, Any]:
        """The film as data for the player; see `Film.data`."""
        outcome = self.run.outcome
        ending = {"title": outcome.title, "rows": [outcome.words, f"Audits: {self.run.audit_words}."]}
        film = super().data
        return film if film["card"] or outcome.kind == RIGHT else {**film, "card": ending}

    def text(self, every: bool = False) -> str:
        """Return the steps, the last picture, and what happened, as text (see `Film.text`)."""
        return f"{Film.text(self, every)}\n\nWhat happened: {self.run}"


HEAD = 'scope="row" style="text-align:left;vertical-align:top;padding:2px 12px 2px 0;white-space:nowrap"'
CELL = 'style="text-align:left;vertical-align:top;padding:2px 0"'


def lesson_address(number: int) -> str:
    """Return the address of a lesson, for a link in a notebook in notebooks/; "" if there is no notebook."""
    try:
        return lesson_notebook(number).name
    except WorkspaceError:
        return ""


def code_html(code: str, style: str = "line-height:1.35;margin:0 0 8px") -> str:
    """Return code as HTML that scrolls if it is wide."""
    layout = f"white-space:pre;overflow:auto;{style}"
    return f'<pre class="kvmmmu-code" style="{layout}" tabindex="0">{escaped_html(code)}</pre>'


def _complaints(run: ExhibitRun) -> str:
    listed = "; ".join(map(str, run.complaints[:3])) + " ..." * (len(run.complaints) > 3)
    return f"{run.audit_words}." if run.silent else f"{run.audit_words}: {listed}."


def _collect(function: Callable[..., Any], found: dict[Callable[..., Any], None]) -> None:
    """Add a function to ``found``, and the functions of its module that it calls."""
    found[function] = None
    for name in function.__code__.co_names:
        called = function.__globals__.get(name)
        if inspect.isfunction(called) and called.__module__ == function.__module__ and called not in found:
            _collect(called, found)


def _body(function: Callable[..., Any]) -> str:
    """Return the source of a function's body, without the docstring."""
    text = textwrap.dedent(inspect.getsource(function))
    (definition,) = ast.parse(text).body
    assert isinstance(definition, ast.FunctionDef)
    first = definition.body[1 if ast.get_docstring(definition) is not None else 0]
    return textwrap.dedent("\n".join(text.splitlines()[first.lineno - 1 : definition.end_lineno]))


def exhibit_named(name: str) -> Exhibit:
    """Return an exhibit by name. Raises InputError if there is none of this name."""
    if not isinstance(name, str) or name not in MUSEUM:
        raise InputError("name", name, "the name of an exhibit; exhibits() lists them")
    return MUSEUM[name]
