# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: slideshow,tags,-all
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) · [The museum of bugs](museum.ipynb)

# %% [markdown]
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# # Map and glossary
#
# This page shows the whole course: its lessons, its terms, and every line of the kernel's source that it explains. Run
# the cells from top to bottom.
#
# ## The course
#
# Each box is a lesson, with the exercises that follow it. The map shows what you have done.

# %%
from kvmmmu_lab.lessons import course_map, glossary, look_up, source_map

course_map()

# %% [markdown]
# ## Look something up
#
# Give `look_up` a term, the name of one of the kernel's functions, or lines of its source. The result lists the lessons
# that explain it, the exercises in which you write this code, the functions of this kit's engine that do the same, and
# the museum's exhibits about bugs in these lines. (`help(...)` prints the documentation of an engine function.)

# %%
look_up("reverse map")

# %%
look_up("rmap_add")

# %%
look_up("mmu.c:1188-1212")

# %% [markdown]
# ## Glossary
#
# In each row, the links to lessons and exercises come first. Then come functions of the engine, which are in
# `kvmmmu_lab.mmu`, and at the end exhibits of the museum.

# %%
glossary()

# %% [markdown]
# ## The kernel's source, line by line
#
# The MMU of KVM in Linux 2.6.22 is one file, `mmu.c`. It includes a second file, `paging_tmpl.h`, twice: once for guest
# entries of 8 bytes, and once for entries of 4 bytes. This kit contains no line of these files. It refers to the lines
# by their numbers in Linux 2.6.22. If you have a copy of this source in a folder DIR, run `kvmmmu-lab source DIR`: then
# your films show the lines themselves.

# %%
source_map("mmu.c")

# %%
source_map("paging_tmpl.h")
