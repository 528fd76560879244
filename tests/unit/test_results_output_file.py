"""`lfads_output_<session>.h5`: all that the user's file holds, and the outputs beside it."""

from __future__ import annotations

import stat
from pathlib import Path

import h5py
import numpy as np
import pytest
from recording_files import contents, in_one_part, write_file

from autolfads_trainer.data.hdf5 import read_recording
from autolfads_trainer.results.output_file import Outputs, write_output_file

OUTPUTS = {
    split: {
        "factors": np.arange(trials * 6, dtype=np.float32).reshape(trials, 2, 3),
        "ic_mean": np.full((trials, 2), 0.5, np.float32),
        "co_means": np.zeros((trials, 2, 0), np.float32),
    }
    for split, trials in (("train", 6), ("valid", 4))
}


@pytest.fixture
def source(tmp_path) -> Path:
    path = write_file(tmp_path / "reach.h5", contents())
    with h5py.File(path, "r+") as file:
        file.attrs["bin_width_seconds"] = 0.02
        file["train_encod_data"].attrs["area"] = "M1"
        file.create_dataset("trial_info/names", data=["left", "right"])
        file.create_dataset("packed", data=np.arange(100), compression="gzip", chunks=(10,))
    return path


def written(source: Path, outputs=OUTPUTS) -> Path:
    target = source.with_name("lfads_output_sess0.h5")
    write_output_file(source, target, in_one_part(outputs))
    return target


def test_every_output_is_added_under_its_split(source):
    with h5py.File(written(source)) as file:
        for split, arrays in OUTPUTS.items():
            for name, values in arrays.items():
                found = file[f"{split}_{name}"]
                assert found.dtype == np.float32
                assert found.shape == values.shape
                np.testing.assert_array_equal(found[()], values)


def test_outputs_that_come_in_parts_are_written_as_they_come(source):
    """Only one part has to be in memory: the next is asked for when that is in the file."""
    target = source.with_name("lfads_output_sess0.h5")
    there = []

    def parts(arrays):
        for start in range(0, 6, 4):
            part = slice(start, min(start + 4, 6))
            there.append(part)
            yield part, {name: values[part].copy() for name, values in arrays.items()}

    arrays = OUTPUTS["train"]
    write_output_file(source, target, {"train": Outputs(6, parts(arrays))})

    assert there == [slice(0, 4), slice(4, 6)]
    in_parts, whole = target.read_bytes(), written(source, {"train": arrays}).read_bytes()
    assert in_parts == whole


def test_all_that_the_input_holds_is_still_there(source):
    with h5py.File(written(source)) as file, h5py.File(source) as original:
        added = {f"{split}_{name}" for split, arrays in OUTPUTS.items() for name in arrays}
        assert set(file) == set(original) | added
        for name in original:
            if isinstance(original[name], h5py.Dataset):
                np.testing.assert_array_equal(file[name][()], original[name][()])
        assert file.attrs["bin_width_seconds"] == 0.02
        assert file["train_encod_data"].attrs["area"] == "M1"
        assert list(file["trial_info/names"].asstr()) == ["left", "right"]
        assert file["packed"].compression == "gzip"


def test_the_result_can_be_read_as_a_recording_again(source):
    recording = read_recording(written(source))

    np.testing.assert_array_equal(recording.train.recon, read_recording(source).train.recon)


def test_the_users_file_is_not_touched_even_if_it_may_not_be_written(source):
    source.chmod(stat.S_IRUSR)
    before = source.read_bytes()

    target = written(source)

    assert source.read_bytes() == before
    assert target.stat().st_mode & stat.S_IWUSR


def test_outputs_of_an_earlier_run_are_replaced(source):
    with h5py.File(source, "r+") as file:
        file["train_factors"] = np.ones((1, 50), "i8")
        file.create_group("valid_factors/of_old")
        file["test_factors"] = np.ones(3)

    with h5py.File(written(source)) as file:
        np.testing.assert_array_equal(file["train_factors"][()], OUTPUTS["train"]["factors"])
        np.testing.assert_array_equal(file["valid_factors"][()], OUTPUTS["valid"]["factors"])
        np.testing.assert_array_equal(file["test_factors"][()], np.ones(3))


def test_writing_again_gives_the_same_content(source):
    first = written(source).read_bytes()

    assert written(source).read_bytes() == first


def test_a_target_of_a_broken_off_attempt_is_overwritten(source):
    target = source.with_name("lfads_output_sess0.h5")
    target.write_bytes(b"half of it")

    with h5py.File(written(source)) as file:
        assert "train_factors" in file
