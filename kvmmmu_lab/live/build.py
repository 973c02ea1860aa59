# SPDX-License-Identifier: GPL-2.0-only
"""Put the live course together: JupyterLite, the course, the wheels, Graphviz, and Pyodide or its address."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ..errors import InputError, LabError
from ..files import open_regular, read_bytes, read_text, reading
from ..user_folders import NAME
from ..workspace import MANIFEST, START, fingerprint, start_page
from . import versions
from .lite import APP_NAME, app_version, build_lite, check_installed, put_course
from .lock import LOCK, Entry, entry, missing, needed, pyodide_packages, read_lock
from .start_page import code_of
from .wheels import fetch_graphviz, fetch_wheels, kit_wheel

RUNTIME, PROGRESS, SERVICE_WORKER, DRAWING = "runtime.js", "progress.js", "service-worker.js", "graphviz.js"
KEPT_FILES, LAB_PAGE = "kept_files.js", "lab_page.js"
EARLY_KERNEL, EARLY_KERNEL_WORKER = "early_kernel.js", "early_kernel_worker.js"
KEPT_PYTHON, MEMORY_WORKER = "kept_python.js", "memory_worker.js"
PAGE = (EARLY_KERNEL, KEPT_FILES, PROGRESS, LAB_PAGE)
"""The scripts of JupyterLab's page, in their order."""

JUDGE = ("judge_host.js", "judge_worker.js")
"""The scripts with which `kvmmmu_lab.check` runs submissions in workers of their own."""

KERNEL_FILES = "extensions/@jupyterlite/pyodide-kernel-extension/static/pypi"
"""Where the kernel's extension has the wheels of the kernel."""


@dataclass
class LiveSite:
    """A live course that was built. ``hosts`` maps each other host that a reader's browser asks to what it gets there."""

    folder: Path
    hosts: dict[str, str]
    first_bytes: int
    """What a reader's first lesson needs, without JupyterLab itself; not compressed."""

    @property
    def size(self) -> int:
        """The size of all files, in bytes."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def summary(self) -> str:
        """Say what the site is and what it fetches from where."""
        lines = [f"{self.folder / 'index.html'}: the course live, {self.size / 1e6:.1f} MB"]
        own = ["JupyterLab", "the course", "the kit and its wheels", "Graphviz", *([] if self.hosts else ["Pyodide"])]
        lines.append(f"  from its own server: {', '.join(own)}")
        lines += [f"  from {host}: {what}" for host, what in self.hosts.items()]
        count = len(self.hosts)
        hosts = f"{count} other host{'' if count == 1 else 's'}"
        lines.append(f"  {hosts}; the first lesson loads {self.first_bytes / 1e6:.0f} MB of Python")
        lines.append("  browsers run it only from an https: address or from localhost, not from another http: address")
        return "\n".join(lines)


def check_live(pyodide: str = "", graphviz: Path | None = None) -> None:
    """Raise LabError if something that `build_live` needs is missing, InputError if an argument can't be used."""
    check_installed()
    Pyodide.at(pyodide)
    graphviz_script(graphviz or fetch_graphviz())


def build_live(
    root: Path,
    out: Path,
    *,
    pyodide: str = "",
    graphviz: Path | None = None,
    say: Callable[[str], object] = lambda line: None,
    pages: str = "",
) -> LiveSite:
    """Build the live course of ``root`` in the folder ``out``, which is emptied first.

    ``pyodide`` is a folder with Pyodide, which is copied, or the address of one; the default is its makers' own. ``graphviz``
    is the npm package with Graphviz: its archive, its folder or the index.js in it; the default is to fetch it with npm.
    ``pages`` is the address of the pages to which the course links back, relative to ``out``.
    Raises LabError if something is missing or can't be fetched, InputError if an argument can't be used.
    """
    check_installed()
    out = out.absolute()  # JupyterLite is built in another working folder
    python = Pyodide.at(pyodide)
    drawing = graphviz_script(graphviz or fetch_graphviz())
    say("  fetching wheels")
    wheels = fetch_wheels(versions.WHEELS)
    front_ends = fetch_wheels(versions.FRONT_ENDS)
    if out.exists():
        _remove(out)
    with tempfile.TemporaryDirectory(prefix="kvmmmu-lab-live-") as temporary:
        work = Path(temporary)
        kit = kit_wheel(work)
        (work / "lite").mkdir()
        names = put_course(root, work / "lite" / "course")
        course = {name: read_bytes(work / "lite" / "course" / name) for name in names}
        of_wheels = [read_bytes(path) for path in [kit, *wheels.values(), *front_ends.values()]]
        build = _digest([*python.names(), drawing, *of_wheels, *course.values(), *_scripts()])
        say("  building JupyterLite")
        build_lite(work / "lite", work / "lite" / "course", list(front_ends.values()), out, f"./static/{build}/{RUNTIME}")
        site = _Site(out, build, python, course, start_page(root), pages)
        site.put_packages(drawing, {versions.KIT: kit, **wheels})
    site.put_listing()
    site.put_scripts()
    site.change_pages()
    return site.built()


@dataclass(frozen=True)
class Pyodide:
    """Where the course's Python comes from: a folder that is copied into the site, or else an address."""

    folder: Path | None
    base: str
    """Its address: whole, or relative to the root of the live course."""

    packages: Mapping[str, Entry]
    """Those of the folder."""

    @classmethod
    def at(cls, place: str) -> Pyodide:
        """Return that of a folder or an address; its makers' own if ``place`` is empty. Raises InputError."""
        if not place or re.match(r"https?://", place):
            return cls(None, (place or versions.PYODIDE_URL).rstrip("/") + "/", {})
        return cls(Path(place), "static/pyodide/", pyodide_packages(Path(place)))

    def names(self) -> list[bytes]:
        """What tells this one from others."""
        return [self.base.encode(), *(name.encode() for name in sorted(self.packages))]

    def put(self, out: Path, names: Iterable[str]) -> None:
        """Copy the folder with these of its packages. Its lock file lists no others, so that nothing else is asked for."""
        source = self.folder
        if source is None:
            return
        out.mkdir(parents=True)
        lock = read_lock(source)
        packages = {name: lock["packages"][name] for name in sorted(names)}
        lost = [one["file_name"] for one in packages.values() if not (source / one["file_name"]).is_file()]
        if lost:
            raise InputError("pyodide", str(source), f"a folder with {', '.join(lost)}, which its {LOCK} names")
        for name in [*versions.CORE, *(one["file_name"] for one in packages.values())]:
            shutil.copyfile(source / name, out / name)
        (out / LOCK).write_text(json.dumps({**lock, "packages": packages}), "utf-8")


class _Site:
    """A JupyterLite in the folder ``out`` that becomes a live course. ``course`` has its files, ``start`` is its first page.

    ``pages``: see `build_live`.
    """

    def __init__(self, out: Path, build: str, python: Pyodide, course: Mapping[str, bytes], start: str, pages: str) -> None:
        self.out, self.python, self.course, self.start, self.pages = out, python, course, start, pages
        self.build, self.folder = build, f"static/{build}"
        self.place = out / self.folder
        self.ours = dict[str, Entry]()

    def put_packages(self, drawing: bytes, wheels: Mapping[str, Path]) -> None:
        """Put Graphviz, Pyodide and the wheels into the site: the kit's, and those that pip would fetch for it."""
        self.place.mkdir(parents=True)
        (self.place / DRAWING).write_bytes(drawing)
        self.ours = self._put_wheels(wheels)
        lost = missing(self.packages, versions.FIRST) if self.python.folder is not None else []
        if lost:
            raise InputError("pyodide", str(self.python.folder), f"a Pyodide with {', '.join(lost)}, which the course needs")
        used = needed(self.packages, [*versions.FIRST, *self.later])
        self.python.put(self.out / self.python.base, used.keys() & self.python.packages.keys() - self.ours.keys())

    def _put_wheels(self, wheels: Mapping[str, Path]) -> dict[str, Entry]:
        """Return the entries of the lock file for these wheels and for the kernel's own."""
        needs = {wheel.name: wheel.needs for wheel in versions.WHEELS} | {versions.KIT: versions.KIT_NEEDS}
        entries = {}
        for name, path in wheels.items():
            shutil.copyfile(path, self.place / path.name)
            entries[name] = entry(path, f"{self.folder}/{path.name}", name, needs[name])
        for name, kernel_needs in versions.KERNEL_WHEELS.items():
            found = next(iter(sorted((self.out / KERNEL_FILES).glob(f"{name.replace('-', '_')}-*.whl"))), None)
            if found is None:
                raise LabError(f"the wheel of jupyterlite-pyodide-kernel has no {name}; its version must be that of `versions`")
            entries[name] = entry(found, f"{KERNEL_FILES}/{found.name}", name, kernel_needs)
        return entries

    @property
    def packages(self) -> dict[str, Entry]:
        """All that are known here; ours replace Pyodide's."""
        return {**self.python.packages, **self.ours}

    @property
    def later(self) -> list[str]:
        """The packages that only some cells need."""
        return [name for name in versions.LATER if self.python.folder is None or name in self.python.packages]

    def _with_needs(self, names: Iterable[str]) -> list[str]:
        """These packages with all that they need, if that is known here; else Pyodide finds it out."""
        return list(names) if self.python.folder is None else list(needed(self.packages, names))

    def put_listing(self) -> None:
        """Put an empty listing for the folder of the learner's progress, which JupyterLab looks for on the server, too."""
        listing = self.out / "api" / "contents" / f".{NAME}" / "all.json"
        listing.parent.mkdir(parents=True, exist_ok=True)
        listing.write_text(json.dumps({"content": []}), "utf-8")

    def put_scripts(self) -> None:
        """Put our scripts into the site, each with what it has to know."""
        build = self.build
        if self.python.folder is not None:
            python_build = _digest([read_bytes(self.out / self.python.base / LOCK)])
        else:
            python_build = versions.PYODIDE
        common = {"build": build, "folder": f"{self.folder}/", "pyodide": self.python.base, "pyodideBuild": python_build}
        sizes, unknown = self.first_files()
        later = {name: versions.LATER[name] for name in self.later}
        start = self.course.get(START)
        fingerprints = {name: fingerprint(name, content) for name, content in self.course.items()}
        known: dict[str, dict[str, Any]] = {
            RUNTIME: {"packages": self.ours, "first": self._with_needs(versions.FIRST), "later": later},
            PROGRESS: {"sizes": sizes, "unknown": unknown, "rest": self.rest(), "appVersion": app_version(self.out)},
            KEPT_FILES: {"course": fingerprints, "record": MANIFEST},
            **{name: {} for name in (EARLY_KERNEL, EARLY_KERNEL_WORKER, KEPT_PYTHON, MEMORY_WORKER)},
            LAB_PAGE: {
                "name": APP_NAME,
                "start": START,
                "startCells": code_of(start) if start is not None else [],
                "pages": self.pages,
            },
            **{name: {"judge": self._with_needs([versions.KIT])} for name in JUDGE},
        }
        for name, settings in known.items():
            _script(self.place / name, {**common, **settings})
        own = self.out / SERVICE_WORKER
        _script(own, common, "service_worker.js", after=read_text(own))

    def first_files(self) -> tuple[dict[str, int], int]:
        """Return the sizes of the files that the first lesson needs, the largest first, and the size of what isn't known."""
        base, packages = self.python.base, needed(self.packages, versions.FIRST)
        addresses = [one["file_name"] if name in self.ours else f"{base}{one['file_name']}" for name, one in packages.items()]
        addresses += [f"{self.folder}/{DRAWING}", *(f"{base}{name}" for name in versions.CORE)]
        sizes = {name: (self.out / name).stat().st_size if "://" not in name else 0 for name in addresses}
        order = sorted(sizes, key=lambda name: (not name.endswith((LOCK, "pyodide.js")), -sizes[name]))
        return {name: sizes[name] for name in order}, versions.PYODIDE_BYTES if self.python.folder is None else 0

    def rest(self) -> list[str]:
        """The addresses of what is fetched once the first lesson runs, for other lessons and for a visit without a network."""
        listings = sorted(path.relative_to(self.out).as_posix() for path in (self.out / "api" / "contents").rglob("all.json"))
        found = [*(f"files/{name}" for name in self.course), *listings]
        if self.python.folder is not None:
            later = (f"{self.python.base}{one['file_name']}" for one in needed(self.packages, self.later).values())
            found += [name for name in later if (self.out / name).is_file()]
        return [*found, *(f"{self.folder}/{name}" for name in (EARLY_KERNEL_WORKER, KEPT_PYTHON, *JUDGE))]

    def change_pages(self) -> None:
        """Put our scripts into JupyterLab's page, and lead from the page of the folder to the course's start page."""
        # before the scripts of the page, which so wait for them
        scripts = "".join(f'\n    <script src="../{self.folder}/{name}"></script>' for name in PAGE)
        _replace(self.out / "lab" / "index.html", "<head>", f"<head>{scripts}")
        icon = '<link rel="icon" href="../icon-120x120.png" />'
        _replace(self.out / "lab" / "index.html", "<title>JupyterLite</title>", f"<title>{APP_NAME}</title>\n    {icon}")
        # the page of the folder leads to JupyterLab, with no notebook; its other contents JupyterLab reads
        start = f"location.replace('lab/index.html?path={quote(self.start)}')"
        _replace(self.out / "index.html", "await import('./config-utils.js')", start)

    def built(self) -> LiveSite:
        """Say what was built."""
        base = self.python.base
        host = urlsplit(base).netloc
        hosts = {host: f"Pyodide {versions.PYODIDE} with its packages, from {base}"} if host else {}
        sizes, unknown = self.first_files()
        return LiveSite(self.out, hosts, sum(sizes.values()) + unknown)


def graphviz_script(path: Path) -> bytes:
    """Return the script with Graphviz from an npm package: its archive (.tgz), its folder, or the index.js in it."""
    expected = f"the npm package {versions.GRAPHVIZ} (.tgz), its folder, or the index.js in it"
    script = path
    if path.is_dir():
        found = [one for one in (path / "dist" / "index.js", path / "package" / "dist" / "index.js") if one.is_file()]
        if not found:
            raise InputError("graphviz", str(path), expected)
        script = found[0]
    if script.suffix in (".tgz", ".gz"):
        with open_regular(script) as file, reading(script, expected), tarfile.open(fileobj=file) as archive:
            member = archive.extractfile("package/dist/index.js")
            assert member is not None
            content = member.read()
    else:
        content = read_bytes(script)
    if b"Graphviz" not in content:
        raise InputError("graphviz", str(path), expected)
    return re.sub(rb"(?m)^//# sourceMappingURL=.*$", b"", content)


def _remove(out: Path) -> None:
    """Remove an earlier live course, and nothing else."""
    if any(out.iterdir()) and not (out / "jupyter-lite.json").is_file():
        raise InputError("out", str(out), "an empty folder, or one with a live course, which is replaced")
    shutil.rmtree(out)


def _scripts() -> list[bytes]:
    names = ("store.js", RUNTIME, EARLY_KERNEL_WORKER, KEPT_PYTHON, MEMORY_WORKER, *PAGE, "service_worker.js", *JUDGE)
    return [_own(name).encode() for name in names]


def _own(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _script(path: Path, settings: dict[str, Any], name: str = "", after: str = "") -> None:
    """Write a script of ours, with what it has to know before it and another script after it."""
    text = f"self.kvmmmuSettings = {json.dumps(settings, sort_keys=True)};\n"
    path.write_text("\n".join([text, _own("store.js"), _own(name or path.name), after]), "utf-8")


def _replace(page: Path, old: str, new: str) -> None:
    text = read_text(page)
    if text.count(old) != 1:
        raise LabError(f"{page} has no {old}; this JupyterLite is not of the version that the kit needs")
    page.write_text(text.replace(old, new), "utf-8")


def _digest(parts: Iterable[bytes]) -> str:
    """Return a name for what was built from these parts."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:12]
