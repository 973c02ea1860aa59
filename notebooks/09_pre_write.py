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
# A guest stores 8 bytes into a shadowed page table. *Before* they change, the host corrects the shadow:
# **pre-write**.
#
# - which shadow pages it checks
# - which of their entries die
# - which entries stay
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
# - **which of their entries die**: one, or all;
# - **which entries stay**, and where the host finds them again.
#
# Then you will know enough to write the function yourself, which is the task of the exercise.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A store, drawn as a diagram
#
# We are back in the Linux guest of lesson 0. Its program uses three pages of its heap, so the shadow has sptes for
# three entries of one page table. The last line of the cell shows the guest's entry for the first of these pages.

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import entry_of, hash_table, parent_chains, predict, small_guest, store_diagram, watch, watch_store

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
# to perform the store itself; lesson 7 showed how it gets to this point. Step through it, and watch the order of
# steps 3 and 4.

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
# 1. the spte **leaves the reverse map** of its frame (mmu.c:1131);
# 2. the spte **becomes zero** (mmu.c:1121-1138);
# 3. the guest's bytes change.
#
# Why does 1 come before 2? To remove the spte from the reverse map of *its* frame, the host has to know which frame
# this is, and only the spte itself contains this information. If the host cleared the spte first, the reverse map
# would keep a reference to it forever, and the entry would soon be used for something else. And why do both come
# before 3? As soon as the guest's bytes have changed, the old spte is wrong. In this order the shadow is never wrong,
# not even for a moment.

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
# The guest writes zero there: now none of the three pages is mapped.
# -->
# One spte is hit, `#249:0`. It does not point to a frame but to another shadow page, #248, which holds the three
# sptes.
#
# The guest unmaps the whole region: it writes zero to that directory entry. Now none of the three pages is mapped.
# What happens to their three sptes?

# %% tags=["question"]
fates = ["die", "stay, and the processor can reach them", "stay, but cannot be reached"]
guess_three = predict("The three sptes in #248 ...", fates)
guess_three

# %%
watch_store(vm, directory, 0)

# %% tags=["answer"]
why = "only the link #249:0 died. The entries of the page table were not written, so the sptes made from them stay."
guess_three.compare("stay, but cannot be reached", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The only path to #248 is cut. The page has lost only its parent: it is still in the **hash**, under the gfn of the
# guest's page table, with all its entries.
# -->
# Only the link died, and that is enough: the processor starts at the root, and the only path to #248 is cut. Page
# #248 itself lost only its parent (lesson 8). It is not returned to the pool. It is still in the **hash**, under the
# gfn of the guest's page table, with all its entries. The next picture shows that it has no parent. The one after it
# shows the hash bucket in which the host finds it.

# %%
parent_chains(vm, 248)

# %%
hash_table(vm, table)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# This is safe: as long as #248 is in the hash, the guest's table counts as shadowed, so every write to it is still
# trapped.
#
# Now the guest restores its directory entry, and the program reads `0x2000`.
# -->
# Is this safe? The guest may still write to that page table, although its own directory no longer points to it. Yes,
# it is safe. As long as #248 is in the hash, the guest's table counts as shadowed, so no spte that points to it may
# have W set. Every write is still trapped and still zaps the spte that was made from the written entry. So whatever
# the host later finds in #248 is correct.
#
# The guest's kernel now restores its directory entry: the gfn of the page table with the flags `0x67` (present,
# writable, user, accessed, dirty). `emulate_write_gpa` performs a store just as `watch_store` does, but without a
# film. No spte dies this time, because the spte is already empty. Then the program reads `0x2000`. What must the host
# make for this access?

# %%
restored = vm.emulate_write_gpa(directory, table << 12 | 0x67, 8)

# %% tags=["question"]
guess_made = predict("For this access the host makes ...", ["a page and 3 sptes", "a page and 2 sptes", "1 spte", "nothing"])
guess_made

# %%
watch(lambda: vm.access(0x2000, user=True), vm, [0x2000])

# %% tags=["answer"]
why = "it makes the link #249:0. Everything below it already existed: the host found #248 in the hash, by its gfn and role."
guess_made.compare("1 spte", why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The same link makes the other two pages reachable again. Accessing them causes no fault at all:

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
# these 4 bytes. (PAE guests write their entries in halves all the time, because the usual store of a 32-bit processor
# is 4 bytes wide.)
#
# A new small guest sets NX for `0x2000` in this way, with a store of 4 bytes to the upper half of entry 2. The frame,
# P, W and U do not change. Which sptes die?

# %%
small = small_guest("64", 0x1000, 0x2000, 0x3000)
vm, entry2 = small.vm, small.entry_gpa(0x2000)

# %% tags=["question"]
guess_half = predict("4 bytes, in the upper half of entry 2:", ["nothing dies", "one spte", "the whole shadow page"])
guess_half

# %%
watch_store(vm, entry2 + 4, 0x80000000, 4)

# %% tags=["answer"]
why = "pre-write knows which bytes will change, not their new values. All of them are in entry 2, so its spte dies."
guess_half.compare("one spte", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# Offset `0x14` / 8 is 2.5, and only the integer part counts: 2. For the very last byte of entry 2 it is the same:
# -->
# Offset `0x14` / 8 is 2.5, and only the integer part counts: 2. A store of a single byte works in the same way. Here
# is the diagram of a store to the very last byte of entry 2, at offset `0x17`:

# %%
store_diagram(vm, entry2 + 7, 1)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# A store of 8 bytes begins in the middle of entry 2 and ends in entry 3. The shadow of this table has three sptes: 1,
# 2 and 3.
# -->
# ## Across two entries
#
# Now a store of 8 bytes begins in the middle of entry 2. Its first half is in entry 2, its second half in entry 3. No
# sane kernel does this to a page table, but the processor allows it. The shadow of this table has three sptes: 1, 2
# and 3. Which of them die?

# %%
small = small_guest("64", 0x1000, 0x2000, 0x3000)
vm, entry2 = small.vm, small.entry_gpa(0x2000)

# %% tags=["question"]
guess_across = predict("8 bytes across entries 2 and 3:", ["spte 2", "sptes 2 and 3", "all three", "none"])
guess_across

# %%
watch_store(vm, entry2 + 4, 0)

# %% tags=["answer"]
why = "a store across two entries is not split: the host zaps the whole shadow page, including spte 1, and the link above it."
guess_across.compare("all three", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# **Misaligned**: perhaps the frame is no longer a page table, and a program keeps its data there. So the host zaps
# the whole shadow page: it clears the links to the page and all its entries, and frees it.
# -->
# The code calls such a store **misaligned**, and it does not try to handle the two entries separately
# (mmu.c:1171-1185). A store like this is a sign that the frame may no longer be a page table: perhaps the kernel has
# given it to a program, which now keeps its data there. In that case it is best not to shadow it, and not to
# write-protect it either.
#
# So here the host zaps a whole shadow page, as in lesson 8. It clears the links to the page, removes all entries of
# the page from their reverse maps and clears them, and returns the page to the pool. (A root that is in use cannot be
# freed: it is emptied, and stays.) Compare this with the store to the directory, which removed only a link; the page
# stayed.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Another sign that a frame is not a page table: it is written again and again. The host counts the writes in a row to
# one gfn. Here are two writes, which zap two sptes:
# -->
# ## The third time
#
# There is another sign that a frame is not a page table: it is written again and again. The host remembers the gfn of
# the last write, and how many writes in a row went to it. Let the small guest write entries 1 and 2, one after the
# other. As expected, two sptes die. The counter is now 2:

# %%
small = small_guest("64", 0x1000, 0x2000, 0x3000)
vm, entry1 = small.vm, small.entry_gpa(0x1000)
vm.emulate_write_gpa(entry1, 0, 8)
vm.emulate_write_gpa(entry1 + 8, 0, 8)
vm.last_pt_write_count

# %% [markdown]
# <!-- slide:
# One spte is left, number 3. The third store goes to entry 9, for which there is no spte at all.
# -->
# One spte is left in the shadow page, number 3. The third store goes to entry 9, for which there is no spte at all:
# that page was never mapped. What dies?

# %% tags=["question"]
guess_third = predict("A third store in a row, to entry 9, zaps", ["nothing: no spte 9", "spte 3 alone", "the whole page"])
guess_third

# %%
watch_store(vm, entry1 + 8 * 8, 0)

# %% tags=["answer"]
why = "it is the third write in a row to this gfn, so the whole page is zapped, whichever entry is written."
guess_third.compare("the whole page", why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# | the write goes to ... | the count |
# | --- | --- |
# | the same gfn as the last write | goes up by 1 |
# | another gfn | starts again at 1 |
#
# From 3 on, *every* write is a **flood**. A fork copies whole page tables: after the third write, the remaining
# writes run at full speed.
# -->
# The code calls this a **flood** (mmu.c:1157-1164). The rules of the count are short and strict:
#
# | the write goes to ... | the count |
# | --- | --- |
# | the same gfn as the last write | goes up by 1 |
# | another gfn | starts again at 1 |
#
# From 3 on, *every* write is a flood, including the fourth and the hundredth. Only a write to another gfn ends it. It
# does not matter what happens between the writes: the program may use the table's pages for an hour, with any number
# of page faults. This is a mistake in Linux 2.6.22. Lesson 10 returns to it.
#
# Why is there such a rule? Each trapped write costs thousands of cycles. A kernel that forks a process copies whole
# page tables, with hundreds of writes in a row. After the third write the shadow page is gone, and the write
# protection with it, so the remaining writes run at full speed.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# An spte for a device is not *present*: the host sets an "I/O" mark in it, and leaves P clear. Such an spte is in no
# reverse map and points nowhere. What must the host do when its guest entry is written?
# -->
# ## Entries that are not present
#
# An entry that dies need not be *present*. If a guest maps a gfn without memory, the host assumes a device there, and
# every access must reach the host. So the host sets an "I/O" mark in the spte, and leaves P clear. Such an spte is in
# no reverse map and points nowhere. Does the host have to do anything when its guest entry is written?

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
# The spte became zero, like any spte that is hit, but it was in no reverse map. The last access finds the new frame:
# `ok`, not `mmio`.
# -->
# It does: the spte became zero, like any spte that is hit. Only the reverse-map step was left out, because the spte
# was in no reverse map. If the spte had kept its mark, the host would continue to emulate a device, although the
# guest has memory there now. The last access found the new frame: its outcome is `ok` and not `mmio`.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Pre-write goes through one hash bucket and hits *every* page that passes two tests. The first: **the page shadows
# the written gfn.** Gfns that are equal modulo 256 share a bucket, here `0x61c1` and `0x50c1`:
# -->
# ## Which pages are hit
#
# So far, pre-write has always found one shadow page. In general it goes through one bucket of the hash, from the
# first page to the last, and hits *every* page that passes two tests (mmu.c:1167-1169):
#
# 1. **The page shadows the written gfn.** There are 256 buckets, so gfns that are equal modulo 256 share one. In our
#    Linux guest, the program's page table in gfn `0x61c1` shares a bucket with one of the kernel's page tables, in
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
#    them is called *metaphysical* (lesson 5), because the guest has no page table there. The host keeps it in the
#    hash under the first gfn of the 2 MB page. A store to that gfn changes data, and no spte was made from that data.
#    (The other pages in this bucket date from before the guest turned paging on.)

# %%
small = small_guest("64", 0x1000)
small.map(0x400000, 0x400, large=True)
small.vm.access(0x400000)
store_diagram(small.vm, 0x400 << 12, 8)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# Why *every* page? One guest table can have several shadow pages. This root table has an entry (493) that points to
# the root table itself, so it is a table of all four levels at once.
# -->
# Why *every* page, and not only the first that passes? One guest table can have several shadow pages, with different
# roles. Some kernels let an entry of the root table point to the root table itself, so that they find all their
# tables at fixed addresses. Then one frame is a table of all four levels at once, and has a shadow page for each of
# these roles. In this guest, entry 493 points to the root table, and one access through it has made all four shadow
# pages. Predict how many sptes die if the guest writes that entry:

# %%
small = small_guest("64", 0x1000)
vm, itself = small.vm, small.root << 12 | 493 * 8
vm.poke(itself, small.root << 12 | 0x67)
vm.access(0xFFFFF6FB7DBED000)

# %% tags=["question"]
guess_self = predict("One guest entry is written. How many sptes die?", [0, 1, 2, 4])
guess_self

# %%
before = vm.stats.entries_zapped
watch_store(vm, itself, 0)

# %% tags=["answer"]
why = "the frame has four shadow pages, of levels 4, 3, 2 and 1. In each of them, entry 493 was made from the written entry."
guess_self.compare(vm.stats.entries_zapped - before, why=why)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Most people expect this. Suppose it were true: the guest writes entry 2 twice, for two new frames, and nothing
# accesses the page in between. Which entries map the first frame?
# -->
# ## "The new value is copied into the shadow"
#
# Most people expect this: the host sees the store, so it could update the shadow at once. Suppose it did. Let the
# guest write entry 2 twice: first a value that points to one new frame, then a value that points to another. Nothing
# accesses the page in between.

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
# The access faulted, and in *that* fault the host read the entry and made the spte. **Pre-write only removes entries.
# Only a fault makes them.**
# -->
# After the first store no shadow entry pointed to the first frame, because the host ignored the value. After the
# second store the access faulted (`faults=1`), and in *that* fault the host read the guest's entry and made the spte.
# **Pre-write only removes entries. Only a fault makes them**, and then the host checks the whole path, with all
# rights and all dirty bits.
#
# But the idea is a good one. In most cases a kernel writes an entry because a program is waiting for it, so a fault
# is certain to follow. A later KVM did copy the value at once (0028425f), and its author measured that a kernel build
# became about a tenth faster. This had to be done with care: a zap in the wrong place costs a fault, but a *copy* in
# the wrong place is an error.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Many descriptions of shadow paging depend on `INVLPG`, "forget this address". Try it. First `poke` hides the change
# from the host, and the guest does execute `INVLPG`:
# -->
# ## "The guest executes INVLPG, and then the host updates the shadow"
#
# A real processor may keep old translations, so after changing an entry, a kernel executes `INVLPG`, "forget this
# address". In many descriptions of shadow paging everything depends on that instruction. Try it both ways. First
# `poke` hides the change from the host, and the guest does execute `INVLPG`:

# %%
third = small.frame()
vm.poke(entry2, third << 12 | 0x67)
vm.invlpg(0x2000)
f"wanted: {third << 12:#x}, reached: {vm.access(0x2000, user=True).gpa:#x}"

# %% [markdown]
# <!-- slide:
# `INVLPG` changed nothing in the shadow. Now the host sees the store, but the guest does not execute `INVLPG`:
# -->
# The program did not reach the third frame: `INVLPG` changed nothing in the shadow. Now the other way: the host sees
# the store, but the guest does not execute `INVLPG`:

# %%
vm.emulate_write_gpa(entry2, third << 12 | 0x67, 8)
f"wanted: {third << 12:#x}, reached: {vm.access(0x2000, user=True).gpa:#x}"

# %% [markdown] slideshow={"slide_type": "fragment"}
# <!-- slide:
# The store alone was enough. The first versions of KVM trapped each `INVLPG`. Since page tables are write-protected,
# the host knows of a change *before* it happens.
# -->
# The store alone was enough. (`INVLPG` is not useless: the processor executes it and removes the translation from its
# *own* TLB, as on a machine without a hypervisor. The host is simply not involved.) The first versions of KVM did
# trap each `INVLPG`. When page tables became write-protected, in January 2007, the trap was no longer needed and was
# removed: the host knows of a change *before* it happens, so it learns nothing new afterwards.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Pre-write depends on write protection, which calls it. Our guest turns paging off, writes entry 2 of its page table
# at its physical address, and turns paging on again. In which step does pre-write begin?
# -->
# ## A bug of 2007: writing with paging off
#
# Pre-write runs only if write protection traps the store. This requires that no spte with W set points to a shadowed
# table. Is that *always* true? A guest can turn paging off for a while, for instance to switch to another mode.
# Without paging there are no guest tables, so the host uses shadow pages of another kind (lesson 11). But the shadow
# pages of the page tables stay in the hash meanwhile.
#
# Our small guest turns paging off, and then writes entry 2 of its page table, at its physical address. Look for the
# step in which pre-write begins.

# %%
small = small_guest("64", 0x1000, 0x2000)
vm, entry2, other = small.vm, small.entry_gpa(0x2000), small.frame()
paging = vm.cpu.cr0
vm.load_cr0(paging & ~(1 << 31))
watch(lambda: vm.access(entry2, write=True, value=other << 12 | 0x67, size=8), vm)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# It never begins. The function that maps pages without paging (mmu.c:764-813) grants all rights on every frame,
# including shadowed page tables. Now the guest turns paging on again:
# -->
# There is no such step. The function that maps pages for a guest without paging (mmu.c:764-813) grants all rights on
# every frame, and does not check whether the frame is a shadowed page table. So the store goes straight to memory.
# Now the guest turns paging on again:

# %%
vm.load_cr0(paging)
vm.access(0x2000, user=True)

# %%
from kvmmmu_lab.labs import hierarchy

hierarchy(vm, 0x2000)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# There is no fault, and the access reaches the old frame: the host found the stale pages in the hash. The kernel's
# own audit reports the cause and the effect:
# -->
# There is no fault, and the access reaches the old frame: the host found the root and all pages below it in the hash,
# although they were stale. The result is the same as after the cheat in lesson 0, but this time nobody cheated. The
# kernel's own audit, the subject of lesson 14, reports both the cause and the effect:

# %%
[str(complaint) for complaint in vm.audit()]

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# 1. Count. From the third in a row on, it is a **flood**.
# 2. Find **every** page that shadows this gfn as a page table.
# 3. A write across two entries, or a flood: zap the **whole page**.
# 4. Else remove **entry offset / 8** from its map or the parents, then clear it.
# -->
# ## What you know now
#
# When some bytes at a gpa are about to change, **pre-write** does the following:
#
# 1. It counts. If the gfn is the same as last time, the count goes up by 1; otherwise it is 1 again. From 3 on, it is
#    a flood.
# 2. It goes through the hash bucket of the gfn and selects every page that has this gfn and shadows a page table.
# 3. If the bytes cross the edge of an entry, or if it is a flood, it zaps that page as a whole.
# 4. Otherwise it takes the entry that contains the bytes, offset / 8, and
#    - if the entry is present and a leaf (level 1), removes it from the reverse map of its frame;
#    - if the entry is present and a link, removes it from the parents of the page below, which stays as it is;
#    - in any case sets it to zero.
#
# It never looks at the new value, and it never makes an entry.

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
