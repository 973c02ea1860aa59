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
# [All lessons](start.ipynb) ·
# [Lesson 6: Reverse maps →](06_reverse_maps.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# A program reads one byte. In 2007, in a virtual machine, this access could fault.
#
# - **What does the host do when the guest changes a page table?**
# - **What if it does not notice?**
# -->
# # Lesson 0: The first fault
#
# A program reads one byte of its memory. On your machine that takes a nanosecond. In a virtual machine in 2007, the
# same access could cause a page fault. The *hypervisor* would then add to its own tables and let the program try
# again, and the program would never notice. (The hypervisor is the part of the *host* that runs the virtual machine,
# the *guest*. Here it is KVM in Linux 2.6.22.)
#
# In the next ten minutes you will watch this happen on the page tables of a real Linux guest. Then the guest's kernel
# will change one of its page tables, and you will be able to explain
#
# - **what the host does about this write**, and
# - **what happens if the host does not notice it.**
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
# exactly as they were. `vm` is a machine that continues from that moment. Its shadow of these tables is still empty.

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import entry_of, hierarchy, pick_address, watch
from kvmmmu_lab.lessons import lesson_00 as lesson

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
# This picture shows how your address is translated now. You will see this kind of picture in every lesson:
#
# - **Above, blue: the guest's tables.** The address selects one entry in each table, from the root (PML4) through the
#   PDPT and the PD down to the page table (PT), whose entry holds the number of the frame. Each table has 512 entries.
#   Only yours is drawn; the others are counted below it.
# - **Below, orange: the shadow pages.** Only one shadows a table of this guest so far, the root, and its entry for your
#   address is empty. A dotted line connects it with the table that it shadows. (Four others, which are not drawn, date
#   from the time before the guest turned paging on.)
# - **In an entry:** its index, its flags, and what it points to. The flags are **P**resent, **W**ritable, **U**ser,
#   **A**ccessed, **D**irty, **G**lobal and **NX** (no execute); a dot means that the flag is not set. A hexadecimal
#   number is a gfn, also in an spte, which really holds an hpa. `#250` is a shadow page, and `#250:7` is its entry 7.
#
# With two roots there are two values of CR3, the register that holds the address of the root. The *guest's CR3* is the
# gpa of the PML4, which is marked `= CR3`. The *processor's own CR3* holds the hpa of the root shadow page. The host
# loads it, and the guest never sees it.

# %%
hierarchy(vm, place.gva)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Predict first
#
# The program is about to access that address. The host has a pool of 256 shadow pages, most of them unused.
#
# Choose an answer before you run the next cell: after that, your first choice counts. Even a wrong guess helps you
# remember the answer. (The arrow keys move the choice, and <kbd>Tab</kbd> leaves the question.)

# %% tags=["question"]
guess_filled = lesson.filled(vm, place.gva)
guess_filled

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# 1. The shadow entry is empty, so the processor **faults**, and the host takes over.
# 2. The host walks the guest's tables, then changes the shadow.
# 3. It adds the new spte to the frame's **reverse map**.
# -->
# ## Watch one fault
#
# This is a *film*: the access, recorded step by step. Click on it once, then use the arrow keys <kbd>→</kbd> and
# <kbd>←</kbd>, or the buttons; <kbd>space</kbd> plays it, and <kbd>?</kbd> shows all keys. The sentence at the top
# describes what just happened. The line below it shows which entry changed, bit by bit, and at the right in small
# type the kernel function that is running and its place in the source. *Steps* opens the list of all steps; it names
# those that you have not reached yet only briefly, and shows routine steps like earlier ones as one line, which a
# click opens. In the picture, everything that a step changed is yellow and bold, a new page has a double border, and
# `>` marks an entry that is being read. Dashed outlines mark the places of pages that do not exist yet. Click on
# anything to see its history.
#
# Look for three things:
#
# 1. The processor finds the shadow entry empty and **faults**. From here on the host runs.
# 2. The host walks the *guest's* tables as the processor would. Then it changes the shadow. In which order? (The film
#    says that the host *write-protects* the tables that it shadows. What this is for comes later in this lesson.)
# 3. If the guest allows writing, the host finally adds an spte to the **reverse map** of the frame (grey, on the
#    right, `rmap`). The reverse map lists the sptes through which the frame can be written. For a read-only page
#    there is no such step. Page tables lead from an address to a frame; only the reverse map leads from a frame back
#    to its entries. You will soon see why the host needs it.

# %%
fault = watch(lambda: vm.access(place.gva, user=place.user), vm, [place.gva])
fault

# %% tags=["answer"]
guess_filled.reveal()

# %% [markdown]
# Here is the same access once more. The result counts its `faults`:

# %%
vm.access(place.gva, user=place.user)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The kernel moves your page
#
# Suppose the guest's kernel moves your page to an adjacent frame, as a kernel does when it compacts memory. To do so,
# it writes one entry of its own page table. The entry is 8 bytes long:

# %%
entry = entry_of(vm, place.gva)
entry

# %% [markdown]
# <!-- slide:
# A cheat: `poke` writes the new value into the guest's memory without the host noticing.
# -->
# Let us cheat first: `poke` writes the new value straight into the guest's memory without the host noticing. The
# result of the access shows the `gpa` that was reached. Drop its last three digits, and you have the gfn.

# %% tags=["question"]
guess_unnoticed = lesson.unnoticed(vm, entry)
guess_unnoticed

# %%
vm.poke(entry.gpa, entry.moved)
access = vm.access(place.gva, user=place.user)
access

# %%
hierarchy(vm, place.gva)

# %% tags=["answer"]
guess_unnoticed.reveal(access)

# %% [markdown]
# Let us undo the cheat, and do it properly this time.

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
# not. (The kernel's own mapping is a page of 2 MB, so its PD entry points straight to the first of 512 frames. The
# shadow maps such a page in pieces of 4 KiB. The picture shows only the piece that is your page table.)
#
# The links, which lead from one shadow page to the next, always have W *and* U, also where the guest's entry has no U.
# This opens nothing. A processor allows an access only if *all* entries on the path allow it, and the last one, the
# spte at level 1, has only those rights that all the guest's entries grant.

# %%
vm.access(entry.kernel_gva)
hierarchy(vm, place.gva, entry.kernel_gva)

# %% [markdown]
# The kernel will now write its entry, and the host will perform the store on its behalf.

# %% tags=["question"]
guess_stored = lesson.stored(vm, place.gva)
guess_stored

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Step slowly near the end, and compare the order of the steps.
# -->
# ## Watch the write
#
# Step slowly near the end, and compare the order of the steps.

# %%
store = {"write": True, "value": entry.moved, "size": entry.size}
write = watch(lambda: vm.access(entry.kernel_gva, **store), vm, [place.gva])
write

# %% tags=["answer"]
guess_stored.reveal()

# %% [markdown]
# <!-- slide: -->
# Click on a table or an entry in the film above, and then run the next cell: it prints the story of what you clicked on.

# %% tags=["try-it"]
write.picked

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The next access
#
# The program is still running, and accesses the page once more.

# %% tags=["question"]
guess_afterwards = lesson.afterwards(vm)
guess_afterwards

# %%
watch(lambda: vm.access(place.gva, user=place.user), vm, [place.gva])

# %% tags=["answer"]
guess_afterwards.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you saw

# %% tags=["answer"]
lesson.SUMMARY

# %% [markdown]
# <!-- slide: -->
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

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [Lesson 6: Reverse maps →](06_reverse_maps.ipynb)
