# SPDX-License-Identifier: GPL-2.0-only
import pytest

from kvmmmu_lab import HostCrash, InputError, open_guest
from kvmmmu_lab.player.film import Film

shells = pytest.importorskip("IPython.core.interactiveshell")


@pytest.fixture
def shell(monkeypatch):
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


def test_the_name_and_the_detail_are_up_to_the_reader(shell):
    shell.run_cell_magic("record", "vm --detail", "vm.access(gva)")
    assert len(shell.shown[0].steps) > 20 and "recording" in shell.user_ns


def test_an_error_of_the_kit_becomes_a_card_and_any_other_comes_through(shell):
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
def test_a_line_that_cant_be_says_what_to_write(shell, line, message):
    with pytest.raises(InputError, match=message):
        shell.run_cell_magic("record", line, "vm.access(gva)")
