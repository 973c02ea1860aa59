# SPDX-License-Identifier: GPL-2.0-only


class large_pages_in_no_map(steps):
    """It leaves out the entries of large pages."""

    def writable_leaves(vm):
        """Count (hfn, spte) of all entries that belong into a reverse map."""
        found = Counter()
        for page in vm.pool.active:
            if page.level == 1 and not (page.metaphysical and page.glevels):
                for spte in entries_with(vm, page):
                    if vm.memory.words[spte] & WRITABLE:
                        found[frame(vm, spte), spte] += 1
        return found


class metaphysical_hides_table(steps):
    """A metaphysical page hides a guest table of the same gfn."""

    def check_wp(vm):
        writable = {hfn for hfn, _ in writable_leaves(vm)}
        by_gfn = {page.gfn: page for page in sorted(vm.pool.active, key=lambda page: page.metaphysical)}
        tables = [page.gfn for page in by_gfn.values() if not page.metaphysical]
        return [("wp", gfn) for gfn in tables if vm.memory.frames[gfn] in writable]


class metaphysical_tables(steps):
    """The gfn of a metaphysical page counts as a guest table."""

    def check_wp(vm):
        writable = {hfn for hfn, _ in writable_leaves(vm)}
        tables = [page.gfn for page in vm.pool.active]
        return [("wp", gfn) for gfn in tables if vm.memory.frames[gfn] in writable]


class page_tables_only(steps):
    """It checks only page tables, and neither directories nor roots."""

    def check_wp(vm):
        writable = {hfn for hfn, _ in writable_leaves(vm)}
        tables = [page.gfn for page in vm.pool.active if page.level == 1 and not page.metaphysical]
        return [("wp", gfn) for gfn in tables if vm.memory.frames[gfn] in writable]


class roots_left_out(steps):
    """It leaves out the guest's root, whose shadow page has no parent."""

    def check_wp(vm):
        writable = {hfn for hfn, _ in writable_leaves(vm)}
        tables = [page.gfn for page in vm.pool.active if not page.root_count and not page.metaphysical]
        return [("wp", gfn) for gfn in tables if vm.memory.frames[gfn] in writable]


class tables_by_host_frame(steps):
    """It reports the host frame of the table instead of its gfn."""

    def check_wp(vm):
        writable = {hfn for hfn, _ in writable_leaves(vm)}
        tables = [page.gfn for page in vm.pool.active if not page.metaphysical]
        return [("wp", vm.memory.frames[gfn]) for gfn in tables if vm.memory.frames[gfn] in writable]


class tables_by_shadow_page(steps):
    """A table with several shadow pages is reported once for each of them."""

    def audit(vm):
        return [*check_wp(vm), *{*check_rmap(vm), *check_map(vm)}]


class tables_by_the_maps(steps):
    """It asks the reverse maps whether a table can be written, which may be what is wrong."""

    def check_wp(vm):
        writable = set(vm.rmap.frames())
        tables = [page.gfn for page in vm.pool.active if not page.metaphysical]
        return [("wp", gfn) for gfn in tables if vm.memory.frames[gfn] in writable]


class tables_gfn_for_hfn(steps):
    """It compares the gfn of a table with host frames."""

    def check_wp(vm):
        writable = {hfn for hfn, _ in writable_leaves(vm)}
        tables = [page.gfn for page in vm.pool.active if not page.metaphysical]
        return [("wp", gfn) for gfn in tables if gfn in writable]


class known_by_its_first_name(steps):
    """It compares gfns, so that a table with two gfns is found by one of them only."""

    def check_wp(vm):
        writable = {vm.memory.gfns[hfn] for hfn, _ in writable_leaves(vm)}
        return [("wp", page.gfn) for page in vm.pool.active if not page.metaphysical and page.gfn in writable]


class one_hundred_tables(steps):
    """It reports no more than 100 tables."""

    def check_wp(vm):
        writable = {hfn for hfn, _ in writable_leaves(vm)}
        tables = [page.gfn for page in vm.pool.active if not page.metaphysical]
        return [("wp", gfn) for gfn in tables if vm.memory.frames[gfn] in writable][:100]


class tables_of_16_bits(steps):
    """It reports the low 16 bits of a gfn."""

    def check_wp(vm):
        writable = {hfn for hfn, _ in writable_leaves(vm)}
        tables = [page.gfn for page in vm.pool.active if not page.metaphysical]
        return [("wp", gfn & 0xFFFF) for gfn in tables if vm.memory.frames[gfn] in writable]


class tables_with_a_map(steps):
    """A table whose frame has a reverse map is reported, too, although the map is wrong."""

    def check_wp(vm):
        writable = {hfn for hfn, _ in writable_leaves(vm)} | {hfn for hfn, _ in noted(vm)}
        tables = [page.gfn for page in vm.pool.active if not page.metaphysical]
        return [("wp", gfn) for gfn in tables if vm.memory.frames[gfn] in writable]


class one_gfn_of_each_frame(steps):
    """If two tables are in one host frame, by an alias, it reports only one of the gfns."""

    def check_wp(vm):
        writable = {hfn for hfn, _ in writable_leaves(vm)}
        tables = {vm.memory.frames[page.gfn]: page.gfn for page in vm.pool.active if not page.metaphysical}
        return [("wp", gfn) for hfn, gfn in tables.items() if hfn in writable]


class only_what_the_root_leads_to(steps):
    """It looks for writable entries only in pages that the root leads to."""

    def check_wp(vm):
        writable = {frame(vm, spte) for _, spte in mappings(vm) if vm.memory.words[spte] & WRITABLE}
        tables = [page.gfn for page in vm.pool.active if not page.metaphysical]
        return [("wp", gfn) for gfn in tables if vm.memory.frames[gfn] in writable]


class tables_of_the_current_mode(steps):
    """It does not look at tables of more levels than the guest has now: pages stay in use after a switch of modes."""

    def check_wp(vm):
        writable = {hfn for hfn, _ in writable_leaves(vm)}
        tables = [page.gfn for page in vm.pool.active if not page.metaphysical and page.level <= max(2, vm.root_level)]
        return [("wp", gfn) for gfn in tables if vm.memory.frames[gfn] in writable]
