# SPDX-License-Identifier: GPL-2.0-only
import pytest

from kvmmmu_lab.errors import LabError
from kvmmmu_lab.publish import typesetting


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """An empty cache for each test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("KVMMMU_LAB_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_browser(monkeypatch):
    """A machine without Chromium: these tests are fast. What the browser does is tested in tests/browser."""

    def chromium():
        raise LabError("no browser can be started")

    monkeypatch.setattr(typesetting, "chromium", chromium)
