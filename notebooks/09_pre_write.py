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
# [← Lesson 8: Parents and zapping](08_parents.ipynb) ·
# [Lesson 10: Why double twice? →](10_pre_write_32.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# A guest stores 8 bytes into a shadowed page table. *Before* they change, the host corrects the shadow:
# **pre-write**.
#
# - which shadow pages it checks
# - which of their entries die, and which stay
# -->
# # Lesson 9: Before the bytes change
#
# A guest's kernel stores 8 bytes into one of its page tables. The table is shadowed, so the store has faulted, and the
# host will perform it on the guest's behalf. *What does this one store undo in the shadow?*
#
# The host corrects the shadow *before* the bytes change. This work is called **pre-write**. It takes about a page of
# code (`kvm_mmu_pre_write`, `mmu.c:1140-1212`). You know the simplest case: one store zaps one shadow entry. This
# lesson shows the other cases, so that you can write the function yourself.
#
# After this lesson you can
#
# - compute from the offset of a store which shadow entry it *hits* (which one the host has to zap), even if it writes
#   only a part of an entry;
# - say in which order the reverse map, the spte and the guest's bytes change, and why;
# - predict what stays and what goes when a store hits a directory, two entries at once, or a table for the third time;
# - say which shadow pages a store hits, and what pre-write never does.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once. If you run the cell of a store twice, the guest stores twice; so to repeat
# a section, start at its first cell.
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes 35 minutes. There are six predictions and five check questions. The diagram of a
# store is new; read it together once, from left to right, before the first prediction.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## New in the picture: a store hits a shadow entry -->
# ## The picture so far
#
# The guest stores into one of its tables, and the host zaps the shadow entries that were made from these bytes. New in
# the picture is the arrow from the guest's table down to the shadow page. The store brings no value into the shadow: it
# only makes the host clear an entry.

# %% tags=["hide-input"]
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import course_picture, entry_of, hash_table, parent_chains, small_guest, store_diagram, watch, watch_store
from kvmmmu_lab.lessons import lesson_09 as lesson

course_picture(9)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The guest is about to write one of its entries -->
# ## A store, drawn as a diagram
#
# We are back in the Linux guest of lesson 0. Its program uses three pages of its heap, so the shadow has sptes for
# three entries of one page table. The output shows the guest's entry for the first of these pages.

# %% tags=["hide-input"]
vm = open_guest("lin64_A").vm()
heap = 0x343C6000
for gva in (heap, heap + 0x1000, heap + 0x2000):
    vm.access(gva, user=True)
entry = entry_of(vm, heap)
entry

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## A store that is about to happen, from left to right -->
# This lesson uses a new kind of diagram. It shows a store that is *about* to happen. Read it from left to right:
#
# - **on the left**, a few entries of the guest's table around the bytes that will be written; `>` marks the entry
#   that is written;
# - **then the arithmetic**, from the offset in the page to the number of an entry;
# - **in orange**, the shadow pages that are checked, with the entries that are hit. The number in brackets is the
#   guest entry from which the spte was made (or, if the spte is empty, would be made);
# - **on the right**, what an spte points to: a frame, with its reverse map.
#
# One box also counts the writes in a row to this gfn. (In lesson 7, the third of them made a difference.)

# %% tags=["hide-input"]
store_diagram(vm, entry.gpa, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## With entries of 8 bytes, the offset is the same on both sides
#
# The store goes to gpa `0x61c9e30`: gfn `0x61c9`, **offset** `0xe30`, which is 3632. The entry is 3632 / 8 = 454.
#
# An spte is 8 bytes long, too, so `#248:454` is hit.
# -->
# Do the arithmetic once by hand. The store goes to gpa `0x61c9e30`. The last three hexadecimal digits are the
# **offset** in the page, `0xe30`; the digits before them are the gfn, `0x61c9`. A guest entry is 8 bytes long, and
# `0xe30` is 3632, so this is entry 3632 / 8 = 454 of the table.
#
# What about the shadow? An spte is 8 bytes long, too, and a shadow page has 512 of them, like the guest's table. So
# entry 454 of the shadow page was made from entry 454 of the guest's table: `#248:454`. With entries of 8 bytes *the
# offset is the same on both sides*. (With entries of 4 bytes it is not; this is the subject of lesson 10.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The spte leaves its map, becomes zero, and then the bytes change -->
# ## The film of the store
#
# The guest's kernel moves the page to an adjacent frame, as in lesson 0. This film begins when the host has decided
# to perform the store itself; lesson 7 showed how it gets to this point. Step through it, and watch in which order the
# reverse map, the spte and the guest's memory change.

# %%
watch_store(vm, entry.gpa, entry.moved)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## The order keeps the shadow right at every moment
#
# 1. the spte **leaves the reverse map** of its frame (only the spte tells the host which frame this is)
# 2. the spte **becomes zero**
# 3. the guest's bytes change
# -->
# Three things happen, and their order is fixed:
#
# 1. the spte **leaves the reverse map** of its frame (`mmu.c:1131`);
# 2. the spte **becomes zero** (`mmu_pre_write_zap_pte`, `mmu.c:1121-1138`);
# 3. the guest's bytes change.
#
# Why does 1 come before 2? To remove the spte from the reverse map of its frame, the host has to know which frame this
# is. Only the spte itself says so. If the host cleared the spte first, the reverse map would keep the address of this
# spte forever, even when the spte maps another frame.
#
# Why do both come before 3? As soon as the guest's bytes have changed, the old spte is wrong. If there were another
# processor, it could walk the shadow at that moment and use the old spte. In the order 1, 2, 3, no spte is ever wrong.
# (An empty spte is not wrong: it only costs a fault.)
#
# The film also says that the host does not flush the TLB. So a real processor may use the old translation for a while.
# This is allowed: on a real machine, too, the processor may use an old translation until the kernel flushes it. A wrong
# spte would be worse. A flush removes an old translation, but not a wrong spte: after the flush, the processor would
# load the wrong spte again. (Unless a lesson says otherwise, the processor of our VMs has no TLB. It walks the shadow
# at every access.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: from an offset to an spte
#
# A guest made by hand has eight pages below one page table. Its kernel stores a few bytes, all of them in one entry.
# -->
# ## From an offset to an spte
#
# Kernels do not always write whole entries. The upper half of an 8-byte entry holds very little: NX, and the high bits
# of the frame number, which are 0 in a guest with less than 4 GB. A kernel that wants to make a page non-executable may
# well write only these 4 bytes. (32-bit guests with PAE also have entries of 8 bytes. They write them in halves all the
# time, because the usual store of a 32-bit processor is 4 bytes wide.)
#
# Here is a small guest, made by hand. It maps eight adjacent pages through one page table, and has accessed all of
# them. The kernel stores to one entry, or to a part of it. `seed` decides which bytes it stores.
# <!-- notebook -->Change it, run the cells again from here, and you get other bytes.<!-- /notebook --> The output is
# the offset in the page table, and the number of bytes.

# %%
seed = 7
small, gpa, size = lesson.partial_store(seed)
vm = small.vm
f"offset {gpa & 0xFFF:#x}, size {size}"

# %% tags=["question"]
guess_entry_hit = lesson.entry_hit(vm, gpa, size)
guess_entry_hit

# %% slideshow={"title": "A part of an entry is enough: its spte dies"}
watch_store(vm, gpa, 0, size)

# %% tags=["answer"]
guess_entry_hit.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## Watch it with another offset -->
# Change the offset and watch again, on a new guest with the same eight pages. The store writes one byte. Try the
# offsets `0x17`, `0x18`, `0x1f` and `0xff8`. Which of them hit the same spte? Which of them changes nothing in the
# shadow?

# %%
offset = 0x18
again = lesson.eight_pages()
watch_store(again.vm, (again.table(0) << 12) + offset, 0, 1)

# %% [markdown]
# <!-- slide: -->
# `0x17` hits spte 2; `0x18` and `0x1f` hit spte 3. `0xff8` is in entry 511, whose spte is empty, so nothing happens.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## A store to the directory hits a link to a shadow page -->
# ## One level higher: the directory
#
# The next small guest maps three pages through one page table (`0x1000`, `0x2000`, `0x3000`) and a fourth page through
# another, and it has accessed all of them. The kernel is about to write the first entry of its page *directory* (PD),
# which points to the page table of the three pages. See what the diagram shows.

# %% tags=["hide-input"]
small = small_guest("64", 0x1000, 0x2000, 0x3000, 0x201000)
vm, table, directory = small.vm, small.table(0x2000), small.entry_gpa(0x2000, level=2)
store_diagram(vm, directory, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Predict: the link dies
#
# The guest's kernel writes zero to the directory entry of the page table that #248 shadows.
# -->
# One spte is hit, `#249:0`. It does not point to a frame but to another shadow page, #248, which holds the three
# sptes.
#
# Now the guest's kernel writes zero to that directory entry.

# %% tags=["question"]
guess_page_below = lesson.page_below(vm, 0x2000)
guess_page_below

# %% slideshow={"title": "Only the link dies; the page below stays"}
watch_store(vm, directory, 0)

# %% tags=["answer"]
guess_page_below.reveal()

# %% slideshow={"title": "Page #248 has no parent any more"} tags=["hide-input"]
parent_chains(vm, 248)

# %% slideshow={"title": "The hash still finds page #248"} tags=["hide-input"]
hash_table(vm, table)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Predict: the link comes back
#
# The guest restores its directory entry, and the program reads `0x2000`.
# -->
# The guest's kernel now restores its directory entry: the gfn of the page table with the flags `0x67` (present,
# writable, user, accessed, dirty). In the code, `emulate_write_gpa` lets the host perform this store without a film.
# Then the program reads `0x2000`.

# %% tags=["hide-input"]
restored = vm.emulate_write_gpa(directory, table << 12 | 0x67, 8)

# %% tags=["question"]
guess_next_access = lesson.next_access(vm)
guess_next_access

# %% slideshow={"title": "The fault makes one link, and everything below it is there"}
watch(lambda: vm.access(0x2000, user=True), vm, [0x2000])

# %% tags=["answer"]
guess_next_access.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## The same link makes the other two pages reachable -->
# The program also reads the other two pages of this page table. `faults` is the number of faults of a read.

# %%
vm.access(0x1000, user=True), vm.access(0x3000, user=True)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: a store across two entries
#
# 8 bytes, half of them in entry 2 and half in entry 3. The processor allows this, but a kernel writes its page tables entry by
# entry.
# -->
# ## Across two entries
#
# Now a store of 8 bytes begins in the middle of entry 2. Its first half is in entry 2, its second half in entry 3. The
# processor allows such a store. But kernels write their page tables entry by entry. So if a store covers two entries,
# what should the host conclude about this frame? The shadow of this table has three sptes: 1, 2 and 3.

# %% tags=["hide-input"]
small = small_guest("64", 0x1000, 0x2000, 0x3000)
vm, entry2 = small.vm, small.entry_gpa(0x2000)

# %% tags=["question"]
guess_across = lesson.across(vm, 0x2000)
guess_across

# %% slideshow={"title": "A store across two entries zaps the whole page"}
watch_store(vm, entry2 + 4, 0)

# %% tags=["answer"]
guess_across.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: seven stores, and a count
#
# | the write goes to ... | the count |
# | --- | --- |
# | the same gfn as the last write | goes up by 1 |
# | another gfn | starts again at 1 |
#
# From 3 on it is a **flood**. A and B are two page tables.
# -->
# ## A row of stores
#
# In lesson 7, several stores in a row went to one page table. The code calls three or more of them a **flood**
# (`mmu.c:1157-1164`), and zaps all shadow pages of that gfn. The host keeps the gfn of the last write, and a count.
# (The diagrams show the count, too.) The rules are strict:
#
# | the write goes to ... | the count |
# | --- | --- |
# | the same gfn as the last write | goes up by 1 |
# | another gfn | starts again at 1 |
#
# A guest has three pages below one page table, A, and a fourth page below another, B. Its kernel makes seven stores,
# all to entries that were never present, so they have no sptes. The order comes from your seed. (In the code,
# `emulate_write_gpa` makes the host perform each store. After a flood the host no longer shadows the table, so it would
# not perform a real guest's stores to it.)

# %% tags=["hide-input"]
small, tables, row = lesson.row_of_stores(seed)
vm = small.vm
" ".join(row)

# %% tags=["question"]
guess_first_flood = lesson.first_flood(vm, 0x1000, row)
guess_first_flood

# %% slideshow={"title": "The third store in a row to one gfn is a flood"} tags=["hide-input"]
left = []
for name in row:
    vm.emulate_write_gpa(tables[name], 0, 8)
    left.append(len(vm.pool.active))
left

# %% tags=["answer"]
guess_first_flood.reveal(left)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## A flood removes the page, step by step -->
# Here is a flood step by step, on a new guest. Two stores have gone to its page table before the film begins:

# %%
small = small_guest("64", 0x1000, 0x2000, 0x3000)
vm, entry1 = small.vm, small.entry_gpa(0x1000)
for gpa in (entry1, entry1 + 8):
    vm.emulate_write_gpa(gpa, 0, 8)
watch_store(vm, entry1 + 8 * 8, 0)

# %% [markdown]
# <!-- slide: -->
# There is one more way in which a table loses all its shadow pages at once. The host performs stores with an emulator,
# a program that knows the usual instructions. Suppose that a store to a page table uses an instruction that the
# emulator does not know. Then the host zaps all shadow pages of that frame (`kvm_mmu_unprotect_page_virt` and
# `kvm_mmu_unprotect_page`, `mmu.c:1218-1223` and `698-717`). The frame is no longer write-protected, and the guest
# executes the instruction itself.
#
# *After* a store, the host has nothing to do for the shadow: `kvm_mmu_post_write` (`mmu.c:1214-1217`) is empty.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## A page is hit only if it shadows the written gfn -->
# ## Which pages are hit
#
# Pre-write finds shadow pages through the **hash**, the host's index of its shadow pages. It goes through the whole
# bucket of the written gfn, because one guest table can have several shadow pages, with different roles. Every page
# that passes two tests is hit (`mmu.c:1167-1169`):
#
# 1. **The page shadows the written gfn.** There are only 256 buckets, so gfns that are equal modulo 256 share one. In
#    our Linux guest, the program's page table in gfn `0x61c1` shares a bucket with one of the kernel's page tables, in
#    gfn `0x50c1`: both are in bucket `0xc1`.

# %% tags=["hide-input"]
linux = open_guest("lin64_A").vm()
linux.access(0x400000, user=True)
linux.access(0xFFFF888005000000)
store_diagram(linux, entry_of(linux, 0x400000).gpa, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## A page is hit only if it shadows a page table -->
# 2. **The page shadows a table.** Some shadow pages shadow none. For example, a 2 MB page of the guest is shadowed in
#    pieces of 4 KiB. The shadow page that maps these pieces is called *metaphysical*, because the guest has no page
#    table there. It is in the hash under the first gfn of the 2 MB page. A store to that gfn changes data, and no spte
#    was made from these data. So the page is skipped. (The diagram shows what pre-write would do. In this example the
#    store is not even trapped: gfn `0x400` is not shadowed as a table, so it is not write-protected.)

# %% tags=["hide-input"]
small = small_guest("64", 0x1000)
small.map(0x400000, 0x400, large=True)
small.vm.access(0x400000)
store_diagram(small.vm, 0x400 << 12, 8)

# %% [markdown]
# <!-- slide: -->
# (The other pages in this bucket date from before the guest turned paging on.)
#
# One more kind of spte can be hit. If a guest entry leads to a device, its spte has an *I/O mark* instead of P (lesson
# 4). It points nowhere, and is in no reverse map. A store to this guest entry zaps the spte, too, without the step for
# the reverse map. The spte must go: the guest may change the entry so that it leads to memory. If the mark were still
# there, the host would go on emulating the device.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## "The host copies the new value into the shadow" -->
# ## "The host copies the new value into the shadow"
#
# The host traps the store and knows the new value. If the shadow were a copy, the host could write the new value into
# it at once. Later versions of KVM do this ([KVM: Update shadow pte on write to guest
# pte](https://github.com/torvalds/linux/commit/0028425f647b), commit 0028425f of May 2007, too late for Linux 2.6.22).
# Does this version do it? Try it. The guest writes entry 2 twice, each time with the gfn of a new frame, and the host
# performs both stores. Then look for sptes that lead to the second frame.

# %% tags=["hide-input"]
from kvmmmu_lab.labs import who_maps

small = small_guest("64", 0x1000, 0x2000)
vm, entry2, first, second = small.vm, small.entry_gpa(0x2000), small.frame(), small.frame()

# %% slideshow={"title": "Pre-write copies nothing: the spte stays empty"} tags=["hide-input"]
vm.emulate_write_gpa(entry2, first << 12 | 0x67, 8)
vm.emulate_write_gpa(entry2, second << 12 | 0x67, 8)
who_maps(vm, second)

# %% slideshow={"title": "Only a fault makes an spte"} tags=["hide-input"]
read = vm.access(0x2000, user=True)
read

# %% tags=["answer"]
lesson.COPYING

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## "INVLPG tells the host what has changed" -->
# ## "INVLPG tells the host what has changed"
#
# A real processor may keep old translations. So after a kernel has changed an entry, it executes `INVLPG`, "forget this
# address". In many descriptions of shadow paging, the host updates the shadow when the guest executes this instruction.
# Try two cases on a new guest. In the first, `poke` changes the entry behind the host's back, and the guest executes
# `INVLPG`:

# %% slideshow={"title": "INVLPG alone changes nothing in the shadow"} tags=["hide-input"]
small = small_guest("64", 0x1000, 0x2000, tlb=False)
vm, entry2, first, second = small.vm, small.entry_gpa(0x2000), small.frame(), small.frame()
vm.poke(entry2, first << 12 | 0x67)
vm.invlpg(0x2000)
f"new frame: {first:#x}, reached: {vm.access(0x2000, user=True).gpa >> 12:#x}"

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## The trapped store alone is enough -->
# In the second case, the host performs a store that puts yet another frame into the entry. The guest does not execute
# `INVLPG`:

# %% tags=["hide-input"]
vm.emulate_write_gpa(entry2, second << 12 | 0x67, 8)
f"new frame: {second:#x}, reached: {vm.access(0x2000, user=True).gpa >> 12:#x}"

# %% tags=["answer"]
lesson.INVLPG

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## A bug of 2007: a store that pre-write never sees -->
# ## A bug of 2007
#
# Pre-write can correct the shadow only if it runs. A guest can turn paging off for a while, for instance to switch to
# another mode. Then no guest tables are in use, so the host has no guest entries to take rights from. But it still
# needs sptes. The guest believes that paging is off; on the real processor it stays on, so the processor still walks
# the shadow. The walk now starts in one of four root slots, one for each GB, and has two levels below it. Another
# function makes these sptes, `nonpaging_map` (`mmu.c:769-813`). All that it gets is the address and the host's frame.
#
# The guest of this exhibit turns paging off, writes an entry of its page table, and turns paging on again. Watch which
# frames can be written in between, and what the last access reaches.

# %%
from kvmmmu_lab.museum import exhibit

bug = exhibit("nonpaging_writes_shadowed_pt")
bug.film()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## Two audits notice it: one the cause, one the effect -->
# Here is what happened, and what the *audits* say. (The audits are checks in the kernel for its developers: lesson 14.)

# %% tags=["hide-input"]
bug.run()

# %% tags=["answer"]
lesson.AUDIT

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Play with it
#
# Choose a table, an offset and a size, tick the entries that you expect to die, and press *Write*. Find a store that
# proves you wrong.
# -->
# ## Your turn
#
# In this lab you choose a table, an offset and a size, tick the entries that you expect to die, and press *Write*. Try
# to find a store that proves you wrong. <!-- page: (The form works in the notebook. The page shows how the lab begins.)
# -->

# %% tags=["try-it"]
from kvmmmu_lab.labs import write_lab

write_lab(mode="64")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you saw

# %% tags=["answer"]
lesson.SUMMARY

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Check yourself -->
# ## Check yourself
#
# Five questions with new numbers. <!-- notebook -->Each is checked as soon as you choose. *Another one* asks again with
# other numbers.<!-- /notebook -->

# %% tags=["check", "try-it"]
lesson.which_dies(seed)

# %% tags=["check", "try-it"]
lesson.unchanged_values(seed)

# %% tags=["check", "try-it"]
lesson.flood_at(seed)

# %% tags=["check", "try-it"]
lesson.after_stores(seed)

# %% tags=["check", "try-it"]
lesson.hit_pages(seed)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Now write it yourself
#
# - exercise 08: `pre_write`, about two dozen lines
# - next: guests with entries of 4 bytes
# -->
# ## Now write it yourself
#
# In [exercise 08: pre_write](../exercises/08_pre_write/README.md) you write the function of this lesson, for entries of 8
# bytes. It takes about two dozen lines, and the summary contains everything that you need.
#
# [Lesson 10](10_pre_write_32.ipynb) is about guests with 4-byte entries. There the offset of a guest entry is not the
# offset of its spte, and one guest entry can have two sptes.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 8: Parents and zapping](08_parents.ipynb) ·
# [Lesson 10: Why double twice? →](10_pre_write_32.ipynb)
