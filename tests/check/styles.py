# SPDX-License-Identifier: GPL-2.0-only
"""Right solutions in many styles of Python: each can be handed in as a file, as a notebook, or as objects from a notebook.

A style is an exercise and sources by file name: "mine.py" is the solution, the others lie beside it. ``# %%`` begins a cell;
what is only in a notebook stands in a cell that begins with ``# notebook``.
"""

FIELDS = """
    if mode == "64":
        return gva >> 39 & NINE, gva >> 30 & NINE, gva >> 21 & NINE, gva >> 12 & NINE, gva & 0xFFF
    if mode == "pae":
        return gva >> 30 & 3, gva >> 21 & NINE, gva >> 12 & NINE, gva & 0xFFF
    return gva >> 22 & 1023, gva >> 12 & 1023, gva & 0xFFF
"""
SPLIT = f"def split(gva, mode):{FIELDS}"
QUADRANT = """
def quadrant(gva, level):
    return gva >> 21 & 1 if level == 1 else gva >> 30 & 3
"""
COUNTED = """
from kvmmmu_lab.mmu.bits import BASE_MASK, PAGE_SHIFT, PRESENT, WRITABLE

def frame_of(entry):
    return (entry & BASE_MASK) >> PAGE_SHIFT if entry & PRESENT and entry & WRITABLE else None
"""
REVERSE_MAP = """
    def add(self, spte):
        hfn = frame_of(self.vm.memory.words[spte])
        if hfn is not None:
            self.lists[hfn].append(spte)

    def sptes(self, hfn):
        return self.lists.get(hfn, [])

    def frames(self):
        return list(self.lists)
"""


def split(before, after=""):
    return "split", {"mine.py": f"{before}\n# %%\n{SPLIT}\n{QUADRANT}\n{after}"}


STYLES = {
    "functions": split("NINE = 511"),
    "lambdas": ("split", {"mine.py": """
nine = lambda gva, shift: gva >> shift & 511
SHIFTS = {"64": (39, 30, 21, 12), "pae": (30, 21, 12), "32": (22, 12)}
CUT = {
    "64": lambda gva: tuple(nine(gva, shift) for shift in SHIFTS["64"]),
    "pae": lambda gva: (gva >> 30 & 3, *(nine(gva, shift) for shift in SHIFTS["pae"][1:])),
    "32": lambda gva: tuple(gva >> shift & 1023 for shift in SHIFTS["32"]),
}
# %%
split = lambda gva, mode: (*CUT[mode](gva), gva & 0xFFF)
quadrant = lambda gva, level: gva >> 21 & 1 if level == 1 else gva >> 30 & 3
"""}),
    "closures": ("split", {"mine.py": """
def field(shift, bits):
    mask = (1 << bits) - 1
    def cut(gva):
        return gva >> shift & mask
    return cut

NINES = [field(shift, 9) for shift in (39, 30, 21, 12)]
OFFSET, PDPTE = field(0, 12), field(30, 2)
TENS = field(22, 10), field(12, 10)
# %%
def maker():
    def split(gva, mode):
        cuts = {"64": NINES, "pae": [PDPTE, *NINES[2:]], "32": TENS}[mode]
        return tuple(cut(gva) for cut in (*cuts, OFFSET))
    return split

split = maker()
""" + QUADRANT}),
    "enums": split("""
from enum import Enum, Flag, IntEnum, auto

class Width(IntEnum):
    NINE = 511

class Colour(Flag):
    RED = auto()
    BLUE = auto()

class Kind(Enum):
    WIDE = "64"

    @property
    def text(self):
        return self.value

NINE, BOTH = Width.NINE, Colour.RED | Colour.BLUE
assert Colour.RED in BOTH and Kind("64") is Kind.WIDE
""", """
def check_kind(mode):
    return Kind(mode) is Kind.WIDE and Colour.BLUE in BOTH and isinstance(NINE, Width)

inner = split

def split(gva, mode):
    assert mode != "64" or check_kind(mode)
    return inner(gva, mode)
"""),
    "named tuples and counters": split("""
from collections import Counter, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from math import inf, nan
from types import MappingProxyType, SimpleNamespace
from typing import NamedTuple

Field = namedtuple("Field", "shift mask")

class Level(NamedTuple):
    name: str = "PT"
    bits: int = 9

SEEN = Counter("mode")
CALLS = defaultdict(list)
LATEST = deque(maxlen=3)
READ_ONLY = MappingProxyType({"nine": 511})
OPTIONS = SimpleNamespace(nine=READ_ONLY["nine"])
LOWEST, HALF = Decimal("0"), Fraction(1, 2)
NINE = Field(12, OPTIONS.nine).mask
""", """
plain = split

def split(gva, mode):
    SEEN[mode] += 1
    CALLS[mode].append(gva)
    LATEST.append(gva)
    assert LOWEST <= gva < inf and nan != nan and HALF * 2 == 1 and Level().bits == 9
    assert READ_ONLY["nine"] == OPTIONS.nine
    return plain(gva, mode)
"""),
    "caches, partials and decorators": split("""
import functools, operator, threading

LOCK = threading.Lock()

def counted(function):
    @functools.wraps(function)
    def inner(*args, **keywords):
        with LOCK:
            inner.calls += 1
        return function(*args, **keywords)
    inner.calls = 0
    return inner

@functools.lru_cache(maxsize=None)
def power(n):
    return 1 if n == 0 else 2 * power(n - 1)

@functools.singledispatch
def mask(bits):
    return power(bits) - 1

@mask.register
def _(bits: str):
    return mask(int(bits))

nine_of = functools.partial(operator.and_, mask("9"))
NINE = nine_of(0xFFFF)
power(20)
""", """
split = functools.lru_cache(counted(split))
quadrant = functools.cache(quadrant)
"""),
    "dataclasses": ("rmap_add", {"mine.py": "from __future__ import annotations\n" + COUNTED + """
# %%
from collections import defaultdict
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from typing import Any, ClassVar

@dataclass(frozen=True, order=True)
class Options:
    limit: int = 4
    _: KW_ONLY
    name: str = "plain"

WIDE = replace(Options(), limit=9)

@dataclass
class ReverseMap:
    vm: Any
    made: ClassVar[int] = 0
    lists: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self):
        type(self).made += 1
        assert [one.name for one in fields(self)] == ["vm", "lists"] and replace(WIDE, limit=4) == Options()
""" + REVERSE_MAP}),
    "inheritance and class attributes": ("rmap_add", {"mine.py": COUNTED + """
# %%
import abc
from collections import defaultdict

class Base(abc.ABC):
    instances = 0
    names = []

    def __init__(self, vm):
        self.vm, self.lists = vm, defaultdict(list)
        Base.instances += 1

    def __init_subclass__(cls):
        Base.names.append(cls.__name__)

    @property
    @abc.abstractmethod
    def kind(self): ...

    @staticmethod
    def frame(entry):
        return frame_of(entry)

    @classmethod
    def known(cls):
        return cls.names
# %%
class ReverseMap(Base):
    __slots__ = ("extra",)
    kind = "lists"

    def __init__(self, vm):
        super().__init__(vm)
        assert self.known() == ["ReverseMap"] and self.frame(3) == 0 and __class__ is ReverseMap
""" + REVERSE_MAP}),
    "generators and modern syntax": ("split", {"mine.py": """
from __future__ import annotations
from collections.abc import Iterator

def indexes(gva: int, shifts: tuple[int, ...], bits: int) -> Iterator[int]:
    for shift in shifts:
        yield gva >> shift & (1 << bits) - 1

async def offset(gva):
    return gva & 0xFFF

def awaited(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
# %%
def split(gva: int, mode: Mode, /, *, low: Optional[int] = None) -> tuple[int, ...]:
    if (low := awaited(offset(gva))) is None:
        raise ValueError(f"{gva:#x} has no {low=}")
    match mode:
        case "64":
            return *indexes(gva, (39, 30, 21, 12), 9), low
        case "pae":
            first, *_ = indexes(gva, (30,), 2)
            return first, *indexes(gva, (21, 12), 9), low
        case other if other == "32":
            return (*indexes(gva, (22, 12), 10), low)
        case _:
            raise ValueError(mode)
""" + QUADRANT}),
    "asyncio": split("""
import asyncio

async def wide():
    await asyncio.sleep(0)
    return 511

def in_a_loop(work):
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()

NINE = 511
""", """
first = split

def split(gva, mode):
    assert in_a_loop(wide()) == NINE
    return first(gva, mode)
"""),
    "numpy": ("split", {"mine.py": """
import numpy as np

SHIFTS = np.array([39, 30, 21, 12], np.uint64)
NINE = np.uint64(511)
# %%
def split(gva, mode):
    g = np.uint64(gva)
    if mode == "32":
        return int(gva >> 22 & 1023), int(gva >> 12 & 1023), int(gva & 4095)
    nines = [int(index) for index in g >> SHIFTS & NINE]
    return (*(nines if mode == "64" else [gva >> 30 & 3, *nines[2:]]), int(g & np.uint64(0xFFF)))
""" + QUADRANT}),
    "options and a main guard": split("""
import argparse, os, sys

def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bits", type=int, default=9)
    return parser.parse_args([] if "ipykernel" in sys.modules or "IPython" in sys.modules else None)

NINE = (1 << options().bits) - 1
""", """
def main():
    print(split(0x403025000, "64"))

if __name__ == "__main__":
    main()
"""),
    "a check of itself": split("NINE = 511", """
from kvmmmu_lab.check import check

report = check("split", split, quadrant)
assert report.passed
"""),
    "a helper module": ("split", {
        "mine.py": "from helper import NINE, low\nimport tables\n# %%\n" + SPLIT.replace("gva & 0xFFF", "low(gva)") + QUADRANT
        + "\nassert tables.LEVELS['64'] == 4\n",
        "helper.py": "import deeper\nNINE = deeper.nine()\ndef low(gva):\n    from late import OFFSET\n"
        "    return gva & OFFSET\n",
        "deeper.py": "from functools import cache\n@cache\ndef nine():\n    return 511\n",
        "late.py": "OFFSET = 4095\n",
        "tables.py": "LEVELS = {'64': 4, 'pae': 3, '32': 2}\n",
        "unrelated.py": "raise SystemExit('this must not run')\n",
    }),
    "a package": ("rmap_add", {
        "mine.py": "from tools.entries import frame_of\nfrom tools import Lists\nimport plain.names as names\n# %%\n"
        "class ReverseMap(Lists):\n    name = names.NAME\n" + REVERSE_MAP,
        "tools/__init__.py": "from .lists import Lists\nfrom . import entries\n__all__ = ['Lists', 'entries']\n",
        "tools/lists.py": "from collections import defaultdict\nclass Lists:\n    def __init__(self, vm):\n"
        "        self.vm, self.lists = vm, defaultdict(list)\n",
        "tools/entries.py": COUNTED,
        "plain/names.py": "NAME = 'a package without __init__.py'\n",
    }),
    "helpers with names of known modules": ("split", {
        "mine.py": "from numbers import NINE\nimport queue\nimport bits\nimport kvmmmu_lab.mmu.bits\n# %%\n" + SPLIT + QUADRANT
        + "\nassert queue.MINE and bits.MINE and kvmmmu_lab.mmu.bits.PRESENT == 1\n",
        "numbers.py": "NINE = 511\n", "queue.py": "MINE = True\n", "bits.py": "MINE = True\n",
    }),
    "a table in a file": split("""
import json
from pathlib import Path

with open("masks.json") as file:
    MASKS = json.load(file)
with open(Path("data") / "more.txt") as file:
    NINE = MASKS["nine"] + int(file.read())
"""),
    "a folder on the path": ("split", {
        "mine.py": "import os, sys\nsys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))\n"
        "import low\nNINE = low.NINE\n" + SPLIT + QUADRANT,
        "lib/low.py": "from other import NINE\n", "lib/other.py": "NINE = 511\n", "lib/__pycache__/x.pyc": "",
    }),
    "exceptions and context managers": split("""
import contextlib, warnings

class Unknown(Exception):
    def __init__(self, mode, *, known=("64", "pae", "32")):
        super().__init__(f"{mode!r}: {known}")

@contextlib.contextmanager
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield 511

with quiet() as NINE:
    pass
""", """
before = split

def split(gva, mode):
    try:
        if mode not in ("64", "pae", "32"):
            raise Unknown(mode)
        with quiet() as nine:
            assert nine == NINE
    except Unknown as error:
        raise ValueError from error
    return before(gva, mode)
"""),
    "callable objects": ("split", {"mine.py": """
class Cutter:
    def __init__(self, *fields):
        self.fields = fields

    def __call__(self, gva):
        return tuple(gva >> shift & (1 << bits) - 1 for shift, bits in self.fields)

CUT = {
    "64": Cutter((39, 9), (30, 9), (21, 9), (12, 9), (0, 12)), "pae": Cutter((30, 2), (21, 9), (12, 9), (0, 12)),
    "32": Cutter((22, 10), (12, 10), (0, 12)),
}

class Split:
    def __call__(self, gva, mode):
        return CUT[mode](gva)

    def quadrant(self, gva, level):
        return gva >> 21 & 1 if level == 1 else gva >> 30 & 3
# %%
split = Split()
quadrant = split.quadrant
"""}),
}  # fmt: skip
FILE_ONLY = ["helpers with names of known modules", "a folder on the path"]
"""Styles that a kernel could not run: it has loaded the standard modules before, and a cell has no ``__file__``."""

STYLES["a table in a file"][1].update({"masks.json": '{"nine": 511}', "data/more.txt": "0"})
