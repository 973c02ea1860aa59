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
# - how the host removes an entry from its map, step by step
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
# - what a map looks like after any sequence of additions and removals;
# - how the host removes an entry from its map, step by step.
#
# As in lesson 0, run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about half an hour. There are thirteen questions. Have everyone choose an answer
# before you run the next cell.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A read
#
# The guest is the same as in lesson 0, and so is the address, in the first page of the program's heap. The program
# *reads* one byte there; it does not write. You have watched this fault in lesson 0, so here is only the result. Look at
# the frame (grey, on the right).

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import Builder, hierarchy, reverse_map, rmap_lab, watch, who_maps
from kvmmmu_lab.lessons import lesson_06 as lesson
from kvmmmu_lab.mmu.bits import ACCESSED, CR0_WP, DIRTY, PRESENT, USER, WRITABLE

guest, heap = open_guest("lin64_A"), 0x343C6000
vm = guest.vm()
read = vm.access(heap, user=True)
hierarchy(vm, heap)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The dashed purple line is the **reverse map**: it runs backwards, from the frame to the spte.
#
# Now the guest's kernel switches to another program. It loads CR3 with the address of another root table.
# -->
# The dashed purple line is the reverse map: it runs backwards, from the frame to the spte.
#
# Now the guest's kernel switches to another program. It loads CR3 with the address of another root table, so the host
# takes another root shadow page, and the processor walks other tables. What is in the map of the first program's heap
# page then?

# %% tags=["question"]
guess_other_program = lesson.other_program(vm, read.gpa >> 12)
guess_other_program

# %%
vm.load_cr3(int(guest.roots[1]))
reverse_map(vm, read.gpa >> 12)

# %% tags=["answer"]
guess_other_program.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A small guest
#
# Here is a small guest, made by hand, with a single page. The flags of the guest's entry are `PWU`: present, writable,
# and open to user code. The program reads one byte.

# %%
fresh = Builder()
page = fresh.map(0x1000, flags=PRESENT | WRITABLE | USER)
machine = fresh.start()

# %% tags=["question"]
guess_small_guest = lesson.small_guest(machine, page)
guess_small_guest

# %%
machine.access(0x1000, user=True)
hierarchy(machine, 0x1000)

# %% tags=["answer"]
guess_small_guest.reveal()

# %%
watch(lambda: machine.access(0x1000, user=True, write=True), machine)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The kernel reads the same byte
#
# Back to the Linux guest, to its first program, and to the first page of the heap. Linux maps all of memory a second
# time for its own use, at other addresses. Let the kernel read the same byte there once, and look at the frame on the
# right. (To see only one kind of step, open *Steps* and choose it under *Stop when*, *a reverse map changes* for example.
# If there is no such step, the film runs to its end.)

# %%
first_program = vm.load_cr3(int(guest.roots[0]))

# %% tags=["question"]
guess_same_byte = lesson.same_byte(vm, heap)
guess_same_byte

# %%
kernel = 0xFFFF888000000000 + read.gpa
second = watch(lambda: vm.access(kernel), vm, [heap, kernel])
second

# %% tags=["answer"]
guess_same_byte.reveal()

# %%
reverse_map(vm, read.gpa >> 12)

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
# four entries. Both entries go into it, the old one first, and the word now holds the address of the descriptor
# (`mmu.c:327-332`). The host writes the word twice, with the first entry and with the second. However many entries are
# added later, the word and all places stay as they are.

# %%
lab.map()
reverse_map(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A mapping without W
#
# Now we add a third mapping, but this time the guest's entry has no W: the frame can be read through it, but not
# written. The guest reads there, and the host makes the spte. The picture shows all entries that lead to the frame. Only
# two of them have a dashed line.

# %%
lab.map(read_only=True)
who_maps(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The guest's kernel gives the third mapping its W (and D). After that the guest reads through it, and then it writes.
# -->
# Then the guest's kernel gives the third mapping all rights: it stores a new value, with W and D, in its page-table
# entry. After that the guest reads through this mapping, and then it writes. At which of these three is the shadow
# entry recorded?

# %%
gva = lab.mapped[2]
at, value = lab.guest.entry_gpa(gva), lab.gfn << 12 | PRESENT | WRITABLE | USER | ACCESSED | DIRTY

# %% tags=["question"]
guess_made_writable = lesson.made_writable(lab)
guess_made_writable

# %%
counts = []
for step in (
    lambda: lab.machine.emulate_write_gpa(at, value, 8),
    lambda: lab.machine.access(gva),
    lambda: lab.machine.access(gva, write=True),
):
    step()
    counts.append(len(list(lab.machine.rmap.sptes(lab.hfn))))
counts

# %% tags=["answer"]
guess_made_writable.reveal(counts)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The fifth entry
#
# Let us add one more mapping. Now there are four.

# %%
lab.map()
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
# The guest unmaps `0x2000`, so `#248:2` has to be removed from the map. A hole between the entries would be a
# problem: the host finds the end of a descriptor by looking for its first empty place. So something has to move. What
# will the map look like, place by place? (A bar separates the descriptors.)

# %% tags=["question"]
guess_hole = lesson.hole(lab)
guess_hole

# %%
lab.unmap(lab.mapped.index(0x2000)).film

# %% tags=["answer"]
guess_hole.reveal()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The frame is mapped once more.

# %% tags=["question"]
guess_mapped_again = lesson.mapped_again(lab)
guess_mapped_again

# %%
lab.map()
reverse_map(lab.machine, lab.gfn)

# %% tags=["answer"]
guess_mapped_again.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The map shrinks
#
# Now the guest unmaps four of the six mappings, from `0x1000` to `0x4000`. The film shows the last of these removals.
# Compare the descriptors at its beginning and at its end.

# %%
for gva in (0x1000, 0x2000, 0x3000):
    lab.unmap(lab.mapped.index(gva))
lab.unmap(lab.mapped.index(0x4000)).film

# %% [markdown] slideshow={"slide_type": "subslide"}
# When the host has removed an entry, it asks only one question: is this descriptor empty now? If it is, the host takes
# it out of the list and frees it. Two entries are left, and the guest unmaps `0x5000`.

# %% tags=["question"]
guess_last_one = lesson.last_one(lab)
guess_last_one

# %%
lab.unmap(lab.mapped.index(0x5000))
reverse_map(lab.machine, lab.gfn)

# %% tags=["answer"]
guess_last_one.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The other way round
#
# In each film of an unmapping, the entry was first removed from the reverse map, and then cleared. Let us do them in
# the other order, by hand, on a new guest with two mappings: first clear the bits, then remove the entry from the map.
#
# Two facts about the code. `remove` is called for every entry that the host is about to clear, also for read-only ones,
# and is given the entry, but not the frame. And Linux checks what must always be true: if it is not, `BUG` stops the
# host at once. For example, an entry for which `remove` searches a map must be in that map (`mmu.c:383`, `408`).

# %%
lab = rmap_lab()
lab.map()
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
# Now the frame becomes a page table.

# %% tags=["question"]
guess_becomes_table = lesson.becomes_table(lab)
guess_becomes_table

# %%
lab.protect().film

# %% tags=["answer"]
guess_becomes_table.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Two addresses
#
# In the next guest, two entries of the page directory point to one page table. So one page has two addresses, `0x1000`
# and `0x201000`. The guest's kernel writes at the first address, and then at the second.

# %%
twin = Builder()
gfn = twin.map(0x1000)
twin.vm.poke(twin.entry_gpa(0x201000, 2), twin.vm.peek(twin.entry_gpa(0x1000, 2)))
machine = twin.start()

# %% tags=["question"]
guess_two_addresses = lesson.two_addresses(machine, gfn)
guess_two_addresses

# %%
twice = watch(
    lambda: [machine.access(0x1000, write=True), machine.access(0x201000, write=True)], machine, [0x1000, 0x201000]
)
twice

# %% tags=["answer"]
guess_two_addresses.reveal(twice)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# A page that user code may only read, with CR0.WP clear: the kernel may write to it, the program may not.
#
# - when the *kernel writes*, `fix_write_pf(vcpu, spte, ...)` gives the spte W and takes U away
# - when the *program reads*, `fix_read_pf(spte)` gives it U and takes W away
# -->
# ## A page that only the kernel may write
#
# x86 processors have a control bit, CR0.WP. If it is set, a read-only page is read-only for the kernel, too. If it is
# clear, the kernel may write to read-only pages, as on the 386. Some guests run with WP clear. Now take a page that
# user code may only read. The kernel must be able to write to it and the program must not, and no single spte can
# express both. So KVM switches the spte between two states, one fault at a time:
#
# - When the *kernel writes*, `fix_write_pf` gives the spte W and takes U away. Its arguments are the virtual processor
#   (vcpu), the spte, and what the walk has found (`paging_tmpl.h:307`).
# - When the *program reads* after that, `fix_read_pf` gives the spte U and takes W away. Its only argument is the spte
#   (`mmu.c:1009`).
#
# (In the kernel, the functions that add an entry to a map and remove it have two arguments: the vcpu, which owns a stock
# of descriptors, and the spte. The kit's `remove(spte)` knows its vcpu.) Here is a guest in which you can see the switch.
# First it clears WP.

# %%
old = Builder()
gfn = old.map(0x1000, flags=PRESENT | USER)
machine = old.start()
wp_is_clear = machine.load_cr0(machine.cpu.cr0 & ~CR0_WP)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The kernel writes to the page, then the program reads it.
# -->
# One film shows both halves: the kernel writes to the page, then the program reads it. Look for the step in which the
# spte loses U, the step in which it gets U back, and at the reverse map in both. (A small `u` is like the small `w`: the
# guest's entry has the flag, and the host withholds it.)

# %% tags=["question"]
guess_flipped = lesson.flipped(machine, gfn)
guess_flipped

# %%
both = watch(lambda: [machine.access(0x1000, write=True), machine.access(0x1000, user=True)], machine)
both

# %% tags=["answer"]
guess_flipped.reveal(both)

# %%
who_maps(machine, gfn)

# %% [markdown] slideshow={"slide_type": "subslide"}
# Then the kernel writes to the page once more.

# %% tags=["question"]
guess_written_again = lesson.written_again(machine, gfn)
guess_written_again

# %%
machine.access(0x1000, write=True)
reverse_map(machine, gfn)

# %% tags=["answer"]
guess_written_again.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# Later, the guest's kernel uses that frame as the page table for `0x40000000`:

# %%
old.map(0x40000000)
old.vm.poke(old.entry_gpa(0x40000000, 2), gfn << 12 | PRESENT | WRITABLE)
old.vm.poke(gfn << 12, old.frame() << 12 | PRESENT | WRITABLE)
watch(lambda: machine.access(0x40000000), machine, [0x1000])

# %% tags=["answer"]
lesson.IN_THE_END

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - Map the frame five times, then remove the first four mappings one by one. What is in the map each time?
# - How many descriptors can a map of two entries use?
# - Mix read-only mappings with others. Which of them need a place in a descriptor?
# -->
# ## Your turn
#
# Here is the lab with its form. Choose what you expect, press a button, and compare. Three things to try:
#
# - Map the frame five times, then remove the first four mappings one by one. Can you predict the map each time?
# - How many descriptors can a map of two entries use? Find the largest number.
# - Mix read-only mappings with others. Which of them need a place in a descriptor?

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
