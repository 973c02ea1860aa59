# SPDX-License-Identifier: GPL-2.0-only
"""Lines of code are highlighted step by step."""

import re

import pytest

from kvmmmu_lab.errors import InputError
from kvmmmu_lab.publish.line_highlights import line_highlights, with_highlights
from kvmmmu_lab.publish.outputs import code_html

from .books import code

SOURCE = "a = 1\nb = '''x\ny'''\nc = 3"


def with_metadata(**metadata):
    cell = code(SOURCE)
    cell.metadata |= metadata
    return cell


@pytest.mark.parametrize(
    "cell",
    [
        with_metadata(highlight="1-2|4"),
        code(SOURCE, None, "highlight=1-2|4"),
        code(f"# highlight: 1-2|4\n{SOURCE}"),
        code(f'#| code-line-numbers: "1-2|4"\n{SOURCE}'),
    ],
)
def test_steps_are_in_metadata_a_tag_or_a_comment(cell):
    assert line_highlights(cell) == (SOURCE, ["1-2", "4"])


def test_other_comments_are_code():
    source = "# highlight: what matters\na = 1"
    assert line_highlights(code(source)) == (source, [])


@pytest.mark.parametrize("steps", ["one", "1-", "1--2", "1|x", "9" * 5000])
def test_steps_that_cannot_be_read_are_refused(steps):
    with pytest.raises(InputError, match="highlight is .* expected line numbers, such as"):
        line_highlights(with_metadata(highlight=steps))


def test_each_line_knows_its_steps():
    markup = with_highlights(code_html(SOURCE), ["1-2", "4,9", "all"])
    assert re.findall(r'data-steps="(.*?)"', markup) == ["1 3", "1 3", "3", "2 3"]
    lines = markup.split('<span class="code-line"')[1:]
    assert all(line.count("</span>") == line.count("<span") + 1 for line in lines), "no colour goes over the end of a line"
