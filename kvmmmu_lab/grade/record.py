# SPDX-License-Identifier: GPL-2.0-only
"""The record: one SQLite file with the mark of every learner and exercise. All views are made from it.

A mark is put into it in one transaction, in the place of an earlier one, so there is exactly one for each learner and exercise,
whole, whatever is killed when. The process that writes holds the file's lock, which ends with the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..errors import DataError, InputError, LabError
from ..files import MOST_BYTES, check_regular, inflated
from .mark import NOT_JUDGED, Mark, RuleMark

VERSION = 2
"""The version of the tables. A record with another one is refused."""

APPLICATION = 0x6B6D6D75
"""Tells from other SQLite files: "kmmu"."""

TIMED_OUT = "timed out"
"""The status of a mark that may depend on how busy the computer was (see `check.failure`)."""


class RecordError(LabError):
    """The record can't be written, or another process is writing it."""


@dataclass(frozen=True)
class ExerciseInfo:
    """An exercise as it was graded: ``name`` ("rmap_add"), ``number`` ("04"), ``title``, points and extra points."""

    name: str
    number: str = ""
    title: str = ""
    points: int = 0
    extra: int = 0


@dataclass(frozen=True)
class Info:
    """What is known about the last run. ``exercises`` are in their order; ``notes`` are those of the collector.

    ``begun`` and ``ended`` are times in UTC ("2026-11-29 19:30:00"); a run that was interrupted has not ended.
    """

    title: str = ""
    seed: int = 0
    exercises: tuple[ExerciseInfo, ...] = ()
    notes: tuple[str, ...] = ()
    versions: str = ""
    begun: str = ""
    ended: str = ""


def _columns(model: type) -> dict[str, str]:
    """The names and types of a model's fields, without its rules."""
    return {field.name: str(field.type) for field in fields(model) if field.name != "rules"}


MARK, RULE = _columns(Mark), _columns(RuleMark)
PACKED = "picture"
"""The field that is compressed: a drawing takes ten times as much as the rest of a mark."""

SQL_TYPES = {"str": "TEXT", "int": "INTEGER", "bool": "INTEGER", "float": "REAL", "tuple[str, ...]": "TEXT"}


def _declared(columns: dict[str, str]) -> str:
    types = {name: "BLOB" if name == PACKED else SQL_TYPES[kind] for name, kind in columns.items()}
    return ", ".join(f'"{name}" {kind} NOT NULL' for name, kind in types.items())


def _places(columns: dict[str, str]) -> str:
    """The places for the values of these columns. Text is passed as bytes: a file's name may be no valid Unicode."""
    texts = {name for name, kind in columns.items() if SQL_TYPES[kind] == "TEXT" and name != PACKED}
    return ", ".join("CAST(? AS TEXT)" if name in texts else "?" for name in columns)


def _names(columns: dict[str, str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


TABLES = f"""
CREATE TABLE info (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE marks ({_declared(MARK)}, run INTEGER NOT NULL, here INTEGER NOT NULL, PRIMARY KEY (learner, exercise));
CREATE TABLE rules (learner TEXT NOT NULL, exercise TEXT NOT NULL, number INTEGER NOT NULL, {_declared(RULE)},
    PRIMARY KEY (learner, exercise, number), FOREIGN KEY (learner, exercise) REFERENCES marks ON DELETE CASCADE);
CREATE INDEX same ON marks (exercise, digest);
PRAGMA user_version = {VERSION};
PRAGMA application_id = {APPLICATION};
"""

PUT_MARK = f"INSERT INTO marks ({_names(MARK)}, run, here) VALUES ({_places(MARK)}, ?, 1)"
PUT_RULE = f"""INSERT INTO rules (learner, exercise, number, {_names(RULE)})
    VALUES (CAST(? AS TEXT), CAST(? AS TEXT), ?, {_places(RULE)})"""
KEY = "learner = CAST(? AS TEXT) AND exercise = CAST(? AS TEXT)"
MARKS = f"SELECT {_names(MARK)} FROM marks"
RULES = f"SELECT {_names(RULE)} FROM rules WHERE {KEY} ORDER BY number"


class Record:
    """The record in the file ``path``; ``write``: make it if there is none, and let no other process write or read it.

    Raises DataError if the file is no record, and RecordError if it can't be written.
    """

    def __init__(self, path: Path, *, write: bool = False) -> None:
        self.path, self.write, self.run = path, write, 0
        if not write or os.path.lexists(path):
            check_regular(path)
        with self._errors():
            mode = "rwc" if write else "rw"
            self.database = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", 0, uri=True, isolation_level=None)
            self.database.text_factory = lambda text: text.decode("utf-8", "surrogatepass")
        try:
            with self._errors():
                self._prepare()
        except BaseException:
            self.database.close()
            raise

    def _prepare(self) -> None:
        ask = self.database.execute
        if self.write or os.path.exists(f"{self.path}-wal"):  # the journal of a process that was killed, or had no room
            # one process alone: then the lock lasts as long as the process, and the journal needs no file of shared memory
            ask("PRAGMA locking_mode = EXCLUSIVE")
        version, application = (ask(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id"))
        empty = not version and not ask("SELECT 1 FROM sqlite_master").fetchone()
        if empty and not self.write:  # the process that made it was killed before it wrote anything
            wanted = f"a record of version {VERSION}; run the command that makes it once more"
            raise DataError(str(self.path), "a record that was never begun", wanted)
        if not empty and (version, application) != (VERSION, APPLICATION):
            found = f"a record of version {version}" if application == APPLICATION else "another file of SQLite"
            raise DataError(str(self.path), found, f"a record of version {VERSION}; choose another folder with --out")
        if not self.write:
            ask("PRAGMA query_only = ON")
            return
        for setting in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            ask(f"PRAGMA {setting}")
        self.database.executescript(f"BEGIN EXCLUSIVE; {TABLES if empty else ''} COMMIT;")
        self.run = int(self._value("run", 0)) + 1
        self._set("run", self.run)
        ask("CREATE TEMP TABLE seen (learner TEXT, exercise TEXT, PRIMARY KEY (learner, exercise)) WITHOUT ROWID")

    # Read

    def info(self) -> Info:
        """What is known about the last run."""
        with self._errors():
            found = self._value("info", {})
        exercises = tuple(ExerciseInfo(**each) for each in found.pop("exercises", ()))
        return Info(**found | {"exercises": exercises, "notes": tuple(found.get("notes", ()))})

    def marks(self, learner: str | None = None, *, vanished: bool = False) -> Iterator[Mark]:
        """All marks (of one ``learner``), by learner and exercise, one at a time.

        Those whose learner or file was no longer in the folder at the last whole run come only, and alone, if ``vanished``.
        """
        where, values = " WHERE here = ?", list[Any]([int(not vanished)])
        if learner is not None:
            where, values = f"{where} AND learner = CAST(? AS TEXT)", [*values, _bytes(learner)]
        with self._errors():
            for row in self.database.execute(f"{MARKS}{where} ORDER BY learner, exercise", values):
                yield self._mark(row)

    def learners(self) -> Iterator[str]:
        """All learners with a mark who were in the folder at the last whole run, in order."""
        with self._errors():
            for (learner,) in self.database.execute("SELECT DISTINCT learner FROM marks WHERE here ORDER BY learner"):
                yield learner

    def mark(self, learner: str, exercise: str) -> Mark | None:
        """One mark; None if there is none."""
        with self._errors():
            row = self.database.execute(f"{MARKS} WHERE {KEY}", (_bytes(learner), _bytes(exercise))).fetchone()
            return None if row is None else self._mark(row)

    def count(self, *, vanished: bool = False) -> int:
        """The number of `marks`."""
        with self._errors():
            return int(self.database.execute("SELECT count(*) FROM marks WHERE here = ?", (not vanished,)).fetchone()[0])

    def counts(self, column: str) -> dict[str, int]:
        """How many `marks` have which value in this column, such as "status"."""
        if column not in MARK:
            raise InputError("column", column, f"one of {', '.join(MARK)}")
        query = f'SELECT "{column}", count(*) FROM marks WHERE here GROUP BY 1 ORDER BY 1'
        with self._errors():
            return dict(self.database.execute(query).fetchall())

    def learner_count(self) -> int:
        """The number of `learners`."""
        with self._errors():
            return int(self.database.execute("SELECT count(DISTINCT learner) FROM marks WHERE here").fetchone()[0])

    @property
    def staging(self) -> str:
        """The folder in which the files of hand-ins lie while they are judged; "" if there is none."""
        with self._errors():
            return str(self._value("staging", ""))

    @staging.setter
    def staging(self, folder: str) -> None:
        with self._errors():
            self._set("staging", folder)

    def _mark(self, row: tuple[Any, ...]) -> Mark:
        values = _values(MARK, row)
        key = _bytes(values["learner"]), _bytes(values["exercise"])
        rules = (RuleMark(**_values(RULE, each)) for each in self.database.execute(RULES, key))
        return Mark(**values, rules=tuple(rules))

    # Write

    def finished(self, learner: str, exercise: str, digest: str, stamp: str) -> bool:
        """Whether there is a mark for these files, on which nothing has changed that marks depend on."""
        query = f"SELECT status FROM marks WHERE {KEY} AND digest = ? AND stamp = ?"
        with self._errors():
            row = self.database.execute(query, (_bytes(learner), _bytes(exercise), digest, stamp)).fetchone()
        return row is not None and row[0] != NOT_JUDGED

    def twin(self, exercise: str, digest: str, stamp: str, *, now: bool = False) -> Mark | None:
        """A mark for the same files of somebody else, if it doesn't depend on time; ``now``: if it was given in this run."""
        query = f"""{MARKS} WHERE exercise = CAST(? AS TEXT) AND digest = ? AND stamp = ? AND status NOT IN (?, ?) AND run >= ?
            AND NOT EXISTS (SELECT 1 FROM rules WHERE rules.learner = marks.learner
            AND rules.exercise = marks.exercise AND rules.status = ?) LIMIT 1"""
        values = _bytes(exercise), digest, stamp, NOT_JUDGED, TIMED_OUT, self.run if now else 0, TIMED_OUT
        with self._errors():
            row = self.database.execute(query, values).fetchone()
            return None if row is None else self._mark(row)

    def put(self, mark: Mark) -> None:
        """Put a mark in the place of an earlier one: all of it or nothing."""
        key = _bytes(mark.learner), _bytes(mark.exercise)
        rules = [(*key, number, *_row(RULE, rule)) for number, rule in enumerate(mark.rules)]
        with self._transaction():
            self.database.execute(f"DELETE FROM marks WHERE {KEY}", key)
            self.database.execute(PUT_MARK, (*_row(MARK, mark), self.run))
            self.database.executemany(PUT_RULE, rules)

    def saw(self, learner: str, exercise: str) -> None:
        """Note that there is something in the folder for this learner and exercise."""
        with self._errors():
            values = _bytes(learner), _bytes(exercise)
            self.database.execute("INSERT OR IGNORE INTO seen VALUES (CAST(? AS TEXT), CAST(? AS TEXT))", values)

    def saw_all(self, exercises: Iterable[str]) -> None:
        """Note that the folder holds nothing else for these exercises: all other marks are those of files that vanished."""
        names = [_bytes(name) for name in exercises]
        places = ", ".join(["CAST(? AS TEXT)"] * len(names))
        query = f"""UPDATE marks SET here = EXISTS (SELECT 1 FROM seen WHERE seen.learner = marks.learner
            AND seen.exercise = marks.exercise) WHERE exercise IN ({places})"""
        with self._transaction():
            self.database.execute(query, names)

    def set_info(self, info: Info) -> None:
        """Replace what is known about the last run."""
        with self._errors():
            self._set("info", asdict(info))

    def change_info(self, **changes: Any) -> None:
        """Replace some of what is known about the last run."""
        self.set_info(replace(self.info(), **changes))

    def _value(self, name: str, default: Any) -> Any:
        row = self.database.execute("SELECT value FROM info WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row[0])

    def _set(self, name: str, value: Any) -> None:
        self.database.execute("INSERT OR REPLACE INTO info VALUES (?, ?)", (name, json.dumps(value)))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._errors():
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.database.execute("COMMIT")
            except BaseException:
                if self.database.in_transaction:  # SQLite itself may have ended it, if the disk is full
                    with contextlib.suppress(sqlite3.Error):
                        self.database.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise a sentence for each error of SQLite."""
        try:
            yield
        except sqlite3.Error as error:
            what = str(error)
            if "locked" in what:
                advice = "wait until it has ended, or choose another folder with --out"
                raise RecordError(f"another process is writing {self.path}; {advice}") from error
            if "not a database" in what or "malformed" in what:
                advice = "a record made by kvmmmu-lab grade; choose another folder with --out"
                raise DataError(str(self.path), f"damaged, or no record ({what})", advice) from error
            advice = "make room or choose another folder with --out, and run the same command again: what was finished is kept"
            raise RecordError(f"{self.path} can't be {'written' if self.write else 'read'} ({what}); {advice}") from error

    def close(self) -> None:
        """Close the file. What was put is in it, even if there is no room to bring it into its usual order."""
        if self.write:
            with contextlib.suppress(sqlite3.Error):
                self.database.execute("PRAGMA journal_mode = DELETE")
        with contextlib.suppress(sqlite3.Error):
            self.database.close()

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _row(columns: dict[str, str], model: Mark | RuleMark) -> tuple[Any, ...]:
    """The values of a model for SQLite."""
    return tuple(_stored(name, getattr(model, name)) for name in columns)


def _stored(name: str, value: Any) -> Any:
    if name == PACKED:
        return zlib.compress(_bytes(value)) if value else b""
    if isinstance(value, tuple):
        return _bytes(json.dumps(value, ensure_ascii=False))
    return _bytes(value) if isinstance(value, str) else value


def _values(columns: dict[str, str], row: tuple[Any, ...]) -> dict[str, Any]:
    """The values of a model by name, from a row."""
    return {name: _read(name, kind, value) for (name, kind), value in zip(columns.items(), row, strict=True)}


def _read(name: str, kind: str, value: Any) -> Any:
    if name == PACKED:
        return inflated(value, MOST_BYTES).decode("utf-8", "surrogatepass") if value else ""
    if kind.startswith("tuple"):
        return tuple(json.loads(value))
    return bool(value) if kind == "bool" else value
