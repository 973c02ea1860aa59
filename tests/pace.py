# SPDX-License-Identifier: GPL-2.0-only
"""Promised times, on a machine that may be slower than the one of the promises, and that may have other work."""

import time

PACE = 0.0045
"""Seconds that a piece of the work in `slowness` takes on the machine for which the times are promised.

Derived from commit d154b95: it checked one more submission of 08 in 0.19 s there, and in 0.27 s where a piece takes 0.0064 s.
"""

PIECES, ROUNDS = 20, 8


def slowness():
    """How many times slower this machine is now than the one for which the times are promised; at least 1.

    The work that it measures has nothing to do with the kit. It takes as long as what is promised, a tenth of a second, and so
    has its share of other work.
    """
    begin, seen = time.perf_counter(), {}
    for number in range(PIECES * 60_000):
        seen[number & 1023] = number, hex(number)
    return max(1, (time.perf_counter() - begin) / PIECES / PACE)


def best(measure, *enough, rounds=ROUNDS):
    """The best of some rounds, as times of the machine of the promises: other work only ever makes a round slower.

    ``measure`` returns the times that one round took. How fast the machine is can change from one second to the next, so it is
    measured before and after each round. A round is the last one if each time is at most that of ``enough`` by then.
    """
    found, before = [], slowness()
    for _ in range(rounds):
        times, after = measure(), slowness()
        found.append([one / (before + after) * 2 for one in times])
        before = after
        least = [min(times) for times in zip(*found, strict=True)]
        if enough and all(time <= limit for time, limit in zip(least, enough, strict=True)):
            break
    return least
