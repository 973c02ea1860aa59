# SPDX-License-Identifier: GPL-2.0-only
"""The class: grades a folder of submissions with the checker's judge, and keeps every mark in one record.

`grading_run` takes the hand-ins of a `collection`, leaves out what the `record` says is finished, gives the rest to a
`scheduler`, and puts each mark into the record as it is ready. There are three schedulers: `serial`; a `worker_pool`, whose
workers a `nursery` forks; and a `cluster`, with such pools in each `dask_worker` and the same `kit_copy` on each machine. In a
worker, a `grader` turns a `hand_in` into a `mark`. The `views` are made from the record alone.

A `release` is the kit that learners get; `leaks` finds what is not for them in it.
"""
