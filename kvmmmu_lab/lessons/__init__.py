# SPDX-License-Identifier: GPL-2.0-only
"""The lessons: their questions, with answers that are measured, and the course with the learner's progress.

The text of a notebook is on the screen from the start, also below a question. So the notebook contains neither answers nor
reasons: both are in a module for each lesson, ``lesson_06`` for lesson 6. A question there is a generator::

    @LESSON.question
    def pages(vm):
        "The pages that the first access takes from the pool."
        free = len(vm.pool.free)                                        # measure before
        yield Ask("How many shadow pages will the host take?", [0, 1, 3, 4], on=vm)
        yield Answer(free - len(vm.pool.free), "the root existed.")     # measure after

The notebook asks it in one cell, does what it is about in the next, and reveals the answer in a third::

    question = lesson.pages(vm)
    question

    watch(lambda: vm.access(gva), vm)

    question.reveal()

`course` shows all lessons and exercises with what was done. Reading order: `question`, `lesson`, `sptes` (what questions
measure), the lessons, `course`.
"""

from .course import course

__all__ = ["course"]
