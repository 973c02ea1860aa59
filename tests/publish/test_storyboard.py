# SPDX-License-Identifier: GPL-2.0-only
"""A film on paper shows its key steps."""

from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import watch
from kvmmmu_lab.publish.storyboard import MAX_STEPS, key_steps


def test_key_steps_are_steps_in_which_something_changes():
    vm = open_guest("lin64_A").vm()
    data = watch(lambda: vm.access(0x343C6000, user=True), vm, [0x343C6000]).data
    steps = [step for chapter in data["chapters"] for step in chapter["steps"]]
    chosen = key_steps(data)
    assert chosen == sorted(set(chosen)) and len(chosen) <= MAX_STEPS and chosen[-1] == len(steps) - 1
    assert sum(bool(steps[number]["changes"]) for number in chosen) >= 3
