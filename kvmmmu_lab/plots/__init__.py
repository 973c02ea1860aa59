# SPDX-License-Identifier: GPL-2.0-only
"""Plots of what the engine counts: along the recordings of real guests, and beside what replaced shadow paging.

`chart` draws with Matplotlib, in the colours of the kit's pictures; `recordings` has one function for each plot. A plot shows
itself in a notebook as an image; as text it is a table of the numbers. Matplotlib is loaded at the first drawing.
"""
