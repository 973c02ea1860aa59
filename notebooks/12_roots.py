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
# [← Lesson 11: Large pages, and no paging](11_large_pages.ipynb) ·
# [Lesson 13: The pool →](13_pool.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# *What does a load of CR3 cost?*
#
# - which shadow pages are roots, and which of them are pinned
# - how many shadow pages a switch between processes takes
# - how the host chooses the mode
# - which changes of registers are not noticed
# -->
# # Lesson 12: Roots and modes
#
# The guest's kernel switches from one process to another: it loads CR3 with the address of another root table. From then on
# the processor must walk other shadow tables. *What does a load of CR3 cost?*
#
# Linux loads CR3 at every switch between processes. If each load deleted the shadow, the guest would spend its time in
# page faults. Loads of CR0 and CR4 matter, too: they can change the paging mode, and then the host needs other shadow
# tables.
#
# After this lesson you can
#
# - say which shadow pages are roots in each mode, and which of them are pinned after some loads of CR3;
# - predict how many new shadow pages a switch between processes takes;
# - say which mode the host chooses from CR0, CR4 and EFER;
# - name register changes after which the host wrongly uses old shadow pages, and say why.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about 35 minutes. There are five predictions and five check questions. A hint for the
# first prediction: ask what the name of a shadow page consists of, and whether the process is a part of it.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The picture so far: the root, and the pin that keeps it -->
# ## The picture so far
#
# The processor begins each walk at the root of the shadow, at the left of the picture. New in this lesson are the pins,
# which keep a root from being freed, and the root slot of a 64-bit guest. A root slot says where a root is. (You know
# the four root slots of the other modes.)
#
# A reminder of some words. The host finds a shadow page again in a **hash** by its **name**, which consists of a gfn
# and a *role*. The role says how the page is used. The **parents** of a shadow page are the entries that lead to it.
# The **TLB** is the processor's own small cache of translations.

# %% tags=["hide-input"]
from kvmmmu_lab.labs import course_picture, root_slots, watch, watch_roots
from kvmmmu_lab.lessons import lesson_12 as lesson
from kvmmmu_lab.museum import exhibit

course_picture(12)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Three processes share the kernel's tables
#
# In each root table, one entry leads to the kernel's tables. The user part is the process's own.
# -->
# ## Three processes
#
# Here is a 64-bit guest with three processes. Each has a root table of its own. In the upper half of each root table, one
# entry leads to the tables of the guest's kernel: all processes **share** them. The lower half leads to the process's own
# user tables. The seed chooses how many pages are used, and where.<!-- notebook --> Change it, run the cells again, and get
# other numbers.<!-- /notebook -->

# %%
seed = 7

# %% slideshow={"title": "One page is pinned: the root of the running process"}
guest = lesson.processes(seed)
root_slots(guest.vm)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## A pin is a count: how many root slots lead to this page?
#
# - `●` a pin: the processor may be walking this page, so it must not be freed
# - `○` no pin: the page is in the hash, like all others
# - parents are not enough: **no entry leads to a root**
# -->
# Process 0 is running and has used some pages. Its root is a shadow page like any other, except that it has a **pin**
# (`●`).
#
# A **root slot** holds the address of a root. In 64-bit mode there is one slot, and its content goes to the
# processor's own CR3. KVM counts how many root slots lead to a page (`root_count`): this count is the pin. (In lesson
# 8, the name for a page with a pin is *live root*.)
#
# Why does a root need a pin? The host may free a page without a pin. It first clears the page's parents, so that no
# walk can reach the page. A root has no parent that could be cleared. If the host freed a root in use, the processor
# would go on walking it.
#
# Four more root pages (`○`, in one row) are older. Every guest starts without paging, and these were its roots then. They
# have lost their pins, but they are still in the hash.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## The guest loads CR3 for process 1, which has never run
#
# Which page has the pin before, and which one after?
# -->
# ## The guest loads CR3
#
# The guest's kernel switches to process 1, which has never run. Watch the pins, event by event.

# %% slideshow={"title": "A load of CR3 moves the pin and flushes the TLB"}
watch_roots(lambda: guest.vm.load_cr3(guest.roots[1]), guest.vm)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Five steps in `paging_new_cr3` (`mmu.c:943-952`)
#
# | step | function |
# | --- | --- |
# | take the pins away | `mmu_free_roots` (`mmu.c:815-843`) |
# | fewer than 5 free pages? then free some | `mmu.c:947-948` |
# | find or make the roots, and pin them | `mmu_alloc_roots` (`mmu.c:845-886`) |
# | flush the TLB | `kvm_mmu_flush_tlb` (`mmu.c:937-941`) |
# | give the processor its root | the processor driver's `set_cr3` (`mmu.c:951`) |
# -->
# `paging_new_cr3` (`mmu.c:943-952`) has five steps:
#
# | step | where |
# | --- | --- |
# | take the pins of the old roots away | `mmu_free_roots` (`mmu.c:815-843`) |
# | if fewer than 5 shadow pages are free, free some | `mmu.c:947-948` |
# | find or make the roots for the new CR3, and pin them | `mmu_alloc_roots` (`mmu.c:845-886`) |
# | flush the TLB, as a real processor does at a load of CR3 | `kvm_mmu_flush_tlb` (`mmu.c:937-941`) |
# | give the processor the address of its new root | the processor driver's `set_cr3` (`mmu.c:951`) |
#
# (The first step of the film names a different `set_cr3`: that function is in `kvm_main.c`, and carries out the guest's
# load.)
#
# `mmu_free_roots` has a misleading name: it frees nothing. And `mmu_alloc_roots` does not always take a page. It
# searches the hash first: it calls `kvm_mmu_get_page` with the gfn in CR3, level 4, and no parent.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: process 1 runs for the first time
#
# It uses its user pages. The kernel uses the pages that it used before, under process 0.
# -->
# ## Process 1 runs
#
# The root of process 1 is a new page without entries. Now the process uses its user pages. Each of them has a page
# table of its own, and one directory leads to all of these. The kernel uses the same pages as before, through the same
# tables.

# %% tags=["question"]
guess_new_pages = lesson.new_pages(guest)
guess_new_pages

# %% slideshow={"title": "After the first run of process 1"} tags=["hide-input"]
guest.run()
root_slots(guest.vm)

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_new_pages.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Predict: the kernel's first accesses under a third root
#
# The guest loads CR3 for process 2. Before the process runs, the kernel uses its pages, one after the other.
# -->
# Then the guest loads CR3 for process 2, which has never run either. This time the kernel uses its pages first.

# %% tags=["hide-input"]
loaded = guest.vm.load_cr3(guest.roots[2])

# %% tags=["question"]
guess_kernel_faults = lesson.kernel_faults(guest)
guess_kernel_faults

# %% slideshow={"title": "The kernel's accesses under a new root"}
watch(lambda: [guest.vm.access(gva, write=True).faults for gva in guest.kernel], guest.vm, guest.kernel[:1])

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_kernel_faults.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: process 0 again
#
# The guest has loaded CR3 for two other processes since. Now it loads CR3 for process 0, and all of its addresses are used.
# -->
# ## Back to process 0
#
# Since process 0 was interrupted, the guest has loaded CR3 for two other processes. Now it loads CR3 for process 0
# again. The process and the kernel use all the addresses that they used before.

# %% tags=["question"]
guess_back = lesson.back(guest)
guess_back

# %% slideshow={"title": "Process 0 has its pin again"} tags=["hide-input"]
guest.run(0)
root_slots(guest.vm)

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_back.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Change it: which process?
#
# Try `number = 0`, the process that is running, and then 1 and 2. Which steps are missing, compared with the first film?
# -->
# ## Change it and watch again
#
# Change the number of the process<!-- notebook --> in the next cell, and run the cell again<!-- /notebook -->. Try 0, 1 and
# 2, and then 0 twice. Which steps of the first film are missing now? What happens to the pin if the guest loads the CR3
# that it has already?

# %%
number = 1
watch_roots(lambda: guest.vm.load_cr3(guest.roots[number]), guest.vm)

# %% [markdown]
# <!-- slide: -->
# Each process has a root by now, so no page is taken from the pool: this step is missing. If the guest loads the CR3
# that it has already, the same root loses its pin and gets it back.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "A load of CR3 throws all shadow tables away"
#
# Two processes take turns. The lists have the faults of each turn: first the host keeps its shadow pages, then it zaps all
# of them at each load of CR3.
# -->
# ## "A load of CR3 throws all shadow tables away"
#
# The idea sounds right: on a real processor, a load of CR3 flushes the TLB, and the shadow is a kind of TLB. Let us
# count. In a fresh guest of the same kind, process 0 has run. Then process 1 and process 0 run in turn, each three
# times. There are two lists with the faults of the six turns: the first for the normal host, the second for a host that
# zaps all shadow pages at each load of CR3.

# %%
kept = lesson.switches(seed, throw_away=False)
thrown_away = lesson.switches(seed, throw_away=True)
kept, thrown_away

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## The TLB is flushed; the shadow pages stay
#
# - True for the *virtual TLB* in Intel's manual (Volume 3, “Virtual TLB Scheme”): a load of CR3 removes all translations.
# - False for KVM since Linux 2.6.20: commit cea0f0e7, “Shadow page table caching”, January 2007.
# - It needs write protection: a page that is kept must not become wrong in the meantime.
# -->
# In the first turn, process 1 has never run before, so there are faults in both lists. After that, the normal host has
# no fault at all. The other host has one fault for each address in every turn: no spte is left, and each address needs
# one of its own.
#
# The sentence in the heading is true for another design. Intel's manual describes a *virtual TLB*: a single shadow,
# from which a load of CR3 removes all translations (Intel SDM, Volume 3C, section 32.3.5 in recent editions; section
# 27.3.4 in [an older
# one](https://www.manualshelf.com/manual/intel/pentium-4-processor-2-80-ghz-512k-cache-533-mhz-fsb/intel-64-and-ia-32-architectures-software-developers-manual-volume-3b-system-programming-guide-part-2/page-388.html)).
# Such a host need not notice stores to page tables. After a store, the guest has to flush its TLB, with a load of CR3
# or with INVLPG, and the host notices both.
#
# KVM has kept its shadow pages since January 2007. [Commit
# cea0f0e7](https://github.com/torvalds/linux/commit/cea0f0e7ea54753c3265dc77f605a6dad1912cfc), *"Shadow page table
# caching"* by Avi Kivity, put them into a hash. At each load of CR3, the host searches this hash for the root. The
# price is the work of lessons 6 to 10: a page that is kept must stay right, even while no processor walks it.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## The mode decides what the roots are
#
# | mode | `init_kvm_mmu` calls | the roots shadow |
# | --- | --- | --- |
# | no paging | `nonpaging_init_context` | nothing |
# | 64-bit | `paging64_init_context` (`mmu.c:1057`) | the PML4 |
# | PAE | `paging32E_init_context` (`mmu.c:1079`) | four directories |
# | 32-bit | `paging32_init_context` (`mmu.c:1062`) | four quadrants of the directory |
# -->
# ## Four modes
#
# So far, the guest was a 64-bit guest, with one root. `init_kvm_mmu` (`mmu.c:1084-1097`) chooses the mode from three
# bits, in this order: CR0.PG turns paging on, EFER.LME turns 64-bit mode on, and CR4.PAE selects entries of 8 bytes.
# This is the choice for each combination:

# %%
lesson.modes()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: -->
# The chosen mode sets three things: the functions for page faults, loads of CR3 and translations; the number of guest
# levels (`root_level`); and the number of shadow levels. Together they are the **context**. The mode also decides what
# the roots shadow:
#
# | mode | function | the roots shadow |
# | --- | --- | --- |
# | no paging | `nonpaging_init_context` (`mmu.c:921-935`) | nothing: four metaphysical pages |
# | 64-bit | `paging64_init_context` (`mmu.c:1057-1060`) | the PML4 |
# | PAE | `paging32E_init_context` (`mmu.c:1079-1082`) | the four directories |
# | 32-bit | `paging32_init_context` (`mmu.c:1062-1077`) | the four quadrants of the directory |
#
# A directory of 32-bit mode has 1024 entries for 4 MB each. A shadow page of level 2 has 512 entries for 2 MB each, so
# the directory takes four of them, its **quadrants**. **Metaphysical** pages shadow no guest table (lesson 11).
#
# Some details of the code:
#
# - 64-bit mode (*long mode* in manuals) and PAE have the same entries of 8 bytes. So both call
#   `paging64_init_context_common` (`mmu.c:1039-1055`), with 4 or with 3 levels.
# - The functions that handle faults, `paging64_page_fault` and `paging32_page_fault`, come from one file,
#   `paging_tmpl.h`. It is included twice (`mmu.c:1031-1037`), once for each size of entries.
# - The roots are released in the same way in all modes: `paging_free` (`mmu.c:1026-1029`) only calls `nonpaging_free`.
# - At the end of each function in the table, the processor gets the address of its root. If the guest is paging, it
#   also gets the flags PWT and PCD of the guest's CR3, which control caching (`mmu.c:1052-1053`, `1074-1075`).
#
# In 64-bit mode, the shadow has four levels. In the three other modes it has three levels, and the top level is tiny:
# four root slots (`pae_root`), one for each GB of the 32-bit address space. Here is a 32-bit guest that has just loaded
# CR3 for a second process.

# %% slideshow={"title": "A 32-bit guest has four roots for one directory"} tags=["hide-input"]
narrow, directories = lesson.directories(seed)
narrow.load_cr3(directories[1])
root_slots(narrow)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Predict: a PAE guest loads CR3
#
# The PDPT of the new process has four entries. Some lead to directories of its own, some to directories that it shares with
# the process before; some may not be present.
# -->
# Now a PAE guest. Its CR3 leads to the PDPT, a table of only four entries (PDPTEs). Each PDPTE leads to a directory, or
# is not present. The processor reads the four PDPTEs when CR3 is loaded, and keeps them. The guest loads CR3 for a new
# process. The list has three counts: PDPTEs that lead to a directory of the new process alone (*its own*), PDPTEs that
# lead to a directory shared with the previous process, and PDPTEs that are not present.

# %%
wide, cr3, kinds = lesson.pae_processes(seed)
kinds

# %% tags=["question"]
guess_pae_roots = lesson.pae_roots(wide, kinds)
guess_pae_roots

# %% slideshow={"title": "Each slot of a PAE guest is filled by its own directory"}
watch_roots(lambda: wide.load_cr3(cr3), wide, detail=False)

# %% tags=["answer"]
guess_pae_roots.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A change of mode: release the roots, choose, take the roots
#
# `kvm_mmu_reset_context` (`mmu.c:1108-1119`): `destroy_kvm_mmu` (`mmu.c:1099-1106`), then `init_kvm_mmu`, then both object
# caches are filled. Each load of CR0 and CR4 calls it.
# -->
# ## A change of mode
#
# Each load of CR0 and of CR4 calls `kvm_mmu_reset_context` (`mmu.c:1108-1119`). It releases the roots
# (`destroy_kvm_mmu`, `mmu.c:1099-1106`), chooses the mode, takes the roots of that mode (`init_kvm_mmu`), and fills the
# stocks of objects for reverse maps and parents (lesson 13). It zaps nothing. So the shadow pages of other modes stay
# in the hash. (Lesson 11 shows this for a guest that turns paging off and on again.)
#
# Is this safe? Only if two pages that must differ always have different names. The next section shows a case in which
# the host needs two different pages, but both would have the same name.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: large pages are turned off
#
# A 32-bit guest has used a page of 4 MB. Then its kernel clears CR4.PSE. From now on the flag PS in a directory entry has no
# meaning: the same entry leads to a page table.
# -->
# ## A bug of 2007
#
# CR4.PSE allows large pages in 32-bit mode. A guest has set it, and has used a page of 4 MB. Then its kernel clears
# CR4.PSE. Now the flag PS in a directory entry has no meaning any more, so the same entry leads to a page table. This
# table is in the first frame of the former large page, where the kernel has prepared it. The host calls
# `kvm_mmu_reset_context` for the load of CR4. (The film below begins when this function releases the roots.) Then the
# kernel reads at the same address.

# %% tags=["hide-input"]
old, gva = lesson.pse_guest(seed)
before = old.access(gva)

# %% tags=["question"]
guess_pse = lesson.pse(old, gva)
guess_pse

# %% slideshow={"title": "The roots are released, and the same four are found"}
watch_roots(lambda: old.load_cr4(0), old, detail=False)

# %% slideshow={"title": "What the read reaches, and what the audits say"} tags=["hide-input"]
read = old.access(gva)
read, *map(str, old.audit())

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_pse.reveal(read)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## WP and NX are not in the name, either
#
# - **CR0.WP**: the guest's kernel has written to a read-only page while WP was clear. After WP is set, it still can.
# - **EFER.NX**: a load of EFER doesn't even call `kvm_mmu_reset_context`. All sptes stay in use.
# -->
# We did not trace which later kernel repaired this. Two more bits are missing in the name:
#
# - **CR0.WP**: if it is set, the guest's kernel, too, cannot write to a page without W. While WP is clear, the kernel
#   writes to such a page, and the spte gets W. After WP is set, the host finds this spte again, and the kernel can
#   still write (`exhibit("wp0_to_wp1_stale_write")`).
# - **EFER.NX**: the processor obeys the flag NX of an entry only if this bit is set. A load of EFER does not even call
#   `kvm_mmu_reset_context`, so all sptes stay in use, and code can run where NX now forbids it
#   (`exhibit("efer_nx_toggle_stale")`). Commit 9645bb56 of the Linux kernel (*"Use different shadows when EFER.NXE
#   changes"*) added the bit to the name later.

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## A register that is loaded, refused, and kept
#
# `cr3_gp_but_kept_BUG`: KVM stores CR3 before it checks it. The guest gets a #GP, and the value stays. The next
# change of mode makes a root for a frame that does not exist.
# -->
# ## A CR3 that is refused and kept
#
# Here is a second bug of 2007. A guest without paging loads a CR3 outside of its memory. It gets a #GP, the exception
# for a forbidden operation, as it should. But KVM has stored the value of CR3 before the check, and keeps it. Then the
# guest turns paging on. Watch what the host does with this CR3. (In the film, a *memory slot* is a part of the guest's
# memory.)

# %% slideshow={"title": "The refused CR3 is stored, and the next root is made from it"}
early = lesson.early()
watch_roots(lambda: [early.load_cr3(0x7F000000), early.load_cr0(lesson.PAGING)], early, detail=False)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## A guest can stop its host with two instructions
#
# `mmu_alloc_roots` does not check whether there is memory at CR3. Its root has to be write-protected, and
# `rmap_write_protect` stops the host: a frame without memory has no reverse map. We did not trace the repair.
# -->
# `mmu_alloc_roots` does not ask whether there is memory at CR3. A root shadows a table, so the table's frame has to be
# write-protected. `rmap_write_protect` finds no memory behind the gfn, and a check in KVM stops the host (`BUG`,
# `mmu.c:420`). Before the crash, all audits were silent. We did not trace the repair. The museum shows the same guest
# with a fix, which checks the value before it is stored:

# %% tags=["no-slide"]
exhibit("cr3_gp_but_kept_BUG").run(fixed=True)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Later, a load of CR3 became cheaper still
#
# 2018: KVM keeps a few previous roots beside the present one (*"Add multi-entry LRU cache for previous CR3s"*, Junaid
# Shahid).
# -->
# Back to the question of this lesson: later, a load of CR3 became cheaper still. In 2018, the commit *"kvm: x86: Add
# multi-entry LRU cache for previous CR3s"* by Junaid Shahid made KVM keep a few previous roots beside the present one.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you saw

# %% tags=["answer"]
lesson.SUMMARY

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Check yourself -->
# ## Check yourself
#
# These questions have new numbers. <!-- notebook -->The verdict appears when you choose; *Another one* asks again with other
# numbers.<!-- /notebook -->

# %% tags=["check", "try-it"]
lesson.pinned(seed)

# %% tags=["check", "try-it"]
lesson.first_run(seed)

# %% tags=["check", "try-it"]
lesson.pae_load(seed)

# %% tags=["check", "try-it"]
lesson.choose_mode(seed)

# %% tags=["check", "try-it"]
lesson.not_in_the_name(seed)

# %% [markdown] tags=["no-slide"]
# ## The way on
#
# No [exercise](../exercises/README.md) belongs to this lesson. The museum has more bugs of this kind:
# `exhibit("pdpte_outside_ram_BUG")` and `exhibit("set_cr4_gp_falls_through")`. Pages that are kept fill the pool.
# [Lesson 13](13_pool.ipynb) shows which of them have to go when it is full, and what happens to a page with a pin.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 11: Large pages, and no paging](11_large_pages.ipynb) ·
# [Lesson 13: The pool →](13_pool.ipynb)
