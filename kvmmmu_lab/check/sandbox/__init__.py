# SPDX-License-Identifier: GPL-2.0-only
"""Workers: processes, separate from the judge's, in which submissions run."""
