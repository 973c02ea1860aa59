# SPDX-License-Identifier: GPL-2.0-only
"""A class with all hostile submissions: no mark but their own changes, nothing outside changes, and the report is sound."""

import csv
import ctypes
import hashlib
import html.parser
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from kvmmmu_lab.check.sandbox.wall import CHILD_SUBREAPER, LINUX
from kvmmmu_lab.grade.mark import NOT_HANDED_IN, NOT_JUDGED, NOT_READABLE, WALL
from kvmmmu_lab.grade.record import Record

from ..exercises.checking import ROOT
from ..exercises.test_hostile import HOSTILE, part
from .handing_in import by_learner, solved
from .processes import alive, children, gone
from .submissions import Link, make, zipped

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not LINUX or shutil.which("bwrap") is None, reason="there is no wall without bubblewrap"),
]
MARK = "kvmmmu-hostile-class"
"""A word in the name of all that a hostile submission plants, and in what it tries to read."""

ANCESTORS = """
import os
def parent(pid):
    return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
above = [os.getppid()]
try:
    while above[-1] > 1:
        above.append(parent(above[-1]))
except OSError:
    pass
above += [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
"""

# Code that runs before a part that does nothing. The names of PLACES stand for paths.
BEFORE = {
    "gives another path when it is asked again": """
        import io
        class Path:
            asked = 0
            def __fspath__(self):
                Path.asked += 1
                return "{kit}/mmu/rmap.py" if Path.asked == 1 else "harmless"
        exec(io.FileIO(Path()).read())
    """,
    "reads the engine from its own folder's descriptor": """
        import os
        own = os.open(".", os.O_RDONLY)
        os.chdir("/")
        exec(os.read(os.open("../../../../..{kit}/mmu/rmap.py", os.O_RDONLY, dir_fd=own), 1 << 20))
    """,
    "reads the engine by a text that lies": """
        import os
        class Text(str):
            def __getitem__(self, index): return ""
            def startswith(self, *_): return False
            def partition(self, _): return "harmless", "", ""
        exec(os.read(os.open(Text("{kit}/mmu/rmap.py"), os.O_RDONLY), 1 << 20))
    """,
    "shows half a character": """
        from kvmmmu_lab.check.testbench import Bench
        see = Bench.see
        Bench.see = lambda self, *given, **named: see(self, *given, **named) | {{"rmap": chr(0xD800)}}
    """,
    "forks by the address of the C function": """
        import ctypes, os, time
        if ctypes.CDLL(None).fork() == 0:
            os.setsid()
            os.closerange(0, 64)
            time.sleep(600)
            os._exit(0)
    """,
    "reads the environments of others": ANCESTORS
    + """
        found = []
        for pid in above:
            try: found += [text for text in open(f"/proc/{{pid}}/environ").read().split(chr(0)) if "TOKEN" in text]
            except OSError: pass
        raise ValueError(found)
    """,
    "kills its ancestors": ANCESTORS
    + """
        import signal
        for pid in above:
            try: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGKILL)
            except OSError: pass
    """,
    "changes the memory of its ancestors": ANCESTORS
    + """
        for pid in above:
            try:
                memory = os.open(f"/proc/{{pid}}/mem", os.O_RDWR)
                for line in open(f"/proc/{{pid}}/maps"):
                    begin, end = (int(at, 16) for at in line.split()[0].split("-"))
                    if " rw" not in line or end - begin > 1 << 26: continue
                    data = os.pread(memory, end - begin, begin)
                    at = data.find(b"failed")
                    if at >= 0: os.pwrite(memory, b"passed", begin + at)
            except OSError: pass
    """,
    "goes wrong every other time": """
        import os
        if os.urandom(1)[0] & 1: raise RuntimeError("not now")
    """,
    "makes 2,000 folders in each other": """
        import os
        here = os.getcwd()
        for _ in range(2000):
            os.mkdir("deeper"); os.chdir("deeper")
        os.chdir(here)
    """,
    "fills its folder": """
        number = 0
        while True:
            number += 1
            with open(f"big{{number}}", "wb") as file: file.write(bytes(1 << 24))
    """,
    "fills shared memory": """
        import _posixshmem, os
        file = _posixshmem.shm_open("/{mark}", os.O_CREAT | os.O_RDWR, mode=0o600)
        os.write(file, bytes(1 << 24))
    """,
    "is slow when it is asked again": """
        import time
        from kvmmmu_lab.check.sandbox import runner
        play = runner._play
        def slowly(order, *rest):
            if order.get("detail") is not None or not order["sparse"]: time.sleep(19)
            play(order, *rest)
        runner._play = slowly
    """,
    "prints without end in a thread": """
        import os, threading
        def flood():
            while True: os.write(1, b"." * 65536)
        threading.Thread(target=flood, daemon=True).start()
    """,
    "writes a traceback with a line of 5,000 digits": """
        import os
        for file in range(3, 64):
            try: os.write(file, b'Timeout (0:00:02)!\\n  File "rmap_add.py", line ' + b"9" * 5000 + b" in add\\n")
            except OSError: pass
        os._exit(0)
    """,
    "makes a database outside": """
        import sqlite3
        base = sqlite3.connect("{submissions}/honest0/{mark}.db")
        base.execute("create table planted (x)")
    """,
    "makes a pipe where the record will be": """
        import os
        for place in ("{out}", "{submissions}", "{home}"):
            try: os.mkfifo(place + "/record.sqlite-journal")
            except OSError as error: print(error)
    """,
    "moves its file onto others": """
        import os
        for place in ("{submissions}/honest0/rmap_add.py", "{out}/record.sqlite", "{home}/precious"):
            with open("mine", "w") as file: file.write("planted")
            try: os.replace("mine", place)
            except OSError as error: print(error)
    """,
    "links its file to others' folders": """
        import os
        with open("mine", "w") as file: file.write("planted")
        for link in (os.link, os.symlink):
            for place in ("{submissions}/honest0", "{submissions}", "{out}", "{home}", "/tmp"):
                try: link(os.path.abspath("mine"), place + "/{mark}")
                except OSError as error: print(error)
    """,
    "writes to its neighbour by an absolute path": """
        open("{submissions}/honest0/rmap_add.py", "a").write("planted")
    """,
    "writes to its neighbour by a relative path": """
        import os
        for up in ("..", "../..", "../../..", os.path.dirname(__file__) + "/.."):
            for place in ("honest0", "submissions/honest0", "{submissions}/honest0"):
                try: open(f"{{up}}/{{place}}/rmap_add.py", "a").write("planted")
                except OSError as error: print(error)
    """,
    "writes everywhere": """
        for place in ("{submissions}", "{out}", "{home}", "{kit}", "/tmp", "/var/tmp", "/dev/shm", "/dev", "/", "/usr/lib"):
            try: open(place + "/{mark}", "w").write("planted")
            except OSError as error: print(error)
    """,
    "connects to a server of the instructor": """
        import socket
        socket.create_connection(("127.0.0.1", {port}), 1)
    """,
    "is a server": """
        import socket
        server = socket.socket()
        server.bind(("0.0.0.0", 0))
        server.listen()
        server.settimeout(0.1)
        server.accept()
    """,
    "prints markup": """
        print("</pre><script>alert(1)</script> ]]> &amp; \\x00")
        raise ValueError("</td><script>alert(1)</script> ]]> &amp; \\x00 ,;\\n=1+1")
    """,
}

# Parts that do something when they are called
PARTS = {
    "takes its watchdog off and sleeps": part(
        "import faulthandler, time; faulthandler.cancel_dump_traceback_later(); time.sleep(1000)"
    ),
    "raises in a line that a terminal obeys": part("raise ValueError  # \x1b[2J\x1b[1;1H\x1b[32mpassed\x1b[0m"),
}

NAMES = ("<script>alert(1)", "<img src=x onerror=alert(1)>", "two\nlines\r\n", '=1+1,"', "\u202egpj", "&lt;", "]]>")
"""Names of learners who hand in a right solution, or one that does nothing."""


def hostile(places):
    """What hostile learners hand in, as a tree."""
    tree = {}
    for name, (source, *_) in HOSTILE.items():
        tree[f"usual: {name}"] = {"rmap_add.py": source}
    for name, code in BEFORE.items():
        begin = ANCESTORS if code.startswith(ANCESTORS) else ""
        code = textwrap.dedent(code.removeprefix(begin)).format(**places)
        tree[f"before: {name}"] = {"rmap_add.py": begin + code + part()}
    for name, source in PARTS.items():
        tree[f"part: {name}"] = {"rmap_add.py": source}
    for name in NAMES:
        tree[name] = {"rmap_add.py": part()}
    cells = [{"cell_type": "code", "metadata": {}, "source": f"x{n} = {n}", "outputs": []} for n in range(10_000)]
    book = {"cells": [*cells, {"cell_type": "code", "metadata": {}, "source": part(), "outputs": []}]}
    book |= {"nbformat": 4, "nbformat_minor": 5, "metadata": {}}
    outside = {"../honest0/rmap_add.py": "planted", f"../{MARK}": "planted", f"/tmp/{MARK}": "planted"}
    return tree | {
        "zip with paths outside.zip": zipped(outside),
        "zip with both.zip": zipped(outside | {"rmap_add.py": part()}),
        "zip bomb.zip": zipped({"rmap_add.py": bytes(1 << 28)}),
        "zip that is none.zip": b"PK\3\4 and so on",
        "10,000 cells": {"rmap_add.ipynb": json.dumps(book)},
        "invalid JSON": {"rmap_add.ipynb": b'{"cells": [' + b"[" * 100_000},
        "no UTF-8": {"rmap_add.py": b"# caf\xe9 \xff\xfe\n" + part().encode()},
        "deep expression": {"rmap_add.py": b"(" * 100_000},
        "link to a neighbour": Link("honest0"),
        "file that is a link": {"rmap_add.py": Link("../honest0/rmap_add.py")},
        "nothing": {},
    }


def honest(folder):
    """Write the hand-ins of honest learners into a folder."""
    given = solved(wrong=5, right=3)
    return make(folder, {f"honest{number}": {"rmap_add.py": one.files["rmap_add.py"]} for number, one in enumerate(given)})


def grade(submissions, out, home):
    """Run the command; return what it printed. Whatever it leaves behind becomes a child of this process."""
    shutil.rmtree(home / "tmp", ignore_errors=True)
    (home / "tmp").mkdir()
    env = os.environ | {"HOME": str(home), "TMPDIR": str(home / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
    env |= {"MY_TOKEN": f"{MARK}-secret", "TERM": "dumb"}
    command = [sys.executable, "-m", "kvmmmu_lab", "grade", submissions, "--out", out, "--exercise", "rmap_add", "--jobs", "2"]
    done = subprocess.run([*map(str, command)], cwd=ROOT, env=env, capture_output=True, timeout=1800)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert not list((home / "tmp").iterdir())
    return (done.stdout + done.stderr).decode()


def state(*folders):
    """The names, kinds and contents of all that is in these folders."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if "__pycache__" in path.parts:
                continue
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = path.lstat().st_mode, os.readlink(path) if path.is_symlink() else digest
    return found


def planted():
    """What hostile submissions have planted in places that others use, too."""
    return [path for place in ("/tmp", "/var/tmp", "/dev/shm", "/", "/usr/lib") for path in Path(place).glob(f"*{MARK}*")]


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The folder with the submissions, that with the report, the honest marks without the others, and what was printed."""
    libc, folder = ctypes.CDLL(None), tmp_path_factory.mktemp("class")
    home, alone, submissions, out = (folder / name for name in ("home", "alone", "submissions", "report"))
    make(home, {"precious": "mine"})
    grade(honest(alone), folder / "alone report", home)
    with Record(folder / "alone report" / "record.sqlite") as record:
        right = by_learner(record.marks())
    honest(submissions)
    with socket.create_server(("127.0.0.1", 0)) as server:
        kit, port = ROOT / "kvmmmu_lab", server.getsockname()[1]
        places = {"submissions": submissions, "out": out, "home": home, "kit": kit, "mark": MARK, "port": port}
        given = hostile(places)
        make(submissions, given)
        watched = [submissions, home, kit, ROOT / "exercises"]
        before = state(*watched)
        libc.prctl(CHILD_SUBREAPER, 1, 0, 0, 0)
        known = set(children(os.getpid()))
        try:
            said = grade(submissions, out, home)
            left = [pid for pid in children(os.getpid()) if pid not in known]
            assert gone(left), alive(left)
        finally:
            libc.prctl(CHILD_SUBREAPER, 0, 0, 0, 0)
        after = state(*watched)
        assert after == before, {*after.items()} ^ {*before.items()}
        assert not planted()
        server.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has connected
            server.accept()
    with Record(out / "record.sqlite") as record:
        marks = by_learner(record.marks())
    learners = {name.removesuffix(".zip") for name in given}
    assert marks.keys() == right.keys() | learners
    return out, right, marks, said


def test_the_marks_of_honest_learners_are_those_that_they_have_alone(graded):
    _, right, marks, _ = graded
    assert {name: marks[name] for name in right} == right
    assert {mark.status for mark in right.values()} >= {"passed", "failed"}


def test_no_hostile_learner_gains_a_point_and_each_has_a_verdict(graded):
    _, right, marks, _ = graded
    given = {name: mark for name, mark in marks.items() if name not in right}
    assert not [name for name, mark in given.items() if mark.points or mark.extra]
    assert not [name for name, mark in given.items() if mark.status == NOT_JUDGED]
    assert not [name for name, mark in given.items() if mark.rules and mark.isolation != WALL]
    unread = {name for name, mark in given.items() if mark.status in (NOT_READABLE, NOT_HANDED_IN)}
    assert {"zip bomb", "zip that is none", "invalid JSON", "link to a neighbour", "file that is a link"} <= unread
    assert all(mark.problem for mark in given.values() if mark.status == NOT_READABLE)


def test_no_secret_is_in_the_report_and_nothing_that_a_terminal_obeys_is_printed(graded):
    out, _, marks, said = graded
    assert not [name for name, mark in marks.items() if f"{MARK}-secret" in str(mark)]
    assert "\x1b" not in said and "alert(1)\n" not in said
    assert not [path for path in out.rglob("*") if path.is_file() and f"{MARK}-secret".encode() in path.read_bytes()]


def test_the_data_files_are_well_formed(graded):
    out, _, marks, _ = graded
    with (out / "marks.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert len({len(row) for row in rows}) == 1 and len(rows) == 1 + len(marks)
    assert not [cell for row in rows[1:] for cell in row if cell[:1] in ("=", "+", "@")]
    lines = [json.loads(line) for line in (out / "marks.jsonl").read_text("utf-8").split("\n") if line]
    assert {line["learner"] for line in lines} == marks.keys() and len(lines) == len(marks)
    assert ElementTree.parse(out / "junit.xml").getroot().tag == "testsuites"
    results = [json.loads(path.read_text("utf-8")) for path in (out / "gradescope").iterdir()]
    assert len(results) == len(marks)
    with sqlite3.connect(out / "record.sqlite") as base:
        assert base.execute("pragma integrity_check").fetchall() == [("ok",)]


VOID = {"meta", "link", "br", "hr", "img", "input", "col", "wbr", "!doctype"}


class Page(html.parser.HTMLParser):
    """Checks that each tag is closed where it should be, and collects what could run."""

    def __init__(self, text):
        super().__init__()
        self.open, self.runs, self.scripts = [], [], 0
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.scripts += tag == "script"
        self.runs += [name for name, value in attributes if name.startswith("on") or "javascript:" in (value or "")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.runs += [name for name, value in attributes if name.startswith("on") or "javascript:" in (value or "")]

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag


def test_the_pages_are_well_formed_and_hold_no_markup_of_a_learner(graded):
    out, _, marks, _ = graded
    pages = {path: path.read_text("utf-8") for path in out.rglob("*.html")}
    assert len(pages) >= 1 + len(marks)
    scripts = {}
    for path, text in pages.items():
        page = Page(text)
        assert not page.runs, path
        scripts[path] = page.scripts
        assert "<script>alert" not in text and "<img src=x" not in text, path
        assert not any(one in text for one in ("\x1b", "\0", "\u202e")), path
    assert len({number for path, number in scripts.items() if path.parent.name == "learners"}) == 1
