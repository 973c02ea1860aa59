# SPDX-License-Identifier: GPL-2.0-only
"""The program ``kvmmmu-lab``. Each of its commands imports what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .errors import LabError
from .printable import plain_streams, printable_streams

Command = Callable[[str, object, str], argparse.ArgumentParser]
"""A function that adds a command. Its arguments are the command's name, the function that runs it, and a summary."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 2 for a file that can't be read, and, from argparse, for wrong options."""
    with printable_streams():
        return _run(list(sys.argv[1:] if argv is None else argv))


def _run(arguments: list[str]) -> int:
    # `lab` is the default command, since most users want it; its options work without its name
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version")):
        arguments.insert(0, "lab")
    args = _parser().parse_args(arguments)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except LabError as error:
        print(f"kvmmmu-lab: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader of a pipe (`| head`) has closed it; without this, Python would raise again when it flushes standard output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kvmmmu-lab",
        description="A lab for the shadow-paging MMU of KVM in Linux 2.6.22.",
        epilog="The default command is `lab`.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: object, summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        added.set_defaults(run=run)
        return added

    for add_commands in (_lab_commands, _exercise_commands, _class_commands, _publish_commands, _bench_command):
        add_commands(command)
    return parser


class _Version(argparse.Action):
    """Like the action "version", but it finds out the version only if it is asked for, which takes time."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from .workspace import kit_version

        print(f"kvmmmu-lab {kit_version()}")
        parser.exit()


class _Limits(argparse.Action):
    """List the limits on submissions."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from .check.sandbox.limits import LIMITS

        print("Limits on your code during a check. An environment variable sets another value, as in KVMMMU_LAB_TIME=4.\n")
        for limit in LIMITS:
            print(f"{limit.variable:<24} {f'{limit.value:g} {limit.unit}':<24} {limit.on}")
        parser.exit()


def _lab_commands(command: Command) -> None:
    lab = command("lab", _lab, "copy the course to a working folder and open it in JupyterLab")
    lab.add_argument(
        "--folder", type=Path, metavar="DIR", help="the working folder (default: kvmmmu-lab in your home directory)"
    )
    lab.add_argument("--no-browser", action="store_true", help="start JupyterLab without opening a browser")
    lab.add_argument("--port", type=_port, help="the port of JupyterLab (default: 8888, or the next free one)")
    lab.add_argument("--print-only", action="store_true", help="only prepare the working folder and print its path")

    doctor = command("doctor", _doctor, "report what is installed on this machine, what is missing, and how to get it")
    _json_option(doctor)

    source = command("source", _source, "register your copy of the kernel's source, so that films show the lines of each step")
    source.add_argument(
        "folder", nargs="?", type=Path, metavar="DIR", help="Linux 2.6.22, or its drivers/kvm (default: say what is registered)"
    )
    source.add_argument("--forget", action="store_true", help="forget the copy; it stays where it is")

    verify = command("verify", _verify, "compare the engine with data recorded from the kernel's own code and from real guests")
    data = "a golden trace, a guest's page tables, a guest's trace or a permission matrix, such as those in kvmmmu_lab/data"
    verify.add_argument("files", nargs="+", metavar="FILE", help=data)
    verify.add_argument("--audit", action="store_true", help="audit after every operation of a golden trace (slower)")
    verify.add_argument(
        "--without",
        choices=("prewrite", "write-protection"),
        help="replay a guest's trace once more without this mechanism, and show what goes wrong",
    )
    _json_option(verify)


def _exercise_commands(command: Command) -> None:
    check = command("check", _check, "check your solution to an exercise")
    check.add_argument("exercise", help=EXERCISE)
    solution = "a .py file, or an .ipynb with cells tagged 'solution' (default: your file in the working folder)"
    check.add_argument("file", nargs="?", type=Path, metavar="FILE", help=solution)
    _folder_option(check)
    check.add_argument("--all", action="store_true", help="explain every failure, not only the first")
    check.add_argument("--full", action="store_true", help="replay all traces from beginning to end, not only parts of some")
    check.add_argument("--seed", type=int, metavar="N", help="the seed of the random scenarios (default: the course's, or 0)")
    inline = "run your code in this process, for a debugger; the result doesn't count"
    check.add_argument("--inline", action="store_true", help=inline)
    check.add_argument("--limits", action=_Limits, nargs=0, help="list the limits on your code, and how to set them, and exit")
    _json_option(check)

    hint = command("hint", _hint, "show the next of an exercise's three hints")
    hint.add_argument("exercise", help=EXERCISE)
    hint.add_argument("number", nargs="?", type=int, help="show this hint again: 1, 2 or 3")
    _folder_option(hint)

    watch = command("watch", _watch, "check an exercise each time you save it, then continue with the next")
    watch.add_argument("exercise", nargs="?", help="the exercise to begin with (default: the first that isn't solved)")
    _folder_option(watch)

    progress = command("progress", _progress, "show your progress: the predictions that you made, and the exercises you solved")
    _json_option(progress)
    progress.add_argument("--reset", action="store_true", help="forget all progress on this computer, after a question")
    progress.add_argument("--yes", action="store_true", help="with --reset: don't ask")


def _class_commands(command: Command) -> None:
    grade = command("grade", _grade, "grade a folder of submissions, and write a report with every learner's marks")
    submissions = "a folder or a zip: a folder or zip for each learner, or what nbgrader, Gradescope or Moodle made"
    grade.add_argument("submissions", type=Path, metavar="SUBMISSIONS", help=submissions)
    report = "the folder of the report; it also keeps the record, with which the same command goes on where it was"
    grade.add_argument("--out", type=Path, required=True, metavar="REPORT", help=report)
    grade.add_argument("--exercise", action="append", metavar="NAME", help="grade this exercise only; several times for more")
    grade.add_argument("--only", action="append", metavar="LEARNER", help="grade this learner only; several times for more")
    jobs = "how many to judge at a time (default: as many as there are processors)"
    grade.add_argument("--jobs", type=_count, default=0, metavar="N", help=jobs)
    grade.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="the time for one check (default: 15)")
    grade.add_argument("--seed", type=int, metavar="N", help="the seed of the random scenarios (default: the course's, or 0)")
    grade.add_argument("--course", type=Path, metavar="FILE", help=COURSE)
    cluster = "have a Dask cluster judge, whose scheduler is at this address, such as tcp://127.0.0.1:8786"
    grade.add_argument("--scheduler", default="", metavar="ADDRESS", help=cluster)
    grade.add_argument("--regrade", action="store_true", help="judge again what is finished and has not changed")
    _json_option(grade)


    release = command("release", _release, "make the kit that learners get, without the instructor's parts")
    release.add_argument("--out", type=Path, metavar="KIT", help="the folder of the kit: a new or an empty one")
    release.add_argument("--course", type=Path, metavar="FILE", help=COURSE)
    check = "write nothing; list what would leak, with file and line, also from a KIT that is there and was edited"
    release.add_argument("--check", action="store_true", help=check)
    solutions = "a folder with right solutions, whose text must not be in the kit (default: those in the checkout's tests)"
    release.add_argument("--solutions", type=Path, metavar="DIR", help=solutions)
    release.add_argument("--anyway", action="store_true", help="write the kit although something leaks")
    github = "add a workflow that grades what learners push, with the checkers in OWNER/KIT, where you publish the kit"
    release.add_argument("--github", metavar="OWNER/KIT", help=github)
    gradescope = "write an autograder for Gradescope, made of the same kit; it is for you and not for learners"
    release.add_argument("--gradescope", type=Path, metavar="ZIP", help=gradescope)
    example = "print the file of a course, with comments and with the kit's own points, and exit"
    release.add_argument("--example-course", action="store_true", help=example)
    _json_option(release)


def _publish_commands(command: Command) -> None:
    slides = command("slides", _slides, "export notebooks as slides: one self-contained HTML file each, with films that play")
    slides.epilog, slides.formatter_class = IN_A_NOTEBOOK, argparse.RawDescriptionHelpFormatter
    notebooks = "a lesson or any other notebook (.ipynb)"
    slides.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK", help=notebooks)
    slides.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder for the exported files")
    _execute_option(slides, "run the notebooks first (default)")
    slides.add_argument("--code", action=argparse.BooleanOptionalAction, default=True, help="show the code (default)")
    condense = "summarise long texts and cut long outputs; the speaker notes contain the whole texts"
    slides.add_argument("--condense", action="store_true", help=condense)
    pdf = "also make a PDF, a handout: what a browser prints of the slides, with each film as a storyboard"
    slides.add_argument("--pdf", action="store_true", help=pdf)
    slides.add_argument("--notes", action="store_true", help="print the speaker notes too, in the PDF and from a browser")
    _browser_option(slides)
    _strict_option(slides)
    _preview_options(slides, "preview the slides, and export them again when a notebook changes")

    texts = slides.add_argument_group("title slide and footer", FRONT_MATTER)
    texts.add_argument("--title", default="", metavar="TEXT", help="the title (default: the first heading)")
    texts.add_argument("--subtitle", default="", metavar="TEXT", help="a line below the title")
    texts.add_argument("--author", default="", metavar="TEXT", help="who gives the talk")
    texts.add_argument("--course", default="", metavar="TEXT", help="the course, or the institute")
    texts.add_argument("--date", default="", metavar="TEXT", help="the date; `today` is the date of the export")
    texts.add_argument("--footer", default="", metavar="TEXT", help="a short text at the bottom of each slide")
    texts.add_argument("--logo", type=Path, metavar="FILE", help="a picture at the bottom of each slide (.svg, .png, .jpg)")

    look = slides.add_argument_group("look", OWN_LOOK)
    theme = "the colours; auto follows the system (default)"
    look.add_argument("--theme", choices=("auto", "light", "dark"), default="auto", help=theme)
    look.add_argument("--css", type=Path, metavar="FILE", help="your own style sheet, which comes after all other styles")

    site = command("site", _site, "export all lessons and exercises as a website")
    site.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder for index.html and the other pages")
    course = "a folder with notebooks/ and exercises/ (default: the kit's course)"
    site.add_argument("--folder", type=Path, metavar="DIR", help=course)
    _execute_option(site, "run the lessons that have changed (default)")
    site.add_argument("--measure", action="store_true", help="measure how soon each page appears, in a headless Chromium")
    _browser_option(site)
    _strict_option(site)
    live = site.add_argument_group("live in a browser", LIVE)
    live.add_argument("--live", action="store_true", help="make the course run in the reader's browser, too")
    where = "a folder with Pyodide 0.27.7, which is copied, or the address of one (default: the CDN of its makers)"
    live.add_argument("--pyodide", default="", metavar="PATH-OR-URL", help=where)
    package = "the npm package with Graphviz, if you have it already (default: fetch it with npm)"
    live.add_argument("--graphviz", type=Path, metavar="PATH", help=package)
    _preview_options(site, "preview the website, and export it again when a lesson changes")


def _browser_option(command: argparse.ArgumentParser) -> None:
    text = "don't use Chromium to typeset formulas and compose slides: the exported pages do so when they are opened"
    command.add_argument("--no-browser", dest="browser", action="store_false", help=text)


def _strict_option(command: argparse.ArgumentParser) -> None:
    text = "exit with status 3 if anything is shortened, left out or can't be fetched; the report at the end lists it"
    command.add_argument("--strict", action="store_true", help=text)


def _bench_command(command: Command) -> None:
    bench = command("bench", _bench, "measure the speed of the engine, of recordings and of pictures")
    _json_option(bench)


FRONT_MATTER = """\
They take precedence over the metadata of a notebook, and over its front matter:
YAML between two lines `---` in a raw cell at the top."""
"""What `kvmmmu-lab slides --help` says about metadata."""

LIVE = """\
DIR/live becomes a JupyterLab that needs no server of its own: it and Python run in
the reader's browser (the extra `live` of this kit). Any web server can publish DIR,
since all files are static; the pages link to it with "Open live"."""
"""What `kvmmmu-lab site --help` says about the live course."""

OWN_LOOK = """\
A style sheet can set these custom properties of `body`:
  fonts    --sans, --mono
  colours  --page, --ink, --quiet, --line, --soft, --accent, --alarm; for the dark
           theme they are set in `body[data-jp-theme-light="false"]`
  sizes    --title-size, --prose-size, --code-size, --printed-size, --table-size and
           --margin, in cqh: a hundredth of the height of a slide"""
"""What `kvmmmu-lab slides --help` says about style sheets."""

IN_A_NOTEBOOK = """\
in a notebook:
  A heading of level 1 to 3 or a line `---` begins a slide. If the notebook has Jupyter's
  slide types, those of type Slide and Sub-Slide do so as well; Fragment, Skip and Notes
  have their usual meaning. Everything in the notebook is on a slide; what is too long for
  one goes on to the next, with the same title. Comments, which a notebook doesn't show,
  change that:

  <!-- slide: TEXT -->   the slide shows TEXT instead; the speaker notes have the original.
                         Headings and `---` in TEXT are titles and begin slides
  <!-- columns -->       text, code and pictures stand beside each other; they are divided
                         by <!-- column --> or <!-- column 40% -->, and end with
                         <!-- end columns --> or with the slide
  <!-- incremental -->   the items of the following lists appear one after another

  Pandoc's and Quarto's ::: {.columns}, ::: {.column width="40%"}, ::: {.incremental},
  ::: {.fragment} and ::: {.notes} work too. So do a pause (. . .), Quarto's
  callouts (::: {.callout-note}), and the admonitions (```{note}), figures and formulas of
  Jupyter Book.

  Tags of a cell: no-slide, hide-input, hide-output, incremental; show-input (code that
  makes a film has a place of its own); highlight=1-2|4|6-8 (these lines of code, step by
  step; also as the first line of the cell: # highlight: 1-2|4|6-8). Metadata of a cell:
  "slideshow": {"title": "..."} begins a slide with this title.

in a deck:
  Arrow keys, space, Page Down or a clicker go through all steps of films and all slides.
  M  contents and search      S  speaker notes        C  draw on the slide
  J  jump over a film         L  list of its steps    D  light or dark
  O  overview                 F  full screen          ?  all keys
"""
"""What `kvmmmu-lab slides --help` says at its end."""

# Arguments shared by several commands

COURSE = "a course.toml: exercises, points, seed (default: that of the kit; `release --example-course` prints one)"
EXERCISE = "the exercise's name or number: rmap_add, 04"


def _json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _folder_option(parser: argparse.ArgumentParser) -> None:
    default = "the working folder (default: the current folder, or the one that `lab` makes)"
    parser.add_argument("--folder", type=Path, metavar="DIR", help=default)


def _execute_option(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--execute", action=argparse.BooleanOptionalAction, default=True, help=text)


def _preview_options(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--serve", action="store_true", help=text)
    parser.add_argument("--port", type=_port, help="the port of the preview (default: any free one)")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; expected a whole number from 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 1000):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes; expected a whole number from 1 to 1000")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1 << 20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; expected a number of seconds above 0, such as 15")
    return seconds


def _lab(args: argparse.Namespace) -> int:
    from . import workspace

    root = workspace.course_root()
    page = workspace.start_page(root)
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
        print(f"Start page: {prepared.folder.resolve() / page}")
    else:
        from .lessons.course import fill_start_page

        fill_start_page(prepared.folder)
        with plain_streams():
            workspace.open_lab(prepared.folder, page, browser=not args.no_browser, port=args.port)
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from . import doctor

    return doctor.run(as_json=args.json)


def _source(args: argparse.Namespace) -> int:
    from . import kernel_source

    return kernel_source.run(args.folder, args.forget)


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


def _progress(args: argparse.Namespace) -> int:
    from .lessons.cli import progress

    return progress(args)


def _slides(args: argparse.Namespace) -> int:
    from .publish import cli

    return cli.slides(args)


def _site(args: argparse.Namespace) -> int:
    from .publish import cli

    return cli.site(args)


def _grade(args: argparse.Namespace) -> int:
    from .grade import cli

    return cli.grade(args)


def _release(args: argparse.Namespace) -> int:
    from .grade import cli

    return cli.release(args)


def _bench(args: argparse.Namespace) -> int:
    from . import bench

    return bench.run(json=args.json)
