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
# [← Lesson 2: The guest walk](02_guest_walk.ipynb) ·
# [Lesson 4: Permissions →](04_permissions.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# *When is an entry of the shadow made?*
#
# - hidden faults and true faults, and who gets them
# - the way of a fault through the host, as a flow chart
# - how many shadow pages an access takes
# -->
# # Lesson 3: Lazy filling
#
# *When is an entry of the shadow made?*
#
# A guest has thousands of mappings, and it can change them at any time. A host that copied all of them into the
# shadow would do a lot of work for entries that are never used. KVM copies nothing in advance. It waits for a page
# fault, fills in one path, and lets the guest go on. So every entry of the shadow begins with a fault. If you know
# what happens in a fault, you know what can be in the shadow.
#
# After this lesson you can
#
# - say whether a fault is hidden or true, and who gets it;
# - follow a fault through the host, from one function to the next;
# - compute how many shadow pages and entries an access adds;
# - say why the shadow holds only a part of what the guest maps.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about 30 minutes. There are four predictions and four check questions. For the first
# prediction, let everyone underline the indices that two addresses share. In the second prediction, many expect that
# the access takes shadow pages. Ask them which box of the chart takes pages.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## New: the way of a fault, and what it fills -->
# ## The picture so far
#
# The guest's tables (blue) map a gva to a gpa, and the guest's kernel writes them. The shadow pages (orange) belong
# to the host, and the processor walks these. An entry of a shadow page is an **spte**. If it leads to another shadow
# page, it is called a **link**. This lesson adds how the host fills the shadow: with one fault after another, and
# only on the path that an access needs.

# %% tags=["hide-input"]
from kvmmmu_lab.labs import course_picture, fault_flow, hierarchy, watch_fault
from kvmmmu_lab.lessons import lesson_03 as lesson

course_picture(3)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Two kinds of fault
#
# The processor walks the shadow, and faults. *Would a real processor have faulted with the guest's tables?*
#
# - yes: a **true fault**, which belongs to the guest
# - no: a **hidden fault**, because an entry of the shadow is missing, or allows less than the guest's entries
# -->
# ## Two kinds of fault
#
# The processor never walks the guest's tables. When it finds a shadow entry that isn't present, or that doesn't
# allow the access, it faults, and **the host** runs. This is so for every page fault of a guest, because the
# processor knows only the shadow.
#
# Now the host has to find out what kind of fault this is. It asks: *if this were a real machine, and the processor
# had walked the guest's own tables, would it have faulted?*
#
# - If it would, this is a **true fault**. The guest's kernel expects it: it may want to load the page from disk, or to
#   stop the program. So the host passes the fault on to the guest.
# - If it wouldn't, this is a **hidden fault**. It exists only because the shadow has less than the guest's tables:
#   an entry of the shadow is missing, or it allows less than the guest's entries. The guest's kernel must not notice
#   the fault, because on a real machine there would be nothing to notice. Usually the host fills in what is missing,
#   and the guest runs the same instruction again.
#
# These names come from VMware: Keith Adams and Ole Agesen, [A Comparison of Software and Hardware Techniques for x86
# Virtualization](https://doi.org/10.1145/1168857.1168860), 2006, section 2.4.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## A fault goes through five boxes -->
# ## The way of a fault
#
# The function `page_fault` (`paging_tmpl.h:377-455`) handles both kinds. It is short, because other functions do
# most of the work. This is its flow chart:

# %% tags=["hide-input"]
fault_flow()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## What each box does
#
# - **walk the guest** (`walk_addr`): do the guest's tables allow the access? If not, the guest gets the fault
#   (`inject_page_fault`, `mmu.c:1002-1007`)
# - **fill the shadow** (`fetch`, `paging_tmpl.h:220-298`): down from the root, take a page wherever one is missing,
#   link it, and make the spte at the end
# - **check the access** (`fix_write_pf`): a write may need W in the spte and D in the guest's entry
# - **result**: the guest's fault, the same instruction again, or emulation
# -->
# - **fault**: the processor has walked the shadow, and found that it can't make the access. So the host runs. First,
#   the host sets memory aside, so that it never has to wait for memory in the middle of the fault (lesson 13).
# - **walk the guest**: `walk_addr` is the guest walk of lesson 2. The host does what a real processor would do with
#   the guest's tables, and sets accessed bits on the way. If an entry is missing or refuses the access, this is a
#   true fault. Then `inject_page_fault` (`mmu.c:1002-1007`) gives the guest the address and the error code, and the
#   host has nothing more to do.
# - **fill the shadow**: `fetch` (`paging_tmpl.h:220-298`) goes down the *shadow*, from the root. Entries that exist
#   are used as they are. If a link is missing, `fetch` makes it. The link leads to the shadow page of the guest's
#   table at this place. If this table has no shadow page yet, `fetch` takes one from the pool. If the spte at level
#   1 is missing, `fetch` makes it from the guest's last entry, with the rights that *all* guest entries on the path
#   allow. It may withhold W: if the guest's D is clear, the spte gets W only at the first write.
# - **check the access**: the box has four rows.
#   - Row *read: done*. A read of memory needs nothing else. (Neither does a write if the spte already has W.)
#   - Row *write: W and D*. The access is a write, and the spte has no W. `fix_write_pf` gives the spte its W, and sets
#     D in the guest's entry.
#   - Row *no change*. The spte was made for a path that doesn't allow writing, and stays as it is. (The spte has a
#     **mark** that says whether the path allows writing: lesson 4. This case is rare: nearly always, the spte was made
#     for the path of this access. If that path doesn't allow writing, the walk has already refused the write.)
#   - Row *table, device*. The frame is a shadowed page table, or the gfn has no memory, because it belongs to a
#     device. Lesson 4 is about this case.
# - **result**: the guest gets its fault (`#PF`), or it runs the instruction again. For a shadowed page table and for
#   a device, running it again would not help. So the host performs the instruction itself, which is called
#   **emulation**. The guest doesn't notice this either.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A program with four pages
#
# Its shadow has only the root.
# -->
# ## Watch one fault in the chart
#
# Here is a 64-bit guest, made by hand. Of its tables, only the PML4 has a shadow page: the root. (As in lesson 0,
# there are four more shadow pages from the time before paging, which are not drawn.) The program will use four
# pages. The output shows their four addresses, and the index of each address in each table. All numbers are made
# from `seed`.
# <!-- notebook -->If you change it, run the cells again from here. The numbers will then be different, and the answers
# may be, too: they are computed each time.<!-- /notebook -->

# %%
seed = 7
at = lesson.program(seed)
at

# %% [markdown]
# <!-- slide: -->
# The program reads the first address. In this film the chart is below the trees, and **the box and the row that run are
# lit in yellow**. Watch how this light moves from left to right. While *walk the guest* is lit, the host reads the
# upper tree. While *fill the shadow* is lit, it changes the lower tree. The light goes through the rows of *fill the
# shadow* more than once. How many times, and what does it make each time?

# %% slideshow={"title": "The light goes from left to right, and the shadow fills from the root down"}
watch_fault(lambda: at.read(at.gvas[0]), at.vm, at.gvas[0])

# %% [markdown]
# <!-- slide:  -->
# Three times a page is taken and linked: at levels 3, 2 and 1. At the end, the spte is made. Each of these pages
# shadows one table of the guest's path. (The root shadows the PML4. It has existed since the guest loaded CR3.) Only
# one entry of each page is in use now: the one that this address selects. So there are four entries in four pages:
# three links and one spte.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: the other three addresses
#
# The program reads them, one after the other. Compare their indices with those of the first one.
# -->
# ## Count the pages
#
# Now the program reads the other three addresses, one after another. Before you choose, compare the indices of the
# four addresses above. An entry of the PML4 covers 512 GB, one of the PDPT 1 GB, one of the PD 2 MB.

# %% tags=["question"]
guess_the_rest = lesson.the_rest(at)
guess_the_rest

# %% slideshow={"title": "Four paths, drawn together"} tags=["hide-input"]
at.read(*at.gvas[1:])
hierarchy(at.vm, *at.gvas)

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_the_rest.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: an address that the guest doesn't map
#
# It is in a third region of 1 GB. The guest has all tables for it, but the last entry isn't present.
# -->
# ## An address that is not mapped
#
# The four addresses were in two regions of 1 GB, each with a PDPT entry of its own. The next address is in a third one.
# The guest has a PD and a PT for it, but the last entry isn't present. The program reads there.

# %% tags=["question"]
guess_not_there = lesson.not_there(at)
guess_not_there

# %% slideshow={"title": "The program reads where nothing is mapped"}
watch_fault(lambda: at.read(at.absent), at.vm, at.absent)

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_not_there.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: six accesses
#
# The machine is new, and its shadow is empty. CR0.WP is set: the kernel, too, writes only where W is set.
# -->
# ## Six accesses
#
# Here is a new machine with the same guest, and again with an empty shadow. The list shows six accesses that will be
# made. Each line ends with the flags of the guest's last entry for that address; the entries above it allow
# everything. CR0.WP is set, so the kernel, too, may write only where W is set (lesson 2).

# %% slideshow={"title": "Six accesses to an empty shadow"}
new = lesson.program(seed)
new.requests

# %% tags=["question"]
guess_given = lesson.given(new)
guess_given

# %% slideshow={"title": "What the processor says"}
run = new.run()
run

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_given.reveal(run)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Change the page, and watch again
#
# Try `"not dirty"`, `"read-only page"`, `"device"` and `"its own page table"`. Where does the light end?
# -->
# ## Change the page, and watch again
#
# There are more ways through the chart than you have seen. Here is a guest with one page, and its kernel *writes* to
# the page. Choose the kind of page<!-- notebook -->, run the cell again<!-- /notebook -->, and look where the light
# ends:
#
# - `"not dirty"`: P, W and U are set, and D is clear. Which rows of *check the access* and *result* does the light
#   reach?
# - `"read-only page"`: W is clear. CR0.WP is set, as before.
# - `"device"`: the guest's entry leads to a gfn without memory.
# - `"its own page table"`: the guest's entry maps the page table that the entry itself is in. The entry has D set.

# %% slideshow={"title": "A write to a page that is not dirty: W and D, then run it again"}
kind = "not dirty"
vm, gva = lesson.one_page(kind)
watch_fault(lambda: vm.access(gva, write=True), vm, gva)

# %% [markdown]
# <!-- slide:
# - *not dirty*: `fetch` leaves W out, also for a write; `fix_write_pf` adds it in the same fault.
# - *read-only page*: the light ends at *guest gets #PF*. *device*, *its own page table*: at *emulate it*.
# -->
# For the page that is not dirty, the light goes through *write: W and D* to *run it again*. `fetch` makes the spte
# without W, even for a write, and a moment later `fix_write_pf` adds W. It sets D in the guest's entry, as a real
# processor would, but not in the spte: the host has no use for D there. For the read-only page, the light ends at
# *guest gets #PF*. For the device and the page table, it ends at *emulate it*.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "All faults go to the guest"
#
# The program of a Linux guest reads each of its pages once.
# -->
# ## "All faults go to the guest"
#
# On a real machine this is true: a fault is an exception, and the handler is part of the operating system. In a
# virtual machine with shadow pages it isn't true. Let the program of the Linux guest of lesson 0 read each of its
# pages once, and count.

# %% slideshow={"title": "Each first touch faults, and the guest never knows"}
linux = lesson.read_all("lin64_A")
linux.faults()

# %% [markdown]
# <!-- slide:
# 785 faults, and the guest got none of them: it maps all of these pages. The only thing that it could notice is the time.
# -->
# The processor faulted once for each page. The guest got none of these faults: its tables map all of these pages, so
# a real processor wouldn't have faulted. The guest's kernel can notice such a fault only by the time that it takes.
# Hidden faults are a part of the cost of shadow paging.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "The shadow mirrors the guest's tables one to one"
#
# The same machine: how much of the guest's tables is in the shadow?
# -->
# ## "The shadow mirrors the guest's tables one to one"
#
# A mirror shows everything, and it shows it at once. Is the shadow like this? Count the tables and entries of the
# same machine, whose program has just read *all* of its memory.

# %% slideshow={"title": "Most of what the guest maps isn't in the shadow"}
linux.tables()

# %% [markdown]
# <!-- slide:
# 9 of 110 tables, and 793 of 9,514 entries: the shadow has what was used, not what is mapped. It is a cache.
# -->
# With its root, the tree in use has 110 tables, and nearly ten thousand entries, since the kernel's own mappings are in
# the same tree. (Lesson 0 counted 155, with the tables of the other six processes.) The shadow has pages for nine of
# these tables, including the root. It has fewer than eight hundred entries: 785 sptes for the program's pages, and
# eight links to the eight shadow pages below the root.
#
# The shadow has what was *used*, not what is *mapped*. In this it is like a cache. The host may drop any entry at
# any time: the next access faults, and the entry is made again. KVM's documentation distinguishes the same two
# faults. For a true fault, the guest's translation forbids the access. For a hidden fault, a translation is missing
# in the shadow ([The x86 kvm shadow mmu](https://docs.kernel.org/virt/kvm/x86/mmu.html), *Reaction to events*).
# Nevertheless, many explanations describe the shadow as a mirror or a copy; lesson 1 quotes one.
#
# "One to one" is wrong for another reason, too. One guest table may have several shadow pages (lesson 5), and a
# large page of the guest, which is a single entry, may have many sptes (lesson 11).

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Two paths lead to one page table
#
# Two entries of the guest's page directory point to the same page table. The first has W, the second hasn't.
# -->
# ## A bug of 2007
#
# In the next guest, two entries of the page directory point to the same page table. The first entry has W, the second
# hasn't. So one page has two addresses. Through the first path the page can be written, through the second it can only
# be read. This is legal: a kernel may map the same memory twice, once writable and once read-only.
#
# For the prediction, you need two facts:
#
# - The page table has *one* shadow page, and both paths lead to it.
# - `fetch` gives a new spte the rights of *one* path: the path of the access.
#
# The kernel now reads through the second path. After that, it will write through the first.

# %% slideshow={"title": "First the kernel reads through the read-only path"} tags=["hide-input"]
both = lesson.shared_table(seed)
both.vm.access(both.readonly)
hierarchy(both.vm, both.writable, both.readonly)

# %% [markdown]
# <!-- slide: ## Predict: the kernel writes through the path that allows it -->
# The picture shows one shadow page of level 1. The read through the second path made the link to this page, and the
# spte in it. For the first path, only the link to this page is missing.

# %% tags=["question"]
guess_through_the_other = lesson.through_the_other(both)
guess_through_the_other

# %% slideshow={"title": "The kernel writes through the path that allows writing"}
write = both.write()
write

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_through_the_other.reveal(write)

# %% [markdown]
# <!-- slide: -->
# The guest tries the write again and again, and faults each time. This film shows one of the later rounds. Look at
# *check the access*.

# %% slideshow={"title": "One round: the host changes nothing, and the guest tries again"}
watch_fault(both.one_round, both.vm, both.writable)

# %% [markdown]
# <!-- slide: -->
# Does the host notice this bug? KVM has three **audits**, which compare its data structures with each other and with
# the guest's tables (lesson 14). `vm.audit()` runs all three, and returns their complaints.

# %% slideshow={"title": "No audit notices"}
both.vm.audit()

# %% [markdown]
# <!-- slide:
# The audits compare frames and counts, never rights.
#
# Later kernels keep a shadow page for each set of rights: `role.access`
# ([mmu.rst](https://docs.kernel.org/virt/kvm/x86/mmu.html)). In 2021 a similar bug was found (CVE-2021-38198).
# -->
# There is no complaint. The audits compare frames and counts; they never compare rights.
#
# The cause is that one shadow page serves two paths with different rights. Later kernels don't allow this. Each shadow
# page has a name, by which the host finds it (lesson 5). In later kernels this name contains the rights that the page
# inherits from the entries above it (`role.access` in [the kernel's
# documentation](https://docs.kernel.org/virt/kvm/x86/mmu.html)). So each set of rights gets a shadow page of its own.
# (The museum of bugs has this bug, with a fix of the same kind: `exhibit("shared_pt_livelock")` from
# `kvmmmu_lab.museum`.) In 2021 a similar bug was found and fixed, CVE-2021-38198 ([commit
# b1bd5cba3306](https://github.com/torvalds/linux/commit/b1bd5cba3306)).
#
# The other order of the two accesses is worse. If the kernel first writes through the first path and then reads through
# the second, the spte has W. From then on the second path can write, too. In this order, the guest does not loop. But
# there is a security hole: the read-only path isn't read-only.

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
lesson.second_read(seed)

# %% tags=["check", "try-it"]
lesson.who_notices(seed)

# %% tags=["check", "try-it"]
lesson.how_many_faults(seed)

# %% tags=["check", "try-it"]
lesson.entries_made(seed)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## The way on
#
# - `fault_lab()`: set up tables and an access, predict the outcome, and watch it
# - the next lesson: which rights the new entry gets
# -->
# ## The way on
#
# There is no exercise for this lesson. Instead, play with `fault_lab()` from `kvmmmu_lab.labs`. You choose the flags
# of each guest entry and an access. Then you predict the outcome, the error code and the number of new shadow pages.
# The lab shows whether you were right.
#
# You now know *when* an spte is made. [Lesson 4](04_permissions.ipynb) asks what is in it: which of the guest's
# rights it gets, and which are withheld.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 2: The guest walk](02_guest_walk.ipynb) ·
# [Lesson 4: Permissions →](04_permissions.ipynb)
