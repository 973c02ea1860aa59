# SPDX-License-Identifier: GPL-2.0-only
"""Workers: processes in which submissions run, apart from the judge."""
