# SPDX-License-Identifier: GPL-2.0-only
"""Save and load a tape: one .npz archive of plain arrays, which other programs can also read.

::

    meta      JSON: format, version, parts, start, samples, objects, error
    frames    u4 (n)       host frames that weren't empty at the start
    pages     u8 (n, 512)  their words
    kinds     u2 (steps)   kind of each step's event: its index in ``meta.kinds``
    values    u8 (items)   operands of all events, in order
    types     u1 (items)   how to read each: 0 number, 1 negative (-1 - value), 2 None, 3 False, 4 True, 5 ``objects[value]``
    changes   u8 (n, 4)    step, index of the word of host memory, old value, new value
    moves     u8 (n)       steps at which anything but memory changed

Reading a file never executes or unpickles anything.
"""

from __future__ import annotations

import json
import os
import pickle
from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data.arrays import open_arrays
from ..errors import DataError, HostCrash, InputError, LabError
from ..files import parse_json, reading
from ..mmu import events as ev
from ..mmu.bits import ALL_ONES, PAGE_SIZE
from ..mmu.memory import FIRST_GUEST, MAX_FRAMES
from ..mmu.pool import NUM_PAGES
from ..printable import printable
from . import snapshot
from .moment import Replica
from .tape import KEYFRAME, Tape

FORMAT, VERSION = "kvmmmu-lab recording", 1
NUMBER, NEGATIVE, NONE, FALSE, TRUE, OBJECT = range(6)
CONSTANTS: dict[Any, int] = {None: NONE, False: FALSE, True: TRUE}
ARRAYS = {
    "meta": ("U", 0),
    "frames": ("u4", 1),
    "pages": ("u8", 2),
    "kinds": ("u2", 1),
    "values": ("u8", 1),
    "types": ("u1", 1),
    "changes": ("u8", 2),
    "moves": ("u8", 1),
}


TEXTS = frozenset(["cache", "form", "kind", "function", "source", "what", "why"])
FLAGS = frozenset(["write", "user", "fetch", "metaphysical", "log"])
"""The operands of events that are texts, and those that are True or False. All others are numbers, but `ANYTHING`."""

ANYTHING = frozenset(["result"])


class RecordedError(Exception):
    """Represents an exception other than a LabError in a loaded recording. ``name``: the name of that exception's type."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


def save(tape: Tape, error: Exception | None, path: str | Path) -> Path:
    """Write a tape and the error that ended the recorded block. An existing file is replaced only when the new one is complete.
    Raises InputError."""
    path = Path(path)
    kinds = list(ev.KINDS)
    numbers = {ev.KINDS[name]: number for number, name in enumerate(kinds)}
    values, types, objects = _operands(item for item in tape.items if type(item) is not ev.Kind)
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "kinds": kinds,
        "parts": tape.parts,
        "start": _to_json(tape.start),
        "samples": _to_json(tape.samples),
        "objects": objects,
        "error": _error_to_json(error),
    }
    arrays = {
        "meta": np.array(json.dumps(meta)),
        "frames": tape.frames.astype("<u4"),
        "pages": tape.pages.astype("<u8"),
        "kinds": np.array([numbers[tape.items[bound]] for bound in tape.bounds[:-1]], "<u2"),
        "values": np.array(values, "<u8"),
        "types": np.array(types, "<u1"),
        "changes": np.array(tape.changes, "<u8").reshape(-1, 4),
        "moves": np.array(tape.moves, "<u8"),
    }
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            with part.open("wb") as file:
                np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as failed:
        raise InputError("path", str(path), f"a file that can be written ({failed.strerror})") from None
    return path


def load(path: str | Path) -> tuple[Tape, Exception | None]:
    """Read what `save` wrote. Raises DataError for a damaged or foreign file, or a newer format."""
    path = Path(path)
    with open_arrays(path, ARRAYS) as archive:
        meta = _meta(path, str(archive.read("meta")))
        archive.check_names()
        arrays = {name: archive.read(name) for name in ARRAYS}
    with reading(path, "an undamaged recording", "inconsistent contents"):
        try:
            return _tape(meta, arrays), _error_from_json(meta["error"])
        except HostCrash as error:  # only the replay of a damaged recording ends in one
            raise ValueError(str(error)) from None


def _meta(path: Path, text: str) -> dict[str, Any]:
    try:
        meta: dict[str, Any] = _shown(parse_json(text))
        found = meta["format"], meta["version"]
    except (ValueError, LookupError, TypeError):
        found = None, None
    if found[0] != FORMAT:
        raise DataError(str(path), "not a recording", "a file that Recording.save wrote")
    if found[1] != VERSION:
        raise DataError(str(path), f"a recording of version {found[1]}", f"version {VERSION}, which this kit reads")
    return meta


def _shown(value: Any) -> Any:
    """Make all texts in a value printable: they become words of films and messages."""
    if isinstance(value, dict):
        return {printable(key): _shown(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_shown(held) for held in value]
    return printable(value) if isinstance(value, str) else value


def _tape(meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> Tape:
    kinds = [ev.KINDS[name] for name in meta["kinds"]]
    operands = iter(_items(arrays["values"], arrays["types"], meta["objects"]))
    samples = {name: (steps, values) for name, (steps, values) in _from_json(meta["samples"]).items()}
    nframes = int(samples["slots"][1][-1][2])
    _check(FIRST_GUEST <= nframes <= MAX_FRAMES, "the size of memory")
    # for operands that index something: how much of it there is
    limits = {"page": NUM_PAGES, "level": 5, "size": 9, "hfn": nframes, "hpa": nframes * PAGE_SIZE}
    limits |= dict.fromkeys(("spte", "parent"), nframes * PAGE_SIZE // 8)
    items: list[Any] = []
    bounds = array("Q", [0])
    for number in arrays["kinds"].tolist():
        kind = kinds[number]
        items.append(kind)
        for name in kind.operands:
            operand = next(operands)
            filled = kind is ev.LOAD and name in ("old", "new")  # their contents aren't kept
            fine = operand is None if filled else _is_operand(name, operand, limits)
            _check(fine, f"the operand {name} of {kind.name}")
            items.append(operand)
        bounds.append(len(items))
    _check(next(operands, None) is None, "more operands than the events have")
    words, steps = arrays["changes"], len(bounds)
    _check(len(arrays["frames"]) == len(arrays["pages"]) and arrays["pages"].shape[1:] == (512,), "pages")
    _check(words.shape[1] == 4 and bool((words[:, 1] < nframes * 512).all()), "changes")
    _check(all(bool((np.diff(of.astype("i8")) >= 0).all()) for of in (words[:, 0], arrays["moves"])), "the order of steps")
    _check(all(not len(of) or 0 < int(of.max()) < steps for of in (words[:, 0], arrays["moves"])), "numbers of steps")
    start = _from_json(meta["start"])
    _check(start.keys() == snapshot.PARTS.keys(), "the state at the start")
    for name, value in start.items():
        _check(snapshot.is_value(name, value, nframes), f"{name} at the start")
    _check_samples(samples, meta["parts"], nframes)
    tape = Tape(
        start=start,
        frames=arrays["frames"].astype(np.intp),
        pages=arrays["pages"],
        parts=tuple(meta["parts"]),
        items=items,
        bounds=bounds,
        changes=array("Q", words.astype("<u8").tobytes()),
        moves=array("Q", arrays["moves"].astype("<u8").tobytes()),
        samples=samples,
    )
    tape.seal()
    _keyframes(tape)
    return tape


def _check_samples(samples: dict[str, Any], parts: Sequence[str], nframes: int) -> None:
    always = ("counters", "registers", "injected", "slots")
    _check(set(parts) <= {"rmaps", "parents"} and samples.keys() == {*always, *parts}, "samples")
    for name, (steps, values) in samples.items():
        _check(len(steps) == len(values) and all(type(step) is int for step in steps), f"samples of {name}")
        _check(steps == sorted(steps) and (name in parts or steps[:1] == [0]), f"steps of the samples of {name}")
        for value in values:
            held = {value[0]: value[1]} if name in parts else value  # of a replaced part: one list that changed
            _check(snapshot.is_value(name, held, nframes), f"a sample of {name}")


def _is_operand(name: str, operand: Any, limits: Mapping[str, int]) -> bool:
    """Whether an event can have this operand."""
    if name in TEXTS or name in FLAGS:
        return type(operand) is (str if name in TEXTS else bool)
    if name in ANYTHING:
        return True
    if operand is None:
        return name == "parent"
    return type(operand) is int and 0 <= operand < limits.get(name, ALL_ONES + 1)


def _keyframes(tape: Tape) -> None:
    """Make the keyframes, which aren't in the file, by replaying the tape. This also detects a damaged file."""
    replica, due = Replica(tape), KEYFRAME
    found = []
    for step, bound in enumerate(tape.bounds):
        if bound > due:
            due = bound + KEYFRAME
            found.append((step, pickle.dumps(snapshot.take(replica.go(step)))))
    replica.go(len(tape.bounds) - 1)
    tape.keyframes = found


def _check(fine: bool, what: str) -> None:
    if not fine:
        raise ValueError(what)


def _operands(items: Iterable[Any]) -> tuple[list[int], list[int], list[Any]]:
    values, types, objects = [], [], dict[str, int]()
    for item in items:
        if item is None or isinstance(item, bool):
            values.append(0)
            types.append(CONSTANTS[item])
        elif isinstance(item, (int, np.integer)):
            number = int(item)
            values.append(number if number >= 0 else -1 - number)
            types.append(NUMBER if number >= 0 else NEGATIVE)
        else:
            values.append(objects.setdefault(json.dumps(item, default=str), len(objects)))
            types.append(OBJECT)
    return values, types, [json.loads(text) for text in objects]


def _items(values: np.ndarray, types: np.ndarray, objects: Sequence[Any]) -> list[Any]:
    _check(len(values) == len(types), "operands")
    constants = {code: constant for constant, code in CONSTANTS.items()}
    read = {NUMBER: lambda value: value, NEGATIVE: lambda value: -1 - value, OBJECT: lambda value: objects[value]}
    return [
        constants[code] if code in constants else read[code](value)
        for value, code in zip(values.tolist(), types.tolist(), strict=True)
    ]


def _to_json(value: Any) -> Any:
    """Convert the result of `snapshot.take` to values that JSON can store: bytes, and dicts whose keys are numbers, are wrapped
    in objects."""
    if isinstance(value, dict):
        return {"dict": [[key, _to_json(held)] for key, held in value.items()]}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    return [_to_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return bytes.fromhex(value["bytes"]) if "bytes" in value else {key: _from_json(held) for key, held in value["dict"]}
    return [_from_json(item) for item in value] if isinstance(value, list) else value


def _error_to_json(error: Exception | None) -> Any:
    if error is None:
        return None
    if isinstance(error, HostCrash):
        return ["HostCrash", error.kind, error.function, error.source, error.what]
    return ["LabError" if isinstance(error, LabError) else type(error).__name__, str(error)]


def _error_from_json(saved: Any) -> Exception | None:
    if saved is None:
        return None
    name, *facts = saved
    return HostCrash(*facts) if name == "HostCrash" else LabError(*facts) if name == "LabError" else RecordedError(name, *facts)
