# SPDX-License-Identifier: GPL-2.0-only
import pytest

from kvmmmu_lab.check.sandbox.forkserver import Nursery


@pytest.fixture(scope="session")
def nursery():
    """One process from which all workers are forked."""
    with Nursery() as shared:
        yield shared
