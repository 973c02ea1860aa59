# SPDX-License-Identifier: GPL-2.0-only
"""A lesson: what it is about, its questions, and the check questions at its end."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .. import workspace
from .check_question import CheckQuestion
from .question import Question, Steps


@dataclass(frozen=True)
class Lesson:
    """A lesson. ``asks``: the question that it answers; ``minutes``: how long it takes; ``exercises``: their names.

    Its notebook is the one in notebooks/ whose name begins with ``number``, in two digits.
    """

    number: int
    asks: str
    minutes: int
    exercises: tuple[str, ...] = ()
    questions: dict[str, Callable[..., Question]] = field(default_factory=dict, compare=False)
    """The functions that ask a question, by name, in the order of the lesson."""
    checks: dict[str, Callable[[int], CheckQuestion]] = field(default_factory=dict, compare=False)
    """The functions that ask a check question for a seed, by name, in the order of the lesson."""

    def question(self, steps: Callable[..., Steps]) -> Callable[..., Question]:
        """Make a question of a generator function; see `lessons` for an example. Use it as a decorator.

        Asked again with the same arguments, it returns the same question, with the choice that was made. (A click on a choice
        makes its cell the active one, so the next Shift+Enter often runs that cell once more.)
        """
        asked: list[tuple[tuple[object, ...], Question]] = []

        @functools.wraps(steps)
        def ask(*on: object) -> Question:
            for arguments, question in asked:
                if len(arguments) == len(on) and all(a is b or _same(a, b) for a, b in zip(arguments, on, strict=True)):
                    question.asked()
                    return question
            question = Question(self.key(steps.__name__), steps(*on))
            asked[:] = [(on, question)]
            return question

        self.questions[steps.__name__] = ask
        return ask

    def check(self, steps: Callable[[int], Steps]) -> Callable[[int], CheckQuestion]:
        """Make a check question of a generator function of a seed; see `lessons`. Use it as a decorator.

        Asked again with the same seed, it returns the same question, with the choice that was made.
        """
        asked: dict[int, CheckQuestion] = {}

        @functools.wraps(steps)
        def ask(seed: int) -> CheckQuestion:
            if seed not in asked:
                asked.clear()
                asked[seed] = CheckQuestion(self.key(steps.__name__), steps, seed)
            return asked[seed]

        self.checks[steps.__name__] = ask
        return ask

    def key(self, name: str) -> str:
        """Return the key of a question in the learner's progress, such as "6/recorded"."""
        return f"{self.number}/{name}"

    @property
    def notebook(self) -> Path:
        """The path of the notebook in the kit. Raises WorkspaceError if there is none."""
        return workspace.lesson_notebook(self.number)

    @functools.cached_property
    def title(self) -> str:
        """The notebook's heading, without markup: "Lesson 6: Reverse maps"."""
        for cell in json.loads(self.notebook.read_bytes())["cells"]:
            heading = re.search(r"^# (.+)$", "".join(cell["source"]), re.MULTILINE) if cell["cell_type"] == "markdown" else None
            if heading:
                return re.sub(r"[`*]", "", heading[1])
        return f"Lesson {self.number}"


def _same(one: object, other: object) -> bool:
    """Return whether two arguments of a question are equal numbers or lists; machines are compared by identity."""
    return isinstance(one, (int, list)) and one == other
