# SPDX-License-Identifier: GPL-2.0-only


class huge_pages(steps):
    """PS counts at level 3 as well, as for the 1 GiB pages of later processors."""

    def is_large(vm, entry, level):
        return level in (2, 3) and entry & LARGE and (not small(vm) or vm.cpu.cr4 >> 4 & 1)


class large_base_not_cut(steps):
    """It adds the index to the frame in the entry without cutting its low bits."""

    def target(vm, gva, entry, level):
        first = frame(vm, entry)
        if level == 1:
            return first
        size = 1 << index_bits(vm)
        return first + (gva >> 12) % size


class large_base_ored(steps):
    """It ORs the index into the frame in the entry without cutting its low bits."""

    def target(vm, gva, entry, level):
        first = frame(vm, entry)
        if level == 1:
            return first
        size = 1 << index_bits(vm)
        return first | (gva >> 12) % size


class large_index_of_9_bits(steps):
    """A large page of a 32-bit guest counts as 2 MiB."""

    def target(vm, gva, entry, level):
        first = frame(vm, entry)
        if level == 1:
            return first
        size = 512
        return first // size * size + (gva >> 12) % size


class large_says_level_1(steps):
    """The walk to a large page says that it ended at level 1."""

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
            if is_large(vm, entry, level):
                return Walk(1, [0, 0, *tables[2:]], at, rights, target(vm, gva, entry, level), None)
            if level == 1:
                return Walk(level, tables, at, rights, target(vm, gva, entry, level), None)
            rights &= entry
            level, gfn = level - 1, frame(vm, entry)


class large_without_index(steps):
    """The walk to a large page ends at its first frame."""

    def target(vm, gva, entry, level):
        first = frame(vm, entry)
        if level == 1:
            return first
        size = 1 << index_bits(vm)
        return first // size * size


class large_without_pse(steps):
    """PS counts in 32-bit guests whatever CR4.PSE says."""

    def is_large(vm, entry, level):
        return level == 2 and entry & LARGE


class no_large_pages(steps):
    """It knows no large pages, and reads the bytes of the page as entries."""

    def is_large(vm, entry, level):
        return False


class pse_asked_of_all(steps):
    """PS counts only with CR4.PSE, even in PAE and 64-bit guests."""

    def is_large(vm, entry, level):
        return level == 2 and entry & LARGE and vm.cpu.cr4 >> 4 & 1


class large_base_of_9_bits(steps):
    """Of a 32-bit guest's large page, only the lowest 9 bits of the frame are replaced."""

    def target(vm, gva, entry, level):
        first = frame(vm, entry)
        if level == 1:
            return first
        return first // 512 * 512 | (gva >> 12) % (1 << index_bits(vm))


class large_for_all_users(steps):
    """User code may use all large pages of a 32-bit guest."""

    def refused(vm, entry, write, user, fetch):
        if write and not entry & WRITABLE and (user or vm.cpu.cr0 >> 16 & 1):
            return True
        if user and not entry & USER and not (small(vm) and entry & LARGE):
            return True
        return fetch and no_execute(vm, entry)
