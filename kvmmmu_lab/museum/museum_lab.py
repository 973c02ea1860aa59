# SPDX-License-Identifier: GPL-2.0-only
"""`museum_lab`: choose an exhibit, predict what happens and which audits complain, and watch it, with and without the fix."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..errors import InputError
from ..labs.form import NARROW, Form, form_of
from ..labs.lab import ChoiceLab, Round, name_part_errors
from ..labs.prediction import Prediction
from ..printable import escaped_html
from .exhibit import GROUPS, MUSEUM, Exhibit, code_html, exhibit_named
from .symptom import SYMPTOMS

CODE_2007, FIXED, YOURS = "2007", "fixed", "yours"
NAMES_OF_CODE = {CODE_2007: "2007", FIXED: "fixed", YOURS: "yours"}

SILENT = "none"
COMPLAINTS = {
    SILENT: "none: all three are silent",
    "rmap": "rmap: reverse maps",
    "wp": "wp: write protection",
    "map": "map: mappings",
    "rmap map": "rmap and map",
    "wp map": "wp and map",
}
"""The audits that may complain, as an answer."""


def museum_lab(name: str = "", **parts: Any) -> MuseumLab:
    """Return a lab about the exhibits, which begins with the exhibit ``name``, or with the first one.

    ``parts`` (``fix_read=...``) are your own fix: the lab then also offers to run an exhibit with them. Raises InputError.
    """
    return MuseumLab(name, parts)


class Shown(NamedTuple):
    """What is chosen in a `MuseumLab`: an exhibit, and whether its fix, or yours, is in use."""

    name: str
    code: str


class MuseumLab(ChoiceLab):
    """A lab about the exhibits of the museum: `choose` one, `guess`, then `go`. Predictions: ``outcome`` and ``audits``."""

    title = "The museum of bugs: what happens?"
    after_crash = "The next round runs in a new VM."

    def __init__(self, name: str, parts: dict[str, Any]) -> None:
        super().__init__(parts)
        self.exhibit, self.code = exhibit_named(name or next(iter(names()))), YOURS if parts else CODE_2007
        self.outcome = Prediction("What happens?", list(SYMPTOMS.values()))
        self.audits = Prediction("Which audits complain?", list(COMPLAINTS.values()))
        self.predictions = [self.outcome, self.audits]
        self._note_changes()

    # Choices

    def codes(self) -> list[str]:
        """Return the codes with which the chosen exhibit can run: "2007", "fixed", "yours"."""
        return [CODE_2007, *[FIXED] * bool(self.exhibit.fix), *[YOURS] * bool(self.parts)]

    def choose(self, name: str, code: str = CODE_2007) -> None:
        """Choose an exhibit, and a code: "2007", "fixed" or "yours" (with your own parts). Raises InputError."""
        kept = self.exhibit
        self.exhibit = exhibit_named(name)
        if code not in self.codes():
            expected, self.exhibit = ", ".join(self.codes()), kept
            raise InputError("code", code, f"one of {expected}")
        self.code = code
        self._note_changes()

    def choices(self) -> Shown:
        """Return what is chosen, for `undo` and for the verdict of a round."""
        return Shown(self.exhibit.name, self.code)

    def restore(self, choices: Shown) -> None:
        """Choose what `choices` has returned."""
        self.choose(*choices)

    # A round

    def guess(self, outcome: str | None = None, audits: str | None = None) -> None:
        """Predict. ``outcome``: "crash", "loop", "wrong", "work", "right". ``audits``: "none", "rmap", "wp", "map", "rmap map"
        or "wp map". Raises InputError."""
        for argument, value, known in (("outcome", outcome, SYMPTOMS), ("audits", audits, COMPLAINTS)):
            if value is not None and value not in known:
                raise InputError(argument, value, f"one of {', '.join(known)}")
        self.answer(outcome=outcome and SYMPTOMS[outcome], audits=audits and COMPLAINTS[audits])

    def go(self) -> Round:
        """Run the exhibit, and compare what happens with the predictions."""
        one, parts = self.exhibit, self.parts if self.code == YOURS else {}
        film = name_part_errors(lambda: one.film(self.code == FIXED, **parts), parts)()
        run = film.run
        outcomes = (
            self.outcome.compare(SYMPTOMS[run.outcome.kind], why=run.outcome.words),
            self.audits.compare(COMPLAINTS[" ".join(run.audits) or SILENT]),
        )
        reasons = [run.outcome.words, *map(str, run.complaints[:2]), f"{one.title}. {one.about}"]
        reasons += [f"{one.source_name}: {one.source}. Kernel lines: {one.lines}. Lesson {one.lesson}."]
        return self.add_round(Round(outcomes, tuple(reasons), film, about=self.about))

    @property
    def about(self) -> str:
        """The exhibit and the code, in a few words."""
        words = {CODE_2007: "the code of 2007", FIXED: "its fix", YOURS: "your parts"}[self.code]
        return f"{self.exhibit.name}, with {words}"

    # What it shows

    def state(self) -> str:
        """Return the setting, the code of the trigger, and that of the fix if it is in use, as text."""
        one = self.exhibit
        fix = f"\n\nThe fix, {one.call}:\n\n{one.fix_code}" if self.code == FIXED else ""
        return f"{one.setting}\n\n{one.code}{fix}"

    def picture(self) -> str:
        """Return the code of the fix as HTML, if it is in use."""
        return self.exhibit.fix_html if self.code == FIXED else ""


def names() -> list[str]:
    """Return the names of all exhibits, group by group."""
    return [name for group in GROUPS for name, one in MUSEUM.items() if one.group is group]


Exhibit.opens = staticmethod(museum_lab)


# The form

HELP = (
    "The VM has run up to the line with yield; the film shows the lines after it. The audits are asked at each yield and at "
    "the end. What happens is found by comparing each access with the guest's own tables."
)


@form_of(MuseumLab)
class MuseumForm(Form):
    """A form with the exhibit and its code, and beside these the predictions and *Run*."""

    lab: MuseumLab
    low = True

    def controls(self) -> list[Any]:
        """Return the menu of exhibits, the trigger, the choice of the code, and the predictions."""
        lab, ui = self.lab, self.ui
        self.filling = False
        self.menu = ui.menu("Exhibit", names(), lab.exhibit.name, "The exhibit that runs", width="330px")
        self.code = ui.choice("Code", self.code_options(), lab.code, "The code that runs", width="66px")
        self.setting, self.trigger = ui.html(), ui.html()
        self.outcome, self.audits = self.question(lab.outcome), self.question(lab.audits)
        self.go = self.button("Run", "Run the exhibit and watch it", lab.go, primary=True)
        for widget in (self.menu, self.code):
            widget.observe(lambda change: None if self.filling else self.act(self.choose), "value")
        predictions = [ui.heading("Predict first"), self.outcome, self.audits, ui.row(self.code, self.go)]
        left = ui.column(self.trigger, flex="1 1 560px", min_width="0")
        right = ui.column(*predictions, flex="0 1 340px", min_width="0")
        return [ui.row(self.menu, self.setting), ui.row(left, right, align_items="flex-start"), ui.fold("What is yield?", HELP)]

    def code_options(self) -> list[tuple[str, str]]:
        """Return the codes of the chosen exhibit as options."""
        return [(NAMES_OF_CODE[code], code) for code in self.lab.codes()]

    def choose(self) -> None:
        """Choose the exhibit and the code that are selected. An exhibit without a fix runs with the code of 2007."""
        fits = self.code.value if self.code.value != FIXED or MUSEUM[self.menu.value].fix else CODE_2007
        self.lab.choose(self.menu.value, fits)

    def refresh(self) -> None:
        """Show what is chosen."""
        lab, self.filling = self.lab, True
        try:
            self.menu.value = lab.exhibit.name
            if list(self.code.options) != self.code_options():
                self.code.options = self.code_options()
            self.code.value = lab.code
        finally:
            self.filling = False
        self.setting.value = f'<div style="line-height:1.4">{escaped_html(lab.exhibit.setting)}</div>'
        style = "line-height:1.3;font-size:12px;margin:0;max-height:140px"
        self.trigger.value = NARROW.format(code_html(lab.exhibit.code, style))
        super().refresh()
