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
# Tables lead one way: from an address to a frame. The **reverse map** leads back: *through which shadow entries can
# this frame be written?*
#
# - what is noted, and what isn't
# - what a map looks like after additions and removals
# - why an entry leaves its map *before* it is cleared
# -->
# # Lesson 6: Reverse maps
#
# Tables lead one way: from an address to a frame. In lesson 0 you met a question that goes the other way. A frame of
# guest memory becomes a page table, the host begins to shadow it, and from that moment on nobody may write it
# unnoticed. So the host has to find every shadow entry that allows writing to this one frame. *Which are they?*
#
# It could look at all of them. There are 256 shadow pages with 512 entries each: 131,072 places to look at, and that
# for each page table which the guest begins to use. Or it could keep a note for each frame, and have the answer at
# once. This note is the **reverse map** of the frame, `rmap` for short.
#
# After this lesson you can say
#
# - what is noted in a reverse map, and what isn't;
# - what a map looks like after any row of additions and removals, place by place;
# - why an entry has to leave the map *before* its bits are cleared, and what happens to the host if it doesn't.
#
# As in lesson 0: run the cells from top to bottom, each once. To begin anew, choose *Kernel > Restart Kernel...*

# %% [markdown] slideshow={"slide_type": "notes"}
# *For whoever teaches this:* it takes about half an hour. There are six questions; let everybody commit to an answer
# before the cell after the question runs.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One access, one note
#
# The guest is that of lesson 0, and so is the address: the first page of the program's heap. The program is about to
# *read* one byte there; it doesn't write. Will the host note the shadow entry as one through which the frame can be
# written?

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import Builder, predict, reverse_map, rmap_lab, watch, who_maps
from kvmmmu_lab.mmu.bits import CR0_WP, PRESENT, USER, WRITABLE

guest, heap = open_guest("lin64_A"), 0x343C6000
vm = guest.vm()
guess_read = predict("The program only reads. Is anything in the frame's reverse map afterwards?", ["no", "yes"])
guess_read

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The purple dashed line that appears at the end is the **reverse map**: it runs backwards, from the frame to the
# spte.
# -->
# Step through to the end. The purple dashed line that appears is the reverse map: it runs backwards, from the frame
# to the spte. (To see just that step, choose *a reverse map changes* under *Stop where*.)

# %%
read = watch(lambda: vm.access(heap, user=True), vm, [heap])
read

# %%
noted = vm.rmap.sptes(vm.memory.frames[read.result.gpa >> 12])
why = "the guest allows writing here, so the spte got its W, and the next write would come without any fault."
guess_read.compare("yes" if noted else "no", why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# That is the first half of the rule. A reverse map is no diary of what the guest did. It lists the entries through
# which the processor *could* write right now, without asking anybody. What was used for what doesn't matter. (When
# does an spte get its W? The guest's entry and all above it have to allow writing, and the guest's D has to be set.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A second way to the same frame
#
# Linux maps all of memory once more for its own use, in a place of its own. There the kernel reaches the same byte,
# through other tables and so through another spte. It reads, once. Watch the frame at the right: its map has two
# entries now, and two dashed lines lead back.

# %%
kernel = 0xFFFF888000000000 + read.result.gpa
second = watch(lambda: vm.access(kernel), vm, [heap, kernel])
second

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now the same thing seen from the frame. In the middle stands the map as the host keeps it in its memory: a piece of
# memory with four places, two of them taken. In each place is the **name of a shadow entry**: `#248:454` is entry 454
# of shadow page 248.
#
# The frame has two numbers. The guest knows it by its gfn; the host keeps guest memory somewhere in its own, where the
# frame's number is the **hfn**, host frame number. `vm.memory.frames[gfn]` goes from one to the other. An spte holds
# the hfn, since the processor needs to know where the frame truly is, and so the host keeps its reverse maps by hfn,
# too. Pictures show the gfn, so that you can compare both sides.

# %%
reverse_map(vm, read.result.gpa >> 12)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# A small guest with one frame, which is mapped again and again.
#
# At first the map of the frame is **empty**. After one mapping the entry is **kept directly**: its place fits into
# the one word that each frame has.
# -->
# ## The three forms of a map
#
# Let us take a smaller guest, made for nothing but this: `rmap_lab()` has one frame, and you can map it again and
# again, each time through another entry of one page table. (The lab also has buttons and a form. You find it at the
# end of this lesson; here we call its methods, so that everybody sees the same.)
#
# At first the map of the frame is **empty**. Watch what the first mapping makes of it. The film begins with the
# guest's store into its page table (three steps; they are the matter of lesson 9), then the guest uses the new
# mapping, and it faults. After the fault the map has one entry, and that entry is **kept directly**: the host has one
# word for each frame, and the entry's place in memory fits into it. Most frames are mapped once, so most maps cost
# nothing more.

# %%
lab = rmap_lab()
lab.map().film

# %% [markdown] slideshow={"slide_type": "subslide"}
# A second mapping doesn't fit into one word. So the host takes a **descriptor**: a small piece of memory with places
# for four entries, and a link to one more descriptor. Both entries move in, the old one first. (Line 327 and the
# following of `mmu.c`, if you have them.)

# %%
lab.map().film

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What isn't noted
#
# A third mapping, but now the guest's entry has no W: the frame can be read through it, not written. The guest reads
# there, and the spte is made. How many entries are in the map then?

# %%
guess_count = predict("Two entries so far, and a read-only mapping comes. Entries in the map?", [1, 2, 3])
guess_count

# %%
lab.map(read_only=True).film

# %%
count = sum(len(row) for row in lab.places())
why = "an entry is noted if it is present AND writable. Through this one nobody can write, so nobody has to find it."
guess_count.compare(count, why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Present and writable, both.** Why only these? Because of the one question that the map is there to answer. When
# the frame becomes a page table, the host takes the W from every entry in the map. An entry that isn't present stops
# the processor anyhow, and one without W has nothing that could be taken. Read-only pages (program code, the C
# library) are shared by everybody: noting them would make long maps that nobody ever asks.
#
# `who_maps` finds all entries, by looking at each entry there is, and so shows the third one, too. Only the first two
# have a dashed line. Keep this picture in mind: *the reverse map is not the list of all that lead to a frame.*

# %%
who_maps(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Full, and one more
#
# Two more writable mappings fill the descriptor. Where will the next one go? Think, then step to where the map
# changes.

# %%
lab.map(), lab.map()
lab.map().film

# %% [markdown] slideshow={"slide_type": "fragment"}
# The new entry goes to the **first descriptor with a free place**. There was none, so the host took a **new
# descriptor and put it at the end** of the row. One more mapping, and there are six entries in the map: four and two.

# %%
lab.map()
reverse_map(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Who fills the hole?
#
# The guest unmaps the second of the six: `#248:2` has to leave the map. A row of places with a hole in it would be
# awkward: the host finds the end of a descriptor by looking for its first empty place. So something has to move. What
# will the map look like, place by place? (A bar stands between the descriptors.)

# %%
orders = ["#248:1 #248:4 #248:5 #248:6 | #248:7", "#248:1 #248:7 #248:4 #248:5 | #248:6"]
orders += ["#248:1 #248:5 #248:4 | #248:6 #248:7", "#248:1 #248:4 #248:5 | #248:6 #248:7"]
guess_order = predict("Without #248:2, the map will be", orders)
guess_order

# %%
lab.unmap(1).film

# %%
now = " | ".join(" ".join(row) for row in lab.places())
why = "the last entry of the SAME descriptor fills the hole. Nobody else moves: the map is a set, its order means nothing."
guess_order.compare(now, why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Each of the other answers would be a map that works. The first two move entries from one descriptor to another,
# which means more memory to touch, and the fourth moves two entries where one is enough. One may well expect that the
# very last entry of the whole map fills the hole. It doesn't: the host is standing in one descriptor, and looks no
# further. So a descriptor in the middle of the row can have room. The next entry goes there:

# %%
lab.map()
reverse_map(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "notes"}
# The new mapping uses the address that was freed, so its shadow entry is `#248:2` again. It is at another place in
# the map than before: the last of the first descriptor, while the second has room as well.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A descriptor runs empty
#
# Now three of the first four entries go, and then the last of them. Step through this last one: its descriptor is
# empty then, and an empty descriptor is **unhooked and given back**. The second descriptor takes its place at the
# head of the row.

# %%
for gva in (0x1000, 0x5000, 0x4000):
    lab.unmap(lab.mapped.index(gva))
lab.unmap(lab.mapped.index(0x2000)).film

# %% [markdown] slideshow={"slide_type": "subslide"}
# Two entries are left, in one descriptor. One of them goes. Then the map has a single entry, as it had after the very
# first mapping. Will it be kept as it was kept then, directly?

# %%
guess_form = predict("How will the one entry that is left be kept?", ["directly", "in its descriptor"])
guess_form

# %%
lab.unmap(lab.mapped.index(0x6000)).film

# %%
form = "directly" if isinstance(lab.machine.rmap.heads[lab.hfn], int) else "in its descriptor"
why = "a descriptor goes when its last entry goes, not before. Nobody turns a map of one entry back into the direct form."
guess_form.compare(form, why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# So what you see of a map depends on its history. One entry may be kept directly or in a descriptor, and both mean
# the same. If you write your own reverse map in the exercises, the checker first asks whether it holds the right
# *entries*, and only then whether it has the kernel's *form*.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## First out of the map, then cleared
#
# In each film of an unmapping, the steps came in this order: *the reverse map forgets the entry*, and then *the entry
# is emptied*. It looks like a matter of taste. Let us do it the other way round, by hand, on a new guest with one
# mapping: first clear the bits, then have the entry removed.

# %%
lab = rmap_lab()
lab.map()
spte = lab.machine.rmap.sptes(lab.hfn)[0]
lab.machine.memory.words[spte] = 0
lab.machine.rmap.remove(spte)
reverse_map(lab.machine, lab.gfn)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The entry is empty, and the map still names it. `remove` did nothing at all! Who removes an entry has only the entry
# in hand, and asks *it*: are you present and writable (else you are in no map), and which frame do you lead to (else
# I don't know in which map to look)? A cleared entry answers: I am nothing, and I lead nowhere. **A map is found by
# what the entry says, so the entry has to leave the map while it still says it.** The same holds for clearing only
# the W.
#
# Does it matter? The entry is empty; nobody can write through it. What will happen when the frame becomes a page
# table, and the host calls up everybody in the map?

# %%
ends = ["nothing: an empty entry does no harm", "another entry loses its W", "the host dies"]
guess_end = predict("The map names an empty entry, and the frame becomes a page table.", ends)
guess_end

# %%
end = lab.protect()
end.film

# %%
happened = ends[2] if lab.machine.dead else ends[0]
why = "whoever is in the map has to be writable and to lead to this frame. The host relies on it, checks it, and gives up."
guess_end.compare(happened, why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The check (`mmu.c:430-433`) is a kindness. Entries are reused: a little later the same entry leads to another frame,
# and a host that doesn't look would take the W from an innocent one. A machine that stops is better than one that
# goes on with wrong tables.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A wrong idea: "from the frame back to the addresses"
#
# One often reads it like this: *the page tables translate gva to gfn, and the reverse map translates gfn back to
# gva.* It sounds like the mirror image, and it is wrong. Here is a guest in which it would matter: two entries of its
# page directory lead to the *same* page table. So one page has two addresses, `0x1000` and `0x201000`, and the
# program writes through both.

# %%
twin = Builder()
gfn = twin.map(0x1000)
twin.vm.poke(twin.entry_gpa(0x201000, 2), twin.vm.peek(twin.entry_gpa(0x1000, 2)))
machine = twin.start()
guess_ways = predict("Two addresses can write the frame. Entries in its reverse map?", [0, 1, 2])
guess_ways

# %%
watch(lambda: [machine.access(0x1000, write=True), machine.access(0x201000, write=True)], machine, [0x1000, 0x201000])

# %%
why = "a map names shadow entries, not addresses. Both addresses lead through one and the same entry."
guess_ways.compare(len(machine.rmap.sptes(machine.memory.frames[gfn])), why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The second access faulted as well, but all it made was a link from the directory: the shadow page below was there
# already, and with it the spte. **A reverse map leads from a frame to shadow entries**, that is to places in the
# host's own memory. That is just what the host needs: to take a W away it needs the entry. Whatever addresses lead
# through the entry are cut off all at once, and the host never has to know them. (Nor could it go from the map's
# answer to all the addresses without climbing every path above the entry.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# *Out of the map first* was broken in one place. A page that user code may only read, with CR0.WP clear:
#
# - the *kernel writes*: the spte gets W and loses U, and the map is told
# - the *program reads*: it gets U and loses W, and **the map isn't told**
# -->
# ## A real bug: the map that wasn't told
#
# The rule *out of the map first* was broken in one place of Linux 2.6.22, and it went like this.
#
# A processor has a bit CR0.WP. While it is set, a read-only page is read-only for everybody. While it is clear, the
# kernel may write to read-only pages all the same, as on the 386. Some guests run with WP clear. Now take a page that
# user code may only read. The kernel must be able to write it and the program must not, and no single spte can say
# both. KVM's way out: when the *kernel writes*, the spte gets W and loses U. When the *program reads* after that, it
# gets U and loses W. So it tips over from one side to the other, a fault at a time.
#
# The first half tells the reverse map. The second half, `fix_read_pf` (`mmu.c:1009-1024`), is a few lines long, and
# just clears the W. Here is a guest to see it in. It has a page that user code may only read, at `0x1000`; and at
# `0x40000000` it will one day use the same frame as a page table. Then it clears WP (`True`: the processor takes the
# new CR0).

# %%
old = Builder()
gfn = old.map(0x1000, flags=PRESENT | USER)
old.map(0x40000000)
old.vm.poke(old.entry_gpa(0x40000000, 2), gfn << 12 | PRESENT | WRITABLE)  # this frame as the page table there
machine = old.start()
machine.load_cr0(machine.cpu.cr0 & ~CR0_WP)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The kernel writes into the page, then the program reads. Look for *loses U while the kernel writes*, then *gets user
# access back, and loses W*. No step about the reverse map comes before that.
# -->
# Both halves in one film: the kernel writes something into the page (an entry, as it happens), then the program
# reads. Look for two steps: *loses U while the kernel writes*, after which the reverse map notes the entry; and, near
# the end, *gets user access back, and loses W*. No step about the reverse map comes before that.

# %%
entry = old.frame() << 12 | PRESENT | WRITABLE
both = watch(lambda: [machine.access(0x1000, write=True, value=entry, size=8), machine.access(0x1000, user=True)], machine)
both

# %% [markdown] slideshow={"slide_type": "subslide"}
# And so the map still names an entry that can't write: the picture says it at the bottom. You have seen such a state
# before, made by hand.

# %%
who_maps(machine, gfn)

# %% [markdown] slideshow={"slide_type": "subslide"}
# For the moment all is well, and it may stay so for hours. Until the guest's kernel uses that frame as a page table:

# %%
watch(lambda: machine.access(0x40000000), machine, [0x1000])

# %% [markdown] slideshow={"slide_type": "fragment"}
# <!-- slide:
# The guest did nothing that is forbidden, and its *host* stops. The crash is in `rmap_write_protect`, an honest
# function; the mistake was made elsewhere.
#
# **Whoever takes the W from an entry has to take it out of the map first.**
# -->
# Note who pays. The guest did nothing that is forbidden, and yet it isn't the guest's kernel that stops: it is the
# host's, on which other guests may depend. And note how far the cause is from the effect: the crash is in
# `rmap_write_protect`, an honest function, and the mistake was made somewhere else, by a function that doesn't know
# that there are reverse maps. Whoever takes the W from an entry has to take it out of the map first. *Whoever.*

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - Map the frame five times, then take the first four mappings away one by one. Who fills the hole?
# - Can you make a map of two entries that takes two descriptors?
# - Map it twice, *Make it a page table*, map it once more.
# -->
# ## Your turn
#
# Here is the lab with its form. Choose what you expect, press a button, and see. Three things to try:
#
# - Map the frame five times, then take the first four mappings away one by one. Can you tell each time who fills the
#   hole?
# - Can you make a map of two entries that takes two descriptors?
# - Map the frame twice, press *Make it a page table*, and map it once more. Who is in the map?

# %% tags=["try-it"]
rmap_lab()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - *Through which shadow entries can this frame be written?* **Present and writable** ones are noted.
# - **Nothing; one, kept directly; many, in descriptors of four.**
# - The **last entry of the same descriptor** fills a hole.
# - **Out of the map first, then clear.**
# -->
# ## What you saw
#
# - A reverse map answers one question: *through which shadow entries can this frame be written?* So it notes entries
#   that are **present and writable**, and no others.
# - Its forms: **nothing**; **one entry, kept directly**; **many, in descriptors of four places**. A new entry goes to
#   the first descriptor with room, else to a new one at the end.
# - The **last entry of the same descriptor** fills a hole. An emptied descriptor is unhooked; a map that has shrunk
#   to one entry keeps its descriptor.
# - **Out of the map first, then clear**: the map is found by what the entry says.
#
# Now write it yourself: [exercise 04: rmap_add](../exercises/04_rmap_add/README.md), and then [exercise 05:
# rmap_remove](../exercises/05_rmap_remove/README.md). What the map is good for is the matter of [lesson
# 7](07_write_protection.ipynb).
