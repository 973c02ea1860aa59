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
# [← Lesson 0: The first fault](00_first_fault.ipynb) ·
# [Lesson 2: The guest walk →](02_guest_walk.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# In a virtual machine, one address is translated by two sets of tables. *Which of them does the processor walk, and
# which numbers do the entries of each set hold?*
#
# - three kinds of address, computed from each other
# - how each paging mode splits an address
# - who reads which table, and when
# -->
# # Lesson 1: Two maps, one walker
#
# *Two sets of tables translate an address: which of them does the processor walk, and which numbers do the entries
# of each set hold?*
#
# In lesson 0 you watched a fault, and saw the guest's tables (blue) and the shadow pages (orange) side by side. All
# later lessons are about the differences between these two. To see a difference, you have to be able to read both.
# So you will compute which entry an address selects, and convert the number in a guest entry to the number in an
# spte.
#
# After this lesson you can
#
# - name the gva, gpa and hpa of a byte, and compute one from another;
# - split an address into indices in each paging mode: 10+10+12, 2+9+9+12, and 9+9+9+9+12 bits;
# - say who reads which table, and when;
# - predict which frame a program reaches when the two maps disagree.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about 30 minutes. There are six predictions and four check questions. Let everyone
# do the arithmetic of the first two on paper. The common mistake in the second is a shift by 21 instead of 22.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The two maps, and the way that an address takes through both -->
# ## The picture so far
#
# This picture stays with you through the whole course. Above are the guest's tables, below are the shadow pages, and
# at the right is the band of frames. This lesson is about the two ways through the tables. Both begin with the same
# address at the left, and both should end in the same frame at the right.

# %% tags=["hide-input"]
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import course_picture, hierarchy, memory_slots, walk, watch_walk
from kvmmmu_lab.lessons import lesson_01 as lesson
from kvmmmu_lab.museum import exhibit

course_picture(1)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Guest memory is in slots
#
# A **slot** is a range of guest frames, and a range of host frames of the same length.
#
# - slot 1 begins at gfn 0x400
# - its first host frame is 0x300
# -->
# ## Where is the byte?
#
# A short reminder of the three kinds of address. A program uses a **gva**. The guest's tables translate it to a
# **gpa**, an address in what the guest takes for its memory. The byte really is at an **hpa**, an address in the
# host's memory. Without their last three hexadecimal digits, a gpa is a **gfn** and an hpa is an **hfn**: the numbers
# of the frames.
#
# The guest's tables know nothing about hpas. So who knows the way from gpa to hpa? When a virtual machine is set up, a
# program on the host gives it memory in a few pieces. Each piece is a memory slot, or **slot** for short. A slot has
# three numbers: its first gfn, its number of pages, and its first hfn. For the guest, page *n* of the slot is frame
# *first gfn + n*. For the host, it is frame *first hfn + n*. An example: in a slot that begins at gfn 0x100 and hfn
# 0x900, gfn 0x105 is page 5, so its hfn is 0x905. A gfn that is in no slot has no memory: it may be a device. (This is
# simplified. In KVM itself, the host frames of a slot need not be consecutive: the slot has a list of them.)
#
# Here is a 64-bit guest with two slots. All its numbers are made from `seed`.
# <!-- notebook -->If you change it, run the cells again from here. The numbers will then be different, and the answers
# may be, too: they are computed each time.<!-- /notebook -->

# %%
seed = 7
here = lesson.place(seed)
vm, gva = here.vm, here.gva
memory_slots(vm)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## The guest maps the address to a frame of slot 1 -->
# The guest's tables map one page of a program to a frame of slot 1. The picture shows two walks of a gva in that
# page: one through the guest's tables, one through the shadow. For each walk, a list at the left splits the gva into
# fields. Each field but the last is an index: it selects one entry of a table. The last field, *offset*, is the
# place of the byte in its page. The line under the title of each list says where the walk ends. The guest's walk
# ends with a gpa. The shadow is still empty, so its walk ends at once, and an access would fault.

# %% tags=["hide-input"]
walk(vm, gva)

# %% [markdown]
# <!-- slide:
# ## Predict: from gpa to hpa
#
# Slot 1 begins at gfn 0x400, and its first host frame is 0x300.
# -->
# Slot 1 begins at gfn 0x400, and its first host frame is 0x300. Compute the hpa of this byte.

# %% tags=["question"]
guess_host_address = lesson.host_address(here)
guess_host_address

# %% slideshow={"title": "The host converts a gpa by its slot"}
hpa = vm.gva_to_hpa(gva)
hex(hpa)

# %% tags=["answer"]
guess_host_address.reveal(hpa)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A gfn can have no memory, or a second name
#
# - `gpa_to_hpa` sets bit 63: no memory
# - `safe_gpa_to_hpa` returns a page of zeroes instead
# - an **alias** gives a range of gfns a second name
# -->
# ## The map from gpa to hpa, in the kernel
#
# Short functions of the kernel do this arithmetic. You will meet them again in almost every lesson.
#
# | function | lines | what it does |
# | --- | --- | --- |
# | `gpa_to_hpa` | `mmu.c:735-745` | converts a gpa; bit 63 of the result is set if there is no memory |
# | `safe_gpa_to_hpa` | `mmu.c:728-733` | the same, but returns the *bad page* if there is no memory: one page of zeroes |
# | `gva_to_hpa`, `gva_to_page` | `mmu.c:747-763` | walk the guest's tables first, then convert |
# | `page_header_update_slot` | `mmu.c:720-726` | notes in a shadow page which slots its entries reach; lesson 14 needs it |
#
# Why is there a bad page? The host reads the guest's tables at gpas that the guest chose, and a guest can choose any
# number. The host must not read outside the guest's memory. So a table at a gpa without memory reads as zeroes, and a
# zero entry is not present.
#
# Two gfns can also name the same memory. An **alias** is a second range of gfns for memory that is already in a slot.
# It was made for the VGA graphics card. This card has a large memory, and a guest sees a small part of it in a window
# at gpa 0xa0000. The guest chooses which part (Avi Kivity, ["KVM: Add physical memory aliasing
# feature"](https://github.com/torvalds/linux/commit/e8207547d2f7), March 2007). A gfn of an alias may lie in a slot as
# well. Then the alias counts: the host first looks for the gfn in the aliases, and only then looks for the slot. In
# this example, the gfns 0xa0 to 0xbf are in slot 0, and an alias makes them other names for gfns of slot 1:

# %% slideshow={"title": "An alias is looked up before the slots"}
window = lesson.place(seed).vm
window.set_alias(0, base=0xA0, npages=0x20, target=0x420)
memory_slots(window)

# %% [markdown]
# <!-- slide: -->
# Follow gpa 0xa3123. Its gfn is 0xa3. The alias makes this another name for gfn 0x423, which is page 0x23 of slot 1.
# So the hfn is 0x323. Without the alias, slot 0 would lead to hfn 0x2a3.

# %% slideshow={"title": "Through the alias: gfn 0xa3 is gfn 0x423, in host frame 0x323"}
hex(window.memory.gpa_to_hpa(0xA3123))

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## The size of an entry decides the split
#
# A table is one page of 4,096 bytes.
#
# | mode | bytes an entry | fields of an address |
# | --- | --- | --- |
# | 32-bit | 4 | PD, PT, offset |
# | PAE | 8 | PDPT, PD, PT, offset |
# | 64-bit | 8 | PML4, PDPT, PD, PT, offset |
# -->
# ## Splitting an address
#
# How many bits of the address select an entry? A table is always one page, 4,096 bytes. The number of entries that
# fit into it decides how many bits are needed to choose one of them. x86 processors have three paging modes that
# matter here:
#
# | mode | bytes in an entry | levels, from the root | bits of the address |
# | --- | --- | --- | --- |
# | 32-bit | 4 | PD, PT | 10 + 10 + 12 = 32 |
# | PAE | 8 | PDPT, PD, PT | 2 + 9 + 9 + 12 = 32 |
# | 64-bit | 8 | PML4, PDPT, PD, PT | 9 + 9 + 9 + 9 + 12 = 48 |
#
# The last 12 bits are the offset in every mode. The field for level 1, the PT, begins at bit 12. The field for the
# next level begins where the field for level 1 ends, and so on. To get an index, shift the address to the right
# until the field is at the end, and keep as many bits as the field has. In Python, for the PD of a 64-bit guest:
# `gva >> 21 & 511`.
#
# There is one exception: in PAE mode the root, the PDPT, is smaller than a page. It has only four entries, so two bits
# choose one. The processor reads all four when CR3 is loaded and keeps them in registers.
#
# A 64-bit address has 16 more bits, 48 to 63. They only repeat bit 47, and no table uses them.
#
# (The kernel has constants and macros for this: `PT64_PT_BITS` and `PT32_PT_BITS`, `mmu.c:65-68`; `PT64_LEVEL_SHIFT`,
# `PT64_LEVEL_MASK` and `PT64_INDEX`, `mmu.c:114-123`; the same for 4-byte entries, `mmu.c:126-135`; the level of each
# mode's root, `mmu.c:152-157`.)
#
# Now another guest, in 32-bit mode, with an address of its own. Compute its two indices before you look. The picture
# after the question has two new words:
#
# - **Root slots**: if a guest has two or three levels, its shadow has three. The top of this shadow is not a page, but
#   four *root slots*. Each of them covers one gigabyte, like an entry of a PDPT. (They have nothing to do with
#   memory slots.)
# - *Quadrant*: a guest table of 1,024 entries does not fit into one shadow page of 512 entries. So the host divides it
#   among several shadow pages. A page table needs up to two. A directory needs four: each of its entries covers 4 MB,
#   an entry of the shadow only 2 MB, so one shadow page covers 1 GB of the directory's 4 GB. The quadrant is the number
#   of one of these pages (lesson 5).

# %% slideshow={"title": "A 32-bit guest, and an address in it"}
small = lesson.narrow(seed)
hex(small.gva)

# %% tags=["question"]
guess_narrow_split = lesson.narrow_split(small)
guess_narrow_split

# %% slideshow={"title": "Two fields above for the guest, three below for the shadow"} tags=["hide-input"]
small.vm.access(small.gva, user=True)
walk(small.vm, small.gva)

# %% tags=["answer"]
guess_narrow_split.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## What else is in an entry
#
# | bits | meaning |
# | --- | --- |
# | 0 P, 1 W, 2 U | present, writable, user |
# | 5 A, 6 D | accessed, dirty |
# | 7 PS, 8 G | large page, global |
# | from 12 on | the frame: **gfn** in the guest's entry, **hfn** in an spte |
# | 63 NX | no execute; entries of 8 bytes only |
# -->
# ## What is in an entry
#
# The index finds the entry; now look into it. An entry holds the number of a frame, and flags in the bits that the
# number leaves free.
#
# | bits | name | meaning | line |
# | --- | --- | --- | --- |
# | 0 | P | present: the entry is valid | `mmu.c:72` |
# | 1 | W | writable | `mmu.c:73` |
# | 2 | U | user code may use it | `mmu.c:74` |
# | 3, 4 | PWT, PCD | how the page is cached; our subject never needs them | `mmu.c:75-76` |
# | 5, 6 | A, D | accessed, dirty: lesson 2 | `mmu.c:77-78` |
# | 7 | PS | at level 2: a large page, without a table below | `mmu.c:79` |
# | 8 | G | global: stays in the TLB when CR3 is loaded | `mmu.c:81` |
# | 9-11 | free | for software; the host keeps marks of its own there in sptes: lesson 4 | `mmu.c:98-110` |
# | from 12 on | frame | the number of a frame or of the next table; in entries of 4 bytes up to bit 31 | `mmu.c:138-144` |
# | 63 | NX | no execute; only entries of 8 bytes have it | `mmu.c:82` |
#
# In some entries, bit 7 or bit 12 chooses how the page is cached (PAT, `mmu.c:80-86`). A large page of a 32-bit
# guest can have four more bits of address (PSE-36, `mmu.c:88-90`). The bits of an error code are in `mmu.c:147-150`;
# you will read some in lesson 2. (The file begins with its authors, its licence and its headers, `mmu.c:1-30`.)
#
# Guest entries and sptes have the same format, because both are made for the same kind of processor. One difference
# matters more than all others: **the guest's entry holds a gfn, and the spte holds an hfn**. (Pictures show the gfn
# in both, so that you can compare.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: who reads how much?
#
# The shadow of this guest is empty, except for its root. The program reads one byte for the first time.
# -->
# ## Who walks what
#
# Back to the 64-bit guest. Its shadow consists of the root page alone, and the program is about to read its byte for
# the first time. Three parties could read tables: the guest's kernel, the processor, and the host. The guest's kernel
# writes its tables, but it does not walk them to translate an address: it leaves this to the processor. So only the
# processor and the host walk tables. Count the entries that each of them reads until the program has its byte, also
# those of walks that fail. (When the host adds to the shadow, it also looks at entries of the shadow. Do not count
# these.)

# %% tags=["question"]
guess_who_reads = lesson.who_reads(here)
guess_who_reads

# %% [markdown]
# <!-- slide: -->
# In this film, a field of the address becomes yellow when the entry that it selects is read. Watch which list is
# used in which step: the guest's (above) or the shadow's (below).

# %% slideshow={"title": "One fault: a short walk below, a walk above, a long walk below"}
film = watch_walk(lambda: vm.access(gva, user=True), vm, gva)
film

# %% tags=["answer"]
guess_who_reads.reveal(film)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Change the mode, and watch again
#
# Try `"pae"`, `"32"` and `"64"`. How many tables are above, how many below?
# -->
# ## Change the mode, and watch again
#
# Here is the same access in another paging mode. Choose `"pae"`, `"32"` or `"64"`<!-- notebook -->, and run the cell
# again<!-- /notebook -->. Look for three things: how many tables are above and below; whether the two lists of
# fields agree; and what is at the root.

# %% slideshow={"title": "A PAE guest: four root slots instead of a root page"}
mode = "pae"
again = lesson.place(seed, mode)
watch_walk(lambda: again.vm.access(again.gva, user=True), again.vm, again.gva)

# %% [markdown]
# <!-- slide: -->
# The lists agree if the guest's entries have 8 bytes, as those of the shadow have. In 32-bit mode the guest has two
# tables, and the shadow has three levels with other indices. (An access must be allowed by all entries on its path, as
# in lesson 0. Two kinds of entries do not count, since they have no W and U: those of the PDPT of a PAE guest, and root
# slots.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: one poke for each of two addresses
#
# Two pages of one page table. The program has read the first one; it has not yet read the second. Then `poke` changes
# the frames in both guest entries.
# -->
# ## When the maps disagree
#
# In lesson 0 you changed a guest entry with `poke`: a write that the host does not notice. Now there are two
# addresses, `gva` and `here.neighbour`. Their entries are in the same page table of the guest. The program has read
# the page at `gva`. It has not yet used the page at `here.neighbour`. Then `poke` puts a new frame into both guest
# entries, and the program reads at both addresses.

# %% slideshow={"title": "Both guest entries get a new frame"}
for address, gfn in ((gva, here.spare), (here.neighbour, here.other)):
    vm.poke(here.guest.entry_gpa(address), here.entry(gfn))

# %% tags=["question"]
guess_poked = lesson.poked(here)
guess_poked

# %% slideshow={"title": "Two addresses, one guest table, two outcomes"}
results = [vm.access(gva, user=True), vm.access(here.neighbour, user=True)]
results

# %% tags=["answer"]
guess_poked.reveal(results)

# %% slideshow={"title": "The upper path leads to two frames, the lower one to one"} tags=["hide-input"]
hierarchy(vm, gva, here.neighbour)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: only the spte is changed
#
# A new guest. The program has read its byte. Then the frame in the *spte* is changed by hand; the guest's tables stay
# as they are.
# -->
# ## Change the other map
#
# Now the other way round. In a new guest, the program reads its byte. Then we change the frame in the spte by hand,
# and the guest's tables stay as they are. No kernel does this; it is an experiment.

# %% slideshow={"title": "Only the spte is changed"}
test = lesson.place(seed)
test.vm.access(test.gva, user=True)
test.aim(test.gva, test.other)

# %% tags=["question"]
guess_aimed = lesson.aimed(test)
guess_aimed

# %% slideshow={"title": "The program reads at its address"}
access = test.vm.access(test.gva, user=True)
access

# %% tags=["answer"]
guess_aimed.reveal(access)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "The shadow is the hypervisor's copy of the guest's tables"
#
# A copy has the same entries, with the same content. Let us compare, in the Linux guest of lesson 0.
# -->
# ## "The shadow is the hypervisor's copy of the guest's tables"
#
# Many explanations say something like this. An accepted answer on Stack Overflow (["What exactly do shadow page tables
# (for VMMs) do?"](https://stackoverflow.com/questions/9832140/what-exactly-do-shadow-page-tables-for-vmms-do)) begins
# like this: with shadow page tables, the hypervisor keeps track of what the guest believes its page tables to be. The
# word *shadow* suggests it, too: the dark image of a real thing.
#
# So is it a copy? A copy has the same entries as the original, and the same content. And if the two differ, the
# original is right and the copy is wrong. This last point has failed already: when the two maps disagreed, the program
# went where the shadow led. Now test the other two points. Take the Linux guest of lesson 0, let its program read one
# byte of its heap, and compare the two sets of tables.

# %% slideshow={"title": "The tables of a Linux guest, and their “copy”"}
linux = open_guest("lin64_A").vm()
linux.access(0x343C6000, user=True)
lesson.compared(linux, 0x343C6000)

# %% [markdown]
# <!-- slide:
# The author of another hypervisor, lguest, did not like the name: *what is called a shadow is the table that the
# processor uses* (comment in drivers/lguest/page_tables.c, 2007).
# -->
# So nearly all entries are missing in the shadow. Four exist, and the last of them holds a different number from the
# guest's entry: an hfn instead of a gfn. The shadow is no copy. It is the page table in use. (Lesson 0 counted more
# mapped pages than there are entries here. Linux links one page table from many places (lesson 8), and lesson 0 counted
# its pages once for each link.)
#
# The author of another hypervisor, lguest, did not like the name. In a comment, Rusty Russell says that *shadow* is a
# name from the guest's point of view. In fact, he says, the so-called shadow is the table that the processor uses
# ([drivers/lguest/page_tables.c](https://github.com/torvalds/linux/blob/v2.6.23/drivers/lguest/page_tables.c), Linux
# 2.6.23, 2007).

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: a slot moves
#
# The program has read its byte. Then the program on the host that runs the virtual machine moves slot 1 from gfn
# 0x400 to gfn 0x900. The frames of the host stay where they are.
# -->
# ## A bug of 2007
#
# The map from gva to hpa has two halves: gva to gpa, by the guest's tables, and gpa to hpa, by the slots. So far, the
# slots have stayed the same. They can change, too: the program on the host that runs the virtual machine may move a
# slot. Then the slot gets another first gfn, and its host frames stay where they are. In Linux 2.6.22 the call for this
# is `KVM_SET_MEMORY_REGION`. Today's call is another one, `KVM_SET_USER_MEMORY_REGION` ([KVM
# API](https://docs.kernel.org/virt/kvm/api.html)). It came a little later, with [commit
# 6fc138d22780](https://github.com/torvalds/linux/commit/6fc138d22780), and for some years KVM had both.
#
# Take a new guest. Its program has read its byte, in slot 1. Then slot 1 moves from gfn 0x400 to gfn 0x900. The
# guest's tables do not change: they still map the address to the old gfn. The program reads at this address again.

# %% tags=["hide-input"]
moving = lesson.place(seed)
first_read = moving.vm.access(moving.gva, user=True)

# %% tags=["question"]
guess_slot_moved = lesson.slot_moved(moving)
guess_slot_moved

# %% slideshow={"title": "The slot moves, and the program reads again"}
def move_and_read():
    moving.vm.set_slot(1, base=lesson.MOVED, npages=0x400)
    return moving.vm.access(moving.gva, user=True)


moved = watch_walk(move_and_read, moving.vm, moving.gva)
moved

# %% tags=["answer"]
guess_slot_moved.reveal(moved)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Does an audit notice?
#
# The kernel's file contains three **audits**, which compare its data structures. They run only in a debugging build.
# -->
# `mmu.c` contains three *audits*: functions that compare KVM's data structures with each other and with the guest's
# tables, and report what does not fit (lesson 14). They run only in a debugging build. `vm.audit()` runs all three of
# them. Does one of them notice the stale spte?

# %% slideshow={"title": "What the audits say"}
[str(complaint) for complaint in moving.vm.audit()]

# %% tags=["answer"]
lesson.SLOT_AUDIT

# %% slideshow={"title": "With the shadow thrown away, the access is emulated"}
moving.vm.zap_all()
moving.vm.access(moving.gva, user=True)

# %% [markdown]
# <!-- slide:  -->
# This course has a *museum*, a collection of KVM's bugs of that time. This bug is one of them. Its card shows a fix
# that zaps the shadow before a slot changes:

# %% tags=["no-slide"]
exhibit("slot_move_stale")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you saw

# %% tags=["answer"]
lesson.SUMMARY

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Check yourself
#
# Four questions with new numbers.
# -->
# ## Check yourself
#
# These questions have new numbers. <!-- notebook -->The verdict appears when you choose; *Another one* asks again
# with other numbers.<!-- /notebook -->

# %% tags=["check", "try-it"]
lesson.pae_split(seed)

# %% tags=["check", "try-it"]
lesson.through_an_alias(seed)

# %% tags=["check", "try-it"]
lesson.table_replaced(seed)

# %% tags=["check", "try-it"]
lesson.no_memory(seed)

# %% [markdown]
# <!-- slide: -->
# Now write it yourself: [exercise 01: Split an address](../exercises/01_split/README.md). Then go on with [Lesson
# 2](02_guest_walk.ipynb): what does the host do when it walks the guest's tables?

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 0: The first fault](00_first_fault.ipynb) ·
# [Lesson 2: The guest walk →](02_guest_walk.ipynb)
