# SPDX-License-Identifier: GPL-2.0-only
"""The example in exercises/README.md runs as it stands, and does what the text says."""

import re
from pathlib import Path

TEXT = (Path(__file__).parents[1] / "exercises" / "README.md").read_text(encoding="utf-8")
PART, SESSION = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_example_passes_the_audits(capsys):
    exec(PART + SESSION, {})
    assert capsys.readouterr().out == "[]\n"


def test_without_remove_the_audits_complain(capsys):
    broken = PART.replace("            place.discard(spte)\n", "            pass\n")
    assert broken != PART
    exec(broken + SESSION, {})
    assert "audit='rmap'" in capsys.readouterr().out
