# SPDX-License-Identifier: GPL-2.0-only
"""The shadow-paging MMU of KVM in Linux 2.6.22: a small, exact model.

A guest keeps page tables, but while it runs the processor never walks them. It walks *shadow* tables, which the host
keeps: they map the same guest addresses to host frames. The host makes them entry by entry, as the guest faults. It
write-protects every frame that holds a guest table. So each write to a guest table faults, too, and the host can drop the
shadow of what is about to change.

Addresses are a *gva* (guest virtual), *gpa* (guest physical) or *hpa* (host physical); a *gfn* and an *hfn* are the
numbers of their 4 KiB frames. An *spte* is a shadow entry, named by the index of its word in host memory.

To learn the engine, read the modules in this order:

1.  `bits`       entry formats, flags and paging modes: what a page table entry says
2.  `memory`     host memory, the guest's memory in it, and the one door through which both change
3.  `pool`       the 256 shadow pages: their roles, their hash, the free and the active list
4.  `caches`     memory caches, from which reverse maps and parent chains take
5.  `machine`    the state of a VM, and the protocols of the parts that can be replaced
6.  `rmap`       reverse maps: who can write a frame
7.  `parents`    parent chains: who points to a shadow page
8.  `walk`       the walk of the guest's page tables
9.  `shadow`     shadow pages: get, zap, evict
10. `spte`       from a guest entry to a shadow entry
11. `fault`      a page fault, from walk to fix
12. `prewrite`   what happens before the guest writes a page table
13. `context`    the roots of each mode, and faults without paging
14. `registers`  loads of CR0, CR3, CR4 and EFER
15. `slots`      what a change of guest memory does to the shadow
16. `cpu`        the processor, which walks the shadow tables
17. `audit`      the three audits
18. `vm`         `Vm`: all of it, wired together, and its operations; `checks` has the checks of their arguments
19. `events`     the steps that all of the above report

`kvmmmu_lab.inspect.dump` gives the whole state as plain lists. Where the kernel of 2007 was wrong, so is this model; such
places say "(2007)". Where the kernel would have crashed its host, the model raises `HostCrash`, which says how.
"""

from .audit import Complaint
from .cpu import Access
from .events import Event, describe
from .vm import Vm

__all__ = ["Access", "Complaint", "Event", "Vm", "describe"]
