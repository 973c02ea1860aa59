# SPDX-License-Identifier: GPL-2.0-only
"""Inspect a machine without changing it.

Read it in this order:

1. `keys`     the identifiers of tables and entries in drawings: "s:248:457"
2. `paths`    the path of an address through the guest's tables and the shadow tables
3. `entries`  the flags and the target of an entry, and the access rights that it withholds
4. `names`    the names of entries, pages and frames in sentences: "#248:457"
5. `refusal`, `processor`  which guest entries refuse an access, and what a processor would say about it
6. `dump`     the whole state of the MMU as plain lists, for comparing and printing
"""
