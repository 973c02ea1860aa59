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
# [Lesson 1: Two maps, one walker →](01_two_maps.ipynb)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!--
# SPDX-License-Identifier: GPL-2.0-only
# -->
# <!-- slide:
# A program reads one byte. In 2007, in a virtual machine, this access could fault.
#
# - **What does the host do when the guest changes a page table?**
# - **What if it does not notice?**
# -->
# # Lesson 0: The first fault
#
# A *guest* is a virtual machine, and the *host* is the machine that runs it. A program in the guest reads one byte of
# its memory. On a real machine that takes a nanosecond. In a virtual machine in 2007, the same read could cause a page
# fault that neither the program nor the guest's kernel would ever notice. *What does the host do when a program reads
# one byte, and when the guest changes a page table?*
#
# The part of the host that does the work is the *hypervisor*: here KVM in Linux 2.6.22. It keeps page tables of its
# own, the *shadow*. At such a fault, it adds to the shadow and lets the program try again. You will watch this on
# the page tables of a real Linux guest. Then the guest's kernel will change one of its own page tables.
#
# After this lesson you can
#
# - say which tables the guest writes, and which tables the processor walks;
# - predict how much of the shadow one access fills;
# - say what the host does about a write to a page table, and what happens if it does not notice the write.
#
# You only need to know roughly what page tables are. <!-- page: The code is Python, and what it printed and drew is
# below it. Films play here. --> <!-- live page: To change the code and run it, choose *Open live* above. -->
# <!-- static page: To change the code and run it, open this lesson as a notebook. -->
#
# <!-- notebook -->
# Run the cells from top to bottom with <kbd>Shift</kbd>+<kbd>Enter</kbd>. If you run a cell twice, it acts on the
# same machine twice. To start again, choose *Kernel > Restart Kernel...* and run the cells from the top. (In a narrow
# window, <kbd>Ctrl</kbd>+<kbd>B</kbd> hides the list of files and makes room for the pictures.)
# <!-- /notebook -->

# %% [markdown] slideshow={"slide_type": "notes"}
# *For teachers:* this lesson takes 30 minutes. There are four predictions and three check questions. It is a tour: every
# term in it comes back in a later lesson. Let everyone step through the first film alone.

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## The guest has one map, the processor walks another
#
# A program uses a **gva**. The guest's tables map it to a **gpa**, which the processor cannot use.
#
# So the host keeps **shadow pages**, from gva straight to the host's memory. The processor walks *these*. An entry in one of
# them is an **spte**.
# -->
# ## Two maps, one walker
#
# A page table translates a program's addresses to places in physical memory. In a virtual machine there is one more
# step in between, so there are three kinds of address:
#
# - a **gva**, *guest virtual address*: an address that a program or the kernel of the guest uses;
# - a **gpa**, *guest physical address*: an address in what the guest's kernel believes is physical memory. This
#   memory is divided into *frames* of 4 KiB, the size of a page. The number of a frame is its **gfn**, *guest frame
#   number*: `gpa 0x61c9e30` is in `gfn 0x61c9`;
# - an **hpa**, *host physical address*: the place in the host's memory where the byte really is.
#
# The guest's own tables map gva to gpa. The processor cannot use them, because a gpa is not an address in real
# memory. So the host keeps a second set of tables, which map gva straight to hpa: the **shadow pages**. The
# processor walks *these* tables. An entry in a shadow page is called an **spte** (shadow page table entry). It leads
# to a frame of the guest's memory, or to another shadow page. An spte that leads to another shadow page is called a
# **link**.
#
# Here is a guest: Linux 6.1 with 128 MB of memory, recorded while it was running. (This Linux is newer than the host's.
# That makes no difference, because the processor prescribes the format of page tables.) All its page tables are
# included, exactly as they were. `vm` is a virtual machine that continues from the moment of the recording. Of the
# shadow of these tables, only the *root* exists, and it is still empty.
#
# Seven processes exist in this guest. The output below counts all frames that hold their page tables. The tree in use
# has 110 of these, with its root. The number of mapped pages counts only the pages of this tree. There are more of them
# than the 32,768 frames of 128 MB, because the tables map some frames many times.

# %% tags=["hide-input"]
from kvmmmu_lab import open_guest
from kvmmmu_lab.labs import course_picture, entry_of, hierarchy, pick_address, watch
from kvmmmu_lab.lessons import lesson_00 as lesson

guest = open_guest("lin64_A")
vm = guest.vm()
guest

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## This picture goes with you through the course -->
# ## The picture so far
#
# This is the picture of the whole course. Each lesson adds one thing to it. Both trees lead to the same frame of
# memory: the guest's tables (blue), and below them the shadow pages (orange). Each shadow page is below the table
# that it shadows. Page tables lead only from an address to a frame. The purple dashed line leads back, from the
# frame to a shadow entry.

# %% tags=["hide-input"]
course_picture(0)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Pick an address of the guest -->
# ## Pick an address
#
# The guest maps all of these pages: code and data of the running program, its heap and stack, and the kernel's own
# memory. (You need not know the names of the kernel's areas.) The first heap page is a good choice.
# <!-- notebook -->Later you can come back, choose another address and run everything below again. Choose *Kernel >
# Restart Kernel...* first, so that the shadow is empty again.<!-- /notebook -->

# %% tags=["try-it"]
place = pick_address(guest)
place

# %% [markdown]
# <!-- slide: ## The guest maps the address; its shadow is still empty -->
# This picture shows how your address is translated now. You will see this kind of picture in every lesson:
#
# - **Above, blue: the guest's tables.** The address selects one entry in each table, from the root (PML4) through
#   the PDPT and the PD down to the page table (PT). The entry of the PT holds the number of the frame. Each table
#   has 512 entries. Only the selected one is drawn; the others are counted below it.
# - **Below, orange: the shadow pages.** They have levels, from L4 (it shadows the PML4) down to L1 (it shadows the PT).
#   Only the L4, the root, exists so far, and its entry for your address is empty. A dotted line connects it with the
#   table that it shadows. (The count below the picture includes pages from the time before the guest turned paging on.
#   They don't matter here.)
# - **In an entry:** its index, its flags, and what it points to. The flags are **P**resent, **W**ritable, **U**ser,
#   **A**ccessed, **D**irty, **G**lobal and **NX** (no execute). A dot means that the flag is not set. A hexadecimal
#   number is a gfn. An spte really holds an hpa, but the picture shows the gfn there, too, so that you can compare.
#   `#250` is a shadow page, and `#250:7` is its entry 7.
#
# Each tree has a root, and the register CR3 holds the address of a root. We have to distinguish two values of CR3.
# The *guest's CR3* is the value that the guest has loaded: the gpa of the PML4, which is marked `= CR3`. The
# *processor's own CR3* is the value that the processor uses: the hpa of the root shadow page. The host loads it, and
# the guest never sees it.

# %% tags=["hide-input"]
hierarchy(vm, place.gva)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: how much does one access fill?
#
# The program is about to access the address.
# -->
# ## Predict first
#
# The program is about to access that address. The host has a pool of 256 shadow pages, most of them unused.
#
# Even a wrong guess helps you remember the answer. <!-- page: So choose one before you read on: the film shows what
# happens. --><!-- notebook -->Choose an answer before you run the next cell: after that, your first choice counts. (The
# arrow keys move the choice, and <kbd>Tab</kbd> leaves the question.)<!-- /notebook -->

# %% tags=["question"]
guess_filled = lesson.filled(vm, place.gva)
guess_filled

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## A fault fills one entry at each level -->
# ## Watch one fault
#
# This is a *film*: the access, recorded step by step. Click on it once, then use the arrow keys <kbd>→</kbd> and
# <kbd>←</kbd>, or the buttons. <kbd>space</kbd> plays it, and <kbd>?</kbd> shows all keys.
#
# - The sentence at the top describes what just happened.
# - The line below it shows which entry changed, bit by bit. At its right, in small type, are the kernel function that is
#   running and its place in the source.
# - In the picture, everything that a step changed is yellow and bold. A new page has a double border, and `>` marks an
#   entry that is being read. A dashed outline is the place of a page that does not exist yet.
# - Click on anything to see its history. *Steps* opens the list of all steps.
#
# Look for three things:
#
# 1. The processor finds the shadow entry empty and **faults**. From here on the host runs.
# 2. The host walks the *guest's* tables as the processor would. It also changes the shadow. Which of the two does it
#    do first? (The film also says that the host *write-protects* the tables that it shadows, and that a link always
#    has W and U. The section *How a write is noticed* explains both.)
# 3. If the new spte has W, the host finally adds it to the **reverse map** of the frame (grey, on the right, `rmap`).
#    The reverse map of a frame lists the sptes through which the frame can be written. Without W, there is no such
#    step.

# %%
fault = watch(lambda: vm.access(place.gva, user=place.user), vm, [place.gva])
fault

# %% tags=["answer"]
guess_filled.reveal()

# %% [markdown]
# <!-- slide: ## The same access again costs no fault -->
# Here is the same access once more. The result counts its `faults`:

# %%
vm.access(place.gva, user=place.user)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## The kernel moves the page: it writes one entry
#
# The guest's kernel compacts memory. Here is the entry, 8 bytes long:
# -->
# ## The kernel moves your page
#
# Suppose the guest's kernel moves your page to an adjacent frame, as a kernel does when it compacts memory. To do so,
# it writes one entry of its own page table. The entry is 8 bytes long:

# %% tags=["hide-input"]
entry = entry_of(vm, place.gva)
entry

# %% [markdown]
# <!-- slide:
# ## Predict: the host does not notice the write
#
# A cheat: `poke` writes the new value into the guest's memory without the host noticing.
# -->
# Let us cheat first: `poke` writes the new value straight into the guest's memory without the host noticing. Then the
# program accesses the page once more. If it reaches a frame, the result shows the `gpa`. Drop its last three
# hexadecimal digits, and you have the gfn.

# %% tags=["question"]
guess_unnoticed = lesson.unnoticed(vm, entry)
guess_unnoticed

# %% slideshow={"title": "After the cheat, the access still succeeds"}
vm.poke(entry.gpa, entry.moved)
access = vm.access(place.gva, user=place.user)
access

# %% slideshow={"title": "The two maps now lead to different frames"} tags=["hide-input"]
hierarchy(vm, place.gva)

# %% slideshow={"title": "The processor reads only the spte"} tags=["answer"]
guess_unnoticed.reveal(access)

# %% [markdown]
# <!-- slide:  -->
# Let us undo the cheat, and do it properly this time.

# %% tags=["no-slide"]
vm.poke(entry.gpa, entry.value)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## An spte that leads to a shadowed table's frame never has W -->
# ## How a write is noticed
#
# The guest's kernel has no special way to reach its tables. It writes them like any other memory, through an address
# that maps them. Linux maps all of memory a second time for its own use: this is the *direct map* in the list of
# addresses above. The last line that `entry` printed ends with the address of your entry in the direct map.
#
# The direct map is shadowed, too, and this lets the host notice the write. **An spte that leads to the frame of a
# shadowed page table never has W set**, whatever the guest's entry allows. So the write faults, and the host gets
# control.
#
# When the host begins to shadow a table, sptes with W may already lead to its frame. The host finds these sptes in
# the reverse map of the frame, and clears their W ([lesson 6](06_reverse_maps.ipynb)).
#
# First let the kernel read your entry at its address in the direct map. This adds the kernel's path to the shadow. Then
# look at both paths together. Your page table appears twice in this picture: as a table (blue), and as a frame of
# memory (grey). A dashed arrow leads from an spte to this frame. (It is not the purple line of the reverse map.) The
# flags of this spte have a small `w`: the guest allows writing, but the shadow does not.
#
# The kernel maps your page table with a page of 2 MB: one PD entry leads straight to 512 frames. The shadow maps
# these frames one by one. It has an extra L1 page for them, which shadows no guest table. So far, only one spte of
# this page is in use, the one for your page table. Its index is the place of your table among the 512 frames. (If
# you chose the first heap page, they begin at gfn 0x6000, and the index is 0x61c9 - 0x6000 = 457.)
#
# A link always has W *and* U, even if the guest's entry lacks one of them, or both. This is safe, because a processor
# allows an access only if *all* entries on the path allow it. The last one, the spte at L1, has only those rights that
# every guest entry on the path grants.

# %% tags=["hide-input"]
vm.access(entry.kernel_gva)
hierarchy(vm, place.gva, entry.kernel_gva)

# %% [markdown]
# <!-- slide:
# ## Predict: the host performs the write
#
# The kernel will now write its entry, and the write faults.
# -->
# The kernel will now write the entry of your page, and the host will perform the store for it.

# %% tags=["question"]
guess_stored = lesson.stored(vm, place.gva)
guess_stored

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## The host zaps the spte, and then performs the store -->
# ## Watch the write
#
# Step slowly near the end, and look at the order of the steps. Four terms in this film:
#
# - *supervisor mode* is the mode of the kernel;
# - to **zap** an entry is to remove it from the shadow;
# - the **TLB** is the processor's own cache of translations;
# - the outcome `emul` (*emulated*) means that the host performed the store for the guest.
#
# The host walks the guest's tables twice. The first walk belongs to the fault: it checks whether the guest's tables
# allow the write. The second one only looks up the gpa for the store.

# %%
store = {"write": True, "value": entry.moved, "size": entry.size}
write = watch(lambda: vm.access(entry.kernel_gva, **store), vm, [place.gva])
write

# %% tags=["answer"]
guess_stored.reveal()

# %% [markdown]
# <!-- slide: ## Ask an entry for its story -->
# <!-- notebook -->
# Click on a table or an entry in the film above, and then run the next cell: it prints the story of what you clicked on.
# <!-- /notebook -->

# %% tags=["try-it", "notebook-only"]
write.picked

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Predict: the program accesses the page once more
#
# It is still running.
# -->
# ## The next access
#
# The program is still running, and accesses the page once more.

# %% tags=["question"]
guess_afterwards = lesson.afterwards(vm)
guess_afterwards

# %% slideshow={"title": "The next fault makes one spte, and no new page"}
watch(lambda: vm.access(place.gva, user=place.user), vm, [place.gva])

# %% tags=["answer"]
guess_afterwards.reveal()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you saw

# %% tags=["answer"]
lesson.SUMMARY

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide: ## Check yourself -->
# ## Check yourself
#
# Three questions about small guests made by hand. Their numbers come from `seed`. <!-- notebook -->Each is checked as soon
# as you choose. *Another one* asks again with other numbers.<!-- /notebook -->

# %% tags=["no-slide"]
seed = 7

# %% tags=["check", "try-it"]
lesson.faults(seed)

# %% tags=["check", "try-it"]
lesson.reached_frame(seed)

# %% tags=["check", "try-it"]
lesson.zapped_entry(seed)

# %% [markdown] slideshow={"slide_type": "slide"}
# <!-- slide:
# ## Where to go from here
#
# - lesson 1: the two maps, and how to compute with their numbers
# - the same lesson with another address, or another guest
# -->
# ## Where to go from here
#
# What you watched is KVM's algorithm in Linux 2.6.22, step by step. This kit has been compared with the kernel's own
# code: after each operation, such as an access or a load of CR3, both were in the same state. [Lesson
# 1](01_two_maps.ipynb) is about the two maps and how to compute with their numbers. To see more of this lesson:
#
# - pass `detail=True` to `watch`;
# - play with `fault_lab()` and `write_lab()` from `kvmmmu_lab.labs`, in which you set up page tables or write to
#   them, and predict the result;
# - go back to [Pick an address](#Pick-an-address) and choose an address that is marked *2 MB page*: the entry that the
#   kernel writes is then one level higher, and the write removes a link;
# - open another guest, `linpae_A` or `lin32_A`, and watch the same steps on tables of a different shape (`lin32_A`
#   has two levels and entries of 4 bytes).

# %% [markdown] tags=["navigation"]
# [All lessons](start.ipynb) ·
# [Lesson 1: Two maps, one walker →](01_two_maps.ipynb)
