# SPDX-License-Identifier: GPL-2.0-only
# breaks: leaf
"""Each write zaps the whole page."""

from kvmmmu_lab.mmu.bits import PAGE_SHIFT
from kvmmmu_lab.mmu.shadow import zap_page


def pre_write(vm, gpa, size):
    gfn = gpa >> PAGE_SHIFT
    if gfn == vm.last_pt_write_gfn:
        vm.last_pt_write_count += 1
    else:
        vm.last_pt_write_gfn = gfn
        vm.last_pt_write_count = 1
    for page in list(vm.pool.bucket(gfn)):
        if page.gfn != gfn or page.metaphysical:
            continue
        zap_page(vm, page)
