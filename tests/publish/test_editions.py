# SPDX-License-Identifier: GPL-2.0-only
"""What only a notebook says is neither on pages nor on slides."""

import pytest

from kvmmmu_lab.publish.editions import exported_text


@pytest.mark.parametrize(
    ("source", "page", "slide"),
    [
        ("Plain <!-- slide: x --> text.", "Plain <!-- slide: x --> text.", "Plain <!-- slide: x --> text."),
        ("One. <!-- notebook -->Run it.<!-- /notebook --> Two.", "One. Two.", "One. Two."),
        ("A\n\n<!--notebook-->\nRun *this*.\n\nAnd this.\n<!--/notebook-->\n\nB", "A\n\n\n\nB", "A\n\n\n\nB"),
        ("A <!-- notebook -->run<!-- /notebook --> b <!-- notebook -->c<!-- /notebook --> d", "A b d", "A b d"),
        ("<!-- page: The film\nplays. -->", "The film\nplays.", ""),
        ("A<!-- live page:  live --><!-- static page:  here -->.", "Ahere.", "A."),
    ],
)
def test_the_editions_of_a_text(source, page, slide):
    notices = []
    assert exported_text(source, notices.append, page=True) == page
    assert exported_text(source, notices.append, page=False) == slide
    assert not notices


def test_a_page_says_how_to_run_the_code_where_the_course_runs_live():
    source = "Films play. <!-- live page: Open it live. --><!-- static page: Open a notebook. -->"
    assert exported_text(source, print, page=True, live=True) == "Films play. Open it live."
    assert exported_text(source, print, page=False, live=True) == "Films play. "


@pytest.mark.parametrize("source", ["A <!-- notebook --> B", "A <!-- /notebook --> B"])
def test_a_mark_without_its_counterpart_leaves_nothing_out_and_is_reported(source):
    notices = []
    assert exported_text(source, notices.append, page=True) == "A  B"
    assert "has no counterpart" in notices[0]
