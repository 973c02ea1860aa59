# SPDX-License-Identifier: GPL-2.0-only
"""Replay the traces of real guests on the engine: to compare, to count, and to stop at a moment.

`trace_replay` replays a trace event by event. `timeline` counts what happens on the way, `wrong_accesses` finds what goes wrong
when one of the `mechanisms` is missing, and `trace_moments` names moments at which a replay can stop.
"""
