# SPDX-License-Identifier: GPL-2.0-only
"""The shadow-paging MMU of KVM in Linux 2.6.22: a small, exact model.

Read it in this order, top to bottom:

1.  `bits`       entry formats: what a page table entry says
2.  `arena`      host memory, and the one door through which it changes
3.  `memory`     guest memory in it: slots, aliases, dirty logs
4.  `pool`       the 256 shadow pages, their roles and their hash
5.  `caches`     memory caches, which the next two take from
6.  `rmap`       reverse maps: who can write a frame
7.  `parents`    parent chains: who points to a shadow page
8.  `shadow`     shadow pages come and go
9.  `walk`       the guest's page tables, walked
10. `spte`       from a guest entry to a shadow entry
11. `fault`      a page fault, from walk to fix
12. `prewrite`   what happens before the guest writes a page table
13. `context`    the four modes, their roots, and life without paging
14. `registers`  CR0, CR3, CR4, EFER; `slots`: what a change of guest memory does
15. `cpu`        the processor, which walks the shadow tables
16. `audit`      the three audits
17. `parts`      what can be replaced
18. `machine`    the state of a VM; `vm`: its operations, with the `checks` of their arguments and the `guard` around them
19. `events`     the steps that all of the above can report; `kvmmmu_lab.inspect.dump` the whole state as plain lists

Where the kernel of 2007 was wrong, so is this model; such places say "(2007)". Where it would have crashed its host,
`HostCrash` says how.
"""

from .audit import Complaint
from .cpu import Access
from .events import Event, describe
from .vm import Vm

__all__ = ["Access", "Complaint", "Event", "Vm", "describe"]
