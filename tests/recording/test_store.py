# SPDX-License-Identifier: GPL-2.0-only
import json
import re

import numpy as np
import pytest

from kvmmmu_lab import DataError, HostCrash, InputError, open_guest
from kvmmmu_lab.recording import load, record, store

from .test_moments import Story, everything


@pytest.fixture(scope="module")
def recording():
    story = Story("pae")
    for n in range(40):
        story.do(n, 7 * n, 3 * n + 1)
    return story.end()


def same(one, other):
    assert len(one) == len(other)
    for step in range(len(one)):
        assert everything(one.at(step)) == everything(other.at(step))
        assert one[step] == other[step]


def test_a_loaded_recording_equals_the_saved_one(recording, tmp_path):
    same(recording, load(recording.save(tmp_path / "a.npz")))


def test_loading_makes_the_keyframes(recording, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "KEYFRAME", 50)
    loaded = load(recording.save(tmp_path / "a.npz"))
    assert len(loaded.tape.keyframes) > 5
    same(recording, loaded)


def test_a_recording_of_a_real_guest_is_small_and_can_be_saved_twice(tmp_path):
    vm = open_guest("lin32_A").vm()
    with record(vm) as recording:
        vm.access(0x8048000, user=True)
    path = recording.save(tmp_path / "a.npz")
    assert load(path).save(tmp_path / "b.npz").stat().st_size == path.stat().st_size


def test_the_error_that_ended_a_recording_is_loaded(tmp_path):
    vm = open_guest("lin64_A").vm()
    with pytest.raises(HostCrash), record(vm) as recording:
        vm.set_registers(0x80010001, 1 << 40, 0x20, 0x500)
    assert str(load(recording.save(tmp_path / "a.npz")).error) == str(recording.error)


def damage(path, **changes):
    with np.load(path) as archive:
        arrays = dict(archive) | changes
    np.savez(path, **arrays)


def meta_with(path, **changes):
    with np.load(path) as archive:
        meta = json.loads(str(archive["meta"])) | changes
    damage(path, meta=np.array(json.dumps(meta)))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (lambda path: path.write_bytes(b""), "expected"),
        (lambda path: path.write_bytes(path.read_bytes()[:2000]), "complete archive"),
        (lambda path: path.write_text("not an archive"), "expected"),
        (lambda path: path.unlink(), "no such file"),
        (lambda path: np.savez(path, meta=np.array("{}")), "not a recording"),
        (lambda path: np.savez(path, other=np.zeros(3)), "meta"),
        (lambda path: meta_with(path, version=2), "version 2; expected version 1"),
        (lambda path: meta_with(path, kinds=["what"]), "inconsistent"),
        (lambda path: meta_with(path, start=None), "inconsistent"),
        (lambda path: damage(path, values=np.zeros(3, "u8")), "inconsistent"),
        (lambda path: damage(path, changes=np.full((2, 4), 1 << 60, "u8")), "changes"),
        (lambda path: damage(path, moves=np.array([1 << 40], "u8")), "numbers of steps"),
        (lambda path: damage(path, pages=np.zeros((1, 5), "u8")), "pages"),
        (lambda path: damage(path, kinds=np.zeros(3)), "kinds"),
    ],
)
def test_a_damaged_or_foreign_file_is_refused(recording, tmp_path, what, message):
    path = recording.save(tmp_path / "a.npz")
    what(path)
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        load(path)
    assert "a.npz" in str(caught.value)


def test_a_file_that_cannot_be_written_leaves_the_old_one(recording, tmp_path):
    path = recording.save(tmp_path / "a.npz")
    before = path.read_bytes()
    with pytest.raises(InputError, match="can be written"):
        recording.save(tmp_path / "nowhere" / "a.npz")
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["a.npz"]


def test_any_other_error_is_loaded_with_its_name(tmp_path):
    def broken(vm, *arguments):
        raise ValueError("no such bit")

    vm = open_guest("lin64_A").vm(set_spte=broken)
    with pytest.raises(ValueError), record(vm) as recording:
        vm.access(0x400000, user=True)
    error = load(recording.save(tmp_path / "a.npz")).error
    assert (error.name, str(error)) == ("ValueError", "no such bit") and not isinstance(error, InputError)


def test_a_failed_save_leaves_no_temporary_file(recording, tmp_path):
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(InputError):
        recording.save(tmp_path / "a.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
