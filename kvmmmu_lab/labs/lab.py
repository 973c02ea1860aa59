# SPDX-License-Identifier: GPL-2.0-only
"""`Lab`: a guest, optionally with your own parts, and rounds in which you predict, run an operation, and compare.

A lab is one file: the lab itself, the sentences that explain its results, and its form. This is a complete one; a file of the
package also begins with a licence line and uses relative imports::

    from kvmmmu_lab.draw.pictures import hierarchy
    from kvmmmu_lab.labs.form import GuestForm, form_of
    from kvmmmu_lab.labs.guests import small_guest
    from kvmmmu_lab.labs.lab import GuestLab, Round, operation
    from kvmmmu_lab.labs.prediction import Prediction

    def read_lab(**parts):
        return ReadLab(parts)

    class ReadLab(GuestLab):
        title = "How many faults does a read cause?"

        def __init__(self, parts):
            super().__init__(parts)
            self.faults = Prediction("Faults", [0, 1])
            self.predictions = [self.faults]
            self.reset()

        def prepare(self):
            guest = small_guest("64", 0x1000, **self.parts)
            guest.map(0x2000)
            return guest.vm

        @operation
        def read(self, gva):
            film = self.film(f"Read {gva:#x}", lambda: self.machine.access(gva), self.machine, [gva])
            if film.error is not None:
                return self.add_round(Round(film=film, error=film.error))
            reasons = ("The first access to a page finds no shadow entry.",) * film.result.faults
            return self.add_round(Round((self.faults.compare(film.result.faults),), reasons, film))

        def state_text(self, vm):
            return f"The page at 0x1000 has been read before. Faults handled by the host: {vm.stats.fixed}."

        def picture_html(self, vm):
            return hierarchy(vm, 0x1000, 0x2000).html

    @form_of(ReadLab)
    class ReadForm(GuestForm):
        def controls(self):
            lab = self.lab
            return [
                self.ui.heading("Predict first"),
                self.question(lab.faults),
                self.ui.row(
                    self.button("Read 0x1000", "A page that has been read before", lambda: lab.read(0x1000)),
                    self.button("Read 0x2000", "A page that has never been read", lambda: lab.read(0x2000)),
                    self.button("New guest", "Start again with a new guest", self.restart),
                ),
            ]

Add its function to ``LABS`` in ``labs/__init__.py``. The tests then check that the lab works as text, accepts your own
parts, names each of its controls, and closes its widgets.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any, ClassVar

from ..draw.pictures import Picture
from ..draw.scene import Scene
from ..errors import HostCrash, InputError, LabError
from ..mmu import Vm, checks
from ..player.error_card import card, card_of, html_of
from ..player.film_steps import Draw
from ..printable import escaped_html
from .display import Displayable
from .prediction import Outcome, Prediction
from .watch import Watch, shown_before, watch

NO_VM = "No VM: one of your own parts raised an exception while the guest was being built."


@dataclass(frozen=True)
class Round:
    """One round of a lab: the predictions compared with what happened, the reasons, and the film.

    ``error``: the exception that ended the operation (a crash of the host, or an error in your own part), or None.
    ``about``: a description of the operation. ``after``: what to do after a crash of the host. ``choices``: what was chosen
    in the lab (see `Lab.choices`); the round's verdict holds as long as that is the same.
    """

    outcomes: tuple[Outcome, ...] = ()
    reasons: tuple[str, ...] = ()
    film: Watch | None = None
    error: Exception | None = None
    about: str = ""
    after: str = ""
    choices: Any = None

    @property
    def right(self) -> bool | None:
        """Whether all answers are right; None if there is no answer."""
        judged = [outcome.right for outcome in self.outcomes if outcome.right is not None]
        return all(judged) if judged else None

    @property
    def html(self) -> str:
        """The verdict as HTML: a row for each prediction, then the reasons."""
        rows = "".join(_row(outcome) for outcome in self.outcomes)
        why = "".join(f"<li>{escaped_html(reason)}</li>" for reason in self.reasons)
        table = f'<table style="border-collapse:collapse;line-height:1.4">{rows}</table>' * bool(rows)
        listed = f'<ul style="margin:4px 0;padding-left:20px;line-height:1.4">{why}</ul>' * bool(why)
        about = f'<div style="opacity:.8;line-height:1.4">This was {escaped_html(self.about)}.</div>' * bool(self.about)
        return f"{about}{error_html(self.error, self.after) if self.error is not None else ''}{table}{listed}"

    def __str__(self) -> str:
        lines = [f"This was {self.about}."] * bool(self.about)
        lines += [f"{outcome.sign} {_question(outcome)} {outcome}" for outcome in self.outcomes]
        lines += [f"- {reason}" for reason in self.reasons]
        return "\n".join(lines + [f"! {self.error}"] * (self.error is not None))

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        film = self.film.html if self.film is not None else ""
        return {"text/html": self.html + film, "text/plain": str(self)}


def _question(outcome: Outcome) -> str:
    question = outcome.prediction.question
    return question if question.endswith("?") else f"{question}:"


def _row(outcome: Outcome) -> str:
    said = "no guess" if outcome.answer is None else f"you said {outcome.answer}"
    question, words = (escaped_html(text) for text in (outcome.prediction.question, f"it was: {outcome.words} ({said})"))
    style = "text-align:left;padding:0 8px 0 0;vertical-align:top"
    return f'<tr><td style="{style}"><b>{outcome.sign}</b></td><td style="{style}">{question} – {words}</td></tr>'


class Lab(Displayable):
    """Base class of labs; forms have their own classes. ``rounds``: the rounds with the current guest.

    ``parts``: your own parts of the VM, by name (see `mmu.machine`). Raises InputError for a part that a VM doesn't have.
    """

    title = ""

    after_crash = ""
    """What to do after a crash of the host: a sentence for the error card."""

    form_class: ClassVar[type[Any] | None] = None
    """The class of the form, set by `form.form_of`."""

    def __init__(self, parts: dict[str, Any]) -> None:
        checks.parts(parts)
        self.parts, self.rounds = parts, list[Round]()
        self.predictions: list[Prediction] = []
        self.seen: set[str] = set()
        """The patterns of the routine steps in the films of this lab. Later films fold them."""

    @property
    def last(self) -> Round | None:
        """The latest round, or None."""
        return self.rounds[-1] if self.rounds else None

    # Choices, and steps that can be taken back

    def choices(self) -> Any:
        """Return what is chosen in the lab at the moment, for comparison; None if each button runs something at once."""
        return None

    @property
    def can_undo(self) -> bool:
        """Whether there is a step that `undo` can take back."""
        return False

    @property
    def can_redo(self) -> bool:
        """Whether `redo` can repeat a step."""
        return False

    def undo(self) -> Any:
        """Take back the last step. Raises InputError if there is none."""
        raise InputError("undo", "nothing", "a step that can be taken back")

    def redo(self) -> Any:
        """Repeat the step that was taken back last. Raises InputError if there is none."""
        raise InputError("redo", "nothing", "a step that was taken back")

    # Rounds

    def answer(self, **answers: Any) -> None:
        """Answer predictions: ``answers`` are choices by attribute name, such as ``first=...``; None withdraws an answer.

        Raises InputError, and changes nothing, if an answer isn't one of the choices.
        """
        found = [(getattr(self, name), getattr(self, name).choice(answer, name)) for name, answer in answers.items()]
        for prediction, answer in found:
            prediction.guess(answer)

    def run(self, action: Callable[[], Any]) -> Any:
        """Run ``action`` and return its result. An exception in your own part is raised as a `PartError`."""
        return name_part_errors(action, self.parts)()

    def film(
        self, title: str, operation: Callable[[], Any], vm: Vm, focus: Iterable[int] = (), draw: Draw | None = None
    ) -> Watch:
        """Run an operation and return its film (see `watch`). ``title`` describes the operation.

        An exception in your own part is shown at the end of the film. If no film can be made, it is raised as a `PartError`.
        """
        try:
            film = watch(name_part_errors(operation, self.parts), vm, focus, draw=draw, seen=self.seen | shown_before())
            film.title, self.seen = title, self.seen | film.routine
            return film
        except (LabError, KeyboardInterrupt):
            raise
        except Exception as error:
            if not self.parts:
                raise
            raise PartError(failing_part(error, self.parts), error) from error

    def add_round(self, round_: Round) -> Round:
        """Add a round to ``rounds`` and return it. Each guess counts for only one round, so the guesses are cleared.

        Films are large, so only the latest round keeps its film.
        """
        round_ = replace(round_, after=self.after_crash, choices=self.choices())
        if self.rounds:
            self.rounds[-1] = replace(self.rounds[-1], film=None)
        self.rounds.append(round_)
        for prediction in self.predictions:
            prediction.ask_again()
        return round_

    # What a lab shows

    @functools.cached_property
    def form(self) -> Any:
        """The form (a `form.Form`), or None if this lab has none. Raises ImportError if ipywidgets isn't installed."""
        return None if self.form_class is None else self.form_class(self)

    def make_widget(self, ui: Any) -> Any:
        """Return the widget of the form."""
        return None if self.form is None else self.form.box

    def state(self) -> str:
        """Return the current state as text."""
        raise NotImplementedError

    def picture(self) -> str:
        """Return a picture of the current state as HTML; "" if there is none."""
        return ""

    def drawing(self) -> str:
        """Return the picture, or a card with the error if your own part prevents it."""
        try:
            return self.picture()
        except LabError as error:
            return error_html(error)

    def still(self) -> str:
        """Return the title, the state, and the latest round with its film, as HTML without widgets."""
        last = self.last
        film = last.film._repr_mimebundle_()["text/html"] if last is not None and last.film is not None else ""
        text = escaped_html(self.state())
        return (
            f"<b>{escaped_html(self.title)}</b>"
            f'<pre style="white-space:pre-wrap">{text}</pre>{last.html if last else ""}{film or self.drawing()}'
        )

    def __str__(self) -> str:
        last = self.last
        film = f"\n\n{last.film}" if last is not None and last.film is not None else ""
        return "\n".join([self.title, "", self.state(), *(["", str(last)] if last else [])]) + film

    __repr__ = __str__


class ChoiceLab(Lab):
    """A lab in which `undo` and `redo` change what is chosen. A subclass defines `choices` and `restore`."""

    def __init__(self, parts: dict[str, Any]) -> None:
        super().__init__(parts)
        self._past, self._future = list[Any](), list[Any]()
        self._current: Any = None

    def restore(self, choices: Any) -> None:
        """Choose what `choices` has returned."""
        raise NotImplementedError

    def _note_changes(self) -> None:
        """Remember the previous choices, if they have changed."""
        now = self.choices()
        if self._current is None:
            self._current = now
        if now != self._current:
            self._past.append(self._current)
            self._future.clear()
            self._current = now

    @property
    def can_undo(self) -> bool:
        """Whether the choices have changed."""
        self._note_changes()
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether a change was taken back."""
        self._note_changes()
        return bool(self._future)

    def undo(self) -> Any:
        """Take back the last change of the choices. Raises InputError if there is none."""
        return self._go_back(self._past, self._future) if self.can_undo else super().undo()

    def redo(self) -> Any:
        """Make the change again that was taken back last. Raises InputError if there is none."""
        return self._go_back(self._future, self._past) if self.can_redo else super().redo()

    def _go_back(self, these: list[Any], others: list[Any]) -> None:
        others.append(self._current)
        self._current = these.pop()
        self.restore(self._current)


@dataclass(frozen=True)
class Operation:
    """An operation of a `GuestLab` that can be repeated with a new guest: a method, its arguments, and what was selected."""

    method: Callable[..., Round]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    selected: Any
    title: str


def operation(method: Callable[..., Round]) -> Callable[..., Round]:
    """Return a method of a `GuestLab` whose calls can be taken back with `GuestLab.undo`."""

    @functools.wraps(method)
    def run(lab: GuestLab, *arguments: Any, **options: Any) -> Round:
        selected = lab.selected()
        round_ = method(lab, *arguments, **options)
        title = round_.film.title if round_.film is not None else method.__name__
        lab.done.append(Operation(method, arguments, options, selected, title))
        lab.undone.clear()
        return round_

    return run


class GuestLab(Lab):
    """A lab that builds its own guest in `prepare`. If your own part fails, ``vm`` is None and ``last`` has the error.

    `undo` builds a new guest and repeats all operations but the last, so it works with your own parts, too. ``done``: the
    operations with this guest; ``undone``: those that were taken back.
    """

    vm: Vm | None = None
    after_crash = 'Press "Undo" or "New guest" to go on, or call undo() or reset().'

    def __init__(self, parts: dict[str, Any]) -> None:
        super().__init__(parts)
        self.done, self.undone = list[Operation](), list[Operation]()

    @property
    def machine(self) -> Vm:
        """The VM. Raises InputError if there is none."""
        if self.vm is None:
            raise InputError("vm", self.vm, "a VM; your own part raised an exception, so correct it and create the lab again")
        return self.vm

    def reset(self) -> None:
        """Build a new guest, and remove all rounds and guesses."""
        self.done.clear()
        self.undone.clear()
        self.rebuild()

    @property
    def can_undo(self) -> bool:
        """Whether there is an operation that `undo` can take back."""
        return bool(self.done)

    @property
    def can_redo(self) -> bool:
        """Whether `redo` can repeat an operation."""
        return bool(self.undone)

    def undo(self) -> Round:
        """Take back the last operation: build a new guest, and repeat the others. Raises InputError if there is none."""
        if not self.can_undo:
            super().undo()
        *operations, last = self.done
        rounds, selected = self.rounds[:-1], self.selected()
        self.rebuild()
        for each in operations:
            self.select(each.selected)
            each.method(self, *each.arguments, **each.options)
        self.select(selected)
        self.rounds[:], self.done[:] = rounds, operations
        self.undone.append(last)
        return Round(reasons=(f"Taken back: {last.title}.",), choices=self.choices())

    def redo(self) -> Round:
        """Repeat the operation that was taken back last. Raises InputError if there is none."""
        if not self.can_redo:
            super().redo()
        again = self.undone.pop()
        self.select(again.selected)
        round_ = again.method(self, *again.arguments, **again.options)
        self.done.append(again)
        return round_

    def rebuild(self) -> None:
        """Build a new guest, for `reset` and `undo`."""
        self.vm = None
        self.rounds.clear()
        self.forget()
        for prediction in self.predictions:
            prediction.ask_again()
        try:
            self.vm = self.run(self.prepare)
        except LabError as error:
            self.add_failed_round(error)

    def add_failed_round(self, error: LabError) -> Round:
        """Add a round that failed before there was a film. An `InputError` is not added but raised again."""
        if isinstance(error, InputError):
            raise error
        return self.add_round(Round(error=error))

    def state(self) -> str:
        """Return the current state as text."""
        return NO_VM if self.vm is None else self.state_text(self.vm)

    def picture(self) -> str:
        """Return a picture of the current state as HTML; "" if there is no VM."""
        return "" if self.vm is None else str(self.run(lambda: self.picture_html(self.machine)))

    # For subclasses

    def prepare(self) -> Vm:
        """Build the guest with ``self.parts``, and return its VM."""
        raise NotImplementedError

    def forget(self) -> None:
        """Discard what the lab has stored about the previous guest."""

    def selected(self) -> Any:
        """Return what is selected in the guest, such as a table, for `select`."""
        return None

    def select(self, selected: Any) -> None:
        """Select again what `selected` has returned."""

    def state_text(self, vm: Vm) -> str:
        """Return the state of a guest as text."""
        raise NotImplementedError

    def picture_html(self, vm: Vm) -> str:
        """Return a picture of a guest as HTML; "" if there is none."""
        raise NotImplementedError


# Pictures and errors in a form


def form_picture(picture: Picture) -> Picture:
    """Return a picture without the advice about ``limit=`` in its notes."""
    return Picture(without_limits(picture.scene))


def without_limits(scene: Scene) -> Scene:
    """Return a scene without the advice about ``limit=`` in its notes: a form has no field for it."""
    return replace(scene, notes=tuple(note.partition("; limit=")[0] for note in scene.notes))


def error_html(error: Exception, after: str = "") -> str:
    """Return an error as a card, in HTML. An exception that isn't a `LabError` is reported as a bug in the kit.

    ``after``: what to do after a crash of the host, in place of the usual advice to build a new VM.
    """
    shown = card_of(error)
    if isinstance(error, HostCrash) and after and shown is not None:
        rows = [shown["rows"][0], f"It happened in {error.function}(), {error.source}. This VM is dead now. {after}"]
        return html_of(shown["title"], rows)
    if isinstance(error, LabError):
        return card(error)
    words = f"{type(error).__name__}: {error}"
    return html_of("This is a bug in kvmmmu_lab", [words, "Please report it, and describe what you did."])


# Errors in your own parts


class PartError(LabError):
    """Your own part raised an exception or was interrupted. ``part`` is its name; ``cause`` is the exception."""

    def __init__(self, part: str, cause: BaseException) -> None:
        self.part, self.cause = part, cause
        what = "was interrupted" if self.interrupted else f"raised {type(cause).__name__}: {cause}"
        super().__init__(f"your {part} {what}{_place(cause)}")

    @property
    def interrupted(self) -> bool:
        """Whether the part was interrupted."""
        return isinstance(self.cause, KeyboardInterrupt)

    @property
    def card(self) -> tuple[str, list[str]]:
        """The title and the rows of the card for this error (see `player.error_card`)."""
        title = f"Your own part {'was interrupted' if self.interrupted else 'raised an exception'}"
        return title, [f"{self}.", "This VM is dead now; build a new one."]


def name_part_errors(operation: Callable[[], Any], parts: Mapping[str, Any]) -> Callable[[], Any]:
    """Wrap ``operation`` so that it raises a `PartError` in place of any exception that isn't a `LabError`.

    Without parts, return it unchanged.
    """
    if not parts:
        return operation

    def run() -> Any:
        try:
            return operation()
        except LabError:
            raise
        except (Exception, KeyboardInterrupt) as error:
            raise PartError(failing_part(error, parts), error) from error

    return run


def failing_part(error: BaseException, parts: Mapping[str, Any]) -> str:
    """Return the name of the part whose code raised ``error``. If the traceback contains none, return all, joined by "or"."""
    codes = {name: _codes(part) for name, part in parts.items()}
    trace, found = error.__traceback__, ""
    while trace is not None:
        found = next((name for name, known in codes.items() if trace.tb_frame.f_code in known), found)
        trace = trace.tb_next
    return found or " or ".join(parts)


def _codes(part: Any) -> set[CodeType]:
    """Return the code objects of a function, or of all methods of a class and its bases."""
    members = [part]
    for base in inspect.getmro(part if isinstance(part, type) else type(part)):
        members += vars(base).values()
    functions = [inspect.unwrap(member) for member in members if callable(member)]
    return {function.__code__ for function in functions if inspect.isfunction(function)}


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f" (line {trace.tb_lineno}, in {trace.tb_frame.f_code.co_name})"
