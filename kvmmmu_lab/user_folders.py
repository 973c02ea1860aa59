# SPDX-License-Identifier: GPL-2.0-only
"""The user's own folders, at the system's usual places, where other users can't write: data, configuration and cache.

In a browser tab, data and configuration are in the only folder that is kept.

platformdirs is imported when a folder is asked for, so that the engine alone does not need it.
"""

from __future__ import annotations

import os
from pathlib import Path

from .host_platform import HERE

NAME = "kvmmmu-lab"


def data_folder() -> Path:
    """Return the folder for what must not be lost: KVMMMU_LAB_DATA if it is set, otherwise the system's usual place."""
    given = os.environ.get("KVMMMU_LAB_DATA")
    if given:
        return Path(given)
    if HERE.kept:
        return HERE.kept / f".{NAME}"
    import platformdirs

    return platformdirs.user_data_path(NAME, appauthor=False)


def config_folder() -> Path:
    """Return the folder for what the user has chosen."""
    if HERE.kept:
        return HERE.kept / f".{NAME}"
    import platformdirs

    return platformdirs.user_config_path(NAME, appauthor=False)


def cache_folder() -> Path:
    """Return the folder for what can be computed again: KVMMMU_LAB_CACHE if it is set, otherwise the system's usual place."""
    given = os.environ.get("KVMMMU_LAB_CACHE")
    if given:
        return Path(given)
    import platformdirs

    return platformdirs.user_cache_path(NAME, appauthor=False)
