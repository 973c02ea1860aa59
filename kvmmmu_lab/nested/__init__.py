# SPDX-License-Identifier: GPL-2.0-only
"""What replaced shadow paging: a processor that walks the guest's tables and, for each of their addresses, the host's tables.

`nested_walk` has a small machine of this kind, with a walk that lists every entry that the processor reads. It is not a model
of Linux 2.6.22, which had no nested paging, and it is separate from the engine in `kvmmmu_lab.mmu`.
"""
