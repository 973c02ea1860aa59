# SPDX-License-Identifier: GPL-2.0-only
"""Arguments that can't be used are refused with a clear message, and nothing changes."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kvmmmu_lab
from kvmmmu_lab import DataError, HostCrash, InputError, LabError, SlotError, Vm, VmDead

from .guests import ON, PAGED, Guest, everything

# The tree


@pytest.mark.parametrize(
    "error, parent",
    [
        (InputError, LabError),
        (SlotError, InputError),
        (DataError, InputError),
        (HostCrash, LabError),
        (VmDead, LabError),
    ],
)
def test_the_tree_of_errors(error, parent):
    assert error.__bases__[0] is parent
    assert issubclass(error, kvmmmu_lab.LabError)


def test_bad_input_is_a_value_error_and_a_crash_is_not():
    assert issubclass(InputError, ValueError)
    assert not issubclass(HostCrash, ValueError)


@pytest.mark.parametrize(
    "got, shown", [(9, "9"), (10, "0xa (10)"), (-16, "-0x10 (-16)"), (True, "True"), ("10", "'10'"), (None, "None")]
)
def test_a_message_names_the_argument_its_value_and_what_was_expected(got, shown):
    error = InputError("size", got, "1, 2, 4 or 8 bytes")
    assert str(error) == f"size is {shown}; expected 1, 2, 4 or 8 bytes"
    assert (error.argument, error.got, error.expected) == ("size", got, "1, 2, 4 or 8 bytes")


def test_the_message_of_a_crash_has_its_kind_place_and_reason():
    with pytest.raises(HostCrash) as crash:
        Guest("64").start(root=0xFFFF)
    assert (crash.value.kind, crash.value.function, crash.value.source) == ("BUG", "rmap_write_protect", "mmu.c:420")
    assert str(crash.value) == (
        "the host would have crashed (BUG) in rmap_write_protect, mmu.c:420: gfn 0xffff has no memory behind it"
    )


# What is refused


def warm(mode="64"):
    """Make a VM with entries in every table, so that any damage is detected."""
    guest = Guest(mode, [(0, 0x100, True), (0x800, 8)])
    for gva in (0x1000, 0x2000, 0x40000000):
        guest.map(gva)
        guest.vm.access(gva, write=True)
    guest.map(0x3000, guest.table_gfn(0x1000))
    guest.vm.access(0x3008, write=True)
    return guest.vm


def refuses(vm, call, *words):
    """Check that a call is refused with these words in the message, and that nothing changes."""
    before = everything(vm)
    with pytest.raises(InputError) as refused:
        call(vm)
    for word in words:
        assert word in str(refused.value)
    assert everything(vm) == before
    assert vm.dead is None
    assert vm.access(0x1000, write=True).outcome == "ok", "it works as before"


LONG = "an address below 2**32 (the guest isn't in long mode)"
CANONICAL = "a canonical 64-bit address (bits 48..63 like bit 47)"


@pytest.mark.parametrize("gva", [1 << 47, 0xFFFF << 48, 1 << 63, 0xFFFF7FFFFFFFFFFF], ids=hex)
@pytest.mark.parametrize(
    "call",
    [
        lambda vm, gva: vm.access(gva),
        lambda vm, gva: vm.page_fault(gva, 2),
        lambda vm, gva: vm.emulate_write(gva, 1, 1),
        lambda vm, gva: vm.gva_to_gpa(gva),
        lambda vm, gva: vm.invlpg(gva),
        lambda vm, gva: vm.unprotect(gva),
    ],
    ids=["access", "page_fault", "emulate_write", "gva_to_gpa", "invlpg", "unprotect"],
)
def test_a_gva_of_a_64_bit_guest_has_to_be_canonical(call, gva):
    refuses(warm(), lambda vm: call(vm, gva), f"gva is {gva:#x}", CANONICAL)


@pytest.mark.parametrize("mode", ["32", "pae"])
@pytest.mark.parametrize("gva", [1 << 32, 0xFFFFFFFF80000000, -1])
def test_a_gva_of_any_other_guest_has_32_bits(mode, gva):
    refuses(warm(mode), lambda vm: vm.access(gva), "gva is ", LONG)
    vm = Vm()
    with pytest.raises(InputError, match="isn't in long mode"):
        vm.access(gva)


def test_the_last_addresses_that_are_allowed():
    assert warm().access(0xFFFFFFFFFFFFFFFF).outcome == "inject"
    assert warm().access(0x00007FFFFFFFFFFF).outcome == "inject"
    assert warm("32").access(0xFFFFFFFF).outcome == "inject"


VALUES = {
    "a size that no instruction has": (lambda vm: vm.poke(0x1000, 0, 3), "size is 3", "1, 2, 4 or 8 bytes"),
    "a size of zero": (lambda vm: vm.peek(0x1000, 0), "size is 0", "1, 2, 4 or 8"),
    "a value too wide by one": (lambda vm: vm.poke(0x1000, 256, 1), "value is 0x100", "1 byte, 0..0xff"),
    "far too wide": (lambda vm: vm.poke(0x1000, 1 << 64), "value is 0x1", "8 bytes, 0..0xffffffffffffffff"),
    "too wide, stored by an access": (
        lambda vm: vm.access(0x1000, write=True, value=1 << 16, size=2),
        "value",
        "2 bytes",
    ),
    "too wide, emulated": (lambda vm: vm.emulate_write(0x1000, 1 << 32, 4), "value", "4 bytes"),
    "too wide, emulated at a gpa": (lambda vm: vm.emulate_write_gpa(0x1000, 1 << 32, 4), "value", "4 bytes"),
    "negative": (lambda vm: vm.poke(0x1000, -1), "value is -1", "unsigned"),
    "a poke across a page": (lambda vm: vm.poke(0x1FF9, 0, 8), "gpa is 0x1ff9", "8 bytes inside one page"),
    "a peek across a page": (lambda vm: vm.peek(0x1FFF, 2), "gpa is 0x1fff", "2 bytes inside one page"),
    "an access across a page": (
        lambda vm: vm.access(0x1FFD, write=True, value=0, size=4),
        "gva",
        "4 bytes inside one page",
    ),
    "no memory there": (lambda vm: vm.poke(0x100000, 0), "gpa is 0x100000", "an address in a memory slot"),
    "no memory there to read": (lambda vm: vm.peek(1 << 51), "gpa", "an address in a memory slot"),
    "a gpa of 65 bits": (lambda vm: vm.emulate_write_gpa(1 << 64, 0, 1), "gpa is 0x1", "64 bits"),
    "a negative gpa": (lambda vm: vm.peek(-8), "gpa is -8", "64 bits"),
    "a write that is a fetch": (lambda vm: vm.access(0x1000, write=True, fetch=True), "fetch is True", "not both"),
    "a value for a read": (lambda vm: vm.access(0x1000, value=1), "value is 1", "write"),
    "an error code with bit 3": (lambda vm: vm.page_fault(0x1000, 8), "error is 8", "4 (fetch)"),
    "a negative error code": (lambda vm: vm.page_fault(0x1000, -1), "error is -1", "1 (write)"),
    "a page of 4095 bytes": (lambda vm: vm.load_page(1, bytes(4095)), "data", "4095", "4096"),
    "a page beyond the memory": (lambda vm: vm.load_page(0x100, bytes(4096)), "gpa is 0x100000", "memory slot"),
    "a byte address for a frame": (
        lambda vm: vm.load_page(1 << 60, bytes(4096)),
        "gfn",
        "frame number of at most 52 bits",
    ),
    "65 bits for CR0": (lambda vm: vm.load_cr0(1 << 64), "cr0 is 0x1", "unsigned value of 64 bits"),
    "a negative CR3": (lambda vm: vm.load_cr3(-4096), "cr3 is -0x1000", "unsigned value of 64 bits"),
    "65 bits for CR4": (lambda vm: vm.load_cr4(1 << 64), "cr4", "unsigned value of 64 bits"),
    "a negative EFER": (lambda vm: vm.load_efer(-1), "efer is -1", "unsigned value of 64 bits"),
    "one register of four": (
        lambda vm: vm.set_registers(ON, 0x10000, 0x20, 1 << 70),
        "efer",
        "unsigned value of 64 bits",
    ),
}


@pytest.mark.parametrize("what", VALUES)
def test_values_and_addresses_that_do_not_fit(what):
    call, *words = VALUES[what]
    refuses(warm(), call, *words)


SLOTS = {
    "a fifth slot": (lambda vm: vm.set_slot(4, 0x1000, 1), 22, "slot is 4", "0..3"),
    "a negative slot": (lambda vm: vm.set_slot(-1, 0x1000, 1), 22, "slot is -1", "0..3"),
    "an overlap at the end": (lambda vm: vm.set_slot(2, 0xFF, 1), 17, "base is 0xff", "outside slot 0 (0x0+0x100)"),
    "an overlap at the start": (
        lambda vm: vm.set_slot(2, 0x7FF, 2),
        17,
        "base is 0x7ff",
        "outside slot 1 (0x800+0x8)",
    ),
    "an overlap by moving": (lambda vm: vm.set_slot(1, 0xFC, 8), 17, "base is 0xfc", "outside slot 0"),
    "another size": (lambda vm: vm.set_slot(1, 0x800, 9), 22, "npages is 9", "8, the slot's size", "0 deletes it"),
    "a base in bytes": (lambda vm: vm.set_slot(2, 1 << 52, 1), 22, "base is 0x1", "pages, not bytes"),
    "a size in bytes": (
        lambda vm: vm.set_slot(2, 0x1000, 1 << 30),
        22,
        "npages is 0x40000000",
        "all that this VM can add",
    ),
    "an end beyond the addresses": (lambda vm: vm.set_slot(2, (1 << 52) - 1, 2), 22, "base", "below 2**52"),
    "a negative base": (lambda vm: vm.set_slot(2, -1, 1), 22, "base is -1", "pages, not bytes"),
    "a negative size": (lambda vm: vm.set_slot(2, 0x1000, -1), 22, "npages is -1", "pages, not bytes"),
    "a fifth alias": (lambda vm: vm.set_alias(4, 0x1000, 1, 0), 22, "alias is 4", "0..3"),
    "an alias in bytes": (lambda vm: vm.set_alias(0, 1 << 60, 1, 0), 22, "base", "pages, not bytes"),
    "a target in bytes": (lambda vm: vm.set_alias(0, 0x1000, 1, 1 << 60), 22, "target", "pages, not bytes"),
    "an alias beyond the addresses": (lambda vm: vm.set_alias(0, (1 << 52) - 1, 2, 0), 22, "base", "below 2**52"),
    "a target beyond the addresses": (lambda vm: vm.set_alias(0, 0, 2, (1 << 52) - 1), 22, "target", "below 2**52"),
    "the log of a fifth slot": (lambda vm: vm.dirty_log(4), 22, "slot is 4", "0..3"),
    "the log of a slot without one": (lambda vm: vm.dirty_log(1), 2, "slot is 1", "with a dirty log", "log=True"),
    "the log of a slot that isn't there": (lambda vm: vm.dirty_log(3), 2, "slot is 3", "with a dirty log"),
    "protecting a fifth slot": (lambda vm: vm.remove_write_access(4), 22, "slot is 4", "0..3"),
}


@pytest.mark.parametrize("what", SLOTS)
def test_slots_and_aliases_that_are_refused(what):
    call, errno, *words = SLOTS[what]
    refuses(warm(), call, *words)
    with pytest.raises(SlotError) as refused:
        call(warm())
    assert refused.value.errno == errno, "the kernel's errno"


@pytest.mark.parametrize(
    "slots, words",
    [
        ([(0, 16), (8, 16)], ["base is 8", "outside slot 0"]),
        ([(n * 16, 16) for n in range(5)], ["slot is 4", "0..3"]),
        ([(0, 1 << 30)], ["npages", "all that this VM can add"]),
        ([(1 << 52, 1)], ["base", "pages, not bytes"]),
        ([(0.5, 16)], ["base is 0.5"]),
        ([(0, "16")], ["npages is '16'"]),
        ([(0,)], ["slots", "(base gfn, pages)"]),
        ([7], ["slots", "(base gfn, pages)"]),
        (None, ["slots", "(base gfn, pages)"]),
        ([(0, 16, True, 5)], ["slots", "(base gfn, pages)"]),
    ],
    ids=str,
)
def test_slots_that_a_new_vm_refuses(slots, words):
    with pytest.raises(InputError) as refused:
        Vm(slots)
    for word in words:
        assert word in str(refused.value)


# Wrong types, for every argument of every public method

METHODS = {
    name: list(inspect.signature(method).parameters.values())[1:]
    for name, method in vars(Vm).items()
    if callable(method) and not name.startswith("_")
}
GOOD = {
    "gva": 0x1000, "gpa": 0x1000, "gfn": 1, "value": 1, "size": 4, "error": 2, "slot": 0, "alias": 0, "base": 0,
    "npages": 0x100, "target": 8, "cr0": ON, "cr3": 0x10000, "cr4": 0x20, "efer": 0x900, "data": bytes(4096),
    "undo": True, "log": True, "write": False, "user": False, "fetch": False,
}  # fmt: skip
FLAGS = {"write", "user", "fetch", "undo", "log"}
FLAG_PLACES = [f"{name} {p.name}" for name, parameters in METHODS.items() for p in parameters if p.name in FLAGS]
PLACES = [f"{name} {p.name}" for name, parameters in METHODS.items() for p in parameters if p.name not in FLAGS]
JUNK = [
    1.0,
    2.5,
    float("nan"),
    "1",
    "",
    b"1",
    None,
    [1],
    (),
    {},
    {1},
    object(),
    1j,
    np.float64(1),
    np.array([1, 2]),
    range(2),
    len,
]


def call(vm, name, **changed):
    """Call a method with good arguments, except for those in ``changed``."""
    arguments = {p.name: GOOD[p.name] for p in METHODS[name] if p.name in changed or p.default is p.empty}
    if name == "access" and {"value", "size"} & set(changed):
        arguments |= {"write": True, "value": 1, "size": 4}
    return getattr(vm, name)(**arguments | changed)


def test_every_public_method_and_argument_is_tested_here():
    assert {place.split()[1] for place in PLACES + FLAG_PLACES} <= GOOD.keys()
    assert {
        "access",
        "page_fault",
        "emulate_write_gpa",
        "set_slot",
        "set_alias",
        "load_page",
        "destroy",
    } <= METHODS.keys()


@pytest.mark.parametrize("place", PLACES)
def test_an_argument_of_a_wrong_type_is_refused_by_name(place):
    method, argument = place.split()
    named = method.removeprefix("load_") if argument == "value" and method.startswith("load_") else argument
    vm = warm()
    before = everything(vm)
    for junk in JUNK:
        if argument == "value" and method == "access" and junk is None:
            continue  # "no value"
        with pytest.raises(InputError) as refused:
            call(vm, method, **{argument: junk})
        assert refused.value.argument == named, f"{junk!r} for {argument}: {refused.value}"
        assert vm.dead is None
    assert everything(vm) == before


@pytest.mark.parametrize("place", FLAG_PLACES)
def test_a_flag_is_true_or_false_or_refused(place):
    """A flag is converted with `bool`; a value that `bool` doesn't accept is refused."""
    method, argument = place.split()
    for flag in (0, 1, None, "", "x", [], 2.5):
        vm, plain = warm(), warm()
        call(vm, method, **{argument: flag})
        call(plain, method, **{argument: bool(flag)})
        assert everything(vm) == everything(plain)
    vm = warm()
    before = everything(vm)
    with pytest.raises(InputError, match=argument):
        call(vm, method, **{argument: np.array([1, 2])})
    assert everything(vm) == before and vm.dead is None


@pytest.mark.parametrize("place", [place for place in PLACES if not place.endswith(" data")])
@pytest.mark.parametrize("kind", [np.int64, np.uint64, np.int32])
def test_numpy_integers_are_accepted(place, kind):
    """Guests are read from numpy arrays, so callers pass numpy integers. None may get into the state, since they overflow."""
    method, argument = place.split()
    vm, plain = warm(), warm()
    assert call(vm, method, **{argument: kind(GOOD[argument] % 2**31)}) == call(
        plain, method, **{argument: GOOD[argument] % 2**31}
    )
    assert everything(vm) == everything(plain)
    assert str(everything(vm)[0]) == str(everything(plain)[0]), "no numpy number has got into the state"


@pytest.mark.parametrize("method", METHODS)
def test_a_call_that_python_itself_refuses_changes_nothing(method):
    vm = warm()
    before = everything(vm)
    with pytest.raises(TypeError):
        getattr(vm, method)(*[1] * 9)
    with pytest.raises(TypeError):
        getattr(vm, method)(nonsense=1)
    assert everything(vm) == before and vm.dead is None


# Numbers are small or far too large, since a number of pages in between would be allocated.
numbers = st.one_of(st.integers(-8, 64), st.integers(1 << 30, 1 << 70), st.integers(-(1 << 70), -1))
junk = st.one_of(numbers, st.floats(), st.text(max_size=3), st.none(), st.booleans(), st.binary(max_size=9))


@pytest.mark.parametrize("mode", PAGED)
@settings(max_examples=30)
@given(data=st.data())
def test_any_call_is_carried_out_or_refused_without_a_change(mode, data):
    """The law: after an InputError, state and memory are unchanged, byte for byte. Several calls on one VM."""
    vm = warm(mode)
    for _ in range(8):
        method = data.draw(st.sampled_from(sorted(METHODS.keys() - {"destroy"})))
        arguments = {p.name: data.draw(st.one_of(junk, st.just(GOOD[p.name]))) for p in METHODS[method]}
        before = everything(vm)
        try:
            getattr(vm, method)(**arguments)
        except InputError:
            assert everything(vm) == before
            assert vm.dead is None
        except HostCrash:
            assert vm.dead is not None
            return


# Sinks and dead VMs


def test_one_sink_at_a_time():
    vm = warm()
    seen = []
    detach = vm.attach(seen.append)
    with pytest.raises(InputError, match=r"sink is .*; expected no sink while another is attached"):
        vm.attach([].append)
    vm.access(0x1000)
    assert seen, "the first one stays"
    detach()
    seen.clear()
    vm.access(0x2000)
    assert seen == []
    vm.attach(seen.append)()


@pytest.mark.parametrize("sink", [None, 5, "print", [1]], ids=repr)
def test_a_sink_must_be_callable(sink):
    vm = warm()
    with pytest.raises(InputError, match="sink is"):
        vm.attach(sink)
    assert vm.access(0x1000).outcome == "ok"


def test_detaching_twice_does_not_detach_another_sink():
    vm = warm()
    seen = []
    first = vm.attach([].append)
    first()
    vm.attach(seen.append)
    first()
    vm.access(0x1000)
    assert seen


def dead(how):
    vm = warm()
    if how == "destroyed":
        vm.destroy()
    else:
        with pytest.raises(HostCrash):
            vm.set_registers(ON, 0x7FFFF000, 0x20, 0x900)
    return vm


@pytest.mark.parametrize("how, why", [("destroyed", "it was destroyed"), ("crashed", "no memory behind it")])
@pytest.mark.parametrize("method", METHODS)
def test_a_dead_vm_refuses_everything_and_gives_the_reason(method, how, why):
    vm = dead(how)
    before = everything(vm)
    with pytest.raises(VmDead) as refused:
        call(vm, method)
    assert why in str(refused.value) and "build a new one" in str(refused.value)
    assert everything(vm) == before


def test_the_state_of_a_dead_vm_can_still_be_read():
    assert len(everything(dead("crashed"))[0]["pages"]) > 0


def test_a_refused_call_keeps_the_faults_of_the_last_operation():
    vm = warm()
    vm.page_fault(0x9000, 2)
    with pytest.raises(InputError):
        vm.access(-1)
    assert vm.injected == [(0x9000, 2)]


def test_flags_are_keyword_arguments():
    with pytest.raises(TypeError):
        warm().access(0x1000, True)
