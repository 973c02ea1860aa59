# SPDX-License-Identifier: GPL-2.0-only
"""The command ``kvmmmu-lab``. Thin: each command loads what it needs when it is chosen."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .errors import LabError

Command = Callable[[str, object, str], argparse.ArgumentParser]
"""Adds a command: its name, what runs it, and a summary."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status (2 for a wrong command line, as argparse exits)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # `lab` is what most people want: no command means that one, and its options work without its name
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version")):
        arguments.insert(0, "lab")
    args = _parser().parse_args(arguments)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except LabError as error:
        print(f"kvmmmu-lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader (`| head`) has gone; Python would complain once more when it closes standard output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


def _parser() -> argparse.ArgumentParser:
    from .workspace import kit_version

    parser = argparse.ArgumentParser(
        prog="kvmmmu-lab",
        description="A lab for the shadow-paging MMU of KVM in Linux 2.6.22.",
        epilog="Without a command: lab.",
    )
    parser.add_argument("--version", action="version", version=f"kvmmmu-lab {kit_version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: object, summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        added.set_defaults(run=run)
        return added

    for add in (_working, _exercises, _publishing, _measuring):
        add(command)
    return parser


def _working(command: Command) -> None:
    lab = command("lab", _lab, "copy the course into a working folder and open lesson 0 in JupyterLab")
    lab.add_argument("--folder", type=Path, help="the working folder (default: kvmmmu-lab in your home directory)")
    lab.add_argument("--no-browser", action="store_true", help="start JupyterLab, but no browser")
    lab.add_argument("--port", type=_port, help="the port JupyterLab listens on (default: 8888 or the next free one)")
    lab.add_argument("--print-only", action="store_true", help="make the folder ready and say so, no more")

    doctor = command("doctor", _doctor, "say what is here, what is missing, what that costs and how to get it")
    doctor.add_argument("--json", action="store_true", help="the same report for programs")

    verify = command("verify", _verify, "compare the engine with traces of the kernel's own code and of real guests")
    known = "a trace, guest or matrix (the kit has some in kvmmmu_lab/data); its content says which"
    verify.add_argument("files", nargs="+", metavar="FILE", help=known)
    verify.add_argument("--json", action="store_true", help="the same report for programs")
    verify.add_argument("--audit", action="store_true", help="audit after every operation, which is slower")
    verify.add_argument(
        "--without",
        choices=("prewrite", "write-protection"),
        help="replay a guest's trace once more with one mechanism off, and say what goes wrong then",
    )


def _exercises(command: Command) -> None:
    check = command("check", _check, "check an exercise: your file in the working folder, or another")
    check.add_argument("exercise", help="its name or number: rmap_add, 04")
    check.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a .py, or an .ipynb with cells tagged 'solution'")
    check.add_argument("--folder", type=Path, help="the working folder (default: this one, or that of `lab`)")
    check.add_argument("--all", action="store_true", help="tell all of each rule that doesn't hold, not only of the first")
    check.add_argument("--full", action="store_true", help="replay all traces that fit, not only chosen stretches")
    check.add_argument("--seed", type=int, default=0, help="another seed for the random part")
    check.add_argument("--json", action="store_true", help="the report for programs")
    check.add_argument("--inline", action="store_true", help="in this process, for a debugger; it does not count")

    hint = command("hint", _hint, "give the next of an exercise's three hints")
    hint.add_argument("exercise", help="its name or number")
    hint.add_argument("number", nargs="?", type=int, help="an earlier one once more: 1, 2 or 3")
    hint.add_argument("--folder", type=Path, help="the working folder (default: this one, or that of `lab`)")

    watch = command("watch", _watch, "check the exercise at hand on each save")
    watch.add_argument("exercise", nargs="?", help="begin with this one (default: the first that isn't solved)")
    watch.add_argument("--folder", type=Path, help="the working folder (default: this one, or that of `lab`)")


def _publishing(command: Command) -> None:
    slides = command("slides", _slides, "make slides of notebooks: one HTML file each that needs nothing, films and all")
    slides.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK", help="an .ipynb, of the course or your own")
    slides.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder for NAME.html")
    onoff = argparse.BooleanOptionalAction
    slides.add_argument("--execute", action=onoff, default=True, help="run the notebook first (default)")
    slides.add_argument("--theme", choices=("auto", "light", "dark"), default="auto", help="default: as the system says")
    slides.add_argument("--title", default="", help="another title than the first heading")
    slides.add_argument("--no-code", dest="code", action="store_false", help="leave the code out")
    slides.add_argument("--pdf", action="store_true", help="make NAME.pdf as well, with each film as a strip of its key steps")
    slides.add_argument("--serve", action="store_true", help="show it in a preview that follows the notebook")
    slides.add_argument("--port", type=_port, help="the preview's port (default: a free one)")

    site = command("site", _site, "make pages of all lessons and exercises, for a web server or a folder")
    site.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder for index.html and the other pages")
    site.add_argument("--folder", type=Path, help="a folder with notebooks/ and exercises/ (default: the kit's course)")
    site.add_argument("--execute", action=onoff, default=True, help="run lessons that changed (default)")
    site.add_argument("--measure", action="store_true", help="say how soon each page shows, in a headless Chromium")
    site.add_argument("--serve", action="store_true", help="show it in a preview that follows the lessons")
    site.add_argument("--port", type=_port, help="the preview's port (default: a free one)")


def _measuring(command: Command) -> None:
    bench = command("bench", _bench, "time the engine (faults, page-table writes, replay, import), recordings and pictures")
    bench.add_argument("--json", action="store_true", help="the same figures for programs")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; expected a whole number from 1 to 65535")
    return int(text)


def _lab(args: argparse.Namespace) -> int:
    from . import workspace

    root = workspace.course_root()
    lesson = workspace.first_lesson(root)
    prepared = workspace.prepare(args.folder or workspace.default_folder(), root)
    print(f"Your working folder: {prepared.folder.resolve()}")
    for count, what in (
        (len(prepared.new), f"copied from the course at {root}"),
        (len(prepared.updated), "brought up to date (you had not edited them)"),
        (len(prepared.kept), "left alone, since you edited them"),
    ):
        if count:
            print(f"  {count:3} {what}")
    for name in prepared.beside:
        print(f"      {name}: the course's newer version of a file that you edited")
    if args.print_only:
        print(f"Lesson 0: {prepared.folder.resolve() / lesson}")
    else:
        workspace.open_lab(prepared.folder, lesson, browser=not args.no_browser, port=args.port)
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from . import doctor

    return doctor.run(as_json=args.json)


def _verify(args: argparse.Namespace) -> int:
    from .verify.cli import run

    return run(args)


def _check(args: argparse.Namespace) -> int:
    from .check import cli

    return cli.check(args)


def _hint(args: argparse.Namespace) -> int:
    from .check import cli

    return cli.hint(args)


def _watch(args: argparse.Namespace) -> int:
    from .check import cli

    return cli.watch(args)


def _slides(args: argparse.Namespace) -> int:
    from .publish import cli

    return cli.slides(args)


def _site(args: argparse.Namespace) -> int:
    from .publish import cli

    return cli.site(args)


def _bench(args: argparse.Namespace) -> int:
    from . import bench

    return bench.run(json=args.json)
