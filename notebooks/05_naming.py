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
# [← Lesson 4: Permissions](04_permissions.ipynb) ·
# [Lesson 6: Reverse maps →](06_reverse_maps.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# *When may the host reuse a shadow page that it has already made?*
#
# - what the name of a shadow page consists of
# - when a fault takes a new page, and when it finds an old one
# - how many shadow pages one guest table needs
# -->
# # Lesson 5: Naming shadow pages
#
# *When may the host reuse a shadow page that it has already made?*
#
# The host has only 256 shadow pages, and each is expensive: it has to be filled entry by entry, one fault at a time. So
# the host never wants to make the same page twice. But a page that is used in the wrong place maps addresses to the
# wrong memory, or gives a program rights that it must not have. So every shadow page has a **name**, and the host uses a
# page again only if the name is the same.
#
# After this lesson you can
#
# - list the parts of a shadow page's name, and read them in the role word;
# - predict whether a fault takes a new page from the pool or finds an old one;
# - compute how many shadow pages one guest table needs;
# - say what is missing in the name of 2007, and what goes wrong because of it.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about half an hour. There are eight questions and four check questions at the end. If
# the class gets stuck at the table that points to itself, let them write down the four indices of the address and walk
# the guest's tables by hand: at each step, which frame is read, and as what kind of table?

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Each shadow page has a name: its gfn and its role -->
# ## The picture so far
#
# The guest's tables (blue) map a gva to a gfn. The processor walks the shadow pages (orange), which the host fills
# fault by fault. New in this lesson is the hash table, in which the host finds a shadow page by its name. The name says
# which guest table the page shadows, and how the guest uses that table: for example, at which level.

# %% tags=["hide-input"]
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import course_picture, hash_bucket, hierarchy, watch, watch_bucket
from kvmmmu_lab.lessons import lesson_05 as lesson
from kvmmmu_lab.museum import exhibit

course_picture(5)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Two addresses lead to one page table -->
# ## A second path
#
# All guests in this lesson are made from a number, the **seed**. <!-- notebook -->Change it, run the cells
# again from here, and you get other addresses, other tables and other answers.<!-- /notebook -->
#
# The first guest has four levels. The picture shows two of its addresses. They differ in one index, so their paths part at
# one level. But both paths lead to the same page table. A kernel does this to share memory: it fills one page table and
# links it twice. The guest has read at the first address, so the path of this address is shadowed.

# %% tags=["hide-input"]
seed = 11
paths = lesson.two_paths(seed)
vm = paths.vm
vm.access(paths.first)
hierarchy(vm, paths.first, paths.second)

# %% [markdown]
# <!-- slide:
# ## Predict: the guest reads at the second address
#
# Both paths end in the same page table.
# -->
# Now the guest reads at the second address, for the first time. The shadow has no complete path for this address, so the
# read faults.

# %% tags=["question"]
guess_second_path = lesson.second_path(vm)
guess_second_path

# %% slideshow={"title": "A fault on the second path links the old page"}
watch(lambda: vm.access(paths.second), vm, [paths.first, paths.second])

# %% tags=["answer"]
guess_second_path.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A name is a gfn and a role
#
# | bits | part of the role | says |
# | :-- | :-- | :-- |
# | 0-3 | guest levels | 4, 3 or 2; 0 without paging |
# | 4-7 | level | of this shadow page |
# | 8-9 | quadrant | which part of a 32-bit table |
# | 16 | metaphysical | there is no guest table |
# | 17-18 | access | W and U of a large page |
# -->
# ## The name
#
# The name of a shadow page has two parts: a **gfn** and a **role**. The gfn says which guest table the page shadows.
# The role says how the guest uses that table, for example at which level. The role is one word, and has five parts:
#
# | bits | part | what it says |
# | :-- | :-- | :-- |
# | 0-3 | guest levels | how many levels the guest's tables have: 4, 3 (PAE) or 2 (32-bit); 0 while paging is off |
# | 4-7 | level | the level of this shadow page: a page of level 1 maps memory, the others link to shadow pages |
# | 8-9 | quadrant | which part of a guest table with 4-byte entries the page shadows; else 0 |
# | 16 | metaphysical | 1 if the page is the shadow of no guest table (see *Pages without a guest table*) |
# | 17-18 | access | for a large page: W (bit 17) and U (bit 18) of the guest's entry; else 0 |
#
# `kvm_mmu_get_page` (`mmu.c:587-632`) makes the role from its arguments (`mmu.c:602-611`) and then looks for a page with
# the same gfn and the same role. If there is one, it gets one more link from above, and nothing else changes
# (`mmu.c:616-620`). If there is none, a free page of the pool gets this name. Then the host also write-protects the guest
# table, so that the guest cannot change it unnoticed (`mmu.c:622-630`).
#
# The picture shows the shadow page of the page table that both paths share. Each row of its label is one part of the
# name, with its bits and its value.

# %% tags=["hide-input"]
hash_bucket(vm, paths.table)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide: ## Predict: the role of the next page -->
# Here is a new guest. (In this lesson, the guests made by hand begin with the same gfns, and each host hands out its
# shadow pages in the same order. So you will see the same numbers again, although the guest is another one.) It has no
# large page and no 4-byte entries, so the parts of the role for these are 0.

# %% tags=["hide-input"]
other = lesson.next_page(seed)
other

# %% tags=["question"]
guess_role_word = lesson.role_word(other)
guess_role_word

# %% slideshow={"title": "The role in hexadecimal"} tags=["hide-input"]
access = other.vm.access(other.gva)
page = lesson.newest(other.vm)
hash_bucket(other.vm, page.gfn)

# %% tags=["answer"]
guess_role_word.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Pages are kept in 256 hash buckets
#
# - The bucket is the gfn modulo 256. The role does not count.
# - A new page becomes the first in its bucket.
# - A search begins at the first page and ends at the page with the name.
# -->
# ## The hash
#
# At one fault of a 64-bit guest, the host may have to find three pages, one for each level below the root. It would take
# too long to compare each name with all 256 pages. So the host keeps the pages in 256 lists, the **hash buckets**. The
# bucket of a page is its **gfn modulo 256** (`kvm_page_table_hashfn`, `mmu.c:468-471`, and `mmu.c:614-615`). Three facts
# about buckets:
#
# - only the gfn decides which bucket it is, not the role. So all shadow pages of one guest table are in one bucket;
# - a new page becomes the first of its bucket (`mmu.c:628`);
# - a search begins with the first page, compares one name after another, and ends at the page that has the name.
#
# The next guest has used four page tables:

# %% tags=["hide-input"]
case = lesson.full_bucket(seed)
case

# %% tags=["question"]
guess_lookup = lesson.lookup(case)
guess_lookup

# %% slideshow={"title": "A search compares one name after another"} tags=["hide-input"]
hash_bucket(case.vm, case.wanted.gfn, case.wanted.role)

# %% tags=["answer"]
guess_lookup.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A PML4 may point to itself
#
# One entry of the PML4 holds the gfn of the PML4. Then the same frame is also a PDPT, a page directory and a page
# table, depending on how often the address selects that entry.
# -->
# ## A table that points to itself
#
# How does a kernel reach its own page tables, to change them? Linux maps all memory a second time. Other kernels use a
# trick: one entry of the PML4, the *special entry*, holds the gfn of the PML4 itself. First without a hypervisor: when
# the processor follows the special entry, it uses the frame of the PML4 as a PDPT. If the next index of the address
# selects the special entry again, the processor uses the same frame as a page directory, and so on. A walk always takes
# four steps, and each step through the special entry stays in the PML4. So the fourth step ends at one of the kernel's
# own tables, where it would normally end at a page of data.
#
# In a virtual machine, the host walks the guest's tables in the same way, and makes shadow pages for the tables on its
# path.
#
# Here is such a guest, and an address. Compare the address's four indices with the number of the special entry. So far
# only the root is shadowed.

# %% tags=["hide-input"]
loop = lesson.self_map(seed)
loop

# %% tags=["question"]
guess_own_levels = lesson.own_levels(loop)
guess_own_levels

# %% [markdown]
# <!-- slide: -->
# The film shows the hash bucket of the PML4 while the host handles the fault. Look for the steps in which a page enters
# the bucket (the new page has a double border). Compare the parts of the names. (Pages for other guest tables go into
# other buckets.)

# %% slideshow={"title": "Pages of one frame differ in their level"}
watch_bucket(lambda: loop.vm.access(loop.gva), loop.vm, loop.root)

# %% tags=["answer"]
guess_own_levels.reveal()

# %% [markdown] tags=["no-slide"]
# ## Change it and watch again
#
# `times` says how many indices of the address select the special entry, beginning with the first. Try 1, 2, 3 and 4. Which
# pages enter the bucket? With 4, all indices select the special entry: the walk ends at the PML4, which is now a page of
# data. Does this need one more shadow page?

# %% tags=["no-slide"]
times = 2
again = lesson.self_map(seed, times)
watch_bucket(lambda: again.vm.access(again.gva), again.vm, again.root)

# %% [markdown] tags=["no-slide"]
# With `times = 1`, 2 and 3, the PML4 has 2, 3 and 4 shadow pages. With 4, it also has 4: a page of data needs no shadow
# page, only an spte.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A guest table of 1,024 entries does not fit into one shadow page
#
# | guest table | it covers | a shadow page covers | quadrant |
# | :-- | :-- | :-- | :-- |
# | page table | 4 MiB | 2 MiB | bit 21 of the address |
# | directory | 4 GiB | 1 GiB | bits 30-31 of the address |
# -->
# ## Quadrants
#
# A 32-bit guest has entries of 4 bytes, 1,024 in each table. The shadow always has entries of 8 bytes, 512 in each page.
# So one guest table does not fit into one shadow page. The host divides it, and the **quadrant** says which part a page
# shadows (`mmu.c:607-611`):
#
# | guest table | it covers | a shadow page covers | parts | the quadrant is |
# | :-- | :-- | :-- | :-- | :-- |
# | page table | 4 MiB | 2 MiB | 2 | bit 21 of the address |
# | directory | 4 GiB | 1 GiB | 4 | bits 30-31 of the address |
#
# Why does a directory need four shadow pages, and not two? Each of its 1,024 entries covers 4 MiB. A shadow entry of
# level 2 covers 2 MiB. So the shadow needs 2,048 entries, and these are four pages.
#
# Here is a 32-bit guest that has just loaded CR3, and the bucket of its directory. When CR3 was loaded, the host made
# all four shadow pages of the directory. The shadow pages of page tables are made when they are needed.

# %% slideshow={"title": "A directory has four shadow pages from the start"} tags=["hide-input"]
reads = lesson.touched(seed)
hash_bucket(reads.guest.vm, reads.guest.root)

# %% [markdown]
# <!-- slide:
# ## Predict: a few reads in a 32-bit guest
#
# No page table has been used so far.
# -->
# No page table has been used so far.

# %% tags=["hide-input"]
reads

# %% tags=["question"]
guess_halves = lesson.halves(reads)
guess_halves

# %% slideshow={"title": "Each 2 MiB that is read gets a page"} tags=["hide-input"]
for gva in reads.gvas:
    reads.guest.vm.access(gva)
hash_bucket(reads.guest.vm, reads.guest.table(reads.gvas[0]))

# %% tags=["answer"]
guess_halves.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: a directory that is also a page table
#
# The last entry of a 32-bit directory points to the directory itself.
# -->
# ## A 32-bit directory that points to itself
#
# Now the trick in a 32-bit guest: the last entry of the directory points to the directory itself. So the last 4 MiB of
# the address space, from `0xffc00000`, are a window: for them, the directory is also the page table. There the guest
# sees its page tables, one after another. So far the host has shadowed the directory only as a root. Now the guest
# reads at these addresses in the window:

# %% tags=["hide-input"]
window = lesson.window_32(seed)
window

# %% tags=["question"]
guess_own_directory = lesson.own_directory(window)
guess_own_directory

# %% slideshow={"title": "The bucket of a directory that is a page table, too"} tags=["hide-input"]
for gva in window.gvas:
    window.vm.access(gva)
hash_bucket(window.vm, window.tables[0])

# %% tags=["answer"]
guess_own_directory.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Predict: the same trick in a PAE guest
#
# Four directories of 512 entries, 8 bytes each. The last directory has all four of them as page tables.
# -->
# A PAE guest has four directories, one for each GiB. CR3 leads to a short table with four entries, one for each
# directory. The host has shadowed all four directories as roots. For the trick, the last four entries of the last
# directory point to the four directories. Each of these entries covers 2 MiB, so the window has 8 MiB, from
# `0xff800000`. For each 2 MiB of the window, a different directory serves as the page table.

# %% tags=["hide-input"]
window = lesson.window_pae(seed)
window

# %% tags=["question"]
guess_own_directories = lesson.own_directories(window)
guess_own_directories

# %% slideshow={"title": "The bucket of a PAE directory"} tags=["hide-input"]
for gva in window.gvas:
    window.vm.access(gva)
hash_bucket(window.vm, (window.gvas[0] >> 21 & 3) + window.tables[0])

# %% tags=["answer"]
guess_own_directories.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Some pages are the shadow of no guest table
#
# - The shadow maps a guest's large page in pieces of 4 KiB. The shadow page for these pieces has the first gfn of the
#   large page, and *metaphysical* set.
# - `kvm_mmu_lookup_page` asks "is this frame a shadowed table?" and skips these pages.
# - The access rights of a large page became a part of the name in 2007, with commit d28c6cfb.
# -->
# ## Pages without a guest table
#
# Two parts of the role are left: the metaphysical bit and the access bits.
#
# With one entry of a directory, a guest may map 2 MiB, a *large page*. The shadow maps a large page in pieces of 4 KiB.
# The entries for these pieces are in a shadow page of level 1, but there is no guest page table that this page could
# shadow. Instead, the shadow page gets the first gfn of the large page, and its **metaphysical** bit is set: it shadows
# no guest table. Suppose that the frame with this gfn is also a page table of the guest. Then two shadow pages have
# this gfn and level 1. Without the metaphysical bit, the two could have the same name.
#
# Some parts of the host ask only: *is this frame a shadowed page table?* For them, `kvm_mmu_lookup_page` (`mmu.c:567-585`)
# searches the bucket for any page with this gfn, whatever its role. It skips metaphysical pages, because their gfn
# belongs to ordinary memory.
#
# The **access** bits are the youngest part of the role. Two directory entries may map the same large page with
# different rights. In earlier versions of KVM, both entries shared one shadow page. If the second entry allowed more
# than the first, an access through the second entry faulted. The host found the old spte, and left it as it was. The
# guest tried again, and faulted again, without end. [Commit
# d28c6cfb](https://git.kernel.org/linus/d28c6cfbbc5e2d4fccfe6d733995ed5971ca87f6) ("Fix hugepage pdes mapping same
# physical address with different access", Avi Kivity) made the rights a part of the name. Linux 2.6.22 has this change.
#
# Here is a guest that has read one large page through two such entries. (The bucket also has pages with gfn 0, since
# `0x400`, the gfn of the large page, is 0 modulo 256, too. These pages are left over from the time before the guest
# turned paging on. Without paging, every shadow page is metaphysical: lesson 11.)

# %% slideshow={"title": "One large page with two sets of rights has two shadow pages"} tags=["hide-input"]
hash_bucket(lesson.large_page(seed), lesson.LARGE)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "The host keeps one set of shadow tables for each process"
#
# A recorded 32-bit Linux accesses every page that its tables map.
# -->
# ## "The host keeps one set of shadow tables for each process"
#
# Good explanations of shadow paging say this. For example, [a blog on
# virtualization](https://tangzichengcc.github.io/%E8%99%9A%E6%8B%9F%E5%8C%96%E5%85%A5%E9%97%A8-3-%E5%86%85%E5%AD%98%E8%99%9A%E6%8B%9F%E5%8C%96%E4%BB%A3%E7%A0%81%E5%88%86%E6%9E%90)
# (in Chinese, 2023) says that the host prepares several sets of shadow tables, one for each task of the guest. Let us
# count the shadow pages of a real guest: a 32-bit Linux, recorded while it was running. First one process accesses every
# page that its tables map.

# %%
real = open_guest("lin32_A")
vm = real.vm()
for gva in real.tlb_gva.tolist():
    vm.access(gva)
lesson.census(vm)

# %% [markdown]
# <!-- slide: -->
# Now the guest switches to another process: it loads CR3 with another root. Then its kernel accesses all of the *kernel's*
# pages again. Every Linux process maps these pages, through the same page tables. How many new shadow pages are made?

# %% slideshow={"title": "Another process needs a root, and little else"}
used = len(vm.pool.active)
vm.load_cr3(int(real.roots[1]))
roots = len(vm.pool.active) - used
kernel = [gva for gva in real.tlb_gva.tolist() if gva >= 0xC0000000]
for gva in kernel:
    vm.access(gva)
more = len(vm.pool.active) - used - roots
f"{roots} new pages for the root, and {more} for {len(kernel)} accesses"

# %% [markdown]
# <!-- slide: -->
# The new process has a directory of its own, with four quadrants. The host found all pages below it by their names. A
# shadow page belongs to a *guest table*, not to a process: if processes share a table, they share its shadow pages. This
# has been so since [the commit that introduced the
# names](https://git.kernel.org/linus/cea0f0e7ea54753c3265dc77f605a6dad1912cfc) (Avi Kivity, "Shadow page table
# caching", January 2007, commit cea0f0e7). Its message lists the parts of a name: the frame number, and all parts of the
# role except the access bits, which came later.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Two paths with different rights
#
# The guest's kernel links one page table twice. Through the *strong* path, a program may write. In the *weak* path, the
# entry of the page directory has no W.
# -->
# ## A bug of 2007
#
# In the next guest, two entries of the page directory point to one page table. On the *strong* path all entries have W
# and U: a program may write. On the *weak* path the entry of the page directory has no W. On a real processor a write
# needs W in *every* entry of the path, so through the weak path a program may only read. A kernel could use this to
# share memory with a program that it does not trust.
#
# First the program writes through the strong path, which is allowed. Then it reads through the weak path.

# %%
weak = lesson.weak_path(seed)
weak.vm.access(weak.strong, user=True, write=True)
weak.vm.access(weak.weak, user=True)

# %% slideshow={"title": "Both paths end in one shadow page"} tags=["hide-input"]
hierarchy(weak.vm, weak.weak, weak.strong)

# %% [markdown]
# <!-- slide: ## Predict: the program writes through the weak path -->
# Now the program tries to write through the weak path.

# %% tags=["question"]
guess_forbidden_write = lesson.forbidden_write(weak)
guess_forbidden_write

# %% slideshow={"title": "The write through the weak path"}
write = {"user": True, "write": True}
attempt = watch(lambda: weak.vm.access(weak.weak, **write), weak.vm, [weak.strong])
attempt

# %% tags=["answer"]
guess_forbidden_write.reveal(attempt)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## No audit complains
#
# - The audits of 2007 compare frames and counts, never rights.
# - Later kernels keep the rights of the upper levels in the role.
# - In 2021 a similar bug was found: CVE-2021-38198, fixed by commit b1bd5cba.
# -->
# KVM has three audits: tests that compare its data structures with each other and with the guest's tables (lesson 14).
# What do the audits say now?

# %%
weak.vm.audit()

# %% [markdown]
# <!-- slide: -->
# Nothing: they compare frames and counts, and never rights.
#
# The museum of this kit shows this bug, with a fix of a few lines: the role also says, for W and for U, whether all
# entries above the table grant it. Here is the same story with the fix, after the write through the strong path. At
# which step does the weak path get a shadow page of its own?

# %% slideshow={"title": "With the rights in the role, each path has a page"}
exhibit("shared_pt_escalation").film(fixed=True)

# %% [markdown]
# <!-- slide: -->
# In later kernels, the rights of the upper levels are a part of the role: `role.access` in [the kernel's
# documentation](https://docs.kernel.org/virt/kvm/x86/mmu.html). (We have not traced the commit that added them.) But it
# matters *which* rights are in the name. In 2021 a similar bug was found,
# [CVE-2021-38198](https://nvd.nist.gov/vuln/detail/CVE-2021-38198). For a page in the middle of a path, the name should
# contain only the rights of the entries above the page. But the host also used the rights of entries *below* it.
# [Commit b1bd5cba](https://git.kernel.org/linus/b1bd5cba3306691c771d558e94baa73e8b0b96b7) fixed this. Its message
# traces the bug back to the commit of January 2007 that introduced the names, although the rights became a part of the
# name only later. Today KVM's own test suite, kvm-unit-tests, checks this: `check_effective_sp_permissions` in
# `x86/access.c`.

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
lesson.role_of_address(seed)

# %% tags=["check", "try-it"]
lesson.same_bucket(seed)

# %% tags=["check", "try-it"]
lesson.reads_in_a_32_bit_guest(seed)

# %% tags=["check", "try-it"]
lesson.used_again(seed)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## The way on
#
# - `hash_table(vm)` draws all buckets of a machine.
# - In the museum: `shared_pt_livelock` (the weak path first), `large_one_frame_two_rights`
# - Next: reverse maps. Through which entries can the frame of a guest table be written?
# -->
# ## The way on
#
# No exercise belongs to this lesson. Instead, look at the names in a guest of your choice: `hash_table(vm)` from
# `kvmmmu_lab.labs` draws all buckets, `hash_bucket(vm, gfn)` one, and `hash_bucket(vm, gfn, role)` the search for one
# name. Or go to the [museum](museum.ipynb): `shared_pt_supervisor_escalation` is the same bug with U instead of W,
# `shared_pt_livelock` is what happens if the weak path comes first, and `large_one_frame_two_rights` shows what the
# access bits of the role are good for.
#
# The host write-protects each guest table that gets a shadow page. For this it has to find all entries through which
# the table's frame can be written. How it finds them is the subject of [lesson 6](06_reverse_maps.ipynb).

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 4: Permissions](04_permissions.ipynb) ·
# [Lesson 6: Reverse maps →](06_reverse_maps.ipynb)
