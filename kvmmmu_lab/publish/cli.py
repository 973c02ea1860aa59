# SPDX-License-Identifier: GPL-2.0-only
"""The commands ``slides`` and ``site``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from .. import workspace
from ..browser import first_paints, print_pdf
from ..errors import InputError
from .deck import deck
from .execution import has_outputs, read_notebook
from .preview import preview
from .site import build
from .template import write


def slides(args: argparse.Namespace) -> int:
    """Run the command ``slides NOTEBOOK... --out DIR``."""
    if args.title and len(args.notebooks) > 1:
        raise InputError("title", args.title, "no title, since each of several notebooks has its own")
    names = [path.stem for path in args.notebooks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError("notebook", twice, "notebooks with different names, since their decks go into one folder")
    _make_folder(args.out)

    def export() -> None:
        for path in args.notebooks:
            _export(path, args, {f"{name}.ipynb": f"{name}.html" for name in names})

    export()
    if args.serve:
        preview(args.out, args.notebooks, export, port=args.port or 0, first=f"{names[0]}.html")
    return 0


def _export(path: Path, args: argparse.Namespace, links: dict[str, str]) -> None:
    begin = time.monotonic()
    options = {"execute": args.execute, "theme": args.theme, "title": args.title, "code": args.code, "links": links}
    out = write(args.out / f"{path.stem}.html", deck(path, **options))
    print(f"{out}  {_size(out)}, {time.monotonic() - begin:.1f} s", flush=True)
    if not args.execute and not has_outputs(read_notebook(path)):
        print("  the notebook has no outputs, so the slides show none; leave out --no-execute to run it first")
    if args.pdf:
        begin = time.monotonic()
        pdf = out.with_suffix(".pdf")
        theme = "light" if args.theme == "auto" else args.theme
        print_pdf(deck(path, **{**options, "theme": theme}, paper=True), pdf, args.out)
        print(f"{pdf}  {_size(pdf)}, {time.monotonic() - begin:.1f} s", flush=True)


def site(args: argparse.Namespace) -> int:
    """Run the command ``site --out DIR``."""
    root = args.folder or workspace.course_root()
    _make_folder(args.out)
    begin = time.monotonic()

    def export() -> list[Path]:
        return build(root, args.out, execute=args.execute, say=lambda line: print(line, flush=True))

    pages = export()
    total = sum(path.stat().st_size for path in args.out.rglob("*") if path.is_file())
    print(f"\n{args.out / 'index.html'}: {len(pages)} pages, {total / 1e6:.1f} MB, {time.monotonic() - begin:.0f} s")
    if args.measure:
        paints = first_paints(pages)
        slowest = max(paints, key=lambda name: paints[name])
        start, worst = paints["index.html"], paints[slowest]
        print(f"first paint, opened as files: start page {start:.0f} ms, slowest page {worst:.0f} ms ({slowest})")
    if args.serve:
        watched = [*(root / "notebooks").glob("*.ipynb"), *(root / "exercises").glob("*/README.md")]
        preview(args.out, watched, export, port=args.port or 0)
    return 0


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("out", str(path), f"a folder that can be created ({error.strerror})") from None


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"
