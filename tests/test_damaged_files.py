# SPDX-License-Identifier: GPL-2.0-only
"""Thousands of damaged files of every kind: each is read, or refused in one sentence; memory stays bounded."""

import gzip
import io
import json
import random
import subprocess
import sys
import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pytest

from kvmmmu_lab import course_settings, kernel_source, workspace
from kvmmmu_lab.check import submission
from kvmmmu_lab.check.answers import KnownAnswers
from kvmmmu_lab.data import HERE, golden_trace, open_guest
from kvmmmu_lab.errors import LabError
from kvmmmu_lab.exercises import find
from kvmmmu_lab.mmu import Vm
from kvmmmu_lab.player.film import film
from kvmmmu_lab.player.page import film_html, read_film, still_svg
from kvmmmu_lab.progress import Progress
from kvmmmu_lab.publish.deck import deck
from kvmmmu_lab.publish.execution import read_notebook
from kvmmmu_lab.recording import load, record
from kvmmmu_lab.verify import verify_file

resource = pytest.importorskip("resource", reason="limits of POSIX")

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import damage  # noqa: E402
from share import one_in  # noqa: E402

MEGABYTE = 1 << 20
EXTRA = 256 * MEGABYTE
"""How much memory reading a damaged file may take, in addition to what the process needs anyway."""

SECONDS = 20
"""How long reading a damaged file may take."""


@dataclass
class Kind:
    """A kind of file: its name, the content of a right one, how it is damaged, and how it is read."""

    name: str
    content: bytes
    damaged: object
    read: object
    weight: int = 1


def npz(**arrays):
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def small_golden():
    lines = gzip.decompress(golden_trace("rmap").read_bytes()).splitlines(keepends=True)
    end = next(number for number, line in enumerate(lines) if line.startswith(b'{"t":"end"'))
    kept = [line for line in lines[: min(end, 25)] if not line.startswith(b'{"t":"state"')]
    return gzip.compress(b"".join([*kept, lines[end]]))


def small_guest():
    """Two leaf entries of a real guest, and the tables that lead there."""
    guest = open_guest("lin32_early3_pg")
    arrays = {name: getattr(guest, name)[:4] for name in vars(guest) if name.startswith(("tlb_", "mem_", "probe_"))}
    tables = {"roots": guest.roots, "frame_pfn": guest.gfns[:3], "frame_data": guest.pages[:3]}
    return npz(meta=np.array(json.dumps(guest.meta)), **tables, **arrays)


def small_trace():
    with np.load(HERE / "traces" / "lin32_20k.npz") as held:
        arrays = dict(held)
    first = int(np.argmax(arrays["type"] == 2)) + 40
    events = {name: arrays[name][:first] for name in ("type", "flag", "a", "b")}
    return npz(meta=arrays["meta"], images=arrays["images"][:200], **events)


def small_matrix():
    return npz(mode=np.array("32"), result=np.where(np.arange(1 << 16) == 77, 0x8000, 0).astype("<u2"))


def recorded():
    vm = Vm([(0, 64)])
    with record(vm) as recording:
        for gpa in (0x1000, 0x5000):
            vm.access(gpa, write=True, value=7, size=4)
    return recording


def saved(recording, folder):
    return recording.save(folder / "recorded.npz").read_bytes()


def notebook(html):
    output = nbformat.v4.new_output("display_data", {"text/html": html, "text/plain": "a film"})
    printed = nbformat.v4.new_output("stream", text="some \x1b[1mtext\n")
    stub = (find("rmap_add", workspace.course_root()).folder / "rmap_add.py").read_text()
    book, slide = nbformat.v4.new_notebook(), {"slideshow": {"slide_type": "slide"}}
    book.cells = [
        nbformat.v4.new_markdown_cell("# A talk\n\nSome *text*, $x^2$, ![a](x.png).", metadata=slide),
        nbformat.v4.new_code_cell("print(1)", outputs=[printed], metadata={"tags": ["question"]}),
        nbformat.v4.new_code_cell(f"%time\n{stub}", outputs=[output], metadata={"tags": ["solution"]}),
    ]
    return json.dumps(book).encode()


def use_recording(path):
    found = load(path)
    for step in found:
        str(step), step.place
    film(found).data  # noqa: B018


def use_film(path):
    found = read_film(path.read_text("utf-8", "replace"))
    if found is not None:
        still_svg(found.data)


def use_progress(path):
    kept = Progress(path.parent)
    kept.points("walk", 3)
    assert Progress(path.parent).get("walk", "best") >= 3, "what is written is kept"
    kept.predictions  # noqa: B018
    for left in path.parent.glob("progress.damaged*"):
        left.unlink()


def use_answers(path):
    KnownAnswers(find("split", workspace.course_root()), 0, path)


def use_source(path):
    path.replace(path.with_name("mmu.c"))
    path.with_name("paging_tmpl.h").write_text(source("paging_tmpl.h"))
    kernel_source.KernelSource.read(path.parent)


def source(name):
    landmarks = kernel_source.LANDMARKS[name]
    lines = [""] * (max(landmarks.values()) + 3)
    for function, number in landmarks.items():
        lines[number - 1 : number + 2] = [f"int {function}(void)", "{", "}"]
    return "\n".join(lines)


def use_deck(path):
    read_notebook(path)
    deck(path, execute=False)


COURSE = b'''title = "x"\nexercises = ["split"]\n[points.split]\n64 = 2\n[extra]\nsplit = ["64"]\n[grading]\ntimeout = 3\n'''


def kinds(folder):
    """All kinds of files that the kit reads; ``weight`` says how often each is tried."""
    recording = recorded()
    html = film_html(film(recording).data, "<svg></svg>")
    stub = (find("rmap_add", workspace.course_root()).folder / "rmap_add.py").read_bytes()
    known = KnownAnswers(find("split", workspace.course_root()), 0, folder / "answers.json")
    known.learn("a", [b"1"])
    known.save()
    progress = {"exercises": {"walk": {"best": 3, "last": 2}, "rmap_add": {"hints": 2}}, "predictions": {}}
    progress["predictions"] = {"6/recorded": {"choice": "no", "right": False, "late": True}}
    manifest = json.dumps({"files": {"a": "0" * 64, "b": "1" * 64}}).encode()
    return [
        Kind("golden.gz", small_golden(), damage.gzipped, verify_file, 5),
        Kind("guest.npz", small_guest(), damage.archive, verify_file, 5),
        Kind("trace.npz", small_trace(), damage.archive, verify_file, 3),
        Kind("matrix.npz", small_matrix(), damage.archive, verify_file, 1),
        Kind("recording.npz", saved(recording, folder), damage.archive, use_recording, 4),
        Kind("film.html", html.encode(), damage.film, use_film, 2),
        Kind("talk.ipynb", notebook("<p>x</p>"), damage.plain, read_notebook, 1),
        Kind("deck.ipynb", notebook(html), damage.plain, use_deck, 1),
        Kind("mine.ipynb", notebook("<p>x</p>"), damage.plain, submission.read, 4),
        Kind("mine.py", stub, damage.plain, submission.read, 4),
        Kind("progress.json", json.dumps(progress).encode(), damage.plain, use_progress, 3),
        Kind("answers.json", (folder / "answers.json").read_bytes(), damage.plain, use_answers, 2),
        Kind("course.toml", COURSE, damage.plain, lambda path: course_settings.read(path, grading=True), 2),
        Kind("mmu.c", source("mmu.c").encode(), damage.plain, use_source, 2),
        Kind(workspace.MANIFEST, manifest, damage.plain, lambda path: workspace.read_record(path.parent), 1),
    ]


def try_one(kind, folder, seed):
    """Damage a file and read it; return the sentence that refuses it, or "" if it was read."""
    content = kind.damaged(random.Random(f"{kind.name} {seed}"), kind.content)
    folder.mkdir(exist_ok=True)
    path = folder / kind.name
    path.write_bytes(content)
    begin = time.process_time()
    try:
        kind.read(path)
    except LabError as error:
        said = str(error)
        assert len(said) <= 300, said
        assert not {c for c in said if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}, ascii(said)
        return said
    finally:
        assert time.process_time() - begin < SECONDS
    return ""


def peak():
    """The most memory that this process has used so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def try_many(folder, first, count):
    """Try damaged files, and return for each kind how many were tried and refused, and what went wrong."""
    import warnings

    warnings.simplefilter("ignore")  # such as nbformat's, about ids of cells
    every = kinds(folder)
    for kind in every:
        (folder / kind.name).write_bytes(kind.content)
        (folder / "right").mkdir(exist_ok=True)
        (folder / "right" / kind.name).write_bytes(kind.content)
        kind.read(folder / "right" / kind.name)  # a right file is taken, and everything is loaded before memory is measured
    before, found, wrong = peak(), {}, []
    chosen = [kind for kind in every for _ in range(kind.weight)]
    for seed in range(first, first + count):
        kind = chosen[seed % len(chosen)]
        begin = time.monotonic()
        try:
            refused = bool(try_one(kind, folder / "damaged", seed))
        except BaseException as error:
            wrong.append(f"{kind.name}, seed {seed}: {type(error).__name__}: {str(error)[:200]!r}")
            refused = True
        row = found.setdefault(kind.name, [0, 0, 0.0])
        found[kind.name] = [row[0] + 1, row[1] + refused, round(row[2] + time.monotonic() - begin, 3)]
    return {"found": found, "wrong": wrong, "memory": peak() - before}


@pytest.mark.slow
def test_300_damaged_files_are_read_or_refused_in_a_sentence(tmp_path):
    result = try_many(tmp_path, 0, 300)
    assert result["wrong"] == [] and sum(tried for tried, *_ in result["found"].values()) == 300


@pytest.mark.slow
@pytest.mark.parametrize("part", one_in(4, range(4), rest=pytest.mark.whole))
def test_20000_damaged_files_are_read_or_refused_in_a_sentence(tmp_path, part):
    """Each part in a process of its own, whose memory is limited."""
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path), str(1000 + 5000 * part), "5000"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["wrong"] == [] and result["memory"] < EXTRA


if __name__ == "__main__":
    # room for the address space of a guest whose memory is declared as large, which takes no memory until it is used
    resource.setrlimit(resource.RLIMIT_AS, (24 << 30, 24 << 30))
    print(json.dumps(try_many(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
