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
# Page tables lead one way: from an address to a frame. The **reverse map** leads back: *through which shadow entries
# can this frame be written?*
#
# - which entries it records, and which it does not
# - what a map looks like after additions and removals
# - why an entry is removed from its map *before* it is cleared
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
# - which entry is in which place of a map after any sequence of additions and removals;
# - why an entry has to be removed from the map *before* its bits are cleared, and what happens to the host otherwise.
#
# As in lesson 0, run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about half an hour. There are six questions. Have everyone choose an answer before
# you run the next cell.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One access, one record
#
# The guest is the same as in lesson 0, and so is the address, in the first page of the program's heap. The program is
# about to *read* one byte there; it does not write. Will the host record the shadow entry in the frame's reverse map,
# as an entry through which the frame can be written?

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import Builder, predict, reverse_map, rmap_lab, watch, who_maps
from kvmmmu_lab.mmu.bits import CR0_WP, PRESENT, USER, WRITABLE

guest, heap = open_guest("lin64_A"), 0x343C6000
vm = guest.vm()

# %% tags=["question"]
guess_read = predict("The program only reads. Is anything in the frame's reverse map afterwards?", ["no", "yes"])
guess_read

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The dashed purple line that appears at the end is the **reverse map**: it runs backwards, from the frame to the
# spte.
# -->
# Step through to the end. The dashed purple line that appears is the reverse map: it runs backwards, from the frame
# to the spte. (To see only that step, choose *a reverse map changes* under *Stop where*.)

# %%
read = watch(lambda: vm.access(heap, user=True), vm, [heap])
read

# %% tags=["answer"]
noted = vm.rmap.sptes(vm.memory.frames[read.result.gpa >> 12])
why = "the guest allows writing here, so the spte has W set, and the next write would not fault."
guess_read.compare("yes" if noted else "no", why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# This is the first half of the rule. A reverse map is not a history of what the guest did. It lists the entries
# through which the processor *could* write right now, without a fault. It does not matter how the entries have been
# used. (When does the host set W in an spte? The guest's entry and all entries above it have to allow writing, and
# the guest's D has to be set.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A second way to the same frame
#
# Linux maps all of memory a second time for its own use, at other addresses. There the kernel reaches the same byte
# through other tables, and therefore through another spte. Let the kernel read it once. Look at the frame on the
# right: its map now has two entries, and two dashed lines lead back.

# %%
kernel = 0xFFFF888000000000 + read.result.gpa
second = watch(lambda: vm.access(kernel), vm, [heap, kernel])
second

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now look at the same thing from the frame's point of view. In the middle is the map as the host stores it: a block
# of memory with four places, two of which are used. Each place holds the **name of a shadow entry**: `#248:454` is
# entry 454 of shadow page 248.
#
# The frame has two numbers. The guest knows it by its gfn. The host keeps guest memory somewhere in its own memory,
# where the frame's number is the **hfn**, host frame number. `vm.memory.frames[gfn]` converts one to the other. An
# spte holds the hfn, because the processor needs to know where the frame really is. Reverse maps are indexed by hfn,
# too. Pictures show the gfn, so that you can compare both sides.

# %%
reverse_map(vm, read.result.gpa >> 12)

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
# store into its page table (three steps, which lesson 9 explains). Then the guest uses the new mapping, and the
# access faults. After the fault the map has one entry, and that entry is **kept directly**: the host has one word for
# each frame, and the address of the entry fits into it. Most frames are mapped once, so most maps need no more than
# this word.

# %%
lab = rmap_lab()
lab.map().film

# %% [markdown] slideshow={"slide_type": "subslide"}
# Two entries do not fit into one word. So the host takes a **descriptor**: a small block of memory with places for
# four entries and a link to another descriptor. Both entries go into it, the old one first (`mmu.c:327-332`).

# %%
lab.map().film

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What is not recorded
#
# Now we add a third mapping, but this time the guest's entry has no W: the frame can be read through it, but not
# written. The guest reads there, and the host makes the spte. How many entries are in the map then?

# %% tags=["question"]
guess_count = predict("The map has two entries. After a read-only mapping it has:", [1, 2, 3])
guess_count

# %%
lab.map(read_only=True).film

# %% tags=["answer"]
count = sum(len(row) for row in lab.places())
why = "an entry is recorded if it is present AND writable. This one cannot write the frame, so the host never has to find it."
guess_count.compare(count, why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# **The map records only entries that are both present and writable.** Why only these? The map has one purpose: when
# the frame becomes a page table, the host clears W in every entry in the map. An entry that is not present causes a
# fault anyway, and in an entry without W there is nothing to clear. Many processes share read-only pages (program
# code, the C library). If the map recorded these entries, too, it would become long for no purpose.
#
# `who_maps` searches all entries that exist, so it also finds the third one. Only the first two have a dashed line.
# Remember this picture: *the reverse map is not the list of all entries that point to a frame.*

# %%
who_maps(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## When the descriptor is full
#
# Two more writable mappings fill the descriptor. Where will the next one go? Decide, then step to the point at which
# the map changes.

# %%
lab.map(), lab.map()
lab.map().film

# %% [markdown] slideshow={"slide_type": "fragment"}
# The new entry goes into the **first descriptor with a free place**. There was none, so the host took a **new
# descriptor and appended it to the list**. After one more mapping there are six entries in the map: four and two.

# %%
lab.map()
reverse_map(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What fills the hole?
#
# The guest unmaps the second of the six, so `#248:2` has to be removed from the map. A hole between the entries would
# be a problem: the host finds the end of a descriptor by looking for its first empty place. So another entry has to
# move. What will the map look like, place by place? (A bar separates the descriptors.)

# %% tags=["question"]
orders = ["#248:1 #248:4 #248:5 #248:6 | #248:7", "#248:1 #248:7 #248:4 #248:5 | #248:6"]
orders += ["#248:1 #248:5 #248:4 | #248:6 #248:7", "#248:1 #248:4 #248:5 | #248:6 #248:7"]
guess_order = predict("Without #248:2, the map will be", orders)
guess_order

# %%
lab.unmap(1).film

# %% tags=["answer"]
now = " | ".join(" ".join(row) for row in lab.places())
why = "the last entry of the SAME descriptor fills the hole. No other entry moves: the map is a set and has no order."
guess_order.compare(now, why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Each of the other answers would work, too. The first two move entries from one descriptor to another and therefore
# touch more memory. The fourth moves two entries where one is enough. You might expect the very last entry of the
# whole map to fill the hole. It does not: the host works on one descriptor and does not look at the next. So a
# descriptor that is not the last can have room. The next new entry goes there:

# %%
lab.map()
reverse_map(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "notes"}
# The new mapping uses the address that was freed, so its shadow entry is `#248:2` again. But its place in the map is
# a different one: it is now the last entry in the first descriptor, although the second descriptor has room as well.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## When a descriptor becomes empty
#
# Now we remove three of the first four entries, and then the fourth. Step through this last removal: it leaves the
# descriptor empty, and an empty descriptor is **unlinked and freed**. The second descriptor becomes the head of the
# list.

# %%
for gva in (0x1000, 0x5000, 0x4000):
    lab.unmap(lab.mapped.index(gva))
lab.unmap(lab.mapped.index(0x2000)).film

# %% [markdown] slideshow={"slide_type": "subslide"}
# Two entries are left, in one descriptor. One of them is removed. Then the map has a single entry, as it had after
# the very first mapping. Will this entry be kept directly, as it was then?

# %% tags=["question"]
guess_form = predict("How will the remaining entry be kept?", ["directly", "in its descriptor"])
guess_form

# %%
lab.unmap(lab.mapped.index(0x6000)).film

# %% tags=["answer"]
form = "directly" if isinstance(lab.machine.rmap.heads[lab.hfn], int) else "in its descriptor"
why = "a descriptor is freed when its last entry is removed, not before. The host never returns to the direct form."
guess_form.compare(form, why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# So the form of a map depends on its history. A single entry may be kept directly or in a descriptor, and both mean
# the same thing. In the exercises you write your own reverse map. The checker first tests whether it holds the right
# *entries*, and only then whether it has the same *form* as the kernel's.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## First out of the map, then cleared
#
# In each film of an unmapping, the entry was first removed from the reverse map, and then cleared. You might think
# that the order does not matter. Let us do it the other way round, by hand, on a new guest with one mapping: first
# clear the bits, then remove the entry from the map.

# %%
lab = rmap_lab()
lab.map()
spte = lab.machine.rmap.sptes(lab.hfn)[0]
lab.machine.memory.words[spte] = 0
lab.machine.rmap.remove(spte)
reverse_map(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The entry is empty, and the map still contains it. `remove` did nothing at all! The function that removes an entry
# is given only the entry, so it reads two things from it. Is it present and writable? If not, it is in no map. And
# which frame does it point to? Without the frame, the function cannot find the map. A cleared entry is not present
# and points nowhere. **A map is found through the content of the entry, so the entry has to be removed from the map
# before its content is lost.** If you clear only W, the result is the same.
#
# Does it matter? The entry is empty, and the frame cannot be written through it. What will happen when the frame
# becomes a page table, and the host goes through all entries of the map?

# %% tags=["question"]
ends = ["nothing: an empty entry does no harm", "another entry loses its W", "the host crashes"]
guess_end = predict("The map contains an empty entry, and the frame becomes a page table. What happens?", ends)
guess_end

# %%
end = lab.protect()
end.film

# %% tags=["answer"]
happened = ends[2] if lab.machine.dead else ends[0]
why = "every entry in the map must be writable and point to this frame. The host checks this, and crashes if it is not true."
guess_end.compare(happened, why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The check (`mmu.c:430-433`) protects the host. Entries are reused: a little later the same entry may point to
# another frame. A host without the check would then clear W in an entry that should keep it. It is better to stop the
# machine than to continue with wrong tables.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A misconception: "from the frame back to the addresses"
#
# You will often read: *the page tables translate gva to gfn, and the reverse map translates gfn back to gva.* It
# sounds symmetrical, but it is wrong. Here is a guest in which the difference matters: two entries of its page
# directory point to the *same* page table. So one page has two addresses, `0x1000` and `0x201000`, and the program
# writes through both.

# %%
twin = Builder()
gfn = twin.map(0x1000)
twin.vm.poke(twin.entry_gpa(0x201000, 2), twin.vm.peek(twin.entry_gpa(0x1000, 2)))
machine = twin.start()

# %% tags=["question"]
guess_ways = predict("The frame can be written at two addresses. How many entries are in its reverse map?", [0, 1, 2])
guess_ways

# %%
watch(lambda: [machine.access(0x1000, write=True), machine.access(0x201000, write=True)], machine, [0x1000, 0x201000])

# %% tags=["answer"]
why = "a map holds shadow entries, not addresses. Both addresses go through the same entry."
guess_ways.compare(len(machine.rmap.sptes(machine.memory.frames[gfn])), why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The second access faulted as well, but this time the host made only the link in the directory. The shadow page below
# already existed, and so did the spte. **A reverse map leads from a frame to shadow entries**, which are places in
# the host's own memory. This is exactly what the host needs, because it clears W in entries, not at addresses. All
# addresses that go through the entry lose write access at once, and the host never has to know them. (To find the
# addresses, the host would have to climb every path above the entry.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# One function breaks the rule *remove, then clear*. Take a page that user code may only read, with CR0.WP clear:
#
# - when the *kernel writes*, the spte gets W and loses U, and the map is updated
# - when the *program reads*, the spte gets U and loses W, and **the map is not updated**
# -->
# ## A real bug: the map that was not updated
#
# One function in Linux 2.6.22 breaks the rule *first remove the entry from its map*.
#
# x86 processors have a control bit, CR0.WP. If it is set, a read-only page is read-only for the kernel, too. If it is
# clear, the kernel may write to read-only pages, as on the 386. Some guests run with WP clear. Now take a page that
# user code may only read. The kernel must be able to write to it and the program must not, and no single spte can
# express both. KVM's solution has two halves. When the *kernel writes*, the spte gets W and loses U. When the
# *program reads* after that, the spte gets U and loses W. So the spte switches between the two states, one fault at a
# time.
#
# The first half updates the reverse map. The second half, `fix_read_pf` (`mmu.c:1009-1024`), is a few lines long and
# changes only the spte. Here is a guest in which you can see it. At `0x1000` it has a page that user code may only
# read; later it will use the same frame as the page table for `0x40000000`. First it clears WP (`True` means that the
# processor accepts the new CR0).

# %%
old = Builder()
gfn = old.map(0x1000, flags=PRESENT | USER)
old.map(0x40000000)
old.vm.poke(old.entry_gpa(0x40000000, 2), gfn << 12 | PRESENT | WRITABLE)  # the same frame is the page table there
machine = old.start()
machine.load_cr0(machine.cpu.cr0 & ~CR0_WP)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The kernel writes to the page, then the program reads it. First the spte gets W, loses U and is added to the map.
# Near the end it gets U and loses W, but no step removes it from the map.
# -->
# One film shows both halves: the kernel writes a value to the page (the value happens to be a page-table entry), then
# the program reads the page. Look for two steps. In the first, the spte loses U because the kernel writes; right
# after that, the entry is added to the reverse map. In the second, near the end, the spte gets U back and loses W,
# but no step removes it from the reverse map.

# %%
entry = old.frame() << 12 | PRESENT | WRITABLE
both = watch(lambda: [machine.access(0x1000, write=True, value=entry, size=8), machine.access(0x1000, user=True)], machine)
both

# %% [markdown] slideshow={"slide_type": "subslide"}
# So the map still contains an entry without W, as the text below the picture shows. You produced a similar state by
# hand earlier in this lesson.

# %%
who_maps(machine, gfn)

# %% [markdown] slideshow={"slide_type": "subslide"}
# For the moment everything works, and it may work for hours, until the guest's kernel uses that frame as a page
# table:

# %%
watch(lambda: machine.access(0x40000000), machine, [0x1000])

# %% [markdown] slideshow={"slide_type": "fragment"}
# <!-- slide:
# The guest did nothing forbidden, and yet its *host* crashes. It crashes in `rmap_write_protect`, which is correct;
# the mistake is in another function.
#
# **Every function that clears W in an entry has to remove the entry from the map first.**
# -->
# The guest did nothing forbidden, and yet the *host's* kernel crashes, and all other guests on that host stop with
# it. Notice also how far the cause is from the effect: the host crashes in `rmap_write_protect`, which is correct.
# The mistake is in another function, which knows nothing about reverse maps. Every function that clears W in an entry
# has to remove the entry from the map first.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - Map the frame five times, then remove the first four mappings one by one. Which entry fills the hole?
# - Can you make a map of two entries that uses two descriptors?
# - Map it twice, press *Make it a page table*, and map it once more.
# -->
# ## Your turn
#
# Here is the lab with its form. Choose what you expect, press a button, and compare. Three things to try:
#
# - Map the frame five times, then remove the first four mappings one by one. Can you predict each time which entry
#   fills the hole?
# - Can you make a map of two entries that uses two descriptors?
# - Map the frame twice, press *Make it a page table*, and map it once more. Which entries are in the map?

# %% tags=["try-it"]
rmap_lab()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - *Through which shadow entries can this frame be written?* **Present and writable** entries are recorded.
# - **A map is empty, one entry, or a list of descriptors of four.**
# - The **last entry of the same descriptor** fills a hole.
# - **Remove from the map, then clear.**
# -->
# ## What you saw
#
# - A reverse map answers one question: *through which shadow entries can this frame be written?* So it records the
#   entries that are **present and writable**, and no others.
# - It has three forms: **empty**; **one entry, kept directly**; **several entries, in descriptors of four places**. A
#   new entry goes into the first descriptor with room, or else into a new one at the end of the list.
# - The **last entry of the same descriptor** fills a hole. An empty descriptor is unlinked. A map that has shrunk to
#   one entry keeps its descriptor.
# - **First remove an entry from its map, then clear it**: the map is found through the content of the entry.
#
# Now write it yourself: [exercise 04: rmap_add](../exercises/04_rmap_add/README.md), and then [exercise 05:
# rmap_remove](../exercises/05_rmap_remove/README.md). [Lesson 7](07_write_protection.ipynb) shows what the map is
# for.
