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
# [← Lesson 0: The first fault](00_first_fault.ipynb) ·
# [Lesson 7: Write protection →](07_write_protection.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# Page tables lead one way: from an address to a frame. The **reverse map** leads back: *through which shadow entries
# can this frame be written?*
#
# - which entries it records, and which it does not
# - what a map looks like after additions and removals
# - in which order an entry is removed from its map and cleared
# -->
# # Lesson 6: Reverse maps
#
# Page tables lead one way: from an address to a frame. In lesson 0 you met the opposite question. A frame of guest
# memory becomes a page table, and the host begins to shadow it. From that moment on, the guest must not be able to
# write the frame unnoticed. So the host has to find every shadow entry through which this one frame can be written.
# *Which entries are these?*
#
# The host could search all of them. There are 256 shadow pages with 512 entries each: 131,072 entries to search for
# each page table that the guest begins to use. Instead, the host keeps a list for each frame and has the answer at
# once. This list is the **reverse map** of the frame, `rmap` for short.
#
# After this lesson you can explain
#
# - which entries a reverse map records, and which it does not;
# - which entry is in which place of a map after any sequence of additions and removals;
# - in which order the host removes an entry from its map and clears it, and why.
#
# As in lesson 0, run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about half an hour. There are thirteen questions. Have everyone choose an answer
# before you run the next cell.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A read
#
# The guest is the same as in lesson 0, and so is the address, in the first page of the program's heap. The program is
# about to *read* one byte there; it does not write.

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import Builder, hierarchy, reverse_map, rmap_lab, watch, who_maps
from kvmmmu_lab.lessons import lesson_06 as lesson
from kvmmmu_lab.mmu.bits import CR0_WP, PRESENT, USER, WRITABLE

guest, heap = open_guest("lin64_A"), 0x343C6000
vm = guest.vm()

# %% tags=["question"]
guess_recorded = lesson.recorded(vm, heap)
guess_recorded

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# Look at the frame (grey, on the right) in the last steps.
# -->
# Step through to the end, and look at the frame (grey, on the right). To see only one kind of step, open *Steps*
# and choose it under *Stop when*, *a reverse map changes* for example. If there is no such step, the film runs to its end.

# %%
read = watch(lambda: vm.access(heap, user=True), vm, [heap])
read

# %% tags=["answer"]
guess_recorded.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A page that has never been written
#
# The flags of the guest's entry in that film were `PWUAD.NX`. **D**, *dirty*, means that the page has been written at
# some time in the past. Here is a small guest, made by hand, with a page that has never been written: its entry has W,
# but D is clear. Again the program only reads.

# %%
fresh = Builder()
clean = fresh.map(0x1000, flags=PRESENT | WRITABLE | USER)
machine = fresh.start()

# %% tags=["question"]
guess_unwritten = lesson.unwritten(machine, clean)
guess_unwritten

# %%
machine.access(0x1000, user=True)
hierarchy(machine, 0x1000)

# %% tags=["answer"]
guess_unwritten.reveal()

# %%
watch(lambda: machine.access(0x1000, user=True, write=True), machine)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A second way to the same frame
#
# Back to the Linux guest, and to the first page of its heap. Linux maps all of memory a second time for its own use, at
# other addresses. There the kernel reaches the same byte through other tables. Let the kernel read it once, and look at
# the frame on the right.

# %% tags=["question"]
guess_two_ways = lesson.two_ways(vm, heap)
guess_two_ways

# %%
kernel = 0xFFFF888000000000 + read.result.gpa
second = watch(lambda: vm.access(kernel), vm, [heap, kernel])
second

# %% tags=["answer"]
guess_two_ways.reveal()

# %%
reverse_map(vm, read.result.gpa >> 12)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# A small guest has one frame, and you map it again and again.
#
# At first the map of the frame is **empty**. After one mapping the entry is **kept directly**: its address fits into
# the one word that each frame has.
# -->
# ## The three forms of a map
#
# Let us use a smaller guest, made for this purpose. `rmap_lab()` has one frame, and you can map it again and again,
# each time through another entry of the same page table. (The lab also has buttons and a form, which you will find at
# the end of this lesson. Here we call its methods, so that everyone sees the same thing.)
#
# At first the map of the frame is **empty**. Watch what the first mapping changes. The film begins with the guest's
# store into its page table, which the host performs, as in lesson 0. Then the guest uses the new mapping, and the
# access faults. After the fault the map has one entry, and that entry is **kept directly**: the host has one word for
# each frame, and the address of the entry fits into it. Most frames are mapped once, so most maps need no more than
# this word.

# %%
lab = rmap_lab()
lab.map().film

# %% [markdown] slideshow={"slide_type": "subslide"}
# Two entries do not fit into one word. So the host takes a **descriptor**: a small block of memory with places for
# four entries and a link to another descriptor. Both entries go into it, the old one first (`mmu.c:327-332`).

# %%
lab.map()
reverse_map(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A mapping without W
#
# Now we add a third mapping, but this time the guest's entry has no W: the frame can be read through it, but not
# written. The guest reads there, and the host makes the spte.

# %% tags=["question"]
guess_read_only = lesson.read_only(lab)
guess_read_only

# %%
lab.map(read_only=True).film

# %% tags=["answer"]
guess_read_only.reveal()

# %% [markdown]
# Here are all entries that lead to the frame:

# %%
who_maps(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## When the descriptor is full
#
# Two more writable mappings fill the descriptor.

# %%
lab.map(), lab.map()
reverse_map(lab.machine, lab.gfn)

# %% tags=["question"]
guess_fifth = lesson.fifth(lab)
guess_fifth

# %%
lab.map().film

# %% tags=["answer"]
guess_fifth.reveal()

# %% [markdown]
# One more mapping, so that there are six:

# %%
lab.map()
reverse_map(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A hole
#
# The guest unmaps the second of the six, so `#248:2` has to be removed from the map. A hole between the entries would
# be a problem: the host finds the end of a descriptor by looking for its first empty place. So another entry has to
# move. What will the map look like, place by place? (A bar separates the descriptors.)

# %% tags=["question"]
guess_hole = lesson.hole(lab)
guess_hole

# %%
lab.unmap(1).film

# %% tags=["answer"]
guess_hole.reveal()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The frame is mapped once more.

# %% tags=["question"]
guess_refill = lesson.refill(lab)
guess_refill

# %%
lab.map()
reverse_map(lab.machine, lab.gfn)

# %% tags=["answer"]
guess_refill.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## When a descriptor becomes empty
#
# Now we remove three of the first four entries, and then the fourth. Step through this last removal: it leaves the
# descriptor empty, and an empty descriptor is **unlinked and freed**. The second descriptor becomes the head of the
# list.

# %%
for gva in (0x1000, 0x5000, 0x4000):
    lab.unmap(lab.mapped.index(gva))
lab.unmap(lab.mapped.index(0x2000)).film

# %% [markdown] slideshow={"slide_type": "subslide"}
# Two entries are left, in one descriptor. One of them is removed. Then the map has a single entry, as it had after
# the very first mapping. Will this entry be kept directly, as it was then?

# %% tags=["question"]
guess_last_one = lesson.last_one(lab)
guess_last_one

# %%
lab.unmap(lab.mapped.index(0x6000))
reverse_map(lab.machine, lab.gfn)

# %% tags=["answer"]
guess_last_one.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The other way round
#
# In each film of an unmapping, the entry was first removed from the reverse map, and then cleared. Let us do them in
# the other order, by hand, on a new guest with one mapping: first clear the bits, then remove the entry from the map.

# %%
lab = rmap_lab()
lab.map()
spte = lab.machine.rmap.sptes(lab.hfn)[0]

# %% tags=["question"]
guess_cleared_first = lesson.cleared_first(lab)
guess_cleared_first

# %%
lab.machine.memory.words[spte] = 0
lab.machine.rmap.remove(spte)
reverse_map(lab.machine, lab.gfn)

# %% tags=["answer"]
guess_cleared_first.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now the frame becomes a page table, and the host goes through all entries of the map.

# %% tags=["question"]
guess_ghost = lesson.ghost(lab)
guess_ghost

# %%
end = lab.protect()
end.film

# %% tags=["answer"]
guess_ghost.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## "From the frame back to the addresses"
#
# You will often read: *the page tables translate gva to gfn, and the reverse map translates gfn back to gva.* It
# sounds symmetrical. Is it right? Here is a guest to try it on: two entries of its page directory point to the *same*
# page table. So one page has two addresses, `0x1000` and `0x201000`, and the guest's kernel writes through both.

# %%
twin = Builder()
gfn = twin.map(0x1000)
twin.vm.poke(twin.entry_gpa(0x201000, 2), twin.vm.peek(twin.entry_gpa(0x1000, 2)))
machine = twin.start()

# %% tags=["question"]
guess_two_addresses = lesson.two_addresses(machine, gfn)
guess_two_addresses

# %%
watch(lambda: [machine.access(0x1000, write=True), machine.access(0x201000, write=True)], machine, [0x1000, 0x201000])

# %% tags=["answer"]
guess_two_addresses.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# A page that user code may only read, with CR0.WP clear: the kernel may write to it, the program may not.
#
# - when the *kernel writes*, the spte gets W and loses U
# - when the *program reads*, the spte gets U and loses W
# -->
# ## A page that only the kernel may write
#
# x86 processors have a control bit, CR0.WP. If it is set, a read-only page is read-only for the kernel, too. If it is
# clear, the kernel may write to read-only pages, as on the 386. Some guests run with WP clear. Now take a page that
# user code may only read. The kernel must be able to write to it and the program must not, and no single spte can
# express both. KVM's solution has two halves. When the *kernel writes*, the spte gets W and loses U. When the
# *program reads* after that, the spte gets U and loses W. So the spte switches between the two states, one fault at a
# time.
#
# Here is a guest in which you can see it. At `0x1000` it has a page that user code may only read; later it will use
# the same frame as the page table for `0x40000000`. First it clears WP (`True` means that the processor accepts the
# new CR0).

# %%
old = Builder()
gfn = old.map(0x1000, flags=PRESENT | USER)
old.map(0x40000000)
old.vm.poke(old.entry_gpa(0x40000000, 2), gfn << 12 | PRESENT | WRITABLE)  # the same frame is the page table there
machine = old.start()
machine.load_cr0(machine.cpu.cr0 & ~CR0_WP)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The kernel writes to the page, then the program reads it.
# -->
# One film shows both halves: the kernel writes a value to the page (the value happens to be a page-table entry), then
# the program reads the page. Look for the step in which the spte loses U, the step in which it gets U back, and for
# what happens to the reverse map after each.

# %% tags=["question"]
guess_flipped = lesson.flipped(machine, gfn)
guess_flipped

# %%
entry = old.frame() << 12 | PRESENT | WRITABLE
both = watch(lambda: [machine.access(0x1000, write=True, value=entry, size=8), machine.access(0x1000, user=True)], machine)
both

# %% tags=["answer"]
guess_flipped.reveal()

# %%
who_maps(machine, gfn)

# %% [markdown] slideshow={"slide_type": "subslide"}
# For the moment everything works. Hours later, the guest's kernel uses that frame as a page table.

# %% tags=["question"]
guess_later = lesson.later(machine)
guess_later

# %%
watch(lambda: machine.access(0x40000000), machine, [0x1000])

# %% tags=["answer"]
guess_later.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - Map the frame five times, then remove the first four mappings one by one. Which entry fills the hole?
# - Can you make a map of two entries that uses two descriptors?
# - Map it twice, press *Make it a page table*, and map it once more.
# -->
# ## Your turn
#
# Here is the lab with its form. Choose what you expect, press a button, and compare. Three things to try:
#
# - Map the frame five times, then remove the first four mappings one by one. Can you predict each time which entry
#   fills the hole?
# - Can you make a map of two entries that uses two descriptors?
# - Map the frame twice, press *Make it a page table*, and map it once more. Which entries are in the map?

# %% tags=["try-it"]
rmap_lab()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you saw

# %% tags=["answer"]
lesson.SUMMARY

# %% [markdown]
# <!-- slide: -->
# Now write it yourself: [exercise 04: rmap_add](../exercises/04_rmap_add/README.md), and then [exercise 05:
# rmap_remove](../exercises/05_rmap_remove/README.md). [Lesson 7](07_write_protection.ipynb) shows what the map is
# for.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 0: The first fault](00_first_fault.ipynb) ·
# [Lesson 7: Write protection →](07_write_protection.ipynb)
