# SPDX-License-Identifier: GPL-2.0-only
"""A user's style sheet becomes a part of the deck."""

import pytest

from kvmmmu_lab.errors import DataError
from kvmmmu_lab.publish.notices import Notices
from kvmmmu_lab.publish.own_css import file_url, own_css


def test_fonts_and_pictures_of_a_style_sheet_are_embedded(tmp_path):
    (tmp_path / "my font.woff2").write_bytes(b"abc")
    (tmp_path / "own.css").write_text(
        "@font-face { src: url('my%20font.woff2') } a { background: url(data:image/png;base64,AA) }"
    )
    assert own_css(tmp_path / "own.css", print) == (
        "@font-face { src: url(data:font/woff2;base64,YWJj) } a { background: url(data:image/png;base64,AA) }"
    )


def test_what_a_browser_would_fetch_is_left_out_with_a_notice(tmp_path):
    (tmp_path / "own.css").write_text(
        '@import "https://example.org/a.css"; a { background: url(https://example.org/b.png) }</style>'
    )
    notices = Notices()
    rules = own_css(tmp_path / "own.css", notices.at(0))
    assert "example.org" not in rules and "</style" not in rules and len(notices) == 2


def test_a_style_sheet_or_a_logo_that_is_missing_is_refused(tmp_path):
    for read in (lambda: own_css(tmp_path / "no.css", print), lambda: file_url(tmp_path / "no.png")):
        with pytest.raises(DataError, match="no.css|no.png"):
            read()
    with pytest.raises(DataError, match="expected a file such as logo.svg"):
        file_url(tmp_path / "own.css")
