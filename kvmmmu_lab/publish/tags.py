# SPDX-License-Identifier: GPL-2.0-only
"""The cell tags that slides and pages go by. Those of Jupyter Book and nbconvert mean what they mean there."""

from __future__ import annotations

QUESTION = "question"
"""The cell asks for a prediction: its output is shown in large letters, its code is not shown."""

ANSWER = "answer"
"""The cell compares a prediction with what happened: only its output is shown."""

NO_SLIDE = frozenset({"remove-cell", "remove_cell", "no-slide"})
"""The cell is not on any slide."""

NO_INPUT = frozenset({"remove-input", "remove_input", "hide-input"})
"""The cell's code is not on any slide."""

NO_OUTPUT = frozenset({"remove-output", "remove_output", "hide-output"})
"""The cell's output is not on any slide."""

HANDS_ON = frozenset({"try-it", "task", "check", "solution", "exercise"})
"""The cell is for the person at the keyboard. Successive cells of this kind become one slide, which says so."""
