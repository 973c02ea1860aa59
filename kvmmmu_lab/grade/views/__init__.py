# SPDX-License-Identifier: GPL-2.0-only
"""The views of a record: tables, the formats of other tools, a page for each learner, and one for the class."""
