# SPDX-License-Identifier: GPL-2.0-only
"""Every kind of event has a narration, and its sentences are correct."""

import pytest

from kvmmmu_lab import Vm, open_guest, record
from kvmmmu_lab.errors import InputError
from kvmmmu_lab.inspect.names import Names
from kvmmmu_lab.labs.guests import GuestTable, small_guest
from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.player.film import film
from kvmmmu_lab.recording.narration import NARRATIONS, OPERATIONS, OUTCOMES, QUESTIONS, TAGS, question, sentence, tags_of

GVA = 0x343C9000


def test_every_kind_of_event_has_a_narration():
    missing = set(ev.KINDS.values()) - {ev.END} - set(NARRATIONS)
    assert not missing, f"give these an entry in NARRATIONS (recording/narration.py): {missing}"
    assert not set(NARRATIONS) - set(ev.KINDS.values())
    for kind, narration in NARRATIONS.items():
        assert narration.words or narration.run, kind
        assert set(narration.tags) <= set(TAGS), kind
        assert kind.opens or not narration.ending, f"{kind} opens no operation, so nothing ends"
        assert kind.operands[:1] == ("gva",) or not narration.path, kind
        assert not (kind.change and narration.mark), f"{kind} marks the entry that it changes"


def test_every_step_of_a_film_has_an_operation_that_does_not_tell_the_outcome():
    assert set(OPERATIONS) == {kind for kind, narration in NARRATIONS.items() if narration.main}
    telling = ("zap", "crash", "fault", "succeed", "allow", "refuse", "inject", "#")
    assert not [words for words in OPERATIONS.values() if any(one in words for one in telling)]


def test_an_access_has_a_sentence_for_each_outcome():
    assert set(OUTCOMES) == {"ok", "emul", "mmio", "inject", "stuck", "escape", "error"}


def words(recording, kind):
    return [recording[step].words for step in recording.where(kind=kind)]


def test_a_first_fault():
    vm = open_guest("lin64_A").vm()
    with record(vm) as recording:
        vm.access(GVA, user=True)
    assert words(recording, "access") == ["User code reads 0x343c9000."]
    assert words(recording, "page_fault") == [
        "A page fault stops the guest, and the host takes over: the shadow tables have no present entry for a read in user "
        "mode at 0x343c9000."
    ]
    assert words(recording, "link_table")[0] == (
        "Entry #251:0 now leads to shadow page #250. A link always has W and U: the last entry decides."
    )
    assert words(recording, "alloc_page")[0] == (
        "Shadow page #250 of level 3 is taken from the pool: it will shadow the guest table in gfn 0x61d6, which the host now "
        "write-protects."
    )
    assert words(recording, "rmap_add") == [
        "The reverse map of gfn 0x29a5 records #248:457, its first: the frame can be written through it."
    ]
    assert words(recording, "parent_add")[0] == "#250 records the parent #251:0, its first."
    assert recording[-1].words == "The access succeeds. The next one like it needs no help from the host."


def test_a_link_to_a_page_with_entries_says_that_it_was_found():
    vm = open_guest("lin64_A").vm()
    vm.access(GVA, user=True)
    vm.emulate_write_gpa(0x61D6000, vm.peek(0x61D6000), 8)
    with record(vm) as recording:
        vm.access(GVA, user=True)
    (said,) = words(recording, "link_table")
    assert ", found in the hash, with its entries. A link always has W and U" in said


def test_the_end_of_a_store_says_why_nothing_is_flushed():
    vm = open_guest("lin64_A").vm()
    vm.access(GVA, user=True)
    with record(vm) as recording:
        vm.emulate_write_gpa(0x61C9E48, 0, 8)
        vm.emulate_write_gpa(0x61C9E4C, 0, 8)  # crosses an entry: the whole page is zapped, and the TLB is flushed
    said = [step.words for step in recording if "flush" in step.words]
    assert said == [
        "The host doesn't flush the TLB: a guest that changes an entry does this itself, as on a real processor, with INVLPG "
        "or a load of CR3.",
        "The TLB is flushed: the processor forgets its translations. The guest doesn't know which entries were cleared with "
        "the page, so the host has to do this.",
    ]


def test_a_flush_for_a_new_entry_of_a_page_table_tells_the_order_of_the_kernel():
    """mmu.c:978-990: the entry has its W until the host has found that its frame is a page table; then comes the flush. The
    engine reports the entry when it is finished."""
    guest = open_guest("lin64_A")
    vm, kernel = guest.vm(), 0xFFFF8880061C9E48
    vm.access(GVA, user=True)
    with record(vm) as recording:
        vm.access(kernel)
    flush, made = recording.where(kind="tlb_flush")[0], recording.where(kind="set_spte")[-1]
    assert recording.parent(flush) == made
    assert recording[flush].words == (
        "The new spte #245:457 has W for a moment. But gfn 0x61c9 is a shadowed page table, so the host clears W (mmu.c:989) "
        "and then flushes the TLB. The next step shows the finished entry."
    )


def test_a_flush_of_write_protection_and_one_by_the_guest_say_no_more():
    vm = open_guest("lin64_A").vm()
    vm.access(0xFFFF8880061C9E48)
    with record(vm) as recording:
        vm.access(GVA, user=True)  # the table in gfn 0x61c9 becomes shadowed
        vm.load_cr3(vm.cpu.cr3)
    assert words(recording, "tlb_flush") == ["The TLB is flushed: the processor forgets its translations."] * 2


def test_an_entry_that_is_zapped_by_mistake_is_called_that():
    guest = small_guest("32", 0x101000, 0x301000)
    with record(guest.vm) as recording:
        guest.vm.emulate_write_gpa(guest.entry_gpa(0x101000), 0, 4)
    assert sorted(words(recording, "zap_spte")) == [
        "The shadow entry #246:257, which led to gfn 0x13, is zapped, although entry 769 of the guest table in gfn 0x12, from "
        "which it was made, doesn't change.",
        "The shadow entry #247:257, which led to gfn 0x11, is zapped: its guest entry is about to change.",
    ]


def walks(vm, **access):
    """Return the sentences for the walks of the shadow tables, from a film."""
    with record(vm) as recording:
        vm.access(**access)
    return [step.words for step in film(recording).steps if "walks the shadow tables" in step.words]


def test_a_walk_names_what_the_last_entry_denies_to_the_access():
    vm = open_guest("lin64_A").vm()
    vm.access(GVA, user=True)
    table = 0xFFFF8880061C9E48  # the page table, in the kernel's mapping of all memory: no U, no W because it is shadowed
    vm.access(table)
    way = "The processor walks the shadow tables (#251:273, #247:0, #246:48, #245:457) and reaches gfn 0x61c9"
    assert walks(vm, gva=table) == [f"{way}, without W."]
    assert walks(vm, gva=table, user=True) == [f"{way}, without W and U."]
    assert walks(vm, gva=table, fetch=True) == [f"{way}, without W, with NX."]
    (data,) = walks(vm, gva=GVA, user=True)
    assert data.endswith("and reaches gfn 0x29a5."), "nothing is denied"


def test_the_walk_that_finds_the_gpa_of_a_store_says_why_it_reads():
    vm = open_guest("lin64_A").vm()
    vm.access(GVA, user=True)
    vm.access(0xFFFF8880061C9E48)
    with record(vm) as recording:
        vm.access(0xFFFF8880061C9E48, write=True, value=0, size=8)
    first, second = (step.words for step in film(recording).steps if "reads the guest's tables" in step.words)
    assert first.startswith("The host reads the guest's tables for a write by the kernel at 0xffff8880061c9e48, level by level")
    assert second.startswith(
        "The host reads the guest's tables to find the gpa of 0xffff8880061c9e48, with the rights of a read by the kernel, "
        "level by level ("
    )


def test_an_access_that_the_guest_refuses_and_the_shadow_allows_says_so():
    table = GuestTable("64")
    table.set(4, "NX", True)
    vm = table.vm()
    with record(vm) as recording:
        vm.access(table.gva, user=True)
        vm.access(table.gva, user=True, fetch=True)
    read, fetch = recording.operations()
    assert recording[read[1]].words == OUTCOMES["ok"]
    assert recording[fetch[1]].words == (
        "The access succeeds, although the PML4 entry (level 4, index 1) has NX. KVM 2.6.22 copies NX into the shadow from the "
        "last entry alone, so the NX of an upper level is lost: a shadow entry that exists lets a fetch through."
    )


def large_page():
    """A guest's kernel reads a byte that its tables map with a large page."""
    guest = open_guest("lin64_A")
    large = int(guest.tlb_gva[guest.tlb_flags >> 6 & 1 == 1][0])
    with record(vm := guest.vm()) as recording:
        vm.access(large)
    return recording


def test_the_sentence_for_a_page_without_a_guest_table_gives_the_reason():
    vm = Vm()
    with record(vm) as recording:
        vm.access(0x1000)
    assert words(recording, "alloc_page")[-1].endswith("the guest isn't paging, so it has no guest table (metaphysical).")
    assert "is already a gpa" in words(recording, "nonpaging_fault")[0]
    (large,) = {sentence for sentence in words(large_page(), "alloc_page") if "metaphysical" in sentence}
    assert large.endswith("it will map a large page of the guest in 4 KiB pieces, so it has no guest table (metaphysical).")


def test_the_sentence_for_a_root_slot_names_it():
    guest = open_guest("linpae_A")
    with record(vm := guest.vm()) as recording:
        vm.load_cr3(vm.cpu.cr3)
    slots = words(recording, "root_slot")
    assert slots and all(sentence.startswith("Root slot ") for sentence in slots)


def test_several_reads_in_a_row_make_one_sentence():
    vm = open_guest("lin64_A").vm()
    with record(vm) as recording:
        vm.access(GVA, user=True)
    reads = [recording.raw(step) for step in recording.where(kind="guest_read")]
    assert sentence(None, reads).startswith("The host reads the guest's tables, level by level (0x61a6:0, ")
    inside = [(ev.WALK, GVA, 1, 1, 0), (ev.PAGE_FAULT, GVA, 7)]
    assert sentence(None, reads, inside).startswith(
        "The host reads the guest's tables for a write by user code at 0x343c9000, level by level ("
    )


@pytest.mark.parametrize(("hfn", "tags"), [(600, ("guest",)), (300, ("spte",))])
def test_a_change_of_memory_has_the_tag_of_what_it_changes(hfn, tags):
    assert tags_of((ev.MAKE_SPTE, hfn << 12, 8, 0, 1)) == tags
    assert tags_of((ev.ZAP_SPTE, hfn << 12, 8, 1, 0)) == ("zap", *tags)


def test_an_injected_fault_is_not_called_handled():
    vm = open_guest("lin64_A").vm()
    with record(vm) as recording:
        vm.access(0xDEAD0000, user=True)
    assert not recording.find("The fault is handled")
    assert [step.words for step in recording][-3:] == [
        "The guest's own tables have no present entry for a read in user mode at 0xdead0000: the guest gets a page fault.",
        "page_fault is done: the guest continues.",
        "The guest continues in its own page-fault handler.",
    ]


def test_the_results_of_operations_are_put_into_words():
    vm = open_guest("lin64_A").vm()
    with record(vm) as recording:
        vm.access(GVA, user=True)
        vm.access(0xFFFF8880FEE00000)
    endings = {step.words for step in recording if step.event and step.event.name == "end"}
    assert {"kvm_mmu_get_page is done: shadow page #250.", "fetch is done: spte #248:457."} <= endings


# Questions


def test_every_operation_has_a_question():
    """Slides ask it before a film begins, so it doesn't tell the outcome."""
    opening = {kind for kind in ev.KINDS.values() if kind.opens}
    assert not opening - set(QUESTIONS), "give these an entry in QUESTIONS (recording/narration.py)"
    vm = open_guest("lin64_A").vm()
    for kind in ev.KINDS.values():
        asked = question(Names(vm), (kind, *(1 for _ in kind.operands)))
        assert asked.endswith("?") and asked.count("?") == 1 and ": " in asked, asked
        assert asked[0].isupper() or asked.startswith("1 "), asked
        assert 20 < len(asked) < 150, asked


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        (
            lambda vm: vm.access(GVA, user=True),
            "User code reads 0x343c9000: what does the processor find in the shadow tables, and what must the host do?",
        ),
        (
            lambda vm: vm.access(GVA, write=True, value=1, size=8),
            "The guest's kernel writes 0x343c9000: who carries out the write, and what changes in the shadow tables?",
        ),
        (
            lambda vm: vm.emulate_write_gpa(0x61C9E48, 0, 8),
            "The guest writes 8 bytes at gpa 0x61c9e48: what happens to the shadow tables?",
        ),
        (lambda vm: vm.zap_all(), "All shadow pages are zapped: what is left?"),
        # a change of memory belongs to the operation that follows it
        (
            lambda vm: [vm.poke(0x61C9E48, 0, 8), vm.access(GVA, user=True)],
            "User code reads 0x343c9000: what does the processor find in the shadow tables, and what must the host do?",
        ),
        (
            lambda vm: vm.poke(0x61C9E48, 0, 8),
            "Memory at gpa 0x61c9e48 changes, and the MMU doesn't notice: which shadow entries are now wrong?",
        ),
        (lambda vm: None, "Nothing happened. Why?"),
    ],
)
def test_a_film_asks_about_its_first_operation(operation, asked):
    vm = open_guest("lin64_A").vm()
    with record(vm) as recording:
        operation(vm)
    assert film(recording).question == asked == film(recording).data["question"]
    assert film(recording, question="What now?").data["question"] == "What now?"


def test_a_question_is_a_text():
    with record(open_guest("lin64_A").vm()) as recording:
        pass
    with pytest.raises(InputError, match=r"question is 3"):
        film(recording, question=3)
