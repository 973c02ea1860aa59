# SPDX-License-Identifier: GPL-2.0-only
"""Reading a machine without changing it: where an address leads, what an entry says, what things are called."""
