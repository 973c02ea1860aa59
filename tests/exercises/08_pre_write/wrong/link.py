# SPDX-License-Identifier: GPL-2.0-only


class all_parents_removed(steps):
    """The child loses all its parents, and not only this one."""

    def unlink(vm, page, spte, entry):
        if page.level == 1:
            vm.rmap.remove(spte)
        else:
            while (parent := vm.parents.first(child(vm, entry))) is not None:
                vm.parents.remove(child(vm, entry), parent)


class child_zapped(steps):
    """The child of the entry is zapped."""

    def zap_entry(vm, page, spte):
        entry = vm.memory.words[spte]
        if entry & PRESENT and page.level > 1:
            zap_page(vm, child(vm, entry))
            return
        if entry & PRESENT:
            vm.rmap.remove(spte)
        vm.memory.put(spte, 0, ev.ZAP_SPTE)


class child_zapped_when_orphaned(steps):
    """A child that has no parent left is zapped."""

    def unlink(vm, page, spte, entry):
        if page.level == 1:
            vm.rmap.remove(spte)
        else:
            vm.parents.remove(child(vm, entry), spte)
            if vm.parents.first(child(vm, entry)) is None:
                zap_page(vm, child(vm, entry))


class links_as_leaves(steps):
    """Every entry is treated as a leaf."""

    def unlink(vm, page, spte, entry):
        vm.rmap.remove(spte)


class links_of_directories_only(steps):
    """Only entries of directories have children; those of higher levels are treated as leaves."""

    def unlink(vm, page, spte, entry):
        if page.level == 2:
            vm.parents.remove(child(vm, entry), spte)
        else:
            vm.rmap.remove(spte)


class live_root_spared(steps):
    """A root in use is spared."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical and not page.root_count]


class parent_kept(steps):
    """The link is zeroed, but stays among the child's parents."""

    def unlink(vm, page, spte, entry):
        if page.level == 1:
            vm.rmap.remove(spte)


class parents_of_roots_kept(steps):
    """A page that is a root keeps its parents."""

    def unlink(vm, page, spte, entry):
        if page.level == 1:
            vm.rmap.remove(spte)
        elif not child(vm, entry).root_count:
            vm.parents.remove(child(vm, entry), spte)
