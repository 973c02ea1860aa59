# SPDX-License-Identifier: GPL-2.0-only
"""The shadow-paging MMU of KVM in Linux 2.6.22: a small, exact model.

Read it in this order, top to bottom:

1.  `bits`       entry formats: what a page table entry says
2.  `memory`     host memory, the guest's slots in it, and the one door for writes
3.  `pool`       the 256 shadow pages, their roles and their hash
4.  `rmap`       reverse maps: who can write a frame
5.  `parents`    parent chains: who points to a shadow page
6.  `caches`     memory caches, which the last two take from
7.  `shadow`     shadow pages come and go
8.  `walk`       the guest's page tables, walked
9.  `spte`       from a guest entry to a shadow entry
10. `fault`      a page fault, from walk to fix
11. `prewrite`   what happens before the guest writes a page table
12. `context`    the four modes, their roots, and life without paging
13. `registers`  CR0, CR3, CR4, EFER
14. `cpu`        the processor, which walks the shadow tables
15. `audit`      the three audits
16. `parts`      what can be replaced
17. `machine`    the state of a VM; `vm`: its operations; `state`: its canonical form
18. `events`     the steps that all of the above can report

Where the kernel of 2007 was wrong, so is this model; such places say "(2007)". Where it would have crashed its host,
`HostCrash` says how.
"""

from .audit import Complaint
from .cpu import Access
from .events import Event, describe
from .vm import Vm

__all__ = ["Access", "Complaint", "Event", "Vm", "describe"]
