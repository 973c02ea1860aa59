# SPDX-License-Identifier: GPL-2.0-only
"""Verify golden traces: operations executed by the kernel's own code, compiled for user space, with results and states.

A file contains gzipped JSON lines. A scenario consists of a header line (``"t": "scenario"``), its operations (``"op"``;
the first is ``create``), some full states (``"state"``), and a line ``"end"``. The line of an operation contains its
number ``i``, the operation ``op``, its result ``r``, and a digest ``d`` of the state after the operation: for each part of
the state in `inspect.dump`, the first 12 hex digits of its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, HostCrash
from ..files import MEGABYTE, gzip_lines, parse_json, reading
from ..inspect import dump
from ..mmu import Vm
from ..mmu import events as ev
from ..mmu.memory import FIRST_GUEST, FIRST_SHADOW
from ..mmu.pool import NUM_PAGES
from .operations import apply
from .report import FileReport

MakeVm = Callable[..., Vm]
DIGEST_WIDTH = 12
STORES = {ev.STORE, ev.EMULATED_STORE, ev.GUEST_ACCESSED, ev.GUEST_DIRTY}

MOST_TEXT, MOST_SCENARIO, LONGEST = 512 * MEGABYTE, 8 * MEGABYTE, 4 * MEGABYTE
"""The maximum size of a file's text, of one scenario and of a line. A scenario is held in memory as objects, which take up to
25 times as much. The largest of the kit's scenarios has 180 KB."""

JSON_LINES = "a complete gzip file of JSON lines"

NOT_RESULTS = {"audit", "alog", "div", "agpa", "crash"}
"""Keys of a result that `compare_result` skips, because they are informative or compared elsewhere."""


def verify_golden(path: Path, report: FileReport, audit: bool = False, make_vm: MakeVm = Vm) -> None:
    """Replay all scenarios of a file; compare results, digests and states. ``audit``: whether to audit after each operation."""
    category = None
    for header, lines in read_scenarios(path):
        category = category or header.get("cat")
        report.check(str(header.get("name")), "category (one for the whole file)", category, header.get("cat"))
        with reading(path, "operations in the format of golden traces", f"scenario {header.get('name')!r}"):
            ScenarioReplay(header, report, audit, make_vm).run(lines)
        report.count("scenarios")


def read_scenarios(path: Path) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Yield each scenario of a file as its header and the list of its operation and state lines. Raises DataError."""
    header: dict[str, Any] | None = None
    lines: list[dict[str, Any]] = []
    number = size = 0
    for number, text in enumerate(gzip_lines(path, MOST_TEXT, LONGEST), 1):
        with reading(path, "JSON objects with a type in 't'", f"line {number}"):
            line: dict[str, Any] = parse_json(text)
            kind = line["t"]
            if kind not in ("scenario", "op", "state", "end"):
                raise DataError(str(path), f"line {number}: {kind!r}", "a line of type scenario, op, state or end")
        if (kind == "scenario") == (header is not None):
            raise DataError(str(path), f"line {number}: {kind}", "alternating scenario and end lines")
        size = 0 if kind == "scenario" else size + len(text)
        if size > MOST_SCENARIO:
            raise DataError(str(path), f"line {number}: a scenario of more than {MOST_SCENARIO:,} bytes", "a smaller one")
        if kind == "scenario":
            header, lines = line, []
        elif kind == "end":
            assert header is not None
            yield header, lines
            header = None
        else:
            lines.append(line)
    if header is not None or not number:
        raise DataError(str(path), f"{number} lines", "a file that ends with a complete scenario")


def read_operations(path: Path, name: str) -> list[dict[str, Any]] | None:
    """The operations of one scenario of a file; None if the file has no such scenario. Raises DataError.

    The other scenarios, which take most of the time to parse, are skipped without a look at their lines.
    """
    found: list[dict[str, Any]] | None = None
    with reading(path, JSON_LINES):
        for text in gzip_lines(path, MOST_TEXT, LONGEST):
            if text.startswith(SCENARIO_LINE):
                if found is not None:
                    break
                found = [] if parse_json(text)["name"] == name else None
            elif found is not None and text.startswith(OPERATION_LINE):
                found.append(parse_json(text)["op"])
    return found


SCENARIO_LINE, OPERATION_LINE = '{"t":"scenario",', '{"t":"op",'
"""How the lines of scenarios and operations begin in the kit's golden traces."""


class ScenarioReplay:
    """The replay of one scenario on a new VM."""

    def __init__(self, header: dict[str, Any], report: FileReport, audit: bool, make_vm: MakeVm) -> None:
        self.header, self.report, self.audit, self.make_vm = header, report, audit, make_vm
        self.vm: Vm = None  # type: ignore[assignment]  # created by the first operation
        self.events: list[tuple] = []
        self.crash: HostCrash | None = None

    def run(self, lines: list[dict[str, Any]]) -> None:
        """Apply the lines in order and compare their results. No line may follow a crash."""
        name, ops = str(self.header["name"]), [line for line in lines if line["t"] == "op"]
        check = self.report.check
        check(name, "number of operations", self.header["nops"], len(ops))
        if not ops or ops[0]["op"]["op"] != "create":
            raise DataError(name, str(ops[:1])[:200], "a scenario that begins with the operation create")
        done = -1
        audits = bool(ops[0]["op"].get("audit"))
        check(name, "audits inside faults", self.header.get("audit_auto", audits), audits)
        for position, line in enumerate(lines, 1):
            where = f"{name}, operation {line['i']}"
            if line["t"] == "op":
                done += 1
                check(name, "number of the operation", done, line["i"])
                where += f" {compact(line['op'])}"
                self.operation(line, where)
                if self.vm.dead is not None or "crash" in line["r"]:
                    check(where, "lines after the end", 0, len(lines) - position)
                    break
            else:
                check(where, "position of a state line", done, line["i"])
                self.full_state(line["state"], where)
        crash = {"kind": self.crash.kind} if self.crash else None
        expected = self.header.get("crash")
        check(name, "crash in the header", expected and {"kind": expected["kind"]}, crash)
        last = ops[-1]["op"]["op"] == "destroy"
        check(name, "end", self.header["end"], "crash" if self.crash else "destroy" if last else "open")
        if self.crash is None:
            self.compare_memory(name)

    def operation(self, line: dict[str, Any], where: str) -> None:
        """Apply one operation, and compare its result, digests and audit with the file."""
        op, expected = line["op"], line["r"]
        self.report.count("operations")
        got: dict[str, Any] = {}
        try:
            self.apply(op, got)
        except HostCrash as crash:
            self.crash = crash
        expected_crash = expected.get("crash")
        if expected_crash or self.crash:
            self.report.count("crashes")
            self.report.check(where, "crash", expected_crash and expected_crash["kind"], self.crash and self.crash.kind)
            self.report.check(where, "crash in the header and in the result", self.header.get("crash"), expected_crash)
            self.report.check(where, "results besides the crash", [], sorted(expected.keys() - {"crash"}))
            return
        self.compare_result(op["op"], expected, got, where)
        if op["op"] == "destroy":
            self.report.check(where, "digest of rmap", line["d"], short_hash(compact(dump.rmap_part(self.vm))))
            return
        digests = self.digester.parts()
        recorded = [line["d"][i : i + DIGEST_WIDTH] for i in range(0, len(line["d"]), DIGEST_WIDTH)]
        self.report.count("digest parts", len(dump.PARTS))
        if digests != recorded:
            wrong = [part for part, a, b in zip(dump.PARTS, recorded, digests, strict=False) if a != b]
            self.report.differ(where, f"state after it, parts {', '.join(wrong) or 'missing'}", recorded, digests)
        self.expected_audit = expected.get("audit", {"n": 0, "m": []})
        if self.audit or "audit" in expected:
            self.compare_audit(where)
        if "alog" in expected or self.vm.audit_log:
            self.compare_alog(expected.get("alog", []), where)

    def compare_result(self, name: str, expected: dict[str, Any], got: dict[str, Any], where: str) -> None:
        """Compare all values in the result of an operation. A missing value counts as 0 or empty."""
        for key in {**expected, **got}:
            if key in NOT_RESULTS:
                continue
            a, b = expected.get(key) or 0, got.get(key) or 0
            if name == "gva2gpa" and key == "gpa":  # here, null means "unmapped", not 0
                a, b = (x.get("gpa", 0) for x in (expected, got))
            self.report.count("results")
            self.report.check(where, f"result {key!r}", a, b)

    def compare_audit(self, where: str) -> None:
        """Audit the VM. Compare the number of complaints, and the first six of them, with the file."""
        self.report.count("audits")
        got = self.vm.audit()
        listed = [[c.audit, *c.facts] for c in got]
        self.report.check(where, "audit", self.expected_audit, {"n": len(got), "m": listed[:6]})

    def compare_alog(self, expected: Any, where: str) -> None:
        """Compare the complaints of audits made during faults. The file has all of them, or their number and the first few."""
        got = [[c.audit, *c.facts] for _, complaints in self.vm.audit_log for c in complaints]
        self.vm.audit_log.clear()
        if isinstance(expected, dict):
            got = {"n": len(got), "m": got[: max(6, len(expected["m"]))]}  # type: ignore[assignment]
        self.report.count("audits inside faults")
        self.report.check(where, "audits inside the fault", expected, got)

    def full_state(self, expected: dict[str, Any], where: str) -> None:
        """Compare each part of a full state, then all of guest memory and the complaints of an audit."""
        got = json.loads(compact(dump.state(self.vm)))
        self.report.count("full states")
        self.report.check(where, "parts of the state", sorted(expected), sorted(got))
        for part in got:
            if part in expected:
                self.report.check(where, f"state, part {part}", expected[part], got[part])
        self.compare_memory(where)
        self.compare_audit(where)

    # Operations and guest memory

    def apply(self, op: dict[str, Any], got: dict[str, Any]) -> None:
        """Apply one operation, and add its result to ``got``."""
        name = op["op"]
        if name == "create":
            self.vm = self.make_vm([(base, n, bool(log)) for base, n, log in op["slots"]], audits=bool(op.get("audit")))
            self.vm.attach(self.events.append)
            self.digester = Digester(self.vm)
            self.mirror = np.zeros_like(self.vm.memory.pages[FIRST_GUEST:])
            got["setcr3"] = self.vm.stats.root_loads
            return
        vm = self.vm
        before = (vm.stats.tlb_flushes, vm.stats.root_loads, vm.stats.gp)
        self.events.clear()
        vm.injected.clear()  # a refused operation doesn't clear them
        apply(vm, op, got)
        if name == "set_slot":
            self.digester.forget()
        after = (vm.stats.tlb_flushes, vm.stats.root_loads, vm.stats.gp)
        got |= {key: b - a for key, a, b in zip(("tlb", "setcr3", "gp"), before, after, strict=True)}
        got["inj"] = [list(fault) for fault in vm.injected]
        got["mem"] = self.changed_words(report=name not in ("poke", "destroy"))

    def changed_words(self, report: bool) -> list[list[int]]:
        """Update the mirror of guest memory. Return [gpa, value] for each word that changed, sorted by slot and gpa.

        If ``report`` is false, return an empty list.
        """
        pages = self.vm.memory.pages[FIRST_GUEST:]
        if len(pages) > len(self.mirror):
            self.mirror = np.concatenate([self.mirror, np.zeros_like(pages[len(self.mirror) :])])
        words, mirror = self.vm.memory.words, self.mirror.reshape(-1)
        touched = {event[1] >> 3 for event in self.events if event[0] in STORES or event[0] is ev.POKE}
        changed = []
        for word in sorted(touched):
            if int(mirror[word - (FIRST_GUEST << 9)]) != words[word]:
                mirror[word - (FIRST_GUEST << 9)] = words[word]
                number, gpa = self._place(word << 3)
                changed.append((number, gpa, words[word]))
        return [[gpa, value] for _, gpa, value in sorted(changed)] if report else []

    def _place(self, hpa: int) -> tuple[int, int]:
        """Return the number of the slot that contains a host physical address, and its gpa."""
        for number, slot in enumerate(self.vm.memory.slots):
            if slot.hfn <= hpa >> 12 < slot.hfn + slot.npages:
                return number, hpa - (slot.hfn - slot.base << 12)
        return len(self.vm.memory.slots), hpa

    def compare_memory(self, where: str) -> None:
        """Check that guest memory has changed only where operations reported a change."""
        self.report.count("guest memories")
        pages, step = self.vm.memory.pages[FIRST_GUEST:], 1 << 14  # compare in pieces, since a slot may be huge
        pieces = (slice(at, at + step) for at in range(0, len(pages), step))
        if not all(np.array_equal(pages[piece], self.mirror[piece]) for piece in pieces):
            self.report.differ(where, "guest memory", "only reported changes", "a change that was not reported")


# Digests


class Digester:
    """Computes digests of a VM's state after each operation.

    Formatting the whole state takes several ms, so the text of a shadow page is cached until its words change.
    """

    def __init__(self, vm: Vm) -> None:
        self.vm = vm
        self.forget()

    def forget(self) -> None:
        """Drop the cached texts. After a change of slots, the same words may refer to other frames."""
        self.seen = np.zeros((NUM_PAGES, 512), dtype=np.uint64)
        self.texts = [""] * NUM_PAGES

    def sptes(self) -> str:
        """Return the JSON text of the state's part ``sptes``."""
        now = self.vm.memory.pages[FIRST_SHADOW : FIRST_SHADOW + NUM_PAGES]
        for id in np.flatnonzero((now != self.seen).any(axis=1)).tolist():
            entries = dump.page_entries(self.vm, id)
            self.texts[id] = compact([id, entries]) if entries else ""
            self.seen[id] = now[id]
        return f"[{','.join(filter(None, self.texts))}]"

    def parts(self) -> list[str]:
        """Return the six digests, in the order of `inspect.dump.PARTS`."""
        vm = self.vm
        texts = (
            compact(dump.mmu_part(vm)),
            compact(dump.pages_part(vm)),
            self.sptes(),
            compact(dump.rmap_part(vm)),
            compact(dump.hash_part(vm)),
            compact(dump.dirty_part(vm)),
        )
        return [short_hash(text) for text in texts]


def compact(value: Any) -> str:
    """Return a value as JSON without spaces. This is the form that is hashed."""
    return json.dumps(value, separators=(",", ":"))


def short_hash(text: str) -> str:
    """Return the first 12 hex digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_WIDTH]
