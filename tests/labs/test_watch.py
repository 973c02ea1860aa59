# SPDX-License-Identifier: GPL-2.0-only
"""Films of operations and of notebook cells: their steps, the state at each step, and errors."""

import re
import sys
from types import SimpleNamespace

import pytest

from kvmmmu_lab import HostCrash, InputError, VmDead, open_guest
from kvmmmu_lab.draw.example import guest_with_its_own_table_mapped
from kvmmmu_lab.draw.page_tables import hierarchy_scene
from kvmmmu_lab.draw.render import VARIABLE
from kvmmmu_lab.inspect.keys import SHADOW, Key
from kvmmmu_lab.labs import entry_of, small_guest, watch, watch_walk
from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.museum import exhibit
from kvmmmu_lab.player import widget
from kvmmmu_lab.player.film import Film
from kvmmmu_lab.player.film_steps import MOST_STEPS

GVA = 0x343C9000


@pytest.fixture
def vm():
    return open_guest("lin64_A").vm()


def functions(watched):
    return [step.function for step in watched.steps]


def test_a_first_fault_step_by_step(vm):
    watched = watch(lambda: vm.access(GVA, user=True), vm, [GVA])
    assert watched.result.outcome == "ok" and watched.error is None
    built = ["kvm_mmu_alloc_page", "fetch"] * 3
    assert functions(watched) == [
        *["", "", "", "page_fault", "walk_addr", *built, "set_pte_common", "rmap_add", "page_fault", "", ""]
    ]
    assert watched.steps[1].words == "User code reads 0x343c9000."
    assert watched.steps[11].source == "mmu.c:954-1000"
    assert "#248:457 is made from the guest's entry: PWUAD.NX gfn 0x29a5" in watched.steps[11].words


def test_the_state_at_each_step_is_the_state_at_that_step(vm):
    watched = watch(lambda: vm.access(GVA, user=True), vm, [GVA])
    pages = [len(step.scene.of("shadow")) for step in watched.steps]
    assert pages == [1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4, 4, 4, 4]
    leaf = [step.scene.entry("s:248:457") for step in watched.steps]
    assert [entry and entry.target for entry in leaf[10:]] == ["empty", *["gfn 0x29a5"] * 5]
    rmap = [step.scene.entry("f:29a5:rmap").flags for step in watched.steps]
    assert rmap == [*["empty"] * 12, *["1 entry"] * 4]
    assert watched.steps[5].scene.table("s:250").mark == "new"
    assert watched.steps[6].scene.entry("s:251:0").mark == "changed"
    assert watched.steps[-1].scene == hierarchy_scene(vm, [GVA])


@pytest.mark.parametrize("name", ["slot_move_stale", "wp0_to_wp1_stale_write", "large_dirty_cleared_lost"])
def test_a_page_is_drawn_as_long_as_it_is_in_use(name):
    """Also a page to which no path leads, before a step is about it: a dashed outline says that there is no such page."""
    film = exhibit(name).film(fixed=True)
    for chapter in film.chapters:
        keys = [map(Key, (table.key for table in step.scene.of("shadow"))) for step in chapter]
        drawn = [{key.page for key in there if key.kind == SHADOW} for there in keys]
        for step, there in zip(chapter, drawn, strict=True):
            in_use = {page.id for page in film.recording.at(step.recorded).pool.active}
            assert there >= set().union(*drawn) & in_use, step.words


def test_a_write_to_a_page_table_zaps_one_entry_before_memory_changes(vm):
    vm.access(GVA, user=True)
    entry = entry_of(vm, GVA)
    watched = watch(lambda: vm.access(entry.kernel_gva, write=True, value=entry.moved, size=8), vm, [GVA])
    assert watched.result.outcome == "emul"
    (zap,) = [k for k, step in enumerate(watched.steps) if step.function == "mmu_pre_write_zap_pte"]
    scenes = [step.scene for step in watched.steps]
    assert (scenes[zap].entry("s:248:457").mark, scenes[zap].entry("s:248:457").target) == ("dead", "gfn 0x29a5")
    assert [scene.entry("s:248:457").target for scene in scenes[zap + 1 :]] == ["empty"] * 3
    guest = [scene.entry("g:61c9:457").target for scene in scenes]
    assert guest == [*["gfn 0x29a5"] * (zap + 2), *["gfn 0x29a4"] * 2]
    assert scenes[zap + 2].entry("g:61c9:457").mark == "changed"
    assert "is zapped" in watched.steps[zap].words
    again = watch(lambda: vm.access(GVA, user=True), vm)
    assert again.result.gpa >> 12 == 0x29A4
    assert "kvm_mmu_alloc_page" not in functions(again)


def test_every_detail(vm):
    brief = watch(lambda: vm.access(GVA, user=True), vm, [GVA])
    vm = open_guest("lin64_A").vm()
    every = watch(lambda: vm.access(GVA, user=True), vm, [GVA], detail=True)
    assert {"kvm_mmu_get_page", "mmu_page_add_parent_pte", "rmap_write_protect"} <= set(functions(every))
    assert len(every.steps) > 2 * len(brief.steps)
    assert [step.words for step in brief.steps][-1] == [step.words for step in every.steps][-1]


@pytest.mark.parametrize(
    "operation",
    [
        lambda vm: vm.load_cr3(0x487C000),
        lambda vm: vm.load_cr0(0),
        lambda vm: vm.zap_all(),
        lambda vm: vm.destroy(),
        lambda vm: vm.set_slot(3, 0x100000, 16, True),
        lambda vm: vm.set_alias(0, 0xA0, 0x10, 0x200),
        lambda vm: vm.emulate_write_gpa(0x61C9E44, 0, 8),
        lambda vm: [vm.emulate_write_gpa(0x61C9E48, 0, 8) for _ in range(3)],
        lambda vm: vm.access(0xDEAD0000, user=True),
        lambda vm: vm.access(0xFFFFFFFF81000000, user=True),
        lambda vm: vm.poke(0x5000, 1),
        lambda vm: vm.unprotect(0xFFFF8880061C9E48),
        lambda vm: vm.load_page(0x61C9, bytes(4096)),
        lambda vm: vm.free_some_pages(),
    ],
)
@pytest.mark.parametrize("detail", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_every_operation_has_words_and_a_picture(vm, operation, detail):
    vm.access(GVA, user=True)
    watched = watch(lambda: operation(vm), vm, [GVA], detail=detail)
    assert watched.error is None
    assert len(watched.steps) <= MOST_STEPS + 2
    assert all(step.words.endswith((".", "?")) for step in watched.steps)
    assert str(watched)
    assert all(watched.picture(k).drawing.appearances(step.scene) for k, step in enumerate(watched.steps))


def test_nothing_stays_attached(vm):
    watch(lambda: vm.access(GVA), vm)
    assert vm.emit is None

    def broken():
        vm.access(GVA)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        watch(broken, vm)
    assert vm.emit is None
    assert watch(lambda: vm.access(GVA), vm).result.faults == 0


def test_another_sink_is_left_alone(vm):
    events = []
    detach = vm.attach(events.append)
    with pytest.raises(InputError, match="sink"):
        watch(lambda: vm.access(GVA), vm)
    vm.access(GVA)
    assert events
    detach()


def test_a_crash_of_the_host_is_a_card():
    vm = guest_with_its_own_table_mapped()
    vm.poke(0x4038, 0x01067)  # maps the root as a user page
    watched = watch(lambda: vm.access(0x7000, write=True, user=True), vm)
    assert isinstance(watched.error, HostCrash)
    assert vm.emit is None
    card = watched.data["card"]
    assert card["title"] == "The host would hang" and "fix_write_pf" in card["rows"][1]
    assert "zapped" in " ".join(step.words for step in watched.steps)
    late = watch(lambda: vm.access(0x7000), vm)
    assert isinstance(late.error, VmDead)
    assert "build a new one" in late.data["card"]["rows"][0] and "build a new one" in late.steps[-1].words


def test_an_invalid_address_is_a_card(vm):
    watched = watch(lambda: vm.access(1 << 50), vm)
    assert isinstance(watched.error, InputError)
    assert "canonical" in watched.data["card"]["rows"][0] and "canonical" in watched.steps[-1].words
    with pytest.raises(InputError, match="gva"):
        watch(lambda: None, vm, [1 << 50])
    with pytest.raises(InputError, match="operation"):
        watch(vm.access(GVA), vm)


def test_a_guest_that_changes_its_mode_loses_addresses(vm):
    watched = watch(lambda: vm.set_registers(0x10001, 0, 0, 0), vm, [0xFFFFFFFF81000000])
    assert watched.error is None
    assert "without paging" in watched.steps[-1].scene.title


@pytest.mark.parametrize("mode, fields", [("64", "L4 L3 L2 L1"), ("pae", "L2 L1"), ("32", "L2 L1")])
def test_a_film_of_a_walk_marks_the_fields_that_select_what_is_read(mode, fields):
    guest = small_guest(mode, 0x40605000)
    guest.map(0x40606000)
    film = watch_walk(lambda: guest.vm.access(0x40606123), guest.vm, 0x40606123)
    marked = [[row.flags for table in step.scene.of("list") for row in table.entries if row.mark] for step in film.steps]
    assert film.result.outcome == "ok" and not any(marked[:2])
    assert [names for names in marked if names] == [fields.split(), fields.replace("L4 L3", "PML4 PDPT").replace(
        "L2 L1", "PD PT").split(), fields.split()]  # fmt: skip
    assert all(step.scene.table("w:guest").words[0].startswith("guest: gpa ") for step in film.steps)


def test_a_film_of_a_walk_goes_on_without_the_address_in_a_mode_without_it():
    guest = small_guest("64", 0x8040605000)
    film = watch_walk(lambda: guest.vm.load_cr0(1), guest.vm, 0x8040605000)
    assert film.steps[0].scene.table("w:guest") and not film.steps[-1].scene.table("w:guest")


def test_long_operations_are_cut_off(vm):
    watched = watch(lambda: [vm.access(GVA + page * 4096, user=True) for page in range(60)], vm, [GVA], detail=True)
    assert len(watched.steps) == MOST_STEPS + 2
    assert "more operations isn't shown" in watched.steps[-1].words


def test_as_text_and_as_a_still(vm):
    watched = watch(lambda: vm.access(GVA, user=True), vm, [GVA])
    text = str(watched)
    assert " 11 " in text and "set_pte_common(), mmu.c:954-1000" in text
    assert "gpa=43667456" in text or "0x29a5000" in text
    assert watched._repr_mimebundle_()["text/plain"] == text


def displayed(watched, monkeypatch, cell=None):
    """Return what is displayed in a notebook with a kernel."""
    shell = SimpleNamespace(kernel=True, get_parent=lambda: cell or {}, user_ns={})
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown.append(bundle))
    watched._ipython_display_()
    return shown


def test_a_kernel_shows_a_widget_that_hides_the_still(vm, monkeypatch):
    watched = watch(lambda: vm.access(GVA, user=True), vm, [GVA])
    still, alive = displayed(watched, monkeypatch)
    assert set(still) == {"text/html", "text/plain"}
    assert set(alive) == {"application/vnd.jupyter.widget-view+json", "text/plain"}
    assert re.match(r'<div class="kvmmmu-still-[\w-]+">', still["text/html"])


def test_without_anywidget_or_a_kernel_there_is_the_still(vm, monkeypatch):
    watched = watch(lambda: vm.access(GVA, user=True), vm, [GVA])
    monkeypatch.setattr("kvmmmu_lab.player.cell_output.has_kernel", lambda: False)
    assert len(displayed(watched, monkeypatch)) == 1
    monkeypatch.setattr("kvmmmu_lab.player.cell_output.has_kernel", lambda: True)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.setattr("kvmmmu_lab.player.widget.widget_class", widget.widget_class.__wrapped__)
    assert len(displayed(watched, monkeypatch)) == 1


def test_without_a_renderer_there_is_text(vm, monkeypatch):
    monkeypatch.setenv(VARIABLE, "none")
    watched = watch(lambda: vm.access(GVA, user=True), vm, [GVA])
    (bundle,) = displayed(watched, monkeypatch)
    assert re.search("<pre.*457 PWUAD.NX", bundle["text/html"], re.DOTALL)


def test_running_a_cell_again_closes_what_it_showed_before(vm, monkeypatch):
    films = [watch(lambda: vm.access(GVA, user=True), vm, [GVA]) for _ in range(3)]
    for film, run in zip(films, "112", strict=True):
        displayed(film, monkeypatch, {"metadata": {"cellId": "the cell"}, "header": {"msg_id": run}})
    assert [film.widget.comm is None for film in films] == [True, True, False]


# The cell magic


@pytest.fixture
def shell(monkeypatch):
    """Return an IPython shell with the magic, a `Vm` and an address; ``shown`` is what it displays."""
    shells = pytest.importorskip("IPython.core.interactiveshell")
    shell = shells.InteractiveShell()
    shell.run_line_magic("load_ext", "kvmmmu_lab")
    shell.user_ns |= {"vm": open_guest("lin64_A").vm(), "gva": 0x400000}
    shell.shown = []
    monkeypatch.setattr("IPython.display.display", shell.shown.append)
    yield shell
    shell.history_manager.end_session()


def test_a_cell_becomes_a_recording_and_a_film(shell):
    shell.run_cell_magic("record", "vm gva --into fault", "got = vm.access(gva, user=True)\n")
    assert shell.user_ns["got"].outcome == "ok"
    assert len(shell.user_ns["fault"]) == 47
    (film,) = shell.shown
    assert isinstance(film, Film) and "0x400000" in film.steps[0].scene.title
    assert shell.user_ns["vm"].emit is None


def test_a_recorded_cell_folds_what_earlier_cells_have_shown(shell, monkeypatch):
    module = sys.modules["kvmmmu_lab.labs.watch"]
    monkeypatch.setattr(module, "has_kernel", lambda: True)
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    for cell in "12":
        monkeypatch.setattr(module, "running", lambda cell=cell: (cell, "a run"))
        shell.user_ns["vm"] = open_guest("lin64_A").vm()
        shell.run_cell_magic("record", "vm gva", "vm.access(gva, user=True)")
    assert [[(fold.first, fold.last) for fold in film.folds[0]] for film in shell.shown] == [[(7, 10)], [(2, 10), (12, 13)]]
    assert "2-10    9 steps like earlier ones: " in str(shell.shown[1])


def test_the_name_and_the_detail_are_optional(shell):
    shell.run_cell_magic("record", "vm --detail", "vm.access(gva)")
    assert len(shell.shown[0].steps) > 20 and "recording" in shell.user_ns


def test_an_error_of_the_kit_becomes_a_card_and_any_other_is_raised(shell):
    shell.run_cell_magic("record", "vm", "vm.set_registers(0x80010001, 1 << 40, 0x20, 0x500)")
    assert isinstance(shell.shown[0].error, HostCrash)
    shell.user_ns["vm"] = open_guest("lin64_A").vm()
    with pytest.raises(ZeroDivisionError):
        shell.run_cell_magic("record", "vm --into broken", "vm.access(gva)\n1 / 0")
    assert len(shell.user_ns["broken"]) > 10 and shell.user_ns["vm"].emit is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "VM"),
        ('vm "', "quotation"),
        ("what", "NameError"),
        ("gva", "name of a Vm"),
        ("vm x", "an address"),
        ("vm --into 3", "variable"),
        ("vm --no", "%%record"),
    ],
)
def test_an_invalid_line_says_what_to_write(shell, line, message):
    with pytest.raises(InputError, match=message):
        shell.run_cell_magic("record", line, "vm.access(gva)")


class TestInANotebook:
    @pytest.fixture
    def run(self, monkeypatch):
        """A function that runs a cell, by name: it shows the film of an operation, and returns the film."""
        module = sys.modules["kvmmmu_lab.labs.watch"]
        monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(user_ns=names))
        monkeypatch.setattr(module, "has_kernel", lambda: True)
        monkeypatch.setattr(module, "running", lambda: ("0", "a run"))
        monkeypatch.setattr(Film, "_ipython_display_", lambda self: None)
        names = {}

        def run(cell, **options):
            monkeypatch.setattr(module, "running", lambda: (cell, "a run"))
            vm = open_guest("lin64_A").vm()
            watched = watch(lambda: vm.access(GVA, user=True), vm, **options)
            watched._ipython_display_()
            return [(fold.first, fold.last) for fold in watched.folds[0]]

        return run

    def test_a_film_folds_what_earlier_cells_have_shown(self, run):
        first, second = run("1"), run("2")
        assert first == [(7, 10)], "as without a notebook"
        assert second == [(2, 10), (13, 14)], "all but the new spte, its reverse mapping, and what begins and ends the access"

    def test_a_cell_that_runs_again_shows_the_same_film(self, run):
        films = [run("1"), run("2")]
        assert [run("1"), run("2")] == films

    def test_a_film_can_be_shown_in_full(self, run):
        first = run("1")
        assert run("2", seen=()) == first

    def test_a_film_that_was_not_shown_folds_nothing(self, run, vm):
        watch(lambda: vm.access(GVA, user=True), vm)
        assert run("2") == [(7, 10)]


def test_a_film_of_some_kinds_of_events():
    guest = small_guest("64", 0x1000)
    guest.map(0x2000)
    only = {ev.ACCESS, ev.RMAP_ADD}
    some = watch(lambda: guest.vm.access(0x2000, write=True), guest.vm, only=only)
    assert [step.function for step in some.steps] == ["", "", "rmap_add", ""]
    assert some.steps[-1].words.startswith("The access succeeds")
    assert "already" not in some.steps[0].words, "it doesn't show faults, so it can't say that there was none"
    again = watch(lambda: guest.vm.access(0x2000, write=True), guest.vm, only={*only, ev.PAGE_FAULT})
    assert "already" in again.steps[0].words
