# SPDX-License-Identifier: GPL-2.0-only
"""A learner's own copy of the kernel's source. The copies here have the right names in the right lines, and invented bodies."""

import json

import pytest

from kvmmmu_lab import kernel_source, open_guest, record
from kvmmmu_lab.cli import main
from kvmmmu_lab.kernel_source import LANDMARKS, KernelSource, SourceError
from kvmmmu_lab.mmu import events as ev
from kvmmmu_lab.player.film import film
from kvmmmu_lab.player.page import read_film


def invented(landmarks):
    """Return a file with a function of three lines at each landmark."""
    lines = [f"/* invented line {number} */" for number in range(1, max(landmarks.values()) + 20)]
    for function, number in landmarks.items():
        lines[number - 1 : number + 3] = [f"int {function}(void)", "{", f"\treturn {number} < 7 && 1;", "}"]
    return "\n".join(lines)


def make_tree(root, place="drivers/kvm", **changed):
    folder = root / place
    folder.mkdir(parents=True)
    for name, landmarks in LANDMARKS.items():
        (folder / name).write_text(changed.get(name, invented(landmarks)))
    return root


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    path = tmp_path / "config" / "source.json"
    monkeypatch.setattr(kernel_source, "config_file", lambda: path)
    kernel_source._say_once.cache_clear()
    return path


@pytest.mark.parametrize("given", [".", "drivers", "drivers/kvm"])
def test_the_root_of_the_tree_and_drivers_kvm_are_recognized(tmp_path, capsys, given):
    tree = make_tree(tmp_path / "linux")
    assert main(["source", str(tree / given)]) == 0
    assert f"Registered {tree / 'drivers/kvm'}: mmu.c (1,363 lines)" in capsys.readouterr().out
    assert main(["source"]) == 0
    assert "Registered is" in capsys.readouterr().out
    assert main(["source", "--forget"]) == 0 and main(["source"]) == 0
    assert "No copy of the kernel's source is registered" in capsys.readouterr().out


def test_another_version_is_refused_with_what_was_expected_and_found(tmp_path, capsys, config):
    tree = make_tree(tmp_path, **{"mmu.c": "/* one line more */\n" + invented(LANDMARKS["mmu.c"])})
    assert main(["source", str(tree)]) == 2
    err = capsys.readouterr().err
    assert "mmu.c isn't that of Linux 2.6.22: expected rmap_add() in line 315, but it is in line 316" in err
    assert not config.exists()


def test_a_folder_without_the_files_is_refused(tmp_path, capsys):
    assert main(["source", str(tmp_path / "nowhere")]) == 2
    assert "expected the root of Linux 2.6.22 or its drivers/kvm" in capsys.readouterr().err


def test_a_refused_folder_keeps_the_registration(tmp_path):
    kernel_source.register(make_tree(tmp_path / "linux"))
    with pytest.raises(SourceError):
        kernel_source.register(tmp_path)
    assert kernel_source.registered() is not None


@pytest.mark.parametrize("change", ["edited", "gone", "damaged registration"])
def test_a_copy_that_changed_is_reported_once_and_then_left_out(tmp_path, capsys, config, change):
    tree = make_tree(tmp_path / "linux")
    kernel_source.register(tree)
    assert kernel_source.excerpts(["mmu.c:315-346"])
    file = tree / "drivers/kvm/mmu.c"
    if change == "edited":
        file.write_text(file.read_text() + "\n/* mine */")
    elif change == "gone":
        file.unlink()
    else:
        config.write_text("{}")
    assert kernel_source.excerpts(["mmu.c:315-346"]) == {} == kernel_source.excerpts(["mmu.c:372-410"])
    err = capsys.readouterr().err
    assert err.count("kvmmmu-lab: ") == 1 and "register" in err


def test_the_lines_of_a_reference(tmp_path):
    source = KernelSource.read(make_tree(tmp_path))
    whole = source.lines("paging_tmpl.h:72")
    assert [(number, named) for number, _, named in whole] == [(72, True), (73, True), (74, True), (75, True)]
    assert whole[0][1] == "int walk_addr(void)", "the line where a function begins stands for the function"
    around = source.lines("mmu.c:317")
    assert [(number, named) for number, _, named in around] == [(n, n == 317) for n in range(314, 321)]
    assert [number for number, *_ in source.lines("mmu.c:315-316, 372")] == [315, 316, 372, 373, 374, 375]
    for nothing in ("kvm_main.c", "mmu.c", "mmu.c:one", "mmu.c:99999", "", "the processor"):
        assert source.lines(nothing) == []


def test_line_ends_and_form_feeds_do_not_move_lines(tmp_path):
    text = invented(LANDMARKS["mmu.c"]).replace("invented line 9 ", "a form feed \f and \x85 ").replace("\n", "\r\n")
    tree = make_tree(tmp_path)
    (tree / "drivers/kvm/mmu.c").write_bytes(text.encode("latin-1"))
    assert KernelSource.read(tree).lines("mmu.c:315-315") == [(315, "int rmap_add(void)", True)]


def test_every_reference_of_the_engine_can_be_looked_up(tmp_path):
    source = KernelSource.read(make_tree(tmp_path))
    for kind in ev.KINDS.values():
        if kind.source.partition(":")[0] in LANDMARKS:
            assert source.lines(kind.source), kind


# Films


@pytest.fixture(scope="module")
def recording():
    vm = open_guest("lin64_A").vm()
    with record(vm) as made:
        vm.access(0x343C9000, user=True)
    return made


def test_pages_of_this_learner_have_the_lines_and_the_data_never_has(tmp_path, recording):
    hostile = "</script><script>alert(1)</script>"
    landmarks = LANDMARKS["mmu.c"]
    kernel_source.register(make_tree(tmp_path, **{"mmu.c": invented(landmarks).replace("invented line 320 ", hostile)}))
    made = film(recording)
    assert made.source["mmu.c:315-346"][2] == (317, "\treturn 315 < 7 && 1;", True)
    assert set(made.source) <= {step.source for step in made.steps}
    page = made.save(tmp_path / "film.html").read_text()
    for markup in (page, made.html):
        lines = read_film(markup).options["source"]["mmu.c:315-346"]
        assert lines[2] == [317, "\treturn 315 < 7 && 1;", True] and lines[5][1].startswith("/* </script>")
        assert hostile not in markup
        assert "return 315" not in json.dumps(read_film(markup).data), "a page made from this film leaves them out"
    assert "return 315" not in made.save(tmp_path / "film.json").read_text() + str(made)


def test_without_a_copy_nothing_changes(recording):
    made = film(recording)
    assert made.source == {} and "source" not in read_film(made.html).options


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(SourceError, match="there is no such folder"):
        kernel_source.register(tmp_path / "linux")
