# SPDX-License-Identifier: GPL-2.0-only
"""The views for other tools: each is what its tool documents, whatever a submission says."""

import csv
import json
import re
from dataclasses import asdict
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvmmmu_lab.grade.mark import NOT_HANDED_IN, NOT_READABLE
from kvmmmu_lab.grade.views.gradescope import results, write_gradescope
from kvmmmu_lab.grade.views.json_lines import write_json_lines
from kvmmmu_lab.grade.views.junit import write_junit
from kvmmmu_lab.grade.views.learner_name import file_name
from kvmmmu_lab.grade.views.spreadsheet import FORMULA, write_grade_book, write_marks

from .samples import ATTACK, EXTRA, INFO, LATE, PICTURE, RIGHT, controls, in_order, mark, marks, texts, unjudged

ANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
SEVERAL = st.lists(marks, max_size=4).map(in_order)


# CSV


def rows_of(path):
    """Read a CSV file as a spreadsheet would."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, strict=True))


def test_the_table_has_a_row_for_each_mark(tmp_path):
    write_marks([mark(points=6), unjudged("bob")], tmp_path / "m.csv")
    head, ada, bob = rows_of(tmp_path / "m.csv")
    first = dict(zip(head, ada, strict=True))
    assert (first["learner"], first["points"], first["of"], first["first rule that failed"]) == ("ada", "6", "10", "many")
    assert dict(zip(head, bob, strict=True))["problem"] == "rmap_add.py: 9 bytes of 8"


def test_the_grade_book_has_a_row_for_each_learner_and_a_column_for_each_exercise(tmp_path):
    found = [mark(), mark(exercise="split", rules=[RIGHT], status="passed"), unjudged("bob")]
    write_grade_book(found, ["split", "rmap_add"], tmp_path / "g.csv")
    assert rows_of(tmp_path / "g.csv") == [
        ["learner", "split", "rmap_add", "points", "extra", "of"],
        ["ada", "6", "6", "12", "0", "16"],
        ["bob", "", "", "0", "0", "10"],
    ]


@pytest.mark.parametrize("name", ["a\nb", 'say "hi", twice', "a,b;c", "é\u3042", "a\r\nb"])
def test_odd_names_come_back_from_the_table(tmp_path, name):
    write_marks([mark(name)], tmp_path / "m.csv")
    assert rows_of(tmp_path / "m.csv")[1][0] == name.replace("\r", r"\r")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", "  =1", "\uff1d1", '=HYPERLINK("x")'])
def test_no_cell_is_taken_for_a_formula(tmp_path, name):
    for write in (write_marks, lambda found, path: write_grade_book(found, [], path)):
        write([mark(name)], tmp_path / "m.csv")
        cell = rows_of(tmp_path / "m.csv")[1][0]
        assert cell.startswith("'") and cell.lstrip("' \n").startswith(name.strip()[0])


@ANY
@given(SEVERAL)
def test_any_table_is_read_back_whole(tmp_path, found):
    write_marks(found, tmp_path / "m.csv")
    rows = rows_of(tmp_path / "m.csv")
    assert len(rows) == len(found) + 1 and {len(row) for row in rows} == {14}
    for row in rows:
        for cell in row:
            assert not FORMULA.match(cell) and controls(cell) == set()


# JSON Lines


@ANY
@given(SEVERAL)
def test_a_line_of_json_holds_all_but_the_picture(tmp_path, found):
    write_json_lines(found, tmp_path / "m.jsonl")
    content = (tmp_path / "m.jsonl").read_bytes()
    lines = content.decode("ascii").splitlines()
    assert len(lines) == len(found) == content.count(b"\n")
    for line, one in zip(lines, found, strict=True):
        read = json.loads(line)
        assert read.keys() == asdict(one).keys() - {"picture"} and len(read["rules"]) == len(one.rules)
        json.dumps(read, ensure_ascii=False).encode("utf-8")  # no lone surrogate: it would raise
        assert not set(one.learner) & set(map(chr, range(0xD800, 0xE000))) or read["learner"] != one.learner
        if one.learner.isprintable():
            assert read["learner"] == one.learner


# JUnit XML, by the rules of Jenkins' junit-10.xsd

RESULTS = {"skipped", "error", "failure"}
ALLOWED = {  # element: its parents, attributes that it must have, attributes that it may have
    "testsuites": ({None}, set(), {"name", "time", "tests", "failures", "errors"}),
    "testsuite": ({"testsuites"}, {"name", "tests", "failures", "errors"}, {"time", "skipped", "timestamp", "hostname", "id",
                  "package", "file", "log", "url", "group"}),
    "properties": ({"testsuite"}, set(), set()),
    "property": ({"properties"}, {"name", "value"}, set()),
    "testcase": ({"testsuite"}, {"name"}, {"time", "classname", "group"}),
    **{name: ({"testcase"}, set(), {"type", "message"}) for name in RESULTS},
    "system-out": ({"testsuite", "testcase"}, set(), set()),
}  # fmt: skip
TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


def check_junit(element, parent=None):
    """Check an element by the rules of the schema, and the counts of a suite."""
    parents, needed, optional = ALLOWED[element.tag]
    assert parent in parents and needed <= {*element.keys()} <= needed | optional, element.attrib
    if element.tag == "testsuite":
        assert TIME.fullmatch(element.get("time"))
        cases = element.findall("testcase")
        counts = [len(cases), *(len(element.findall(f"testcase/{name}")) for name in ("failure", "error", "skipped"))]
        assert [int(element.get(name)) for name in ("tests", "failures", "errors", "skipped")] == counts
    if element.tag in ("testsuites", "testsuite", "properties", "testcase"):
        assert not (element.text or "").strip()
    if element.tag == "testcase":
        assert len(element) <= 1 and float(element.get("time")) >= 0
    for child in element:
        check_junit(child, element.tag)


def junit(found, tmp_path):
    write_junit(found, tmp_path / "junit.xml")
    root = ET.parse(tmp_path / "junit.xml").getroot()
    check_junit(root)
    return root


def test_each_status_is_what_a_ci_system_means_by_it(tmp_path):
    found = [mark(rules=[RIGHT, LATE, EXTRA]), unjudged("bob"), unjudged("cy", status=NOT_HANDED_IN)]
    suites = junit([mark(), *found], tmp_path).findall("testsuite")
    assert [[result.tag for case in suite.findall("testcase") for result in case] for suite in suites] == [
        ["failure", "skipped"], ["error", "skipped"], ["error"], ["skipped"],
    ]  # fmt: skip
    assert suites[0].find("testcase/failure").get("message").startswith("After step 2")
    assert "1. add(#7:15)" in suites[0].find("testcase/failure").text
    assert suites[2].find("testcase/error").get("type") == NOT_READABLE


def test_a_name_with_dots_makes_no_packages(tmp_path):
    (suite,) = junit([mark("a.b.c")], tmp_path)
    assert {case.get("classname") for case in suite.findall("testcase")} == {"rmap_add.a_b_c"}


@ANY
@given(SEVERAL)
def test_any_junit_file_is_valid(tmp_path, found):
    suites = junit(found, tmp_path)
    assert len(suites) == len(found)
    text = (tmp_path / "junit.xml").read_text("utf-8")
    assert controls(text) == set() and "<script" not in text


# Gradescope, by its "Autograder Specifications"

FORMATS = {"text", "html", "simple_format", "md", "ansi"}
VISIBILITY = {"hidden", "after_due_date", "after_published", "visible"}
TOP = {
    "score": (int, float), "execution_time": (int, float), "output": str, "output_format": FORMATS,
    "test_output_format": FORMATS, "test_name_format": FORMATS, "visibility": VISIBILITY, "stdout_visibility": VISIBILITY,
    "extra_data": dict, "tests": list, "leaderboard": list,
}  # fmt: skip
TEST = {
    "score": (int, float), "max_score": (int, float), "status": {"passed", "failed"}, "name": str, "name_format": FORMATS,
    "number": str, "output": str, "output_format": FORMATS, "tags": list, "visibility": VISIBILITY, "extra_data": dict,
}  # fmt: skip


def check_gradescope(data):
    """Check results by the documented fields and values."""
    for fields, each in [(TOP, data), *((TEST, test) for test in data["tests"])]:
        assert each.keys() <= fields.keys()
        for name, value in each.items():
            assert value in fields[name] if isinstance(fields[name], set) else isinstance(value, fields[name]), name
    assert data["tests"] and all(isinstance(tag, str) for test in data["tests"] for tag in test["tags"])
    assert data["score"] == sum(test["score"] for test in data["tests"])


def test_gradescope_gets_a_test_for_each_rule_in_the_order_of_the_course(tmp_path):
    found = [mark(printed="hello"), mark(exercise="split", rules=[RIGHT], status="passed"), unjudged("bob")]
    write_gradescope(found, INFO, tmp_path)
    ada, bob = (json.loads((tmp_path / f"{name}.json").read_bytes()) for name in ("ada", "bob"))
    for data in (ada, bob):
        check_gradescope(data)
    assert [test["number"] for test in ada["tests"]] == ["01.1", "04.1", "04.2", "04.3"]
    assert [(test["score"], test["max_score"], test["status"]) for test in ada["tests"]][1:3] == [
        (6, 6, "passed"), (0, 4, "failed"),
    ]  # fmt: skip
    assert "kvmmmu-lab hint rmap_add" in ada["tests"][2]["output"] and "hello" in ada["output"]
    assert bob["tests"][0]["output"] == "rmap_add.py: 9 bytes of 8" and bob["score"] == 0


@ANY
@given(st.lists(marks, min_size=1, max_size=3))
def test_any_results_have_the_documented_fields(found):
    check_gradescope(results(found, INFO))
    text = json.dumps(results(found, INFO), ensure_ascii=False)
    text.encode("utf-8")
    assert controls(json.loads(text)["output"]) == set()


# Names of files


@pytest.mark.parametrize(
    "name", ["..", ".", "", "/etc/passwd", "a/../b", "CON", "nul", "a\nb", ATTACK, "x" * 500, "Ada", "é", "\0"]
)
def test_the_name_of_a_file_is_safe_everywhere(name):
    found = file_name(name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", found) and ".." not in found and found not in ("con", "nul")


@given(st.lists(texts, unique=True, min_size=2, max_size=8))
def test_different_learners_have_different_files_also_where_case_does_not_count(names):
    assert len({file_name(name).lower() for name in names}) == len(names)


def test_a_usual_name_stays_as_it_is_and_the_same_each_time():
    assert file_name("ada-l_1815") == "ada-l_1815"
    assert file_name("Ada Lovelace") == file_name("Ada Lovelace") != file_name("ada lovelace")
    assert file_name("Ada Lovelace").startswith("ada-lovelace.")


def test_pictures_are_not_in_the_lines(tmp_path):
    write_json_lines([mark(picture=PICTURE)], tmp_path / "m.jsonl")
    assert "picture" not in json.loads((tmp_path / "m.jsonl").read_bytes())
