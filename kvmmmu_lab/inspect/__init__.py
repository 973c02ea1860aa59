# SPDX-License-Identifier: GPL-2.0-only
"""Inspecting a machine without changing it.

Read it in this order:

1. `keys`     what tables and entries are called in drawings: "s:248:457"
2. `paths`    where an address leads, in the guest's tables and in the shadow tables
3. `entries`  what an entry says: flags, rights that are withheld, where it leads
4. `names`    what entries, pages and frames are called in sentences: "#248:457"
5. `dump`     the whole state of the MMU as plain lists, to compare and to print
"""
