"""What is read of a user's HDF5 file, and the one sentence for each way in which it is wrong."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from recording_files import (
    CHANNELS,
    FORECAST,
    GONE,
    HELD_OUT,
    STEPS,
    TRIALS,
    Contents,
    contents,
    with_value,
    write_file,
)
from run_directory_examples import end_of, in_child, listing

from autolfads_trainer.data import safety
from autolfads_trainer.data.dataset import Dataset
from autolfads_trainer.data.expected import counts
from autolfads_trainer.data.hdf5 import Recording, fingerprint, opened, read_recording
from autolfads_trainer.data.safety import declared
from autolfads_trainer.engine.series import Series
from autolfads_trainer.userinput import InputError

REQUIRED = ("train_encod_data", "train_recon_data", "valid_encod_data", "valid_recon_data")
RECON = {split: (trials, STEPS + FORECAST, CHANNELS + HELD_OUT) for split, trials in TRIALS.items()}


def reading(folder: Path, made: Contents) -> Recording:
    return read_recording(write_file(folder / "reach.h5", made))


def error_of(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_recording(path).refuse_unless(counts)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def refusal(folder: Path, made: Contents) -> str:
    return error_of(write_file(folder / "reach.h5", made))


def ones(split: str, steps: int = STEPS, channels: int = 2, trials: int | None = None) -> Any:
    return np.ones((TRIALS[split] if trials is None else trials, steps, channels))


# What is read.


def test_both_splits_are_read_as_they_are(tmp_path):
    made = contents()

    recording = reading(tmp_path, made)

    for split, arrays in (("train", recording.train), ("valid", recording.valid)):
        np.testing.assert_array_equal(arrays.encod, made[f"{split}_encod_data"])
        np.testing.assert_array_equal(arrays.recon, made[f"{split}_recon_data"])
        assert arrays.encod.dtype == arrays.recon.dtype == np.float32
        assert arrays.ext_input.shape == (TRIALS[split], STEPS, 0)
        assert arrays.truth is None
    assert recording.path == tmp_path / "reach.h5"
    assert recording.notes == ()


def test_every_size_is_read_off_the_data(tmp_path):
    made = contents(
        train_ext_input=ones("train", STEPS + 1),
        valid_ext_input=ones("valid", STEPS + 1),
        targets=np.zeros(3),
    )

    sizes = reading(tmp_path, made).sizes

    assert sizes.path == str(tmp_path / "reach.h5")
    assert (sizes.encod_dim, sizes.encod_steps) == (CHANNELS, STEPS)
    assert (sizes.recon_dim, sizes.recon_steps) == (CHANNELS + HELD_OUT, STEPS + FORECAST)
    assert sizes.ext_input_dim == 2
    assert (sizes.train_trials, sizes.valid_trials) == (TRIALS["train"], TRIALS["valid"])
    assert sizes.keys == {*REQUIRED, "train_ext_input", "valid_ext_input", "targets"}


@pytest.mark.parametrize("dtype", ["u1", "i2", ">i4", "i8", "f2", ">f4", "f8", "?"])
def test_counts_may_be_of_any_type_of_number(dtype, tmp_path):
    counts = {name: (values > 1).astype(dtype) for name, values in contents().items()}

    recording = reading(tmp_path, counts)

    np.testing.assert_array_equal(recording.train.recon, counts["train_recon_data"])
    assert recording.train.recon.dtype == np.float32


def test_one_trial_one_step_and_one_channel_are_enough(tmp_path):
    one = np.ones((1, 1, 1))

    sizes = reading(tmp_path, dict.fromkeys(REQUIRED, one)).sizes

    assert (sizes.train_trials, sizes.recon_steps, sizes.recon_dim) == (1, 1, 1)


@pytest.mark.parametrize("dtype", ["float64", "uint8"])
@pytest.mark.parametrize("chunks", [None, (2, 3, 2), (4, 1, 1), (6, 9, 5)])
@pytest.mark.parametrize("piece", [1, 400, 10**9])
def test_it_is_read_in_pieces_of_whole_chunks(dtype, chunks, piece, tmp_path, monkeypatch):
    made = contents()
    path = write_file(tmp_path / "reach.h5", made)
    with h5py.File(path, "r+") as file:
        name = "train_recon_data"
        del file[name]
        file.create_dataset(name, data=made[name].astype(dtype), chunks=chunks)
    monkeypatch.setattr(safety, "PIECE", piece)
    assert np.array_equal(read_recording(path).train.recon, made[name])
    with opened(path) as file:
        found = declared(file, name, path)
        pieces = list(found.pieces())
        size = max(part.stop - part.start for part in pieces) * 9 * 5 * found.dataset.dtype.itemsize
    rows = chunks[0] if chunks else 1
    assert all(part.start % rows == 0 for part in pieces)
    assert [trial for part in pieces for trial in range(6)[part]] == list(range(6))
    assert size <= max(piece, rows * 9 * 5 * found.dataset.dtype.itemsize)


@pytest.mark.parametrize("forecast", [FORECAST, 0])
def test_what_is_read_is_held_once_for_all_that_is_done_with_it(forecast, tmp_path):
    recon = contents()["train_recon_data"][:, : STEPS + forecast]
    valid = contents()["valid_recon_data"][:, : STEPS + forecast]
    truths = {"train_truth": 2 * recon, "valid_truth": 2 * valid, "conversion_factor": 2}
    spikes = {"train_recon_data": recon, "valid_recon_data": valid}
    recording = reading(tmp_path, contents(**spikes, **truths))
    session = Dataset.of([recording], torch.device("cpu")).sessions[0]
    for arrays, split in ((recording.train, session.train), (recording.valid, session.valid)):
        series = Series.of(split)
        for part in ("encod", "recon", "truth"):
            array, steps = getattr(arrays, part), getattr(series, part)
            assert steps.is_contiguous()
            assert array.ctypes.data == getattr(split, part).data_ptr() == steps.data_ptr()
            assert np.array_equal(steps.transpose(0, 1).numpy(), array)


def test_the_file_is_not_touched(tmp_path):
    path = write_file(tmp_path / "reach.h5", contents())
    path.chmod(stat.S_IRUSR)
    before = path.read_bytes()

    read_recording(path)

    assert path.read_bytes() == before
    assert listing(tmp_path) == ["reach.h5"]


def test_a_file_that_another_program_holds_open_and_locked_is_read(tmp_path):
    path = write_file(tmp_path / "reach.h5", contents())
    held, hold = os.pipe()
    done, finish = os.pipe()

    def hold_it() -> None:
        os.close(finish)
        with h5py.File(path, "r+", locking="best-effort"):
            os.write(hold, b"1")
            os.read(done, 1)  # returns when the other end is closed

    child = in_child(hold_it)
    try:
        os.read(held, 1)
        assert read_recording(path).sizes.train_trials == TRIALS["train"]
    finally:
        os.close(finish)
        assert end_of(child) == 0


def test_the_fingerprint_is_that_of_all_bytes(tmp_path):
    path = write_file(tmp_path / "reach.h5", contents())
    before = fingerprint(path)
    assert before == hashlib.sha256(path.read_bytes()).hexdigest()

    write_file(path, with_value("valid_recon_data", (3, 8, 4), 17))
    assert fingerprint(path) != before


# External input, truth.


@pytest.mark.parametrize("steps", [STEPS, STEPS + 1, STEPS + FORECAST])
def test_external_input_may_reach_into_the_forecast(steps, tmp_path):
    train, valid = (-0.5 * ones(split, steps) for split in ("train", "valid"))

    recording = reading(tmp_path, contents(train_ext_input=train, valid_ext_input=valid))

    np.testing.assert_array_equal(recording.train.ext_input, train)
    np.testing.assert_array_equal(recording.valid.ext_input, valid)


@pytest.mark.parametrize(
    ("train", "valid", "message"),
    [
        (
            ones("train", STEPS - 1),
            ones("valid", STEPS - 1),
            "'train_ext_input' has (6 trials, 6 steps, 2 channels); "
            "expected 6 trials and 7 to 9 time steps",
        ),
        (
            ones("train", STEPS + FORECAST + 1),
            ones("valid"),
            "'train_ext_input' has (6 trials, 10 steps, 2 channels); "
            "expected 6 trials and 7 to 9 time steps",
        ),
        (
            ones("train"),
            ones("valid", trials=5),
            "'valid_ext_input' has (5 trials, 7 steps, 2 channels); "
            "expected 4 trials and 7 to 9 time steps",
        ),
        (
            ones("train", trials=0),
            ones("valid"),
            "'train_ext_input' has (0 trials, 7 steps, 2 channels); "
            "expected 6 trials and 7 to 9 time steps",
        ),
        (
            ones("train"),
            ones("valid", channels=3),
            "train_ext_input has (6 trials, 7 steps, 2 channels); valid_ext_input has "
            "(4 trials, 7 steps, 3 channels); expected the same steps and channels",
        ),
        (
            ones("train"),
            ones("valid", STEPS + 1),
            "train_ext_input has (6 trials, 7 steps, 2 channels); valid_ext_input has "
            "(4 trials, 8 steps, 2 channels); expected the same steps and channels",
        ),
        (
            np.where(np.arange(2) == 1, np.nan, ones("train")),
            ones("valid"),
            "'train_ext_input' holds nan at trial 0, time step 0, channel 1 (42 such values); "
            "expected a finite number",
        ),
        (
            ones("train")[0],
            ones("valid"),
            "'train_ext_input' has 2 axes, (7, 2); expected 3: (trials, time, channels)",
        ),
        ({}, ones("valid"), "'train_ext_input' is a group; expected a dataset of numbers"),
    ],
)
def test_external_input_must_fit_the_spikes(train, valid, message, tmp_path):
    made = contents(train_ext_input=train, valid_ext_input=valid)

    assert refusal(tmp_path, made) == message


@pytest.mark.parametrize("given", ["train", "valid"])
def test_external_input_of_one_split_only_is_refused(given, tmp_path):
    message = refusal(tmp_path, contents(**{f"{given}_ext_input": ones(given)}))

    assert "train_ext_input" in message
    assert "valid_ext_input" in message


@pytest.mark.parametrize("factor", [20, 20.0, np.float32(20), [20.0], [[20]]])
def test_the_truth_is_divided_by_the_conversion_factor(factor, tmp_path):
    truth = {f"{split}_truth": np.full(shape, 5.0) for split, shape in RECON.items()}

    recording = reading(tmp_path, contents(**truth, conversion_factor=factor))

    for split, arrays in (("train", recording.train), ("valid", recording.valid)):
        np.testing.assert_array_equal(arrays.truth, np.full(RECON[split], 0.25))
        assert arrays.truth.dtype == np.float32


def test_one_split_may_have_a_truth_alone(tmp_path):
    made = contents(valid_truth=np.ones(RECON["valid"]), conversion_factor=1)

    recording = reading(tmp_path, made)

    assert recording.train.truth is None
    assert recording.valid.truth is not None


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (
            np.ones((4, STEPS, CHANNELS)),
            "'valid_truth' has (4 trials, 7 steps, 3 channels); "
            "expected (4 trials, 9 steps, 5 channels), as valid_recon_data has",
        ),
        (
            np.ones((4, STEPS + FORECAST)),
            "'valid_truth' has 2 axes, (4, 9); expected 3: (trials, time, channels)",
        ),
        (
            np.where(np.arange(5) == 3, -np.inf, np.ones(RECON["valid"])),
            "'valid_truth' holds -inf at trial 0, time step 0, channel 3 (36 such values); "
            "expected a finite rate",
        ),
        ({}, "'valid_truth' is a group; expected a dataset of numbers"),
    ],
)
def test_a_truth_must_fit_the_spikes(truth, message, tmp_path):
    assert refusal(tmp_path, contents(valid_truth=truth, conversion_factor=1)) == message


def test_a_truth_without_its_conversion_factor_is_refused(tmp_path):
    assert refusal(tmp_path, contents(train_truth=np.ones(RECON["train"]))) == (
        "has 'train_truth' but no 'conversion_factor'; expected the number that the truth "
        "is divided by to give spikes per bin"
    )


@pytest.mark.parametrize(
    "factor",
    [0, -20.0, np.nan, np.inf, [1.0, 2.0], [], "20", b"20", 1 + 2j, h5py.Empty("f4")],
    ids=repr,
)
def test_a_conversion_factor_is_one_number_above_zero(factor, tmp_path):
    made = contents(train_truth=np.ones(RECON["train"]), conversion_factor=factor)

    message = refusal(tmp_path, made)

    assert message.startswith("'conversion_factor' is ")
    assert message.endswith("; expected one number above 0")


def test_a_conversion_factor_without_a_truth_says_nothing(tmp_path):
    assert reading(tmp_path, contents(conversion_factor=-1)).train.truth is None


# Files that are none.


def test_a_file_that_is_not_there(tmp_path):
    assert error_of(tmp_path / "reach.h5") == "no such data file"
    assert error_of(tmp_path / "no" / "reach.h5") == "no such data file"


def test_a_link_that_leads_nowhere(tmp_path):
    (tmp_path / "reach.h5").symlink_to(tmp_path / "gone.h5")

    assert error_of(tmp_path / "reach.h5") == "no such data file"


def test_a_folder(tmp_path):
    assert error_of(tmp_path) == "is a folder; expected one HDF5 file"


@pytest.mark.parametrize(
    "content", [b"", b"trial,time,channel\n1,2,3\n", b"\x89HDF", b"PK\x03\x04"]
)
def test_a_file_of_another_kind(content, tmp_path):
    (tmp_path / "reach.h5").write_bytes(content)

    assert error_of(tmp_path / "reach.h5") == (
        "is not an HDF5 file; 'autolfads split' makes one of .npz, .mat and others"
    )


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.9999])
def test_a_file_whose_copying_broke_off(share, tmp_path):
    path = write_file(tmp_path / "reach.h5", contents())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])

    assert error_of(path).startswith("is a broken HDF5 file: ")


def test_a_file_with_a_damaged_block(tmp_path):
    path = tmp_path / "reach.h5"
    made = contents()
    spoiled = made.pop("valid_recon_data")
    with h5py.File(write_file(path, made), "r+") as file:
        packed = file.create_dataset("valid_recon_data", data=spoiled, compression="gzip")
        block = packed.id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[block.byte_offset : block.byte_offset + block.size] = b"\xff" * block.size
    path.write_bytes(content)

    assert error_of(path).startswith("'valid_recon_data' cannot be read: ")


# Datasets that are missing or of another kind.


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_dataset_is_named_with_what_was_found(name, tmp_path):
    found = ", ".join(sorted(set(REQUIRED) - {name}))

    message = refusal(tmp_path, contents(**{name: GONE}))

    assert message.startswith(f"has no dataset '{name}' (did you mean '")
    assert message.endswith(f"; found {found}")


def test_a_misspelt_dataset_is_recognised(tmp_path):
    made = contents()
    made["train_encoded_data"] = made.pop("train_encod_data")

    assert "has no dataset 'train_encod_data' (did you mean 'train_encoded_data'?)" in refusal(
        tmp_path, made
    )


def test_a_file_with_nothing_in_it(tmp_path):
    assert refusal(tmp_path, {}) == "has no dataset 'train_encod_data'; found nothing"


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "is a group; expected a dataset of numbers"),
        (3.0, "has 0 axes, (); expected 3: (trials, time, channels)"),
        (np.ones(7), "has 1 axes, (7,); expected 3: (trials, time, channels)"),
        (np.ones((6, 7)), "has 2 axes, (6, 7); expected 3: (trials, time, channels)"),
        (
            np.ones((1, 6, 7, 3)),
            "has 4 axes, (1, 6, 7, 3); expected 3: (trials, time, channels)",
        ),
        ("6 trials", "holds object; expected numbers"),
        (np.full((6, 7, 3), b"one"), "holds |S3; expected numbers"),
        (np.ones((6, 7, 3), "c8"), "holds complex64; expected numbers"),
        (np.ones((6, 7, 3), [("spikes", "f4")]), "holds [('spikes', '<f4')]; expected numbers"),
        (np.ones((6, 7, 3), "V4"), "holds |V4; expected numbers"),
        (np.ones((0, 7, 3)), "has 0 trials; expected at least 1"),
        (np.ones((6, 0, 3)), "has 0 time steps; expected at least 1"),
        (np.ones((6, 7, 0)), "has 0 channels; expected at least 1"),
    ],
)
def test_a_dataset_of_another_kind(name, value, message, tmp_path):
    assert refusal(tmp_path, contents(**{name: value})) == f"'{name}' {message}"


# Counts that are none.


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize(
    ("value", "found", "expected"),
    [
        (np.inf, "inf", "a finite number"),
        (-np.inf, "-inf", "a finite number"),
        (-1, "-1", "a count of 0 or more"),
        (0.5, "0.5", "a whole number of spikes"),
        (3.999, "3.999", "a whole number of spikes"),
    ],
)
def test_a_count_that_is_none_is_named_with_its_place(name, value, found, expected, tmp_path):
    assert refusal(tmp_path, with_value(name, (3, 5, 2), value)) == (
        f"'{name}' holds {found} at trial 3, time step 5, channel 2 (1 such values); "
        f"expected {expected}"
    )


def test_of_many_wrong_counts_the_first_is_named_and_all_are_counted(tmp_path):
    made = contents()
    made["valid_recon_data"] = made["valid_recon_data"] + 0.5
    made["valid_recon_data"][0] = 1

    message = refusal(tmp_path, made)

    assert " at trial 1, time step 0, channel 0 (135 such values); " in message


@given(
    at=st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 2)),
    value=st.floats(width=32, allow_nan=False).filter(
        lambda value: not (value >= 0 and value.is_integer())
    ),
)
def test_no_number_but_a_count_gets_through(tmp_path_factory, at, value):
    folder = tmp_path_factory.mktemp("recording")

    message = refusal(folder, with_value("train_encod_data", at, value))

    trial, step, channel = at
    assert f" at trial {trial}, time step {step}, channel {channel} (1 such values)" in message


# Datasets that disagree.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"valid_encod_data": ones("valid", STEPS - 1, CHANNELS)},
            "train_encod_data has (6 trials, 7 steps, 3 channels); valid_encod_data has "
            "(4 trials, 6 steps, 3 channels); expected the same time steps and channels",
        ),
        (
            {"valid_encod_data": ones("valid", STEPS, CHANNELS + 1)},
            "train_encod_data has (6 trials, 7 steps, 3 channels); valid_encod_data has "
            "(4 trials, 7 steps, 4 channels); expected the same time steps and channels",
        ),
        (
            {"train_recon_data": ones("train", 12, 5)},
            "train_recon_data has (6 trials, 12 steps, 5 channels); valid_recon_data has "
            "(4 trials, 9 steps, 5 channels); expected the same time steps and channels",
        ),
        (
            {"train_recon_data": ones("train", 9, 6)},
            "train_recon_data has (6 trials, 9 steps, 6 channels); valid_recon_data has "
            "(4 trials, 9 steps, 5 channels); expected the same time steps and channels",
        ),
        (
            {"train_encod_data": ones("train", STEPS, CHANNELS, trials=5)},
            "train_encod_data has 5 trials; train_recon_data has 6; expected as many",
        ),
        (
            {"valid_recon_data": ones("valid", 9, 5, trials=3)},
            "valid_encod_data has 4 trials; valid_recon_data has 3; expected as many",
        ),
        (
            {f"{split}_encod_data": ones(split, 10, CHANNELS) for split in TRIALS},
            "train_encod_data has 10 time steps, more than the 9 of train_recon_data; "
            "expected at most as many: encod is the part of recon that the model sees",
        ),
        (
            {f"{split}_encod_data": ones(split, STEPS, 6) for split in TRIALS},
            "train_encod_data has 6 channels, more than the 5 of train_recon_data; "
            "expected at most as many: encod is the part of recon that the model sees",
        ),
    ],
)
def test_datasets_that_disagree_are_named_with_both_sizes(changes, message, tmp_path):
    assert refusal(tmp_path, contents(**changes)) == message


def test_encod_may_be_all_of_recon(tmp_path):
    made = contents()
    for split in TRIALS:
        made[f"{split}_encod_data"] = made[f"{split}_recon_data"]

    recording = reading(tmp_path, made)

    assert recording.sizes.encod_dim == recording.sizes.recon_dim
    assert recording.notes == ()


# What users should know of a file that can be used.


def test_held_in_channels_that_are_not_the_first_ones_are_told(tmp_path):
    made = contents()
    made["valid_encod_data"] = made["valid_recon_data"][:, :STEPS, HELD_OUT:]

    assert reading(tmp_path, made).notes == (
        "reach.h5: valid_encod_data is not the first 7 steps and 3 channels of "
        "valid_recon_data: bps and co_bps, which take it to be, may mislead",
    )


def test_silent_channels_are_told(tmp_path):
    made = contents()
    for split in TRIALS:
        made[f"{split}_recon_data"] = made[f"{split}_recon_data"] * (np.arange(5) < 3)
    made["valid_recon_data"][0, 0, 3] = 1  # a spike in the validation trials is no help

    assert reading(tmp_path, made).notes == (
        "reach.h5: 2 channels have no spike in the training trials",
    )


def test_test_trials_are_read_with_or_without_what_they_are_to_be(tmp_path):
    encod = ones("valid", STEPS, CHANNELS)
    bare = reading(tmp_path, contents(test_encod_data=encod))
    assert bare.test.recon.shape == (len(encod), 0, 0)
    recon = ones("valid", STEPS + FORECAST, 5)
    whole = reading(tmp_path, contents(test_encod_data=encod, test_recon_data=recon))
    np.testing.assert_array_equal(whole.test.encod, encod)
    np.testing.assert_array_equal(whole.test.recon, recon)
    assert reading(tmp_path, contents()).test is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"test_encod_data": ones("valid", STEPS - 1, CHANNELS)},
            "test_encod_data has (4 trials, 6 steps, 3 channels); train_encod_data has "
            "(6 trials, 7 steps, 3 channels); expected the same time steps and channels",
        ),
        (
            {
                "test_encod_data": ones("valid", STEPS, CHANNELS),
                "test_recon_data": ones("valid", STEPS, 5),
            },
            "test_recon_data has (4 trials, 7 steps, 5 channels); expected "
            "(4 trials, 9 steps, 5 channels), as train_recon_data has, for each trial of "
            "test_encod_data",
        ),
    ],
)
def test_test_trials_that_do_not_fit_are_told(changes, message, tmp_path):
    assert error_of(write_file(tmp_path / "reach.h5", contents(**changes))) == message


@pytest.mark.parametrize("split", ["train", "valid"])
def test_missing_data_are_known_by_their_first_place(split, tmp_path):
    recon = contents()[f"{split}_recon_data"].copy()
    recon[2, 5:7, 4] = np.nan
    made = contents(**{f"{split}_recon_data": recon})
    found = reading(tmp_path, made)
    assert (
        found.missing
        == found.sizes.missing
        == (f"'{split}_recon_data' holds NaN at trial 2, time step 5, channel 4 (2 such values)")
    )
    found.refuse_unless(counts)  # what is missing is of no kind
    assert reading(tmp_path, contents()).missing == ""


def test_nothing_but_what_is_missing_is_refused(tmp_path):
    made = contents(valid_recon_data=np.full_like(contents()["valid_recon_data"], np.nan))
    path = write_file(tmp_path / "reach.h5", made)
    assert error_of(path) == "'valid_recon_data' holds nothing but NaN; expected data"
