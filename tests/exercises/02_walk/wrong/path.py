# SPDX-License-Identifier: GPL-2.0-only


class rights_always_full(steps):
    """The rights are always W and U."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        while True:
            tables[level] = gfn
            at = place(vm, gfn, gva, level)
            if at is None:
                return Walk(level, tables, None, rights, 0, code)
            entry = entry_at(vm, at)
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            level, gfn = level - 1, frame(vm, entry)


class rights_not_anded(steps):
    """The rights are those of the entry just above the last one."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        while True:
            tables[level] = gfn
            at = place(vm, gfn, gva, level)
            if at is None:
                return Walk(level, tables, None, rights, 0, code)
            entry = entry_at(vm, at)
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights = entry & (WRITABLE | USER)
            level, gfn = level - 1, frame(vm, entry)


class rights_of_the_last_only(steps):
    """The rights are those of the last entry."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        while True:
            tables[level] = gfn
            at = place(vm, gfn, gva, level)
            if at is None:
                return Walk(level, tables, None, rights, 0, code)
            entry = entry_at(vm, at)
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            rights = entry & (WRITABLE | USER)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            level, gfn = level - 1, frame(vm, entry)


class rights_of_the_last_too(steps):
    """The rights include those of the last entry."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        while True:
            tables[level] = gfn
            at = place(vm, gfn, gva, level)
            if at is None:
                return Walk(level, tables, None, rights, 0, code)
            entry = entry_at(vm, at)
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            rights &= entry
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            level, gfn = level - 1, frame(vm, entry)


class rights_of_the_pdpte_if_it_has_any(steps):
    """A PAE guest begins with W and U of the PDPTE, unless it has none."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        if gfn is None:
            return Walk(level, tables, None, 0, 0, code)
        if vm.root_level == 3:
            rights = vm.cpu.pdptrs[gva >> 30 & 3] & 6 or 6
        while True:
            tables[level] = gfn
            at = place(vm, gfn, gva, level)
            if at is None:
                return Walk(level, tables, None, rights, 0, code)
            entry = entry_at(vm, at)
            if not entry & PRESENT:
                return Walk(level, tables, at, rights, 0, code)
            if refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)
