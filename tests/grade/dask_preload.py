# SPDX-License-Identifier: GPL-2.0-only
"""What tests load into a Dask worker (``--preload``): processes that end at one hand-in, or that are not kept for long."""

import os
import signal

from kvmmmu_lab.grade import dask_worker, worker_pool

WHO = os.environ.get("KVMMMU_LAB_TEST_DEADLY")


class Deadly(worker_pool._PoolWorker):
    """A worker that is killed when it gets the hand-in of the learner "deadly"; or its Dask worker is."""

    def give(self, job):
        super().give(job)
        if job.hand_in.learner == "deadly":
            while not self.ready:
                self.receive()
            os.kill(os.getpid() if WHO == "Dask worker" else self.pid, signal.SIGKILL)


if WHO:
    worker_pool._PoolWorker = Deadly
dask_worker.IDLE = float(os.environ.get("KVMMMU_LAB_TEST_IDLE", dask_worker.IDLE))
