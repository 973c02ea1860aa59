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
# [← Lesson 9: Before the bytes change](09_pre_write.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# Guest entries of **4 bytes** are shadowed by entries of **8**, so indices and offsets differ.
#
# - which shadow entries a store hits
# - why an offset is doubled **once for a page table and twice for a directory**
# - stores of 1 and of 8 bytes, and series of stores
# -->
# # Lesson 10: Why double twice?
#
# In lesson 9 the offset of a guest entry was also the offset of its spte. This worked because both are 8 bytes long.
# The entries of a 32-bit guest are **4 bytes** long, but the host still shadows them with entries of 8, because it
# uses the newer table format for all guests. So the two sides differ in the number of entries in a page and in the
# amount of memory that an entry maps.
#
# Pre-write has to convert between the two. In the kernel this takes half a dozen lines (mmu.c:1188-1209). At the end of
# this lesson you can
#
# - compute, for any store to a table of 4-byte entries, **which shadow entries are hit**;
# - explain why an offset is **doubled once for a page table and twice for a directory**, and which step comes between
#   the two doublings;
# - predict what a store of one byte and a store of 8 bytes hit, and when a series of stores is a flood.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One table, two shadow pages
#
# Here is a 32-bit Linux guest. Among the pages that its program uses are a page of code, `0x81ce000`, and a page of
# data, `0x823e000`. The guest maps both through the *same* page table. Look at its shadow.

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import entry_of, hierarchy, small_guest, store_diagram, watch, watch_store, write_lab
from kvmmmu_lab.lessons import lesson_10 as lesson

vm = open_guest("lin32_A").vm()
code, data = 0x81CE000, 0x823E000
vm.access(code, user=True), vm.access(data, user=True)
hierarchy(vm, code, data)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# 1. The one page table has **two** shadow pages, one for each **quadrant**.
# 2. Guest entry **574** became `#246:62`: 574 - 512.
# 3. One directory entry, 32, became **two** links, 64 and 65.
# 4. The directory has four shadow pages, each covering 1 GB.
# -->
# Find these four things in the picture:
#
# 1. The guest has two levels, a directory (PD) and page tables (PT). The one page table here, gfn `0x1c6f`, has
#    **two** shadow pages, #247 and #246. Each is labelled with its **quadrant**, the part of the guest's table that
#    it shadows.
# 2. Guest entry 462 became `#247:462`. But guest entry **574** became `#246:62`: it is in the second half, and 574 -
#    512 = 62.
# 3. One directory entry, number 32, became **two** links: `#251:64` and `#251:65`.
# 4. Above #251 there are four root slots. The directory has one shadow page for each of them, four in all. They
#    divide the address space of 4 GB into four parts of 1 GB. (The processor's own CR3 leads to these slots. The
#    guest's CR3 is the gpa of its directory.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ```
# the guest's page table:  1024 entries of 4 bytes
#
#   offset  0x000 . . . . . . . . . . 0x7fc | 0x800 . . . . . . . . . . 0xffc
#   entry       0 . . . . . . . . . . . 511 |   512 . . . . . . . . . .  1023
#
#   spte        0 . . . . . . . . . . . 511 |     0 . . . . . . . . . . . 511
#   offset  0x000 . . . . . . . . . . 0xff8 | 0x000 . . . . . . . . . . 0xff8
#           shadow page of quadrant 0       | shadow page of quadrant 1
# ```
#
# **The offset doubles**, and in the middle the lower ruler starts again at 0: only the last three hexadecimal digits
# count.
# -->
# ## The ruler
#
# A page of 4096 bytes holds **1024** entries of 4 bytes, or **512** of 8. So a full page table of the guest needs two
# shadow pages:
#
# ```
# the guest's page table:  1024 entries of 4 bytes, 4 KB each, together 4 MB
#
#   offset  0x000 . . . . . . . . . . 0x7fc | 0x800 . . . . . . . . . . 0xffc
#   entry       0 . . . . . . . . . . . 511 |   512 . . . . . . . . . .  1023
#
#   spte        0 . . . . . . . . . . . 511 |     0 . . . . . . . . . . . 511
#   offset  0x000 . . . . . . . . . . 0xff8 | 0x000 . . . . . . . . . . 0xff8
#           shadow page of quadrant 0       | shadow page of quadrant 1
# ```
#
# Move a finger along the upper ruler: for every 4 bytes there, the lower ruler has 8. So **the offset doubles**. In
# the middle the lower ruler starts again at 0, so only the last three hexadecimal digits of the doubled offset count
# (`& 0xfff`).

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The shadow has three sptes, all made from one page table. Now the guest stores 4 bytes at offset **`0x404`** of that
# table. Which spte dies?
# -->
# Try the ruler. The shadow of a small guest has three sptes, all made from one page table. Now the guest stores 4 bytes
# at offset **`0x404`** of that table. What does the lower ruler have below this offset? (As in lesson 9, each section
# makes a new guest; to repeat a section, start at its first cell.)

# %%
small = small_guest("32", 0x80000, 0x101000, 0x102000)
vm, first_at = small.vm, (small.table(0x80000) << 12) + 0x404

# %% tags=["question"]
guess_index = lesson.index(vm, first_at)
guess_index

# %%
watch_store(vm, first_at, 0, 4)

# %% tags=["answer"]
guess_index.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# This guest has one page in each quadrant, at the same place in each half. Again it stores 4 bytes at offset `0x404`.
# -->
# ## A page in each quadrant
#
# The last guest had pages in one quadrant only. This one has one page in each, `0x101000` and `0x301000`. The guest's
# entries for them are at the same place in each half of the table. Again the guest stores 4 bytes at offset `0x404`.

# %%
small = small_guest("32", 0x101000, 0x301000)
vm, second_at = small.vm, (small.table(0x101000) << 12) + 0x404

# %% tags=["question"]
guess_quadrants = lesson.quadrants(vm, 0x101000, 0x301000)
guess_quadrants

# %%
watch_store(vm, second_at, 0, 4)

# %% tags=["answer"]
guess_quadrants.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# Then the program uses both pages. (The store has unmapped the first one, so there the guest gets a page fault of its own:
# `inject`.)

# %%
vm.access(0x101000, user=True), vm.access(0x301000, user=True)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ```
# the guest's directory:  1024 entries of 4 bytes, 4 MB each
#
#   entry   0 . . . . 255 | 256 . . . . 511 | 512 . . . . 767 | 768 . . .  1023
#
#   sptes   0 . . . . 511 |   0 . . . . 511 |   0 . . . . 511 |   0 . . . . 511
#           quadrant 0    |   quadrant 1    |   quadrant 2    |   quadrant 3
# ```
#
# A directory entry maps **4 MB**, a shadow link **2 MB**: entry *n* becomes 2*n* and 2*n* + 1. The offset is
# **doubled again because there are twice as many sptes**.
# -->
# ## One level higher: double twice
#
# The directory adds one complication. A directory entry of this guest maps 1024 pages of 4 KB: **4 MB**. A shadow
# link points to a page of 512 sptes, so it maps **2 MB**. So each directory entry needs two adjacent links:
#
# ```
# the guest's directory:  1024 entries of 4 bytes, 4 MB each, together 4 GB
#
#   entry   0 . . . . 255 | 256 . . . . 511 | 512 . . . . 767 | 768 . . .  1023
#
#   sptes   0 . . . . 511 |   0 . . . . 511 |   0 . . . . 511 |   0 . . . . 511
#           quadrant 0    |   quadrant 1    |   quadrant 2    |   quadrant 3
# ```
#
# There are four shadow pages, each covering 1 GB. Guest entry *n* becomes sptes 2*n* and 2*n* + 1 (counted from 0
# again in each quadrant). So the offset is doubled because an spte is twice as long, and **doubled again because
# there are twice as many sptes**. (If the entry maps a page of 4 MB, without a table below it, the result is the
# same: that page is shadowed in pieces, again through two links.)

# %% [markdown] slideshow={"slide_type": "subslide"}
# Take the same offset as before, `0x404`, but now in a directory. Here is the diagram of that store, in a guest with
# pages below two directory entries.

# %%
small = small_guest("32", 0x400000, 0x600000, 0x40400000, 0x40600000)
store_diagram(small.vm, small.entry_gpa(0x40400000, level=2), 4)

# %% tags=["answer"]
lesson.DIRECTORY

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# `& ~7` matters when a store begins in the *middle* of an entry. Here four links are present, made from two adjacent
# directory entries. The kernel stores **one byte at offset `0x16`**.
# -->
# ## Why the offset is rounded
#
# The step `& ~7` in that diagram clears the last three bits. For an offset like `0x808` it does nothing. It matters
# when a store begins in the *middle* of an entry. Our guest has pages below two adjacent directory entries, so four
# links of the directory's shadow page are present. Its kernel now stores **one byte at offset `0x16`**.

# %%
small = small_guest("32", 0x1400000, 0x1600000, 0x1800000, 0x1A00000)
vm, byte_at = small.vm, (small.root << 12) + 0x16

# %% tags=["question"]
guess_one_byte = lesson.one_byte(vm, byte_at, 0x1400000)
guess_one_byte

# %%
watch_store(vm, byte_at, 0, 1)

# %% tags=["answer"]
guess_one_byte.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# This guest stores **8 bytes at offset `0x8`**, a multiple of 8. The shadow has sptes 1 and 3 of quadrant 0, and 1 of
# quadrant 1.
# -->
# ## Eight bytes in a row
#
# The kernel of this guest stores **8 bytes at offset `0x8`** of a page table. The offset is a multiple of 8. The shadow
# has sptes 1 and 3 of quadrant 0, and spte 1 of quadrant 1.

# %%
small = small_guest("32", 0x1000, 0x3000, 0x201000)
vm, eight = small.vm, small.entry_gpa(0x2000)

# %% tags=["question"]
guess_eight_bytes = lesson.eight_bytes(vm, 0x1000, 0x201000)
guess_eight_bytes

# %%
watch_store(vm, eight, 0, 8)

# %% tags=["answer"]
guess_eight_bytes.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# *Demand paging*: the program accesses a new page, its kernel gets a page fault and stores one entry, and the host
# makes the spte. Two new pages:
# -->
# ## A page at a time
#
# The host counts stores because a `fork` copies page tables entry by entry (lesson 9). But a program that walks through
# its memory page by page causes stores to page tables, too. For each new page, this happens:
#
# 1. the program accesses it, and the guest's kernel gets a page fault, because the page is not mapped yet;
# 2. the kernel takes a free frame and stores one entry, which the host traps (`small.edit` in the cell below: the
#    film begins when the host performs the store);
# 3. the program tries again, and the host makes the spte: a second fault, this time the host's own.
#
# This is called *demand paging*, and most programs get most of their memory this way.

# %%
small = small_guest("32", 0x1000)
vm = small.vm


def demand(gva):
    first = vm.access(gva, user=True)
    small.edit(gva, small.frame() << 12 | 0x67)
    return first, vm.access(gva, user=True)


demand(0x2000), demand(0x3000)

# %% [markdown]
# <!-- slide:
# One more new page, step by step. Between this store and the last one there are two faults, and the program has used its
# memory.
# -->
# One page was mapped at the start, so there are now three sptes in the shadow page. Next is one more new page, step by
# step. Between its store and the last one there are two faults, and the program has used its memory.

# %% tags=["question"]
guess_pause = lesson.pause(vm, 0x3000)
guess_pause

# %%
watch(lambda: demand(0x4000), vm, [0x3000, 0x4000])

# %% tags=["answer"]
guess_pause.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# Let the program continue to its tenth new page. It accesses every one of them, and its kernel unmaps none.

# %%
pages = [*range(0x1000, 0xC000, 0x1000)]

# %% tags=["question"]
guess_left = lesson.left(vm, pages)
guess_left

# %%
for gva in pages[4:]:
    demand(gva)

# %% tags=["answer"]
guess_left.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# An early version treated a directory like a page table: it doubled the offset **once** and cleared **one** spte (fixed
# by commit ac1b714e). This guest runs it, and has pages at `0x200000` (entry 0), `0x400000` (entry 1) and `0x800000`.
#
# The kernel stores another page table in directory entry 1, at offset `0x4`. Then the program reads `0x200000` and
# `0x400000`.
# -->
# ## An early version
#
# An early version of this function treated a directory like a page table: it doubled the offset once, and cleared one
# spte. Its author had forgotten that a directory entry has two links. A change to KVM fixed this before 2.6.22 (commit
# ac1b714e of the Linux kernel). We can run it: a VM accepts another function as its `pre_write`, as in lesson 7.
#
# This guest has pages at `0x200000`, in the second half of the 4 MB of directory entry 0, at `0x400000`, below entry 1,
# and at `0x800000`. Its kernel gives the 4 MB of entry 1 another page table: it stores 4 bytes at offset `0x4` of the
# directory. Then the program reads `0x200000` and `0x400000`.

# %%
small = small_guest("32", 0x200000, 0x400000, 0x800000, pre_write=lesson.early_pre_write)
vm, entry1, entry2 = small.vm, small.entry_gpa(0x400000, level=2), small.entry_gpa(0x800000, level=2)

# %% tags=["question"]
guess_early = lesson.early(vm, 0x200000, 0x400000, 0x800000)
guess_early

# %%
watch(lambda: vm.emulate_write_gpa(entry1, vm.peek(entry2, 4), 4), vm, [0x200000, 0x400000])

# %%
reads = vm.access(0x200000, user=True), vm.access(0x400000, user=True)
reads

# %% tags=["answer"]
guess_early.reveal(reads)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## PAE is not 4 bytes
#
# There is a third kind of guest: with *PAE*, a 32-bit guest uses entries of **8 bytes**, so that it can use more than
# 4 GB of memory. Its addresses have 32 bits, but its entries have 64. So there are no quadrants, and nothing is
# doubled. Here is the same Linux with PAE, and the same page of its code:

# %%
pae = open_guest("linpae_A").vm()
pae.access(0x81CE000, user=True)
store_diagram(pae, entry_of(pae, 0x81CE000).gpa, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# **The role of every shadow page records how many levels the guest's tables had**: 2 means entries of 4 bytes, 3
# (PAE) and 4 mean 8. Pre-write reads this from each page (mmu.c:1170).
# -->
# How does the host know which kind of guest it is? Not from the size of the store, and not from the number of bits in
# an address. **The role of every shadow page records how many levels the guest's tables had when the page was made**:
# 2 means entries of 4 bytes, 3 (PAE) and 4 mean 8. Pre-write reads this from each page that it checks (mmu.c:1170).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you know now

# %% tags=["answer"]
lesson.SUMMARY

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - Try the directory, the page tables, and stores that do not fit into one entry. Tick the entries that will die,
#   then press *Write*.
# - Then build it: [exercise 9](../exercises/09_pre_write_32/README.md), about ten lines more than exercise 8.
# -->
# ## Play, then build
#
# This lab has a guest with pages in both quadrants of one table. Try writes to the directory and to the page tables,
# and try stores that do not fit into one entry. Tick the entries that will die, then press *Write*. The lab explains
# the result.

# %% tags=["try-it"]
write_lab(mode="32")

# %% [markdown]
# <!-- slide: -->
# Then build it: [exercise 9](../exercises/09_pre_write_32/README.md) adds about ten lines to those of exercise 8. If
# a check fails, look at the diagram of that store: it shows the arithmetic that the kernel did.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 9: Before the bytes change](09_pre_write.ipynb)
