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
# [← Lesson 15: Real boots](15_real_boots.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# Soon after 2007, processors learned to walk **two** sets of tables. *What replaced shadow paging, and what does the
# replacement cost?*
#
# - the memory references of a nested walk
# - exits with nested paging and with shadow paging
# - published measurements
# - where page tables are still shadowed
# -->
# # Lesson 16: Epilogue: What replaced it
#
# In this course, the host makes shadow tables because the processor can walk only one set of tables. Soon after 2007,
# processors learned to walk two sets. *What replaced shadow paging, and what does the replacement cost?*
#
# Today KVM uses the replacement wherever the processor has it. Even so, the code of this course is still needed. You will
# see where. And its bugs still get CVE numbers.
#
# After this lesson you can
#
# - count the memory references of a nested walk for any number of levels, and say what each of them reads;
# - predict when a guest exits with nested paging, and compare that with shadow paging;
# - say which kind of program is slower with nested paging, and what the published measurements say;
# - say where page tables are still shadowed today.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about 25 minutes. There are four predictions and four questions at the end. For the
# first one, let everyone draw the grid on paper before you show the choices.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The picture so far: the processor walks the guest's tables -->
# ## The picture so far
#
# Half of the picture is replaced: there are no shadow tables any more. The processor walks the guest's own tables. Each
# address that it finds there is a gpa, and the processor translates it with a second walk, through tables of the host.

# %% tags=["hide-input"]
from kvmmmu_lab.labs import course_picture, watch
from kvmmmu_lab.lessons import lesson_16 as lesson
from kvmmmu_lab.museum import exhibit

course_picture(16)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Two sets of tables, and no shadow
#
# - the **guest's tables** translate a gva to a gpa; CR3 belongs to the guest
# - the **host's tables** translate a gpa to an hpa: *EPT* (Intel), *NPT* (AMD)
#
# The processor needs the frame of a guest table before it can read an entry of it. So it walks the host's tables first.
# -->
# ## Two sets of tables
#
# A shadow table contains the result of two translations: from gva to gpa by the guest, and from gpa to hpa by the host.
# The host has to compute each result, and to notice when it is out of date. **Nested paging** does not combine the two
# translations. The guest has its own tables and its own CR3. The host has tables that lead from a gfn to an *hfn*, a
# frame of host memory, and tells the processor where their root is. Intel calls the host's tables *EPT* (extended page
# tables), and AMD *NPT* (nested page tables).
#
# Now follow the processor. It wants to read an entry of the guest's topmost table. CR3 has the address of this table. But
# this address is a gpa, and a gpa says nothing about host memory. So the processor first walks the host's tables, to find
# the frame in which the guest's table is. Then it can read the guest's entry. The entry contains the address of the next
# table, which is a gpa, too, and so on.
#
# The kit has a small machine of this kind, beside the engine of 2007. It lists each entry that the processor reads during
# such a walk. In its pictures, the number at the left of an entry says when it is read. The number at the right is the
# frame to which the entry leads: a gfn in an entry of the guest, an hfn in one of the host. `seed` decides where the
# tables are, and which levels and which recording you will see below.

# %% tags=["hide-input"]
from kvmmmu_lab.labs import nested_grid, plot_nested, watch_nested
from kvmmmu_lab.labs.nested_film import nested_walk

seed = 7

# %% tags=["question"]
guess_references = lesson.references(seed)
guess_references

# %% slideshow={"title": "Each cell is one entry that the processor reads"} tags=["hide-input"]
walk = nested_walk(4, 4, seed)
nested_grid(4, 4, seed)

# %% tags=["answer"]
guess_references.reveal(walk)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The walk, reference by reference -->
# ## Watch the walk
#
# Here is the same walk as a film. Each step reads one entry. Each column of the grid belongs to one table of the guest,
# and the last column to the data. The processor first goes down the lower part of a column: this is a walk of the host's
# tables. Then it knows where the guest's table is, and reads the guest's entry, at the top of the column.

# %% slideshow={"title": "Down a column, up to the guest's entry, on to the next column"}
watch_nested(4, 4, seed)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## Predict: other levels -->
# A 32-bit guest has fewer levels, and new processors can have five. `seed` decides which levels the next question is
# about.

# %% tags=["question"]
guess_other_levels = lesson.other_levels(seed)
guess_other_levels

# %% slideshow={"title": "The same grid with other levels"} tags=["hide-input"]
nested_grid(*lesson.shape(seed), seed)

# %% tags=["answer"]
guess_other_levels.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Change the levels, and watch again
#
# `host_levels = 0`: no host at all. `large = True`: the host maps 2 MB with one entry. How many references are left?
# -->
# **Something to change and watch again.** Change `host_levels` to 0: without a host, this is the walk that you know from
# lesson 2. Change it back to 4, and `large` to `True`: now a host's entry of level 2 maps 2 MB. So each walk of the
# host's tables ends one level earlier, and each column has one reference less.

# %% slideshow={"title": "The walk with the levels that you choose"}
guest_levels = 4
host_levels = 4
large = False
watch_nested(guest_levels, host_levels, seed, large=large)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Predict: and with shadow paging? -->
# ## And with shadow paging?
#
# Compare this with the engine of this course. A 64-bit guest has used a page, so its shadow tables are filled. The
# program uses the page again with an empty TLB, and we count the entries that the processor reads.

# %% tags=["question"]
guess_shadow_references = lesson.shadow_references()
guess_shadow_references

# %% slideshow={"title": "References with shadow paging"} tags=["hide-input"]
number = lesson.shadowed_guest(seed).read()
number

# %% tags=["answer"]
guess_shadow_references.reveal(number)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: exits of a real guest
#
# With nested paging the guest writes its page tables, loads CR3 and handles its page faults **alone**. It exits if the
# host's tables lack a frame: an *EPT violation*.
# -->
# ## Exits
#
# With nested paging, the guest may write its page tables: the processor reads them itself, so the host need not know. The
# guest may load CR3 and flush its TLB, and its page faults go directly to its kernel. None of this needs an *exit*, which
# stops the guest and runs the host. For the MMU, only one kind of exit is left: the processor needs a frame that is not
# in the host's tables yet. Intel calls this an *EPT violation*. The host adds the frame, and the guest goes on. (Exits
# for other reasons remain, such as interrupts and accesses to devices.)
#
# So for the recordings of lesson 15, we can count the exits with nested paging: one at the first use of each frame (no
# matter whether as data or as a page table), and one for each recorded access to a device. (A recording has only the
# first access to each page of a device since the last flush. The other accesses to devices are missing from both
# counts, with shadow paging and with nested paging.) `seed` decides which recording it is.

# %% tags=["question"]
guess_exits = lesson.exits(lesson.recording(seed))
guess_exits

# %% slideshow={"title": "Exits with shadow paging and with nested paging"} tags=["hide-input"]
plot_nested(lesson.recording(seed))

# %% tags=["answer"]
guess_exits.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## What replaced it in KVM
#
# | | |
# | :-- | :-- |
# | at first | KVM uses NPT and EPT with the old MMU code |
# | 2020 | the **TDP MMU**: a new MMU for nested paging alone |
# | 2021 | it is on by default (commit 71ba3f31) |
# | 2023 | a test that toggles CR0.WP: 5.63 s with the TDP MMU, 70.2 s with shadow paging |
# -->
# ## What became of the code
#
# At first KVM used nested paging with the MMU of this course. The tables of the host were shadow pages that shadowed no
# guest table, as for a guest without paging (lesson 11). KVM's documentation still describes such pages, and calls them
# *direct* ([The x86 kvm shadow mmu](https://docs.kernel.org/virt/kvm/x86/mmu.html)). KVM's name for both EPT and NPT is
# *TDP*, two-dimensional paging.
#
# In October 2020 the **TDP MMU** was merged: a second MMU beside the old one, for nested paging alone. It was made for
# the live migration of large guests. After a migration, many processors of a guest fault at the same time, and the old
# MMU handled one fault after the other (David Matlack, [Exploring an Architecture-neutral KVM
# MMU](https://classcentral.com/course/youtube-exploring-an-architecture-neutral-kvm-mmu-david-matlack-google-218842), a
# talk). The TDP MMU has been the default since August 2021 ([commit
# 71ba3f31](https://github.com/torvalds/linux/commit/71ba3f3189c78f756a659568fb473600fd78f207)).
#
# A measurement of 2023 shows how far apart the two kinds of paging are now. A hardened guest kernel clears and sets
# CR0.WP all the time. At each change, KVM released the roots, and had to get them again. Then a commit let KVM keep the
# roots with nested paging, because the host's tables do not depend on CR0.WP. With shadow paging the roots must still
# change, because CR0.WP is in the role today. A test with this kernel took this time:
#
# | | before the commit | after it |
# | :-- | --: | --: |
# | nested paging (TDP MMU) | 9.45 s | 5.63 s |
# | shadow paging | 70.3 s | 70.2 s |
#
# The source is the message of the commit (Mathias Krause, [KVM: x86: Do not unload MMU roots when only toggling CR0.WP
# with TDP enabled](https://github.com/torvalds/linux/commit/01b31714bd90), commit 01b31714bd90).

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "Shadow paging is dead"
#
# A guest that runs guests of its own: the inner hypervisor has nested tables, too. The processor can walk two sets of
# tables, not three.
#
# In the film, the *guest tables* are the nested tables of the inner hypervisor, and the inner guest makes the accesses.
# -->
# ## "Shadow paging is dead"
#
# "Hardware support eliminates this shadow layer", says the glossary that you know from lesson 15
# ([TermBaseHub](https://termbasehub.com/ept/)). For an ordinary guest this is true. But a guest may be a hypervisor itself,
# the *inner hypervisor*, and run a guest of its own, the *inner guest*. Many clouds have such guests. Now there are three
# translations: by the inner guest, by the inner hypervisor, and by the host. The processor can do only two.
#
# So the host **shadows the nested tables of the inner hypervisor** (on Intel, its EPT). They are tables in guest
# memory, and a guest writes them. The host merges each of their entries with its own translation. The processor then
# walks two sets: the inner guest's own tables, and this shadow, which leads from the inner guest's gpa straight to an
# hpa. In KVM, this is still the work of `paging_tmpl.h`, which is compiled once for tables with entries of 64 bits and
# once for 32 bits. Since 2013 it has been compiled a third time, for EPT ([commit
# 37406aaa](https://github.com/torvalds/linux/commit/37406aaa)). Ben-Yehuda and others describe the idea ([The Turtles
# Project](https://research.ibm.com/publications/the-turtles-project-design-and-implementation-of-nested-virtualization),
# OSDI 2010).
#
# The steps are the same as for an ordinary guest, so the engine of this course can show them. First the inner guest
# writes to a page. Then the inner hypervisor gives this page another frame, and the inner guest writes again. If shadow
# paging were dead, the host would have nothing to do. The film uses the words for an ordinary guest. Here they mean:
#
# | in the film | here |
# | :-- | :-- |
# | the guest's tables | the nested tables of the inner hypervisor |
# | the guest's kernel writes at an address | the inner guest writes at this address of its memory |
# | the host carries out a store for the guest | it carries out a store for the inner hypervisor |
# | INVLPG or a load of CR3 | the inner hypervisor's instruction for the same purpose, on Intel INVEPT |
#
# The film leaves out how the host learns of the inner hypervisor's store. The inner hypervisor itself runs with nested
# paging. For this the host has nested tables of its own. In these, the entry of a frame has no W if the frame holds one
# of the shadowed tables. So the store exits.

# %% slideshow={"title": "A hidden fault, and a write that zaps: in a nested guest"}
inner = lesson.NestedGuest(seed)
watch(lambda: [inner.use(), inner.move()], inner.vm, inner.pages[:1])

# %% [markdown]
# <!-- slide:
# Everything is there again: lazy filling, write protection, pre-write, reverse maps. Shadowed today: **nested guests**, and
# guests of hosts without EPT or NPT.
# -->
# You know each step: a hidden fault, a store that the host carries out, an entry that is zapped, and again a hidden
# fault.
#
# So KVM still shadows for nested guests; and also for all guests, if the processor has neither EPT nor NPT. New kernels
# still change this code. For example, since Linux 6.9 the MMU saves memory where nothing has to be shadowed: for
# workloads "that don't use nested virtualization (shadow paging)" ([KVM x86 MMU changes for
# 6.9](https://www.infradead.org/git/?a=commitdiff&h=41ebae2ecd1496aaf72596af9f37529d62a160ab&p=users%2Fhch%2Fdma-mapping.git)).

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A bug of 2007, and of 2021
#
# Two directory entries lead to one page table. One allows writing, the other does not. They share a shadow page.
# -->
# ## A bug of 2007
#
# Code that is still used can still have old bugs. You met this one in lesson 5: two directory entries lead to the same
# page table, and one of them forbids writing. Both paths share one shadow page, because its role does not contain the
# rights of the entries above. So a program can write to a page that it may only read. Before the film begins, the program
# has written to `0x1000`, through the entry that allows writing. In the film it uses the other path, with the address
# `0x201000`.

# %% slideshow={"title": "The second path writes through the entry of the first"}
exhibit("shared_pt_escalation").film()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# - All three audits are silent: they compare frames and counts, never rights.
# - 2021: much the same again, **CVE-2021-38198** (repaired by commit b1bd5cba).
# - 2026: **CVE-2026-46113** (a page of another gfn) and **CVE-2026-64561** (eviction zaps a root in use).
# -->
# All three audits are silent: they compare frames and counts, and never rights. In later kernels, the role contains the
# rights of the levels above. But until 2021 there was a mistake. When KVM chose the shadow page of a directory, the
# role contained not only the rights of the entries above the directory, but also those of the one entry *in* the
# directory that the access used (lesson 5). Suppose that two entries of level 3 lead to the same directory, and only
# one of them allows writing. If the first access through each path used a directory entry that forbids writing, the
# role said *no W* for both paths. So they shared the shadow page of the directory. Then an access on the path that
# allows writing used another entry of the directory, one with W, and the host put a link to writable sptes into the
# shared page. From then on, the other path led to these sptes, too: the same bug, one level higher. This is
# **CVE-2021-38198**, repaired by [commit
# b1bd5cba](https://github.com/torvalds/linux/commit/b1bd5cba3306691c771d558e94baa73e8b0b96b7).
#
# And in 2026, nineteen years after the kernel of this course, the shadow MMU got two more CVE numbers.
# [CVE-2026-46113](https://osv.dev/vulnerability/CVE-2026-46113): the kernel trusts a link, although the page below
# belongs to another gfn (lesson 11). [CVE-2026-64561](https://osv.dev/vulnerability/CVE-2026-64561): an eviction zaps a
# root that is about to be used (lesson 13). Dead code needs no repairs.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## What you saw -->
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
lesson.count_references(seed)

# %% tags=["check", "try-it"]
lesson.which_reference(seed)

# %% tags=["check", "try-it"]
lesson.first_uses(seed)

# %% tags=["check", "try-it"]
lesson.a_changed_entry(seed)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The way on -->
# ## The way on
#
# This was the last lesson. If there are exercises that you have not solved, the [start page](start.ipynb) lists them. After
# that, read the real thing: `arch/x86/kvm/mmu/` in a current kernel. `paging_tmpl.h` is still there. You will find
# `FNAME(fetch)`, `FNAME(page_fault)` and `kvm_mmu_get_shadow_page`, and you will know what they do.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 15: Real boots](15_real_boots.ipynb)
