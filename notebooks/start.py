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

# %% [markdown]
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# # Shadow page tables, step by step
#
# How does a hypervisor give a guest its own page tables, on a processor that can use only one set? These lessons show
# it on the shadow-paging MMU of KVM in Linux 2.6.22 (2007), with the page tables of real Linux guests. In the
# exercises you write parts of that MMU yourself.
#
# A lesson asks you to predict what happens before you see it. Your first choice counts, and a wrong one does no harm:
# you remember better what surprised you.

# %% [markdown] tags=["computer"]
# Click on a lesson or an exercise to open it.

# %% tags=["course"]
from kvmmmu_lab.lessons import course

course()

# %% [markdown]
# Two more pages: the [map and glossary](map.ipynb) leads from every term and every line of the kernel's source to the
# lesson that explains it, and the [museum of bugs](museum.ipynb) shows what the code of 2007 gets wrong.

# %% [markdown] tags=["computer"]
# To see what you have done since you opened this page, run the cell above: click on it and press
# <kbd>Shift</kbd>+<kbd>Enter</kbd>. From then on the table follows what you do in the other notebooks.

# %% [markdown] tags=["computer"]
# Your predictions and points are kept on this computer. In a terminal, `kvmmmu-lab progress` prints the same table, and
# `kvmmmu-lab progress --reset` forgets everything. `kvmmmu-lab watch` checks an exercise each time you save its file.
