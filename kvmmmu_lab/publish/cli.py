# SPDX-License-Identifier: GPL-2.0-only
"""The commands ``slides`` and ``site``."""

from __future__ import annotations

import argparse
import functools
import time
from pathlib import Path
from typing import Any

from .. import workspace
from ..browser import first_paints, print_pdfs
from ..errors import InputError
from ..live.build import build_live, check_live
from .deck import deck
from .execution import has_outputs, read_notebook
from .links import Links
from .metadata import Metadata, date_text
from .notices import FOUND_PROBLEMS, Notices, report
from .own_css import file_url
from .preview import preview
from .site import LIVE, build
from .slides import heading_anchors
from .template import write
from .typesetting import Typesetter


def slides(args: argparse.Namespace) -> int:
    """Run the command ``slides NOTEBOOK... --out DIR``."""
    if args.title and len(args.notebooks) > 1:
        raise InputError("title", args.title, "no title, since each of several notebooks has its own")
    names = [path.stem for path in args.notebooks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError("notebook", twice, "notebooks with different names, since their decks go into one folder")
    if args.logo is not None:
        file_url(args.logo)  # raises an error if it isn't a picture
    _make_folder(args.out)
    notices = dict[str, Notices]()
    by_name = {path.name: path for path in args.notebooks}

    def export() -> None:
        decks = {name: f"{path.stem}.html" for name, path in by_name.items()}
        links = Links(decks, lambda name: heading_anchors(read_notebook(by_name[name])))
        with Typesetter(args.browser) as typesetter:
            for path in args.notebooks:
                notices[path.name] = _export(path, args, links, typesetter)
        if typesetter.postponed:
            print(f"the decks typeset formulas and compose slides when they are opened: {typesetter.postponed}")
        for pdf in print_pdfs(args.out / name for name in decks.values()) if args.pdf else ():
            print(f"{pdf}  {_size(pdf)}", flush=True)
        _print_report(notices)

    export()
    if args.serve:
        watched = [*args.notebooks, *filter(None, (args.css, args.logo))]
        preview(args.out, watched, export, port=args.port or 0, first=f"{names[0]}.html")
    return _status(args, notices)


def _export(path: Path, args: argparse.Namespace, links: Links, typesetter: Typesetter) -> Notices:
    begin, notices = time.monotonic(), Notices()
    options: dict[str, Any] = {"execute": args.execute, "theme": args.theme, "css": args.css, "code": args.code}
    options |= {"metadata": _metadata(args), "condense": args.condense, "notes": args.notes, "links": links}
    options |= {"notices": notices, "typesetter": typesetter}
    out = write(args.out / f"{path.stem}.html", deck(path, **options))
    print(f"{out}  {_size(out)}, {time.monotonic() - begin:.1f} s", flush=True)
    if not args.execute and not has_outputs(read_notebook(path)):
        print("  the notebook has no outputs, so the slides show none; leave out --no-execute to run it first")
    return notices


def _metadata(args: argparse.Namespace) -> Metadata:
    """Return what the options say about the title slide and the footer."""
    logo = "" if args.logo is None else str(args.logo.resolve())
    texts = {name: getattr(args, name) for name in ("title", "subtitle", "author", "course", "footer")}
    return Metadata(**texts, date=date_text(args.date), logo=logo)


def site(args: argparse.Namespace) -> int:
    """Run the command ``site --out DIR``."""
    if not args.live and (args.pyodide or args.graphviz):
        name = "pyodide" if args.pyodide else "graphviz"
        raise InputError(name, str(getattr(args, name)), "--live beside it: only the live course needs it")
    if args.live:
        check_live(args.pyodide, args.graphviz)  # before the lessons run, which takes minutes
    root = args.folder or workspace.course_root()
    _make_folder(args.out)
    begin, notices = time.monotonic(), dict[str, Notices]()

    def export() -> list[Path]:
        notices.clear()
        with Typesetter(args.browser) as typesetter:
            built = build(
                root,
                args.out,
                execute=args.execute,
                say=lambda line: print(line, flush=True),
                notices=notices,
                typesetter=typesetter,
                live=LIVE if args.live else "",
            )
        if typesetter.postponed:
            print(f"formulas are typeset when a page is opened: {typesetter.postponed}")
        _print_report(notices)
        return built

    pages = export()
    total = sum(path.stat().st_size for path in args.out.rglob("*") if path.is_file())
    print(f"\n{args.out / 'index.html'}: {len(pages)} pages, {total / 1e6:.1f} MB, {time.monotonic() - begin:.0f} s")
    if args.live:
        say = functools.partial(print, flush=True)
        built = build_live(root, args.out / LIVE, pyodide=args.pyodide, graphviz=args.graphviz, say=say, pages="../index.html")
        print(built.summary())
    if args.measure:
        paints = first_paints(pages)
        slowest = max(paints, key=lambda name: paints[name])
        start, worst = paints["index.html"], paints[slowest]
        print(f"first paint, opened as files: start page {start:.0f} ms, slowest page {worst:.0f} ms ({slowest})")
    if args.serve:
        watched = [*(root / "notebooks").glob("*.ipynb"), *(root / "exercises").glob("*/README.md")]
        preview(args.out, watched, export, port=args.port or 0)
    return _status(args, notices)


def _print_report(notices: dict[str, Notices]) -> None:
    text = report(notices)
    if text:
        print(f"\n{text}", flush=True)


def _status(args: argparse.Namespace, notices: dict[str, Notices]) -> int:
    return FOUND_PROBLEMS if args.strict and any(notices.values()) else 0


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("out", str(path), f"a folder that can be created ({error.strerror})") from None


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"
