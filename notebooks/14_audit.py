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
# [← Lesson 13: The pool](13_pool.ipynb) ·
# [Lesson 15: Real boots →](15_real_boots.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# *How do we know that the shadow allows writing where it should, and nowhere else?*
#
# - the dirty log: which pages were written since the last reading?
# - three audits, line by line
# - what a complaint means
# - what no audit sees
# -->
# # Lesson 14: Dirty logs and audits
#
# Everything in this course depends on one bit. Where W is missing in a shadow entry, the host sees the next write; where W
# is set, it sees none. *How do we know that the shadow allows writing where it should, and nowhere else?*
#
# Two parts of the kernel's file have to do with this bit. The **dirty log** uses it: it tells the host which pages a
# guest has written, so that a running guest can be copied to another machine. The **audits** check it, but only in
# part: they compare the host's data structures with each other and with the guest's tables, and complain if these do
# not agree.
#
# After this lesson you can
#
# - say what happens in one round of the dirty log, and predict how many writes fault;
# - predict which pages the log contains, also those that were not written;
# - say what each of the three audits compares, and read its complaints;
# - say which mistakes no audit notices.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about half an hour. There are five predictions and four questions at the end. Before
# the audits, ask everyone: if you had to write a check, which two lists would you compare?

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The picture so far: somebody checks it -->
# ## The picture so far
#
# The trees stay as they are. Two things beside them are new: a log for the frames, and the audits, which check the trees.

# %% tags=["hide-input"]
from kvmmmu_lab.labs import audit_counters, course_picture, memory_slots, watch, watch_counters
from kvmmmu_lab.lessons import lesson_14 as lesson
from kvmmmu_lab.museum import exhibit

course_picture(14)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A memory slot may have a dirty log
#
# To copy a running guest: copy all pages, then those that were written meanwhile, then those that were written meanwhile...
#
# The log is a bitmap: one bit for each page of the slot.
# -->
# ## A log for a slot
#
# Suppose that a running guest has to move to another machine. Its memory is copied while it runs, so the guest changes
# some pages after they were copied. These pages are copied again. Meanwhile the guest changes other pages, which are
# copied next, and so on. When only a few pages are left to copy, the guest stops for a moment, and they are copied, too.
# (A program that draws the guest's screen asks a similar question: which pages of the screen's memory have changed?)
#
# For this, a memory slot can have a **dirty log**: a bitmap with one bit for each page of the slot. (A *memory slot* is a
# piece of guest memory, lesson 1.) The program on the host that runs the VM turns the log on with a flag of the slot.
# Later it reads the log again and again. Each reading returns the pages that are marked, and clears the marks.
#
# Here is a guest whose data pages are in slot 1. Its program has written some of these pages and has only read the
# others. The table shows the address of each page, its gfn, and whether D is set in the guest's entry. D says that the
# page has been written (lesson 2). All numbers depend on `seed`. <!-- notebook -->Change it, run all cells again, and
# get other numbers.<!-- /notebook -->

# %% tags=["hide-input"]
seed = 7
logged = lesson.Logged(seed)
vm = logged.vm
logged

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## When the log is turned on, W is removed
#
# `kvm_mmu_slot_remove_write_access`: in each shadow page that reaches the slot, each entry with W leaves its reverse map and
# loses W.
# -->
# How can the host notice that a page is written? The processor writes it without telling anyone. There is only one way: W
# must be missing in the shadow entry, so that the write faults. So when the log is turned on, the host removes write
# access to the slot (`kvm_mmu_slot_remove_write_access`, `mmu.c:1321-1342`). It goes through all shadow pages in use:
#
# - Each shadow page has a small bitmap, which says what slots its entries reach. If the bit of the logged slot is clear,
#   the host skips this shadow page.
# - In the other shadow pages, each entry with W first leaves its reverse map and then loses W (lesson 6). This
#   includes entries for other slots. This does little harm: it costs one more fault for each of them.
# - Bits are set only in the bitmaps of level-1 pages. So the host skips all pages of higher levels, and links keep
#   their W.
#
# Then the host builds the context again (lesson 12): it takes the roots and loads the processor's own CR3, which also
# flushes the TLB.

# %%
logged.turn_on()
memory_slots(vm)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: the program writes
#
# The log is on. Every page has its shadow entry, and no entry has W.
# -->
# ## One round
#
# Every page has a shadow entry, but no entry for slot 1 has W now. The log is empty.

# %% tags=["question"]
guess_write_faults = lesson.write_faults(logged)
guess_write_faults

# %% slideshow={"title": "The number of writes that faulted"} tags=["hide-input"]
faults = logged.write(*logged.writes)
f"{faults} of {len(logged.writes)} writes faulted."

# %% tags=["answer"]
guess_write_faults.reveal(faults)

# %% slideshow={"title": "The log has one mark for each page that was written"} tags=["hide-input"]
memory_slots(vm)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Reading the log begins the next round
#
# If a page is marked: remove write access again, clear the marks, flush the TLB.
# -->
# Now the host reads the log. If any page is marked, the host removes write access to the slot once more, clears the
# marks, and flushes the TLB. Without the flush, the processor could still use an old translation that allows writing. The
# virtual processor is stopped during these steps, so the host misses no write.
#
# Then the program writes one of its pages again. Watch the entry of this page: it loses W, the write faults, the page is
# marked, and the entry gets W back.

# %% slideshow={"title": "The log is read, and the same page is written again"}
page = logged.writes[0]
watch(lambda: [logged.log(), logged.write(page)], vm, [logged.pages[page]])

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: all shadow entries are made again, by reads
#
# The log is read. Then the shadow is thrown away, and the program **reads** all of its pages.
# -->
# ## After the shadow was thrown away
#
# The host may throw shadow pages away at any time: because the pool is nearly empty, or because an alias is set (lesson
# 13). Here the host has read the log, and then zapped everything. So each page needs a new shadow entry. The host makes
# it from the guest's entry at the next access. Remember lesson 4: the new entry gets W at once if the guest's entry has W
# and D.

# %% tags=["hide-input"]
logged.log()
vm.zap_all()

# %% tags=["question"]
guess_in_the_log = lesson.in_the_log(logged)
guess_in_the_log

# %% slideshow={"title": "The pages in the log after reads"} tags=["hide-input"]
logged.read()
found = logged.log()
found

# %% tags=["answer"]
guess_in_the_log.reveal(found)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "A page in the log was written"
#
# The documentation says that the log has the pages *dirtied since the last call*. Does that mean *written*?
# -->
# ## "A page in the log was written"
#
# The documentation says that the call returns the pages that were "dirtied" since the last call ([KVM
# API](https://docs.kernel.org/virt/kvm/api.html), `KVM_GET_DIRTY_LOG`). Many readers take "dirtied" to mean "written".
# Test it with one more guest. Before its log is turned on, it writes the pages that are marked *set* in the table
# above. After that it only reads. We also compare the contents of its pages.

# %%
reader = lesson.Logged(seed)
reader.turn_on()
reader.log(), reader.vm.zap_all()
before = lesson.contents(reader.vm)
reader.read()
after = lesson.contents(reader.vm)
f"{len(reader.log())} pages in the log; contents unchanged: {before == after}"

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
lesson.IN_THE_LOG

# %% [markdown]
# <!-- slide:  -->
# Later kernels have false alarms, too. Years later Paolo Bonzini wrote that users of the log can see many of them:
# pages that have not been written since they were copied. He added a call with which a program clears marks just before
# it copies the pages (message of [commit
# 2a31b9db1535](https://github.com/torvalds/linux/commit/2a31b9db153530df4aa02dac8c32837bf5f47019)).

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## The audits run in a debugging build, before and after each fault
#
# 1. `audit_rmap`: as many references in reverse maps as writable entries?
# 2. `audit_write_protection`: is the map of each shadowed guest table empty?
# 3. `audit_mappings`: does each shadow entry lead to the frame that the guest's tables say?
# -->
# ## Three audits
#
# How did the authors know that W is where it should be? They wrote three checks into the file. The checks run only if the
# file is compiled with the switch `AUDIT`. Otherwise `kvm_mmu_audit` is an empty function that costs nothing
# (`mmu.c:31-37`). A second switch, `MMU_DEBUG`, turns on messages and assertions (`mmu.c:38-63`). An assertion that fails
# prints a warning with the line number, and the kernel goes on.
#
# `kvm_mmu_audit` (`mmu.c:1535-1547`) is called before and after the handling of each page fault, with a text such as *pre
# page fault*. The kernel keeps the text in a variable (`mmu.c:1388-1391`) and repeats it in each complaint. So a
# complaint says what is wrong, and the texts show when it went wrong. The function runs three audits, one after the
# other.

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## The first audit compares two numbers -->
# **1. Reverse maps** (`audit_rmap`, `mmu.c:1503-1511`). One function counts the references in the reverse maps of all
# frames of all slots (`count_rmaps`, `mmu.c:1446-1476`). A map without a descriptor has at most one reference. In a
# map with descriptors, the function counts the used places. Another function counts the entries that are present and
# writable, in all shadow pages of level 1 (`count_writable_mappings`, `mmu.c:1478-1501`). If the two numbers differ,
# the audit prints both.
#
# Here is a guest after some work. It has done this, in order:
#
# - It wrote one frame through two addresses, and a second frame through one address.
# - It read three pages: a page of its kernel, one of its own page tables, and another page.
# - It used the second frame as a page table.
# - It changed the guest entry of the page that it had read last.
#
# The picture shows all entries that the audit counts.

# %% tags=["hide-input"]
sound = lesson.Suspect(seed)
sound.work()
audit_counters(sound.vm)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## The second audit looks for writable mappings, the third compares frames
#
# - `audit_write_protection`: for each shadow page that is not metaphysical, is the reverse map of its guest table's frame
#   empty?
# - `audit_mappings`: for each entry below the root that maps a frame, walk the guest's tables. Do they lead to the same
#   frame?
# -->
# **2. Write protection** (`audit_write_protection`, `mmu.c:1513-1533`). This audit goes through all shadow pages in use,
# except metaphysical ones, which have no guest table. It finds the frame of each guest table. If the reverse map of this
# frame is not empty, the audit prints the gfn and the role of the shadow page.
#
# **3. Mappings** (`audit_mappings`, `mmu.c:1431-1444`). This audit walks down from the root, or from the four root
# slots, to every present entry (`audit_mappings_page`, `mmu.c:1401-1429`, which calls itself for each table below). On
# the way it computes the address that leads there. In a 64-bit address, all bits above bit 47 must repeat bit 47;
# `canonicalize` (`mmu.c:1393-1399`) sees to that. For each entry that maps a frame, the audit walks the guest's tables
# with the address that leads to this entry. If they lead to another frame, or to none, the audit prints the gva, the
# gpa, both frames and the entry.
#
# `vm.audit()` runs all three and returns a list of complaints, in a short form. The complaints look like this, with
# numbers in place of the capital letters M, N, G, A, X and Y:
#
# | complaint | what it says |
# | :-- | :-- |
# | `rmap`: M references, N writable entries | If N is larger: an entry got W and was not recorded. |
# | | If M is larger: an entry lost W and stayed in its map. |
# | `wp`: the guest table in gfn G has writable mappings | An entry in G's map has W, or lost W and stayed in the map. |
# | `map`: gva A reaches gfn X; the guest's tables map it to gfn Y | The entry of A was not zapped in time. |
#
# A complaint of `wp` also names the role of the shadow page. Frames are named by their gfns. A frame that is in no slot
# has no gfn, so a complaint of `map` calls it "nothing".
#
# In the guest above everything is in order, so the list is empty:

# %%
sound.vm.audit()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Two hosts, each with one changed part
#
# In each of them, one part does something else. The guests do the same work as before.
# -->
# ## Two hosts, each with one changed part
#
# Now the same guest runs on two hosts. In each, one part is replaced by a part that makes a mistake. `seed` decides
# which parts these are; here are their descriptions. Each guest does the work that is listed above, and then the audits
# run.

# %% tags=["hide-input"]
first, second = lesson.suspects(seed)
[first.mistake.says, second.mistake.says]

# %% tags=["question"]
guess_first_suspect = lesson.first_suspect(first)
guess_first_suspect

# %% slideshow={"title": "The counters of the first VM"} tags=["hide-input"]
first.work()
audit_counters(first.vm)

# %% tags=["answer"]
guess_first_suspect.reveal()

# %% slideshow={"title": "Predict: the second VM"} tags=["question"]
guess_second_suspect = lesson.second_suspect(second)
guess_second_suspect

# %% slideshow={"title": "The counters of the second VM"} tags=["hide-input"]
second.work()
audit_counters(second.vm)

# %% tags=["answer"]
guess_second_suspect.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## The numbers differ for a moment, or for good
#
# Between the step that makes an entry and the step that records it, the numbers differ for a moment. When does the difference
# stay?
# -->
# **Something to change and watch again.** Here is a film of the two counters during the guest's work. The variable
# `name` says which mistake the host makes. Between the step that makes an entry and the step that records it, the
# numbers differ for a moment. No audit runs at that moment: audits run only before and after a fault. Look for the
# access after which a difference stays. Then change `name` to another key of `lesson.MISTAKES`, or to `""` for a VM
# without a mistake, and watch again.

# %% slideshow={"title": "One entry is made and never recorded"}
name = "OneForEachFrame"
suspect = lesson.Suspect(seed, name)
watch_counters(suspect.work, suspect.vm)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: a write that the guest forbids
#
# Two directory entries lead to one page table. One path allows writing, the other does not.
# -->
# ## A write that is forbidden
#
# In the next guest, two entries of a page directory lead to the same page table. The first directory entry has W, the
# second does not. So one page has two addresses: the program may write at `open`, but only read at `read_only`. It has
# written at `open` first, and then read at `read_only`.

# %% tags=["hide-input"]
two = lesson.two_ways(seed)
f"open: {two.open:#x}, read_only: {two.read_only:#x}"

# %% tags=["question"]
guess_forbidden_write = lesson.forbidden_write(two)
guess_forbidden_write

# %% slideshow={"title": "The program writes where it may only read"}
both = [two.open, two.read_only]
write = watch(lambda: two.vm.access(two.read_only, user=True, write=True), two.vm, both)
write

# %% slideshow={"title": "The result of the write"} tags=["hide-input"]
outcome = write.result
outcome

# %% tags=["answer"]
guess_forbidden_write.reveal(outcome)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A bug of 2007: a slot is deleted, and its frames stay reachable
#
# The host deletes a memory slot and frees its frames. The shadow entries that lead there stay.
# -->
# ## A bug of 2007
#
# The program on the host that runs the VM can delete a memory slot: it sets the slot again, with a length of 0 pages. The
# kernel then frees the slot's frames, and builds the context again. But it zaps no shadow page. So the entries that lead
# to the freed frames stay, with their W. The guest can still write these frames, although they may already belong to
# another program on the host.
#
# Watch the counters while slot 1 is deleted. A frame that is in no slot has no gfn. So the picture names it by its *hfn*,
# its number on the host, and does not count its reverse map.

# %% slideshow={"title": "The slot is gone, and the entry still leads to its frame"}
deleted = lesson.Logged(seed)
page = deleted.written[0]
watch_counters(lambda: [deleted.delete_slot(), deleted.write(page)], deleted.vm)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Two audits notice it
#
# The first counts only maps of frames that are in a slot. The third finds no memory through the guest's tables.
# -->
# The write succeeded without a fault. This time two audits notice the bug:
#
# - The first counts only the maps of frames that are in a slot. So it finds fewer references than entries.
# - The third walks the guest's tables for each shadow entry. They lead to no frame, but the shadow entry still leads to
#   one, so the two differ. The complaint calls both "nothing": the gfn has no memory, and the frame is in no slot, so
#   it has no gfn.
#
# Here are the first three complaints, and the number of complaints of each audit:

# %% slideshow={"title": "The complaints about the deleted slot"}
complaints = deleted.vm.audit()
names = [complaint.audit for complaint in complaints]
counts = [f"{name}: {names.count(name)}" for name in ("rmap", "wp", "map")]
[*map(str, complaints[:3]), *counts]

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# - Fixed in July 2008 by Marcelo Tosatti: the shadow is flushed before a region is removed (commit 34d4cb8fca1f).
# - The audits were removed in 2022, `MMU_DEBUG` in Linux 6.6; what was useful became `CONFIG_KVM_PROVE_MMU`.
# -->
# The bug was fixed in July 2008: since then, the kernel zaps the shadow before it removes memory (Marcelo Tosatti,
# [commit 34d4cb8fca1f](https://github.com/torvalds/linux/commit/34d4cb8fca1f2a31be152b74797e6cd160ec9de6)). The
# museum's exhibit shows the bug with and without this fix. (In its code, `**fix` is the part with the fix. In the run
# without the fix it is empty.)

# %% tags=["try-it"]
exhibit("slot_delete_use_after_free")

# %% [markdown]
# <!-- slide:  -->
# And the audits? They were removed in 2022, because nobody had kept them up to date (Sean Christopherson,
# ["KVM: x86/mmu: Remove MMU
# auditing"](https://github.com/torvalds/linux/commit/1bbc60d0c7e5728aced352e528ef936ebe2344c0)). The switch `MMU_DEBUG`
# and its messages were removed in Linux 6.6. Its useful checks became an option of the kernel, `CONFIG_KVM_PROVE_MMU`
# (message of [commit d011151616e7](https://github.com/torvalds/linux/commit/d011151616e73de20c139580b73fa4c7042bd861)).

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
lesson.next_reading(seed)

# %% tags=["check", "try-it"]
lesson.printed_numbers(seed)

# %% tags=["check", "try-it"]
lesson.which_audit(seed)

# %% tags=["check", "try-it"]
lesson.deleted_slot(seed)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## The way on: write an audit yourself
#
# Exercise 10 asks for one that compares entries, not only numbers.
# -->
# ## The way on
#
# [Exercise 10](../exercises/10_audit/audit.ipynb) asks for an audit of your own. The kernel's first audit is silent if
# one reference is missing and there is one too many elsewhere, since the two numbers are still equal. Your audit has to
# name each entry that is wrong.
#
# [Lesson 15](15_real_boots.ipynb) leaves the small guests: it counts what happens while a real Linux guest runs.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 13: The pool](13_pool.ipynb) ·
# [Lesson 15: Real boots →](15_real_boots.ipynb)
