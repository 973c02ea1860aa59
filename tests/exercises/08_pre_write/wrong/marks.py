# SPDX-License-Identifier: GPL-2.0-only


class io_marks_left(steps):
    """I/O entries are left as they are."""

    def zap_entry(vm, page, spte):
        entry = vm.memory.words[spte]
        if not entry & PRESENT and entry & 1 << 9:
            return
        if entry & PRESENT:
            unlink(vm, page, spte, entry)
        vm.memory.put(spte, 0, ev.ZAP_SPTE)


class marks_left(steps):
    """An entry that is not present is left as it is."""

    def zap_entry(vm, page, spte):
        entry = vm.memory.words[spte]
        if not entry & PRESENT:
            return
        if entry & PRESENT:
            unlink(vm, page, spte, entry)
        vm.memory.put(spte, 0, ev.ZAP_SPTE)


class only_known_entries(steps):
    """An entry is zeroed only if it is present or an I/O entry."""

    def zap_entry(vm, page, spte):
        entry = vm.memory.words[spte]
        if not entry & (PRESENT | 1 << 9):
            return
        if entry & PRESENT:
            unlink(vm, page, spte, entry)
        vm.memory.put(spte, 0, ev.ZAP_SPTE)
