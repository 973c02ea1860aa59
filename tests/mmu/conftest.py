# SPDX-License-Identifier: GPL-2.0-only
"""Turn off Hypothesis's deadlines: on a busy computer any example may take long, and no test here is about time."""

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
