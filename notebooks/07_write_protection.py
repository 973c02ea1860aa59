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
# > **A frame that is shadowed as a page table has no writable mapping.**
#
# - how the host makes this true, entry by entry
# - how it stays true when the guest maps the frame later
# - what a store to a page table causes
# -->
# # Lesson 7: Write protection
#
# In lesson 0 the guest's page table changed without the host noticing, and the shadow became stale: the program read
# and wrote a frame that no longer belonged to it. One rule prevents this:
#
# > **A frame that is shadowed as a page table has no writable mapping.**
#
# No spte that points to the frame has W set. So every write to the frame faults, the host sees the write, and it can
# zap the right shadow entries in time. The rule must hold at every moment. After this lesson you can explain
#
# - how the host makes the rule true when a frame *becomes* a page table, entry by entry and step by step;
# - how the rule stays true when the guest maps the frame *later*;
# - what one store to a page table costs, and what it causes before a single byte changes;
# - why it is not enough to clear W: the host must also zap during the fault, and do everything in the right order.
#
# Run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*

# %% [markdown] slideshow={"slide_type": "notes"}
# This lesson builds on reverse maps (lesson 6). You can begin with an analogy: each frame has a traffic light. Green
# means data: the guest may write if its page tables allow it. Red means a page table that is shadowed. The lesson is
# about the moment when the light turns red, and about what happens when the guest writes to a red frame.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Green: a page table that is not used yet
#
# The guest is the same as in lesson 0. Its kernel has prepared a page table for the program's heap and writes to it
# in the usual way, through its mapping of all memory. No shadow page has been made from this table so far. To the
# host it is a frame like any other, so the write goes through the shadow and does not involve the host.
#
# In the picture, that frame is on the right (`gfn 0x61c9`). Its reverse map has one entry, in which W is set.

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.inspect.paths import shadow_path
from kvmmmu_lab.labs import entry_of, hierarchy, neighbour, predict, rmap_lab, watch, write_lab

guest, heap = open_guest("lin64_A"), 0x343C6000
vm = guest.vm()
entry = entry_of(vm, heap)
vm.access(entry.kernel_gva, write=True)
hierarchy(vm, entry.kernel_gva)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The light turns red
#
# Now the program accesses the first page of its heap. To handle that fault, the host has to shadow the page table in
# `gfn 0x61c9`. From then on the rule applies to that frame. What will happen to the kernel's writable entry,
# `#248:457`?

# %% tags=["question"]
fates = ["it stays as it is", "it is cleared", "it loses its W and is otherwise unchanged"]
guess_fate = predict("The kernel's entry for the frame that becomes a page table:", fates)
guess_fate

# %%
becomes = watch(lambda: vm.access(heap, user=True), vm, [heap, entry.kernel_gva])
becomes

# %% tags=["answer"]
bits = shadow_path(vm, entry.kernel_gva).steps[-1].entry & 3  # bit 0 is P, bit 1 is W
why = "the host has to notice only writes. Reading the table does no harm and need not fault."
guess_fate.compare({3: fates[0], 0: fates[1], 1: fates[2]}[bits], why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Three steps in that film belong together. They come right after the shadow page for `gfn 0x61c9` was taken from the
# pool, and before any entry points to that page:
#
# 1. The entry **leaves the reverse map** of the frame. (This comes first, as you know from lesson 6: the map is found
#    through the content of the entry.)
# 2. The host tells the processor to **forget its translations**: a *TLB flush*. The processor may have cached the
#    permission to write here, and it does not read an entry again while the entry is cached.
# 3. The entry **loses its W**. It is not cleared. The small `w` that is left in the picture means that the guest
#    allows writing but the shadow does not.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## More than one entry
#
# One entry was easy. Now take the small guest of the lab and map its frame six times. All six entries are in the
# reverse map, in two descriptors. Then the guest uses the frame as a page table. How many times will the host flush
# the TLB?

# %%
lab = rmap_lab()
for _ in range(6):
    lab.map()
before = lab.machine.stats.tlb_flushes

# %% tags=["question"]
guess_flushes = predict("Six entries lose their W. How many flushes?", [0, 1, 2, 6])
guess_flushes

# %% [markdown] slideshow={"slide_type": "subslide"}
# The film shows all entries that point to the frame. Watch how the dashed purple lines (the reverse map) disappear
# one by one, and how W is cleared each time. Under *Stop where*, *an entry loses its W* takes you from one to the
# next. The frame's own box gives the colour of the light in words: *data page* is green and *write-protected table*
# is red. In between it is a *writable table*, a state in which the guest must not run. (The box depends on the
# reverse map. So it turns red when the map is empty, which is two steps before W is actually cleared in the last
# entry.)

# %%
lab.protect().film

# %% tags=["answer"]
why = "the code performs all three steps for each entry in turn. One flush at the end would have been enough."
guess_flushes.compare(lab.machine.stats.tlb_flushes - before, why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Look at the order in which the entries were removed: `#248:1`, `4`, `3`, `2`, `5`, `6`. The host does not walk along
# the map. It takes the entry in the *first place*, again and again, until the map is empty. Each time, the last entry
# of that descriptor fills the hole. Removing entries from a list while walking along it is a classic mistake, and
# here it would skip entries. A loop that takes the first entry until there is none cannot skip any.
#
# All six entries can still be used for reading. This access does not involve the host, and `faults` is 0:

# %%
lab.machine.access(0x1000)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Red stays red: mappings that come later
#
# The host went through the reverse map once. What about a mapping that the guest makes *after* that? Here the guest
# maps the same frame a seventh time, with all rights, and writes through it. In the film, look at how the host makes
# the new spte, and at what happens to the write.

# %%
lab.map().film

# %% [markdown] slideshow={"slide_type": "fragment"}
# The new entry was **made without W**. Whenever the host makes an spte, it checks whether the frame is shadowed as a
# page table. So the entry was not added to the reverse map either, and the host performed the write through it. There
# are two ways in which a page table could get a writable mapping, and the host prevents both:
#
# | first | then | how the rule is kept |
# | --- | --- | --- |
# | a writable mapping | the frame becomes a page table | write protection goes through the reverse map |
# | the frame is a page table | a mapping is made, or is used for a write | the host does not set W |

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
# 1. **Trap:** the spte has no W.
# 2. **Whose fault?** The guest's tables allow the write.
# 3. **Why no W?** The frame is a shadowed page table.
# 4. **Before the write:** sptes made from these bytes are zapped.
# 5. **Emulate** the store.
# 6. **Continue** after the instruction.
# -->
# ## What happens at a red light
#
# The guest's kernel changes its page tables all the time, and it does not know that they are write-protected. So each
# such store goes through a procedure called *trap and emulate*:
#
# 1. **Trap.** The processor finds an spte without W and faults. The guest stops in the middle of its instruction.
# 2. **Whose fault?** The host walks the guest's tables. They allow the write, so the guest must never see this fault.
# 3. **Why no W?** The frame is a page table that is shadowed. The entry stays as it is.
# 4. **Before the write:** which shadow entries were made from the bytes that are about to change? The host zaps them.
# 5. **Emulate.** The host itself performs the store, in the guest's memory and with the guest's value.
# 6. **Continue.** The guest continues *after* its instruction, as if the processor had executed it.
#
# Here the kernel moves the heap page to an adjacent frame (`entry.moved`). Find the six steps in the film.

# %%
store = {"write": True, "value": entry.moved, "size": 8}
trap = watch(lambda: vm.access(entry.kernel_gva, **store), vm, [heap])
trap

# %% [markdown] slideshow={"slide_type": "subslide"}
# The kernel writes the same entry once more, with the old value. It has just had a fault at this very address. What
# will the second store cost?

# %% tags=["question"]
again = {"write": True, "value": entry.value, "size": 8}
guess_again = predict("The second store to the same table: how many faults?", [0, 1, 2])
guess_again

# %% tags=["answer"]
second = vm.access(entry.kernel_gva, **again)
why = "the first fault did not set W in the entry. Each store to a red frame causes a fault of its own."
guess_again.compare(second.faults, why=why)

# %% [markdown] slideshow={"slide_type": "notes"}
# If you know copy on write, you may expect 0: there the first fault repairs the entry, and the next store causes no
# fault. Here nothing is repaired, because nothing is broken. What if the guest fills a whole page table, with 512
# stores in a row? At the third store in a row to one frame, KVM decides that the frame cannot be a page table in use,
# and drops its shadow: the light turns green again. Lesson 10 shows when this guess is wrong.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A misconception: "protecting stops the write"
#
# A common claim: *the page table is read-only, so the guest can't change it any more.* Is this true?

# %%
other = guest.vm()
other.access(heap)
outcome = other.access(entry.kernel_gva, **store)
outcome.outcome, other.peek(entry.gpa) == entry.moved

# %% [markdown] slideshow={"slide_type": "fragment"}
# `emul` means emulated. The value is in the guest's memory, correct to the last bit. Write protection *stops
# nothing*. It makes the write **visible**: the store is still performed, but by the host, at a time that the host
# chooses. This is the purpose of the whole mechanism: between the trap and the store, the host can correct the
# shadow.
#
# So there is another way to fail: the host traps every store and performs it for the guest, but corrects *nothing*.
# The function `pre_write` is step 4, and for an experiment we can give a VM another function in its place. Ours does
# nothing: in the film step 4 begins, but no entry is zapped. The guest's kernel makes the very same store, then the
# program reads its page. Which frame will it reach?

# %% tags=["question"]
frames = {0x29AF: "the old frame", 0x29AE: "the adjacent frame"}
guess_frame = predict("The store was trapped and performed, but nothing was zapped. The program reads:", [*frames.values()])
guess_frame

# %%
blind = guest.vm(pre_write=lambda vm, gpa, size: None)
blind.access(heap)
asleep = watch(lambda: blind.access(entry.kernel_gva, **store), blind, [heap])
asleep

# %% tags=["answer"]
stale = blind.access(heap)
why = "the trap only gives control to the host. The processor still uses the entry made from the old value."
guess_frame.compare(frames[stale.gpa >> 12], why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# Two arrows lead to two different frames, as in lesson 0, where `poke` had changed the table without the host
# noticing. This time the host *did* notice, and the damage is the same.

# %%
hierarchy(blind, heap)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A misconception: "the next fault reveals it"
#
# Even good explanations contain this claim: *the guest changes its page table freely, and at the next page fault the
# hypervisor notices and brings the shadow up to date.* It sounds right, because the host does make entries at faults.
# Let us wait for that next fault. The table of this guest was changed without the host noticing, and the program
# accesses the page five times:

# %%
unseen = guest.vm()
unseen.access(heap)
unseen.poke(entry.gpa, entry.moved)
[unseen.access(heap).faults for _ in range(5)]

# %% [markdown] slideshow={"slide_type": "fragment"}
# There is no next fault. **An entry that is present does not fault**: the processor finds it, the entry allows the
# access, and that is all. A fault tells the host what is *missing* in the shadow, never what is *wrong* in it. In the
# guest whose store was trapped and handled correctly, when was the old entry zapped? Look at the order of the steps:

# %%
said = [step.words for step in trap.steps]
[words for words in said if words.startswith(("Zap", "Only now"))]

# %% [markdown] slideshow={"slide_type": "fragment"}
# The *zap* comes first, and the store only after it. The old entry was removed **before** the bytes changed. The
# shadow never disagreed with the guest's table, not even for a moment.
#
# The next cell compares the three guests. For each it shows how many entries were zapped, and which address the
# program reaches after the change.

# %%
[(machine.stats.entries_zapped, hex(machine.access(heap).gpa)) for machine in (other, blind, unseen)]

# %% [markdown] slideshow={"slide_type": "fragment"}
# | how the guest's table is changed | faults | entries zapped | the program reads |
# | --- | --- | --- | --- |
# | by a trapped store, with a zap before it | 1 | 1 | `0x29ae000`, the new frame |
# | by a trapped store, with no zap before it | 1 | 0 | `0x29af000`, the old frame: stale |
# | by `poke`, unnoticed | 0 | 0 | `0x29af000`, the old frame: stale |

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Remove from the map, flush, clear W: this order is wrong. It was in the kernel for half a year.
#
# After a flush the processor reads the entry *again*. If W is still set, it is cached. W is cleared one line later,
# and the processor does not notice.
# -->
# ## A real bug: the right steps in the wrong order
#
# Go back to the three steps of write protection: remove the entry from the map, flush, clear W. They contain a
# mistake. If you have already seen it, well done: it was in the kernel for half a year.
#
# The flush was added to `rmap_write_protect` in January 2007, in a separate patch (40907d5). A few days later, a
# developer proposed on the kernel's mailing list that it be removed again, because everything seemed to work without
# it. The author of KVM answered that Intel's processors of the time probably flush everything anyway whenever the
# host takes control. AMD's do not, and there the flush is vital. So it stayed. The line after it was not discussed.
#
# A flush makes the processor forget its cached translations. When it next needs a translation, it reads the entry
# again. If W is still set at that moment, the processor caches *writing allowed* once more. W is cleared one line
# later (`mmu.c:436` flushes, `mmu.c:437` clears), and the processor does not notice.

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# With *one* processor, the guest does not run meanwhile, so the bug has no effect. `neighbour` gives the guest a
# second processor, which writes at `0x1000` all the time. Step to the flush, and *one* step further.
# -->
# You may object that the guest is stopped while the host works. That is true as long as it has *one* processor, and
# in 2.6.22 it has only one. So in 2.6.22 the bug has no effect yet. We can make it visible: `neighbour` gives the
# guest a second processor, which has its own TLB and writes at `0x1000` all the time, even while the host works for
# the first processor. The frame at `0x1000` becomes a page table. Step to the flush, and then *one* step further.

# %%
pair = rmap_lab()
pair.map()
neighbour(pair.machine, 0x1000)
pair.protect().film

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# The host flushes; the neighbour walks and finds W set; only then is W cleared. Every light is red now, and the
# neighbour overwrites a page-table entry with zero.
# -->
# The host flushes; the neighbour walks and finds W set; only then is W cleared. At the end the picture looks correct,
# and every light is red. Now the neighbour overwrites the entry in the page table with zero. What will the host see?

# %% tags=["question"]
ends = ["nothing at all", "a fault, and it performs the store"]
guess_seen = predict("The neighbour overwrites a page-table entry. The host sees:", ends)
guess_seen

# %% tags=["answer"]
machine = pair.machine
seen = machine.access(0x1000, write=True, value=0, size=8)
why = "the neighbour's TLB holds the entry with W set. The neighbour does not read the shadow, so it does not see the change."
guess_seen.compare(ends[0] if seen.faults == 0 else ends[1], why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The rule of this lesson holds in the shadow, but not in the processor's TLB. The guest's page table now has an empty
# entry. The shadow entry made from it still maps a frame:

# %%
hierarchy(machine, 0x40000000)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The fix costs nothing: **first clear, then flush**. Any entry that is cached after the flush was read after W was
# cleared. We can see this by flushing once more, now that W is clear. The neighbour's next store is trapped as it
# should be, and emulated:

# %%
machine.flush_tlb()
machine.access(0x1000, write=True, value=0, size=8)

# %% [markdown] slideshow={"slide_type": "fragment"}
# <!-- slide:
# In mid-2007, with support for several processors, the two lines were swapped. *First change the original, then throw
# away the copies.*
# -->
# In mid-2007, KVM gained support for guests with several processors. The two lines were swapped, and the flush was
# extended to the other processors. (The same file had the right order in another place all along: where a new spte
# turns out to point to a page table, the host first clears W and then flushes, `mmu.c:989-990`.) The general lesson
# is older than KVM and holds for every cache: *first change the original, then throw away the copies.* In the reverse
# order, a new copy of the old state can be made in between. (The exercise keeps the order of 2.6.22, because the kit
# does what that kernel did.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - Choose a table that is *not shadowed*. Does the host notice your write?
# - Write three times in a row to one table, and see the light turn green.
# -->
# ## Your turn
#
# Here is a guest with several page tables, and you are its kernel. Choose a table and an entry, predict which shadow
# entries will die, and write. Two things to try:
#
# - Choose a table that is *not shadowed*. Does the host notice your write?
# - Write three times in a row to one table, and see the light turn green.

# %% tags=["try-it"]
write_lab()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - **A frame that is shadowed has no writable mapping**, now and later.
# - For each entry: **remove it from its map, flush, clear W**.
# - A store to a page table is **trapped and emulated**. The host corrects the shadow *between the two*.
# - Flush after the change, not before it.
# -->
# ## What you saw
#
# - **A frame that is shadowed as a page table has no writable mapping.** The host enforces this rule in two ways.
#   When a frame becomes a page table, all its writable entries lose their W. When the host makes an spte for a page
#   table, it does not set W.
# - For each entry there are three steps: **remove it from the reverse map, flush the TLB, clear W**. The rest of the
#   entry does not change. So there are as many flushes as entries, and reading causes no fault.
# - A store to a page table is **trapped and emulated**, every time. Protection does not stop the store; it makes it
#   visible.
# - The host corrects the shadow **between the trap and the store**. A stale entry never faults, so there is no later
#   chance to find it.
# - Flush after the change, not before it.
#
# Now write it yourself: [exercise 06: rmap_write_protect](../exercises/06_rmap_write_protect/README.md). If you have
# not written the reverse map yet, do [exercise 04](../exercises/04_rmap_add/README.md) and [exercise
# 05](../exercises/05_rmap_remove/README.md) first.
