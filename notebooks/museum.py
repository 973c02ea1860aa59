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
# [All lessons](start.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# # The museum of bugs
#
# The shadow MMU of Linux 2.6.22 had bugs. Some of them crash the host. Some give a guest rights that its own page
# tables deny. Some only cost time. The engine of this kit reproduces them, because it repeats each step of the kernel's
# code. Each bug is an exhibit of this museum: a few lines of code that trigger it, what happens, what the kernel's own
# audits say about it, and a fix.
#
# The bugs were found by running the kernel's own code, compiled as an ordinary program, on small guests. What happened
# was recorded, and a test of this kit compares the exhibits with these recordings.
#
# You can look around here at any time. Each exhibit names the lesson that teaches what you need to understand it.
#
# An **audit** is a check that the kernel's authors wrote, to find mistakes in their own tables. There are three:
#
# - `rmap` compares the number of entries in the reverse maps with the number of writable shadow entries;
# - `wp` looks for shadowed guest tables that can be written;
# - `map` compares the frames to which the guest's tables and the shadow tables lead.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## All exhibits
#
# The column *Audits* says which audits complain when the exhibit has run. *Fixed by* names the commit of the kernel
# that fixed the bug. *Not traced* means that no such commit was found in public text; the bug may have been fixed even
# so. The last four exhibits only look like bugs: for them, *Fixed by* says why the code is right.

# %%
from kvmmmu_lab.museum import exhibit, exhibits, museum_lab

exhibits()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One exhibit
#
# The function `exhibit` opens one. Change the name to open another.

# %%
one = exhibit("slot_move_stale")
one

# %% [markdown] slideshow={"slide_type": "subslide"}
# The lines of the trigger up to `yield vm` prepare the guest. The film shows what the lines after it do.

# %%
one.film()

# %% [markdown] slideshow={"slide_type": "subslide"}
# With `fixed=True` the same lines run on a machine with the fix.

# %%
one.film(fixed=True)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Who notices?
#
# How many of the bugs do the three audits notice? The next cell looks at the bugs that give a wrong result, and lists
# those about which all audits are silent.

# %%
wrong = [one for one in exhibits() if one.run().outcome.kind == "wrong"]
silent = [one.name for one in wrong if one.run().silent]
print(f"{len(wrong)} bugs give a wrong result. All three audits are silent about {len(silent)} of them:")
print(*silent, sep="\n")

# %% [markdown]
# The audits compare frames and counts. None of them looks at access rights, so an entry that grants too much passes all
# three. And none looks at the guest's dirty bits or at its control registers: the last two bugs in the list are about
# these.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Try your own fix
#
# A fix is a function that replaces one part of the machine. `help(kvmmmu_lab.mmu.machine)` lists the parts. The exhibit
# `wp0_read_fix_rmap_leak` is about the part `fix_read` (in the kernel: `fix_read_pf`). This function gives user access
# back to an entry, and takes the writable bit away. Here is a first attempt at a fix: it leaves the writable bit in the
# entry, so that the reverse map stays right.

# %%
from kvmmmu_lab.mmu.bits import USER
from kvmmmu_lab.mmu.events import FIX_READ


def keep_writable(vm, spte):
    entry = vm.memory.words[spte]
    vm.memory.put(spte, entry | USER, FIX_READ)


attempt = exhibit("wp0_read_fix_rmap_leak").run(fix_read=keep_writable)
attempt

# %% [markdown]
# The audits are silent now, and nothing goes wrong. But is the fix right? User code may only read this page. Let it
# write:

# %%
attempt.vm.access(0x1000, user=True, write=True)

# %% [markdown]
# The write succeeds. So this fix replaces a bug by a worse one, and the audits do not notice it. Try your own fix. Then
# look at the one in the museum.

# %%
exhibit("wp0_read_fix_rmap_leak")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Predict
#
# In this lab you first see the code of an exhibit. Choose what will happen and which audits will complain, and press
# *Run*. Then try the same exhibit with the fix.

# %% tags=["try-it"]
museum_lab()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## It looks like a bug, but it isn't
#
# Some of the kernel's code looks wrong, but is right. These exhibits show such code, and say why it is right.

# %%
exhibits("look-alikes")
