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
# [← Lesson 14: Dirty logs and audits](14_audit.ipynb) ·
# [Lesson 16: Epilogue: What replaced it →](16_epilogue.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# Until now our guests did what we told them. Here are three recordings of real Linux guests. *How often does a real guest
# need the host, and what for?*
#
# - what a recording contains, and how it is replayed
# - how many events are exits, and of which kinds
# - when frames become page tables, and when they are shadowed
# - what breaks without pre-write or write protection
# -->
# # Lesson 15: Real boots
#
# Until now our guests did what we told them: one access, one store, one CR3 load. A real guest does all of this at
# once, thousands of times a second. *How often does a real guest need the host, and what for?*
#
# The answer says what is worth optimizing, and where errors could stay hidden. To find it, we use recordings of three
# real Linux guests. The *engine*, the kit's model of the MMU, repeats what their processors did.
#
# After this lesson you can
#
# - say what a recording of a real guest contains, and in which two ways it can be replayed;
# - predict how many of its events are exits, and tell four kinds of exits apart;
# - say when a frame becomes a page table and when it stops being one, and when the host begins and stops shadowing it;
# - predict what goes wrong without pre-write or without write protection, and which replay notices it.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about half an hour. There are seven predictions and four questions at the end. Most
# answers are numbers: let everyone write down a guess before you show the choices.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The picture so far, with counters -->
# ## The picture so far
#
# Nothing in the machine is new. But now there are counters beside it: how often a fault stops the guest, how many shadow
# pages are in use, and how many were zapped.

# %% tags=["hide-input"]
from kvmmmu_lab.labs import course_picture, watch, write_lab
from kvmmmu_lab.lessons import lesson_15 as lesson
from kvmmmu_lab.museum import exhibit

course_picture(15)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Three recordings of real Linux guests
#
# - Debian 12 (Linux 6.1), 128 MB of memory, one processor: **lin32** (two levels), **linpae** (three), **lin64** (four)
# - recorded in an emulator, without a shadow: which frame each access reached through the *guest's own* tables
# - the first 20,000 events of a running guest, not of a boot
# -->
# ## Three recordings
#
# The kit contains three recordings of Debian 12 (Linux 6.1) with 128 MB of memory and one processor: `lin32_20k` with
# tables of two levels, `linpae_20k` with three and `lin64_20k` with four. In each guest three programs sleep, one works
# with a large array, and one starts new programs all the time, so processes fork and exit all the time.
#
# The recordings were made with an emulator that walks the guest's own tables. So a recording contains no shadow. It says
# what the guest did, and which frame each access reached through the *guest's* tables. If the engine reaches the same
# frames through its shadow tables, the engine is right.
#
# Each recording has 20,000 **events**. In spite of this lesson's title, they are not whole boots: a recording begins when
# the guest has been running for a while, and ends after a fraction of a second. The kit also has two snapshots of page
# tables from the very beginning of a boot, `lin32_early3_pg` and `lin64_early3_pg`. You find them in the labs.
#
# `seed` decides which recording you see, and how many of its events.
# <!-- notebook -->
# Change it, run all cells again, and get other numbers.
# <!-- /notebook -->

# %% tags=["hide-input"]
from kvmmmu_lab.labs import plot_exits, plot_flooding, plot_missing, plot_pool, plot_tables

seed = 7
study = lesson.Study(seed)
study.contents

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Two ways to replay a recording
#
# - **native**: each write to a page table goes through the shadow tables. It traps only if they forbid it.
# - **emulated**: each write to a page table is handed to the host at once.
#
# In both, each access must reach the recorded frame, and each fault must have the recorded error code.
# -->
# These are the main kinds of events:
#
# - *Access to a page*: after each flush, only the first read, the first write and the first fetch of each page. After a
#   flush, the TLB has forgotten the page, so a real processor walks the tables at the first access. Later accesses are
#   not recorded.
# - *Write to a page table*: each one is recorded, with its value.
# - *Frame becomes a page table*: an entry of another table leads to it now. The first events of a recording only name the
#   page tables that exist already.
# - *Frame ceases to be a page table*: no root of the guest leads to it any more.
#
# The engine can replay a recording in two ways. In a **native** replay, each write to a page table is an ordinary write
# by the guest. It goes through the shadow tables, and traps only if they forbid it. In an **emulated** replay, each of
# these writes is handed to the host at once, without a trap. In both ways, each access has to reach the recorded frame,
# and each fault of the guest has to have the recorded error code. All numbers in this lesson are computed while you read.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: how many exits?
#
# An **exit**: a page fault leaves the guest, and the host runs. It fills the shadow, carries out a write to a page table,
# passes the fault on to the guest, or emulates a device.
# -->
# ## How many exits?
#
# When a page fault stops the guest and the host takes over, this is an **exit**. The guest waits until the host is done,
# so exits are what makes shadow paging slow. (A guest also exits for other reasons, such as interrupts and CR3 loads.
# Here we count page faults only.) There are four kinds:
#
# - **shadow filled**: the guest's tables allow the access, and the host makes a shadow entry or adds a right to one
#   (lessons 3 and 4);
# - **table write trapped**: the guest writes a page table that is write-protected, and the host carries out the write
#   (lessons 7 and 9);
# - **true fault**: the guest's own tables refuse the access, and the host passes the fault on;
# - **device access**: the gfn is in no memory slot, and the host emulates a device. The guest gets no page fault.
#
# Only the true fault reaches the guest. The first two are the usual *hidden faults*: the guest never learns of them.

# %% tags=["question"]
guess_exits = lesson.exits(study)
guess_exits

# %% slideshow={"title": "Exits along the recording"} tags=["hide-input"]
plot_exits(study.name, study.events)

# %% tags=["answer"]
guess_exits.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Predict: whose faults are they? -->
# ## Whose faults?
#
# On bare hardware this guest would have had page faults, too: Linux fills its page tables lazily, as the host fills the
# shadow. Which share of the exits are such faults?

# %% tags=["question"]
guess_own_faults = lesson.own_faults(study)
guess_own_faults

# %% slideshow={"title": "The exits of each kind"} tags=["hide-input"]
study.says_exits

# %% tags=["answer"]
guess_own_faults.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Frames become page tables, and cease to be -->
# ## Frames become page tables, and cease to be
#
# A page table is an ordinary frame with a special use. When a process starts, Linux takes frames from its free memory and
# fills them with entries. When the process ends, the frames are free memory again, and soon they hold a file or a stack.
#
# The next plot has a row for each frame that became a page table, or ceased to be one, during the recording. The thin
# blue line says when the frame *is a page table*, as the guest sees it. The thick orange line below says when it *is
# shadowed*: when the host has a shadow page for it. Dotted lines mark where a process ends.
#
# Two questions for this plot: Does an orange line begin where the blue line above it begins? Does it end where the blue
# line ends?

# %% tags=["question"]
guess_left_over = lesson.left_over(study)
guess_left_over

# %% slideshow={"title": "Page tables and their shadow pages"} tags=["hide-input"]
plot_tables(study.name)

# %% tags=["answer"]
guess_left_over.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: -->
# When the pool is almost empty, the oldest shadow pages leave (lesson 13). Many of these belong to frames that are no
# page tables any more, so little is lost. In these recordings, however, the pool is never almost empty. The next plot
# counts the shadow pages in use, for all three recordings.

# %% slideshow={"title": "The pool is never used up"} tags=["hide-input"]
plot_pool()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## One fault of the guest, 16 new entries
#
# A program reads a page of a file. Linux fills the entries of the 16 pages around it: **fault-around** (2014).
# -->
# ## A page table is written
#
# Now look closely at one moment. A program in `lin32` has read a page of its own file for the first time, and the guest's
# tables had no entry for this page. Linux does not fill only this one entry. It also fills the entries of the pages
# around it, 16 in all, if these pages are in memory already. This is called *fault-around* (Kirill Shutemov, [mm:
# introduce vm_ops->map_pages()](https://github.com/torvalds/linux/commit/8c6e50b0290c4c708a3e6462729e1e9151a9a7df),
# 2014). So the guest's kernel is about to write 16 entries of one page table, one after the other. The table is shadowed.
#
# The film shows the first three of these writes. The table in gfn `0x1cb2` has two shadow pages, one for each of its
# quadrants. Watch them. (Between the first write and the second, the kernel fetches an instruction from a page that is
# not in the shadow yet. The film leaves out accesses that cause no exit.)

# %% slideshow={"title": "The third write in a row zaps the shadow page"}
happening = lesson.Happening("fault-around in lin32")
watch(lambda: happening.writes(3), happening.vm, happening.focus)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Change the moment, and watch again
#
# `"fork in lin32"`: which right does the kernel take away, and how many bytes does it write?
# `"copy on write in lin32"`: how often is the entry written?
# -->
# The third write in a row is a *flood* (lesson 9): the host assumes that the frame is no page table any more, and zaps
# its shadow pages. The fourth write faults once more, and the host makes the frame writable. The guest writes the other
# entries without the host.
#
# **Something to change and watch again.** Other moments of the recordings have names, too. The next film shows `"exit in
# lin64"`: a process ends. Change `name` to `"fork in lin32"`, and look at what the kernel writes: how many bytes, and
# which right does the entry lose? Then try `"copy on write in lin32"` and `"exit in lin32"`.

# %% slideshow={"title": "The writes at another moment"}
name = "exit in lin64"
other = lesson.Happening(name)
watch(lambda: other.writes(3), other.vm, other.focus)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Predict: how many writes does the host carry out? -->
# ## Writes to page tables
#
# A recorded guest writes to its page tables all the time: when a process starts, grows, forks and ends. Write protection
# makes such a write trap, and then the host carries it out. (Here we count only writes to frames that are page tables
# now. The number of exits *table write trapped* is a little larger: it includes writes to frames that are still shadowed,
# but are no page tables any more.)

# %% tags=["question"]
guess_trapped = lesson.trapped(study)
guess_trapped

# %% slideshow={"title": "Writes to page tables: all, and those that trapped"} tags=["hide-input"]
study.says_writes

# %% tags=["answer"]
guess_trapped.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: -->
# How many exits does flooding save? The next plot compares two hosts, for all three recordings. The first one is the
# host of 2007. The second takes no notice of floods: however often a page table is written, it zaps single entries.
# Both are right: each access reaches its frame. But the second has more exits, as the lower bar of each pair shows.

# %% slideshow={"title": "Without flooding there are twice as many exits, or more"} tags=["hide-input"]
plot_flooding()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## Predict: how good is the assumption? -->
# Flooding is based on an assumption: a frame that is written three times in a row is no page table any more, or at least
# will not soon be used as one. The author of this code called it a *fork detector* (lesson 10), because a fork writes
# page tables entry by entry. But the first film of this lesson showed a fault-around, and no fork.

# %% tags=["question"]
guess_used_again = lesson.used_again(study)
guess_used_again

# %% slideshow={"title": "The floods of the recording"} tags=["hide-input"]
study.says_floods

# %% tags=["answer"]
guess_used_again.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: a host without write protection
#
# `rmap_write_protect` does nothing, and `set_pte_common` gives W to entries of page-table frames, too.
# -->
# ## What breaks without it?
#
# Lessons 7 and 9 were about two mechanisms. **Write protection** lets the host see each write to a shadowed page table.
# **Pre-write** zaps the shadow entries that were made from the written bytes. Each of these two mechanisms can be
# replaced by a part that does nothing. The recordings then show what a real guest would notice.
#
# First we replace write protection, and replay the recording in the native way. An access *goes wrong* in one of these
# cases:
#
# - It does not reach the frame that was recorded.
# - It is refused, but in the recording it was allowed, or the other way round.
# - It is *stuck*: it faults again and again, because the host does not replace an entry that is present.

# %% tags=["question"]
guess_unprotected = lesson.unprotected(study)
guess_unprotected

# %% slideshow={"title": "The first access that goes wrong"} tags=["hide-input"]
study.says_wrong

# %% tags=["answer"]
guess_unprotected.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## Predict: the same without traps -->
# Look again at the output above the answer. For each kind, it shows the first access that went wrong: the event, the
# address, what was recorded, and what the engine did with its stale entry. A write is stuck if the stale entry leads to
# the old frame and has no W. The guest's own entry allows the write now, so the host does not pass the fault on. And
# the shadow entry is present, so the host does not make a new one.
#
# Next we replay the same recording in the emulated way.

# %% tags=["question"]
guess_unnoticed = lesson.unnoticed(study)
guess_unnoticed

# %% slideshow={"title": "Wrong accesses without each mechanism"} tags=["hide-input"]
plot_missing()

# %% tags=["answer"]
guess_unnoticed.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "Every write to a page table traps"
#
# A glossary says that without hardware support the hypervisor "must intercept every attempt by the guest operating system
# to modify its page tables".
# -->
# ## "Every write to a page table traps"
#
# Shadow paging is often explained in this way. Without hardware support, says one glossary, "the hypervisor must
# intercept every attempt by the guest operating system to modify its page tables" ([EPT, in
# TermBaseHub](https://termbasehub.com/ept/)). You have just seen a recording that contradicts it. Here are all three
# recordings, with the numbers of writes to page tables, and of those that trapped.

# %% slideshow={"title": "Few of the writes trap, in all recordings"}
lesson.writes_and_traps()

# %% [markdown]
# <!-- slide:
# In fact the host must see only **the writes to entries from which shadow entries were made**. Later kernels do not
# even trap all of these: at the guest's next flush, they compare the table with its shadow page.
# -->
# The host need not see every write. It must see a write to a table only *while shadow entries made from the table
# exist*. Before a table is used, the host has not made any; and after a flood, the host has zapped them. Then the guest
# may write the table freely, because the next use of the table faults anyway.
#
# Later kernels went further. Since 2008, KVM lets the guest write a shadowed page table of level 1 freely. At the guest's
# next flush, it compares the table with its shadow page (Marcelo Tosatti, [KVM: MMU: out of sync shadow
# core](https://github.com/torvalds/linux/commit/4731d4c7a07769cf2926c327177b97bb8c68cafc)).

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A bug of 2007: demand paging is taken for a flood
#
# The guest maps a page, **uses it**, maps the next one, uses it ... The faults in between do not reset the count.
# -->
# ## A bug of 2007
#
# The host counts writes in a row to one page table. Only a trapped write to another table resets the count
# (`mmu.c:1155-1164`); any other fault does not. So a program that touches one new page after the other looks like a
# flood: the guest's kernel writes an entry, the program uses it, the kernel writes the next entry. The page table is
# *used* between the writes, which is the best sign that the frame is still a page table. And yet the third write zaps
# its shadow page.
#
# The film shows a small guest, whose writes to page tables are handed to the host at once. No audit complains, because
# all tables are right: the bug only costs time.

# %% slideshow={"title": "Each page is used, and the third write is still a flood"}
exhibit("flood_counts_forever").film()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## The later change, on the recording
#
# Later, commit a25f7e1f resets the count at a page fault of the guest's own. Here are the floods and the exits of the
# recording, as in 2007 and with a part that resets the count whenever the host makes an spte.
# -->
# A later change resets the count when the guest gets a page fault of its own (lesson 10, [commit
# a25f7e1f](https://github.com/torvalds/linux/commit/a25f7e1f)). The fix in the museum's exhibit has the same purpose: it
# resets the count whenever the host makes an spte. What does this fix change in our recording? The first line has the
# floods and the exits of 2007; the second, those with the fix.

# %% tags=["hide-input"]
lesson.says_flood_counts(study.name)

# %% [markdown]
# <!-- slide: -->
# There are fewer floods, as intended. But the number of exits hardly changes, and in `lin64` and `linpae` it even
# grows. The reason is that today's Linux writes 16 entries at one fault. So most floods here are long runs of writes,
# without any use of the table between them. During such a run, flooding saves exits. Before 2014, Linux filled one
# entry at a fault. So which rule is best depends on the guest, and guests change.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## What you saw -->
# ## What you saw

# %% tags=["answer"]
lesson.SUMMARY

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Check yourself -->
# ## Check yourself
#
# Four questions about other moments of the recordings. <!-- notebook -->Each is checked as soon as you choose. *Another
# one* asks again about another moment.<!-- /notebook -->

# %% tags=["check", "try-it"]
lesson.run_of_writes(seed)

# %% tags=["check", "try-it"]
lesson.kind_of_exit(seed)

# %% tags=["check", "try-it"]
lesson.what_a_replay_notices(seed)

# %% tags=["check", "try-it"]
lesson.is_shadowed(seed)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The way on: be the guest's kernel -->
# ## The way on
#
# No exercise belongs to this lesson. But if you have written the pre-write of [exercise
# 09](../exercises/09_pre_write_32/README.md), its check has already replayed all three recordings with your code.
#
# Two labs can start at a moment of a recording. In the lab below, a process in `lin64` is about to fork: predict which
# shadow entry the next write zaps, and then write. The other lab, `fault_lab(preset="copy on write in lin32")`, starts
# with an access that the guest's tables refuse.
#
# [Lesson 16](16_epilogue.ipynb) is the last one: what replaced all this, and what does the replacement cost?

# %% tags=["try-it"]
write_lab(preset="fork in lin64")

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 14: Dirty logs and audits](14_audit.ipynb) ·
# [Lesson 16: Epilogue: What replaced it →](16_epilogue.ipynb)
