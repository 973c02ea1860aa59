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
# [← Lesson 3: Lazy filling](03_lazy_filling.ipynb) ·
# [Lesson 5: Naming shadow pages →](05_naming.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# *The guest may write to a page, and yet the shadow maps it read-only. Why?*
#
# - how W, U and the marks of an spte follow from the guest's entries
# - why the first write to a clean page faults
# - entries for devices, and a kernel that ignores W
# -->
# # Lesson 4: Permissions
#
# *The guest may write to a page, and yet the shadow maps it read-only. Why?*
#
# At a fault, the host makes an spte from the guest's entry. You might expect it to copy the flags, and to replace only
# the number of the frame. For most flags it does. But the right to write is special. The host must see some writes that
# the guest allows, and it sees a write only if the write faults. So the host *withholds* W: it leaves W clear, and
# remembers that the guest allows writing.
#
# After this lesson you can
#
# - compute W, U and the marks of an spte from the guest's entries on the path;
# - predict which accesses to a page fault, and which don't;
# - recognise the spte of a device, and say what an access to it does;
# - say how one spte serves a kernel that may write and a program that may only read.
#
# <!-- notebook -->
# Run the cells from top to bottom, each once. To start again, choose *Kernel > Restart Kernel...*
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes about 30 minutes. There are five predictions and four check questions. Draw the two
# rows of bits on the board, and let everyone fill in the lower row for the first prediction before choosing.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## New: one entry has the rights of the whole path -->
# ## The picture so far
#
# A fault makes the host fill one path of the shadow (orange) from the guest's tables (blue), as you saw in lesson 3. New
# in this lesson is the end of the path, the spte at level 1: its rights are made from those of all guest entries on the
# path.
#
# A reminder of some words: an **spte** is an entry of a shadow page. In every entry, P means present, W writable, U open to
# user code, A accessed and D dirty, which means written. A **true fault** is one that the guest's own tables cause, and
# the guest gets it; a **hidden fault** is one that only the shadow causes, and the guest never learns of it.

# %% tags=["hide-input"]
from kvmmmu_lab.labs import bit_row, course_picture, watch_bits, watch_fault
from kvmmmu_lab.lessons import lesson_04 as lesson
from kvmmmu_lab.museum import exhibit

course_picture(4)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## All rights are decided at level 1
#
# - The guest: an access needs W or U in **every** entry of its path.
# - The shadow: links allow everything; the spte of level 1 has what all guest entries allow.
# - W (or U) is *allowed* if the guest's last entry **and** all entries above it have it. The **marks** mW and mU say
#   what is allowed.
# - U is set if it is allowed. W is set if it is allowed and not **withheld**. The host withholds W if D is clear, or if
#   the frame is a shadowed page table.
# -->
# ## One entry decides
#
# On a real machine, a write needs W in *every* entry on its path, and an access by user code needs U in every one. The
# shadow is simpler. Its links, the entries that lead from one shadow page to the next, always have W and U. So the spte
# at level 1 decides alone. It has to combine the rights of all guest entries on the path.
#
# A right is **allowed** if all these entries have it. The host finds this out in two steps. The walk checks every entry
# of the path, but collects only the rights of the entries above the last one. Then `set_pte` (`paging_tmpl.h:194-219`,
# with `set_pde` for large pages) keeps those that the last entry has, too, and `set_pte_common` (`mmu.c:954-1000`)
# makes the spte.
#
# The host records what is allowed in two bits of the spte that the processor ignores, bits 10 and 11. They are the
# **marks**, here called mW and mU. The constants for all of this are in `mmu.c:93-112`.
#
# | bit of a new spte | comes from |
# | --- | --- |
# | 0 P, 5 A, 6 D, 8 G | the guest's last entry, copied: these are the **copy bits** (`PT32_PTE_COPY_MASK`) |
# | 63 NX | the guest's last entry, copied, if it has 8 bytes (`PT64_PTE_COPY_MASK`) |
# | 12 and up: the frame | the host's frame, instead of the guest's |
# | 11 mU, 10 mW | U and W if *allowed* |
# | 2 U | if allowed |
# | 1 W | if allowed and not **withheld** |
#
# W is withheld in two cases: the guest's last entry is not dirty (its D is clear), or the frame is itself a page table
# that is shadowed.
#
# NX is copied from the last entry only. If an entry at a higher level has NX, this is lost: neither the link nor the
# spte gets it. If the spte is missing, a fetch faults, and the walk refuses it. But once a read has made the spte, a
# fetch does not fault: code runs there, although the guest forbids it. This is a bug of 2007 (in the museum:
# `exhibit("nx_in_pde_ignored")`).

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The guest's entries on one path -->
# ## Compute an spte
#
# Here is a guest with one page. Its shadow has all links on the path, but no spte yet. All numbers are made from `seed`.
# <!-- notebook -->If you change it, run the cells again from here. The numbers will then be different, and the answers
# may be, too: they are computed each time.<!-- /notebook -->

# %%
seed = 7
page = lesson.with_rights(seed)
page

# %% [markdown]
# <!-- slide: ## The bits of the guest's entry, and room for those of the spte -->
# The upper row (blue) has the bits of the guest's last entry. The lower row (orange) has the bits of the spte, which is
# still empty. Each box is one bit, or the number of the frame. A line under the guest's U and W says whether the entries
# at higher levels allow these rights, too. When there is an spte, a word under each of its bits says how the bit was
# made:
#
# - `=`: the guest's bit was copied; `host`: the host's frame replaces the guest's;
# - `held`: the right is withheld; `no`: an entry at a higher level refuses it;
# - `WP`: the bit was changed because CR0.WP is clear (later in this lesson); `!=`: it differs for another reason.
#
# Arrows lead from the guest's bits to the bits that were made from them.

# %% tags=["hide-input"]
bit_row(page.vm, page.gva)

# %% [markdown]
# <!-- slide:
# ## Predict: the kernel reads there
#
# Which bits of the spte will be 1?
# -->
# The guest's kernel reads at this address, and the host makes the spte.

# %% tags=["question"]
guess_new_rights = lesson.new_rights(page)
guess_new_rights

# %% slideshow={"title": "The spte is made from the guest's entry"}
watch_bits(lambda: page.vm.access(page.gva), page.vm, page.gva)

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_new_rights.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## D must be set by the first write
#
# - On a real machine the *processor* sets D in the guest's entry at the first write.
# - Here it walks the shadow, and never touches the guest's entry.
# - So the *host* must set it, and needs a fault for that: W is withheld while D is clear.
# -->
# ## Why the shadow maps a clean page read-only
#
# A page is **clean** as long as D is clear in the guest's last entry for it. A kernel wants to know which pages have
# been written: before it reuses the memory of such a page, it must save the page. On a real machine the processor tells
# the kernel. At the first write to a page, it sets D in the page's entry.
#
# With shadow pages this doesn't happen by itself. The processor walks the shadow, and doesn't know that the guest's
# entry exists. So the host has to set D in the guest's entry, and for this it has to notice the first write. Therefore
# the spte of a clean page has no W, and the first write faults. (A and D of the spte don't matter to this host. The
# simulated processor of this course doesn't set them.)
#
# If the guest's tables allow the write, `fix_write_pf` (`paging_tmpl.h:299-376`) looks at mW in the spte. There are
# three cases, if CR0.WP is set:
#
# - mW is set, and the frame is not a shadowed page table: nothing else forbids W. The host sets W in the spte and D in
#   the guest's entry, and the guest tries again. From then on, writes don't fault.
# - mW is set, but the frame is a shadowed page table, and the *kernel* writes: W stays clear. The host sets D in the
#   guest's entry, and carries out the write itself. (A write by user code to such a frame: lesson 8.)
# - mW is clear: when this spte was made, the guest's path did not allow writing. The host leaves the spte as it is. The
#   guest tries again, and faults again: this is the bug of lesson 3, where the spte had been made for another path.
#
# In this film the program writes to a clean page that it has read before. In which step is W set in the lower row, and
# in which step is D set in the upper row? Does the D of the spte change, too?

# %% slideshow={"title": "The first write sets W below and D above"}
clean = lesson.kind_of_page("not dirty")
vm, gva = clean.vm, clean.gva
vm.access(gva, user=True)
watch_bits(lambda: vm.access(gva, user=True, write=True), vm, gva)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: set D by hand
#
# Two clean pages of one program. `poke` sets D in the guest's entry: for the first page *before* the program reads it,
# for the second page *afterwards*. Then the program writes to both.
# -->
# ## Set D by hand
#
# Now two clean pages of one program. We set D in both guest entries by `poke`, which the host doesn't notice. For
# the first page we do it *before* the program reads the page, and for the second page *after* the program has read it.
# Then the program writes to both pages.

# %% slideshow={"title": "D is set by hand: before the spte is made, and after it"}
pages = lesson.clean_pages(seed)
pages.set_dirty(pages.first)
pages.read(pages.first, pages.second)
pages.set_dirty(pages.second)

# %% tags=["question"]
guess_dirty_by_hand = lesson.dirty_by_hand(pages)
guess_dirty_by_hand

# %% slideshow={"title": "The program writes to both pages"}
writes = [pages.write(pages.first), pages.write(pages.second)]
writes

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_dirty_by_hand.reveal(writes)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A device has no memory to which an spte could point
#
# - the spte is **not present**, and bit 9 is set: the **I/O mark**
# - the guest's gfn is in the place of the frame
# - when `page_fault` finds the mark, the host *emulates* the access
# -->
# ## An entry for a device
#
# A guest's kernel reads and writes the registers of a device as if they were memory. This is called **MMIO**,
# memory-mapped I/O. For the guest it is a page like any other: its entry is present, and leads to a gfn. But this gfn
# isn't in any slot (lesson 1), so there is no memory behind it. To which frame should the spte point?
#
# It points nowhere. The host makes an spte that is **not present**. An entry that was never filled is not present
# either, and the host has to tell the two apart. So it sets bit 9, the **I/O mark**, and keeps the guest's gfn in the
# place of the frame (`mmu.c:971-974`). When `page_fault` finds the I/O mark, the host *emulates* the access: it reads
# the guest's instruction, and passes the access on to a program that imitates the device.
#
# Here is a guest with a device, and an empty shadow. Its kernel reads a register of the device several times in a row.

# %% tags=["hide-input", "no-slide"]
device = lesson.Device(seed)

# %% tags=["question"]
guess_device_reads = lesson.device_reads(device)
guess_device_reads

# %% slideshow={"title": "The kernel reads the register"}
reads = device.read(device.times)
reads

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_device_reads.reveal(reads)

# %% slideshow={"title": "The spte of a device: P is 0, and the I/O mark is 1"} tags=["hide-input"]
bit_row(device.vm, device.gva)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## CR0.WP clear: the kernel writes everywhere
#
# A page that user code may only read: the kernel must be able to write, the program must not. One spte can't say that.
#
# - the *kernel writes*: W, and U is taken away (`fix_write_pf`)
# - the *program reads*: U, and W is taken away (`fix_read_pf`)
# -->
# ## A kernel that ignores W
#
# The control bit CR0.WP says whether the guest's kernel, too, needs W for a write. If CR0.WP is clear, only user code
# needs it: the kernel may write to every page, as on the 386 processor. But while the real processor walks the shadow,
# its own CR0.WP is always set. So the host has to imitate a clear CR0.WP.
#
# For a page without U that is easy: when the kernel writes, `fix_write_pf` gives the spte W, although mW is clear. No
# program can use this spte, since it has no U. But take a page with U and without W: the program may read it, and the
# kernel may write it. An spte with U and W would let the program write. An spte with U alone would make the kernel's
# writes fault. No spte can say *writable for the kernel, readable for the program*. So the host uses two forms in turn:
#
# - When the **kernel writes**, `fix_write_pf` gives the spte W, and takes U away. Now the program can't use the page at all.
# - When the **program reads** and finds an spte with mU and without U, `fix_read_pf` (`mmu.c:1009-1024`) gives the spte U,
#   and takes W away.
#
# Both functions run at the end of a fault. So if the spte is missing, the same fault makes the spte *and* gives it the
# right form.

# %% slideshow={"title": "A page that user code may only read, and who uses it"}
old = lesson.old_kernel(seed)
old

# %% tags=["question"]
guess_to_and_fro = lesson.to_and_fro(old)
guess_to_and_fro

# %% slideshow={"title": "How each access ends"}
ends = old.run()
ends

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_to_and_fro.reveal(ends)

# %% [markdown]
# <!-- slide: -->
# Watch both changes: the kernel has written, now the program reads, and then the kernel writes again. Look for the bits
# that change, and compare the marks with U and W. (The *reverse map*, in the last steps of the film, is the subject of
# lesson 6.)

# %% slideshow={"title": "One spte in two forms"}
old.one(lesson.KERNEL)
watch_bits(old.both, old.vm, old.gva)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Change the page, and watch again
#
# Try `"upper level read-only"`, `"supervisor page"`, `"its own page table"`, `"device"`. Which bits differ, and why?
# -->
# ## Change the page, and watch again
#
# CR0.WP is set again, and the kernel writes to a page. Change the kind of page and watch again. <!-- notebook -->(Change
# `kind` in the next cell.)<!-- /notebook --> Look for the bits of the spte that differ from the guest's. The words below
# them say why.
#
# - `"upper level read-only"`: an entry at a higher level has no W. Does the host make an spte at all?
# - `"supervisor page"`: the last entry has no U. Which mark is clear?
# - `"its own page table"`: the entry leads to the page table that contains it. Who carries the write out?
# - `"device"`: there is no memory.

# %% slideshow={"title": "A write to a page that the guest has not written before"}
kind = "not dirty"
other = lesson.kind_of_page(kind)
watch_bits(lambda: other.vm.access(other.gva, write=True), other.vm, other.gva)

# %% [markdown]
# <!-- slide:
# - *upper level read-only*: a true fault, and no spte. *supervisor page*: U and mU are clear.
# - *its own page table*: mW is set and W is clear; the host carries the write out. *device*: P is clear.
# -->
# - `"upper level read-only"`: the guest's own tables refuse the write. It is a true fault, and there is no spte.
# - `"supervisor page"`: U and mU are clear. W is set at once, because the guest's D is set.
# - `"its own page table"`: mW is set and W stays clear. The host carries the write out.
# - `"device"`: of the flags, only P is different. The device gets the write.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## "The bits of the guest's entry are copied"
#
# In the Linux guest of lesson 0, the program reads each of its pages.
# -->
# ## "The bits of the guest's entry are copied"
#
# If you look at a real guest, this is easy to believe. In the Linux guest of lesson 0, the program reads each of its
# pages. Then the flags P, W, U, A, D, G and NX of each guest entry are compared with those of its spte:

# %% slideshow={"title": "A real guest seems to confirm it"}
lesson.looks_copied("lin64_A")

# %% [markdown]
# <!-- slide:
# All are equal, but one guest isn't a proof: this program has no clean page that it may write. (Linux sets D itself when
# it maps a page because of a write.)
# -->
# All are equal! The last line says why: this program has no page that is writable and not dirty. When Linux maps a page
# because of a write, it sets D itself. One guest isn't a proof, so let us try each kind of page. The kernel reads each
# page. One page, in the last line of the next output, was also written. A small letter stands for a right whose mark is
# set, but whose flag is clear:

# %% slideshow={"title": "Each kind of page, after a read"}
lesson.tried(seed)

# %% [markdown]
# <!-- slide:
# Five of nine lines differ. The processor only sees the spte; what the guest *allows* is in the marks.
# -->
# Now five of nine lines differ:
#
# - W is missing where the page is clean, where an entry at a higher level refuses W, and where the frame is a page table;
# - P is missing for the device;
# - D is missing after the first write, because the host sets D only in the guest's entry.
#
# The marks say what the guest allows. The flags say what the processor may do without a fault.
#
# KVM's documentation lists one of these differences as a cause of faults: the guest allows the access, but the host has
# write-protected the memory. The documentation also describes the two forms of an spte for a guest with CR0.WP clear
# ([The x86 kvm shadow mmu](https://docs.kernel.org/virt/kvm/x86/mmu.html), *Reaction to events* and *Emulating
# cr0.wp*).

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## A kernel sets CR0.WP
#
# A read-only page. CR0.WP is clear, and the kernel writes. Then the kernel sets CR0.WP.
# -->
# ## A bug of 2007
#
# Here is one more guest with CR0.WP clear, and a page without W. The guest's kernel may write to the page. It does so, and
# the spte gets W. Then the kernel sets CR0.WP. From now on, the guest's own tables forbid the kernel to write there.
#
# The host notices the load of CR0. As at every load of CR0, it sets up the shadow MMU again, and looks for a root
# shadow page (lesson 12).

# %% slideshow={"title": "The kernel writes, and then sets CR0.WP"} tags=["hide-input"]
ro = lesson.read_only_page(seed)
ro.write()
ro.set_wp()
bit_row(ro.vm, ro.gva)

# %% [markdown]
# <!-- slide: ## Predict: the kernel writes once more -->
# The spte still has the form for the kernel: W, and no U.

# %% tags=["question"]
guess_after_wp = lesson.after_wp(ro)
guess_after_wp

# %% slideshow={"title": "The kernel writes to the read-only page once more"}
film = watch_fault(ro.write, ro.vm, ro.gva)
film

# %% slideshow={"slide_type": "subslide"} tags=["answer"]
guess_after_wp.reveal(film)

# %% [markdown]
# <!-- slide:
# ## Fixed in 2010: CR0.WP is in the name of a page
#
# - The audits of 2007 notice nothing: they never compare rights.
# - Commit 3dbe141595fa, May 2010: after a change of CR0.WP, the host no longer finds the old shadow pages.
# -->
# The audits, KVM's tests of its own data (lesson 14), notice nothing, since they never compare rights: `ro.vm.audit()`
# returns an empty list.
#
# Avi Kivity, the author of KVM, fixed this in May 2010. Since then, CR0.WP has been a part of the name of a shadow
# page. When CR0.WP changes, the host no longer finds the old pages, and uses different ones (["KVM: MMU: Segregate
# shadow pages with different
# cr0.wp"](https://github.com/torvalds/linux/commit/3dbe141595faa48a067add3e47bba3205b79d33c), commit 3dbe141595fa). The
# museum of bugs has this bug with a fix of the same kind, in another guest, whose page is at `0x1000`. The film begins
# when the kernel has just set CR0.WP. The host loads a new root, which is empty. So the kernel's write faults, the host
# looks at the guest's tables, and the guest gets its fault. (The old spte, `#247:1`, still exists. It isn't drawn,
# since the new root doesn't lead to it.)

# %% slideshow={"title": "With the fix, the guest gets its fault"}
exhibit("wp0_to_wp1_stale_write").film(fixed=True)

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
lesson.which_rights(seed)

# %% tags=["check", "try-it"]
lesson.first_writes(seed)

# %% tags=["check", "try-it"]
lesson.what_a_write_does(seed)

# %% tags=["check", "try-it"]
lesson.turns(seed)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## The way on
#
# - exercise 03, *Make a shadow entry*: write `set_spte` yourself
# - `entry_decoder()`: type in an entry, and see what it means
# - next: how a shadow page gets its name
# -->
# ## The way on
#
# In [exercise 03: spte](../exercises/03_spte/README.md) you write the function that makes an spte. You know everything
# that it needs. To look at entries of your own, try `entry_decoder()` from `kvmmmu_lab.labs`.
#
# The bugs of lessons 3 and 4 have one cause in common: the host finds a shadow page by its *name*, and the name says too
# little. [Lesson 5](05_naming.ipynb) is about this name.

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [← Lesson 3: Lazy filling](03_lazy_filling.ipynb) ·
# [Lesson 5: Naming shadow pages →](05_naming.ipynb)
