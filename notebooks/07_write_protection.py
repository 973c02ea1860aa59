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
# [← Lesson 6: Reverse maps](06_reverse_maps.ipynb) ·
# [Lesson 9: Before the bytes change →](09_pre_write.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# > **A frame that is shadowed as a page table has no writable mapping.**
#
# - how the host makes this true
# - what happens when the guest maps the frame later
# - what a store to a page table causes
# -->
# # Lesson 7: Write protection
#
# In lesson 0 the guest's page table changed without the host noticing, and the shadow became stale: the program still
# reached a frame that no longer belonged to it. To notice every such change, the host follows one rule:
#
# > **A frame that is shadowed as a page table has no writable mapping.**
#
# While the rule holds, the guest cannot change such a frame behind the host's back, and the host can zap the right
# shadow entries in time. After this lesson you can explain
#
# - how the host makes the rule true when a frame *becomes* a page table;
# - what happens when the guest maps the frame *later*;
# - what a store to a page table costs, and what it causes before a single byte changes;
# - what the host does between the trap and the store;
# - what happens if the guest has a second processor.
#
# Run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*

# %% [markdown] slideshow={"slide_type": "notes"}
# This lesson builds on reverse maps (lesson 6). It is about the moment when the light of a frame turns red, and about
# what happens when the guest writes to a red frame. Ask what the light means before you begin.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Green: a page table that is not used yet
#
# Imagine a traffic light at each frame. *Green* means data: the guest may write if its page tables allow it. *Red* means
# a page table that is shadowed.
#
# The guest is the same as in lesson 0. Its kernel has prepared a page table for the program's heap and writes to it
# in the usual way, through its mapping of all memory. No shadow page has been made from this table so far. To the
# host it is a frame like any other, so the write goes through the shadow and does not involve the host.
#
# In the picture, that frame is on the right (`gfn 0x61c9`). Its reverse map has one entry, in which W is set.

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import entry_of, hierarchy, neighbour, rmap_lab, watch, write_lab
from kvmmmu_lab.lessons import lesson_07 as lesson

guest, heap = open_guest("lin64_A"), 0x343C6000
vm = guest.vm()
entry = entry_of(vm, heap)
vm.access(entry.kernel_gva, write=True)
hierarchy(vm, entry.kernel_gva)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The light turns red
#
# Now the program accesses the first page of its heap. To handle that fault, the host has to shadow the page table in
# `gfn 0x61c9`. So the rule applies to that frame, and the host has to do something about `#248:457`, through which the
# guest's kernel can write it. After that, the kernel will read its page table at this address, and then write to it.

# %% tags=["question"]
guess_kernels_entry = lesson.kernels_entry(vm, entry)
guess_kernels_entry

# %%
watch(lambda: vm.access(heap, user=True), vm, [heap, entry.kernel_gva])

# %%
vm.access(entry.kernel_gva)

# %% tags=["answer"]
guess_kernels_entry.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## More than one entry
#
# Now take the small guest of the lab and map its frame six times. All six entries are in the reverse map, in two
# descriptors. Then the guest uses the frame as a page table. How many times will the host flush the TLB?

# %%
lab = rmap_lab()
for _ in range(6):
    lab.map()

# %% tags=["question"]
guess_flushes = lesson.flushes(lab)
guess_flushes

# %% [markdown] slideshow={"slide_type": "subslide"}
# The film shows all entries that point to the frame. The frame's own box gives the colour of the light in words:
# *data page* is green and *write-protected table* is red.

# %%
lab.protect().film

# %% tags=["answer"]
guess_flushes.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The seventh mapping
#
# The host emptied the reverse map at that moment. What about a mapping that the guest makes *later*? Here the guest
# maps the same frame a seventh time, with all rights, and writes one byte through it.

# %% tags=["question"]
guess_seventh = lesson.seventh(lab)
guess_seventh

# %%
film = lab.map().film
film

# %% tags=["answer"]
guess_seventh.reveal(film)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Does the rule hold?
#
# A rule about all frames can be checked on all frames. The next cell lets the real guest access two thousand pages.
# Then it checks, for each guest table that is shadowed, whether its reverse map has any entries.

# %%
for gva in guest.tlb_gva[:2000]:
    vm.access(int(gva))
tables = {page.gfn for page in vm.pool.active if not page.metaphysical}
writable = [gfn for gfn in tables if vm.rmap.sptes(vm.memory.frames[gfn])]
f"{len(tables)} tables are shadowed. {len(writable)} of them can be written. {len(vm.rmap.frames())} other frames can."

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# 1. **Trap:** the shadow does not allow the write.
# 2. **Whose fault?** The guest's tables allow the write.
# 3. **Why not here?** The frame is a shadowed page table.
# 4. **Before the write:** sptes made from these bytes are zapped.
# 5. **Emulate** the store.
# 6. **Continue** after the instruction.
# -->
# ## What happens at a red light
#
# The guest's kernel changes its page tables all the time, and it does not know that they are write-protected. So
# such a store goes through a procedure called *trap and emulate*:
#
# 1. **Trap.** The shadow does not allow the write: the processor faults. The guest stops in the middle of its instruction.
# 2. **Whose fault?** The host walks the guest's tables. They allow the write, so the guest must never see this fault.
# 3. **Why not here?** The frame is a page table that is shadowed.
# 4. **Before the write:** which shadow entries were made from the bytes that are about to change? The host zaps them.
# 5. **Emulate.** The host itself performs the store, in the guest's memory and with the guest's value.
# 6. **Continue.** The guest continues *after* its instruction, as if the processor had executed it.
#
# Here the kernel moves the heap page to an adjacent frame (`entry.moved`). Find these six points in the film. (The film
# has more steps. In one of them the host reads the guest's tables a second time, to find out which gpa to write.)

# %%
store = {"write": True, "value": entry.moved, "size": 8}
trap = watch(lambda: vm.access(entry.kernel_gva, **store), vm, [heap])
trap

# %% [markdown] slideshow={"slide_type": "subslide"}
# All this takes thousands of cycles. And a kernel that forks a process fills whole page tables, with 512 stores in a row.
# So the host counts the stores in a row to one frame. At the third it decides that the frame cannot be a page table in
# use, and drops the shadow of the table: the light turns green again.
#
# The kernel changes the same entry four more times in a row, to and fro. So there are five stores, with the one in the
# film.

# %% tags=["question"]
guess_five_stores = lesson.five_stores(vm)
guess_five_stores

# %%
values = [entry.value, entry.moved, entry.value, entry.moved]
stores = [trap.result, *[vm.access(entry.kernel_gva, write=True, value=value, size=8) for value in values]]
stores

# %% tags=["answer"]
guess_five_stores.reveal(stores)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Between the trap and the store
#
# Here is a new VM of the same guest, and the first store once more.

# %%
other = guest.vm()
other.access(heap, user=True)
outcome = other.access(entry.kernel_gva, **store)
outcome.outcome, other.peek(entry.gpa) == entry.moved

# %% [markdown] slideshow={"slide_type": "fragment"}
# `emul` means emulated. The value is in the guest's memory, correct to the last bit. You may read that the guest cannot
# change a page table that is read-only. But write protection *stops nothing*. It makes the write **visible**: the store
# is still performed, but by the host, at a time that the host chooses.
#
# What if the host does nothing between the trap and the store? The function `pre_write` is step 4, and for an
# experiment we can give a VM another function in its place. Ours does nothing: in the film the search for shadow
# entries (`kvm_mmu_pre_write`) is announced as before, and the next step is already the store. The guest's
# kernel makes the very same store. Then the program reads its page, writes to it, and reads it once more after the
# guest's kernel has loaded its CR3 again (as a kernel does to flush the TLB).

# %%
idle = guest.vm(pre_write=lambda vm, gpa, size: None)
idle.access(heap, user=True)

# %% tags=["question"]
guess_trapped_only = lesson.trapped_only(idle, entry)
guess_trapped_only

# %%
trapped = watch(lambda: idle.access(entry.kernel_gva, **store), idle, [heap])
trapped

# %%
read, written = idle.access(heap, user=True), idle.access(heap, user=True, write=True)
idle.load_cr3(idle.cpu.cr3)
reached = [read, written, idle.access(heap, user=True)]
reached

# %% tags=["answer"]
guess_trapped_only.reveal(reached)

# %%
hierarchy(idle, heap)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A fault in the same table
#
# The table of the next guest was changed with `poke`, without the host noticing. Now the program accesses the page
# *after* the first heap page, for the first time. Its guest entry is beside the changed one, in the same page table.
# The access faults, and the host walks the guest's tables down to this very table. Then the program accesses the first
# heap page.

# %%
unseen = guest.vm()
unseen.access(heap, user=True)
unseen.poke(entry.gpa, entry.moved)

# %% tags=["question"]
guess_next_fault = lesson.next_fault(unseen, entry)
guess_next_fault

# %%
beside, first = unseen.access(heap + 0x1000, user=True), unseen.access(heap, user=True)
beside, first

# %% tags=["answer"]
guess_next_fault.reveal(first)

# %%
[step.words for step in trap.steps if {"zap", "guest"} & {*step.tags}]

# %% [markdown] slideshow={"slide_type": "fragment"}
# The next cell compares the three guests. For each it shows how many entries were zapped, and which address the
# program reaches after the change.

# %%
[(machine.stats.entries_zapped, hex(machine.access(heap, user=True).gpa)) for machine in (other, idle, unseen)]

# %% tags=["answer"]
lesson.THREE_GUESTS

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# With *one* processor, the guest does not run while the host works. `neighbour` gives the guest a second processor,
# with a TLB of its own, which writes at `0x1000` all the time.
#
# The frame becomes a page table. Then the neighbour stores zero in it.
# -->
# ## A second processor
#
# So far the guest was stopped while the host worked: in 2.6.22 it has only *one* processor. For an experiment,
# `neighbour` gives it a second one, with a TLB of its own.
#
# - The *first* processor accesses `0x40000000` and faults. To handle the fault, the host makes the frame at `0x1000` a
#   page table, as in the films above. A flush empties the TLBs of both processors.
# - Meanwhile the *neighbour* writes at `0x1000`, again and again.
# - When the fault has been handled, the neighbour overwrites the entry in the page table with zero.

# %%
pair = rmap_lab()
pair.map()
neighbour(pair.machine, 0x1000)

# %% tags=["question"]
guess_neighbours_store = lesson.neighbours_store(pair)
guess_neighbours_store

# %%
pair.protect().film

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now the neighbour stores. (From here on, `machine.access` is an access by the neighbour, with the neighbour's TLB.)

# %%
machine = pair.machine
last = machine.access(0x1000, write=True, value=0, size=8)
last

# %% tags=["answer"]
guess_neighbours_store.reveal(last)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Here are both tables:

# %%
hierarchy(machine, 0x40000000)

# %% tags=["answer"] slideshow={"slide_type": "slide"}
lesson.THREE_STEPS

# %%
machine.flush_tlb()
machine.access(0x1000, write=True, value=0, size=8)

# %% tags=["answer"]
lesson.SECOND_TRY

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - Choose a table that is *not shadowed*. Does the host notice your write?
# - Write to a table. Watch its light.
# -->
# ## Your turn
#
# Here is a guest with several page tables, and you are its kernel. Choose a table and an entry, predict which shadow
# entries will die, and write. Two things to try:
#
# - Choose a table that is *not shadowed*. Does the host notice your write?
# - Write to a table, and watch its light.

# %% tags=["try-it"]
write_lab()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you saw

# %% tags=["answer"]
lesson.SUMMARY

# %% [markdown]
# <!-- slide: -->
# Now write it yourself: [exercise 06: rmap_write_protect](../exercises/06_rmap_write_protect/README.md). If you have
# not written the reverse map yet, do [exercise 04](../exercises/04_rmap_add/README.md) and [exercise
# 05](../exercises/05_rmap_remove/README.md) first.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 6: Reverse maps](06_reverse_maps.ipynb) ·
# [Lesson 9: Before the bytes change →](09_pre_write.ipynb)
