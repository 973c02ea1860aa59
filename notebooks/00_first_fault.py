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
# A program reads one byte. In a virtual machine of 2007 the processor may stop for it, and the host builds three tables.
#
# - **Which entry died because of which write?**
# - **Why must the host catch that write at all?**
# -->
# # Lesson 0: The first fault
#
# A program reads one byte of its memory. On your machine that takes a nanosecond. In a virtual machine of 2007 it
# could mean this: the processor stops; the *hypervisor* (the part of the *host* that runs the virtual machine, the
# *guest*; here KVM in Linux 2.6.22) wakes up, builds three tables, writes one entry, and lets the program try again.
# The program never notices.
#
# In the next ten minutes you will watch that happen, on the page tables of a real Linux guest. Then the guest's kernel
# will change one of its page tables, and you will be able to say
#
# - **which entry died because of which write**, and
# - **why the host must catch that write at all.**
#
# Run the cells from top to bottom with <kbd>Shift</kbd>+<kbd>Enter</kbd>. A cell that you run twice acts twice on the
# same machine; to begin anew, choose *Kernel > Restart Kernel...* and run from the top. You need to have heard of page tables,
# nothing more. (In a narrow window, <kbd>Ctrl</kbd>+<kbd>B</kbd> hides the list of files and makes room for pictures.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# A program uses a **gva**. The guest's tables take it to a **gpa**, which means nothing to the processor.
#
# So the host keeps a second set of tables, from gva straight to the host's memory: the **shadow pages**. *They* are
# walked. An entry there is an **spte**.
# -->
# ## Two maps, one walker
#
# A page table is a map: it takes the addresses that a program uses to the memory that is really there. A virtual
# machine has one level more of "really", so there are three kinds of address:
#
# - a **gva**, *guest virtual address*: what a program in the guest uses;
# - a **gpa**, *guest physical address*: what the guest's kernel takes for real memory. Cut into pages of 4 KiB, gpa
#   becomes a **gfn**, *guest frame number*: `gpa 0x61c9e48` lies in `gfn 0x61c9`;
# - a **hpa**, *host physical address*: where the byte truly is, in the host's memory.
#
# The guest's own tables go from gva to gpa. The processor can't use them: a gpa means nothing to it. So the host keeps
# a second set of tables, from gva straight to hpa, in pages of its own: the **shadow pages**. *They* are what the
# processor walks. An entry in one of them is called an **spte** (shadow page table entry).
#
# Here is a guest: Linux 6.1 with 128 MB, stopped in the middle of its work. Its page tables are all there, just as
# they were. `vm` is a machine that goes on from that instant, with shadow tables that are still empty.

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import entry_of, hierarchy, pick_address, predict, watch

guest = open_guest("lin64_A")
vm = guest.vm()
guest

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Pick an address
#
# These are pages that the guest really maps: code and data of the program that was running (busybox), its heap and
# stack, and the kernel's own memory. The heap is a good first choice. You can come back later, choose another one,
# and run everything below again, after *Kernel > Restart Kernel...*, so that the shadow is empty again.

# %% tags=["try-it"]
place = pick_address(guest)
place

# %% [markdown]
# <!-- slide:
# - **Above, blue:** the guest's tables. Your entry is drawn, the others are counted.
# - **Below, orange:** the shadow pages. There is one, the root.
# - **In an entry:** its index, flags in fixed places, and where it leads.
# -->
# And this is where your address leads now. It is the picture that you will see in every lesson, so take a minute:
#
# - **Above, blue: the guest's tables.** The address selects one entry in each, from the root (PML4) over PDPT and PD
#   down to the page table (PT), whose entry names the frame. Of 512 entries only yours is drawn; the others are
#   counted under it.
# - **Below, orange: the shadow pages.** There is one, the root, and its entry for your address is empty.
# - **In an entry:** its index, flags in fixed places, and where it leads. The flags are **P**resent, **W**ritable,
#   **U**ser, **A**ccessed, **D**irty, **G**lobal and **NX** (no execution); a dot means: not set. A hexadecimal number
#   is a gfn. `#250` is a shadow page, and `#250:7` is its entry 7.
# - **Dotted lines** go from a guest table to the page that shadows it. CR3 is the register that names the root; L4 to L1
#   count the levels from the root down.
#
# One thing the picture simplifies: in an spte the processor finds an hpa. The picture shows the gfn that lives there, so
# that you can compare the two sides. The guest's kernel uses some pages of 2 MB (`2M` before the gfn of the first of 512
# frames): there the guest's path ends one table early, and the shadow goes on to pieces of 4 KiB all the same.

# %%
hierarchy(vm, place.gva)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Predict first
#
# The program is about to touch that address. The host has 256 shadow pages, of which a few are in use: the root, and some
# from the time before the guest turned paging on. Before you go on: commit yourself. A guess that turns out wrong is
# remembered best.

# %%
free_before = len(vm.pool.free)
guess_pages = predict("How many shadow pages will the host take for this one access?", [0, 1, 3, 4])
guess_pages

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# 1. The shadow is empty. That is the **fault**, and the host is at work.
# 2. It walks the guest's tables, then makes what is missing, level by level.
# 3. It notes in the frame's **reverse map** which spte can write it.
# -->
# ## Watch one fault
#
# This is a *film*: the access, recorded step by step. Click on it once, then use the arrow keys <kbd>→</kbd> and
# <kbd>←</kbd>, or the buttons; <kbd>space</kbd> plays it. The line in small type names the function of the kernel that is
# at work, with its place in the source; the sentence under it says what just happened, and the line below it which entry
# changed, bit by bit. In the picture, what a step changed is yellow and bold, a new page has a double border, and `>`
# marks an entry that somebody reads. Dashed outlines keep the places of pages that don't exist yet. Everything can be
# clicked on, and tells its story.
#
# Look out for three things:
#
# 1. The processor finds the shadow empty. That is the **fault**, and from there on the host is at work.
# 2. The host walks the *guest's* tables as the processor would, then makes what is missing in the shadow, level by
#    level: a table, then the link to it.
# 3. If the guest allows writing, it notes at the end in the **reverse map** of the frame (grey, at the right, `rmap`)
#    which spte can write that frame; a read-only page has no such step. From
#    address to frame, tables tell; from frame back to entries, only the reverse map does. Soon you will see what for.

# %%
fault = watch(lambda: vm.access(place.gva, user=place.user), vm, [place.gva])
fault

# %%
guess_pages.compare(free_before - len(vm.pool.free))

# %% [markdown]
# <!-- slide:
# One page for each level below the root. Of the guest's thousands of mappings exactly one is in the shadow: the host
# fills it *lazily*, one fault at a time. The second access needs none:
# -->
# One page for each level below the root: the shadow has four levels, and the root was there. Of the guest's thousands
# of mappings exactly one is in the shadow now. That is no accident. The host can't know what the guest will touch, so
# it fills the shadow *lazily*, one fault at a time. The second access finds everything in place, and `faults` is 0:

# %%
vm.access(place.gva, user=place.user)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What if nobody looks?
#
# A copy goes stale when the original changes. Suppose the guest's kernel moves your page to the frame next door, as it
# does when it tidies up memory. To do so it writes one entry of its own page table, 8 bytes, this one:

# %%
entry = entry_of(vm, place.gva)
entry

# %% [markdown]
# <!-- slide:
# A cheat: `poke` puts the new value into the guest's memory behind everybody's back. Which frame will the program
# get: the old one, or the one next door?
# -->
# Let us first cheat: `poke` puts the new value into the guest's memory behind everybody's back. The guest will then
# have changed its map, and the host knows nothing. Which frame will the program get: the old one, or the one next
# door? Decide, then run the two cells. What comes out is the `gpa` that was reached; without its last three digits it
# is the gfn.

# %%
vm.poke(entry.gpa, entry.moved)
vm.access(place.gva, user=place.user)

# %%
hierarchy(vm, place.gva)

# %% [markdown]
# <!-- slide:
# The guest's entry (blue) leads to the new frame, the spte (orange) to the old one, and **the processor only ever
# asks the spte**.
#
# So the host has to *notice* the write. We take the cheat back:
# -->
# Two arrows, two frames. The guest's entry (blue) leads to the new frame. The spte (orange) still leads to the old one,
# and the processor only ever asks the spte. The program reads and writes a frame that its kernel may have given to
# somebody else by now. In a real machine that is corrupted memory, or a way out of one process into another.
#
# So the host has to *notice* when the guest writes to a page table that is shadowed. We take the cheat back, and do it
# properly.

# %%
vm.poke(entry.gpa, entry.value)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# The guest's kernel writes its tables like any memory, through a mapping that is shadowed, too. There the host has
# its chance: **an spte that leads to a shadowed page table never gets its W**.
# -->
# ## How a write is noticed
#
# The guest's kernel has no magic way to its tables. It writes them like any memory, through an address that maps them:
# Linux maps all of memory once more for itself, and the last line that `entry` printed says where yours is. That
# mapping, too, has to go through the shadow. There the host has its chance: **an spte that leads to a shadowed page
# table never gets its W**, whatever the guest's entry says. The write faults, and the host is awake.
#
# Let the kernel just read there, so that its own path gets into the shadow. Then look at both paths together. Your
# page table is in this picture twice: as a table (blue), and as a mere frame of memory (grey), reached by the dashed
# arrow of an spte with a small `w`. The small letter says: the guest allows it, the shadow withholds it. (The kernel's
# own way there is one of the 2 MB pages: its PD entry leads straight to memory, of which the picture shows your frame.)

# %%
vm.access(entry.kernel_gva)
hierarchy(vm, place.gva, entry.kernel_gva)

# %% [markdown]
# The kernel will now write its entry. The host can do the store on the guest's behalf, one careful step at a time. What
# has to happen to the shadow *before* the 8 bytes change?

# %%
question = "The write changes one guest entry. How many shadow entries will the host empty?"
guess_zaps = predict(question, [0, 1, 512, "all"])
guess_zaps

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Which sptes were made from these 8 bytes? The host takes each out of the reverse map of its frame, and empties it: a
# **zap**. *Only then* the guest's memory changes.
# -->
# ## Watch the write
#
# Step slowly near the end. The host asks which shadow entries were made from the bytes that are about to change, takes
# each out of the reverse map of its frame, and empties it. That is a **zap**: you see the entry struck through. Only
# after that the guest's memory changes. (In a hurry? Under *Stop where*, choose *a shadow entry or page dies*, and
# run to the next such step.)

# %%
zapped_before = vm.stats.entries_zapped
store = {"write": True, "value": entry.moved, "size": entry.size}
write = watch(lambda: vm.access(entry.kernel_gva, **store), vm, [place.gva])
write

# %%
guess_zaps.compare(vm.stats.entries_zapped - zapped_before)

# %% [markdown]
# <!-- slide: -->
# Now find the one that died: click on it in the film above, then run this cell.

# %% tags=["try-it"]
write.picked

# %% [markdown]
# <!-- slide:
# *Which* entry died, because of *which* write? **The spte that was made from the written guest entry.** All others
# live.
#
# - The host did *not* copy the new value: nobody may ever use it.
# - The guest did *not* have to say anything.
# -->
# Put it into words before you read on: *which* entry died, because of *which* write?
#
# <details><summary>An answer</summary>
#
# The spte for your address died: the shadow entry that was made from the written guest entry (for the first heap
# page, `#248:454`, in the level-1 shadow page; for a page of 2 MB one level above; your last step but two names it).
# It died because the guest's kernel wrote the 8 bytes of the guest entry that it was made from, at the same index of
# the guest's page table. All other entries are alive, also those above it: they were made from other guest entries,
# which nobody wrote.
#
# </details>
#
# Two things are worth noticing. The host did *not* copy the new value into the shadow: nobody knows yet whether the
# guest will ever use it. And it did not need the guest to say anything. A real processor may keep old translations
# until the guest tells it to forget them, but a hypervisor that zaps *before* the write is never late.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## And in again
#
# The entry is gone, the program isn't. What will its next access cost: the whole climb of the first fault, or less? You
# know enough to be sure before you look.

# %%
watch(lambda: vm.access(place.gva, user=place.user), vm, [place.gva])

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - The processor walks the **shadow pages**. What is missing there is made at a **fault**.
# - A shadowed guest table is **write-protected**.
# - Sptes made from bytes that are about to change are **zapped**.
# - The **reverse map** finds the sptes that must lose their W.
# -->
# ## What you saw
#
# - The processor walks the **shadow pages**, never the guest's tables. What is missing there, the host makes from the
#   guest's tables at the first **fault**.
# - A guest page table that is shadowed is **write-protected**: no spte that leads to it has its W. So every write to
#   it stops in the host. Without that, the shadow goes stale, and you have seen where stale leads.
# - Before such a write happens, the host **zaps** the sptes that were made from the bytes about to change. The next
#   access faults them in anew, from the new value.
# - The **reverse map** of a frame knows its writable sptes: how else would the host find, among all entries, those
#   that must lose their W when a frame becomes a page table?
#
# Everything that you watched is the algorithm of KVM in Linux 2.6.22, step by step; this kit is compared with the
# kernel's own code, state by state. For more of it, give `detail=True` to `watch`, play with `fault_lab()` and
# `write_lab()` from `kvmmmu_lab.labs` (they let you build the page table, and bet on the outcome), go back to
# *Pick an address* and choose an address marked *2 MB page* (what could shadow *that*?), or open another
# guest, `linpae_A` or `lin32_A` (there: two levels, and entries of 4 bytes), and see the same play on tables of
# another shape.
