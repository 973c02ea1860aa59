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

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# A program reads one byte. In 2007, in a virtual machine, this access could fault. The host then built three tables.
#
# - **Which shadow entry does a write remove?**
# - **Why must the host intercept that write?**
# -->
# # Lesson 0: The first fault
#
# A program reads one byte of its memory. On your machine that takes a nanosecond. In a virtual machine in 2007, the
# same access could cause a page fault. The *hypervisor* would then build three tables, write one entry and let the
# program try again, and the program would never notice. (The hypervisor is the part of the *host* that runs the
# virtual machine, the *guest*. Here it is KVM in Linux 2.6.22.)
#
# In the next ten minutes you will watch this happen on the page tables of a real Linux guest. Then the guest's kernel
# will change one of its page tables, and you will be able to explain
#
# - **which shadow entry this write removes**, and
# - **why the host must intercept that write.**
#
# Run the cells from top to bottom with <kbd>Shift</kbd>+<kbd>Enter</kbd>. If you run a cell twice, it acts on the
# same machine twice. To start again, choose *Kernel > Restart Kernel...* and run the cells from the top. You only
# need to know roughly what page tables are. (In a narrow window, <kbd>Ctrl</kbd>+<kbd>B</kbd> hides the list of files
# and makes room for the pictures.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# A program uses a **gva**. The guest's tables map it to a **gpa**, which the processor cannot use.
#
# So the host keeps a second set of tables, from gva straight to the host's memory: the **shadow pages**. The
# processor walks *these*. An entry in one of them is an **spte**.
# -->
# ## Two maps, one walker
#
# A page table maps the addresses that a program uses to physical memory. In a virtual machine there is one more step
# between the two, so there are three kinds of address:
#
# - a **gva**, *guest virtual address*: an address that a program in the guest uses;
# - a **gpa**, *guest physical address*: an address in what the guest's kernel believes is physical memory. Its page
#   number is the **gfn**, *guest frame number*. Pages are 4 KiB, so `gpa 0x61c9e48` is in `gfn 0x61c9`;
# - an **hpa**, *host physical address*: the place in the host's memory where the byte really is.
#
# The guest's own tables map gva to gpa. The processor cannot use them, because a gpa is not an address in real
# memory. So the host keeps a second set of tables, which map gva straight to hpa: the **shadow pages**. The processor
# walks *these* tables. An entry in a shadow page is called an **spte** (shadow page table entry).
#
# Here is a guest: Linux 6.1 with 128 MB of memory, recorded while it was running. All its page tables are included,
# exactly as they were. `vm` is a machine that continues from that moment. Its shadow tables are still empty.

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import entry_of, hierarchy, pick_address, predict, watch

guest = open_guest("lin64_A")
vm = guest.vm()
guest

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Pick an address
#
# The guest really maps all of these pages: code and data of the running program (busybox), its heap and stack, and
# the kernel's own memory. The first heap page is a good choice. Later you can come back, choose another address and
# run everything below again. Choose *Kernel > Restart Kernel...* first, so that the shadow is empty again.

# %% tags=["try-it"]
place = pick_address(guest)
place

# %% [markdown]
# <!-- slide:
# - **Above, blue:** the guest's tables. Your entry is drawn; the others are counted.
# - **Below, orange:** the shadow pages. There is one, the root.
# - **In an entry:** its index, its flags in fixed places, and what it points to.
# -->
# This picture shows how your address is translated now. You will see this kind of picture in every lesson, so take a
# minute to read it:
#
# - **Above, blue: the guest's tables.** The address selects one entry in each table, from the root (PML4) through the
#   PDPT and the PD down to the page table (PT). The entry in the PT holds the number of the frame. Each table has 512
#   entries. Only yours is drawn; the others are counted below it.
# - **Below, orange: the shadow pages.** There is only one, the root, and its entry for your address is empty.
# - **In an entry:** its index, its flags in fixed places, and what it points to. The flags are **P**resent,
#   **W**ritable, **U**ser, **A**ccessed, **D**irty, **G**lobal and **NX** (no execute); a dot means that the flag is
#   not set. A hexadecimal number is a gfn. `#250` is a shadow page, and `#250:7` is its entry 7.
# - **Dotted lines** connect a guest table with the page that shadows it. CR3 is the register that holds the address
#   of the root. L4 to L1 are the levels, counted from the root down.
#
# The picture simplifies one thing. An spte really holds an hpa. The picture shows the gfn of the same frame instead,
# so that you can compare the two sides. The guest's kernel maps part of its memory with 2 MB pages. For a page of
# this size, the picture shows `2M` before the gfn of the first of its 512 frames. The guest's path then ends one
# table earlier, but the shadow still maps the page in pieces of 4 KiB.

# %%
hierarchy(vm, place.gva)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Predict first
#
# The program is about to access that address. The host has 256 shadow pages. A few of them are in use: the root, and
# some from the time before the guest turned paging on. Choose an answer before you go on. Even a wrong guess helps
# you remember the answer.

# %% tags=["question"]
free_before = len(vm.pool.free)
guess_pages = predict("How many shadow pages will the host take for this one access?", [0, 1, 3, 4])
guess_pages

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# 1. The shadow entry is empty, so the processor **faults**, and the host takes over.
# 2. The host walks the guest's tables, then adds what is missing, level by level.
# 3. It adds the new spte to the frame's **reverse map**.
# -->
# ## Watch one fault
#
# This is a *film*: the access, recorded step by step. Click on it once, then use the arrow keys <kbd>→</kbd> and
# <kbd>←</kbd>, or the buttons; <kbd>space</kbd> plays it. The line in small type gives the kernel function that is
# running and its place in the source. The sentence below it describes what just happened, and the line below that
# shows which entry changed, bit by bit. In the picture, everything that a step changed is yellow and bold, a new page
# has a double border, and `>` marks an entry that is being read. Dashed outlines mark the places of pages that do not
# exist yet. Click on anything to see its history.
#
# Look for three things:
#
# 1. The processor finds the shadow entry empty and **faults**. From here on the host runs.
# 2. The host walks the *guest's* tables as the processor would. Then it adds what is missing from the shadow, level
#    by level: first a table, then the link to it.
# 3. If the guest allows writing, the host finally adds the new spte to the **reverse map** of the frame (grey, on the
#    right, `rmap`). The reverse map lists the sptes through which the frame can be written. For a read-only page
#    there is no such step. Page tables lead from an address to a frame; only the reverse map leads from a frame back
#    to its entries. You will soon see why the host needs it.

# %%
fault = watch(lambda: vm.access(place.gva, user=place.user), vm, [place.gva])
fault

# %% tags=["answer"]
guess_pages.compare(free_before - len(vm.pool.free))

# %% [markdown]
# <!-- slide:
# The host took one page for each level below the root. The guest has thousands of mappings; one is in the shadow. The
# host fills it *lazily*, fault by fault. The second access causes no fault:
# -->
# The host took one page for each level below the root. The shadow has four levels, and the root already existed. Of
# the guest's thousands of mappings, exactly one is in the shadow now. This is deliberate: the host cannot know which
# addresses the guest will use, so it fills the shadow *lazily*, one fault at a time. The second access finds
# everything in place, and `faults` is 0:

# %%
vm.access(place.gva, user=place.user)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What if the host misses a write?
#
# A copy becomes stale when the original changes. Suppose the guest's kernel moves your page to an adjacent frame, as
# a kernel does when it compacts memory. To do so, it writes one entry of its own page table. The entry is 8 bytes
# long:

# %%
entry = entry_of(vm, place.gva)
entry

# %% [markdown]
# <!-- slide:
# A cheat: `poke` writes the new value into the guest's memory without the host noticing. Which frame will the program
# reach: the old one or the adjacent one?
# -->
# Let us cheat first: `poke` writes the new value straight into the guest's memory without the host noticing. Which
# frame will the program reach: the old one or the adjacent one? Decide, then run the two cells. The result shows the
# `gpa` that was reached. Drop its last three digits, and you have the gfn.

# %%
vm.poke(entry.gpa, entry.moved)
vm.access(place.gva, user=place.user)

# %%
hierarchy(vm, place.gva)

# %% [markdown]
# <!-- slide:
# The guest's entry (blue) points to the new frame, the spte (orange) to the old one, and **the processor reads only
# the spte**.
#
# So the host has to *notice* the write. We undo the cheat:
# -->
# Two arrows lead to two different frames. The guest's entry (blue) points to the new frame. The spte (orange) still
# points to the old one, and the processor reads only the spte. The program reads and writes a frame that its kernel
# may already have given to another program. On a real machine this means corrupted memory, or a way for one process
# to reach the memory of another.
#
# So the host has to *notice* when the guest writes to a shadowed page table. Let us undo the cheat, and do it
# properly this time.

# %%
vm.poke(entry.gpa, entry.value)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# The guest's kernel writes its tables like any other memory, and that mapping is shadowed, too. This gives the host
# its chance: **an spte that points to a shadowed page table never has W set**.
# -->
# ## How a write is noticed
#
# The guest's kernel has no special way to reach its tables. It writes them like any other memory, through an address
# that maps them. Linux maps all of memory a second time for its own use; the last line of the output of `entry` shows
# the address of your entry in that mapping. That mapping is shadowed, too, and this gives the host its chance: **an
# spte that points to a shadowed page table never has W set**, whatever the guest's entry allows. So the write faults,
# and the host gets control.
#
# First let the kernel just read there, so that its own path is added to the shadow. Then look at both paths together.
# Your page table appears twice in this picture: as a table (blue), and as a frame of memory (grey) at the end of the
# dashed arrow from an spte with a small `w`. The small letter means that the guest allows writing but the shadow does
# not. (The kernel's own mapping is one of the 2 MB pages, so its PD entry points straight to memory. Of those 2 MB,
# the picture shows only your frame.)

# %%
vm.access(entry.kernel_gva)
hierarchy(vm, place.gva, entry.kernel_gva)

# %% [markdown]
# The kernel will now write its entry, and the host will perform the store on its behalf. What has to happen to the
# shadow *before* the 8 bytes change?

# %% tags=["question"]
question = "The write changes one guest entry. How many shadow entries will the host clear?"
guess_zaps = predict(question, [0, 1, 512, "all"])
guess_zaps

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Which sptes were made from these 8 bytes? The host removes each from the reverse map of its frame, then clears it: a
# **zap**. The guest's memory changes *only after that*.
# -->
# ## Watch the write
#
# Step slowly near the end. The host looks up the sptes that were made from the bytes that are about to change. It
# removes each from the reverse map of its frame, then clears it. This is called a **zap**: the picture shows the
# entry struck through. The guest's memory changes only after that. (To jump there, choose *a shadow entry or page is
# zapped* under *Stop where*, and run to the next such step.)

# %%
zapped_before = vm.stats.entries_zapped
store = {"write": True, "value": entry.moved, "size": entry.size}
write = watch(lambda: vm.access(entry.kernel_gva, **store), vm, [place.gva])
write

# %% tags=["answer"]
guess_zaps.compare(vm.stats.entries_zapped - zapped_before)

# %% [markdown]
# <!-- slide: -->
# Now find the entry that was zapped: click on it in the film above, then run this cell.

# %% tags=["try-it"]
write.picked

# %% [markdown]
# <!-- slide:
# *Which* shadow entry did the write remove? **The spte made from the guest entry that was written.** All others stay.
#
# - The host did *not* copy the new value, which may never be used.
# - The guest did *not* have to tell the host.
# -->
# Answer in your own words before you read on: *which* shadow entry did the write remove, and why that one?
#
# <details><summary>An answer</summary>
#
# The write removed the spte for your address, because this spte was made from the guest entry that was written. For
# the first heap page it is `#248:454`, in the level-1 shadow page; for a 2 MB page it is an entry one level higher.
# The third step from the end names it. The guest entry is at the same index in the guest's own table. All other
# shadow entries stay, including the ones above it: they were made from other guest entries, which were not written.
#
# </details>
#
# Two things are important here. The host did *not* copy the new value into the shadow, because the guest may never
# use it. And the guest did not have to tell the host anything. A real processor may keep old translations until the
# guest tells it to forget them. If the hypervisor zaps *before* the write, its shadow is never stale.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The next access
#
# The entry is gone, but the program is still running. What will its next access cost: as much as the first fault, or
# less? You know enough to answer before you look.

# %%
watch(lambda: vm.access(place.gva, user=place.user), vm, [place.gva])

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - The processor walks the **shadow pages**. A **fault** adds what is missing.
# - A shadowed guest table is **write-protected**.
# - Sptes made from bytes that are about to change are **zapped**.
# - The **reverse map** finds the sptes that must lose their W.
# -->
# ## What you saw
#
# - The processor walks the **shadow pages**, never the guest's tables. At a **fault**, the host adds the missing
#   entries. It makes them from the guest's tables.
# - A shadowed guest page table is **write-protected**: no spte that points to it has W set. So every write to it
#   faults, and the host takes over. Otherwise the shadow would become stale, and you have seen what happens then.
# - Before such a write happens, the host **zaps** the sptes that were made from the bytes that are about to change.
#   The next access faults, and the host makes the spte again from the new value.
# - The **reverse map** of a frame lists its writable sptes. With this list, the host can find the sptes that must
#   lose their W when a frame becomes a page table.
#
# What you watched is KVM's algorithm in Linux 2.6.22, step by step. This kit has been checked against the kernel's
# own code, state by state. If you want to see more:
#
# - pass `detail=True` to `watch`;
# - play with `fault_lab()` and `write_lab()` from `kvmmmu_lab.labs`, in which you set up page tables or write to
#   them, and predict the result;
# - go back to *Pick an address* and choose an address that is marked *2 MB page* (how can the shadow map a page that
#   large?);
# - open another guest, `linpae_A` or `lin32_A`, and watch the same steps on tables of a different shape (`lin32_A`
#   has two levels and entries of 4 bytes).
