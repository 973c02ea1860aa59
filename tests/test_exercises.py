# SPDX-License-Identifier: GPL-2.0-only
"""The example in exercises/README.md prints what the text says, and its table lists all exercises."""

import re
from pathlib import Path

EXERCISES = Path(__file__).parents[1] / "exercises"
TEXT = (EXERCISES / "README.md").read_text(encoding="utf-8")


def test_the_example_makes_the_mapping_audit_complain(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(example, {})
    said = capsys.readouterr().out
    assert said == "map: gva 0x343c6000 reaches gfn 0x29af; the guest's tables map it to gfn 0x29ae\n"


def test_the_table_lists_every_exercise_and_each_link_has_a_target():
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert all((EXERCISES / link).exists() for link in links)
    there = {path.name for path in EXERCISES.iterdir() if path.is_dir() and path.name[:2].isdigit()}
    assert {link.partition("/")[0] for link in links if link[:2].isdigit()} == there


def test_links_of_readmes_and_notebooks_have_targets():
    for path in [*EXERCISES.glob("*/README.md"), *EXERCISES.glob("*/hints.md"), *EXERCISES.parent.glob("notebooks/*.py")]:
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)\)", path.read_text("utf-8")):
            assert (path.parent / link).exists(), f"{path}: {link}"
