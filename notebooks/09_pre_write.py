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
# [← Lesson 7: Write protection](07_write_protection.ipynb) ·
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
# A guest's kernel stores 8 bytes into one of its page tables. The table is shadowed, so the store has faulted, and
# the host will perform it on the guest's behalf. There is one moment at which the host can still correct the shadow:
# *before* the bytes change. What it does at that moment is called **pre-write**. It takes about a page of code
# (mmu.c:1140-1212).
#
# You know the simplest case, in which one store zaps one shadow entry. In this lesson you will meet all the other
# cases. At the end you can determine, for any store to a table of 8-byte entries,
#
# - **which shadow pages are checked**, and which are skipped;
# - **which of their entries die**, and which stay.
#
# Then you will know enough to write the function yourself, which is the task of the exercise.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A store, drawn as a diagram
#
# We are back in the Linux guest of lesson 0. Its program uses three pages of its heap, so the shadow has sptes for
# three entries of one page table. The last line of the cell shows the guest's entry for the first of these pages.

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import entry_of, hash_table, parent_chains, small_guest, store_diagram, watch, watch_store
from kvmmmu_lab.lessons import lesson_09 as lesson

vm = open_guest("lin64_A").vm()
heap = 0x343C6000
for gva in (heap, heap + 0x1000, heap + 0x2000):
    vm.access(gva, user=True)
entry = entry_of(vm, heap)
entry

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# A store that is *about* to happen, from left to right: **the guest's entries**, **the arithmetic** from offset to
# entry number, **the shadow pages** that are checked, and what their entries point to.
# -->
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

# %%
store_diagram(vm, entry.gpa, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The store goes to gpa `0x61c9e30`: gfn `0x61c9`, **offset** `0xe30`, which is 3632. The entry is 3632 / 8 = 454.
#
# An spte is 8 bytes long, too: *the offset is the same on both sides*, so `#248:454` is hit.
# -->
# Do the arithmetic once by hand. The store goes to gpa `0x61c9e30`. The last three hexadecimal digits are the
# **offset** in the page, `0xe30`; the digits before them are the gfn, `0x61c9`. A guest entry is 8 bytes long, and
# `0xe30` is 3632, so this is entry 3632 / 8 = 454 of the table.
#
# What about the shadow? An spte is 8 bytes long, too, and a shadow page has 512 of them, like the guest's table. So
# entry 454 of the shadow page was made from entry 454 of the guest's table: `#248:454`. With entries of 8 bytes *the
# offset is the same on both sides*. (With entries of 4 bytes it is not; this is the subject of lesson 10.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The film of the store
#
# The guest's kernel moves the page to an adjacent frame, as in lesson 0. This film begins when the host has decided
# to perform the store itself; lesson 7 showed how it gets to this point. Step through it, and watch in which order the
# reverse map, the spte and the guest's memory change.

# %%
watch_store(vm, entry.gpa, entry.moved)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# 1. the spte **leaves the reverse map** of its frame (only the spte tells the host which frame this is)
# 2. the spte **becomes zero**
# 3. the guest's bytes change
#
# The shadow is never wrong, not even for a moment.
# -->
# Three things happen, and their order is fixed:
#
# 1. the spte **leaves the reverse map** of its frame (called at mmu.c:1131);
# 2. the spte **becomes zero** (mmu.c:1121-1138);
# 3. the guest's bytes change.
#
# Why does 1 come before 2? To remove the spte from the reverse map of *its* frame, the host has to know which frame
# this is, and only the spte itself contains this information. If the host cleared the spte first, the reverse map
# would keep a reference to it forever, and the entry would soon be used for something else. And why do both come
# before 3? As soon as the guest's bytes have changed, the old spte is wrong. In this order the shadow is never wrong,
# not even for a moment.
#
# The film also says that the host does not flush the TLB. A real processor may use the old translation for a while, and
# that is allowed: without a hypervisor, too, an old translation can be used until the guest's kernel tells the processor
# to forget it. (The processor of our VM has no TLB: it walks the shadow at every access.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# A small guest, made by hand, has accessed three pages through one page table and one through another.
#
# Its kernel is about to write the first entry of its page *directory*. See what the diagram shows.
# -->
# ## One level higher: the directory
#
# A real guest has too many entries to look at, so from here on we use a small guest made by hand. It maps three pages
# through one page table (`0x1000`, `0x2000`, `0x3000`) and a fourth page through another, and it has accessed all of
# them. Each section makes a new guest. If you run the cell of a store twice, the guest stores twice; so to repeat a
# section, start at its first cell.
#
# The kernel is about to write the first entry of its page *directory* (PD), which points to the page table of the
# three pages. See what the diagram shows.

# %%
small = small_guest("64", 0x1000, 0x2000, 0x3000, 0x201000)
vm, table, directory = small.vm, small.table(0x2000), small.entry_gpa(0x2000, level=2)
store_diagram(vm, directory, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# One spte is hit, `#249:0`. It points to another shadow page, #248, which holds three sptes.
#
# The guest's kernel writes zero there.
# -->
# One spte is hit, `#249:0`. It does not point to a frame but to another shadow page, #248, which holds the three
# sptes.
#
# Now the guest's kernel writes zero to that directory entry.

# %% tags=["question"]
guess_page_below = lesson.page_below(vm, 0x2000)
guess_page_below

# %%
watch_store(vm, directory, 0)

# %% tags=["answer"]
guess_page_below.reveal()

# %%
parent_chains(vm, 248)

# %%
hash_table(vm, table)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# Now the guest restores its directory entry, and the program reads `0x2000`.
# -->
# The guest's kernel now restores its directory entry: the gfn of the page table with the flags `0x67` (present,
# writable, user, accessed, dirty). `emulate_write_gpa` performs a store just as `watch_store` does, but without a film.
# Then the program reads `0x2000`.

# %%
restored = vm.emulate_write_gpa(directory, table << 12 | 0x67, 8)

# %% tags=["question"]
guess_next_access = lesson.next_access(vm)
guess_next_access

# %%
watch(lambda: vm.access(0x2000, user=True), vm, [0x2000])

# %% tags=["answer"]
guess_next_access.reveal()

# %% [markdown] slideshow={"slide_type": "fragment"}
# And the other two pages?

# %%
vm.access(0x1000, user=True), vm.access(0x3000, user=True)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# The upper 4 bytes of an entry hold almost nothing but NX. The guest sets NX for `0x2000` by writing only these 4
# bytes: frame, P, W and U do not change.
# -->
# ## Half an entry
#
# In an 8-byte entry the upper half, bits 32 to 63, holds very little: NX in bit 63, and the part of the frame number
# that only a guest with more than 4 GB needs. A kernel that wants to make a page non-executable may well write only
# these 4 bytes. (32-bit guests with PAE also have entries of 8 bytes. They write them in halves all the time, because
# the usual store of a 32-bit processor is 4 bytes wide.)
#
# A new small guest sets NX for `0x2000` in this way, with a store of 4 bytes to the upper half of entry 2. The frame,
# P, W and U do not change.

# %%
small = small_guest("64", 0x1000, 0x2000, 0x3000)
vm, entry2 = small.vm, small.entry_gpa(0x2000)

# %% tags=["question"]
guess_half = lesson.half(vm, 0x2000)
guess_half

# %%
watch_store(vm, entry2 + 4, 0x80000000, 4)

# %% tags=["answer"]
guess_half.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# Here is the diagram of a store of a single byte, the very last of entry 2, at offset `0x17`:

# %%
store_diagram(vm, entry2 + 7, 1)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# A store of 8 bytes begins in the middle of entry 2 and ends in entry 3. The processor allows this, but a kernel writes its
# page tables entry by entry. The shadow of this table has three sptes: 1, 2 and 3.
# -->
# ## Across two entries
#
# Now a store of 8 bytes begins in the middle of entry 2. Its first half is in entry 2, its second half in entry 3. The
# processor allows such a store. But kernels write their page tables entry by entry. What would you conclude
# from such a store? The shadow of this table has three sptes: 1, 2 and 3.

# %%
small = small_guest("64", 0x1000, 0x2000, 0x3000)
vm, entry2 = small.vm, small.entry_gpa(0x2000)

# %% tags=["question"]
guess_across = lesson.across(vm, 0x2000)
guess_across

# %%
watch_store(vm, entry2 + 4, 0)

# %% tags=["answer"]
guess_across.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# From the third write in a row to one gfn on, the host zaps all shadow pages of this gfn: a **flood**.
#
# | the write goes to ... | the count |
# | --- | --- |
# | the same gfn as the last write | goes up by 1 |
# | another gfn | starts again at 1 |
#
# Six stores: to entries 1 and 2 of one table, to another table, then three times to entry 9 of the first one, whose spte
# is empty.
# -->
# ## Six stores
#
# In lesson 7, five stores in a row went to one page table. The code calls three or more of them a **flood**
# (mmu.c:1157-1164), and zaps all shadow pages of that gfn. To find out what is *in a row*, the host keeps the gfn of the
# last write and a count, which the diagrams show, too. The rules of the count are strict:
#
# | the write goes to ... | the count |
# | --- | --- |
# | the same gfn as the last write | goes up by 1 |
# | another gfn | starts again at 1 |
#
# Our small guest has three pages below one page table and a fourth page below another. Its kernel makes six stores: to
# entries 1 and 2 of the first table, to entry 1 of the second, and then three times to entry 9 of the first. The spte
# of entry 9 is empty, because that page was never mapped.

# %%
small = small_guest("64", 0x1000, 0x2000, 0x3000, 0x201000)
vm, entry1, elsewhere = small.vm, small.entry_gpa(0x1000), small.entry_gpa(0x201000)
entry9 = entry1 + 8 * 8
stores = [entry1, entry1 + 8, elsewhere, entry9, entry9, entry9]

# %% tags=["question"]
guess_six_stores = lesson.six_stores(vm, 0x1000)
guess_six_stores

# %%
left = []
for gpa in stores:
    vm.emulate_write_gpa(gpa, 0, 8)
    left.append(len(vm.pool.active))
left

# %% tags=["answer"]
guess_six_stores.reveal(left)

# %% [markdown] slideshow={"slide_type": "subslide"}
# The list has the number of shadow pages in use after each store. Here is a flood step by step, on a new guest:

# %%
small = small_guest("64", 0x1000, 0x2000, 0x3000)
vm, entry1 = small.vm, small.entry_gpa(0x1000)
for gpa in (entry1, entry1 + 8):
    vm.emulate_write_gpa(gpa, 0, 8)
watch_store(vm, entry1 + 8 * 8, 0)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# An spte for a device is not *present*: the host sets an "I/O" mark in it, and leaves P clear. Such an spte is in no
# reverse map and points nowhere.
# -->
# ## Entries that are not present
#
# Not every spte is *present*. If a guest maps a gfn without memory, the host assumes a device there, and
# every access must reach the host. So the host sets an "I/O" mark in the spte, and leaves P clear. Such an spte is in
# no reverse map and points nowhere.

# %%
small = small_guest("64", 0x1000)
vm = small.vm
small.map(0x5000, 0xFEE00)
vm.access(0x5000)

# %% [markdown]
# <!-- slide: -->
# The guest's kernel is about to write the entry of that page, with the gfn of a frame:

# %%
store_diagram(vm, small.entry_gpa(0x5000), 8)

# %% tags=["question"]
guess_device = lesson.device(vm, 0x5000)
guess_device

# %%
watch_store(vm, small.entry_gpa(0x5000), small.frame() << 12 | 0x67)

# %% tags=["answer"]
guess_device.reveal()

# %%
again = vm.access(0x5000)
again.outcome

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Pre-write looks into one hash bucket. A page there is hit only if it passes two tests. The first: **the page shadows
# the written gfn.** Gfns that are equal modulo 256 share a bucket, here `0x61c1` and `0x50c1`:
# -->
# ## Which pages are hit
#
# Pre-write finds shadow pages through the **hash**, the host's index of its shadow pages: 256 lists, called *buckets*. It
# looks into the bucket of the written gfn. A page there is hit only if it passes two tests (mmu.c:1167-1169):
#
# 1. **The page shadows the written gfn.** There are only 256 buckets, so gfns that are equal modulo 256 share one. In
#    our Linux guest, the program's page table in gfn `0x61c1` shares a bucket with one of the kernel's page tables, in
#    gfn `0x50c1`: both are in bucket `0xc1`.

# %%
linux = open_guest("lin64_A").vm()
linux.access(0x400000, user=True)
linux.access(0xFFFF888005000000)
store_diagram(linux, entry_of(linux, 0x400000).gpa, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The second: **it shadows a page table.** A guest's 2 MB page is shadowed by a *metaphysical* page. A store to the 2
# MB page changes data, and no spte was made from it.
# -->
# 2. **It shadows a page table.** A 2 MB page of the guest is shadowed in pieces of 4 KiB. The shadow page that maps
#    them is called *metaphysical*, because the guest has no page table there. The host keeps it in the
#    hash under the first gfn of the 2 MB page. A store to that gfn changes data, and no spte was made from that data.
#    (Usually such a store isn't even trapped. The diagram shows what pre-write would do.)

# %%
small = small_guest("64", 0x1000)
small.map(0x400000, 0x400, large=True)
small.vm.access(0x400000)
store_diagram(small.vm, 0x400 << 12, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# In the next guest, entry 493 of the root table points to the root table itself. The address that it accesses has index
# 493 in every table on its path.
# -->
# (The other pages in this bucket date from before the guest turned paging on.)
#
# In the guest of the next cell, entry 493 of the root table points to the root table itself. The guest makes one access
# through it: the address `0xFFFFF6FB7DBED000` has index 493 in every table on its path. Then the guest writes that
# entry.

# %%
small = small_guest("64", 0x1000)
vm, itself = small.vm, small.root << 12 | 493 * 8
vm.poke(itself, small.root << 12 | 0x67)
vm.access(0xFFFFF6FB7DBED000)

# %% tags=["question"]
guess_itself = lesson.itself(vm)
guess_itself

# %%
watch_store(vm, itself, 0)

# %% tags=["answer"]
guess_itself.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# The guest writes entry 2 twice, for two new frames, and nothing accesses the page in between.
# -->
# ## A new value
#
# Let the guest write entry 2 twice: first a value that points to one new frame, then a value that points to another.
# Nothing accesses the page in between.

# %%
from kvmmmu_lab.labs import who_maps

small = small_guest("64", 0x1000, 0x2000)
vm, entry2, first, second = small.vm, small.entry_gpa(0x2000), small.frame(), small.frame()

# %% tags=["question"]
guess_new_value = lesson.new_value(vm)
guess_new_value

# %%
vm.emulate_write_gpa(entry2, first << 12 | 0x67, 8)
vm.emulate_write_gpa(entry2, second << 12 | 0x67, 8)
who_maps(vm, second)

# %%
read = vm.access(0x2000, user=True)
read

# %% tags=["answer"]
guess_new_value.reveal()

# %% tags=["answer"]
lesson.COPYING

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# After changing an entry, a kernel executes `INVLPG`, "forget this address". Two cases. In the first, `poke` hides the
# change from the host, and the guest executes `INVLPG`:
# -->
# ## INVLPG
#
# A real processor may keep old translations, so after changing an entry, a kernel executes `INVLPG`, "forget this
# address". Try two cases. In the first, `poke` hides the change from the host, and the guest executes `INVLPG`:

# %%
small = small_guest("64", 0x1000, 0x2000)
vm, entry2, third, fourth = small.vm, small.entry_gpa(0x2000), small.frame(), small.frame()

# %% tags=["question"]
guess_invlpg = lesson.invlpg(vm, 0x2000, third)
guess_invlpg

# %%
vm.poke(entry2, third << 12 | 0x67)
vm.invlpg(0x2000)
f"new frame: {third:#x}, reached: {vm.access(0x2000, user=True).gpa >> 12:#x}"

# %% tags=["answer"]
guess_invlpg.reveal()

# %% [markdown]
# In the second case the host sees the store of another new frame, and the guest does not execute `INVLPG`:

# %%
vm.emulate_write_gpa(entry2, fourth << 12 | 0x67, 8)
f"new frame: {fourth:#x}, reached: {vm.access(0x2000, user=True).gpa >> 12:#x}"

# %% tags=["answer"]
lesson.INVLPG

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Our guest turns paging off, writes entry 2 of its page table at its physical address, and turns paging on again.
# -->
# ## Writing with paging off
#
# A guest can turn paging off for a while, for instance to switch to another mode. Then there are no guest tables from
# which the host could take access rights. So a function of its own makes the sptes (mmu.c:769-813). It knows nothing
# but the address.
#
# Our small guest turns paging off, and then writes entry 2 of its page table, at its physical address. Watch what the
# host does. (`audit` is the kernel's own check of the shadow. As long as it has no complaints, its list is empty.)

# %%
small = small_guest("64", 0x201000, 0x2000)
vm, entry2, new = small.vm, small.entry_gpa(0x2000), small.frame()
complaints, paging = vm.audit(), vm.cpu.cr0
vm.load_cr0(paging & ~(1 << 31))
complaints

# %% tags=["question"]
guess_paging_off = lesson.paging_off(vm)
guess_paging_off

# %%
watch(lambda: vm.access(entry2, write=True, value=new << 12 | 0x67, size=8), vm)

# %% tags=["answer"]
guess_paging_off.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now the guest turns paging on again, and the program reads its page at `0x2000`.

# %% tags=["question"]
guess_paging_on = lesson.paging_on(vm)
guess_paging_on

# %%
from kvmmmu_lab.labs import hierarchy

vm.load_cr0(paging)
vm.access(0x2000, user=True)
hierarchy(vm, 0x2000)

# %% tags=["answer"]
guess_paging_on.reveal()

# %% slideshow={"slide_type": "subslide"}
[str(line) for line in vm.audit()]

# %% tags=["answer"]
lesson.AUDIT

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you know now

# %% tags=["answer"]
lesson.SUMMARY

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - Choose a table, an offset and a size, tick the entries that will die, and press *Write*. Find a store that hits an
#   spte that you did not tick.
# - Then write pre-write yourself: [exercise 8](../exercises/08_pre_write/README.md), about two dozen lines.
# -->
# ## Play, then build
#
# In this lab you choose a table, an offset and a size, tick the entries that will die, and press *Write*. Try to find
# a store that hits an spte that you did not tick.

# %% tags=["try-it"]
from kvmmmu_lab.labs import write_lab

write_lab(mode="64")

# %% [markdown]
# <!-- slide: -->
# Then write pre-write yourself, for entries of 8 bytes: [exercise 8](../exercises/08_pre_write/README.md). It takes
# about two dozen lines, and the list above contains everything that you need.
#
# [Lesson 10](10_pre_write_32.ipynb) is about guests with 4-byte entries. There the offset of a guest entry is not the
# offset of its spte, and one guest entry can have two sptes.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 7: Write protection](07_write_protection.ipynb) ·
# [Lesson 10: Why double twice? →](10_pre_write_32.ipynb)
