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
# [← Lesson 5: Naming shadow pages](05_naming.ipynb) ·
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
# memory becomes a page table, and the host begins to shadow it. From then on, the guest must not write the frame
# unnoticed. So the host has to find every shadow entry through which this frame can be written. *Which entries are
# these?*
#
# The host could search all shadow pages. There are 256, with 512 entries each. So the host would read 131,072 entries
# each time the guest begins to use a page table. Instead, the host keeps a list for each frame, and has the answer at
# once. This list is the **reverse map** of the frame, `rmap` for short.
#
# After this lesson you can
#
# - say which entries a reverse map records, and which it does not;
# - predict what a map looks like after any sequence of additions and removals;
# - say in which order the host removes an entry from its map and clears it, and why.
#
# <!-- notebook -->
# As in lesson 0, run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about half an hour. There are eight predictions and four check questions. Have
# everyone choose an answer before you run the next cell. In the part about holes it helps to draw the places of the
# map on paper. Two predictions are not on the slides; ask them if there is time.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## New in the picture: the way back has places for entries -->
# ## The picture so far
#
# Up to now, the way back from a frame was only a dashed line in this picture. New in this lesson is where the host
# keeps the way back: in one word for each frame, and if this is not enough, in small blocks of memory with places for
# the addresses of shadow entries.

# %% tags=["hide-input"]
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import Builder, course_picture, hierarchy, reverse_map, rmap_lab, watch, who_maps
from kvmmmu_lab.lessons import lesson_06 as lesson
from kvmmmu_lab.mmu.bits import ACCESSED, CR0_WP, PRESENT, USER, WRITABLE

course_picture(6)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The reverse map leads from a frame back to its spte -->
# ## A read
#
# The guest and the address are those of lesson 0. The address is in the first page of the program's heap. The program
# *reads* one byte there, and writes nothing. You watched this fault in lesson 0, so here is only the result. Look at
# the frame (grey, on the right).

# %% tags=["hide-input"]
guest, heap = open_guest("lin64_A"), 0x343C6000
vm = guest.vm()
read = vm.access(heap, user=True)
hierarchy(vm, heap)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Predict: another program runs
#
# The guest's kernel loads CR3 with the address of another root table.
# -->
# The dashed purple line is the reverse map: it leads back from the frame to the spte.
#
# Now the guest's kernel switches to another program: it loads CR3 with the address of another root table. The host
# takes another root shadow page, and the processor walks other tables. What is in the map of the first program's heap
# page now?

# %% tags=["question"]
guess_other_program = lesson.other_program(vm, read.gpa >> 12)
guess_other_program

# %% slideshow={"title": "The map lists entries of all shadow pages"} tags=["hide-input"]
vm.load_cr3(int(guest.roots[1]))
reverse_map(vm, read.gpa >> 12)

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_other_program.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: the kernel reads the same byte
#
# Linux maps all of memory a second time for its own use, at other addresses.
# -->
# ## The kernel reads the same byte
#
# The guest switches back to its first program. Linux maps all of memory a second time, at other addresses, for its
# kernel's own use. There the kernel reads the same byte of the heap page once. Look at the frame on the right. (To
# stop only at steps of one kind, open *Steps* and choose the kind under *Stop when*, for example *a reverse map
# changes*.)

# %% tags=["hide-input"]
first_program = vm.load_cr3(int(guest.roots[0]))

# %% tags=["question"]
guess_same_byte = lesson.same_byte(vm, heap)
guess_same_byte

# %% slideshow={"title": "The kernel's address goes through an spte of its own"}
kernel = 0xFFFF888000000000 + read.gpa
second = watch(lambda: vm.access(kernel), vm, [heap, kernel])
second

# %% tags=["answer"]
guess_same_byte.reveal()

# %% slideshow={"slide_type": "skip"} tags=["hide-input"]
reverse_map(vm, read.gpa >> 12)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The first entry fits into the word of the frame -->
# ## The three forms of a map
#
# Here is a smaller guest, made for this purpose. `rmap_lab()` has one frame, and you can map it again and again, each
# time through another entry of the same page table. (At the end of this lesson you get the lab with buttons. Here the
# lesson calls its methods.) Your `seed` decides which mappings are removed. <!-- notebook -->Change it, run the
# cells again from here, and you get other questions with other answers.<!-- /notebook -->
#
# At first the map of the frame is **empty**. The film shows the first mapping. It begins when the guest stores a new
# entry in its page table. The host performs this store, as in lesson 0. (The lab leaves out the fault before the store.
# Below the page table, the pictures have the words *1 more*: the lab needs one more entry of this table for itself.)
# Then the guest uses the new mapping, and the access faults. After the fault the map has one entry, and that entry is
# **kept directly**: the host has one word for each frame, and the address of the entry fits into it. Most frames are
# mapped once, so most maps need no more than this word.

# %%
seed = 7
lab = rmap_lab()
lab.map().film

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## For two entries the host takes a descriptor -->
# Two entries do not fit into one word. So the host takes a **descriptor**: a small block of memory with places for four
# entries. The addresses of both entries go into it, that of the older entry first. (For short, we say that an entry is
# *in* the map.) The word of the frame now holds the address of the descriptor (`mmu.c:327-332`). Bit 0 of the word is
# set then, so that the host can tell this address from that of an entry. A third and a fourth entry go into its free
# places, and the word stays the same.

# %% tags=["hide-input"]
lab.map()
reverse_map(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## An entry without W is not in the map
#
# **The map records only entries that are present and have W.**
# -->
# ## A mapping without W
#
# Now we add a third mapping. This time the guest's entry has no W: through it the frame can be read, and not written.
# The guest reads there, and the host makes the spte. The picture shows all entries that lead to the frame. Only two of
# them have a dashed line: **the map records only entries that are present and have W**. (Links are in no map: they lead
# to shadow pages, and not to frames of the guest.)

# %% tags=["hide-input"]
lab.map(read_only=True)
who_maps(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "skip"}
# <!-- slide:
# ## Predict: the third mapping gets W
#
# The guest's kernel stores an entry with W, and with D clear. Then the guest reads through it, and then it writes.
# -->
# Now three things happen. The guest's kernel stores a new value in the page-table entry of the third mapping: W is set,
# and D is clear. Then the guest reads through this mapping. Then it writes through it. When does the shadow entry get
# into the map?

# %% slideshow={"slide_type": "skip"} tags=["hide-input"]
gva = lab.mapped[2]
at, value = lab.guest.entry_gpa(gva), lab.gfn << 12 | PRESENT | WRITABLE | USER | ACCESSED

# %% slideshow={"slide_type": "skip"} tags=["question"]
guess_made_writable = lesson.made_writable(lab)
guess_made_writable

# %% slideshow={"slide_type": "skip"} tags=["hide-input"]
counts = []
for step in (
    lambda: lab.machine.emulate_write_gpa(at, value, 8),
    lambda: lab.machine.access(gva),
    lambda: lab.machine.access(gva, write=True),
):
    step()
    counts.append(len(list(lab.machine.rmap.sptes(lab.hfn))))
counts

# %% slideshow={"slide_type": "skip"} tags=["answer"]
guess_made_writable.reveal(counts)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: the fifth entry
#
# Four mappings have filled the descriptor.
# -->
# ## The fifth entry
#
# One more mapping is made. Now there are four, and they fill the descriptor.

# %% tags=["hide-input"]
fourth = lab.map()

# %% tags=["question"]
guess_fifth = lesson.fifth(lab)
guess_fifth

# %% slideshow={"title": "The fifth entry begins a second descriptor"}
lab.map().film

# %% tags=["answer"]
guess_fifth.reveal()

# %% [markdown]
# <!-- slide: ## Six entries in two descriptors -->
# One more mapping, so that there are six:

# %% tags=["hide-input"]
lab.map()
reverse_map(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: an entry leaves a full map
#
# The guest unmaps one address. The host finds the end of a descriptor by its first empty place, so something has to
# move.
# -->
# ## A hole
#
# The guest unmaps `0x1000` or `0x2000`; your seed decides which. So an entry of the first descriptor has to leave the
# map. It must not leave a hole between other entries: when the host reads a descriptor, it stops at the first empty
# place. So something has to move. What will the map look like, place by place? (In the answers, a bar separates the
# descriptors.)

# %% tags=["hide-input"]
gone = lesson.goes_first(seed)
hex(gone)

# %% tags=["question"]
guess_hole = lesson.hole(lab, gone)
guess_hole

# %% slideshow={"title": "The last entry of the same descriptor fills the hole"}
lab.unmap(lab.mapped.index(gone)).film

# %% tags=["answer"]
guess_hole.reveal()

# %% [markdown] slideshow={"slide_type": "skip"}
# The frame is mapped once more. The host looks for a free place, beginning with the first descriptor. There it finds
# the place that the removal has made free, so the new entry goes there. (The guest maps the same address again, so this
# is the same spte as before. Only its place in the map is different.)

# %% slideshow={"slide_type": "skip"} tags=["hide-input"]
lab.map()
reverse_map(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## A descriptor that becomes empty is freed -->
# ## The map shrinks
#
# Now the guest unmaps four of the six mappings, from `0x1000` to `0x4000`. The film shows the last of these removals:
# the first descriptor loses its only entry. After each removal the host asks only one question: is the descriptor
# from which it took the entry empty now? If it is, the host takes it out of the list and frees it. (The film has no
# step for this. Compare its first and its last picture.)

# %%
for gva in (0x1000, 0x2000, 0x3000):
    lab.unmap(lab.mapped.index(gva))
lab.unmap(lab.mapped.index(0x4000)).film

# %% [markdown] slideshow={"slide_type": "skip"}
# <!-- slide:
# ## Predict: one of two entries leaves
#
# The guest unmaps one of its last two addresses.
# -->
# Two entries are left, in one descriptor. The guest unmaps `0x5000` or `0x6000`; your seed decides which.

# %% slideshow={"slide_type": "skip"} tags=["hide-input"]
gone = lesson.goes_last(seed)
hex(gone)

# %% slideshow={"slide_type": "skip"} tags=["question"]
guess_last_one = lesson.last_one(lab, gone)
guess_last_one

# %% slideshow={"slide_type": "skip"} tags=["hide-input"]
lab.unmap(lab.mapped.index(gone))
reverse_map(lab.machine, lab.gfn)

# %% slideshow={"slide_type": "skip"} tags=["answer"]
guess_last_one.reveal()

# %% [markdown] slideshow={"slide_type": "skip"}
# <!-- slide: ## Watch it with other numbers -->
# Change the number of mappings and watch again. The film shows how the entry of `0x1000` leaves the map. Try 2, 4, 5
# and 8 mappings. Two things are always the same: the entry that moves is the last one of the *first* descriptor, and
# the number of descriptors does not change.

# %% slideshow={"slide_type": "skip"}
mappings = 5
lesson.first_leaves(mappings)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: clear first, then remove
#
# So far, each entry was removed from the map first and then cleared. Now the other way round, by hand.
# -->
# ## The other way round
#
# In each film of an unmapping, the host first removed the entry from the reverse map, and then cleared it. What if it
# clears the entry first? Let us try it by hand, on a new guest with two mappings: we set the entry to zero, and then
# call `remove`, the function that removes an entry from its map.
#
# The host calls `remove` for every entry that it is about to clear, also for entries without W, which are in no map. It
# passes the entry to `remove`, but not the frame. If `remove` searches a map for an entry and does not find the entry,
# it calls `BUG` (`mmu.c:383`, `408`). `BUG` is for states that must never occur: it stops the host at once.

# %% tags=["hide-input"]
lab = rmap_lab()
lab.map()
lab.map()
spte = lab.machine.rmap.sptes(lab.hfn)[0]

# %% tags=["question"]
guess_cleared_first = lesson.cleared_first(lab)
guess_cleared_first

# %% slideshow={"title": "`remove` does not find the map of an empty entry"}
lab.machine.memory.words[spte] = 0
lab.machine.rmap.remove(spte)
reverse_map(lab.machine, lab.gfn)

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_cleared_first.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## Then the frame becomes a page table -->
# Then the frame becomes a page table (`lab.protect()`), and the host goes through the map:

# %% tags=["hide-input"]
outcome = lab.protect()
str(lab.machine.dead)

# %% tags=["answer"]
lesson.EMPTY_ENTRY

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "A reverse map translates a frame back to an address"
#
# Three entries of the page directory point to one page table, so one page has three addresses. The kernel writes at
# each. What is in the map?
# -->
# ## "A reverse map translates a frame back to an address"
#
# Page tables translate an address to a frame. So a *reverse* map should translate a frame to an address: many
# explanations say so. Try to read an address from a map. In the next guest, three entries of the page directory point
# to one page table. So one page has three addresses: `0x1000`, `0x201000` and `0x401000`. The kernel writes at each of
# them. Which frames do the writes reach, and what does the map of the page's frame contain?

# %% slideshow={"title": "Three addresses, and one entry in the map"} tags=["hide-input"]
aliased = Builder()
gfn = aliased.map(0x1000)
for gva in (0x201000, 0x401000):
    aliased.vm.poke(aliased.entry_gpa(gva, 2), aliased.vm.peek(aliased.entry_gpa(0x1000, 2)))
machine = aliased.start()
reached = [hex(machine.access(gva, write=True).gpa >> 12) for gva in (0x1000, 0x201000, 0x401000)]
reached, lesson.names(lesson.in_map(machine, gfn))

# %% [markdown]
# <!-- slide:
# **A reverse map leads from a frame to shadow entries**, not to addresses. The host clears W in entries; all addresses
# that go through an entry lose write access at once.
# -->
# All three addresses reach the same frame, and its map names one shadow entry. The three addresses share a page table,
# so they share its shadow page and the spte in it. Nothing in the map says by which address the spte is reached.
#
# **A reverse map leads from a frame to shadow entries.** This is what the host needs: it clears W in an entry, and all
# addresses that go through this entry lose write access at once. The host never has to know these addresses. The commit
# that introduced the reverse map says the same: for each host page, the map keeps "a pointer to the shadow pte which
# maps it" ([KVM: MMU: Implement simple reverse mapping](https://github.com/torvalds/linux/commit/cd4a4e537411), commit
# cd4a4e537411 of January 2007). It also says what the map is for: page tables that are shadowed have to be protected
# against writes by the guest.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: CR0.WP is clear, and the spte changes its form
#
# - when the *kernel writes*, `fix_write_pf(vcpu, spte, ...)` gives the spte W and takes U away
# - when the *program reads*, `fix_read_pf(spte)` gives it U and takes W away
#
# The kernel writes, the program reads, and the kernel writes again.
# -->
# ## A page that only the kernel may write
#
# In lesson 4 you met a guest that has cleared CR0.WP. Its kernel may write to a page that user code may only read. No
# single spte can express both rights, so the host gives the spte two forms in turn:
#
# - When the *kernel writes*, `fix_write_pf` (`paging_tmpl.h:299-376`) gives the spte W and takes U away. Its arguments are
#   the virtual processor (vcpu), the spte, and what the walk has found.
# - When the *program reads* after that, `fix_read_pf` (`mmu.c:1009-1024`) gives the spte U and takes W away. Its only
#   argument is the spte.
#
# In the kernel's source, each function that adds an entry to a map or removes one also needs the vcpu. The vcpu owns a
# stock of descriptors: an addition may take one, and a removal may give one back (`mmu.c:294-304`).
#
# In this guest the kernel has written once. Next, the program reads, and the kernel writes again.

# %% tags=["hide-input"]
old = Builder()
gfn = old.map(0x1000, flags=PRESENT | USER)
machine = old.start()
wp_is_clear = machine.load_cr0(machine.cpu.cr0 & ~CR0_WP)
written = machine.access(0x1000, write=True)

# %% tags=["question"]
guess_written_again = lesson.written_again(machine, gfn)
guess_written_again

# %% slideshow={"title": "The spte gets U back, and then W"}
watch(lambda: [machine.access(0x1000, user=True), machine.access(0x1000, write=True)], machine)

# %% slideshow={"title": "The map after the second write"} tags=["hide-input"]
reverse_map(machine, gfn)

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_written_again.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A bug of 2007
#
# The first of three audits counts the entries in all reverse maps, and the sptes with W in all shadow pages of level 1.
# The two numbers must be equal.
# -->
# ## A bug of 2007
#
# What you have just seen is a real bug of Linux 2.6.22. That kernel contains three *audits*: tests of its MMU, which
# its developers can compile in (lesson 14). The first audit counts the entries in all reverse maps, and then the sptes
# with W in all shadow pages of level 1. It complains if the two numbers differ. Here are the complaints of all three
# audits:

# %% slideshow={"title": "The audit counts two entries in maps, and one writable entry"} tags=["hide-input"]
machine.audit()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## The frame becomes a page table, and the host crashes -->
# Without the audits nobody notices, and the guest continues. Later, its kernel uses the same frame as the page table for
# `0x40000000`. (In the film the host flushes the TLB and then clears W. Lesson 7 is about these two steps.)

# %%
old.map(0x40000000)  # makes the upper tables
old.vm.poke(old.entry_gpa(0x40000000, 2), gfn << 12 | PRESENT | WRITABLE)  # gfn is the page table
old.vm.poke(gfn << 12, old.frame() << 12 | PRESENT | WRITABLE)  # its first entry
watch(lambda: machine.access(0x40000000), machine, [0x1000])

# %% tags=["answer"]
lesson.IN_THE_END

# %% [markdown] slideshow={"slide_type": "skip"}
# ## The same in the kernel
#
# The reverse map takes 250 lines of `mmu.c`. (Its last function, `rmap_write_protect`, is in lesson 7.)
#
# | lines | name | what it does |
# | --- | --- | --- |
# | `mmu.c:161-164` | `kvm_rmap_desc` | the descriptor: four places, and the address of the next descriptor |
# | `mmu.c:199-203` | `is_rmap_pte` | says whether an entry belongs in a map: is it present and writable? |
# | `mmu.c:315-346` | `rmap_add` | adds an entry to the map of its frame |
# | `mmu.c:348-370` | `rmap_desc_remove_entry` | removes an entry from a descriptor: the last one fills the hole |
# | `mmu.c:372-410` | `rmap_remove` | removes an entry from the map of its frame |
# | `mmu.c:205-305` | `mmu_topup_memory_caches`, `mmu_alloc_rmap_desc`, ... | where descriptors come from |
#
# Where do descriptors come from? The host needs one in the middle of a fault, when it must not wait for free memory. So
# it keeps a small stock, a *cache*, and fills it before it begins to handle a fault. Lesson 13 shows these caches.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: -->
# ## Your turn
#
# Here is the lab with its buttons. Choose what you expect, press a button, and compare. <!-- page: (The buttons work in
# the notebook. This page shows how the lab begins.) --> Three things to try:
#
# - Map the frame five times, then remove the first four mappings one by one. Can you predict the map each time?
# - Make a map of two entries that uses two descriptors.
# - Mix read-only mappings with others. Which of them need a place in a descriptor?

# %% tags=["try-it"]
rmap_lab()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you saw

# %% tags=["answer"]
lesson.SUMMARY

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Check yourself -->
# ## Check yourself
#
# Four questions with new numbers. <!-- notebook -->Each is checked as soon as you choose. *Another one* asks again with
# other numbers.<!-- /notebook -->

# %% tags=["check", "try-it"]
lesson.descriptors(seed)

# %% tags=["check", "try-it"]
lesson.fills_the_hole(seed)

# %% tags=["check", "try-it"]
lesson.recorded(seed)

# %% tags=["check", "try-it"]
lesson.shared_table(seed)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Now write it yourself
#
# - exercise 04: `rmap_add`
# - exercise 05: `rmap_remove`
# - next: lesson 7, what the map is for
# -->
# ## Now write it yourself
#
# In [exercise 04: rmap_add](../exercises/04_rmap_add/README.md) and then [exercise 05:
# rmap_remove](../exercises/05_rmap_remove/README.md) you write the reverse map. [Lesson 7](07_write_protection.ipynb)
# shows what the map is for.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 5: Naming shadow pages](05_naming.ipynb) ·
# [Lesson 7: Write protection →](07_write_protection.ipynb)
