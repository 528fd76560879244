"""Where trials were split anew, all that a result has of them is in one order, or not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from recording_files import TRIALS, contents, write_file

from autolfads_trainer.data.hdf5 import read_recording
from autolfads_trainer.results.output_file import write_output_file

ALL = sum(TRIALS.values())
CONDITIONS = 3


def write_lists(file: h5py.File, split: str, rows: list[list[int]]) -> None:
    values = np.empty(len(rows), dtype=object)
    for number, row in enumerate(rows):
        values[number] = np.array(row, np.int32)
    file.create_dataset(f"{split}_cond_idx", data=values, dtype=h5py.vlen_dtype(np.int32))


def written(folder: Path, ratio: float | None = None, **changes: Any) -> tuple[Path, list[str]]:
    """Return a result whose trials carry their numbers in several ways, and what it lacks."""
    numbers = {"train": np.arange(TRIALS["train"]), "valid": np.arange(TRIALS["train"], ALL)}
    made = contents(**{f"{split}_number": of_split for split, of_split in numbers.items()})
    made |= {f"{split}_name": np.array([f"t{n}" for n in v], "S4") for split, v in numbers.items()}
    source = write_file(folder / "reach.h5", made | changes)
    with h5py.File(source, "r+") as file:
        file["train_number"].attrs["unit"] = "trials"
        for split, of_split in numbers.items():
            places = [np.flatnonzero(of_split % CONDITIONS == c) for c in range(CONDITIONS)]
            write_lists(file, split, [row.tolist() for row in places])
    recording = read_recording(source).reshuffled(3, ratio)
    target = folder / "out.h5"
    return target, write_output_file(source, target, {}, recording.order)


def test_arrays_of_any_kind_and_lists_of_trials_go_together(tmp_path):
    for ratio in (None, 0.3):
        path, left_out = written(tmp_path, ratio)
        assert left_out == []
        with h5py.File(path) as file, h5py.File(tmp_path / "reach.h5") as before:
            recon = np.concatenate([before[f"{split}_recon_data"][()] for split in TRIALS])
            numbers = {split: file[f"{split}_number"][()] for split in TRIALS}
            assert sorted(np.concatenate(list(numbers.values()))) == list(range(ALL))
            assert file["train_number"].attrs["unit"] == "trials"
            for split, of_split in numbers.items():
                assert np.array_equal(file[f"{split}_recon_data"][()], recon[of_split])
                names = [name.decode() for name in file[f"{split}_name"][()]]
                assert names == [f"t{number}" for number in of_split]
                for condition, row in enumerate(file[f"{split}_cond_idx"][()]):
                    assert row.tolist() == np.flatnonzero(of_split % 3 == condition).tolist()


def test_what_one_split_has_alone_is_left_out_and_named(tmp_path):
    more = {
        "train_truth": contents()["train_recon_data"],
        "conversion_factor": 1.0,
        "valid_quality": np.ones(TRIALS["valid"]),
        "train_only": np.ones(TRIALS["train"] + 5),  # of something else
        "valid_weights": np.ones(2),
    }
    path, left_out = written(tmp_path, **more)
    assert left_out == ["valid_quality", "train_truth"]
    with h5py.File(path) as file:
        assert not {"train_truth", "valid_quality"} & set(file)
        assert {"train_only", "valid_weights", "conversion_factor"} <= set(file)


def test_lists_that_name_no_trials_are_left_out(tmp_path):
    path, _ = written(tmp_path)
    source = tmp_path / "reach.h5"
    with h5py.File(source, "r+") as file:
        del file["train_cond_idx"]
        write_lists(file, "train", [[0, 1], [2, TRIALS["train"]], [3]])
    recording = read_recording(source).reshuffled(3, None)
    left_out = write_output_file(source, path, {}, recording.order)
    assert left_out == ["train_cond_idx", "valid_cond_idx"]
