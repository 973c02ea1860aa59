# SPDX-License-Identifier: GPL-2.0-only
"""The golden traces agree with the engine, and a wrong value anywhere in one of them is noticed."""

import copy
import gzip
import json
import random
from functools import cache

import pytest

from kvmmmu_lab import DataError
from kvmmmu_lab.verify import verify_file
from kvmmmu_lab.verify.golden import read_operations, read_scenarios

from ..golden_files import FILES, GOLDEN
from ..share import one_in


@pytest.mark.parametrize("path", one_in(3, FILES, lambda path: path.name.partition(".")[0]))
def test_every_golden_file_has_0_differences(path):
    report = verify_file(path)
    assert report.ok and report.difference_count == 0, str(report)
    headers = [header for header, _ in read_scenarios(path)]
    assert report.compared["scenarios"] == len(headers)
    assert report.compared["operations"] == sum(header["nops"] for header in headers)
    assert report.compared["digest parts"] > 0 and report.compared["results"] > report.compared["operations"]


def test_all_eleven_files_are_here():
    assert len(FILES) == 11
    assert sum(header["nops"] for path in FILES for header, _ in read_scenarios(path)) == 17081


@pytest.mark.slow
@pytest.mark.parametrize("path", one_in(6, FILES, lambda path: path.name.partition(".")[0], pytest.mark.whole))
def test_audits_after_every_operation_are_as_recorded(path):
    report = verify_file(path, audit=True)
    assert report.ok, str(report)
    assert report.compared["audits"] > report.compared["operations"] - 2 * report.compared["scenarios"] - 9


def test_audits_after_every_operation_of_one_file_are_as_recorded():
    report = verify_file(GOLDEN / "wpmix.jsonl.gz", audit=True)
    assert report.ok, str(report)
    assert report.compared["audits"] > 1000


# Mutations


@cache
def scenario(name):
    """The header and the lines of a scenario."""
    return next((header, lines) for path in FILES for header, lines in read_scenarios(path) if header["name"] == name)


def whole(header, lines):
    """The lines of a file with this scenario alone, to be changed at will."""
    return copy.deepcopy([{**header, "t": "scenario"}, *lines, {"t": "end"}])


def lines_of(name, count=None):
    """Return the lines of a scenario; with ``count``, its first operations as a scenario of their own."""
    header, lines = scenario(name)
    if count is not None:
        lines = [line for line in lines if line["i"] < count]
        header = header | {"nops": count, "end": "open"}
    return whole(header, lines)


def write(path, lines):
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.writelines(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    return path


def noticed(path, lines):
    """Return whether a file with these lines is refused or has a difference."""
    try:
        return verify_file(write(path, lines)).difference_count > 0
    except DataError:
        return True


def spots(value, at=()):
    """Yield each place inside a value: its path, and wrong values for it."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from spots(below, (*at, key))
    elif isinstance(value, list):
        if value:
            yield at, [value[:-1], value[1:]]
        yield at, [[*value, 7]]
        for n, below in enumerate(value):
            yield from spots(below, (*at, n))
    elif isinstance(value, str):
        yield at, ["", value + "x", value[::-1]] if value != value[::-1] else ["", value + "x"]
    elif value is None or isinstance(value, bool):
        yield at, [1 - bool(value), 77]
    else:
        yield at, [value + 1, value ^ 1 << 40, -1 - value]


def put(lines, n, path, value):
    changed = list(lines)
    changed[n] = copy.deepcopy(lines[n])
    spot = changed[n]
    for key in path[:-1]:
        spot = spot[key]
    spot[path[-1]] = value
    return changed


INFORMATIVE = {"div", "agpa"}
"""Results that the format doesn't require of other implementations."""

OPTIONAL = INFORMATIVE | {"audit"}
"""Results that may be missing. A file contains an audit only if there are complaints; full states reveal a missing one."""

DIRECTED = [
    "wp0_read_fix_rmap_leak",
    "user_write_own_pt_one_fault_then_nonpaging",
    "user_write_root64",
    "nonpaging_writes_shadowed_pt",
    "slot_move_stale",
    "gp_checks",
    "quadrant_overzap",
    "same_page_many_roles",
]


def mutants(lines):
    """Yield (description, how to make the lines) for every single wrong value in results, digests and states."""

    def mutant(what, n, path, value):
        return f"line {n} {what}", lambda: put(lines, n, path, value)

    for n, line in enumerate(lines):
        if line["t"] == "op":
            for path, values in spots(line["r"], ("r",)):
                if path[1] not in INFORMATIVE:
                    yield from (mutant(f"{path} = {value}", n, path, value) for value in values[:2])
            for key in line["r"].keys() - OPTIONAL:
                if line["r"][key] not in (0, [], None):
                    yield mutant(f"without the result {key}", n, ("r",), without(line["r"], key))
            yield mutant("with an unknown result", n, ("r",), {**line["r"], "more": 1})
            for part in range(0, len(line.get("d", "")), 12):
                digit = "0" if line["d"][part + 5] != "0" else "1"
                yield mutant(f"digest {part // 12}", n, ("d",), line["d"][: part + 5] + digit + line["d"][part + 6 :])
            yield mutant("numbered wrongly", n, ("i",), line["i"] + 1)
        elif line["t"] == "state":
            for path, values in spots(line["state"], ("state",)):
                yield from (mutant(f"{path} = {value}", n, path, value) for value in values[:1])
            for part in line["state"]:
                yield mutant(f"without the part {part}", n, ("state",), without(line["state"], part))
            yield mutant("at another operation", n, ("i",), line["i"] - 1)


def without(values, key):
    return {other: value for other, value in values.items() if other != key}


def unnoticed(name, path, share):
    """Return the mutants that aren't noticed. One in ``share`` is tried, but at least ten."""
    lines = lines_of(name)
    assert verify_file(write(path, lines)).ok, "the scenario agrees before it is changed"
    found = list(mutants(lines))
    chosen = found[:: min(share, len(found) // 10)]
    return [what for what, make in chosen if not noticed(path, make())]


@pytest.mark.parametrize("name", one_in(2, DIRECTED))
def test_wrong_values_in_a_directed_scenario_are_noticed(name, tmp_path):
    assert unnoticed(name, tmp_path / "mutant", share=23) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", DIRECTED)
def test_each_wrong_value_in_a_directed_scenario_is_noticed(name, tmp_path):
    assert unnoticed(name, tmp_path / "mutant", share=1) == []


# every value of `directed` is tried above
OTHERS = [path for path in FILES if path.name.partition(".")[0] != "directed"]


@pytest.mark.slow
@pytest.mark.parametrize("path", one_in(6, OTHERS, lambda path: path.name.partition(".")[0], pytest.mark.whole))
def test_wrong_values_in_all_files_are_noticed(path, tmp_path):
    dice = random.Random(path.name)
    for header, lines in read_scenarios(path):
        for what, make in some(mutants(whole(header, lines)), 4, dice):
            assert noticed(tmp_path / "mutant", make()), f"{header['name']}: {what}"


def some(items, n, dice):
    """Return n random items, without a list of all items, since a scenario has tens of thousands of mutants."""
    kept = []
    for seen, item in enumerate(items):
        if seen < n:
            kept.append(item)
        elif (place := dice.randrange(seen + 1)) < n:
            kept[place] = item
    return kept


def one(name, tmp_path, change):
    lines = lines_of(name)
    change(lines)
    return noticed(tmp_path / "mutant", lines)


HEADERS = {
    "one operation more": {"nops": 11},
    "one operation fewer": {"nops": 9},
    "another end": {"end": "crash"},
    "an open end": {"end": "open"},
    "a crash that doesn't happen": {"crash": {"kind": "BUG", "fn": "rmap_write_protect"}},
    "audits inside faults": {"audit_auto": True},
}


@pytest.mark.parametrize("what", HEADERS)
def test_a_wrong_header_is_noticed(what, tmp_path):
    assert one("wp0_read_fix_rmap_leak", tmp_path, lambda lines: lines[0].update(HEADERS[what]))


CRASHES = {
    "of another kind, in the header": lambda lines: lines[0]["crash"].update(kind="BUG"),
    "of another kind, in the result": lambda lines: lines[-2]["r"]["crash"].update(kind="BUG"),
    "of another kind, in both": lambda lines: [
        lines[0]["crash"].update(kind="BUG"),
        lines[-2]["r"]["crash"].update(kind="BUG"),
    ],
    "elsewhere, in the header": lambda lines: lines[0]["crash"].update(fn="rmap_add"),
    "elsewhere, in the result": lambda lines: lines[-2]["r"]["crash"].update(fn="rmap_add"),
    "none in the header": lambda lines: lines[0].pop("crash"),
    "none in the result": lambda lines: lines[-2].update(r={"ret": 0}, d="0" * 72),
    "none at all": lambda lines: [
        lines[0].update(end="open"),
        lines[0].pop("crash"),
        lines[-2].update(r={}, d="0" * 72),
    ],
    "another end": lambda lines: lines[0].update(end="destroy"),
    "earlier than it happens": lambda lines: lines[2].update(r={"crash": lines[-2]["r"]["crash"]}),
}


@pytest.mark.parametrize("what", CRASHES)
@pytest.mark.parametrize("name", ["user_write_root64", "user_write_own_pt_one_fault_then_nonpaging"])
def test_a_wrong_crash_is_noticed(what, name, tmp_path):
    assert one(name, tmp_path, CRASHES[what])


def audited(lines):
    return next(line for line in lines if "audit" in line.get("r", {}))


AUDITS = {
    "another number": lambda lines: audited(lines)["r"]["audit"].update(n=9),
    "another kind": lambda lines: audited(lines)["r"]["audit"]["m"][0].__setitem__(0, "map"),
    "another fact": lambda lines: audited(lines)["r"]["audit"]["m"][0].__setitem__(1, 77),
    "one complaint more": lambda lines: audited(lines)["r"]["audit"]["m"].append(["wp", 1, 1]),
    "none": lambda lines: audited(lines)["r"].update(audit={"n": 0, "m": []}),
}


@pytest.mark.parametrize("what", AUDITS)
def test_a_wrong_audit_complaint_is_noticed(what, tmp_path):
    assert one("wp0_read_fix_rmap_leak", tmp_path, AUDITS[what])


def test_a_missing_complaint_is_noticed_at_full_states_and_with_audits_everywhere(tmp_path):
    lines = lines_of("wp0_read_fix_rmap_leak")
    for line in lines:
        line.get("r", {}).pop("audit", None)
    path = write(tmp_path / "mutant", lines)
    assert verify_file(path, audit=True).difference_count > 0
    assert verify_file(path).difference_count > 0, "at the full state"


def test_a_complaint_where_there_is_none_is_noticed(tmp_path):
    def complain(lines):
        lines[3]["r"]["audit"] = {"n": 1, "m": [["rmap", 1, 0]]}

    assert one("gp_checks", tmp_path, complain)


@pytest.mark.parametrize("log", [[["rmap", 1, 0]], {"n": 1, "m": [["rmap", 1, 0]]}], ids=["list", "number and list"])
def test_a_complaint_inside_a_fault_where_there_is_none_is_noticed(log, tmp_path):
    def complain(lines):
        line = next(line for line in lines if line.get("r", {}).get("nf"))
        line["r"]["alog"] = log

    assert one("l6410", tmp_path, complain), "audit_auto"
    assert one("gp_checks", tmp_path, complain), "no audits at all"


# Lines and files


@pytest.mark.parametrize("name", ["gp_checks", "user_write_root64"])
def test_each_lost_line_is_noticed_except_states(name, tmp_path):
    lines = lines_of(name)
    for n, line in enumerate(lines):
        if line["t"] != "state":
            assert noticed(tmp_path / "mutant", lines[:n] + lines[n + 1 :]), line


@pytest.mark.parametrize("name", ["gp_checks", "user_write_root64"])
def test_each_repeated_line_is_noticed_except_states(name, tmp_path):
    lines = lines_of(name)
    for n, line in enumerate(lines):
        if line["t"] != "state":
            assert noticed(tmp_path / "mutant", lines[: n + 1] + lines[n:]), line


def test_two_swapped_lines_are_noticed(tmp_path):
    lines = lines_of("gp_checks")
    for n in range(len(lines) - 1):
        swapped = [*lines[:n], lines[n + 1], lines[n], *lines[n + 2 :]]
        assert noticed(tmp_path / "mutant", swapped), n


def refused(path, *words):
    with pytest.raises(DataError) as error:
        verify_file(path)
    assert path.name in str(error.value)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("share", one_in(3, [0.1, 0.001, 0.5, 0.9999, 0.99]))
def test_a_truncated_file_is_refused(share, tmp_path):
    whole = (GOLDEN / "directed.jsonl.gz").read_bytes()
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path, "a complete gzip file")


def test_a_damaged_file_is_refused(tmp_path):
    whole = bytearray((GOLDEN / "directed.jsonl.gz").read_bytes())
    for at in (40, len(whole) // 2, len(whole) - 6):
        path = tmp_path / "damaged.jsonl.gz"
        damaged = whole.copy()
        damaged[at] ^= 0x55
        path.write_bytes(damaged)
        refused(path)


SCENARIO = '{"t":"scenario","name":"x"'
FOREIGN = {
    "nothing": (b"", "empty"),
    "a text": (b"hello\n", "golden trace"),
    "no archive": (b"PK\x03\x04 but no archive", "complete archive"),
    "nothing, packed": ("", "complete scenario"),
    "a text, packed": ("hello\n", "line 1", "JSON objects"),
    "no text": (gzip.compress(b"\xff\xfe\xfd\n"), "JSON lines"),
    "a list": ("[1, 2]\n", "line 1", "JSON objects"),
    "a number": ("7\n", "line 1", "JSON objects"),
    "null": ("null\n", "line 1", "JSON objects"),
    "no type": ("{}\n", "line 1", "'t'"),
    "an unknown type": ('{"t":"song"}\n', "song", "line 1"),
    "an end without a scenario": ('{"t":"end"}\n', "end", "line 1"),
    "a scenario without an end": (SCENARIO + "}\n", "complete scenario"),
    "a scenario without a header": (SCENARIO + '}\n{"t":"end"}\n', "operations"),
    "a scenario without operations": (SCENARIO + ',"nops":0,"end":"open"}\n{"t":"end"}\n', "create"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_file_of_another_kind_is_refused(what, tmp_path):
    content, *words = FOREIGN[what]
    path = tmp_path / "foreign"
    path.write_bytes(content if isinstance(content, bytes) else gzip.compress(content.encode()))
    refused(path, *words)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    refused(tmp_path / "nowhere.gz", "nowhere.gz")
    refused(tmp_path)


JUNK = [None, "x", 1.5, [], {}, -1, 1 << 70, True]


def worse(name, path, share):
    """Yield every exception other than DataError that junk in a field causes. (Junk in an operation may change nothing.)"""
    lines = lines_of(name)
    places = [(n, at) for n, line in enumerate(lines) for at in [(key,) for key in line if key != "t"]]
    places += [(n, ("op", key)) for n, line in enumerate(lines) for key in line.get("op", ())]
    for n, at in places:
        for junk in JUNK[(n + len(at)) % share :: share]:
            try:
                noticed(path, put(lines, n, at, junk))
            except Exception as error:
                yield f"line {n} {at} = {junk!r}: {error!r}"


@pytest.mark.parametrize("name", one_in(2, ["gp_checks", "slot_move_stale"]))
def test_junk_in_a_line_is_a_difference_or_a_data_error_and_never_a_traceback(name, tmp_path):
    assert list(worse(name, tmp_path / "mutant", share=4)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gp_checks", "slot_move_stale"])
def test_junk_anywhere_is_a_difference_or_a_data_error_and_never_a_traceback(name, tmp_path):
    assert list(worse(name, tmp_path / "mutant", share=1)) == []


@pytest.mark.parametrize("name", one_in(2, ["gp_checks", "slot_move_stale"]))
def test_a_missing_field_is_a_difference_or_a_data_error(name, tmp_path):
    lines = lines_of(name)
    for n, line in enumerate(lines):
        for key in line:
            assert noticed_without(tmp_path / "mutant", lines, n, (), key) or key in ("cat", "note", "audit_auto"), (
                n,
                key,
            )
        for key in line.get("op", ()):
            noticed_without(tmp_path / "mutant", lines, n, ("op",), key)


def noticed_without(path, lines, n, at, key):
    changed = list(lines)
    changed[n] = copy.deepcopy(lines[n])
    spot = changed[n]
    for step in at:
        spot = spot[step]
    del spot[key]
    return noticed(path, changed)


# The report


def test_a_difference_names_the_operation_and_both_values(tmp_path):
    lines = lines_of("gp_checks")
    n = next(n for n, line in enumerate(lines) if line.get("r", {}).get("gp"))
    lines[n]["r"]["gp"] += 41
    report = verify_file(write(tmp_path / "mutant", lines))
    first = report.differences[0]
    assert not report.ok and report.difference_count == 1
    assert "gp_checks" in first.where and f"operation {lines[n]['i']}" in first.where
    assert ("gp" in first.what, first.expected - first.got) == (True, 41)
    assert "expected" in str(report) and "1 difference" in str(report)


def test_a_wrong_digest_names_the_part_of_the_state(tmp_path):
    for n, part in enumerate(["mmu", "pages", "sptes", "rmap", "hash", "dirty"]):
        lines = lines_of("gp_checks")
        digest = lines[3]["d"]
        lines[3]["d"] = digest[: 12 * n] + "0" * 12 + digest[12 * n + 12 :]
        (difference,) = verify_file(write(tmp_path / "mutant", lines)).differences
        assert difference.what.endswith(f" {part}")


def test_the_report_as_json_contains_the_same_figures(tmp_path):
    lines = lines_of("gp_checks")
    lines[0]["nops"] += 1
    report = verify_file(write(tmp_path / "mutant", lines))
    shown = json.loads(json.dumps(report.as_dict(), default=str))
    assert (shown["ok"], shown["difference_count"], len(shown["differences"])) == (False, 1, 1)
    assert shown["compared"]["operations"] == 16


@pytest.mark.parametrize("name", ["directed", "pae"])
def test_the_operations_of_one_scenario_are_those_of_the_whole_file(name):
    path = GOLDEN / f"{name}.jsonl.gz"
    whole = {header["name"]: [line["op"] for line in lines if line["t"] == "op"] for header, lines in read_scenarios(path)}
    assert all(read_operations(path, scenario) == whole[scenario] for scenario in [*whole][::5])
    assert read_operations(path, "none of these") is None
