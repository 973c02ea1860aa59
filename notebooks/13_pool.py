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
# [← Lesson 12: Roots and modes](12_roots.ipynb) ·
# [Lesson 14: Dirty logs and audits →](14_audit.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# The host has **256 shadow pages** for one guest, and no more. *Which one goes first when all of them are used?*
#
# - when pages are evicted, and how many
# - which pages leave, and what happens to a root
# - what an evicted page costs
# - what object caches are for
# -->
# # Lesson 13: The pool
#
# A guest with many programs has thousands of page tables. The host of 2007 has 256 shadow pages for it, and no more. So
# sooner or later, nearly all of them are in use when a fault needs one. Then the host has to take pages away from other
# tables. *Which shadow page goes first?*
#
# The choice matters: when a shadow page has been taken away, the next access through it faults. The rule is short, and
# some of its consequences are surprising.
#
# After this lesson you can
#
# - say when the host evicts shadow pages, and how many;
# - predict which pages leave, and what happens to a root that is in use;
# - predict which addresses fault after an eviction, and how many new pages these faults take;
# - say what object caches are for, and when they are filled.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about half an hour. There are five predictions and four questions at the end. Draw
# the belt on the board before the first question, and let everyone say what "oldest" means: taken first, or used last?

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The picture so far: the pool is behind every shadow page -->
# ## The picture so far
#
# Every shadow page in this picture comes from one pool, and later returns to it. New in this lesson is the order in
# which pages leave the pool and return to it.

# %% tags=["hide-input"]
from kvmmmu_lab.labs import belt, course_picture, pool, pool_lab, watch_belt
from kvmmmu_lab.lessons import lesson_13 as lesson
from kvmmmu_lab.museum import exhibit

course_picture(13)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## All shadow pages are made when the VM is made
#
# - 256 frames of zeroes, each with a header, in the **free list**
# - A page that is taken enters the **active list** at its head (`kvm_mmu_alloc_page`).
# - A page that is freed has only empty entries again (`kvm_mmu_free_page`).
#
# In this lesson a program reads one byte in each of many **regions** of 2 MB. Each needs another page table.
# -->
# ## A pool of 256 pages
#
# When a VM is created, the host allocates everything that its shadow will ever use (`kvm_mmu_create`, `mmu.c:1295-1302`,
# calls `alloc_mmu_pages`, `mmu.c:1256-1293`):
#
# - 256 frames of 4 KiB, each filled with zeroes, each with a small header beside it;
# - one frame for the four root slots of a three-level shadow (lesson 12). It must be in the first 4 GB of the host's
#   memory, because its address goes into the processor's own CR3. Unless the guest is in long mode, only 32 bits of
#   this register are used.
#
# If an allocation fails, the host frees everything that it has allocated so far, and creates no VM. If all allocations
# succeed, it builds the first context (lesson 12; `kvm_mmu_setup`, `mmu.c:1304-1311`).
#
# Every shadow page is in one of two lists:
#
# - The **free list** has the pages that are not in use. The page that was freed last is taken next.
# - The **active list** has the pages in use. A page that is taken enters this list at its **head** (`kvm_mmu_alloc_page`,
#   `mmu.c:472-489`).
#
# The header of a page is reset when the page is taken. The header also records to which memory slots the entries of the
# page lead (lesson 1). For a new page this record is empty. The only parent of the page is the entry that needs it. (A
# root has no parent.) A page that is freed goes back to the free list (`kvm_mmu_free_page`, `mmu.c:458-466`).
#
# A free page contains only zeroes. Before a page is freed, all its entries are cleared. A writable spte is also removed
# from the reverse map of its frame. A link is also removed from the parents of the page below (lesson 8). So the page
# can be used again as it is. A kernel compiled for debugging checks this, entry by entry (`is_empty_shadow_page`,
# `mmu.c:440-456`).
#
# In this lesson a program reads one byte in each of many **regions**. A region is 2 MB of addresses: one page table maps
# it. So each new region needs another page table, and another shadow page of level 1. `seed` decides where the regions
# are.<!-- notebook --> Change it, run all cells again, and get other numbers.<!-- /notebook -->

# %% tags=["hide-input"]
seed = 7
program = lesson.Program(seed)
vm = program.vm
program

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## A page enters at the head and moves towards the tail -->
# Here is the active list, drawn as a belt that moves from left to right. At the left, new pages come from the free list
# and enter at the head. The oldest page is at the **tail**, at the right. Places are counted from there. When the page
# at place 1 leaves, all others move one place closer to the tail.
#
# Each row of the picture is one place of the belt. It shows the number of the place, counted from the tail; the level and
# the number of the page; and how many of its 512 entries are used. The middle of the belt is not drawn.
#
# At the tail are the oldest pages. The first four are from the time before the guest turned paging on (lesson 12). Then
# comes the root. After the root come the pages that the first read needed: a PDPT, a page directory and a page table.

# %% tags=["hide-input"]
belt(vm)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: the first read that evicts
#
# Does a fault begin with **fewer than 5** free pages? Then pages are zapped from the tail until **25** are free.
# -->
# ## Five and twenty-five
#
# The host counts its free pages at two moments: when a page fault has stopped the guest, just before the host calls
# `page_fault`; and when the guest loads CR3 (`mmu.c:947-948`). If **fewer than 5** are free, the host zaps the page at
# the tail, then the next one, and so on **until 25 are free** (`kvm_mmu_free_some_pages`, `mmu.c:1224-1235`; line 1235
# exports it to the modules for Intel and AMD processors). This is called **eviction**. To *zap* a page means to clear the
# entries that lead to it, to clear its own entries, and, as a rule, to free it (lesson 8).
#
# Now the program reads on, one new region after the other. `read_on` stops after the first read that makes the host
# evict, and returns the number of that read. The read that has already happened does not count: the next one is read 1.

# %% tags=["question"]
guess_first_to_evict = lesson.first_to_evict(program)
guess_first_to_evict

# %% slideshow={"title": "The number of the read that evicts"} tags=["hide-input"]
number = program.read_on()
f"The host evicted pages at read {number}."

# %% tags=["answer"]
guess_first_to_evict.reveal(number)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Predict: how many pages are free afterwards? -->
# ## Watch an eviction
#
# Let us go back to the moment before that read. The same program starts again on a fresh machine, and stops one read
# earlier.

# %% tags=["hide-input"]
program = lesson.Program(seed)
program.read(number - 1)
vm = program.vm
belt(vm)

# %% tags=["question"]
guess_free_after = lesson.free_after(program)
guess_free_after

# %% [markdown]
# <!-- slide:  -->
# Watch the tail. Each page that is zapped leaves place 1, and all others move one place closer to the tail. Pause when
# the root is at place 1.
#
# A page fault starts all this. But the film shows it only after the last zap, because the host evicts first, and only
# then calls `page_fault`. The film leaves out changes of single entries.

# %% slideshow={"title": "Pages leave at the tail until 25 are free"}
watch_belt(lambda: program.read(), vm)

# %% tags=["answer"]
guess_free_after.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Predict: the program starts again from the beginning -->
# ## What an eviction costs
#
# The program now reads all its regions again, except the last one. Most of the shadow pages for their page tables are
# still on the belt, with all their entries. For each read, the processor has to get from the root down to such a page.
# Remember which pages were zapped in the film. What does the processor find on its way?

# %% tags=["question"]
guess_faults_again = lesson.faults_again(program)
guess_faults_again

# %% slideshow={"title": "The number of reads that faulted"} tags=["hide-input"]
faults = program.read_again()
f"{faults} of {program.done - 1} reads faulted."

# %% tags=["answer"]
guess_faults_again.reveal(faults)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: a page in use, and a page that nobody uses
#
# Two regions: one has its page near the tail, the other further from it.
# -->
# ## The second eviction
#
# The pages at the top of the tree are young now: they were taken again after the eviction, so they are near the head. The
# next eviction will take only pages for page tables.
#
# We choose two regions. The page of the first is among the 20 pages nearest to the tail. The page of the second is 50 to
# 150 places from the tail. Then the program reads the first region a hundred times, and leaves the second alone. Here are
# the places of both pages:

# %% tags=["hide-input"]
busy, idle = lesson.two_regions(program, seed)
for _ in range(100):
    program.faults(busy)
f"region {busy}: place {program.place(busy)}, region {idle}: place {program.place(idle)}"

# %% tags=["question"]
guess_still_there = lesson.still_there(program, busy, idle)
guess_still_there

# %% slideshow={"title": "Faults of both regions after the second eviction"} tags=["hide-input"]
program.read_on()
counts = [program.faults(busy), program.faults(idle)]
f"region {busy}: faults {counts[0]}, region {idle}: faults {counts[1]}"

# %% tags=["answer"]
guess_still_there.reveal(counts)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: objects for one frame
#
# Under a lock, allocating memory is not allowed. So descriptors and parent chains are allocated **before** the fault is
# handled, and kept in two caches.
# -->
# ## Object caches
#
# Besides shadow pages, a fault may need two kinds of small objects: descriptors for reverse maps (lesson 6), and parent
# chains (lesson 8). The host cannot allocate them at the moment when it needs them. It handles a fault while it holds a
# *spinlock*, a lock for which other processors wait in a loop. An allocation may have to wait for memory, and the holder
# of such a lock must not wait.
#
# So the host keeps two **object caches** for each virtual processor, one for each kind, with at most 20 objects each.
# When it begins to handle a fault, it looks at both (`mmu_topup_memory_caches`, `mmu.c:205-255`). A cache that holds
# fewer objects than its **minimum** is filled up to 20. The minimum is 1 for descriptors and 4 for parent chains. At
# first the host asks for memory without waiting. If this fails, it releases the lock, allocates with waiting, and takes
# the lock again.
#
# During the rest of the fault, the host takes objects only from the caches (`mmu.c:263-272`), and puts back those that it
# no longer needs (`mmu.c:274-280`). An empty cache at that time would be a bug of the kernel, and the host would crash.
#
# The objects come from two allocators, which the module makes when it is loaded (`kvm_mmu_module_init`,
# `mmu.c:1369-1387`). The function that runs when the module is unloaded removes them (`kvm_mmu_module_exit`,
# `mmu.c:1361-1367`). If `kvm_mmu_module_init` cannot make the second allocator, it calls `kvm_mmu_module_exit` to
# remove the first one.
#
# Here is a guest that has just started. Both caches are drawn on the right; *pte chains* are parent chains.

# %% tags=["hide-input"]
machine, addresses = lesson.many_addresses(seed)
pool(machine, limit=4)

# %% tags=["question"]
guess_descriptors_left = lesson.descriptors_left(machine, addresses)
guess_descriptors_left

# %% slideshow={"title": "The caches after the writes"} tags=["hide-input"]
for gva in addresses:
    machine.access(gva, write=True)
pool(machine, limit=4)

# %% tags=["answer"]
guess_descriptors_left.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Everything goes at once
#
# `kvm_mmu_zap_all` releases the roots first, so no page is a root in use: one pass empties the belt. Then the context is
# built again.
# -->
# ## Everything at once
#
# Two operations empty the whole belt. `kvm_mmu_zap_all` (`mmu.c:1344-1359`) runs when an *alias* is set: a second range
# of gfns for memory that a slot already has (lesson 1). `kvm_mmu_destroy` (`mmu.c:1313-1320`) runs when the VM ends. It
# calls `free_mmu_pages` (`mmu.c:1237-1254`), which also returns all frames to the host.
#
# Both zap the page at the *head*, again and again, until the list is empty. With a root in use, this would never end: the
# root would be emptied and moved to the head, so it would be zapped again, and so on. Therefore both release the roots
# first.
#
# After that, `kvm_mmu_zap_all` also empties the object caches, flushes the TLB and builds the context again. The new
# root is the page that was freed last. Since the host zapped from the head, this is the page that was at the tail.

# %%
vm.zap_all()
belt(vm)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "The page that has not been used for the longest time goes first"
#
# That would be **LRU** (least recently used), as operating systems do it for memory, at least roughly. The opposite is
# **FIFO**: first in, first out.
# -->
# ## "The page that has not been used for the longest time goes first"
#
# Operating systems choose pages of memory in this way, at least roughly. The rule is called *LRU*, least recently used.
# Many readers of the code expect it here, because lists with a head and a tail are often used for it: whenever a page is
# used, it moves to the head. Another rule is *FIFO*: first in, first out. With FIFO, it makes no difference when a page
# was used.
#
# Try it: this program reads new regions until 4 pages are free. Then it reads one of its regions a thousand times
# (`region` holds its number), and after that a new region, which makes the host evict. Place 0 means that the page is
# gone. <!-- notebook -->Change `region` and run the cell again.<!-- /notebook -->

# %%
region = 3
fresh = lesson.Program(seed)
fresh.read_until(4)
for _ in range(1000):
    fresh.faults(region)
at = fresh.place(region)
fresh.read()
f"place {at} before the eviction, place {fresh.place(region)} after it"

# %% tags=["answer"]
lesson.IN_ORDER

# %% [markdown]
# <!-- slide:  -->
# Which rule is better? In 2025 a project at the University of California San Diego tried both in the shadow MMU of a
# kernel of that time. One benchmark had 117,375 page faults with FIFO, and 112,016 with an approximate LRU. The LRU
# needed slightly more of the processor's time (Aaron Ang, [KVM approximate-LRU page
# eviction](https://aaron-ang.github.io/projects/kvm-lru-eviction/); see also [another member's
# page](https://aasch2020.github.io/projects/kvm-paging)).
#
# **Something to change and watch again.** The next film shows one more read. The variable `free` says how many pages
# are free before this read. With 5, the host takes a page and evicts nothing. Change `free` to 4, and look for the
# step at which the two films begin to differ. Then change it to 2, and count how many more pages are zapped than with
# 4. (To get from 5 free pages to 2, the program has read a region far away from all others, which took three pages at
# once.)

# %% slideshow={"title": "The same read with five free pages evicts nothing"}
free = 5
other = lesson.short_of_pages(seed, free)
watch_belt(lambda: other.read(), other.vm)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A bug of 2007: roots need pages, too
#
# Two pages are free when the guest turns paging off. The new context needs **four** root pages, and nobody has counted.
# -->
# ## A bug of 2007
#
# The host counts its free pages when a fault begins, and when the guest loads CR3. Does it take pages at any other
# moment? Yes: a change of CR0 or CR4 can change the paging mode. Then the context is built again, with other roots
# (`kvm_mmu_reset_context`, `mmu.c:1108-1119`). At this moment nobody counts.
#
# In the next guest, the host has already evicted pages once. Among them were the four roots from the time before paging.
# So they are no longer in the hash, and a guest that turns paging off needs four new roots. Only two pages are free: the
# last read was far away from all others, so it took three of the five that were left. Now the guest clears PG in CR0,
# which turns paging off.

# %% slideshow={"title": "No page is left for the third root"}
short = lesson.short_of_pages(seed, 2, evicted=True)
watch_belt(lambda: lesson.paging_off(short.vm), short.vm)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# - `kvm_mmu_alloc_page` reports that no page is free; `mmu_alloc_roots` does not look (`mmu.c:478`, `878-881`).
# - No audit complains before: the two free pages are in order.
# - Soon afterwards: roots are built just before the guest runs again, where a failure can be reported (commit 17c3ba9d37db).
# -->
# When no page is free, `kvm_mmu_alloc_page` returns a null pointer (`mmu.c:478-479`), and so does its caller
# (`mmu.c:622-623`). But `mmu_alloc_roots` does not check the result (`mmu.c:878-881`). The host follows the null
# pointer: this is an *oops*, which may stop the whole host. A guest that knows this can cause it on purpose. The audits
# (the kernel's own checks, lesson 14) say nothing, before or afterwards: they compare entries, and it is no error for
# them that few pages are free, or none.
#
# Soon afterwards the code was reorganized (Avi Kivity, [KVM: Lazy guest cr3
# switching](https://github.com/torvalds/linux/commit/17c3ba9d37db), commit 17c3ba9d37db). Since then, the roots are built
# just before the guest runs again. At that point, says the message of the commit, the kernel can report an allocation
# that fails, and needs no error paths elsewhere.
#
# The same bug is an exhibit of the museum, with its trigger, what happens, and a fix. The fix evicts first if few pages
# are free, as a load of CR3 does. To watch the film with the fix, use
# `exhibit("pool_exhaust_reset_oops").film(fixed=True)`.

# %% tags=["try-it"]
exhibit("pool_exhaust_reset_oops")

# %% [markdown]
# <!-- slide:
# ## Roots and eviction stayed a difficult pair
#
# [CVE-2026-64561](https://osv.dev/vulnerability/CVE-2026-64561): eviction zaps a root in use and marks it as invalid. The
# kernel has checked for that *before* the eviction, and goes on to fill the invalid root.
# -->
# Roots and eviction stayed a difficult pair, as [CVE-2026-64561](https://osv.dev/vulnerability/CVE-2026-64561) of 2026
# shows. In later kernels, when eviction zaps a root that is in use, it marks this root as invalid. A fault first checks
# that its root is valid, and then evicts. If this eviction zaps the root, the host goes on to fill an invalid root.
# According to the report, this order of steps dates from 2008, and has been dangerous since Linux 5.9 of 2020. The
# kernel of this course has no such mark: it simply fills the emptied root again, as you have seen.

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
lesson.free_pages(seed)

# %% tags=["check", "try-it"]
lesson.goes_first(seed)

# %% tags=["check", "try-it"]
lesson.needs_roots(seed)

# %% tags=["check", "try-it"]
lesson.chains_left(seed)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The way on: fill the pool yourself -->
# ## The way on
#
# No exercise belongs to this lesson. But there is a lab: predict which pages are evicted, and how many. Then touch new
# regions and old ones. Can you find an order in which FIFO and LRU choose the same page?
#
# In [lesson 14](14_audit.ipynb) the host observes which pages a guest writes (dirty logs), and checks its own tables
# (audits).

# %% tags=["try-it"]
pool_lab()

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 12: Roots and modes](12_roots.ipynb) ·
# [Lesson 14: Dirty logs and audits →](14_audit.ipynb)
