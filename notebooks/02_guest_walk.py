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
# [← Lesson 1: Two maps, one walker](01_two_maps.ipynb) ·
# [Lesson 3: Lazy filling →](03_lazy_filling.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# The processor never walks the guest's tables. So at a fault the host walks them in its place. *What would the
# processor have said?*
#
# - error codes, bit by bit
# - the order of the checks
# - who sets the accessed and dirty bits, and when
# -->
# # Lesson 2: The guest walk
#
# *What would a processor have said, if it had walked the guest's tables itself?*
#
# The processor walks the shadow and nothing else (lesson 1). But the guest's kernel has written its tables for a
# processor. It expects that a forbidden access causes a page fault, with a code that says why. It also expects that
# the accessed bit of an entry is set when the entry is used. So at each fault the host walks the guest's tables in
# software, and must give the answer that the processor would have given. This lesson is about that walk.
#
# After this lesson you can
#
# - read the error code of a page fault, and predict which code the guest gets;
# - say in which order the walk checks an entry, where it stops, and where a processor behaves differently;
# - say which accessed and dirty bits are set, by whom, and when;
# - predict what CR0.WP and EFER.NX change.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about 30 minutes. There are four predictions and four check questions. Before the
# third prediction, ask how many entries a processor reads before it decides.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Above, the host's walk leaves accessed bits behind -->
# ## The picture so far
#
# Lesson 1 drew the way of an address through both trees. This lesson adds what the host's walk does at each level of
# the upper tree: it checks the rights of the entry, and sets its accessed bit.

# %% tags=["hide-input"]
from kvmmmu_lab.labs import course_picture, guest_walk, watch_guest_walk
from kvmmmu_lab.lessons import lesson_02 as lesson
from kvmmmu_lab.mmu.bits import ACCESSED, NX, PRESENT, USER, WRITABLE
from kvmmmu_lab.museum import exhibit

course_picture(2)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## At each level: P, W, U, NX, then A
#
# 1. **P**: is the entry present?
# 2. **W**: only for a write, by user code or with CR0.WP set
# 3. **U**: only for user code
# 4. **NX**: only for a fetch with EFER.NX on
# 5. set **A**, and go down
# -->
# ## Five steps at each level
#
# The function is `walk_addr` (`paging_tmpl.h:72-193`). It gets an address and three facts about the access: is it a
# write, is it made by user code, is it a fetch (of an instruction)? An access that is none of the three is a read by
# the guest's kernel. At each level the function takes the entry that the address selects. Then it does five steps,
# in this order:
#
# 1. **P.** If the entry is not *present*, the walk ends, and its result is *missing*. (A table at a gpa without
#    memory reads as the *bad page* of lesson 1, all zeroes. So its entries are missing, too.)
# 2. **W.** If the access is a write, and the entry has no W, the walk ends with *refused*. There is one exception,
#    for writes by the kernel: see CR0.WP below.
# 3. **U.** If user code makes the access, and the entry has no U, the walk ends with *refused*.
# 4. **NX.** The walk ends with *refused* if the access is a fetch, EFER.NX is on, and the entry has NX. (Only entries
#    of 8 bytes have this bit.)
# 5. **A.** If the *accessed* bit is clear, the host sets it in the guest's entry.
#
# Then the walk goes down one level. It succeeds when an entry of level 1 has passed all checks. It also succeeds at
# level 2 if the entry has PS, because such an entry maps a large page. (With entries of 4 bytes, PS counts only if
# CR4.PSE is set.) In PAE mode, the entries of the root are held in registers: only their P is checked, and no A is
# set there.
#
# On its way down the walk collects the **rights** of the path. The path has W only if every entry on it has W; the same
# is true of U. (Here the picture shows more than `walk_addr` collects: the function leaves out the rights of the last
# entry. The W and U of this entry are taken into account later, when the host makes the spte: lesson 4.)
#
# Here is a 64-bit guest that maps one page, which nobody has used yet. The picture shows what the walk *would* do
# for a write by user code. Below each table is a box with the checks in their order:
#
# - a dash: this access does not need this check;
# - *to set*: the walk will set A;
# - the last row, `=`: the rights of the path down to this entry;
# - empty rows: an earlier check has failed, so the walk does not reach them.
#
# The last box is the result. The line below it says whether a processor would come to the same result.

# %% tags=["no-slide"]
seed = 7
here = lesson.page(seed)

# %% slideshow={"title": "An access that all entries allow"} tags=["hide-input"]
guest_walk(here.vm, here.gva, user=True, write=True)

# %% [markdown] slideshow={"slide_type": "subslide"}
# <!-- slide:
# ## Small functions ask the questions
#
# | question | function |
# | --- | --- |
# | is CR0.WP set? | `is_write_protection` |
# | is EFER.NX on? | `is_nx` |
# | P, W of an entry | `is_present_pte`, `is_writeble_pte` |
#
# The walker is compiled twice, for entries of 8 and of 4 bytes.
# -->
# In the kernel's file, small functions ask the questions: `is_write_protection` (`mmu.c:169-172`) reads CR0.WP,
# `is_nx` (`mmu.c:179-182`) reads EFER.NX, `is_present_pte` and `is_writeble_pte` (`mmu.c:184-192`) read P and W.
# (Two more stand beside them, but the walk uses neither. `is_io_pte`, `mmu.c:194-197`, is about sptes: lesson 4.
# `is_cpuid_PSE36`, `mmu.c:174-177`, asks whether large pages of a 32-bit guest may have four more address bits, and
# always says yes.)
#
# The walk itself is in another file, `paging_tmpl.h`. It is included twice (`mmu.c:1032` and `1036`): once for
# entries of 8 bytes, once for entries of 4 bytes. The first 71 lines of the file define what differs between the
# two. They also define `struct guest_walker`, which holds the state of a walk: the level, the gfn of each table on
# the way, the current entry, the rights, the final gfn, and the error code.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A page fault has an error code
#
# | bit | value | set if |
# | --- | --- | --- |
# | 0 P | 1 | an entry was present, but refused |
# | 1 W | 2 | the access was a write |
# | 2 U | 4 | user code made it |
# | 3 RSVD | 8 | a reserved bit was set |
# | 4 I | 16 | it was a fetch |
# -->
# ## The error code
#
# If the walk ends with *missing* or *refused*, the guest gets a page fault (#PF). The address is in CR2, and an
# *error code* of five bits says more (`mmu.c:147-150`):
#
# | bit | value | it is set if |
# | --- | --- | --- |
# | 0, P | 1 | an entry was present, but refused the access; it is clear if an entry was missing |
# | 1, W | 2 | the access was a write |
# | 2, U | 4 | user code made it |
# | 3, RSVD | 8 | a reserved bit of an entry was set; the code of 2007 never reports this, because it does not check |
# | 4, I | 16 | it was a fetch |
#
# So the codes 0 to 7 are about reads and writes, and those from 16 on are about fetches. For example, code 2 means
# that the kernel wrote to a page that is not there.
#
# Now take a guest in which one bit is missing: the entry of the PDPT, at level 3, has no U. All other entries allow
# everything. User code makes an access. It reads or writes, depending on the seed.

# %% slideshow={"title": "One bit is missing, far above the page"}
access = lesson.access_of(seed)
closed = lesson.page(seed, clear={3: USER})
access

# %% tags=["question"]
guess_no_user = lesson.no_user(closed, access)
guess_no_user

# %% [markdown]
# <!-- slide: -->
# In this film the accessed bits light up as the walk goes down, and the last box shows the code as soon as it is known.

# %% slideshow={"title": "The walk ends at the PDPT"}
film = watch_guest_walk(closed.vm, closed.gva, **access)
film

# %% tags=["answer"]
guess_no_user.reveal(film)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: which accessed bits?
#
# Another guest, and another level, which depends on the seed. The entry there has no W, and user code writes.
# -->
# ## Accessed bits
#
# A kernel uses the accessed bit to find pages that nobody uses. It clears the bit, and looks later whether it is set
# again. So the host must set the bits where a processor would set them. But what if the access is refused?
#
# Another guest: one entry has no W, and user code writes. The level of this entry depends on the seed. No entry has
# A before the write.

# %% slideshow={"title": "One entry has no W"}
level = lesson.level_of(seed)
read_only = lesson.page(seed, clear={level: WRITABLE})
read_only.flags()

# %% tags=["question"]
guess_accessed_bits = lesson.accessed_bits(read_only, level)
guess_accessed_bits

# %% slideshow={"title": "A is set above the entry that refuses"}
write = watch_guest_walk(read_only.vm, read_only.gva, user=True, write=True)
write

# %% tags=["answer"]
guess_accessed_bits.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: two reasons at once
#
# - The host checks the rights of each entry *at once*, and then reads the next.
# - A processor reads *all* entries first. Only if all are present does it check the rights, of all levels together.
# -->
# ## The order of the checks
#
# If there are two reasons to end the walk, it matters which of them is found first. The code of 2007 finishes the
# checks of one level before it reads the next; a processor does not:
#
# - The **host** checks the rights of an entry as soon as it has read it, and only then reads the entry below.
# - A **processor** first reads the entries down to the last one. If one is missing, it reports this. If all are
#   present, it checks the rights of all levels together (Intel's manual, volume 3, sections 4.6 and 4.7).
#
# In the next guest, the PDPT entry has no U, and the PT entry is not present. User code reads.

# %% tags=["hide-input"]
twice = lesson.page(seed, clear={3: USER, 1: PRESENT})

# %% tags=["question"]
guess_two_reasons = lesson.two_reasons(twice)
guess_two_reasons

# %% slideshow={"title": "The host stops at the first reason"} tags=["no-slide"]
result = twice.vm.access(twice.gva, user=True)
result

# %% slideshow={"title": "The host stops at the first reason"} tags=["hide-input"]
guest_walk(twice.vm, twice.gva, user=True)

# %% tags=["answer"]
guess_two_reasons.reveal(result)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Two control bits decide what is checked
#
# - **CR0.WP** clear: W is not checked when the *kernel* writes
# - **EFER.NX** off: NX is not checked; a processor then does not report fetches either
# -->
# ## CR0.WP and EFER.NX
#
# Two bits of control registers decide what is checked:
#
# - **CR0.WP**, *write protect*. If it is set, all writes need W. If it is clear, only writes by user code need W, and
#   the kernel may write to every page that is present. (Lesson 4 shows how an spte can let the kernel write, and
#   nobody else.)
# - **EFER.NX**, *no execute*. If it is on, an entry with NX forbids fetches from all pages that it leads to. If it
#   is off, bit 63 is a reserved bit: it must be 0, or a processor reports a fault with RSVD. The code of 2007 does
#   not check this.
#
# EFER.NX also changes the error code. A processor reports a fetch in bit 4 only while EFER.NX is on (and never with
# entries of 4 bytes). In the next guest, EFER.NX is off, and the PD entry has no U. User code fetches an instruction
# there.

# %% tags=["hide-input"]
fetching = lesson.page(seed, clear={2: USER}, nx=False)

# %% tags=["question"]
guess_fetch_bit = lesson.fetch_bit(fetching)
guess_fetch_bit

# %% slideshow={"title": "User code fetches an instruction"}
fetched = fetching.vm.access(fetching.gva, user=True, fetch=True)
fetched

# %% tags=["answer"]
guess_fetch_bit.reveal(fetched)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Change the access or the registers, and watch again
#
# - the kernel writes to a page without W, with CR0.WP set (here) and clear
# - user code fetches from a page with NX, with EFER.NX on and off
# -->
# ## Change it, and watch again
#
# Here you can try every case. Change `access`, `wp`, `nx`, or the bits<!-- notebook -->, and run the cell
# again<!-- /notebook -->. First predict the error code. At the start, the PT entry has no W, and it has NX. Some things
# to try:
#
# - the kernel writes, with `wp` True and False;
# - user code fetches (`{"user": True, "fetch": True}`), with `nx` True and False;
# - let two entries refuse the same access.

# %% slideshow={"title": "With CR0.WP set, the kernel may not write either"}
wp, nx = True, True
access = {"write": True}
mine = lesson.page(seed, clear={1: WRITABLE}, add={1: NX}, wp=wp, nx=nx)
watch_guest_walk(mine.vm, mine.gva, **access)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## `gva_to_gpa`: a walk without an access
#
# A walk as for a *read by the kernel*. The result is a gpa, or "unmapped". It sets accessed bits, too.
# -->
# ## A walk without an access
#
# Sometimes the host only wants to know where an address leads, for example before it emulates an instruction. Then it
# calls `gva_to_gpa` (`paging_tmpl.h:456-484`). This function makes the same walk, as if the guest's kernel were
# reading. It returns a gpa, or a special value for *unmapped*; in Python this value is `None`. The walk sets accessed
# bits like any other:

# %% slideshow={"title": "A question about an address sets A, too"}
asked = lesson.page(seed)
before = asked.flags()
[hex(asked.vm.gva_to_gpa(asked.gva)), before, asked.flags()]

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "Accessed and dirty bits appear by themselves"
#
# On a real machine they do: the processor sets them. Test it here: clear A behind the host's back, then use the page.
# -->
# ## "Accessed and dirty bits appear by themselves"
#
# On a real machine they do. The processor sets A in each entry that it uses, and D at the first write. No software is
# involved, so it is easy to forget that with shadow pages the host has to set these bits. On the kernel's mailing list,
# [a message of 17 September 2008](http://kerneltrap.com/mailarchive/linux-kernel/2008/9/17/3328014) had to remind
# others that KVM has a problem with the accessed bit.
#
# If a guest is shadowed, the processor uses sptes, not the guest's entries. Here is a test. A program has used its
# page, so A is set. We clear A in the guest's entry with `poke`, so that the host does not notice. Then the program
# uses the page again.

# %% slideshow={"title": "The page is used again, and A stays clear"}
used = lesson.page(seed)
at, first = used.guest.entry_gpa(used.gva), used.use(user=True)
used.vm.poke(at, used.entry() & ~ACCESSED)
[first, used.use(user=True)]

# %% [markdown]
# <!-- slide:  -->
# A is still clear. Now the guest's kernel writes the same value once more, but this time the host notices the write, as
# in lesson 0. Then the program uses the page again:

# %% slideshow={"title": "After a write that the host notices, A comes back"}
used.vm.emulate_write_gpa(at, used.entry() & ~ACCESSED, 8)
[used.flags(), used.use(user=True)]

# %% tags=["answer"]
lesson.SHARED

# %% [markdown]
# <!-- slide:
# ## The dirty bit is set by another function
#
# The walk never sets D. `fix_write_pf` does, at the first write. It can, because until then the spte has no W, so the
# first write faults.
# -->
# And the dirty bit? The walk never sets it. While the guest's D is clear, the host withholds W in the spte, so the
# first write faults. Then another function, `fix_write_pf` (`paging_tmpl.h:307`, lesson 4), gives the spte its W and
# sets D in the guest's entry. After that, the guest continues. So far the program has only read. Now it writes. Look
# for the step that changes the entry of the PT.

# %% slideshow={"title": "The first write faults, and D is set after the walk"}
watch_guest_walk(used.vm, used.gva, user=True, write=True)

# %% slideshow={"title": "The second write does not fault"}
used.use(user=True, write=True)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A bug of 2007
#
# A guest runs code while EFER.NX is off. Then it turns EFER.NX on, and runs the code again. The directory entry has
# bit 63 set.
# -->
# ## A bug of 2007
#
# The walk asks whether EFER.NX is on. But there is a walk only at a fault. In this exhibit of the museum of bugs, a
# guest fetches an instruction while EFER.NX is off. Bit 63 is set in the guest's directory entry for this address. (A
# processor would report a reserved bit. The code of 2007 does not know reserved bits, and the fetch succeeds.) Then the
# guest turns EFER.NX on. Now bit 63 means NX, and it forbids fetches from all pages that this entry leads to. The film
# shows what comes next: the guest fetches from the same address again.

# %% slideshow={"title": "The fetch succeeds, although the guest forbids it"}
efer = exhibit("efer_nx_toggle_stale")
efer.film()

# %% [markdown]
# <!-- slide:  -->
# An exhibit also has a card: the trigger as code, what the audits say, and a fix that you can read.

# %% tags=["no-slide"]
efer

# %% tags=["answer"]
lesson.AFTER_NX

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
lesson.code_of_an_access(seed)

# %% tags=["check", "try-it"]
lesson.accessed_after(seed)

# %% tags=["check", "try-it"]
lesson.order_of_checks(seed)

# %% tags=["check", "try-it"]
lesson.write_by_the_kernel(seed)

# %% [markdown]
# <!-- slide: -->
# Now write it yourself: [exercise 02: Walk the guest's tables](../exercises/02_walk/README.md). Then go on with
# [Lesson 3](03_lazy_filling.ipynb). The walk has told the host what the guest allows. In lesson 3, the host begins
# to fill the shadow.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 1: Two maps, one walker](01_two_maps.ipynb) ·
# [Lesson 3: Lazy filling →](03_lazy_filling.ipynb)
