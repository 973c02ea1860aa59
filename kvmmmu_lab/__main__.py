# SPDX-License-Identifier: GPL-2.0-only
"""``python -m kvmmmu_lab`` is the command ``kvmmmu-lab``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
