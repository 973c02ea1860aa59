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
# Entries of **4 bytes**, shadowed by entries of **8**: nothing fits any more.
#
# - which shadow entries a store hits
# - why an offset is doubled **once for a page table and twice for a directory**
# - three stores that look harmless, and are not
# -->
# # Lesson 10: Why double twice?
#
# In lesson 9 the offset of a guest entry was also the offset of its shadow. That was luck: both had 8 bytes. The
# entries of a 32-bit guest have **4 bytes**, and the host still shadows them with entries of 8, for it runs all guests
# on tables of the newer shape. So nothing fits any more: not the number of entries in a page, nor what an entry maps.
#
# Pre-write has to find its way between the two. In the kernel that takes half a dozen lines (mmu.c:1188-1209), and a
# wrong one among them once corrupted guests' memory. At the end of this lesson you can
#
# - compute, for any store to a 4-byte table, **which shadow entries are hit**;
# - say why an offset is **doubled once for a page table and twice for a directory**, and what is done in between;
# - recognise three stores that look harmless, and are not.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One table, two shadow pages
#
# Here is a 32-bit Linux guest. Two of the pages that its program uses are a page of code, `0x81ce000`, and a page of
# data, `0x823e000`. The guest maps both through the *same* page table. Look at its shadow.

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import entry_of, hierarchy, predict, small_guest, store_beam, watch, watch_store, write_lab

vm = open_guest("lin32_A").vm()
code, data = 0x81CE000, 0x823E000
vm.access(code, user=True), vm.access(data, user=True)
hierarchy(vm, code, data)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# 1. The one page table has **two** shadow pages, one for each **quadrant**.
# 2. Guest entry **574** became `#246:62`: 574 - 512.
# 3. One directory entry, 32, became **two** links, 64 and 65.
# 4. The directory has four shadow pages, each of 1 GB.
# -->
# Find these four things in the picture:
#
# 1. The guest has two levels, a directory (PD) and page tables (PT). The one page table here, gfn `0x1c6f`, has **two**
#    shadow pages, #247 and #246. Each says which **quadrant** it is: which part of the guest's table it shadows.
# 2. Guest entry 462 became `#247:462`. But guest entry **574** became `#246:62`: it is in the second half, and 574 -
#    512 = 62.
# 3. One directory entry, number 32, became **two** links: `#251:64` and `#251:65`.
# 4. Above #251 there are four root slots. The directory has a shadow page for each, so four in all; the address space
#    of 4 GB is cut into four pieces of 1 GB.

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
# **The offset doubles**, and in the middle the lower ruler begins again at 0: only its last three hexadecimal digits
# count.
# -->
# ## The ruler
#
# A page has 4096 bytes. It holds **1024** entries of 4 bytes, or **512** of 8. So a full page table of the guest needs
# two shadow pages:
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
# Slide a finger along the upper ruler: for every 4 bytes there, the lower one has 8. So **the offset doubles**; and in
# the middle the lower ruler begins again at 0, so of the doubled offset only the last three hexadecimal digits count
# (`& 0xfff`).

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# Three pages are in the shadow, made from the guest entries 128, 257 and 258. Now the guest stores 4 bytes at offset
# **`0x404`** of that page table. Find the place on the upper ruler, and go down.
# -->
# Try the ruler. A small guest made by hand has three pages in the shadow, made from the guest entries 128, 257 and 258.
# Now it stores 4 bytes at offset **`0x404`** of that page table. Find the place on the upper ruler, go down, and say
# which spte dies. (Whoever forgets to double divides `0x404` by 8, and gets 128. As in lesson 9, each section makes its
# guest anew; to repeat one, begin with its first cell.)

# %%
small = small_guest("32", 0x80000, 0x101000, 0x102000)
vm, first_at = small.vm, small.entry_gpa(0x101000)
guess_index = predict("4 bytes at offset 0x404: which spte dies?", ["number 128", "number 257", "number 514", "none"])
guess_index

# %%
watch_store(vm, first_at, 0, 4)

# %%
why = "0x404 x 2 = 0x808, and 0x808 / 8 = 257. Number 128 was made from guest entry 128, at offset 0x200, and lives on."
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
# And at offset **`0xc04`**? Guest entry 769, doubled `0x1808`, in the page `0x808`: again spte **257**, of quadrant
# 1.
# -->
# The arithmetic by hand, as the picture has it:
#
# | step | arithmetic | gives |
# | --- | --- | --- |
# | guest entry | `0x404` / 4 | 257 |
# | doubled | `0x404` x 2 | `0x808` |
# | in the page | `0x808 & 0xfff` | `0x808` |
# | spte | `0x808` / 8 | **257** |
#
# Twice as many bytes an entry, and twice as far from the start: within the first half an entry keeps its number. And at
# offset **`0xc04`**? Guest entry 769, doubled `0x1808`, in the page `0x808`: again spte **257**, now of quadrant 1.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# This guest has a page in each quadrant, both at the same place of their half: guest entries 257 and 769. Again it
# stores 4 bytes at offset `0x404`, which is guest entry 257 and no other.
# -->
# ## Hit by mistake
#
# That guest had pages in one quadrant. This one has a page in each, and both are at the same place of their half: guest
# entry 257 (`0x101000`) and guest entry 769 (`0x301000`; 769 - 512 = 257). Again the guest stores 4 bytes at offset
# `0x404`, which is guest entry 257 and no other. Pre-write asks every shadow page of the written gfn, as you know from
# lesson 9.

# %%
small = small_guest("32", 0x101000, 0x301000)
vm, second_at = small.vm, small.entry_gpa(0x101000)
guess_quadrant = predict("Which sptes die?", ["#247:257", "#246:257", "#247:257 and #246:257", "both pages as a whole"])
guess_quadrant

# %%
watch_store(vm, second_at, 0, 4)

# %%
why = "both pages are of this gfn, and both are hit at number 257. Which quadrant the written entry belongs to isn't asked."
guess_quadrant.compare("#247:257 and #246:257", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# `#246:257` was made from guest entry **769**, and nobody wrote that. The doubled offset, cut to three digits, has
# lost the bit that said which half it was in. No program notices: it costs a fault.
# -->
# Go back to the film and read the numbers in brackets: `#246:257` was made from guest entry **769**, and nobody wrote
# that. The code of 2007 doubles the offset, cuts it to three digits, and so loses the one bit that said which half it
# was in. It then empties that place *in every quadrant's page*.
#
# Is that a bug? No program notices, for the innocent entry comes back at the next access. All it costs is a fault:

# %%
vm.access(0x301000, user=True)

# %% [markdown] slideshow={"slide_type": "fragment"}
# <!-- slide:
# **Emptying too much is slow, emptying too little is wrong.** It mattered when new values were about to be *copied*
# into the shadow: then the quadrant had to be respected (fce0657f).
# -->
# This is what makes a shadow forgiving: **emptying too much is slow, emptying too little is wrong.** It became a real
# problem only when KVM was about to copy new values into the shadow at once (lesson 9 told of it): to *fill* the
# innocent entry with a value that belongs elsewhere would have been an error. So the quadrant had to be respected first
# (fce0657f); the page's role had known it all the time. In your exercise the machine is that of 2007, which hits them
# all.

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
# A directory entry maps **4 MB**, a shadow link **2 MB**: from entry *n* come 2*n* and 2*n* + 1. The offset is
# **doubled again because there are twice as many of them**.
# -->
# ## One level higher, and twice
#
# In the directory there is one thing more. A directory entry of this guest maps 1024 pages of 4 KB: **4 MB**. A shadow
# link, leading to 512 sptes, maps **2 MB**. So each directory entry needs two links in a row:
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
# Four shadow pages, each of 1 GB. From guest entry *n* come the sptes 2*n* and 2*n* + 1 (counted from 0 again in each
# quadrant). So the offset is doubled because an spte has twice the bytes, and **doubled again because there are twice
# as many of them**. (If the entry maps a page of 4 MB, without a table below, it is the same: that is shadowed in
# pieces, by two links again.)

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
# Find the pages below that lose their link by mistake.
# -->
# The same offset as before, `0x404`, now in a directory:
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
# Check it with the rule: 2 x 257 = 514, and quadrant 1 begins at 512, so 2 and 3 of quadrant 1. (They will be hit in
# all four quadrants: the mistake of the last section, with four pages instead of two.) Here is that beam, in a guest
# that has pages in the 4 MB of entry 1 and entry 257. Find the pages below that lose their link by mistake.

# %%
small = small_guest("32", 0x400000, 0x600000, 0x40400000, 0x40600000)
store_beam(small.vm, small.entry_gpa(0x40400000, level=2), 4)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# `& ~7` matters as soon as a store begins in the *middle* of an entry. Here the sptes 2, 3, 4 and 5 lead somewhere,
# from the directory's entries 1 and 2. The kernel stores **one byte at offset `0x6`**.
# -->
# ## What the rounding is for
#
# The line `& ~7` clears the last three bits. Between two doublings, of an offset like `0x808`, that seems to do
# nothing. It matters as soon as a store begins in the *middle* of an entry. Our guest has pages in the 4 MB of entry 1
# and entry 2, so the sptes 2, 3, 4 and 5 of the directory's shadow lead somewhere. Its kernel now stores **one byte at
# offset `0x6`**: the third byte of entry 1. Which links die?

# %%
small = small_guest("32", 0x400000, 0x600000, 0x800000, 0xA00000)
vm, third_byte = small.vm, small.entry_gpa(0x400000, level=2) + 2
guess_pair = predict("One byte at offset 0x6 of the directory. Which sptes die?", ["1 and 2", "2 and 3", "3 and 4", "only 3"])
guess_pair

# %%
watch_store(vm, third_byte, 0, 1)

# %%
why = "0x6 x 2 = 0xc, rounded 0x8, x 2 = 0x10, / 8 = 2, and the next. From entry 1 come 2 and 3, whichever byte is written."
guess_pair.compare("2 and 3", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# Without the rounding: `0x6` x 2 x 2 = `0x18`, / 8 = 3, so 3 *and 4*. But 2 would have lived, with a directory entry
# behind it that has changed: a **stale** link. Round down first, then double again.
# -->
# Now without the rounding: `0x6` x 2 = `0xc`, x 2 = `0x18`, / 8 = 3. It would have been 3 *and 4*. Number 4 belongs to
# guest entry 2, which nobody wrote: a small loss. But number 2 would have lived, with a directory entry behind it that
# has changed: a **stale** link. The doubling takes the distance from the start of the entry along and makes it larger,
# until it is a whole spte. Hence: round down first, and then double again.
#
# For a page table no rounding is needed. After one doubling a byte of an entry is still in its spte: 3 x 2 is less than
# 8.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# With a 32-bit guest, who writes to a page table at odd offsets? This one stores **8 bytes at offset `0x8`**, a store
# in perfect order. In the shadow are entries 1 and 3 of quadrant 0, and 1 of quadrant 1.
# -->
# ## "A store across two entries can be patched"
#
# You know that a store across the edge of an entry kills the shadow page as a whole. People find that lazy: two entries
# are touched, so empty two. And with a 32-bit guest you may think that it hardly ever happens, for who writes to a page
# table at odd offsets?
#
# This guest stores **8 bytes at offset `0x8`**. To any programmer that is a store in perfect order: 8 divides 8. A
# kernel may do so to set two neighbouring entries at a stroke, with one instruction. In the shadow are entries 1 and 3
# of quadrant 0, and number 1 of quadrant 1.

# %%
small = small_guest("32", 0x1000, 0x3000, 0x201000)
vm, eight = small.vm, small.entry_gpa(0x2000)
guess_eight = predict("8 bytes at offset 0x8: what dies?", ["nothing", "spte 3", "all of #247", "all of #247 and #246"])
guess_eight

# %%
watch_store(vm, eight, 0, 8)

# %%
why = "what counts is the size of an entry. 8 bytes at 0x8 are guest entries 2 and 3: across an edge, so all pages go."
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
# **Misaligned**: the bytes are not all in one entry. Two entries *could* be emptied instead; the code of 2007
# doesn't.
# -->
# **Misaligned** means: the bytes are not all in one entry. It depends on the entry, not on the store:
#
# | a store of | at offset | entries of 8 bytes | entries of 4 bytes |
# | --- | --- | --- | --- |
# | 4 bytes | `0x8` | in one entry | in one entry |
# | 4 bytes | `0xc` | in one entry (its upper half) | in one entry |
# | 4 bytes | `0xa` | in one entry | **misaligned** |
# | 8 bytes | `0x8` | in one entry | **misaligned** |
# | 8 bytes | `0xc` | **misaligned** | **misaligned** |
#
# *Could* two entries be emptied instead? Of course. The kernel's authors found it not worth the trouble, since such a
# store mostly shows that the frame is no page table any more (mmu.c:1173-1182), and what is thrown away comes back by
# faults. What is true is only this: the code of 2007 doesn't patch, and whoever models it must not.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# *Demand paging*: the program touches a new page, gets a page fault from its own kernel, which stores one entry; and
# the host makes the spte. That is no fork. Two such pages:
# -->
# ## "Three stores with pauses between are no flood"
#
# Lesson 9 promised this story. From the third store in a row to one gfn on, the host takes it for a flood, and zaps all
# shadow pages of that gfn. The idea was to notice a `fork`, which copies page tables entry by entry, as fast as it can.
# A program that walks through its memory step by step is nothing of the kind. Let us see. Each new page goes like this:
#
# 1. the program touches it, and gets a page fault from its own kernel, for it isn't mapped yet;
# 2. the kernel takes a free frame and stores one entry, which the host catches;
# 3. the program tries again, and the host makes the spte: another fault, the host's own.
#
# That is called *demand paging*, and most of the memory of most programs comes to them in that way.

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
# Now the third new page. Between this store and the last one lie two faults, and the program has used its memory. Is
# it still "in a row"?
# -->
# Two new pages; with the first one there are three sptes in the shadow page. Now the third new page, step by step.
# Between this store and the last one lie two faults, and the program has used its memory. Will the host still count it
# as "in a row"?

# %%
guess_pause = predict("The store for the third new page kills ...", ["nothing", "one spte", "the whole shadow page"])
guess_pause

# %%
watch(lambda: demand(0x4000), vm, [0x3000, 0x4000])

# %%
why = "the count goes by gfns alone. The two faults between the stores don't reset it; only a store to another gfn would."
guess_pause.compare("the whole shadow page", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The count only goes up. Let the program go on to its tenth new page. How many of the eleven does the processor still
# find in the shadow?
# -->
# And it doesn't end there, since the count only goes up. Let the program go on to its tenth new page. It has touched
# every one of them, and none was taken away by its kernel. How many of the eleven pages does the processor still find
# in the shadow?

# %%
for gva in range(0x5000, 0xC000, 0x1000):
    demand(gva)
guess_left = predict("Of eleven pages, still in the shadow:", [11, 9, 3, 1])
guess_left

# %%
left = sum(vm.access(gva, user=True).faults == 0 for gva in range(0x1000, 0xC000, 0x1000))
guess_left.compare(left, why="from the third store on, each new page threw all the others out. Only the last one is there.")

# %%
vm.stats.flood_zaps

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# Eight of ten stores were taken for a flood. Later (a25f7e1f) a fault of the guest set the count back: who faults
# through a table still *uses* it.
#
# **The shadow is a cache, and a cache that is emptied too often is still right.**
# -->
# Eight of ten stores were taken for a flood. The fork detector misfired on one of the most common patterns that there
# is, and made each step of the walk dearer than it had to be. A later change (a25f7e1f) has each such fault of the
# guest set the count back: whoever faults through a page table still *uses* it. In 2.6.22, and in your exercise, it
# counts on.
#
# Again nothing was wrong with what the guest saw. That is why such bugs live long: **the shadow is a cache, and a cache
# that is emptied too often is still right.** Only a stopwatch notices.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# An early version lacked the second doubling (mended: ac1b714e). For directory entry 1, offset `0x4`: doubled once,
# `0x8`, so spte **1**. It should be 2 and 3. We let the host miss the store, by `poke`:
# -->
# ## A bug that was wrong, not slow
#
# And when it empties too little? An early version of this function lacked the second doubling: it had been forgotten
# that a directory entry has two links. That is mended in 2.6.22 (ac1b714e). Compute what it did, for a store to
# directory entry 1, offset `0x4`: doubled once, `0x8`, so spte **1**. It should be 2 and 3.
#
# Number 1 belongs to directory entry 0: an innocent is hit. Numbers 2 and 3 are *not* hit. To see what that means we
# let the host miss the store, by `poke`. The kernel of the guest gives the 4 MB of entry 1 another page table, in which
# `0x400000` leads to another frame:

# %%
small = small_guest("32", 0x400000, 0x800000)
vm, entry1, entry2 = small.vm, small.entry_gpa(0x400000, level=2), small.entry_gpa(0x800000, level=2)
vm.poke(entry1, vm.peek(entry2, 4), 4)
hierarchy(vm, 0x400000)

# %%
hex(entry_of(vm, 0x400000).value >> 12), hex(vm.access(0x400000, user=True).gpa >> 12)

# %% [markdown] slideshow={"slide_type": "fragment"}
# <!-- slide:
# The guest's tables say one gfn (the first), the program gets to another (the second). A zap too many costs a fault.
# **A zap too few costs the guest its data.**
# -->
# The guest's tables say one gfn (the first), and the program gets to another (the second). That other frame may be
# somebody else's by now: whoever writes there destroys what isn't theirs. With the second doubling missing, every store
# to a directory could end so, and guests' memory was indeed corrupted. A zap too many costs a fault. **A zap too few
# costs the guest its data.**

# %% [markdown] slideshow={"slide_type": "slide"}
# ## PAE is not 4 bytes
#
# There is a third kind of guest: with *PAE*, a 32-bit guest uses entries of **8 bytes**, so as to reach more than 4 GB
# of memory. Its addresses have 32 bits, its entries don't. So it has no quadrants, and nothing is doubled. The same
# Linux with PAE, and the same page of its code:

# %%
pae = open_guest("linpae_A").vm()
pae.access(0x81CE000, user=True)
store_beam(pae, entry_of(pae, 0x81CE000).gpa, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# **Every shadow page says in its role how many levels the guest's tables had**: 2 means entries of 4 bytes, 3 (PAE)
# and 4 mean 8. Each page that is asked answers for itself (mmu.c:1170).
# -->
# How does the host know which kind it has to do with? Not from the size of the store, and not from how many bits an
# address has. **Every shadow page says in its role how many levels the guest's tables had when it was made**: 2 means
# entries of 4 bytes, 3 (PAE) and 4 mean 8. So each page that is asked answers for itself (mmu.c:1170).

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# 1. Not all in one entry **of 4 bytes**, or a flood: the whole page goes.
# 2. Else double the offset.
# 3. A **directory**: round down to 8, double again, take two sptes.
# 4. Three digits, / 8.
# 5. Empty it, in **all** quadrants.
# -->
# ## What you know now
#
# A page of a 4-byte table is hit like this, once it has passed the two tests of lesson 9:
#
# 1. If the bytes aren't all in one entry **of 4 bytes**, or it is a flood: the page goes as a whole.
# 2. Otherwise double the offset.
# 3. Only if the page shadows a **directory** (level 2): round down to 8, double again, and take two sptes in a row.
# 4. Keep the last three hexadecimal digits, divide by 8: that is the first spte.
# 5. Empty it, or both, as in lesson 9: out of the reverse map, or out of the parents, then zero.
#
# And all quadrants are hit alike. If you can explain to somebody why there is a rounding in 3, and which link lives on
# by mistake without it, you have it.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - Choose the directory as well as the page tables, and sizes that don't suit. Tick what will die, then press
#   *Write*.
# - Then build it: [exercise 9](../exercises/09_pre_write_32/README.md), about ten lines more than exercise 8.
# -->
# ## Play, then build
#
# This lab has a guest with pages in both quadrants of one table. Choose the directory as well as the page tables, and
# sizes that don't suit. Tick what will die, then press *Write*; it says why.

# %% tags=["try-it"]
write_lab(mode="32")

# %% [markdown]
# <!-- slide: -->
# Then build it: [exercise 9](../exercises/09_pre_write_32/README.md) adds about ten lines to those of exercise 8.
# If a check fails, look at the beam of that store: it says which arithmetic the kernel did.
