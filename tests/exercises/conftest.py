# SPDX-License-Identifier: GPL-2.0-only
import pytest

from kvmmmu_lab.check.sandbox.forkserver import ForkServer

from .checking import unwalled_server


@pytest.fixture(scope="session")
def server():
    """One process from which all workers are forked."""
    with ForkServer() as shared:
        yield shared


@pytest.fixture(scope="session")
def unwalled():
    """Like `server`, but on a machine without bubblewrap: a worker takes half the time, and honest solutions need no wall."""
    with unwalled_server() as shared:
        yield shared
