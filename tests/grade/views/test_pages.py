# SPDX-License-Identifier: GPL-2.0-only
"""The pages: well-formed, whatever a submission says; they run and fetch nothing, and tell what a reader needs."""

import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from html.parser import HTMLParser
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvmmmu_lab.draw.theme import stylesheet
from kvmmmu_lab.grade.mark import NOT_HANDED_IN, NOT_JUDGED, RuleMark
from kvmmmu_lab.grade.record import Record
from kvmmmu_lab.grade.views import class_page
from kvmmmu_lab.grade.views.class_page import write_class_page
from kvmmmu_lab.grade.views.class_summary import ClassSummary
from kvmmmu_lab.grade.views.failing_case import drawn
from kvmmmu_lab.grade.views.learner_name import file_name
from kvmmmu_lab.grade.views.learner_page import learner_page, write_learner_pages
from kvmmmu_lab.grade.views.markup import script, style
from kvmmmu_lab.grade.views.report_folder import write_views
from kvmmmu_lab.publish.template import asset

from .samples import ATTACK, EXTRA, INFO, LATE, PICTURE, RIGHT, WRONG, controls, in_order, mark, marks, unjudged

VOID = {"meta", "link", "br", "hr", "img", "input", "source", "wbr"}
INLINE = {"a", "b", "bdi", "code", "span"}
ATTRIBUTES = {
    "lang", "charset", "name", "content", "http-equiv", "rel", "href", "id", "class", "style", "scope", "tabindex", "role",
    "aria-label", "aria-hidden", "aria-sort", "start", "src", "srcset", "media", "alt", "width", "height", "title", "type",
    "autocomplete", "hidden", "data-value", "data-key", "xmlns", "viewbox", "d", "x", "y", "rx", "points", "transform", "cx",
    "cy", "r", "stroke-width",
}  # fmt: skip


class Checker(HTMLParser):
    """Raises AssertionError unless a page is well-formed, and runs and fetches nothing but the kit's own script."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.scripts, self.text, self.ids, self.links = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)) and {*names} <= ATTRIBUTES, (tag, names)
        assert tag not in ("iframe", "object", "embed", "base", "form"), tag
        found = dict(attributes)
        assert controls("".join(filter(None, found.values()))) == set(), found
        self.ids += [value for name, value in attributes if name == "id"]
        for name in ("href", "src", "srcset"):
            address = found.get(name, "data:")
            files = r"(gradebook\.csv|marks\.csv|marks\.jsonl|junit\.xml|\.\./index\.html)$"
            assert re.match(rf"#|data:|learners/[a-z0-9][a-z0-9._-]*\.html(#|$)|{files}", address), address
            self.links += [address] * (name == "href" and address != "data:,")
        self.text += [" "] * (tag not in INLINE)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.open)

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif not self.open or self.open[-1] != "style":
            self.text.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def unknown_decl(self, data):
        raise AssertionError(f"a declaration: {data}")


def checked(page):
    """Check a page, and return its parser."""
    parser = Checker()
    parser.feed(page)
    parser.close()
    assert parser.open == [] and controls("".join(parser.text)) == set()
    assert parser.scripts in ([], [script()])
    assert len(parser.ids) == len(set(parser.ids)), parser.ids
    assert {link[1:] for link in parser.links if link.startswith("#")} <= {*parser.ids}
    return parser


def text_of(page):
    return " ".join("".join(checked(page).text).split())


def learner(*found, name="ada"):
    """The text of a learner's page."""
    return text_of(learner_page(name, found, INFO))


def written(found, info=INFO):
    """The class page of these marks."""
    with tempfile.TemporaryDirectory() as folder:
        write_class_page(in_order(found), info, Path(folder) / "index.html")
        return (Path(folder) / "index.html").read_text("utf-8")


@pytest.fixture
def class_text():
    """A function that writes the class page and returns its text."""
    return lambda *found: text_of(written(found))


ANY = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


# Any text in any field


@ANY
@given(st.lists(marks, min_size=1, max_size=3).map(in_order))
def test_any_learners_page_is_well_formed_and_runs_nothing(found):
    for name, own in groupby(found, lambda one: one.learner):
        checked(learner_page(name, own, INFO))


@ANY
@given(found=st.lists(marks, max_size=4).map(in_order))
def test_any_class_page_is_well_formed_and_runs_nothing(found, tmp_path, monkeypatch):
    monkeypatch.setattr(class_page, "_chart", lambda chart: [f"<p>{len(chart.rows)}</p>"])  # it would take most of the time
    write_class_page(found, INFO, tmp_path / "index.html")
    checked((tmp_path / "index.html").read_text("utf-8"))


@pytest.mark.slow
def test_a_page_with_its_plots_is_well_formed(class_text):
    assert "Of 2 learners, 0 have all 10 points" in class_text(mark(), mark("bob"))


def test_an_attack_in_every_field_is_shown_as_text():
    rule = RuleMark(ATTACK, ATTACK, "failed", 0, 4, False, ATTACK, ATTACK, ATTACK, *[(ATTACK,)] * 3, "raised", ATTACK)
    one = mark(ATTACK, rules=[rule], file=ATTACK, notes=(ATTACK,), printed=ATTACK, print_count=99, versions=ATTACK)
    page = learner_page(ATTACK, [one], INFO)
    assert "<script" not in page and "\\u202e" in page and "&lt;script&gt;alert(1)" in page
    checked(page)


def test_the_only_script_is_the_kits_and_a_policy_says_so(tmp_path):
    write_class_page([mark()], INFO, tmp_path / "index.html")
    for page in ((tmp_path / "index.html").read_text("utf-8"), learner_page("ada", [mark()], INFO)):
        (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
        assert "default-src 'none'" in policy and "unsafe-inline" not in policy.partition("script-src")[2]
    assert "<script" not in learner_page("ada", [mark()], INFO)


# A learner's page


def test_it_says_what_went_wrong_with_steps_both_sides_and_a_way_on():
    said = learner(mark())
    for words in ("ada: 6 of 10 points", "04 Reverse maps", "1 of 2 rules is met",
                  "Fix this first The rule: more than four entries of a frame",
                  "After step 2, add(#7:16): the reverse map", "a PAE guest", "add(#7:15) [PW]", "Expected", "With your code",
                  "kvmmmu-lab hint rmap_add", "kvmmmu-lab check rmap_add", "the guest's number"):  # fmt: skip
        assert words in said, words


def test_the_failing_case_is_drawn_once_for_each_side_with_its_text_alternative():
    page = learner_page("ada", [mark(picture=PICTURE)], INFO)
    assert page.count('class="kvmmmu-drawing"') == 2 and "#7:15" in page
    names = re.findall(r'<svg [^>]*aria-label="([^"]*)"', page)
    assert len(names) == 2 and all("the map" in name for name in names)
    checked(page)


def test_what_is_no_picture_is_told_in_text():
    assert drawn("[1, 2]") is None and drawn("") is None and drawn("{}") is None
    assert "* #7:15" in learner(mark(picture="[]"))


def test_only_the_rule_to_fix_first_has_the_picture():
    other = replace(WRONG, rule="other", behaviour="something else")
    page = learner_page("ada", [mark(rules=[WRONG, RIGHT, other], picture=PICTURE)], INFO)
    assert page.count('class="kvmmmu-drawing"') == 2 and "1 other rule that is not met" in page


def test_rules_that_fail_for_the_same_reason_are_told_once():
    crash = replace(
        WRONG, kind="raised", status="crashed", behaviour="raises KeyError", message="Your code raises KeyError", steps=()
    )
    said = learner(mark(rules=[crash, replace(crash, rule="b"), replace(crash, rule="c")]))
    assert said.count("Your code raises KeyError") == 1 and "2 other rules fail for the same reason." in said
    assert "The rule:" not in said and "The rule:" in learner(mark(rules=[RIGHT, crash]))


def test_rules_that_fail_in_the_same_way_are_not_repeated():
    brief = replace(WRONG, rule="b", steps=(), message="The reverse map of gfn 0x20 has lost spte #7:1")
    explained = replace(WRONG, behaviour=f"{WRONG.behaviour} [2 calls: add(...)]")
    said = learner(mark(rules=[explained, brief, replace(brief, rule="c", behaviour="frames() lacks hfn ...")]))
    assert "1 other rule fails in the same way." in said and "1 other rule that is not met" in said


def test_what_to_fix_first_stands_before_the_rules():
    said = learner(mark())
    assert said.index("Fix this first") < said.index("The rules") < said.index("How this was checked")


def test_a_file_that_never_loads_is_one_reason_and_no_matter_of_a_rule(class_text):
    rules = [replace(LATE, rule="one", behaviour="stuck"), *(replace(LATE, rule=name, kind="untried") for name in "ab")]
    late = mark(rules=rules, status="timed out")
    said = learner(late)
    assert "Your file never finished loading, so no rule could be tested." in said
    assert said.count("· not tried") == 3 and "The rule:" not in said and "not met" not in said
    page = class_text(late, mark("bob"))
    assert "1 of 2, 04 Reverse maps: all rules fail for one reason, so they are not counted below: ada" in page
    assert "1 of 1 0 more than four entries" in page


def test_an_extra_rule_is_optional(class_text):
    wrong = replace(WRONG, rule="store", extra=True, of=2)
    for rule in (EXTRA, wrong):
        said = learner(mark(rules=[RIGHT, rule], status="passed"))
        assert "2 extra points, which you do not need for 6 of 6: · optional 0 of 2" in said and "✗" not in said
    page = class_text(mark(rules=[RIGHT, EXTRA]), mark("bob", rules=[RIGHT, wrong]))
    assert "(2 points): met by 0 of 1 who attempted it" in page and "Every rule is met by all." in page


def test_who_handed_in_nothing_is_not_told_of_a_check():
    said = learner(unjudged(status=NOT_HANDED_IN))
    assert "compare its name with this one" in said and "How this was checked" not in said and "seed" not in said


def test_the_command_that_repeats_many_calls_has_the_seed():
    many = replace(WRONG, steps=("add(#7:12) to add(#9:87)",), calls=1100)
    assert "This repeats these 1,100 calls and all other tests, now and after a change: kvmmmu-lab check rmap_add --seed 7" in (
        learner(mark(rules=[many]))
    )


def test_a_full_mark_needs_no_fixing():
    said = learner(mark(rules=[RIGHT, EXTRA], status="passed"))
    assert "6 of 6 points" in said and "Fix this first" not in said and "hint" not in said


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (unjudged(), "could not be read, so no rule was tried. Mend it and hand it in again. Why: rmap_add.py: 9 bytes of 8."),
        (
            unjudged(status=NOT_JUDGED, problem="it ended twice"),
            "need not be your fault: tell your instructor. Why: it ended twice.",
        ),
        (
            unjudged(status=NOT_HANDED_IN),
            "No file of yours was found for this exercise, so nothing was run. Expected: a file rmap_add.py or rmap_add.ipynb.",
        ),
        (mark(rules=[EXTRA], status="not attempted"), "Nothing is written yet"),
        (mark(rules=[LATE], status="timed out"), "did not end in time"),
    ],
)
def test_each_status_is_explained(one, words):
    assert words in learner(one)


def test_several_exercises_are_in_the_order_of_the_course():
    said = learner(mark(), mark(exercise="split", rules=[RIGHT], status="passed"))
    assert "ada: 12 of 16 points" in said and said.index("01 Split an address:") < said.index("04 Reverse maps:")


def test_there_is_a_page_for_each_learner(tmp_path):
    write_learner_pages(in_order([mark(), mark(exercise="split"), mark("b\nc"), mark(ATTACK)]), INFO, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{file_name(name)}.html" for name in ("ada", "b\nc", ATTACK)}


def test_the_colours_are_the_houses_and_dark_ones_need_no_script():
    dark = "@media screen and (prefers-color-scheme: dark)"
    assert style().count(dark) == 3 and "data-jp-theme-light" not in style() and ".kvmmmu-dark" not in style()
    for css in (asset("theme.css"), stylesheet()):
        assert {*re.findall(r"#[0-9A-Fa-f]{6}", css)} <= {*re.findall(r"#[0-9A-Fa-f]{6}", style())}


# The class page


def test_it_tells_the_marks_the_rules_and_the_wrong_behaviours(class_text):
    short = replace(WRONG, steps=("add(#7:1)",), message="add(#7:1): short")
    right = mark("full", rules=[RIGHT], status="passed")
    said = class_text(right, *(mark(f"l{n}", rules=[RIGHT, short if n == 3 else WRONG]) for n in range(8)))
    assert "9 learners" in said and "8 of 8 0 more than four entries of a frame 04 Reverse maps, rule many" in said
    assert "8 learners: the reverse map of gfn ... has lost spte ..." in said and "l0, l1, l2, l3, l4 and 3 more" in said
    assert "add(#7:1): short" in said and "add(#7:16)" not in said


def test_the_shortest_example_is_that_with_the_fewest_calls(class_text):
    one_step = replace(WRONG, steps=("add(#7:12) to add(#7:20)",), calls=9, message="nine calls")
    five = replace(WRONG, steps=("add(#7:1)",) * 5, calls=5, message="five calls")
    said = class_text(mark("ann", rules=[one_step]), mark("bob", rules=[five]))
    assert "five calls" in said and "nine calls" not in said and "The shortest example: bob, 5 calls" in said


def test_a_table_shows_who_failed_which_rule():
    one = replace(INFO, exercises=INFO.exercises[1:])
    other = replace(WRONG, rule="late", status="crashed")
    found = [mark("ann", rules=[RIGHT, WRONG]), mark("bob", rules=[RIGHT, WRONG, other]), unjudged("eve")]
    page = written(found, one)
    assert re.findall(r'<th scope="col" class="number" title="[^"]*">(\w+)</th>', page) == ["one", "many", "late"]
    table = page.partition('<table id="learners">')[2]
    rows = [re.findall(r'<td class="([a-z ]*)" title="(\w+): \w+">', row) for row in table.split("<tr>")[2:]]
    assert rows == [
        [("passed", "one"), ("failed first", "many")],
        [("passed", "one"), ("failed first", "many"), ("crashed", "late")],
        [],
    ]


def test_the_other_files_and_the_way_back_are_linked(tmp_path):
    write_views(lambda: iter([mark()]), INFO, tmp_path)
    page = checked((tmp_path / "index.html").read_text("utf-8"))
    files = {link for link in page.links if not link.startswith(("#", "data:", "learners/"))}
    assert files == {"gradebook.csv", "marks.csv", "marks.jsonl", "junit.xml"}
    assert all((tmp_path / name).is_file() for name in files)
    assert "../index.html" in checked((tmp_path / "learners" / "ada.html").read_text("utf-8")).links


def test_only_the_first_failure_of_a_hand_in_counts_as_a_behaviour(class_text):
    other = replace(WRONG, rule="other", behaviour="something else")
    assert "something else" not in class_text(mark(rules=[WRONG, other]))


@pytest.mark.parametrize(
    ("kind", "message", "tried"),
    [
        ("forbidden", "Your code tried to start another process (os.system), which is not allowed", "start another process"),
        ("forbidden", "Add(): your code tried to use the network (socket.connect), which is", "use the network"),
        ("forbidden", "Your code tried to change /etc/x, outside its folder, which", "change files outside its folder"),
        ("forbidden", "Your code tried to read /etc/x, which is not", "read files outside its folder"),
        ("raised", "Your code raises OSError: [Errno 101] no (during a check, there is no network)", "use the network"),
        ("raised", "Your code raises FileNotFoundError: [Errno 2] No such file or directory: '/etc/shadow' (during a check, "
         "only files that are taken along with your code can be read)", "read files outside its folder"),
        ("raised", "Your code raises ModuleNotFoundError: No module named 'kvmmmu_lab.check.judge'", "load a part"),
        ("died", "Your code ended its process (exit status 0)", "end the checked process"),
        ("damaged", "The process with your code sent something that is not an answer to the checker", "answer in the place"),
    ],
)  # fmt: skip
def test_what_a_check_refuses_is_listed(class_text, kind, message, tried):
    rule = replace(WRONG, kind=kind, message=message)
    said = class_text(mark("bob"), mark(rules=[rule, rule]))
    assert re.search(rf"1 learner: the code tried to {tried}[^:]*: ada", said), said


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("raised", "Your code raises FileNotFoundError: [Errno 2] No such file or directory: 'table.txt' (during a check, "
         "only files that are taken along with your code can be read)"),
        ("raised", "Your code raises SystemExit: 0"),
        ("died", "Your code ended its process (signal 6 (Aborted))"),
        ("raised", "Your code raises ValueError: your code tried to use the network"),
        ("differs", "The reverse map of gfn 0x1f lacks spte #7:12"),
    ],
)  # fmt: skip
def test_a_mistake_is_not_listed_as_something_refused(class_text, kind, message):
    rule = replace(WRONG, kind=kind, message=message)
    assert "the code tried to" not in class_text(mark(rules=[rule]))


def test_time_outs_twins_and_what_was_not_judged_are_listed(class_text):
    found = [mark("ann", digest="cd" * 32), mark("bob", rules=[LATE], status="timed out"), mark("cy"), mark("dan"),
             unjudged("eve"), unjudged("fay", status=NOT_HANDED_IN)]  # fmt: skip
    said = class_text(*found)
    assert "1 learner, 04 Reverse maps: bob" in said.partition("Time-outs")[2]
    assert "3 learners, 04 Reverse maps: bob, cy, dan" in said
    assert "1 learner, ? not readable: rmap_add.py: 9 bytes of 8: eve" in said and "○ not handed in: fay" in said


def test_the_file_as_given_out_is_no_twin(class_text):
    rules = [EXTRA]
    found = [mark(name, rules=rules, status="not attempted") for name in ("ann", "bob")]
    assert "2 learners, 04" not in class_text(*found)


def test_it_says_what_isolation_was_in_force(class_text):
    said = class_text(mark(), mark("bob", isolation="bubblewrap exists for Linux only"))
    assert "1 hand-in behind the wall" in said
    assert "1 hand-in without the wall, where only Python itself refuses: bubblewrap exists for Linux only" in said


def test_without_matplotlib_the_numbers_stand_alone(class_text, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    from kvmmmu_lab.plots import chart

    chart._matplotlib.cache_clear()
    try:
        assert "plots need Matplotlib" in class_text(mark())
    finally:
        chart._matplotlib.cache_clear()


def test_a_class_without_marks_has_a_page(class_text):
    assert "There are no marks yet." in class_text()


def test_a_table_that_no_browser_could_show_is_cut_and_says_so(class_text, monkeypatch):
    monkeypatch.setattr(class_page, "MOST_ROWS", 2)
    said = class_text(*(mark(f"l{n}") for n in range(4)))
    assert "These are the first 2 of 4." in said and "l1 6 of 10" in said and "l2 6 of 10" not in said


# Size


@pytest.mark.slow
def test_what_is_kept_for_the_class_page_does_not_grow_with_the_class():
    def kept(count):
        summary = ClassSummary()
        odd = (replace(WRONG, behaviour=f"raises E{n}", message="x" * 1000) for n in range(count))
        for _ in summary.watch(mark(f"l{n}", rules=[rule], digest=f"{n:064x}") for n, rule in enumerate(odd)):
            pass
        (exercise,) = summary.exercises.values()
        return len(exercise.behaviours)

    assert kept(50) == 50 and kept(20_100) < 20_001


def test_all_views_are_written_whole_and_read_the_marks_one_by_one(tmp_path):
    alive = 0

    def read():
        nonlocal alive
        for one in in_order([mark(), mark(exercise="split", rules=[RIGHT]), unjudged("bob"), mark("cy", "unknown")]):
            alive += 1
            yield one

    write_views(read, INFO, tmp_path)
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    pages = {f"{folder}/{name}.{kind}" for name in ("ada", "bob", "cy") for folder, kind in
             (("learners", "html"), ("gradescope", "json"))}  # fmt: skip
    assert there == pages | {"marks.csv", "gradebook.csv", "marks.jsonl", "junit.xml", "index.html"}
    assert "unknown" in (tmp_path / "gradebook.csv").read_text("utf-8-sig").splitlines()[0]
    assert alive == 4 * 8


def test_a_view_that_fails_leaves_the_old_file(tmp_path):
    (tmp_path / "index.html").write_text("old")

    def read():
        yield mark()
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write_class_page(read(), INFO, tmp_path / "index.html")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_the_views_of_a_record_are_the_same_each_time(tmp_path):
    with Record(tmp_path / "record.sqlite", write=True) as record:
        for one in (mark("cy"), mark(ATTACK.replace("\ud800", ""), picture=PICTURE), unjudged("bob"), mark(exercise="split")):
            record.put(one)
        record.set_info(INFO)
        for name in ("a", "b"):
            write_views(record.marks, record.info(), tmp_path / name)
    first, second = (
        {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file()}
        for name in ("a", "b")
    )
    assert len(first) == 13 and first == second


def test_the_views_load_no_expected_results_before_they_are_written():
    program = "import sys, kvmmmu_lab.grade.views.report_folder; from kvmmmu_lab.check.sandbox.forkserver import JUDGES"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; print([name for name in JUDGES if name in sys.modules])"],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n", done.stderr
