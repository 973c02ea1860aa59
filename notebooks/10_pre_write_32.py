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
# [← Lesson 9: Before the bytes change](09_pre_write.ipynb) ·
# [Lesson 11: Large pages, and no paging →](11_large_pages.ipynb)

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
# In lesson 9 the offset of a guest entry was also the offset of its spte, because both are 8 bytes long. The entries of
# a 32-bit guest are **4 bytes** long. Even so, the host shadows them with entries of 8 bytes, as for every other guest.
# *Which shadow entries does a store to such a table hit?*
#
# The guest's table and the shadow page differ in two ways: in the number of entries in a page, and in the amount of
# memory that an entry maps. *Pre-write*, the host's work before a store (lesson 9), has to convert the offset. In the
# kernel this takes half a dozen lines (`mmu.c:1188-1209`). One of them is surprising: it doubles the offset a second
# time.
#
# After this lesson you can
#
# - compute, for any store to a table of 4-byte entries, which shadow entries are hit;
# - say why an offset is doubled once for a page table and twice for a directory, and what happens between the two
#   doublings;
# - predict what a store of one byte, a store of 8 bytes and a series of stores hit;
# - say which mistakes of the host cost only time, and which one costs the guest its data.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once. Each section makes a new guest; to repeat a section, start at its first
# cell.
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes 35 minutes. There are five predictions and four check questions. Let everyone do the
# arithmetic of the first prediction on paper, with the ruler in view. Dividing by 8 is the usual mistake.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## New in the picture: quadrants -->
# ## The picture so far
#
# New in the picture are the numbers 0 to 3 above a shadow page. A table of a 32-bit guest is shadowed by several pages,
# and each of them covers one part of the table, a **quadrant**. A directory has the quadrants 0 to 3, a page table only
# 0 and 1. (A 32-bit guest has only two levels. In the picture, these are the two columns on the right.)

# %% tags=["hide-input"]
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import course_picture, entry_of, hierarchy, small_guest, store_diagram, watch, watch_store, write_lab
from kvmmmu_lab.lessons import lesson_10 as lesson

course_picture(10)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## One page table of the guest has two shadow pages -->
# ## One table, two shadow pages
#
# Here is a 32-bit Linux guest. Among the pages that its program uses are a page of code, `0x81ce000`, and a page of
# data, `0x823e000`. The guest maps both through the *same* page table. Look at its shadow.

# %% tags=["hide-input"]
vm = open_guest("lin32_A").vm()
code, data = 0x81CE000, 0x823E000
vm.access(code, user=True), vm.access(data, user=True)
hierarchy(vm, code, data)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Each shadow page covers one quadrant of the table
#
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
# 4. Above #251 there are four root slots, one for each GB of the 4 GB of addresses. Each slot leads to a shadow page of
#    its own, so the directory has four shadow pages. (The processor's own CR3 leads to the slots. The guest's CR3 is
#    the gpa of its directory.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## From 4 bytes to 8: the offset doubles
#
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
# shadow pages. (The constants for the two formats are in `mmu.c:113-145`: 10 bits of the address select one of 1024
# entries, 9 bits one of 512.)
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
# Move a finger along the upper ruler: for every 4 bytes there, the lower ruler has 8. So **the offset doubles**. In the
# middle, the lower ruler starts again at 0. So only the last three hexadecimal digits of the doubled offset count (`&
# 0xfff`).

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Predict: a store of 4 bytes
#
# The shadow has three sptes, all made from one page table. Which of them dies?
# -->
# Try the ruler. The shadow of a small guest has three sptes, all made from one page table. Now the guest stores 4 bytes
# into that table, at an offset that comes from `seed`. <!-- notebook -->Change it, run the cells again from here, and
# you get other numbers.<!-- /notebook --> Find this offset on the upper ruler. Which spte is below it?

# %%
seed = 7
small, first_at = lesson.three_pages(seed)
vm = small.vm
hex(first_at & 0xFFF)

# %% tags=["question"]
guess_index = lesson.index(vm, first_at)
guess_index

# %% slideshow={"title": "In the first half of a table, an entry keeps its number"}
watch_store(vm, first_at, 0, 4)

# %% tags=["answer"]
guess_index.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: one page in each quadrant
#
# They are at the same place in each half of the table. Again the guest stores 4 bytes into the entry in the first half.
# -->
# ## A page in each quadrant
#
# The last guest used only the first half of its page table, quadrant 0. The next guest uses two pages, and their
# entries are 512 entries apart: at the same place in each half of the table. Again the guest stores 4 bytes, into the
# entry in the first half.

# %% tags=["hide-input"]
small, near, far = lesson.both_halves(seed)
vm, second_at = small.vm, small.entry_gpa(near)
hex(near), hex(far), hex(second_at & 0xFFF)

# %% tags=["question"]
guess_quadrants = lesson.quadrants(vm, near, far)
guess_quadrants

# %% slideshow={"title": "Both quadrants are hit at the same number"}
watch_store(vm, second_at, 0, 4)

# %% tags=["answer"]
guess_quadrants.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## A zap too many costs only a fault -->
# Then the program uses both pages. (The store has unmapped the first page. So the first access ends with a page fault
# for the guest: `inject`.)

# %%
vm.access(near, user=True), vm.access(far, user=True)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A directory entry becomes two links: double twice
#
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
# For a directory there is one more difference. A directory entry of this guest maps 1024 pages of 4 KB: **4 MB**. A
# shadow link leads to a page of 512 sptes: **2 MB**. So each directory entry needs two adjacent links:
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
# There are four shadow pages, each covering 1 GB. Guest entry *n* becomes sptes 2*n* and 2*n* + 1. In each quadrant,
# the numbers of the sptes begin at 0 again: entry 256, the first one of quadrant 1, becomes sptes 0 and 1 of that
# quadrant. The offset is doubled because an spte is twice as long. It is **doubled again because there are twice as
# many sptes**. (A directory entry may also map a page of 4 MB, without a table below it. Such a page is shadowed in
# pieces, also through two links, so the result is the same.)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## Offset `0x404` of a directory hits links 2 and 3 -->
# Take offset `0x404` of a directory. Here is the diagram of a store there, in a guest with pages below two directory
# entries.

# %% tags=["hide-input"]
small = small_guest("32", 0x400000, 0x600000, 0x40400000, 0x40600000)
store_diagram(small.vm, small.entry_gpa(0x40400000, level=2), 4)

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
lesson.DIRECTORY

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## Watch it with another offset -->
# Change the offset and watch again. The guest has pages below the directory entries 0, 1, 256 and 257. The store writes
# one byte. Try the offsets `0x0`, `0x4`, `0x400` and `0x405`. Which sptes die, and in which quadrants? (`0x405` is in
# the middle of an entry. The next section explains this case.)

# %%
offset = 0x400
again = small_guest("32", 0x1000, 0x400000, 0x40000000, 0x40400000)
watch_store(again.vm, (again.root << 12) + offset, 0, 1)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: one byte in the middle of an entry
#
# Four links are present, made from two adjacent directory entries. The kernel stores **one byte at offset `0x16`**.
# -->
# ## Why the offset is rounded
#
# Look at the diagram for offset `0x404` again. Between the two doublings there is the step `& ~7`. It clears the last
# three bits of the offset that has been doubled once. It changes nothing in a value like `0x808`. It matters when a
# store begins in the *middle* of an entry. The next guest has used a page in each half of two adjacent directory
# entries, so four links of the directory's shadow page are present. Its kernel stores **one byte at offset `0x16`**.

# %% tags=["hide-input"]
small = small_guest("32", 0x1400000, 0x1600000, 0x1800000, 0x1A00000)
vm, byte_at = small.vm, (small.root << 12) + 0x16

# %% tags=["question"]
guess_one_byte = lesson.one_byte(vm, byte_at, 0x1400000)
guess_one_byte

# %% slideshow={"title": "First round down, then double again"}
watch_store(vm, byte_at, 0, 1)

# %% tags=["answer"]
guess_one_byte.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: 8 bytes at offset `0x8`
#
# The offset is a multiple of 8. The shadow has sptes 1 and 3 of quadrant 0, and 1 of quadrant 1.
# -->
# ## Eight bytes in a row
#
# The kernel of this guest stores **8 bytes at offset `0x8`** of a page table. The offset is a multiple of 8. The shadow
# has sptes 1 and 3 of quadrant 0, and spte 1 of quadrant 1.

# %% tags=["hide-input"]
small = small_guest("32", 0x1000, 0x3000, 0x201000)
vm, eight = small.vm, small.entry_gpa(0x2000)

# %% tags=["question"]
guess_eight_bytes = lesson.eight_bytes(vm, 0x1000, 0x201000)
guess_eight_bytes

# %% slideshow={"title": "8 bytes are two entries of 4: both pages are zapped"}
watch_store(vm, eight, 0, 8)

# %% tags=["answer"]
guess_eight_bytes.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## PAE has entries of 8 bytes: nothing is doubled -->
# ## PAE is not 4 bytes
#
# There is a third kind of guest. With *PAE*, a 32-bit guest can use more than 4 GB of memory. Its addresses still have
# 32 bits, but its entries have 64: **8 bytes**. So there are no quadrants, and nothing is doubled. Here is the same
# Linux with PAE, and the same page of its code:

# %% tags=["hide-input"]
pae = open_guest("linpae_A").vm()
pae.access(0x81CE000, user=True)
store_diagram(pae, entry_of(pae, 0x81CE000).gpa, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## The role of each shadow page records the guest's levels
#
# 2 levels mean entries of 4 bytes; 3 (PAE) and 4 mean 8. Pre-write reads this from each page.
# -->
# How does the host know which kind of guest it is? Not from the size of the store, and not from the number of bits in
# an address. **The role of every shadow page records how many levels the guest's tables had when the page was made**:
# 2 means entries of 4 bytes, 3 (PAE) and 4 mean 8. Pre-write reads this from each page that it checks (mmu.c:1170).

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "Stores with pauses between them are no flood"
#
# *Demand paging*: the program accesses a new page, its kernel gets a page fault and stores one entry, and the host makes
# the spte. The authors of KVM found the mistake themselves (commit a25f7e1f).
# -->
# ## "Stores with pauses between them are no flood"
#
# The host counts stores in a row to the same gfn. The third store is a **flood**, and so is each store after it: the
# host zaps all shadow pages of that gfn. One reason for this rule is `fork`, which changes page tables entry by entry,
# as fast as it can (lesson 7).
#
# A program that walks through its memory page by page also causes stores to page tables, but slowly. KVM's author did
# not expect these slow stores to be taken for a flood ([KVM: Reduce misfirings of the fork
# detector](https://github.com/torvalds/linux/commit/a25f7e1f8c1f), commit a25f7e1f of 2007). Try it. For each new page,
# this happens:
#
# 1. the program accesses it, and the guest's kernel gets a page fault, because the page is not mapped yet;
# 2. the kernel takes a free frame and stores one entry, which the host traps and performs (in the code: `small.edit`);
# 3. the program tries again, and the host makes the spte: one more fault, this time the host's own.
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

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## The third new page, step by step -->
# One page was mapped at the start, and the program has got two more, so the shadow page has three sptes now. Watch how
# the program gets its third new page. The store in this film does not follow the last one immediately. In between, the
# program faults twice: at `0x3000`, where the host makes the spte (before the film begins), and then at `0x4000`, which
# is not mapped yet (in the film).

# %% slideshow={"title": "Faults in between do not reset the count: a flood"}
watch(lambda: demand(0x4000), vm, [0x3000, 0x4000])

# %% [markdown]
# <!-- slide: -->
# Let the program continue to its tenth new page. It uses all pages that it gets, and its kernel unmaps none. Then it
# has eleven pages. How many of them can it reach without a fault?

# %% slideshow={"title": "Each new page removes all the others"} tags=["hide-input"]
pages = [*range(0x1000, 0xC000, 0x1000)]
for gva in pages[4:]:
    demand(gva)
sum(vm.access(gva, user=True).faults == 0 for gva in pages), vm.stats.flood_zaps

# %% tags=["answer"]
lesson.PAUSES

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A bug of 2007: an early version of the function
#
# It treated a directory like a page table: it doubled the offset **once** and cleared **one** spte.
#
# The kernel stores the value of directory entry 2 in entry 1, at offset `0x4`: `0x400000` now leads to a new frame. Then the
# program reads `0x200000` (entry 0) and `0x400000` (entry 1).
# -->
# ## A bug of 2007
#
# An early version of pre-write treated a directory like a page table: it doubled the offset once, and cleared one spte.
# So for directory entry *n* it cleared spte *n*, although the links of this entry are 2*n* and 2*n* + 1. A change to
# KVM fixed this before 2.6.22 (commit [ac1b714e](https://github.com/torvalds/linux/commit/ac1b714e) of the Linux
# kernel). The early version can still run here: a VM accepts another function as its `pre_write`, as in lesson 7.
#
# This guest has three pages:
#
# - `0x200000`, in the second half of the 4 MB of directory entry 0;
# - `0x400000`, below entry 1: gfn `0x13`, the *old* frame;
# - `0x800000`, below entry 2: gfn `0x15`, the *new* frame.
#
# Its kernel stores 4 bytes at offset `0x4` of the directory: entry 1 gets the value of entry 2. So `0x400000` leads to
# the new frame now. Then the program reads `0x200000` and `0x400000`.

# %% tags=["hide-input"]
small = small_guest("32", 0x200000, 0x400000, 0x800000, pre_write=lesson.early_pre_write)
vm, entry1, entry2 = small.vm, small.entry_gpa(0x400000, level=2), small.entry_gpa(0x800000, level=2)

# %% tags=["question"]
guess_early = lesson.early(vm, 0x200000, 0x400000, 0x800000)
guess_early

# %% slideshow={"title": "Doubled once, the offset hits a link of the wrong entry"}
watch(lambda: vm.emulate_write_gpa(entry1, vm.peek(entry2, 4), 4), vm, [0x200000, 0x400000])

# %% slideshow={"title": "A zap too few leads to the wrong data"} tags=["hide-input"]
reads = vm.access(0x200000, user=True), vm.access(0x400000, user=True)
reads

# %% tags=["answer"]
guess_early.reveal(reads)

# %% slideshow={"title": "The audit compares each spte with the guest's tables"} tags=["hide-input"]
[str(complaint) for complaint in vm.audit()]

# %% tags=["answer"]
lesson.EARLY

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Play with it
#
# Try the directory, the page tables, and stores that do not fit into one entry. Tick the entries that will die,
# then press *Write*.
# -->
# ## Your turn
#
# This lab has a guest with pages in both quadrants of one table. Try stores to the directory and to the page tables,
# also stores that do not fit into one entry. Tick the entries that will die, then press *Write*. The lab explains the
# result. <!-- page: (The form works in the notebook. The page shows how the lab begins.) -->

# %% tags=["try-it"]
write_lab(mode="32")

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
lesson.table_entry(seed)

# %% tags=["check", "try-it"]
lesson.directory_entry(seed)

# %% tags=["check", "try-it"]
lesson.one_entry(seed)

# %% tags=["check", "try-it"]
lesson.slow_stores(seed)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Now write it yourself
#
# - exercise 09: `pre_write_32`, about ten lines more than exercise 08
# - next: what is shadowed if there is no table at all
# -->
# ## Now write it yourself
#
# [Exercise 09: pre_write_32](../exercises/09_pre_write_32/README.md) adds about ten lines to those of exercise 08. If
# a check fails, look at the diagram of that store: it shows the arithmetic that the kernel did.
#
# Two bugs of this lesson are exhibits of the museum of bugs, `quadrant_overzap` and `flood_counts_forever`. In [lesson
# 11](11_large_pages.ipynb) a shadow page has no guest table at all.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 9: Before the bytes change](09_pre_write.ipynb) ·
# [Lesson 11: Large pages, and no paging →](11_large_pages.ipynb)
