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

A check question at the end of a lesson makes its own machine from a seed. It is graded as soon as a choice has been made::

    @LESSON.check
    def entries(seed):
        "The entries of a reverse map after some mappings."
        lab, count = rmap_lab(), random.Random(seed).randint(2, 6)
        yield Ask(f"The frame is mapped {count} times. How many descriptors does its map use?", [0, 1, 2, 3])
        for _ in range(count):
            lab.map()
        yield Answer(len(lab.places()), "a descriptor has places for four entries.")

`course` shows all lessons and exercises with what was done, `course_map` draws them. `look_up` says where the course deals with
a term, a function of the kernel or lines of its source; `glossary` and `source_map` list them all. Reading order: `question`,
`check_question`, `lesson`, `sptes` (what questions measure), the lessons, `course`, `course_map`; `kernel_map`, `glossary`,
`reference`.
"""

from .course import course
from .course_map import course_map
from .reference import glossary, look_up, source_map

__all__ = ["course", "course_map", "glossary", "look_up", "source_map"]
