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
# [← Lesson 10: Why double twice?](10_pre_write_32.ipynb) ·
# [Lesson 12: Roots and modes →](12_roots.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# *What does the host shadow where the guest has no table?*
#
# - how many sptes a large page has, and in which shadow pages they are
# - which guest entries share these pages
# - the four roots and the flat map of a guest without paging
# - what remains when paging goes off and on again
# -->
# # Lesson 11: Large pages, and no paging
#
# Most shadow pages shadow a table of the guest. In two cases there is no such table: where one entry of a directory
# maps a *large page*, and in a guest that is *not paging* at all. The processor needs shadow tables in both cases.
# *What does the host shadow where the guest has no table?*
#
# Both cases are common. Linux uses large pages for its own memory wherever it can, and every guest starts without
# paging. And with large pages, the host of 2007 makes a mistake: it forgets two bits of the guest's entry.
#
# After this lesson you can
#
# - compute how many sptes and how many shadow pages a large page has after some accesses;
# - say which guest entries share a shadow page, and which do not;
# - name the roots of a guest without paging, and compute how many shadow pages its accesses take;
# - predict what is reused when paging is turned off and on again.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once, unless the text asks you to run one again. To start again, choose *Kernel >
# Restart Kernel...*
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about 35 minutes. There are seven predictions and five check questions. A hint for
# the prediction in which paging is turned off: ask first in which mode the guest started.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The picture so far: a shadow page without a guest table is new -->
# ## The picture so far
#
# In the picture, the guest's tables (blue) are above the shadow pages (orange). A dotted line leads from each table to
# its shadow page. New in this lesson is a shadow page of level 1 without a dotted line: there is no table above it.
#
# A reminder of some words. An **spte** is an entry of a shadow page; at level 1, it maps a frame. All shadow pages come
# from a **pool** of 256. The host finds a page again in a **hash** by its **name**, which consists of a gfn and a
# *role*. The role says how the page is used.

# %% tags=["hide-input"]
from kvmmmu_lab.labs import course_picture, large_page, shadow_tables, watch_large_page
from kvmmmu_lab.lessons import lesson_11 as lesson
from kvmmmu_lab.mmu.bits import CR0_PG, NX

course_picture(11)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A large page: the walk ends at level 2
#
# The entry of the directory has PS. It maps 2 MB, and **there is no page table**. The shadow still has level 1.
# -->
# ## A page of 2 MB
#
# Here is a 64-bit guest. The entry in its directory (PD) has the flag PS, *page size*. So the walk of the guest's tables
# ends there, at level 2, and the entry maps 2 MB at once. There is no page table. Two names are useful: the 2 MB are a
# **large page**, and each of its 512 frames of 4 KiB is a **piece** of it.
#
# The guest is made from a number, the `seed`. <!-- notebook -->Change the seed, run the cells again, and get other
# numbers.<!-- /notebook -->

# %%
seed = 7

# %%
guest, page = lesson.large_guest(seed, beside=True)
machine = guest.vm

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: -->
# The program has used an ordinary page beside the large one, so the upper levels of the shadow exist. Now it writes to the
# first byte of the large page. Watch what the host builds below its shadow of the directory. In the picture, the large page
# is the grey box, and its rows are pieces.

# %% slideshow={"title": "The host takes a shadow page that shadows no table"}
watch_large_page(lambda: machine.access(page, user=True, write=True), machine, page)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## A metaphysical page stands for a table that does not exist
#
# - Its gfn is the first frame of the large page.
# - No table is shadowed, so this frame is **not** write-protected.
# - The link to it has a mark, bit 9, for software only (`mmu.c:101`).
# - Code: `fetch`, `paging_tmpl.h:260-288`.
# -->
# The walk ended at level 2, but the shadow needs a page of level 1 (`fetch`, `paging_tmpl.h:260-288`). The host takes
# one from the pool. This page shadows no table of the guest. KVM calls it **metaphysical**. Three facts about such a
# page:
#
# - A shadow page needs a gfn, because the hash is searched by gfn. A metaphysical page uses the gfn of the first frame
#   of the large page, only as a name.
# - No table is shadowed, so nothing has to be write-protected. The guest may write to the first frame like to any
#   other, and a store there zaps nothing.
# - The link in the shadow directory is an ordinary link, without PS. The host also sets bit 9 in it, to note for itself
#   that the guest's entry maps a large page (`mmu.c:101`). The processor ignores this bit. (In an entry without P, the
#   same bit is the I/O mark of lesson 4.)
#
# Look at the new spte. Its flags come from the guest's entry in the directory, and it leads to the frame of this one
# piece. (The words `role: user, writes` in the picture are explained below, in *Four entries, one large page*.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: seven reads in the large page
#
# One piece was used before. Two addresses are in the same piece if only their last three digits differ.
# -->
# ## Seven reads
#
# Now the program reads at seven addresses in the large page. The seed has chosen them. If two addresses differ only in
# their last three hexadecimal digits, they are in the same piece. One piece has been used before: the first one.

# %%
touched = lesson.touches(seed, page)
[hex(gva) for gva in touched]

# %% tags=["question"]
guess_pieces = lesson.pieces(machine, touched)
guess_pieces

# %% slideshow={"title": "Each piece that is used gets its own spte"} tags=["hide-input"]
for gva in touched:
    machine.access(gva, user=True)
large_page(machine, *touched)

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_pieces.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Change it: which piece?
#
# Try `piece = 511`, and then `piece = 512`. Does the read fault, and what does the guest get?
# -->
# ## Change it and watch again
#
# Change the number of the piece<!-- notebook --> in the next cell, and run the cell again<!-- /notebook -->. Try 0,
# then 511, and then 512. Before each run, say whether the read faults.

# %%
piece = 300
address = page + piece * 4096
watch_large_page(lambda: machine.access(address, user=True), machine, page, address)

# %% [markdown]
# <!-- slide: -->
# Piece 0 was used before, so there is no fault, and the film has three steps. A new piece costs a fault, and the film
# has nine steps. Piece 511 is the last one. Number 512 is no piece of this page: this address belongs to the next entry
# of the directory, which is empty. So the guest gets a page fault, and the film has six steps.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: four entries for one large page
#
# The four entries of the directory map the same 2 MB, with the rights in the list. The kernel reads once through each.
# -->
# ## Four entries, one large page
#
# A guest often maps the same memory more than once. Now four more entries of the directory map a second large page, at
# gfn `0x600`. The seed has chosen their rights. The list shows each address with the flags P, W and U of its entry.
#
# Before the host takes a shadow page from the pool, it searches the hash for one with the same name: the same gfn and
# the same role (`kvm_mmu_get_page`, lesson 5). A shadow page that maps pieces has *metaphysical* in its role, so that
# the host never takes this page for one that shadows a table. The role also contains two bits of the guest's entry, the
# **huge-page access**: W and U. (The pictures say *writes* if W is set and *reads* if it is clear; *user* if U is set
# and *kernel* if it is clear.)
#
# Now the kernel reads once through each of the four entries.

# %%
gvas = lesson.aliases(seed, guest, page)
lesson.rights_of(guest, gvas)

# %% tags=["question"]
guess_aliased = lesson.aliased(machine, gvas)
guess_aliased

# %% slideshow={"title": "Entries with equal rights share a shadow page"} tags=["hide-input"]
for gva in gvas:
    machine.access(gva)
large_page(machine, *gvas)

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_aliased.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## A page of 4 MB takes two links and two shadow pages -->
# ## A page of 4 MB
#
# A 32-bit guest that has set PSE in its register CR4 has large pages of 4 MB, so such a page has 1024 pieces. A shadow
# page has only 512 entries. So one entry of the guest needs **two** shadow pages for its pieces, and two links to them.
# Both pages have the same gfn. The **quadrant** in the role tells them apart, as for page tables (lesson 5): 0 for the
# first 2 MB, 1 for the second 2 MB.

# %% tags=["hide-input"]
wide, wide_page = lesson.large_guest(seed, mode="32 pse")
for offset in (0x5000, 0x205000):
    wide.vm.access(wide_page + offset, user=True)
large_page(wide.vm, wide_page + 0x5000)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "In the shadow, too, one large entry maps the page"
#
# A fresh guest reads one byte in each piece of its page of 2 MB.
# -->
# ## "In the shadow, too, one large entry maps the page"
#
# Many people imagine it like this: the guest's entry is large, so the host makes a large entry from it, and after one
# fault everything is mapped. Let us try. A fresh guest reads one byte in each piece of its page of 2 MB. Then we count
# the faults, the sptes of level 1, and the shadow entries with PS.

# %%
fresh, fresh_page = lesson.large_guest(seed)
for piece in range(512):
    fresh.vm.access(fresh_page + piece * 4096)
lesson.count_entries(fresh.vm)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## In 2007 an spte always maps 4 KiB
#
# - Frames that are neighbours in the guest need not be neighbours in the host.
# - One piece may be a page table, and must be write-protected alone.
# - A dirty log counts frames of 4 KiB.
#
# Later kernels make large entries under conditions (Documentation/virt/kvm/x86/mmu.rst, “Large pages”).
# -->
# 512 faults, 512 sptes, and no entry with PS. Linux 2.6.22 never makes a large entry in the shadow. There are three
# reasons:
#
# - Frames that are neighbours in guest memory need not be neighbours in host memory. A large entry of the shadow would
#   need 2 MB of host memory in one block.
# - One piece of the large page may be a page table of the guest. Then exactly this piece has to be write-protected.
# - A *dirty log* (lesson 14) records which frames of 4 KiB were written, and the first write to each of them has to fault.
#
# Later kernels do make large entries, under conditions that follow from these reasons. For example, the guest's large
# page must also be a large page in host memory. The kernel's own documentation lists all conditions
# ([Documentation/virt/kvm/x86/mmu.rst](https://docs.kernel.org/virt/kvm/x86/mmu.html), under *Large pages*).

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## A guest without paging has four roots from the start -->
# ## A guest without paging
#
# Every guest starts without paging: each address is already a gpa. But a gpa is not an address of the host's memory, so
# the processor walks shadow tables all the same. Here is a guest that has just started. It has 8 MB at address 0, and 8
# MB at 1 GB.

# %% tags=["hide-input"]
early, visits = lesson.early_guest(seed)
shadow_tables(early)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## The flat map: gva = gpa
#
# | function | what it does without paging |
# | --- | --- |
# | `nonpaging_init_context` (`mmu.c:921-935`) | sets the modes, takes the roots |
# | `nonpaging_gva_to_gpa` (`mmu.c:888-891`) | returns the gva unchanged |
# | `nonpaging_new_cr3` (`mmu.c:764-767`) | nothing: the guest's CR3 means nothing yet |
# | `nonpaging_page_fault` (`mmu.c:893-914`) | looks for memory at the gpa |
# | `nonpaging_map` (`mmu.c:769-813`) | makes the missing page, and the spte |
# | `nonpaging_free` (`mmu.c:916-919`) | releases the roots |
# -->
# There are four **root slots**, the places where a walk begins: one for each GB of the 32-bit address space. Each leads
# to a page of level 2. These four are metaphysical, with gfn 0. Their quadrant, 0 to 3, is the number of their slot.
# `nonpaging_init_context` (`mmu.c:921-935`) calls the function that takes these four pages. The functions for a guest
# without paging are short:
#
# | function | what it does |
# | --- | --- |
# | `nonpaging_gva_to_gpa` (`mmu.c:888-891`) | returns the address unchanged |
# | `nonpaging_new_cr3` (`mmu.c:764-767`) | nothing, because CR3 has no meaning yet |
# | `nonpaging_page_fault` (`mmu.c:893-914`) | calls `nonpaging_map`, or has the access emulated if no guest memory is there |
# | `nonpaging_map` (`mmu.c:769-813`) | goes down from the root slot, takes the missing page of level 1, and makes the spte |
# | `nonpaging_free` (`mmu.c:916-919`) | releases the roots |
#
# Each page of level 1 covers a region of 2 MB, as for a large page. Its gfn is the first frame of its region
# (`mmu.c:798-802`). For the first region this is gfn 0. The roots have gfn 0, too, but the role contains the level,
# so the names differ. Watch one access.

# %% slideshow={"title": "Without paging, a fault makes the page of its 2 MB, and one spte"}
watch_large_page(lambda: early.access(0x7000), early, 0x7000)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: five reads without paging
#
# The region of 2 MB at address 0 was used before.
# -->
# The new spte has the flags P, W and U, although the guest only read: no guest entry forbids anything. So *every* spte
# of a guest without paging allows everything.
#
# Now the guest reads at five more addresses. Remember that one region was used in the film: the first 2 MB (`0x200000`
# bytes).

# %%
[hex(gva) for gva in visits]

# %% tags=["question"]
guess_flat = lesson.flat(early, visits)
guess_flat

# %% slideshow={"title": "Each 2 MB that is used has a page of level 1"} tags=["hide-input"]
for gva in visits:
    early.access(gva)
shadow_tables(early)

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_flat.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: paging is turned off
#
# A program has used some pages. Then the guest's kernel clears CR0.PG and reads at three addresses.
# -->
# ## Off and on again
#
# A guest may turn paging off again, for a moment: to call old firmware, for example, or to start another kernel. The
# next guest is paging, and its program has used a few pages of 4 KiB. Then the guest's kernel clears CR0.PG and reads
# at three addresses. `kvm_mmu_reset_context` (`mmu.c:1108`) releases the roots of the old mode. Then it gets the roots
# of the new mode. As always, it first searches the hash for each name, and takes a page from the pool only if the name
# is not there.

# %%
running, used = lesson.program(seed)
gpas = lesson.flat_addresses(seed)
[hex(gva) for gva in used], [hex(gpa) for gpa in gpas]

# %% tags=["question"]
guess_off = lesson.off(running.vm, gpas)
guess_off

# %% slideshow={"title": "Without paging, the roots of the flat map are in use"} tags=["hide-input"]
running.vm.load_cr0(running.vm.cpu.cr0 & ~CR0_PG)
for gpa in gpas:
    running.vm.access(gpa)
shadow_tables(running.vm)

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_off.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Predict: paging is turned on again
#
# The program uses the same pages once more.
# -->
# Then the kernel sets CR0.PG again, and the program uses the same pages once more.

# %% tags=["question"]
guess_on = lesson.on(running.vm, used)
guess_on

# %% slideshow={"title": "After paging is on again, the old root is in use"} tags=["hide-input"]
running.vm.load_cr0(running.vm.cpu.cr0 | CR0_PG)
for gva in used:
    running.vm.access(gva, write=True, user=True)
shadow_tables(running.vm, used[0])

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_on.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: NX is set, and the kernel jumps there
#
# The flag NX forbids running code. The guest ran code in its large page. Then its kernel stores the entry with NX, reads
# in the page, and jumps there.
# -->
# ## A bug of 2007
#
# The flag NX in a guest entry forbids running code. A guest has run code in its large page. Then its kernel stores the
# entry once more, this time with NX. The host zaps the shadow entry that was made from it (for a large page, this is
# the link), and performs the store. Now the kernel reads in the page. Then it jumps there: it tries to run code.

# %% tags=["hide-input"]
code_guest, code = lesson.large_guest(seed)
code_vm, entry = code_guest.vm, code_guest.entry_gpa(code, 2)
ran = code_vm.access(code, fetch=True)

# %% tags=["question"]
guess_set_nx = lesson.set_nx(code_vm)
guess_set_nx

# %% slideshow={"title": "The old page of pieces comes back"}
def forbid_and_jump():
    code_vm.emulate_write_gpa(entry, code_vm.peek(entry) | NX, 8)
    return code_vm.access(code), code_vm.access(code, fetch=True)


forbidden = watch_large_page(forbid_and_jump, code_vm, code)
forbidden

# %% tags=["answer"]
guess_set_nx.reveal(forbidden)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Predict: the other way round
#
# NX is set first. The kernel reads, clears NX, and jumps there.
# -->
# Now the other way round, on a new guest. Its entry has NX when the kernel reads in the page. Then the kernel wants to
# run code there. It stores the entry without NX, and jumps.

# %% tags=["hide-input"]
data_guest, data = lesson.large_guest(seed, lesson.FULL | NX)
data_vm, entry = data_guest.vm, data_guest.entry_gpa(data, 2)
read = data_vm.access(data)

# %% tags=["question"]
guess_clear_nx = lesson.clear_nx(data_vm)
guess_clear_nx

# %% slideshow={"title": "NX is cleared, and the kernel jumps"} tags=["hide-input"]
data_vm.emulate_write_gpa(entry, data_vm.peek(entry) & ~NX, 8)
jump = data_vm.access(data, fetch=True)
jump

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_clear_nx.reveal(jump)

# %% [markdown]
# <!-- slide: -->
# KVM has three *audits*, which check its own data (lesson 14). Here is what they say about both guests.

# %% slideshow={"title": "The audits have no complaint"}
code_vm.audit(), data_vm.audit()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Later, NX joined the name
#
# - The audits compare frames and counts, never rights.
# - Commit d55e2cb2 adds NX to the role of a shadow page that maps pieces.
# - The name lacks D, too: `exhibit("large_dirty_cleared_lost")`.
# - 2026, CVE-2026-46113: newer kernels used a link without checking the gfn of the page below. Commit 0cb2af2ea66a
#   added the check.
# -->
# Both lists of complaints are empty: the audits compare frames and counts, but no rights.
#
# Later, [commit d55e2cb2](https://github.com/torvalds/linux/commit/d55e2cb20123cdb5020ec4a2b2f1eace5038c292) added NX
# to the role of a shadow page that maps pieces. In 2.6.22, D (*dirty*) is not in the role, either. In the museum,
# `exhibit("large_dirty_cleared_lost")` shows the bug that this causes.
#
# In 2026 a related bug was found in newer kernels, [CVE-2026-46113](https://osv.dev/vulnerability/CVE-2026-46113). If a
# link was present, the host used the page below it, and did not check whether this page had the right gfn. So the sptes
# of one large page could get into the shadow page of another. Commit 0cb2af2ea66a added the check.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you saw

# %% tags=["answer"]
lesson.SUMMARY

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Check yourself -->
# ## Check yourself
#
# These questions have new numbers. <!-- notebook -->Each is checked as soon as you choose. *Another one* asks again with
# other numbers.<!-- /notebook -->

# %% tags=["check", "try-it"]
lesson.filled(seed)

# %% tags=["check", "try-it"]
lesson.shared(seed)

# %% tags=["check", "try-it"]
lesson.halves(seed)

# %% tags=["check", "try-it"]
lesson.flat_map(seed)

# %% tags=["check", "try-it"]
lesson.and_back(seed)

# %% [markdown] tags=["no-slide"]
# ## The way on
#
# No [exercise](../exercises/README.md) belongs to this lesson. To try more, open a lab with a large page:
# `fault_lab()`, imported from `kvmmmu_lab.labs`, has a preset *large page*, in which you can change every flag of the
# guest's entry. The museum of bugs shows two bugs of this lesson with and without their fix:
# `exhibit("large_nx_set_ignored")` and `exhibit("large_dirty_cleared_lost")`, imported from `kvmmmu_lab.museum`.
#
# [Lesson 12](12_roots.ipynb) is about the roots: what leads to them, and what a change of root costs.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 10: Why double twice?](10_pre_write_32.ipynb) ·
# [Lesson 12: Roots and modes →](12_roots.ipynb)
