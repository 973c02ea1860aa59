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
def server_without_wall():
    """Like `server`, but the workers have no wall: it takes half of their time, and honest solutions don't need it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")  # bubblewrap isn't found
        server = ForkServer()
    with server:
        yield server


@pytest.fixture(scope="session")
def unwalled():
    """The same on a machine without bubblewrap."""
    with unwalled_server() as shared:
        yield shared
