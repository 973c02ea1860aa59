# SPDX-License-Identifier: GPL-2.0-only
import pytest

from kvmmmu_lab.check.sandbox.forkserver import ForkServer


@pytest.fixture(scope="session")
def server():
    """One process from which all workers are forked."""
    with ForkServer() as shared:
        yield shared
