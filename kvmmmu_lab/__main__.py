# SPDX-License-Identifier: GPL-2.0-only
"""``python -m kvmmmu_lab`` is the command ``kvmmmu-lab``."""

import sys

from .cli import main

sys.exit(main())
