# SPDX-License-Identifier: GPL-2.0-only


class asked_at_the_end(steps):
    """The rights are checked at the end, as on a processor: a missing entry further down decides first."""

    def walk(vm, gva, write, user, fetch):
        code = error_code(write, user, fetch)
        tables, rights = [None] * 5, WRITABLE | USER
        level, gfn = root(vm, gva)
        denied = None
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
                denied = denied or level
            if denied and (level == 1 or is_large(vm, entry, level)):
                return Walk(denied, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class efer_remembered(steps):
    """It reads EFER only once for each machine."""

    EFER = {}

    def no_execute(vm, entry):
        return entry & NX and not small(vm) and EFER.setdefault(id(vm), vm.cpu.efer) >> 11 & 1


class kernel_may_not_use_user_pages(steps):
    """It refuses the kernel the pages of user code, as SMAP does."""

    def refused(vm, entry, write, user, fetch):
        if write and not entry & WRITABLE and (user or vm.cpu.cr0 >> 16 & 1):
            return True
        if bool(user) != bool(entry & USER):
            return True
        return fetch and no_execute(vm, entry)


class kernel_writes_all(steps):
    """CR0.WP counts as clear: the kernel may always write."""

    def refused(vm, entry, write, user, fetch):
        if write and not entry & WRITABLE and user:
            return True
        if user and not entry & USER:
            return True
        return fetch and no_execute(vm, entry)


class nx_in_32_bit_guests(steps):
    """The highest bit of a 4-byte entry counts as NX."""

    def no_execute(vm, entry):
        return entry & (1 << 31 if small(vm) else NX) and vm.cpu.efer >> 11 & 1


class nx_only_at_the_leaf(steps):
    """NX of upper levels is ignored."""

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
            if refused(vm, entry, write, user, fetch and level == 1):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class nx_only_in_64_bit_guests(steps):
    """NX counts in 64-bit guests, but not in PAE guests."""

    def no_execute(vm, entry):
        return entry & NX and vm.root_level == 4 and vm.cpu.efer >> 11 & 1


class nx_refuses_reads(steps):
    """NX refuses every access, and not only fetches."""

    def refused(vm, entry, write, user, fetch):
        if write and not entry & WRITABLE and (user or vm.cpu.cr0 >> 16 & 1):
            return True
        if user and not entry & USER:
            return True
        return no_execute(vm, entry)


class nx_without_efer(steps):
    """NX counts even if EFER.NX is clear."""

    def no_execute(vm, entry):
        return entry & NX and not small(vm)


class only_the_last_asked(steps):
    """Only the last entry is asked whether the access is allowed."""

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
            if (level == 1 or (level == 2 and entry & LARGE)) and refused(vm, entry, write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class present_bit_never(steps):
    """The error code never has P."""

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
                return Walk(level, tables, at, rights, 0, code)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class user_only_at_the_leaf(steps):
    """U of upper levels is ignored."""

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
            if refused(vm, entry | USER * (level > 1), write, user, fetch):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class wp_for_users_too(steps):
    """With CR0.WP clear, even user code may write read-only pages."""

    def refused(vm, entry, write, user, fetch):
        if write and not entry & WRITABLE and vm.cpu.cr0 >> 16 & 1:
            return True
        if user and not entry & USER:
            return True
        return fetch and no_execute(vm, entry)


class wp_ignored(steps):
    """CR0.WP counts as set: the kernel may never write a read-only page."""

    def refused(vm, entry, write, user, fetch):
        if write and not entry & WRITABLE:
            return True
        if user and not entry & USER:
            return True
        return fetch and no_execute(vm, entry)


class nx_of_a_pae_directory_ignored(steps):
    """In a PAE guest, it checks NX only at level 1."""

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
            if refused(vm, entry, write, user, fetch and (vm.root_level != 3 or level == 1)):
                return Walk(level, tables, at, rights, 0, code | PRESENT)
            set_accessed(vm, gfn, at, entry)
            if level == 1 or is_large(vm, entry, level):
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)
