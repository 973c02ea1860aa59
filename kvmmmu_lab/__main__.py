# SPDX-License-Identifier: GPL-2.0-only
"""Run the command ``kvmmmu-lab`` as ``python -m kvmmmu_lab``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
