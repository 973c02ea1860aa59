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
# A guest stores 8 bytes into a page table that is shadowed. *Before* they change, the host can put things right: **pre-write**.
#
# - which shadow pages are asked
# - which of their entries die
# - what is left alive
# -->
# # Lesson 9: Before the bytes change
#
# A guest's kernel stores 8 bytes into one of its page tables. The table is shadowed, so the store has faulted, and the
# host will carry it out on the guest's behalf. There is one moment in which the host can still put things right:
# *before* the bytes change. What it does in that moment is called **pre-write**, and it is a page of code
# (mmu.c:1140-1212).
#
# You know the simplest case: one store, one shadow entry dies. In this lesson you will meet all others. At the end you
# can take any store to a table of 8-byte entries, and say
#
# - **which shadow pages are asked**, and which are passed by;
# - **which of their entries die**: one, or all;
# - **what is left alive**, and where to find it again.
#
# Then you could write the function yourself, and in the exercise you will.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A store, seen as a beam
#
# We are back in the Linux guest of lesson 0. Its program uses three pages of its heap, so three entries of one page
# table are in the shadow. Then we look at the guest's entry for the first of them.

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import entry_of, hash_table, parent_chains, predict, small_guest, store_beam, watch, watch_store

vm = open_guest("lin64_A").vm()
heap = 0x343C6000
for gva in (heap, heap + 0x1000, heap + 0x2000):
    vm.access(gva, user=True)
entry = entry_of(vm, heap)
entry

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# A store that is *about* to happen, as a beam from the left to the right: **the guest's entries**, **the arithmetic**
# from offset to number, **the shadow pages** that are asked, and what their entries lead to.
# -->
# The picture for this lesson is new. It shows a store that is *about* to happen, as a beam that falls from the left to
# the right:
#
# - **left**, a few entries of the guest's table around the bytes that will be written; `>` marks the written one;
# - **then the arithmetic**: from the offset in the page to the number of an entry;
# - **orange**, the shadow pages that are asked, with the entries that the beam hits. The number in brackets says from
#   which guest entry an spte was made (or, if it is empty, would be made);
# - **right**, what an spte leads to: a frame, with its reverse map.

# %%
store_beam(vm, entry.gpa, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The store goes to gpa `0x61c9e30`: gfn `0x61c9`, **offset** `0xe30`, which is 3632. Entry 3632 / 8 = 454.
#
# An spte has 8 bytes, too: *the offset is the same on both sides*, so `#248:454` is hit.
# -->
# Do the arithmetic once by hand. The store goes to gpa `0x61c9e30`. The last three hexadecimal digits are the
# **offset** in the page, `0xe30`; what is before them is the gfn, `0x61c9`. A guest entry has 8 bytes, and `0xe30` is
# 3632, so this is entry 3632 / 8 = 454 of the table.
#
# And in the shadow? An spte has 8 bytes, too, and a shadow page has 512 of them, like the guest's table. So entry 454
# of the guest's table was made into entry 454 of the shadow page: `#248:454`. With entries of 8 bytes *the offset is
# the same on both sides*. (For guests with entries of 4 bytes it isn't, which is why there is a lesson 10.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The film of it
#
# The guest's kernel moves the page to the frame next door, as in lesson 0. This film begins where the host has decided
# to do the store itself; how it got there was lesson 7. Step through it, and watch the order of steps 3 and 4.

# %%
watch_store(vm, entry.gpa, entry.moved)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# 1. the spte **leaves the reverse map** of its frame: which frame, only the spte itself says
# 2. the spte **becomes zero**
# 3. the guest's bytes change
#
# The shadow is never wrong, not even for a moment.
# -->
# Three things happen, in an order that can't be changed:
#
# 1. the spte **leaves the reverse map** of its frame (mmu.c:1131);
# 2. the spte **becomes zero** (mmu.c:1121-1138);
# 3. the guest's bytes change.
#
# Why 1 before 2? To leave the reverse map of *its* frame, the host has to know which frame that is, and the only place
# where that is written is the spte itself. Emptied first, it would stay in a reverse map for ever, as a reference to an
# entry that means something else by then. And why all that before 3? As soon as the guest's bytes have changed, the old
# spte is wrong. In this order the shadow is never wrong, not even for a moment.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# A small guest, made by hand, has touched three pages of one page table and one of another.
#
# Its kernel is about to write the first entry of its page *directory*. See where the beam falls.
# -->
# ## One level higher: the directory
#
# A real guest has too much to look at, so from here on we use a small one that is made by hand: it maps three pages
# through one page table (`0x1000`, `0x2000`, `0x3000`) and a fourth one through another, and has touched all of them.
# Each section makes its guest anew. A store that runs twice counts twice, so repeat a section from its first cell on.
#
# Its kernel is about to write the first entry of its page *directory* (PD), which leads to the page table of the three
# pages. See where the beam falls.

# %%
small = small_guest("64", 0x1000, 0x2000, 0x3000, 0x201000)
vm, table, directory = small.vm, small.table(0x2000), small.entry_gpa(0x2000, level=2)
store_beam(vm, directory, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# One spte is hit, `#249:0`. It leads to another shadow page, #248, in which three sptes live.
#
# The guest writes zero there: none of the three pages is mapped any more.
# -->
# One spte is hit, `#249:0`. It doesn't lead to a frame but to another shadow page, #248, in which the three sptes live.
#
# The guest takes the whole region away: it writes a zero into that directory entry. None of the three pages is mapped
# any more. What becomes of their three sptes?

# %%
guess_three = predict("The three sptes in #248 ...", ["die", "live, and the processor finds them", "live, but out of reach"])
guess_three

# %%
watch_store(vm, directory, 0)

# %%
why = "only the link #249:0 died. The entries of the page table weren't written, so what was made from them stays."
guess_three.compare("live, but out of reach", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The only way to #248 is cut. The page lost its parent and nothing else: it is still in the **hash**, under the gfn
# of the guest's page table, with everything that is in it.
# -->
# That is enough: the processor begins at the root, and the only way to #248 is cut. Page #248 itself lost its parent
# (lesson 8) and nothing else. It isn't given back to the pool, and it is still in the **hash**, under the gfn of the
# guest's page table, with everything that is in it. The next picture shows that it has no parent; the one after it is
# the bucket of the hash in which it is found.

# %%
parent_chains(vm, 248)

# %%
hash_table(vm, table)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# That is safe: as long as the table is in the hash it counts as shadowed, so every write to it is still caught.
#
# Now the guest puts its directory entry back, and the program reads `0x2000`.
# -->
# Is that safe? The guest may still write to that page table, although its own directory doesn't lead there now. Yes: as
# long as the table is in the hash, it counts as shadowed, so no spte that leads to it may have its W, and every write
# is still caught and still kills its spte. Whatever is found in #248 later is as good as on the first day.
#
# The guest's kernel now puts its directory entry back: the gfn of the page table with the flags `0x67` (present,
# writable, user, accessed, dirty). `emulate_write_gpa` is the same store as in `watch_store`, without a film. Nothing
# dies by it, as the spte is empty already. Then the program reads `0x2000`. What must the host make for it?

# %%
vm.emulate_write_gpa(directory, table << 12 | 0x67, 8)
guess_made = predict("For this access the host makes ...", ["a page and 3 sptes", "a page and 2 sptes", "1 spte", "nothing"])
guess_made

# %%
watch(lambda: vm.access(0x2000, user=True), vm, [0x2000])

# %%
why = "the link #249:0. Below it everything was there: #248 was found in the hash, by its gfn and role, with its content."
guess_made.compare("1 spte", why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The other two pages came back with the same link. Their accesses need no fault at all:

# %%
vm.access(0x1000, user=True), vm.access(0x3000, user=True)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# The upper 4 bytes of an entry hold nearly nothing but NX. The guest sets NX for `0x2000` by writing them alone:
# frame, P, W and U stay as they are.
# -->
# ## Half an entry
#
# In an 8-byte entry the upper half, bits 32 to 63, holds nearly nothing: NX in bit 63, and the part of the frame number
# that only a guest with more than 4 GB needs. A kernel that wants to forbid execution of a page may well write these 4
# bytes alone. (PAE guests write entries half by half all the time: a 32-bit processor's usual store has 4 bytes.)
#
# The small guest, made anew, sets NX for `0x2000` that way: 4 bytes, in the upper half of entry 2. Frame, P, W, and U
# all stay as they are. Which sptes die?

# %%
small = small_guest("64", 0x1000, 0x2000, 0x3000)
vm, entry2 = small.vm, small.entry_gpa(0x2000)
guess_half = predict("4 bytes, in the upper half of entry 2:", ["nothing dies", "one spte", "the whole shadow page"])
guess_half

# %%
watch_store(vm, entry2 + 4, 0x80000000, 4)

# %%
why = "pre-write knows where bytes will change, not what they will be. All bytes written lie in entry 2, so its spte dies."
guess_half.compare("one spte", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# Offset `0x14` / 8 is 2.5, and what counts is the whole number: 2. With the very last byte of entry 2 it is the same:
# -->
# Offset `0x14` / 8 is 2.5, and what counts is the whole number: 2. With one single byte it would be the same. Here is
# the beam of a store to the very last byte of entry 2, at offset `0x17`:

# %%
store_beam(vm, entry2 + 7, 1)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# A store of 8 bytes that begins in the middle of entry 2 and ends in entry 3. In the shadow of this table are three
# sptes, number 1, 2 and 3.
# -->
# ## Across two entries
#
# Now a store of 8 bytes that begins in the middle of entry 2. Its first half lies in entry 2 and its second half in
# entry 3. No sane kernel does that to a page table, but the processor allows it. In the shadow of this table are three
# sptes, number 1, 2 and 3. Which of them die?

# %%
small = small_guest("64", 0x1000, 0x2000, 0x3000)
vm, entry2 = small.vm, small.entry_gpa(0x2000)
guess_across = predict("8 bytes across entries 2 and 3:", ["spte 2", "sptes 2 and 3", "all three", "none"])
guess_across

# %%
watch_store(vm, entry2 + 4, 0)

# %%
why = "a store across an edge isn't taken apart: the whole shadow page is zapped, spte 1 with it, and the link above it."
guess_across.compare("all three", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# **Misaligned**: perhaps the frame is no page table any more, and a program keeps letters in it. So the whole shadow
# page dies: links to it are emptied, its entries leave their reverse maps, it goes back to the pool.
# -->
# The code calls such a store **misaligned**, and it doesn't even try (mmu.c:1171-1185). A store like this is a sign
# that the frame may be no page table any more: perhaps the kernel has given it to a program, which keeps letters in it
# now. Then it is best to have no shadow of it, and no write protection either.
#
# So here a shadow page dies as a whole, as you know it from lesson 8: the links to it are emptied, all its entries
# leave their reverse maps and are emptied, and the page goes back to the pool. (A root that is in use can't be given
# back: it is emptied, and stays.) Compare that with the directory, where only a link was lost. *There* the page
# survived.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# One more sign that a frame is no page table: it is written again and again. The host counts the writes in a row to
# one gfn. Here are two, which kill two sptes:
# -->
# ## The third time
#
# One more reason to suspect that a frame is no page table: it is written again and again. The host remembers the gfn of
# the last write, and how many in a row went there. Let the small guest write entries 1 and 2, one after the other. As
# expected, two sptes die. The counter stands at 2:

# %%
small = small_guest("64", 0x1000, 0x2000, 0x3000)
vm, entry1 = small.vm, small.entry_gpa(0x1000)
vm.emulate_write_gpa(entry1, 0, 8)
vm.emulate_write_gpa(entry1 + 8, 0, 8)
vm.last_pt_write_count

# %% [markdown]
# <!-- slide:
# One spte is left, number 3. The third store goes to entry 9, of which there is no spte at all.
# -->
# In the shadow page there is one spte left, number 3. The third store goes to entry 9, of which there is no spte at
# all: that page was never mapped. What dies?

# %%
guess_third = predict("A third store in a row, to entry 9:", ["nothing: no spte 9", "spte 3 alone", "the whole page"])
guess_third

# %%
watch_store(vm, entry1 + 8 * 8, 0)

# %%
why = "it is the third write in a row to this gfn. The page goes, spte 3 with it; which entry is written plays no part."
guess_third.compare("the whole page", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# | the write goes to ... | the count |
# | --- | --- |
# | the same gfn as the last write | goes up by 1 |
# | another gfn | begins anew at 1 |
#
# From 3 on *every* write is a **flood**. A fork copies whole page tables: after the third write the rest goes at full
# speed.
# -->
# The code calls this a **flood** (mmu.c:1157-1164). The rules of the count are short, and each word counts:
#
# | the write goes to ... | the count |
# | --- | --- |
# | the same gfn as the last write | goes up by 1 |
# | another gfn | begins anew at 1 |
#
# From 3 on *every* write is a flood, the fourth and the hundredth, too. Only a write to another gfn ends it. What
# happens between the writes doesn't matter: the program may use the table's pages for an hour, with as many page faults
# as it likes. That is a mistake of 2007, and its story is told in lesson 10.
#
# Why have such a rule? Each caught write costs thousands of cycles. A kernel that forks a process copies whole page
# tables, hundreds of writes in a row. After the third one the shadow is gone, and the write protection with it, so the
# rest goes at full speed.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# An entry for a device isn't *present*: the host leaves a mark in the spte, "I/O", without P. It is in no reverse map
# and leads nowhere. Is there anything to do when its guest entry is written?
# -->
# ## Whatever was there
#
# An entry that dies need not be *present*. If a guest maps a gfn where no memory is, its entry stands for a device, and
# each access must come to the host for ever. So the host leaves a mark in the spte, "I/O", without P. Such an entry is
# in no reverse map and leads nowhere. Is there anything to do when its guest entry is written?

# %%
small = small_guest("64", 0x1000)
vm = small.vm
small.map(0x5000, 0xFEE00)
vm.access(0x5000)

# %%
watch_store(vm, small.entry_gpa(0x5000), small.frame() << 12 | 0x67)

# %%
again = vm.access(0x5000)
again

# %% [markdown] slideshow={"slide_type": "fragment"}
# <!-- slide:
# The mark became zero, like any spte that is hit; only the reverse map had nothing to lose. The last access finds the
# new frame: `ok`, not `mmio`.
# -->
# There is: the mark became zero, like any spte that is hit. Only the step with the reverse map was left out, since
# there was nothing to leave. Without the zero the processor would still find the mark where the guest has memory by
# now, and the host would go on asking a device that isn't there. The last access found the new frame: its outcome is
# `ok` and not `mmio`.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Pre-write goes through one bucket of the hash, and asks *every* page that passes two tests. First: **it is of the
# written gfn.** Gfns that are equal modulo 256 share a bucket, here `0x61c1` and `0x50c1`:
# -->
# ## Who is asked
#
# So far one shadow page was asked. In general pre-write goes through one bucket of the hash, from the first page to the
# last, and asks *every* page that passes two tests (mmu.c:1167-1169):
#
# 1. **it is of the written gfn.** There are 256 buckets, so gfns that are equal modulo 256 share one. In our Linux
#    guest, the page table of the program in gfn `0x61c1` meets one of the kernel's, in gfn `0x50c1`: both are in bucket
#    `0xc1`.

# %%
linux = open_guest("lin64_A").vm()
linux.access(0x400000, user=True)
linux.access(0xFFFF888005000000)
store_beam(linux, entry_of(linux, 0x400000).gpa, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# Second: **it shadows a page table.** A page of 2 MB is shadowed in pieces, by a *metaphysical* page. What is stored
# there is data, and no spte was made from it.
# -->
# 2. **it shadows a page table.** A page of 2 MB is shadowed in pieces of 4 KiB, by a page of sptes for which the guest
#    has no table (*metaphysical*, lesson 5). It is in the hash under the gfn where the 2 MB begin. What is stored there
#    is data, and no spte was made from it. (The other pages in this bucket are from the time before the guest turned
#    paging on.)

# %%
small = small_guest("64", 0x1000)
small.map(0x400000, 0x400, large=True)
small.vm.access(0x400000)
store_beam(small.vm, 0x400 << 12, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# Why *every* page? One guest table can have several shadow pages. This root table has an entry (493) that leads to
# itself, so it is a table of all four levels at once.
# -->
# Why *every* page, and not the first that fits? Because one guest table can have several shadow pages, with different
# roles. Some kernels let an entry of the root table lead to the root table itself, so as to find all their tables at
# fixed addresses. Then one frame is a table of all four levels at once, and has a shadow page for each of these roles.
# Here it is entry 493, and one access through it has made all four pages. Predict how many sptes die if the guest
# writes that entry:

# %%
small = small_guest("64", 0x1000)
vm, itself = small.vm, small.root << 12 | 493 * 8
vm.poke(itself, small.root << 12 | 0x67)
vm.access(0xFFFFF6FB7DBED000)
guess_self = predict("One guest entry is written. How many sptes die?", [0, 1, 2, 4])
guess_self

# %%
before = vm.stats.entries_zapped
watch_store(vm, itself, 0)

# %%
why = "the frame has four shadow pages, of level 4, 3, 2 and 1. In each of them entry 493 was made from the written one."
guess_self.compare(vm.stats.entries_zapped - before, why=why)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# So most people expect. Suppose it were: the guest writes entry 2 twice, for two new frames, and nobody touches the
# page between. Who maps the first one?
# -->
# ## "The new value is copied into the shadow"
#
# That is what most people expect: the host sees the store, so surely it brings the shadow up to date with it. Suppose
# it did. Let the guest write entry 2 twice: first a value that leads to one new frame, then one that leads to another.
# Between the two nobody touches the page.

# %%
from kvmmmu_lab.labs import who_maps

small = small_guest("64", 0x1000, 0x2000)
vm, entry2, first, second = small.vm, small.entry_gpa(0x2000), small.frame(), small.frame()
vm.emulate_write_gpa(entry2, first << 12 | 0x67, 8)
who_maps(vm, first)

# %%
vm.emulate_write_gpa(entry2, second << 12 | 0x67, 8)
vm.access(0x2000, user=True)

# %% [markdown] slideshow={"slide_type": "fragment"}
# <!-- slide:
# The second access needed a fault, and *that* read the entry and made the spte. **Pre-write only takes away. Making
# is the fault's business.**
# -->
# After the first store no shadow entry led to the first frame: nobody had looked at the value. After the second one the
# access needed a fault (`faults=1`), and *that* fault read the guest's entry, and made the spte. **Pre-write only takes
# away. Making is the fault's business**, and the fault looks at the whole path, with all rights and all dirty bits.
#
# The idea isn't silly, though. Mostly a kernel writes an entry because a program waits for it, so the fault is sure to
# come. A later KVM did begin to copy the value at once (0028425f), and its author measured a kernel build to be about a
# tenth faster. It had to be done with care: a zap in the wrong place costs a fault, a *copy* in the wrong place is an
# error.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Many descriptions of shadow paging hang everything on `INVLPG`, "forget this address". Try it. First the change is
# hidden by `poke`, and the guest does say `INVLPG`:
# -->
# ## "The guest says INVLPG, and then the host updates the shadow"
#
# A real processor may keep old translations, so a kernel that changes an entry then executes `INVLPG`, "forget this
# address". Many descriptions of shadow paging hang everything on that instruction. Try it both ways. First the change
# is hidden from the host by `poke`, and the guest does say `INVLPG`:

# %%
third = small.frame()
vm.poke(entry2, third << 12 | 0x67)
vm.invlpg(0x2000)
f"wanted: {third << 12:#x}, reached: {vm.access(0x2000, user=True).gpa:#x}"

# %% [markdown]
# <!-- slide:
# `INVLPG` changed nothing in the shadow. Now a store that the host sees, and the guest says nothing:
# -->
# Not the third frame: `INVLPG` changed nothing in the shadow. Now the proper way, a store that the host sees, and this
# time the guest says nothing:

# %%
vm.emulate_write_gpa(entry2, third << 12 | 0x67, 8)
f"wanted: {third << 12:#x}, reached: {vm.access(0x2000, user=True).gpa:#x}"

# %% [markdown] slideshow={"slide_type": "fragment"}
# <!-- slide:
# The store alone did it. The first versions of KVM stopped the guest at each `INVLPG`; since page tables are
# write-protected, the host knows of a change *before* it happens.
# -->
# The store alone did it. (`INVLPG` isn't useless: the processor obeys it and forgets what *it* remembers, as on a bare
# machine. Only the host isn't asked.) The first versions of KVM did stop the guest at each `INVLPG`. When page tables
# became write-protected, in January 2007, that was no longer needed, and was taken out: the host knows of a change
# *before* it happens, and can't be told anything new afterwards.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Pre-write is as good as the alarm that calls it. Our guest turns paging off, writes entry 2 of its page table at its
# physical address, and turns paging on again. In which step does pre-write begin?
# -->
# ## A bug of 2007: the way round
#
# Pre-write is as good as the alarm that calls it. The alarm is write protection: no spte with W leads to a shadowed
# table. Is that so *always*? A guest can turn paging off for a while, for instance to switch to another mode. Without
# paging there are no guest tables, so the host uses shadow pages of another kind (lesson 11). But those of the page
# tables stay in the hash, waiting for paging to come back.
#
# Our small guest turns paging off, and then writes entry 2 of its page table, at its physical address. Watch for the
# step in which pre-write begins.

# %%
small = small_guest("64", 0x1000, 0x2000)
vm, entry2, other = small.vm, small.entry_gpa(0x2000), small.frame()
paging = vm.cpu.cr0
vm.load_cr0(paging & ~(1 << 31))
watch(lambda: vm.access(entry2, write=True, value=other << 12 | 0x67, size=8), vm)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# It never does. The function that maps pages for a guest without paging (mmu.c:764-813) gives all rights to every
# frame, shadowed page tables too. Paging on again:
# -->
# It never comes. The function that maps pages for a guest without paging (mmu.c:764-813) gives all rights to every
# frame, and doesn't ask whether the frame is a shadowed page table. So the store goes straight into memory. Paging on
# again:

# %%
vm.load_cr0(paging)
vm.access(0x2000, user=True)

# %%
from kvmmmu_lab.labs import hierarchy

hierarchy(vm, 0x2000)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# No fault, and the old frame: the pages were found in the hash, stale as they were. The kernel's own audit notices
# the cause and the effect:
# -->
# No fault, and the old frame: the root and all pages below it were found in the hash, stale as they were. That is
# lesson 0's cheat, but this time no cheat was needed. The kernel's own audit, which lesson 14 is about, notices both
# the cause and the effect:

# %%
[str(complaint) for complaint in vm.audit()]

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# 1. Count. From 3 in a row on it is a **flood**.
# 2. Ask **every** page of this gfn that shadows a page table.
# 3. Across an edge, or a flood: zap the **whole page**.
# 4. Else empty **entry offset / 8**: out of the reverse map or the parents, then zero.
# -->
# ## What you know now
#
# A store of some bytes at a gpa is about to happen. **Pre-write** does this:
#
# 1. It counts: the same gfn as last time, one more; another gfn, 1 again. From 3 on it is a flood.
# 2. It goes through the hash bucket of the gfn, and asks every page that is of this gfn and shadows a page table.
# 3. If the bytes cross the edge of an entry, or it is a flood, it zaps that page as a whole.
# 4. Otherwise it takes the entry in which the bytes lie, offset / 8, and
#    - if it is present and a leaf (level 1), takes it out of the reverse map of its frame;
#    - if it is present and a link, takes it out of the parents of the page below, which stays as it is;
#    - in any case makes it zero.
#
# It never looks at the new value, and it makes nothing.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - Choose a table, an offset and a size, tick what will die, and press *Write*. Find a store that kills an spte that
#   you didn't tick.
# - Then write pre-write yourself: [exercise 8](../exercises/08_pre_write/README.md), about two dozen lines.
# -->
# ## Play, then build
#
# In this lab you choose a table, an offset and a size, tick what will die, and press *Write*. Try to find a store that
# kills an spte that you didn't tick.

# %% tags=["try-it"]
from kvmmmu_lab.labs import write_lab

write_lab(mode="64")

# %% [markdown]
# <!-- slide: -->
# Then write pre-write yourself, for entries of 8 bytes: [exercise 8](../exercises/08_pre_write/README.md). It is about
# two dozen lines, and the list above is all that you need.
#
# [Lesson 10](10_pre_write_32.ipynb) is about guests whose entries have 4 bytes. There the offset of a guest entry isn't
# that of its shadow, and one guest entry can have two.
