# SPDX-License-Identifier: GPL-2.0-only
"""What an export leaves out is reported at its end, with the numbers of the cells."""

import pytest

from kvmmmu_lab import cli
from kvmmmu_lab.publish.notices import Notices, report

from .books import code, saved, text


def test_notices_are_reported_once_each_in_the_order_of_the_cells():
    found = Notices()
    found.at(7)("the picture a.png is left out: there is no such file")
    found.add(2, "a row\nis shortened")
    found.add(0, "no formula is typeset")
    found.add(7, "the picture a.png is left out: there is no such file")
    assert report({"talk.ipynb": found, "other.ipynb": Notices()}).splitlines() == [
        "Look at these in talk.ipynb:",
        "  no formula is typeset",
        "  cell 2: a row\\nis shortened",
        "  cell 7: the picture a.png is left out: there is no such file",
    ]
    assert report({"talk.ipynb": Notices()}) == ""


@pytest.mark.parametrize(("option", "expected"), [((), 0), (("--strict",), 3)])
def test_slides_report_at_their_end_and_strict_exits_with_3(tmp_path, capsys, option, expected):
    path = saved(tmp_path, text("# T"), code("1"), text("![a plan](figs/gone.png)\n\n![](https://example.org/x.png)"))
    assert cli.main(["slides", str(path), "--out", str(tmp_path), "--no-execute", *option]) == expected
    end = capsys.readouterr().out.partition("Look at these")[2].splitlines()
    assert end == [
        " in talk.ipynb:",
        "  cell 3: the picture figs/gone.png is left out: there is no such file",
        "  cell 3: the picture https://example.org/x.png is left out: it is on the web, and nothing is fetched",
    ]
    assert 'data-cell="3"' in (tmp_path / "talk.html").read_text("utf-8")


def test_without_notices_strict_exits_with_0(tmp_path, capsys):
    path = saved(tmp_path, text("# T\n\nAll is shown."))
    assert cli.main(["slides", str(path), "--out", str(tmp_path), "--no-execute", "--strict"]) == 0
    assert "Look at" not in capsys.readouterr().out


def test_the_site_reports_lessons_and_exercises(tmp_path, capsys):
    (tmp_path / "notebooks").mkdir()
    saved(tmp_path / "notebooks", text("# One\n\n![](gone.png)"), name="01_one.ipynb")
    arguments = ["site", "--out", str(tmp_path / "out"), "--folder", str(tmp_path), "--no-execute"]
    assert cli.main([*arguments, "--strict"]) == 3
    assert "Look at these in 01_one.ipynb:\n  cell 1: the picture gone.png" in capsys.readouterr().out
