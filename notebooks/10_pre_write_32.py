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
# Guest entries of **4 bytes** are shadowed by entries of **8**, so indices and offsets differ.
#
# - which shadow entries a store hits
# - why an offset is doubled **once for a page table and twice for a directory**
# - three stores that look harmless but are not
# -->
# # Lesson 10: Why double twice?
#
# In lesson 9 the offset of a guest entry was also the offset of its spte. This worked because both are 8 bytes long.
# The entries of a 32-bit guest are **4 bytes** long, but the host still shadows them with entries of 8, because it
# uses the newer table format for all guests. So the two sides differ in the number of entries in a page and in the
# amount of memory that an entry maps.
#
# Pre-write has to convert between the two. In the kernel this takes half a dozen lines (mmu.c:1188-1209), and a
# mistake in one of them once corrupted the memory of guests. At the end of this lesson you can
#
# - compute, for any store to a table of 4-byte entries, **which shadow entries are hit**;
# - explain why an offset is **doubled once for a page table and twice for a directory**, and which step comes between
#   the two doublings;
# - recognise three stores that look harmless but are not.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One table, two shadow pages
#
# Here is a 32-bit Linux guest. Among the pages that its program uses are a page of code, `0x81ce000`, and a page of
# data, `0x823e000`. The guest maps both through the *same* page table. Look at its shadow.

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import entry_of, hierarchy, predict, small_guest, store_diagram, watch, watch_store, write_lab

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
#    divide the address space of 4 GB into four parts of 1 GB.

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
# The shadow has three sptes, made from guest entries 128, 257 and 258. Now the guest stores 4 bytes at offset
# **`0x404`** of their page table. Find the place on the upper ruler, and look below it.
# -->
# Try the ruler. The shadow of a small guest has three sptes, made from entries 128, 257 and 258 of one page table.
# Now the guest stores 4 bytes at offset **`0x404`** of that table. Find the place on the upper ruler, look below it,
# and decide which spte dies. (If you forget to double, you divide `0x404` by 8 and get 128. As in lesson 9, each
# section makes a new guest; to repeat a section, start at its first cell.)

# %%
small = small_guest("32", 0x80000, 0x101000, 0x102000)
vm, first_at = small.vm, small.entry_gpa(0x101000)

# %% tags=["question"]
guess_index = predict("4 bytes at offset 0x404: which spte dies?", ["number 128", "number 257", "number 514", "none"])
guess_index

# %%
watch_store(vm, first_at, 0, 4)

# %% tags=["answer"]
why = "0x404 x 2 = 0x808, and 0x808 / 8 = 257. Number 128 was made from guest entry 128, at offset 0x200, and stays."
guess_index.compare("number 257", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# | step | arithmetic | gives |
# | --- | --- | --- |
# | guest entry | `0x404` / 4 | 257 |
# | doubled | `0x404` x 2 | `0x808` |
# | in the page | `0x808 & 0xfff` | `0x808` |
# | spte | `0x808` / 8 | **257** |
#
# Offset **`0xc04`** is in guest entry 769. Doubled: `0x1808`, in the page `0x808`. Again spte **257**, of quadrant 1.
# -->
# The arithmetic by hand, as the picture shows it:
#
# | step | arithmetic | gives |
# | --- | --- | --- |
# | guest entry | `0x404` / 4 | 257 |
# | doubled | `0x404` x 2 | `0x808` |
# | in the page | `0x808 & 0xfff` | `0x808` |
# | spte | `0x808` / 8 | **257** |
#
# An spte is twice as long as a guest entry and begins twice as far from the start, so in the first half an entry
# keeps its number. What about offset **`0xc04`**? It belongs to guest entry 769. Doubled, it is `0x1808`, and the
# last three digits are `0x808`: again spte **257**, this time in the shadow page of quadrant 1.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# This guest has one page in each quadrant, at the same place in each half: guest entries 257 and 769. Again it stores
# 4 bytes at offset `0x404`, which is guest entry 257 and no other.
# -->
# ## Hit by mistake
#
# The last guest had pages in one quadrant only. This one has one page in each, and each is at the same place in its
# half: guest entry 257 (`0x101000`) and guest entry 769 (`0x301000`; 769 - 512 = 257). Again the guest stores 4 bytes
# at offset `0x404`, which is guest entry 257 and no other. Pre-write goes through all shadow pages of the written
# gfn, as you know from lesson 9.

# %%
small = small_guest("32", 0x101000, 0x301000)
vm, second_at = small.vm, small.entry_gpa(0x101000)

# %% tags=["question"]
guess_quadrant = predict("Which sptes die?", ["#247:257", "#246:257", "#247:257 and #246:257", "both pages as a whole"])
guess_quadrant

# %%
watch_store(vm, second_at, 0, 4)

# %% tags=["answer"]
why = "both pages shadow this gfn, and both are hit at number 257. The code does not check the quadrant of the written entry."
guess_quadrant.compare("#247:257 and #246:257", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# `#246:257` was made from guest entry **769**, which was not written. The doubled offset, cut to three digits, has
# lost the bit that tells the two halves apart. No program notices: it only costs a fault.
# -->
# Go back to the film and read the numbers in brackets: `#246:257` was made from guest entry **769**, which was not
# written. Linux 2.6.22 doubles the offset and keeps only its last three digits, and so loses the one bit that tells
# the two halves apart. Then it clears the spte at that place *in the page of every quadrant*.
#
# Is this a bug? No program notices, because the wrongly cleared entry is made again at the next access. It only costs
# a fault:

# %%
vm.access(0x301000, user=True)

# %% [markdown] slideshow={"slide_type": "fragment"}
# <!-- slide:
# **Clearing too much is slow, clearing too little is wrong.** The mistake mattered later, when KVM was about to
# *copy* new values into the shadow. Then the code had to check the quadrant (fce0657f).
# -->
# In this respect a shadow is forgiving: **clearing too much is slow, clearing too little is wrong.** The mistake
# became a real problem only when KVM was about to copy new values into the shadow at once (see lesson 9). *Filling*
# the other entry with a value that belongs elsewhere would have been an error. So the code first had to check the
# quadrant (fce0657f), which had been in the page's role all along. Your exercise follows Linux 2.6.22, which hits all
# quadrants.

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
# <!-- slide:
# | step, for offset `0x404` | arithmetic | gives |
# | --- | --- | --- |
# | doubled | `0x404` x 2 | `0x808` |
# | rounded down to 8 | `0x808 & ~7` | `0x808` |
# | doubled again | `0x808` x 2 | `0x1010` |
# | in the page | `0x1010 & 0xfff` | `0x010` |
# | sptes | `0x010` / 8, and the next | **2 and 3** |
#
# Find the pages one level below that lose their link by mistake.
# -->
# Here is the same offset as before, `0x404`, but now in a directory:
#
# | step | arithmetic | gives |
# | --- | --- | --- |
# | guest entry | `0x404` / 4 | 257 |
# | doubled | `0x404` x 2 | `0x808` |
# | rounded down to 8 | `0x808 & ~7` | `0x808` |
# | doubled again | `0x808` x 2 | `0x1010` |
# | in the page | `0x1010 & 0xfff` | `0x010` |
# | sptes | `0x010` / 8, and the next | **2 and 3** |
#
# Check it with the rule: 2 x 257 = 514, and quadrant 1 begins at 512, so the result is sptes 2 and 3 of quadrant 1.
# (Pre-write hits them in all four quadrants: the mistake of the last section, now with four pages instead of two.)
# Here is the diagram of that store, in a guest with pages below entry 1 and below entry 257. Find the pages one level
# below that lose their link by mistake.

# %%
small = small_guest("32", 0x400000, 0x600000, 0x40400000, 0x40600000)
store_diagram(small.vm, small.entry_gpa(0x40400000, level=2), 4)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# `& ~7` matters when a store begins in the *middle* of an entry. Here sptes 2, 3, 4 and 5 are present, made from
# directory entries 1 and 2. The kernel stores **one byte at offset `0x6`**.
# -->
# ## Why the offset is rounded
#
# The step `& ~7` clears the last three bits. For an offset like `0x808` it does nothing. It matters when a store
# begins in the *middle* of an entry. Our guest has pages below entry 1 and below entry 2, so sptes 2, 3, 4 and 5 of
# the directory's shadow page are present. Its kernel now stores **one byte at offset `0x6`**, which is the third byte
# of entry 1. Which links die?

# %%
small = small_guest("32", 0x400000, 0x600000, 0x800000, 0xA00000)
vm, third_byte = small.vm, small.entry_gpa(0x400000, level=2) + 2

# %% tags=["question"]
guess_pair = predict("One byte at offset 0x6 of the directory. Which sptes die?", ["1 and 2", "2 and 3", "3 and 4", "only 3"])
guess_pair

# %%
watch_store(vm, third_byte, 0, 1)

# %% tags=["answer"]
why = "0x6 x 2 = 0xc, rounded 0x8, x 2 = 0x10, / 8 = 2, and the next. Entry 1 became 2 and 3, whichever byte is written."
guess_pair.compare("2 and 3", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# Without the rounding: `0x6` x 2 x 2 = `0x18`, / 8 = 3, so 3 *and 4*. But 2 would have stayed, although its directory
# entry has changed: a **stale** link. First round down, then double again.
# -->
# Without the rounding, `0x6` x 2 is `0xc`, `0xc` x 2 is `0x18`, and `0x18` / 8 is 3. The result would have been sptes 3
# *and 4*. Number 4 belongs to guest entry 2, which was not written: losing it does little harm. But number 2 would have
# stayed, although its directory entry has changed: a **stale** link. Each doubling also doubles the distance of the
# byte from the start of its entry. After two doublings this distance can be a whole spte or more. So first round down,
# and then double again.
#
# For a page table no rounding is needed. After one doubling, any byte of an entry is still in its spte: 3 x 2 is less
# than 8.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Does a 32-bit guest ever write to a page table at an odd offset? This one stores **8 bytes at offset `0x8`**, which
# looks correctly aligned. The shadow has sptes 1 and 3 of quadrant 0, and 1 of quadrant 1.
# -->
# ## "A store across two entries can be patched"
#
# You know that a store across the edge of an entry zaps the whole shadow page. You may find this crude: two entries
# are written, so two entries could be cleared. You may also think that it hardly ever happens with a 32-bit guest,
# because kernels do not write to page tables at odd offsets.
#
# This guest stores **8 bytes at offset `0x8`**. To any programmer this store is correctly aligned, because the offset
# is a multiple of 8. A kernel may do this to set two adjacent entries with one instruction. The shadow has sptes 1
# and 3 of quadrant 0, and spte 1 of quadrant 1.

# %%
small = small_guest("32", 0x1000, 0x3000, 0x201000)
vm, eight = small.vm, small.entry_gpa(0x2000)

# %% tags=["question"]
guess_eight = predict("8 bytes at offset 0x8: what dies?", ["nothing", "spte 3", "all of #247", "all of #247 and #246"])
guess_eight

# %%
watch_store(vm, eight, 0, 8)

# %% tags=["answer"]
why = "what counts is the size of an entry. 8 bytes at 0x8 are guest entries 2 and 3, so both pages are zapped."
guess_eight.compare("all of #247 and #246", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# | a store of | at offset | entries of 8 bytes | entries of 4 bytes |
# | --- | --- | --- | --- |
# | 4 bytes | `0x8` | in one entry | in one entry |
# | 4 bytes | `0xc` | in one entry (its upper half) | in one entry |
# | 4 bytes | `0xa` | in one entry | **misaligned** |
# | 8 bytes | `0x8` | in one entry | **misaligned** |
# | 8 bytes | `0xc` | **misaligned** | **misaligned** |
#
# **Misaligned**: the bytes are not all in one entry. The code *could* clear two entries instead; in 2.6.22 it does
# not.
# -->
# **Misaligned** means that the bytes are not all in one entry. It depends on the size of the entries, not only on the
# store:
#
# | a store of | at offset | entries of 8 bytes | entries of 4 bytes |
# | --- | --- | --- | --- |
# | 4 bytes | `0x8` | in one entry | in one entry |
# | 4 bytes | `0xc` | in one entry (its upper half) | in one entry |
# | 4 bytes | `0xa` | in one entry | **misaligned** |
# | 8 bytes | `0x8` | in one entry | **misaligned** |
# | 8 bytes | `0xc` | **misaligned** | **misaligned** |
#
# *Could* the code clear two entries instead? Yes. The kernel's authors thought that it was not worth the trouble:
# such a store usually means that the frame is no longer a page table (mmu.c:1173-1182), and later faults restore the
# zapped entries. The code in 2.6.22 does not clear two entries, so a model of it must not either.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# *Demand paging*: the program accesses a new page, its kernel gets a page fault and stores one entry, and the host
# makes the spte. This is not a fork. The first two pages:
# -->
# ## "Three stores with pauses between them are not a flood"
#
# From the third store in a row to one gfn on, the host assumes a flood and zaps all shadow pages of that gfn (lesson
# 9). This was meant to detect a `fork`, which copies page tables entry by entry, as fast as possible. A program that
# walks through its memory page by page behaves quite differently. For each new page, this happens:
#
# 1. the program accesses it, and the guest's kernel gets a page fault, because the page is not mapped yet;
# 2. the kernel takes a free frame and stores one entry, which the host traps;
# 3. the program tries again, and the host makes the spte: a second fault, this time the host's own.
#
# This is called *demand paging*, and most programs get most of their memory this way.

# %%
small = small_guest("32", 0x1000)
vm = small.vm


def demand(gva):
    vm.access(gva, user=True)
    small.edit(gva, small.frame() << 12 | 0x67)
    return vm.access(gva, user=True)


demand(0x2000), demand(0x3000)

# %% [markdown]
# <!-- slide:
# Now the third new page. Between this store and the last one there are two faults, and the program has used its
# memory. Is it still "in a row"?
# -->
# One page was mapped at the start, so there are now three sptes in the shadow page. Next is the third new page, step
# by step. Between this store and the last one there are two faults, and the program has used its memory. Will the
# host still count this store as "in a row"?

# %% tags=["question"]
guess_pause = predict("The store for the third new page zaps ...", ["nothing", "one spte", "the whole shadow page"])
guess_pause

# %%
watch(lambda: demand(0x4000), vm, [0x3000, 0x4000])

# %% tags=["answer"]
why = "only the gfn counts. The two faults between the stores do not reset the count; only a store to another gfn does."
guess_pause.compare("the whole shadow page", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The count only goes up. Let the program continue to its tenth new page. How many of the eleven pages does the
# processor still find in the shadow?
# -->
# It does not end there, because the count only goes up. Let the program continue to its tenth new page. It accesses
# every one of them, and its kernel unmaps none. How many of the eleven pages does the processor still find in the
# shadow?

# %%
for gva in range(0x5000, 0xC000, 0x1000):
    demand(gva)

# %% tags=["question"]
guess_left = predict("How many of the eleven pages are still in the shadow?", [11, 9, 3, 1])
guess_left

# %% tags=["answer"]
left = sum(vm.access(gva, user=True).faults == 0 for gva in range(0x1000, 0xC000, 0x1000))
guess_left.compare(left, why="from the third store on, each new page removed all the others. Only the last one is left.")

# %%
vm.stats.flood_zaps

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The host took eight of ten stores for a flood. A later change (a25f7e1f) resets the count at a fault of the guest: a
# page table that causes faults is still *in use*.
#
# **The shadow is a cache, and a cache that is cleared too often is still correct.**
# -->
# The host treated eight of the ten stores as a flood. The fork detector misfired on one of the most common access
# patterns, and made each step more expensive than necessary. A later change (a25f7e1f) resets the count whenever the
# guest itself gets a page fault, because a page table that causes faults is still *in use*. In 2.6.22, and in your
# exercise, the count is not reset.
#
# Again, the guest saw nothing wrong. That is why such bugs survive for a long time: **the shadow is a cache, and a
# cache that is cleared too often is still correct.** Only a timing measurement shows the problem.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# An early version lacked the second doubling (fixed in ac1b714e). For directory entry 1, offset `0x4`, doubled once:
# `0x8`, so spte **1**. It should be sptes 2 and 3. With `poke`, the host misses the store:
# -->
# ## A bug that was wrong, not slow
#
# What if the code clears too little? An early version of this function lacked the second doubling: its author had
# forgotten that a directory entry has two links. In 2.6.22 this is fixed (ac1b714e). Compute what the early version
# did for a store to directory entry 1, offset `0x4`: doubled once it is `0x8`, which gives spte **1**. It should be
# sptes 2 and 3.
#
# Number 1 belongs to directory entry 0, which was not written, so it is hit by mistake. Numbers 2 and 3 are *not*
# hit. To see what this means, we use `poke`, so that the host misses the store. The guest's kernel gives the 4 MB of
# entry 1 another page table, in which `0x400000` points to another frame:

# %%
small = small_guest("32", 0x400000, 0x800000)
vm, entry1, entry2 = small.vm, small.entry_gpa(0x400000, level=2), small.entry_gpa(0x800000, level=2)
vm.poke(entry1, vm.peek(entry2, 4), 4)
hierarchy(vm, 0x400000)

# %%
hex(entry_of(vm, 0x400000).value >> 12), hex(vm.access(0x400000, user=True).gpa >> 12)

# %% [markdown] slideshow={"slide_type": "fragment"}
# <!-- slide:
# The guest's tables give one gfn (the first), but the program reaches another (the second). A zap too many costs a
# fault. **A zap too few costs the guest its data.**
# -->
# The guest's tables give one gfn (the first), but the program reaches another (the second). That other frame may
# belong to another program by now, and a write there destroys its data. With the second doubling missing, every store
# to a directory could end like this, and guests' memory was indeed corrupted. A zap too many costs a fault. **A zap
# too few costs the guest its data.**

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
# <!-- slide:
# 1. More than one entry **of 4 bytes**, or a flood: zap the whole page.
# 2. Else double the offset.
# 3. For a **directory**: round down to 8, double again, take two sptes.
# 4. Keep three digits, / 8.
# 5. Clear, in **all** quadrants.
# -->
# ## What you know now
#
# Once a shadow page of a table with 4-byte entries has passed the two tests of lesson 9, it is handled like this:
#
# 1. If the bytes are not all in one entry **of 4 bytes**, or if it is a flood, the whole page is zapped.
# 2. Otherwise double the offset.
# 3. Only if the page shadows a **directory** (level 2): round down to 8, double again, and take two sptes in a row.
# 4. Keep the last three hexadecimal digits and divide by 8: the result is the first spte.
# 5. Clear it, or both, as in lesson 9: remove it from the reverse map or from the parents, then set it to zero.
#
# All quadrants are hit in the same way. You have understood this lesson if you can explain why step 3 rounds, and
# which link stays by mistake without the rounding.

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
