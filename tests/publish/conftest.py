# SPDX-License-Identifier: GPL-2.0-only
import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """An empty cache for each test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("KVMMMU_LAB_CACHE", str(folder))
    return folder
