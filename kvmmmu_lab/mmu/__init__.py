# SPDX-License-Identifier: GPL-2.0-only
"""The shadow-paging MMU of KVM in Linux 2.6.22: a small, exact model.

A guest has its own page tables, but while it runs the processor never walks them. It walks *shadow* tables, which belong to
the host and map the same guest addresses to host frames. The host makes their entries one by one, as the guest faults. It
also write-protects every frame that holds a guest table. So each write to a guest table faults, and the host can zap the
shadow entries of the guest entries that are about to change.

Addresses are a *gva* (guest virtual), *gpa* (guest physical) or *hpa* (host physical); a *gfn* and an *hfn* are the
numbers of their 4 KiB frames. An *spte* is a shadow entry, identified by the index of its word in host memory.

To learn the engine, read the modules in this order:

1.  `bits`       entry formats, flags and paging modes
2.  `memory`     host memory, which contains the guest's memory, and the functions that change it
3.  `pool`       the 256 shadow pages: their roles, their hash, the free and the active list
4.  `caches`     memory caches: objects allocated in advance for reverse maps and parent chains
5.  `machine`    the state of a VM, and the protocols of its replaceable parts
6.  `rmap`       reverse maps: the shadow entries through which a frame can be written
7.  `parents`    parent chains: the shadow entries that point to a shadow page
8.  `walk`       the walk of the guest's page tables
9.  `shadow`     shadow pages: get, zap, evict
10. `spte`       making a shadow entry from a guest entry
11. `fault`      handling a page fault: walking, fetching, fixing the entry
12. `prewrite`   what happens before the guest writes a page table
13. `context`    the root tables of each paging mode, and page faults of a guest without paging
14. `registers`  loads of CR0, CR3, CR4 and EFER
15. `slots`      how changes to memory slots affect the shadow tables
16. `cpu`        the processor, which walks the shadow tables
17. `audit`      three audits of the consistency of the shadow tables
18. `vm`         `Vm`: a complete VM and its operations; `checks` checks their arguments
19. `events`     the steps that all these modules report

`kvmmmu_lab.inspect.dump` returns the whole state as plain lists. The model reproduces the bugs of this kernel version and marks
each of them "(2007)". Where the kernel would have crashed its host, the model raises `HostCrash`, which describes the crash.
"""

from .audit import Complaint
from .cpu import Access
from .events import Event, describe
from .vm import Vm

__all__ = ["Access", "Complaint", "Event", "Vm", "describe"]
