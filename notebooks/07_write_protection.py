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
# [Lesson 8: Parents and zapping →](08_parents.ipynb)

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
# reached a frame that no longer belonged to it. *How does the host notice every write to a page table?*
#
# It follows one rule:
#
# > **A frame that is shadowed as a page table has no writable mapping.**
#
# While the rule holds, the guest cannot change such a frame unnoticed, and the host can zap (clear) the right shadow
# entries in time.
#
# After this lesson you can
#
# - say how the host keeps the rule when a frame *becomes* a page table, and when the guest maps the frame *later*;
# - predict how many faults a store to a page table causes, and who performs the store;
# - say what the host does between the trap and the store, and what happens if it does nothing;
# - say in which order the host must clear W and flush the TLB, and why a second processor makes this important.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes 35 minutes and builds on reverse maps (lesson 6). There are six predictions and four
# check questions. After *The picture so far*, ask what a red light means. If time is short, leave out the second
# processor.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## New in the picture: a red light at the frame of a page table -->
# ## The picture so far
#
# Imagine a traffic light at each frame. *Green* means data: the guest may write to the frame if its page tables allow it.
# *Red* means that the frame contains a page table that is shadowed. In the picture, the frame at the top right contains
# a page table of the guest, and its light is red.

# %% tags=["hide-input"]
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import course_picture, entry_of, hierarchy, neighbour, rmap_lab, watch, write_lab
from kvmmmu_lab.lessons import lesson_07 as lesson

course_picture(7)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Green: a page table that is not used yet can be written -->
# ## Green: a page table that is not used yet
#
# The guest is the same as in lesson 0. Its kernel has prepared a page table for the program's heap, and writes to it in
# the usual way, through its mapping of all memory. So far, the table has no shadow page. To the host, its frame is a
# frame like any other: the first write faults, because the spte is missing. At all later writes, the processor finds
# the spte, and the host does not run. (The write here stores the byte that is already there.)
#
# In the picture, the table's frame is on the right (`gfn 0x61c9`). Its reverse map has one entry, in which W is set.

# %% tags=["hide-input"]
guest, heap = open_guest("lin64_A"), 0x343C6000
vm = guest.vm()
entry = entry_of(vm, heap)
vm.access(entry.kernel_gva, write=True)
hierarchy(vm, entry.kernel_gva)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: the table is shadowed
#
# The program accesses its heap, so the host shadows the page table in `gfn 0x61c9`. After that the kernel reads its
# page table, and then writes to it.
# -->
# ## The light turns red
#
# Now the program accesses the first page of its heap. To handle this fault, the host has to shadow the page table in
# `gfn 0x61c9`. From now on, the rule applies to this frame. But through `#248:457` the guest's kernel can still write to
# the frame, so the host has to do something about this entry. (The function for this is `rmap_write_protect`,
# `mmu.c:411-439`.) After the fault, the kernel reads its page table through its own mapping again, and then writes to it.

# %% tags=["question"]
guess_kernels_entry = lesson.kernels_entry(vm, entry)
guess_kernels_entry

# %% slideshow={"title": "The light turns red: the entry loses W"}
watch(lambda: vm.access(heap, user=True), vm, [heap, entry.kernel_gva])

# %% slideshow={"title": "A read does not fault, a write does"} tags=["hide-input"]
vm.access(entry.kernel_gva)

# %% tags=["answer"]
guess_kernels_entry.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: several entries lead to the frame
#
# The guest has mapped a frame several times, sometimes read-only. Now it uses this frame as a page table. How many
# times will the host flush the TLB?
# -->
# ## More than one entry
#
# Now take the small guest of lesson 6's lab. Its frame has several mappings, and some of them are read-only; `seed` decides
# how many. <!-- notebook -->Change it, run the cells again from here, and you get other numbers.<!-- /notebook --> The
# writable entries are in the reverse map, in two descriptors. Then the guest uses the frame as a page table. How many
# times does the host flush the TLB?

# %%
seed = 7
writable, read_only = lesson.mappings(seed)
lab = lesson.mapped(writable, read_only)
f"{writable} writable mappings and {read_only} read-only"

# %% tags=["question"]
guess_flushes = lesson.flushes(lab, read_only)
guess_flushes

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## Each entry leaves the map and loses W -->
# The film shows all entries that point to the frame. The box of the frame gives the colour of the light in words: *data
# page* is green, and *write-protected table* is red. While some entries still have W, the box says *writable table*.
# (The guest does not run again until the last entry has lost its W.)

# %%
lab.protect().film

# %% tags=["answer"]
guess_flushes.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## Watch it with another number of entries -->
# Change the number of mappings and watch again: try 1, 4 and 9. Two things are always the same: in each round, the host
# removes the entry in the first place of the first descriptor (or the only entry, if it is kept directly), and there
# are as many flushes as entries.

# %%
count = 4
lesson.mapped(count, 0).protect().film

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: one more mapping, made later
#
# The guest maps the same frame with all rights, and writes one byte through it.
# -->
# ## A later mapping
#
# In the guest `lab`, the light is red now, and the reverse map is empty. What about a mapping that the guest makes
# *later*? Here the guest maps the same frame once more, with all rights, and writes one byte through the new mapping.

# %% tags=["question"]
guess_later = lesson.later(lab)
guess_later

# %% slideshow={"title": "A later mapping never gets W"}
film = lab.map().film
film

# %% tags=["answer"]
guess_later.reveal(film)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The rule holds for all frames of a real guest -->
# ## Does the rule hold?
#
# Let us check the rule on all frames of the real guest. It accesses two thousand pages. Then we look at the reverse map of
# each guest table that is shadowed: does it have any entries? (As lesson 6 showed, the map contains every entry through
# which the frame can be written. *Metaphysical* shadow pages do not count: they have no guest table.)

# %%
for gva in guest.tlb_gva[:2000]:
    vm.access(int(gva))
tables = {page.gfn for page in vm.pool.active if not page.metaphysical}
writable = [gfn for gfn in tables if vm.rmap.sptes(vm.memory.frames[gfn])]
f"{len(tables)} tables are shadowed. {len(writable)} of them can be written. {len(vm.rmap.frames())} other frames can."

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## A store at a red light is trapped and emulated -->
# ## What happens at a red light
#
# The guest's kernel changes its page tables all the time, and does not know that they are write-protected. Its store to
# such a table is handled by *trap and emulate*, in six steps:
#
# 1. **Trap.** The shadow does not allow the write, so the processor faults in the middle of the guest's instruction.
# 2. **Whose fault?** The host walks the guest's tables. They allow the write, so the guest must never see this fault.
# 3. **Why did it fault?** The frame is a page table that is shadowed (`fix_write_pf`, `paging_tmpl.h:307`).
# 4. **Before the store:** which shadow entries were made from the bytes that are about to change? The host zaps them.
# 5. **Emulate.** The host itself performs the store, in the guest's memory and with the guest's value.
# 6. **Continue.** The guest continues *after* its instruction, as if the processor had executed it.
#
# Here the kernel changes the entry of the heap page so that it leads to an adjacent frame (`entry.moved`). Find the six
# steps in the film. (The film has more. For example, between steps 3 and 4 the host reads the guest's tables a second
# time, to find the gpa of the store.)

# %%
store = {"write": True, "value": entry.moved, "size": 8}
trap = watch(lambda: vm.access(entry.kernel_gva, **store), vm, [heap])
trap

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Predict: several stores in a row
#
# The host counts the stores in a row to one frame. At the third, it drops the shadow of the table: the light turns green.
# If the table is still in use, the next access through it makes the shadow again.
# -->
# All this takes thousands of cycles, and some kernels store to one table many times in a row. When Linux forks a process,
# for example, it takes W from each entry of the process's page tables: up to 512 stores to one table. So the host
# counts the stores in a row to one frame. At the third it drops the shadow of the table, and the light turns green
# again. (If the table is still in use, this costs only time: the next access through it faults, the host makes the
# shadow again, and the light is red again.)
#
# The store in the film was the first of several in a row. Now the kernel goes on, and changes the same entry back and
# forth between two values. Your seed decides how many stores there are, including the one in the film.

# %% tags=["hide-input"]
count = lesson.stores(seed)
count

# %% tags=["question"]
guess_row_of_stores = lesson.row_of_stores(vm, count)
guess_row_of_stores

# %% slideshow={"title": "The third store in a row turns the light green"} tags=["hide-input"]
values = [entry.value, entry.moved] * count
stores = [trap.result, *[vm.access(entry.kernel_gva, write=True, value=value, size=8) for value in values[: count - 1]]]
[(access.outcome, access.faults) for access in stores]

# %% tags=["answer"]
guess_row_of_stores.reveal(stores)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: nothing between the trap and the store
#
# `pre_write` is what the host does between the trap and the store. Ours does nothing.
# -->
# ## Between the trap and the store
#
# What if the host does nothing between the trap and the store? Step 4 is the function `pre_write`. For an experiment,
# we make a new VM, `idle`. In it, a function that does nothing takes the place of `pre_write`. The guest's kernel
# makes the same store as before. Then four things happen, in this order: the program reads its page; it writes to the
# page; the guest's kernel loads the same CR3 again, to flush the TLB; the program reads the page once more.

# %% tags=["hide-input"]
idle = guest.vm(pre_write=lambda vm, gpa, size: None)
idle.access(heap, user=True)

# %% tags=["question"]
guess_trapped_only = lesson.trapped_only(idle, entry)
guess_trapped_only

# %% [markdown]
# <!-- slide: -->
# The film shows the store. The step with `kvm_mmu_pre_write` is still there, since the host still makes the call. But
# our function does nothing, so no entry is zapped.

# %% slideshow={"title": "The store is trapped and performed, and nothing is corrected"}
trapped = watch(lambda: idle.access(entry.kernel_gva, **store), idle, [heap])
trapped

# %% slideshow={"title": "The program reaches the old frame, also after loading CR3"} tags=["hide-input"]
read, written = idle.access(heap, user=True), idle.access(heap, user=True, write=True)
idle.load_cr3(idle.cpu.cr3)
reached = [read, written, idle.access(heap, user=True)]
reached

# %% tags=["answer"]
guess_trapped_only.reveal(reached)

# %% slideshow={"title": "The shadow is stale, although the host noticed"} tags=["hide-input"]
hierarchy(idle, heap)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## "A protected page table cannot be changed" -->
# ## "A protected page table cannot be changed"
#
# *Read-only* and *write-protected* sound like a lock: the bytes of a red page table do not change. To test this, the
# kernel of a new guest, `usual`, makes its store, with the usual `pre_write`. Then we compare the bytes in the table with
# the value that was stored.

# %% slideshow={"title": "The store at the red light has changed the table"} tags=["hide-input"]
usual = guest.vm()
usual.access(heap, user=True)
outcome = usual.access(entry.kernel_gva, **store)
outcome.outcome, usual.peek(entry.gpa) == entry.moved

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## Does the next fault correct the shadow? -->
# A second claim is in the Stack Overflow answer of lesson 1: the hypervisor does not notice at once that a page table
# has changed, and corrects the shadow at the next page fault ([What exactly do shadow page tables (for VMMs)
# do?](https://stackoverflow.com/questions/9832140/what-exactly-do-shadow-page-tables-for-vmms-do), Stack Overflow,
# 2012). To test this, we use one more guest, `unseen`:
#
# 1. The program accesses heap page 1. Its guest entry leads to gfn `0x29af`.
# 2. `poke` changes this entry, and the host does not notice. The entry now leads to gfn `0x29ae`.
# 3. The program accesses heap page 2, whose guest entry is in the same page table. This access faults, and the host reads
#    the guest's tables down to this page table.
# 4. The program accesses heap page 1 again.

# %% slideshow={"title": "The fault did not correct the entry beside it"} tags=["hide-input"]
unseen = guest.vm()
unseen.access(heap, user=True)
unseen.poke(entry.gpa, entry.moved)
beside, first = unseen.access(heap + 0x1000, user=True), unseen.access(heap, user=True)
f"faults: {beside.faults} at heap page 2, {first.faults} at heap page 1, which reaches gfn {first.gpa >> 12:#x}"

# %% tags=["answer"]
lesson.NEXT_FAULT

# %% tags=["no-slide"]
[step.words for step in trap.steps if {"zap", "guest"} & {*step.tags}]

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## Three guests, one of them correct -->
# Now compare the guests `usual`, `idle` and `unseen`. How many entries were zapped in each, and which gpa does the program
# reach after the change?

# %% tags=["hide-input", "no-slide"]
[(machine.stats.entries_zapped, hex(machine.access(heap, user=True).gpa)) for machine in (usual, idle, unseen)]

# %% tags=["answer"]
lesson.THREE_GUESTS

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: the guest gets a second processor
#
# The neighbour has a TLB of its own, and writes at `0x1000` all the time. The frame becomes a page table. Then the neighbour
# stores zero in it.
# -->
# ## A second processor
#
# In 2.6.22 a guest has only *one* processor, and does not run while the host works. For an experiment, the function
# `neighbour` gives the guest a second processor, with a TLB of its own. We call this processor the *neighbour*. Gfn
# `0x11` is mapped at `0x1000`, and it is also the page table for the address `0x40000000`. Three things will happen:
#
# - The *first* processor accesses `0x40000000` and faults. So the host write-protects gfn `0x11`, as in the films above. A
#   flush empties the TLBs of both processors.
# - During this fault, the *neighbour* writes to the page at `0x1000` again and again, into entries that are not used. (The
#   film shows only its walks through the shadow.)
# - After the fault, the neighbour stores zero in the guest's entry for `0x40000000`, which is entry 0 of gfn `0x11`.

# %% tags=["hide-input"]
pair = rmap_lab()
pair.map()
neighbour(pair.machine, 0x1000)

# %% tags=["question"]
guess_neighbours_store = lesson.neighbours_store(pair)
guess_neighbours_store

# %% slideshow={"title": "The flush comes one step too early"}
pair.protect().film

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## The host sees nothing of the neighbour's store -->
# After the fault, the neighbour makes its store. (Here and below, `machine.access` is an access by the neighbour, with the
# neighbour's TLB.)

# %% tags=["hide-input"]
machine = pair.machine
last = machine.access(0x1000, write=True, value=0, size=8)
last

# %% tags=["answer"]
guess_neighbours_store.reveal(last)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## A bug of 2007: the guest's entry is empty, its spte still maps a frame -->
# ## A bug of 2007
#
# The picture shows the guest's tables and the shadow after the neighbour's store. Below it are the complaints of the
# *audits*, KVM's three tests of its own data. (One of them compares each spte with the guest's tables.)

# %% tags=["hide-input"]
hierarchy(machine, 0x40000000)

# %% slideshow={"title": "The audit sees the damage, not the cause"} tags=["hide-input"]
[str(complaint) for complaint in machine.audit()]

# %% slideshow={"slide_type": "slide", "title": "First change the original, then throw away the copies"} tags=["answer"]
lesson.THREE_STEPS

# %% slideshow={"title": "After one more flush the neighbour's store is trapped"} tags=["hide-input"]
machine.flush_tlb()
watch(lambda: machine.access(0x1000, write=True, value=0, size=8), machine, [0x1000, 0x40000000])

# %% tags=["answer"]
lesson.SECOND_TRY

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Two things to try in the lab
#
# - Choose a table that is *not shadowed*. Does the host notice your write?
# - Write to a table, and watch its light.
# -->
# ## Your turn
#
# Here is a guest with several page tables, and you are its kernel. Choose a table and an entry, predict which shadow
# entries are zapped, and write. Two things to try:
#
# - Choose a table that is *not shadowed*. Does the host notice your write?
# - Write to a table, and watch its light.

# %% tags=["try-it"]
write_lab()

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
lesson.flush_count(seed)

# %% tags=["check", "try-it"]
lesson.light(seed)

# %% tags=["check", "try-it"]
lesson.trapped_stores(seed)

# %% tags=["check", "try-it"]
lesson.who_reaches(seed)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Now write it yourself
#
# - exercise 06: `rmap_write_protect`
# - next: which entries link to a shadow page (lesson 8), and which shadow pages a store hits (lesson 9)
# -->
# ## Now write it yourself
#
# In [exercise 06: rmap_write_protect](../exercises/06_rmap_write_protect/README.md) you write the function of this
# lesson. If you have not written the reverse map yet, do [exercise 04](../exercises/04_rmap_add/README.md) and [exercise
# 05](../exercises/05_rmap_remove/README.md) first. [Lesson 8](08_parents.ipynb) shows how a shadow page is dropped, and
# [lesson 9](09_pre_write.ipynb) is about the step between the trap and the store.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 6: Reverse maps](06_reverse_maps.ipynb) ·
# [Lesson 8: Parents and zapping →](08_parents.ipynb)
