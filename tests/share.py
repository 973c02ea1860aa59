# SPDX-License-Identifier: GPL-2.0-only
"""Of many cases that are alike, the short tests take some, and the slow tests more; `pytest -m whole` takes those left out."""

import pytest


def one_in(share, cases, name=str, rest=pytest.mark.slow):
    """Parameters for all ``cases``. The first one and then one in ``share`` are without a mark, the others have ``rest``."""
    return [case(one, number % share == 0, name, rest) for number, one in enumerate(cases)]


def case(one, taken, name=str, rest=pytest.mark.slow):
    """A parameter; if it isn't ``taken``, it has the mark ``rest``."""
    return pytest.param(one, id=name(one), marks=() if taken else rest)
