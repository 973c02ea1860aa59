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
# [← Lesson 7: Write protection](07_write_protection.ipynb) ·
# [Lesson 9: Before the bytes change →](09_pre_write.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# *How does a shadow page leave the shadow tables?*
#
# - how the host records which entries link to a page
# - what zapping clears, and what survives it
# - what is different for a root that is in use
# -->
# # Lesson 8: Parents and zapping
#
# *How does a shadow page leave the shadow tables?*
#
# The host takes shadow pages one by one, in faults. It also has to get rid of them: the pool has only 256 pages, and
# the guest may use the frame of a page table for something else. But the host must not simply reuse a page. Entries of
# other pages still link to it, and the processor would follow these links. So the host first has to find the entries
# that link to the page.
#
# After this lesson you can
#
# - work out how the parents of a shadow page are stored after any sequence of additions and removals;
# - predict what zapping a page clears, and which pages stay;
# - predict how many pages and entries the host has to make again afterwards;
# - say what happens to a root that is in use, and how this can make the host hang.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about half an hour. There are five questions, and four check questions at the end.
# The third question is the heart of the lesson. Before you show the film, let the class vote, and ask someone from each
# side for the reason.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Parents lead from a page back to the entries above it -->
# ## The picture so far
#
# The shadow pages (orange) link downwards, and a reverse map leads from a frame back to the entries that can write it.
# New in this lesson are the dashed lines between the shadow pages: each leads from a page back to an entry that links
# to it. Such an entry is a **parent** of the page.

# %% tags=["hide-input"]
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import course_picture, parent_chains, parent_graph, watch, watch_parents
from kvmmmu_lab.lessons import lesson_08 as lesson
from kvmmmu_lab.museum import exhibit

course_picture(8)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## One parent is kept directly -->
# ## A page and its parents
#
# Most guests in this lesson are made from a number, the **seed**. <!-- notebook -->Change it, run the cells again from
# here, and you get other numbers.<!-- /notebook -->
#
# A guest's kernel can link one page table as often as it likes, through different entries of its page directories. All
# these links lead to *one* shadow page, as lesson 5 has shown: a page has a *name*, its gfn and role, and the host
# looks for that name in its hash table before it takes a new page. So a shadow page may have many parents. To take the
# page away, the host has to clear all of them, so it has to know all of them.
#
# Parents are stored almost as reverse maps are. For each shadow page, the host also keeps a **header** (`struct
# kvm_mmu_page`), outside the page itself. One word of the header is for the parents. While there is no parent, the word
# is empty. One parent is kept directly in the word. Here a page table has been linked, and used, once.

# %% tags=["hide-input"]
seed = 22
pile = lesson.chained(seed, 1)
parent_chains(pile.vm, pile.page.id)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Several parents are in chains of five
#
# - the second parent: a **chain** is taken, and both go into it
# - each later one: the first free place, from the first chain on
# - if no chain has room: a new chain **in front** of the others
# -->
# For a second parent, one word is not enough. `mmu_page_add_parent_pte` (`mmu.c:491-526`) takes a **chain**, a small
# object with five places. It puts the old parent into the first place and the new one into the second (`mmu.c:507-512`).
# The header remembers in a flag, `multimapped`, that its word now leads to chains.
#
# For each further parent, the host looks for a free place. It begins with the first chain (`mmu.c:513-521`). If no
# chain has a free place, it takes another chain, which goes **in front** of all others (`mmu.c:522-525`).
#
# Let the guest use more links, one after another. Link 2 goes through the directory entry next to that of link 1, link 3
# through the one after it, and so on. How many links there are in the end depends on the seed:

# %% tags=["hide-input"]
links = lesson.count_of(seed)
links

# %% tags=["question"]
guess_chains = lesson.chains(pile, links)
guess_chains

# %% slideshow={"title": "The newest chain is the first"} tags=["hide-input"]
for _ in range(links - 1):
    pile.link()
parent_chains(pile.vm, pile.page.id)

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_chains.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A removal leaves no hole
#
# The host stops at the first empty place of a chain. So the parents behind the removed one move up.
# -->
# ## A parent is removed
#
# The guest may also take a link away: it clears an entry of its page directory. The directory is write-protected, so
# this write faults. The host first clears the shadow entry that was made from this guest entry, and then performs the
# write, as in lesson 0. The shadow entry was a parent, so `mmu_page_remove_parent_pte` (`mmu.c:528-565`) has to remove
# it from the chains.
#
# A search goes through a chain only up to the first empty place. So there must be no hole: all parents behind the
# removed one, in the same chain, **move up** by one place (`mmu.c:547-553`).
#
# The next guest has a page table with eleven links. It clears the entry of one of them.

# %% tags=["hide-input"]
eleven = lesson.eleven_links(seed)
eleven

# %% tags=["question"]
guess_one_removed = lesson.one_removed(eleven)
guess_one_removed

# %% slideshow={"title": "The guest clears a directory entry"}
lesson.watch_chains(eleven.case, lambda: eleven.case.unlink(eleven.gone))

# %% slideshow={"title": "And then it uses one more link"} tags=["hide-input"]
eleven.case.link()
parent_chains(eleven.case.vm, eleven.case.page.id)

# %% tags=["answer"]
guess_one_removed.reveal()

# %% [markdown] tags=["no-slide"]
# ## Change it and watch again
#
# `count` is the number of links, `gone` the one that is removed. Predict three cases:
#
# - `count = 6`, `gone = 6`: link 6 is alone in its chain. What happens to the chain?
# - `count = 2`, `gone = 1`: one parent is left. Is it kept directly again?
# - `count = 1`, `gone = 1`: what is in the word then?

# %% tags=["no-slide"]
count = 6
gone = 6
again = lesson.chained(seed, count)
lesson.watch_chains(again, lambda: again.unlink(gone))

# %% [markdown] tags=["no-slide"]
# - 6 and 6: link 6 was alone in its chain, the one in front. This chain is empty now, so it is freed.
# - 2 and 1: the parent that is left stays in its chain. It is not kept directly. (When it is removed, too, the chain is
#   freed, and `multimapped` is cleared: `mmu.c:555-559`.)
# - 1 and 1: the word is empty. The page has no parent.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Two directories share a page table -->
# ## Zapping
#
# To **zap** a shadow page means to empty it and to take it out of use. The host does it when a guest table seems to be no
# table any more, or when the pool is nearly empty. `kvm_mmu_zap_page` (`mmu.c:671-696`) works in three steps:
#
# 1. **Above.** For each parent: the host removes it from the chains, and clears the entry (`mmu.c:676-689`;
#    `kvm_mmu_put_page`, `mmu.c:664-669`). Now no walk can reach the page.
# 2. **Below.** `kvm_mmu_page_unlink_children` (`mmu.c:634-662`) clears the page's own entries. In a page of level 1,
#    each writable entry first leaves its reverse map, and at the end the host flushes the TLB (`mmu.c:649`). In a page
#    of level 2 or higher, each present entry is the parent of a page below. Both records of such a link go: the entry,
#    and the parent in the list of the page below. No flush is needed for this: the TLB holds frames and rights, which
#    come from sptes of level 1, and these have not changed.
# 3. **Itself.** The page leaves the hash and returns to the pool, in one step of the films (`mmu.c:691-693`).
#
# In the next guest, two page directories share one page table. The program has read one address through each entry of
# the two directories. A solid line is a link, and a dashed one leads back to a parent. (Four old roots are left out:
# the processor used them before the guest turned paging on.)

# %% tags=["hide-input"]
family = lesson.shared(seed)
parent_graph(family.vm)

# %% [markdown]
# <!-- slide: ## Predict: the host zaps a directory's page -->
# Now the host zaps the shadow page of the first of the two directories, because it believes that the frame is no
# directory any more.

# %% tags=["hide-input"]
family

# %% tags=["question"]
guess_returned = lesson.returned(family)
guess_returned

# %% [markdown]
# <!-- slide: -->
# The film begins with a walk. The guest's kernel has mapped the directory's frame at an address, `family.window`.
# `unprotect` gets this address, finds the frame by a walk, and zaps all shadow pages of it. From there on, step slowly.
# Each link costs two steps: a page *drops the parent*, and an entry *is cleared*. Which of the two comes first for a
# link *to* the zapped page, and which for a link *from* it to a page below? And what happens to the pages below?

# %% slideshow={"title": "Zapping a page, step by step"}
watch_parents(lambda: family.vm.unprotect(family.window), family.vm)

# %% tags=["answer"]
guess_returned.reveal()

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Predict: the program reads its addresses again
#
# The guest's tables have not changed. It uses all addresses of the zapped directory again.
# -->
# The host was wrong: the frame is still a directory, and the guest's tables have not changed. The program reads again
# at all its addresses below that directory (`family.below`).
# %% tags=["question"]
guess_read_again = lesson.read_again(family)
guess_read_again

# %% slideshow={"title": "The program reads its addresses again"}
def read_all():
    return [family.vm.access(gva, user=True) for gva in family.below]


repeat = watch(read_all, family.vm, family.below)
repeat

# %% tags=["answer"]
guess_read_again.reveal(repeat)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: the root is zapped
#
# The processor walks the root at this very moment: its CR3 holds the address of this page.
# -->
# ## The root
#
# A root has no parent: no entry of a shadow page links to it. The processor's own CR3 leads to it, either directly or
# through a root slot, and neither of them counts as a parent. So the header of a shadow page also has a counter,
# `root_count`: how many times the page is in use as a root. A page whose counter is not 0 is a **live root**, a root in
# use.
#
# A 64-bit guest has one live root. A PAE guest has one for each of its directories, up to four. A 32-bit guest has
# four, too: its directory is shadowed by four pages, one for each quarter (lesson 5).
#
# What if the host zaps the live root of this guest? The guest's kernel sees the frame of the root table at the address
# `family.top`.

# %% tags=["question"]
guess_live_root = lesson.live_root(family)
guess_live_root

# %% slideshow={"title": "Zapping the live root"}
watch_parents(lambda: family.vm.unprotect(family.top), family.vm)

# %% tags=["answer"]
guess_live_root.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "The shadow pages are a tree"
#
# A recorded 64-bit Linux: all of its pages have been accessed.
# -->
# ## "The shadow pages are a tree"
#
# Page tables are drawn as trees, in this course, too. In a tree, each node but the root has exactly one parent. At the
# KVM Forum of 2007, Avi Kivity, the author of KVM's MMU, showed a slide. It says that page tables look "a bit like" a
# tree. The next slide begins: ["Okay, it isn't a
# tree"](https://docs.huihoo.com/kvm/kvm-forum/2007/The-Shadowy-Depths-of-the-KVM-MMU.pdf). Let us count on a real
# guest, a 64-bit Linux, after it has accessed every page that its tables map.

# %%
real = open_guest("lin64_A")
vm = real.vm()
for gva in real.tlb_gva.tolist():
    vm.access(gva)
census = lesson.parent_census(vm)
census

# %% [markdown]
# <!-- slide: -->
# One page has 512 parents: *all* entries of a page directory lead to it. Linux really does this. It maps one set of
# small stacks over and over again, in an area that the kernel's documentation calls [%esp fixup
# stacks](https://docs.kernel.org/arch/x86/x86_64/mm.html).
#
# (Five pages have no parent. One is the live root. The other four were roots before the guest turned paging on: their
# `root_count` is 0 now, and they wait in the hash.)
#
# (Lesson 3 counted 110 guest tables, the root included. 64 of them are empty, so no access leads through them, and they
# have no shadow page. The other 46 have one each. Together with the four old roots, this makes 50 shadow pages. The
# remaining 57 of the 107 pages map large pages in pieces of 4 KiB. Like the old roots, they shadow no guest table.)

# %% slideshow={"title": "One page has 512 parents"} tags=["hide-input"]
parent_chains(vm, census.most.id, limit=6)

# %% [markdown]
# <!-- slide:
# ## It is a graph without cycles
#
# Each link leads to a lower level, so no page is below itself. Zapping one page may cut hundreds of links.
# -->
# So the shadow pages are a *graph*, and a page can have any number of parents. This is why the host keeps lists of
# parents, and why step 1 of a zap is a loop.
#
# The graph has no cycles: each link leads from one level to the level below, so no page is below itself. (The *guest's*
# tables may contain a cycle, like the PML4 of lesson 5 that points to itself. Even such a table is shadowed without a
# cycle: it gets one shadow page for each level.)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A user write to the root table
#
# If *user code* writes to a shadowed table, the host believes that the frame is no table any more. `fix_write_pf` works in a
# loop:
#
# - look for a shadow page of the frame; if there is none, the loop ends, and the spte gets W
# - zap it
# -->
# ## A bug of 2007
#
# What does the host do when *user code* writes to a frame that is a shadowed table? Kernels do not let programs write
# to page tables. So the host assumes that the frame is no table any more. `fix_write_pf` (`paging_tmpl.h:307`) asks the
# hash for a page that shadows the frame, and zaps it. It repeats this until the hash has none. Then nothing protects
# the frame any more: the host sets W in the spte, and the guest tries the write again. Normally it succeeds now.
#
# Now take a guest whose root table is mapped so that a program may write to it. Its kernel must be strange, or
# malicious. The program writes one byte there. It writes the value that the byte has already, so no *guest* entry
# changes. (Films of the museum of bugs leave out the steps in which a page drops a parent.)

# %% slideshow={"title": "The program writes to the root table"}
exhibit("user_write_root64").film()

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
lesson.LOOP

# %% [markdown]
# <!-- slide: -->
# None of the three audits (lesson 1) complains. An audit looks at the tables at one moment, and after each round of the
# loop the tables are right. No audit can see that the loop does not end.
#
# The kit has a small fix: a user write is treated like a write of the guest's kernel. Then the host zaps no page. It
# zaps only the entry that was made from the written byte:

# %% slideshow={"title": "With the fix, the host performs the write"}
exhibit("user_write_root64").film(fixed=True)

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
lesson.number_of_chains(seed)

# %% tags=["check", "try-it"]
lesson.order_after_removal(seed)

# %% tags=["check", "try-it"]
lesson.zapped_table(seed)

# %% tags=["check", "try-it"]
lesson.parents_left(seed)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## The way on
#
# - Exercise 07: write the parents yourself.
# - Next: what one store to a page table undoes.
# -->
# ## The way on
#
# Now write it yourself: [exercise 07: the parents of a shadow page](../exercises/07_parents/README.md). The tests then
# run the kit with the Python class that you wrote. Any data structure that returns the right parents passes the tests:
# yours need not have chains with five places. And in the [museum](museum.ipynb), `user_write_own_pt` shows what happens
# when the host zaps the very page in which it is about to set W.
#
# So far the host has zapped whole pages. Most of the time it does less: it clears only the entries that a store is about to
# change. [Lesson 9](09_pre_write.ipynb) shows how it finds them.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 7: Write protection](07_write_protection.ipynb) ·
# [Lesson 9: Before the bytes change →](09_pre_write.ipynb)
