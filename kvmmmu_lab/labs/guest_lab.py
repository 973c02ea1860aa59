# SPDX-License-Identifier: GPL-2.0-only
"""What labs share that make their guest themselves: a new one, and none where your own part lets none come to be."""

from __future__ import annotations

from ..errors import InputError, LabError
from ..mmu import Vm
from .lab import Lab, Round

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
