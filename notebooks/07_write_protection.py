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
# - how the host makes that true, entry by entry
# - how it stays true when somebody maps the frame later
# - what a store to a page table brings about
# -->
# # Lesson 7: Write protection
#
# In lesson 0 a guest's page table changed behind the host's back, and the shadow went stale: the program read and
# wrote a frame that was no longer its own. All that stands between a guest and this disaster is one rule:
#
# > **A frame that is shadowed as a page table has no writable mapping.**
#
# No spte that leads to it has its W. Then each write to it faults, the host gets to see it, and what has to die in
# the shadow can die in time. The rule holds at every moment, or it is worth nothing. After this lesson you can say
#
# - how the host makes the rule true when a frame *becomes* a page table, entry by entry and step by step;
# - how it stays true when somebody maps the frame *later*;
# - what one store to a page table costs, and what it brings about before a single byte changes;
# - why taking away the W is not enough, neither without what happens in the fault, nor in the wrong order.
#
# Run the cells from top to bottom, each once; *Kernel > Restart Kernel...* begins anew.

# %% [markdown] slideshow={"slide_type": "notes"}
# This lesson needs reverse maps (lesson 6). A picture for the beginning: a traffic light at each frame. Green: data,
# anybody whom the guest allows may write. Red: a page table with a shadow. The lesson is about the moment of turning
# red, and about what the police do when somebody drives up to it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Green: a page table that nobody has used yet
#
# The guest is that of lesson 0. Its kernel has prepared a page table for the program's heap and writes into it, as
# kernels do, through the place where all of memory is mapped. No shadow has been made from this table so far. For the
# host it is a frame like any other, and so the write goes through the shadow and needs no further help.
#
# In the picture, that frame is at the right (`gfn 0x61c9`). Its reverse map has one entry, and this entry has its W.

# %%
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import entry_of, hierarchy, neighbour, predict, rmap_lab, watch, write_lab
from kvmmmu_lab.read.paths import shadow_path

guest, heap = open_guest("lin64_A"), 0x343C6000
vm = guest.vm()
entry = entry_of(vm, heap)
vm.access(entry.kernel_gva, write=True)
hierarchy(vm, entry.kernel_gva)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The light turns red
#
# Now the program touches the first page of its heap. To fill that fault, the host has to shadow the page table in
# `gfn 0x61c9`, and from then on the rule holds for it. What will become of the kernel's writable entry, `#248:457`?

# %%
fates = ["it stays as it is", "it is emptied", "it loses its W and stays otherwise"]
guess_fate = predict("The kernel's entry for the frame that becomes a page table:", fates)
guess_fate

# %%
becomes = watch(lambda: vm.access(heap, user=True), vm, [heap, entry.kernel_gva])
becomes

# %%
bits = shadow_path(vm, entry.kernel_gva).steps[-1].entry & 3  # bit 0 is P, bit 1 is W
why = "only writing has to be noticed. Reading the table harms nobody, and goes on without a fault."
guess_fate.compare({3: fates[0], 0: fates[1], 1: fates[2]}[bits], why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Three steps in that film belong together. They come right after the shadow page for `gfn 0x61c9` was taken from the
# pool, and before anything leads to that page:
#
# 1. The entry **leaves the reverse map** of the frame. (First, as you know from lesson 6: the map is found by what
#    the entry says.)
# 2. The processor is asked to **forget its translations**: a *flush*. It may remember that it was allowed to write
#    here, and it doesn't read an entry again for what it remembers.
# 3. The entry **loses its W**. It isn't emptied. In the picture a small `w` is left, which says: the guest allows it,
#    the shadow withholds it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Not just the first one
#
# One entry was easy. Take the lab's little guest, and map its frame six times. All six entries are in the reverse
# map, in two descriptors. Then the guest uses the frame as a page table. How often will the processor be asked to
# forget everything that it knows?

# %%
lab = rmap_lab()
for _ in range(6):
    lab.map()
before = lab.machine.stats.tlb_flushes
guess_flushes = predict("Six entries lose their W. How many flushes?", [0, 1, 2, 6])
guess_flushes

# %% [markdown] slideshow={"slide_type": "subslide"}
# The film shows all entries that lead to the frame. Watch the dashed purple lines (the reverse map) go one by one,
# and each time the W after that. Under *Stop where*, *an entry loses its W* takes you from one to the next. The
# frame's own box says in words what colour the light is: *data page* is green, *write-protected table* is red, and
# between them it is a *writable table*, which nobody must meet. (The box goes by the reverse map. So it turns red
# when the map is empty, and that is two steps before the last entry really loses its W.)

# %%
lab.protect().film

# %%
why = "the code treats one entry after the other, each with all three steps. One flush at the end would have been enough."
guess_flushes.compare(lab.machine.stats.tlb_flushes - before, why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The order in which they went is worth a look: `#248:1`, `4`, `3`, `2`, `5`, `6`. The host doesn't walk along the
# map. It takes the entry in the *first place*, again and again, until the map is empty; and each time the last entry
# of that descriptor fills the hole. A loop that runs along a list which shrinks under its hands is a classic mistake,
# and it would miss entries here. "Take the first until there is none" can't.
#
# And all six are still good for reading. This access needs no help from the host, `faults` is 0:

# %%
lab.machine.access(0x1000)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Red stays red: who comes later
#
# The host went through the reverse map once. What about a mapping that the guest makes *after* that? Here it maps the
# same frame a seventh time, with all rights, and writes through it. In the film, look at how the new spte is made,
# and at what happens to the write.

# %%
lab.map().film

# %% [markdown] slideshow={"slide_type": "fragment"}
# The new entry was **born without its W**: whenever the host makes an spte, it asks whether the frame is shadowed as
# a page table. So it never got into the reverse map either, and the write through it was done by the host. There are
# two doors through which a writable mapping could come to a page table, and both are guarded:
#
# | what comes first | what comes then | who keeps the rule |
# | --- | --- | --- |
# | a writable mapping | the frame becomes a page table | write protection goes through the reverse map |
# | the frame is a page table | a mapping is made, or wants its W | the W is withheld |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Does it hold?
#
# A rule about all frames can be checked on all frames. Let the real guest touch two thousand pages, then ask for each
# guest table that is shadowed: is there anybody in its reverse map?

# %%
for gva in guest.tlb_gva[:2000]:
    vm.access(int(gva))
tables = {page.gfn for page in vm.pool.active if not page.metaphysical}
writable = [gfn for gfn in tables if vm.rmap.sptes(vm.memory.frames[gfn])]
f"{len(tables)} tables are shadowed. Of them {len(writable)} can be written, and {len(vm.rmap.frames())} other frames."

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# 1. **Trap:** an spte without W.
# 2. **Whose fault?** The guest's tables allow the write.
# 3. **Why no W?** The frame is a shadowed page table.
# 4. **Before the write:** sptes made from these bytes are zapped.
# 5. **Emulate** the store.
# 6. **On**, behind the instruction.
# -->
# ## What happens at a red light
#
# The guest's kernel must change its page tables all day long, and it has no idea that it isn't allowed to. So each
# such store goes round this loop, which is called *trap and emulate*:
#
# 1. **Trap.** The processor finds an spte without W. A fault; the guest stands still, in the middle of its
#    instruction.
# 2. **Whose fault?** The host walks the guest's tables. They allow the write, so the guest must never hear of this
#    fault.
# 3. **Why no W?** The frame is a page table that is shadowed. The entry stays as it is.
# 4. **Before the write:** which shadow entries were made from the bytes that are about to change? They are zapped.
# 5. **Emulate.** The host does the store itself, in the guest's memory, with the guest's value.
# 6. **On.** The guest continues *behind* its instruction, as if the processor had done it.
#
# Here is the kernel, moving the heap page to the frame next door (`entry.moved`). Find the six stations in the film.

# %%
store = {"write": True, "value": entry.moved, "size": 8}
trap = watch(lambda: vm.access(entry.kernel_gva, **store), vm, [heap])
trap

# %% [markdown] slideshow={"slide_type": "subslide"}
# The kernel writes the same entry once more, with the old value. It has just been through a fault for this very
# address. What will this second store cost?

# %%
again = {"write": True, "value": entry.value, "size": 8}
guess_again = predict("The second store to the same table: how many faults?", [0, 1, 2])
guess_again

# %%
second = vm.access(entry.kernel_gva, **again)
why = "the first fault gave nothing away: the entry still has no W. Each store to a red frame is a fault of its own."
guess_again.compare(second.faults, why=why)

# %% [markdown] slideshow={"slide_type": "notes"}
# Whoever knows copy on write expects 0: there the first fault repairs the entry, and then all is well. Here nothing
# is repaired, because nothing is broken. What if the guest fills a whole page table, 512 stores in a row? At the
# third store in a row to one frame KVM decides that this can't be a page table in use, and drops its shadow: the
# light turns green again. Lesson 10 is about when that guess is wrong.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A wrong idea: "protecting stops the write"
#
# People say: *the page table is read-only, so the guest can't change it any more.* Did it?

# %%
other = guest.vm()
other.access(heap)
outcome = other.access(entry.kernel_gva, **store)
outcome.outcome, other.peek(entry.gpa) == entry.moved

# %% [markdown] slideshow={"slide_type": "fragment"}
# `emul`: emulated. The value is in the guest's memory, to the last bit. Write protection *stops nothing*. It makes
# the write **visible**: the store is done all the same, by another hand, and at a moment that the host has chosen.
# That moment is what it is all about, for between the trap and the store the host can put things right.
#
# So there is another way to lose: stop every store, do it for the guest, and put *nothing* right. `pre_write` is what
# the host does in station 4, and for an experiment we can give a VM another one. This one does nothing: in the film
# the question of station 4 is asked, and nobody answers. The very same store by the guest's kernel, then the program
# reads its page. Which frame will it get?

# %%
frames = {0x29AF: "the old frame", 0x29AE: "the frame next door"}
guess_frame = predict("Trapped, stored, nothing zapped. The program reads:", [*frames.values()])
guess_frame

# %%
blind = guest.vm(pre_write=lambda vm, gpa, size: None)
blind.access(heap)
asleep = watch(lambda: blind.access(entry.kernel_gva, **store), blind, [heap])
asleep

# %%
stale = blind.access(heap)
why = "the trap only wakes the host. The shadow still has the entry made from the old value, and the processor uses it."
guess_frame.compare(frames[stale.gpa >> 12], why=why)

# %% [markdown] slideshow={"slide_type": "subslide"}
# Two arrows to two frames: the picture of lesson 0, where `poke` had changed the table and nobody had seen it. Here
# the host *has* seen it, and the damage is the same.

# %%
hierarchy(blind, heap)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A wrong idea: "it is found out at the next fault"
#
# This one can be read in good answers to good questions: *the guest changes its page table freely, and at the next
# page fault the hypervisor notices, and brings the shadow up to date.* It sounds right, because so much does happen
# at faults: entries are made there. Let us wait for that next fault. A guest whose table was changed unseen uses the
# page five times:

# %%
unseen = guest.vm()
unseen.access(heap)
unseen.poke(entry.gpa, entry.moved)
[unseen.access(heap).faults for _ in range(5)]

# %% [markdown] slideshow={"slide_type": "fragment"}
# There is no next fault. **An entry that is present doesn't fault**: the processor finds it, it allows the access,
# done. A fault tells the host about what is *missing* in the shadow, never about what is *wrong* in it. And of our
# properly kept guest, when did the old entry die? Look at the order of the steps:

# %%
said = [step.words for step in trap.steps]
[words for words in said if words.startswith(("Zap", "Only now"))]

# %% [markdown] slideshow={"slide_type": "fragment"}
# *Zap*, and only then the store. The stale entry died **before** the bytes changed. There was not one moment in which
# the shadow said something that the guest's table didn't.
#
# All three guests side by side: how many entries were zapped, and where the program gets to after the change.

# %%
[(machine.stats.entries_zapped, hex(machine.access(heap).gpa)) for machine in (other, blind, unseen)]

# %% [markdown] slideshow={"slide_type": "fragment"}
# | the guest's table is changed by | faults | entries zapped | the program reads |
# | --- | --- | --- | --- |
# | a store, trapped, with what has to be done before it | 1 | 1 | `0x29ae000`, the new frame |
# | a store, trapped, and nothing done before it | 1 | 0 | `0x29af000`, the old one: stale |
# | `poke`, and nobody looks | 0 | 0 | `0x29af000`, the old one: stale |

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# Out of the map; flush; clear the W. Something is wrong with that, and it stood in the kernel for half a year.
#
# After a flush the processor reads the entry *again*. If the W is still there, it remembers it, and the W that goes
# one line later goes unnoticed.
# -->
# ## A real bug: the right steps, in the wrong order
#
# Go back to the three steps of write protection: out of the map; flush; clear the W. There is something wrong with
# them. If you have seen it already, well done: it stood in the kernel for half a year.
#
# The flush came into `rmap_write_protect` in January 2007, in a patch of its own (40907d5), and a few days later
# somebody proposed on the kernel's mailing list to throw it out again: everything seemed to work without it. The
# author of KVM answered that Intel's processors of the time probably forget everything anyhow whenever the host takes
# over; but AMD's don't, and there the flush is vital. So it stayed. Nobody asked about the line after it.
#
# A flush makes the processor forget what it remembers. When it needs the translation again, it reads the entry again.
# If the W is still there at that moment, it remembers *writing allowed* once more, and the W that goes one line later
# (`mmu.c:436` flushes, `mmu.c:437` clears) goes unnoticed.

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# With *one* processor the guest stands still meanwhile: a bug that sleeps. `neighbour` gives the guest a second one,
# which writes at `0x1000` all the time. Step to the flush, and *one* step on.
# -->
# "At that moment": but the guest stands still while the host works! True, as long as it has *one* processor, and in
# 2.6.22 it has. So this is a bug that sleeps. Let us wake it. `neighbour` gives the guest a second processor, which
# remembers translations, and which is busy writing at `0x1000` all the time, also while the host works for the first
# one. The frame at `0x1000` becomes a page table. Step to the flush, and then *one* step on.

# %%
pair = rmap_lab()
pair.map()
neighbour(pair.machine, 0x1000)
pair.protect().film

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# Flush; the neighbour walks and finds the W; only then it is gone. Every light is red now, and the neighbour writes
# zero over a page-table entry.
# -->
# There: flush; the neighbour walks and finds the W; only then it is gone. At the end the picture looks blameless,
# every light is red. Now the neighbour writes zero over the entry in the page table. What will the host get to see?

# %%
ends = ["nothing at all", "a fault, and it does the store"]
guess_seen = predict("The neighbour overwrites a page-table entry. The host sees:", ends)
guess_seen

# %%
machine = pair.machine
seen = machine.access(0x1000, write=True, value=0, size=8)
why = "the neighbour remembers an entry with W. It doesn't look at the shadow, so what was taken away there doesn't count."
guess_seen.compare(ends[0] if seen.faults == 0 else ends[1], why=why)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The rule of this lesson holds in the shadow, and is broken in the processor. The guest's page table has an empty
# entry now; the shadow made from it still maps a frame:

# %%
hierarchy(machine, 0x40000000)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The cure costs nothing: **first clear, then flush**. Whatever is remembered after the flush was read after the W had
# gone. We can see it here by asking for one more flush, now that the W is gone. The next store of the neighbour is
# trapped as it should be, and emulated:

# %%
machine.flush_tlb()
machine.access(0x1000, write=True, value=0, size=8)

# %% [markdown] slideshow={"slide_type": "fragment"}
# <!-- slide:
# In the middle of 2007, with several processors, the two lines were turned round. *Change the original first, then
# throw away the copies.*
# -->
# In the middle of 2007, when KVM was taught to run guests with several processors, the two lines were turned round,
# and the flush learned to reach the other processors, too. (The same file had it right in another place all the time:
# where a new spte turns out to lead to a page table, the W is taken back first and flushed after that,
# `mmu.c:989-990`.) The general lesson is older than KVM and holds for each cache of anything: *change the original
# first, then throw away the copies.* In the other order somebody can make a new copy of the old state. (The exercise
# keeps the order of 2.6.22, since the kit does what that kernel did.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - Choose a table that is *not shadowed*. What does the host see of your write?
# - Write three times in a row to one table, and see the light turn green.
# -->
# ## Your turn
#
# Here is a guest with several page tables, and you are its kernel. Choose a table and an entry, say which shadow
# entries will die, and write. Two things to try:
#
# - Choose a table that is *not shadowed*. What does the host see of your write?
# - Write three times in a row to one table, and see the light turn green.

# %% tags=["try-it"]
write_lab()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# - **Shadowed, therefore no writable mapping**, now and later.
# - Each entry: **out of the reverse map, flush, clear the W**.
# - A store to a page table is **trapped and emulated**. What makes the shadow right is done *between the two*.
# - Flush after the change, not before it.
# -->
# ## What you saw
#
# - **Shadowed, therefore no writable mapping.** The rule is kept at both doors: when a frame becomes a page table,
#   all its writable entries lose their W; when an spte is made for a page table, it doesn't get one.
# - Each entry goes through three steps: **out of the reverse map, flush, clear the W**. It is not emptied. So there
#   are as many flushes as entries, and reading goes on without a fault.
# - A store to a page table is **trapped and emulated**, every time. Protection doesn't stop it; it makes it visible.
# - What makes the shadow right is done **between the trap and the store**. A stale entry never faults, so there is no
#   later time at which it could be found out.
# - Flush after the change, not before it.
#
# Now write it yourself: [exercise 06: rmap_write_protect](../exercises/06_rmap_write_protect/README.md). If you
# haven't yet written the reverse map, do [exercise 04](../exercises/04_rmap_add/README.md) and [exercise
# 05](../exercises/05_rmap_remove/README.md) first.
