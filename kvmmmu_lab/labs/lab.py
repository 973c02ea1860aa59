# SPDX-License-Identifier: GPL-2.0-only
"""What all labs share: a guest, perhaps with your own parts, rounds of predicting and watching, and the verdict after each."""

from __future__ import annotations

import html
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any

from ..errors import InputError, LabError
from ..mmu import Vm, checks
from ..player.film import Draw
from .display import Shown, error_html
from .prediction import Outcome, Prediction
from .watch import Watch, watch

# FOLDED IN: labs.own: A lab on your own part: an exception in it is told as what it is, and names the part.


class PartError(LabError):
    """A part that was given to a lab raised something, or was stopped. ``part`` is its name, ``cause`` what it raised."""

    def __init__(self, part: str, cause: BaseException) -> None:
        self.part, self.cause = part, cause
        what = "was stopped" if isinstance(cause, KeyboardInterrupt) else f"raised {type(cause).__name__}: {cause}"
        super().__init__(f"your {part} {what}{_place(cause)}")

    @property
    def card(self) -> tuple[str, list[str]]:
        """Title and rows of the card that says so (see `player.cell_output`)."""
        return "Your own part stopped here", [f"{self}.", "This VM is dead now; build a new one."]


def guarded(operation: Callable[[], Any], parts: Mapping[str, Any]) -> Callable[[], Any]:
    """``operation``, but what one of ``parts`` raises becomes a `PartError`. Without parts nothing changes."""
    if not parts:
        return operation

    def run() -> Any:
        try:
            return operation()
        except LabError:
            raise
        except (Exception, KeyboardInterrupt) as error:
            raise PartError(blame(error, parts), error) from error

    return run


def blame(error: BaseException, parts: Mapping[str, Any]) -> str:
    """The name of the part in whose code ``error`` came up; of all, if it can't be told."""
    codes = {name: _codes(part) for name, part in parts.items()}
    trace, found = error.__traceback__, ""
    while trace is not None:
        found = next((name for name, own in codes.items() if trace.tb_frame.f_code in own), found)
        trace = trace.tb_next
    return found or " or ".join(parts)


def _codes(part: Any) -> set[CodeType]:
    """The code of a function, or of all methods of a class and its bases."""
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


@dataclass(frozen=True)
class Round:
    """One round of a lab: ``outcomes`` are the predictions beside what happened, ``reasons`` say why, ``recording`` shows it.

    ``error``: what ended the operation (a crash of the host, an exception in your own part), or None. ``about``: what was
    done, in words; ``after``: what to do once the host has crashed.
    """

    outcomes: tuple[Outcome, ...] = ()
    reasons: tuple[str, ...] = ()
    film: Watch | None = None
    error: Exception | None = None
    about: str = ""
    after: str = ""

    @property
    def right(self) -> bool | None:
        """Whether every prediction that was made came true; None if none was made."""
        judged = [outcome.right for outcome in self.outcomes if outcome.right is not None]
        return all(judged) if judged else None

    @property
    def html(self) -> str:
        """The verdict: a row for each prediction, then the reasons."""
        rows = "".join(_row(outcome) for outcome in self.outcomes)
        why = "".join(f"<li>{html.escape(reason)}</li>" for reason in self.reasons)
        table = f'<table style="border-collapse:collapse;line-height:1.5">{rows}</table>' * bool(rows)
        listed = f'<ul style="margin:6px 0;padding-left:22px;line-height:1.5">{why}</ul>' * bool(why)
        about = f'<div style="opacity:.8">This was {html.escape(self.about)}.</div>' * bool(self.about)
        return f"{about}{error_html(self.error, self.after) if self.error is not None else ''}{table}{listed}"

    def __str__(self) -> str:
        lines = [f"This was {self.about}."] * bool(self.about)
        lines += [f"{outcome.sign} {_asked(outcome)} {outcome}" for outcome in self.outcomes]
        lines += [f"- {reason}" for reason in self.reasons]
        return "\n".join(lines + [f"! {self.error}"] * (self.error is not None))

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        film = self.film.html if self.film is not None else ""
        return {"text/html": self.html + film, "text/plain": str(self)}


def _asked(outcome: Outcome) -> str:
    question = outcome.prediction.question
    return question if question.endswith("?") else f"{question}:"


def _row(outcome: Outcome) -> str:
    said = "no guess" if outcome.answer is None else f"you said {outcome.answer}"
    cells = (outcome.prediction.question, said, f"it was: {outcome.words}")
    style = "text-align:left;padding:1px 14px 1px 0;vertical-align:top"
    text = "".join(f'<td style="{style}">{html.escape(cell)}</td>' for cell in cells)
    return f'<tr><td style="{style}"><b>{outcome.sign}</b></td>{text}</tr>'


class Lab(Shown):
    """A lab without its form. ``rounds`` are those played with this guest, ``last`` the latest (or None)."""

    title = ""

    after_crash = ""
    """What to do after a crash of the host, in words."""

    @property
    def form(self) -> Any:
        """The form, with ``box`` (the widget) and ``close()``. Raises ImportError without ipywidgets."""
        raise NotImplementedError

    @property
    def widget(self) -> Any:
        """The form's widget. Raises ImportError without ipywidgets."""
        return self.form.box

    def __init__(self, parts: dict[str, Any]) -> None:
        checks.parts(parts)
        self.parts, self.rounds = parts, list[Round]()
        self.predictions: list[Prediction] = []

    @property
    def last(self) -> Round | None:
        """The latest round."""
        return self.rounds[-1] if self.rounds else None

    def answer(self, **answers: Any) -> None:
        """Answer questions by the names of their attributes; None takes an answer back. Raises InputError, and changes none."""
        found = [(getattr(self, name), getattr(self, name).choice(answer, name)) for name, answer in answers.items()]
        for prediction, answer in found:
            prediction.guess(answer)

    def guarded(self, action: Callable[[], Any]) -> Any:
        """Do something with the VM; what your own part raises comes as a `PartError`."""
        return guarded(action, self.parts)()

    def film(
        self, title: str, operation: Callable[[], Any], vm: Vm, focus: Iterable[int] = (), draw: Draw | None = None
    ) -> Watch:
        """Watch an operation (see `watch`). What your own part raises ends the film, or comes as a `PartError`.

        ``title`` says what was done.
        """
        try:
            film = watch(guarded(operation, self.parts), vm, focus, draw=draw)
            film.title = title
            return film
        except (LabError, KeyboardInterrupt):
            raise
        except Exception as error:
            if not self.parts:
                raise
            raise PartError(blame(error, self.parts), error) from error

    def played(self, round_: Round) -> Round:
        """Keep a round. A guess counts once: the next round asks anew. Films are large, and only the latest is kept."""
        round_ = replace(round_, after=self.after_crash)
        if self.rounds:
            self.rounds[-1] = replace(self.rounds[-1], film=None)
        self.rounds.append(round_)
        for prediction in self.predictions:
            prediction.ask_again()
        return round_

    def state(self) -> str:
        """What there is to know now, as text."""
        raise NotImplementedError

    def picture(self) -> str:
        """The picture of the state, as HTML; nothing where there is none."""
        return ""

    def drawing(self) -> str:
        """The picture, or a card where your own part lets none be made."""
        try:
            return self.picture()
        except LabError as error:
            return error_html(error)

    def still(self) -> str:
        """Title, state, the latest round and its film, as HTML without widgets."""
        last = self.last
        film = last.film._repr_mimebundle_()["text/html"] if last is not None and last.film is not None else ""
        text = html.escape(self.state())
        return (
            f"<b>{html.escape(self.title)}</b>"
            f'<pre style="white-space:pre-wrap">{text}</pre>{last.html if last else ""}{film or self.drawing()}'
        )

    def __str__(self) -> str:
        last = self.last
        film = f"\n\n{last.film}" if last is not None and last.film is not None else ""
        return "\n".join([self.title, "", self.state(), *(["", str(last)] if last else [])]) + film

    __repr__ = __str__


# FOLDED IN: labs.guest_lab: What labs share that make their guest themselves: a new one, and none where your own part
# lets none come to be.


NO_VM = "There is no VM: your own part let none come to be."


class GuestLab(Lab):
    """A lab on a guest of its own making. ``vm`` is None if your own part failed while it was made: ``last`` says how."""

    vm: Vm | None = None
    after_crash = 'Press "New guest" to begin anew, or call reset().'

    @property
    def machine(self) -> Vm:
        """The VM. Raises InputError if your own part let none come to be."""
        if self.vm is None:
            raise InputError("vm", self.vm, "a VM: none could be made with your part; mend it and make the lab anew")
        return self.vm

    def reset(self) -> None:
        """A new guest, with no round played yet and no guess made."""
        self.vm = None
        self.rounds.clear()
        self.forget()
        for prediction in self.predictions:
            prediction.ask_again()
        try:
            self.vm = self.guarded(self.prepare)
        except LabError as error:
            self.failed(error)

    def forget(self) -> None:
        """Forget what was known about the old guest."""

    def prepare(self) -> Vm:
        """Make the guest."""
        raise NotImplementedError

    def failed(self, error: LabError) -> Round:
        """The round that an error ended before there was a film. Bad input is no round: it is raised again."""
        if isinstance(error, InputError):
            raise error
        return self.played(Round(error=error))

    def state(self) -> str:
        """What there is to know now, as text."""
        return NO_VM if self.vm is None else self.told(self.vm)

    def told(self, vm: Vm) -> str:
        """The state of a guest that there is."""
        raise NotImplementedError

    def picture(self) -> str:
        """The picture of the state, as HTML."""
        return "" if self.vm is None else str(self.guarded(lambda: self.drawn(self.machine)))

    def drawn(self, vm: Vm) -> str:
        """The picture of a guest that there is; nothing where there is none."""
        raise NotImplementedError

