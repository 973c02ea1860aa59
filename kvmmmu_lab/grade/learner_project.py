# SPDX-License-Identifier: GPL-2.0-only
"""The project file of the learners' kit: what pip needs to install it, without the tools of those who change it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from .. import course_settings, workspace
from ..errors import LabError
from ..files import read_bytes, read_text

NAME = "kvmmmu-lab"
FOR_AUTHORS = ("test", "mutation")
"""The extras that only those need who change the kit."""

EXTRA = re.compile(r"(?:^|\s+and\s+)extra == ['\"]([\w-]+)['\"]$")

TEXT = """\
[build-system]
requires = {requires}
build-backend = "hatchling.build"

[project]
name = "kvmmmu-lab"
version = {version}
description = {description}
readme = "README.md"
requires-python = {python}
license = "GPL-2.0-only"
license-files = ["LICENSE"]
dependencies = {needed}

[project.optional-dependencies]
{extras}

[project.scripts]
kvmmmu-lab = "kvmmmu_lab.cli:main"

[project.entry-points.pytest11]
kvmmmu_lab = "kvmmmu_lab.check.pytest_plugin"

[tool.hatch.build.targets.wheel]
include = ["/kvmmmu_lab", "/notebooks", "/exercises"]
dev-mode-dirs = ["."]

[tool.hatch.build.targets.wheel.sources]
"notebooks" = "kvmmmu_lab/_course/notebooks"
"exercises" = "kvmmmu_lab/_course/exercises"
"""


@dataclass(frozen=True)
class LearnerProject:
    """What the kit needs. ``extras`` are lists of requirements by name."""

    version: str
    description: str
    python: str
    needed: tuple[str, ...]
    extras: dict[str, tuple[str, ...]]

    @property
    def text(self) -> str:
        """The project file."""
        rows = (f"{name} = {_list(needed)}" for name, needed in self.extras.items() if name not in FOR_AUTHORS)
        return TEXT.format(
            requires=_list(["hatchling>=1.27"]),
            version=json.dumps(self.version),
            description=json.dumps(self.description),
            python=json.dumps(self.python),
            needed=_list(self.needed),
            extras="\n".join(rows),
        )


def _list(requirements: Iterable[str]) -> str:
    lines = "".join(f"    {json.dumps(one)},\n" for one in requirements)
    return f"[\n{lines}]"


def learner_project() -> LearnerProject:
    """The project of the kit that runs: from the checkout's project file, or from what pip has installed."""
    path = workspace.PACKAGE.parent / "pyproject.toml"
    if workspace.course_root() == workspace.PACKAGE.parent and path.is_file():
        return _of_checkout(course_settings.parsed(read_text(path), str(path))["project"])
    try:
        return of_metadata(metadata.metadata(NAME))
    except metadata.PackageNotFoundError as error:
        raise LabError(f"the kit is not installed, so it is unknown what it needs: {workspace.install_hint('lab')}") from error


def _of_checkout(project: dict[str, Any]) -> LearnerProject:
    extras = {name: tuple(needed) for name, needed in project["optional-dependencies"].items()}
    needed = tuple(project["dependencies"])
    return LearnerProject(project["version"], project["description"], project["requires-python"], needed, extras)


def of_metadata(found: metadata.PackageMetadata) -> LearnerProject:
    """The project that the metadata of an installed kit describe."""
    needed: list[str] = []
    extras: dict[str, list[str]] = {name: [] for name in found.get_all("Provides-Extra") or ()}
    for requirement in found.get_all("Requires-Dist") or ():
        name, _, marker = requirement.partition(";")
        match = EXTRA.search(marker.strip())
        if match is None:
            needed.append(requirement)
            continue
        rest = marker.strip()[: match.start()].strip()
        rest = rest[1:-1] if rest.startswith("(") and rest.endswith(")") and rest.count("(") == 1 else rest
        extras[match[1]].append(f"{name.strip()}; {rest}" if rest else name.strip())
    lists = {name: tuple(own) for name, own in extras.items()}
    return LearnerProject(found["Version"], found["Summary"], found["Requires-Python"], tuple(needed), lists)


def licence() -> bytes:
    """The text of the licence."""
    path = workspace.PACKAGE.parent / "LICENSE"
    if workspace.course_root() == workspace.PACKAGE.parent and path.is_file():
        return read_bytes(path)
    with_text = metadata.distribution(NAME).read_text("licenses/LICENSE")
    if with_text is None:
        raise LabError(f"the text of the licence is missing: {workspace.install_hint('lab')}")
    return with_text.encode()
