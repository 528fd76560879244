"""`autolfads pcr` refuses wrong files and options in one sentence, and changes nothing then."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from recording_files import contents, write_file

from autolfads_trainer.data.pcr.command import pcr as command
from autolfads_trainer.userinput import InputError

TRIALS, STEPS = {"train": 6, "valid": 2}, 12


def recording(path: Path, seed: int, channels: int = 5, steps: int = STEPS, **changes) -> Path:
    """Write a recording with three conditions, two training trials of each."""
    random = np.random.default_rng(seed)
    made = {}
    for split, trials in TRIALS.items():
        spikes = random.poisson(1.5, (trials, steps, channels)).astype(np.float32)
        made[f"{split}_encod_data"] = made[f"{split}_recon_data"] = spikes
    made["train_condition"] = np.array([1, 2, 3, 1, 2, 3])
    return write_file(path, made | changes)


@pytest.fixture
def days(tmp_path: Path) -> list[Path]:
    return [recording(tmp_path / f"day{seed}.h5", seed, channels=4 + seed) for seed in (0, 1)]


def refused(*arguments, options=("--in-place",)) -> str:
    """Return the message of the refusal, after looking that no file was changed or made."""
    files = [argument for argument in arguments if isinstance(argument, Path)]
    folder = files[0].parent
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result = CliRunner().invoke(command, [str(argument) for argument in (*arguments, *options)])
    assert isinstance(result.exception, InputError), result.exception or result.output
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    message = str(result.exception)
    assert "\n" not in message
    return message


def changed(path: Path, name: str, value) -> Path:
    with h5py.File(path, "r+") as file:
        if name in file:
            del file[name]
        if value is not None:
            file[name] = value
    return path


# --- files that cannot be compared ---------------------------------------------------------------


def test_trials_of_different_lengths(days, tmp_path):
    longer = recording(tmp_path / "longer.h5", 3, steps=15)
    expected = f"{longer}: train_encod_data has 15 time steps; {days[0]} has 12; expected"
    assert refused(days[0], longer).startswith(expected)


def test_no_shared_condition(days):
    changed(days[1], "train_condition", np.array([7, 8, 9, 10, 11, 12]))
    message = refused(*days)
    assert "shares no condition with all other files" in message
    assert "day0.h5: 1, 2, 3; day1.h5: 7, 8, 9, 10, 11 and 1 more" in message
    assert "--trials" in message


def test_words_are_not_numbers(days):
    changed(days[1], "train_condition", np.array(["1", "2", "3"] * 2).astype(h5py.string_dtype()))
    assert "shares no condition" in refused(*days)


def test_fewer_channels_than_components(days):
    message = refused(*days, "--components", 5)
    expected = f"{days[0]}: has 4 held-in channels, whose averages over 36 bins vary in 4 "
    assert message == f"{expected}dimensions; expected at least as many as --components, 5"


def test_fewer_bins_than_components(days):
    short = recording(days[0].with_name("short.h5"), 5, channels=30, steps=3)
    assert "averages over 3 bins vary in 2 dimensions" in refused(
        short, "--trials", "--components", 3
    )


def test_channels_that_are_silent_do_not_count(days):
    with h5py.File(days[0], "r+") as file:
        for part in ("encod", "recon"):
            file[f"train_{part}_data"][..., :2] = 0
    assert "has 4 held-in channels, whose averages over 36 bins vary in 2 dimensions" in refused(
        *days, "--components", 3
    )


def test_no_spikes_at_all(days):
    with h5py.File(days[0], "r+") as file:
        for part in ("encod", "recon"):
            file[f"train_{part}_data"][...] = 0
    assert "vary in 0 dimensions; expected at least as many as --components, 1" in refused(*days)


def test_the_same_file_twice(days, tmp_path):
    assert refused(days[0], days[1], days[0]).endswith("are one file; expected each session once")
    link = tmp_path / "link.h5"
    link.symlink_to(days[0])
    assert "link.h5 are one file" in refused(days[0], link)


def test_the_same_spikes_twice(days, tmp_path):
    copy = Path(shutil.copy(days[0], tmp_path / "copy.h5"))
    changed(copy, "note", 1.0)
    expected = f"{copy}: holds the same spikes as {days[0]}; expected each session once"
    assert refused(*days, copy) == expected


def test_numbers_that_are_not_finite(days):
    with h5py.File(days[1], "r+") as file:
        file["train_recon_data"][1, 2, 3] = np.nan
    message = refused(*days)
    assert message.startswith(f"{days[1]}: 'train_recon_data' holds nan at trial 1, time step 2")


def test_what_the_model_sees_is_no_part_of_what_it_explains(days):
    with h5py.File(days[0], "r+") as file:
        file["train_encod_data"][...] = file["train_encod_data"][()] * 2
    message = refused(*days)
    assert message.startswith(
        f"{days[0]}: train_encod_data is not the first 12 steps and 4 channels of train_recon_data"
    )


def test_files_that_are_no_recordings(days, tmp_path):
    assert "no such data file" in refused(days[0], tmp_path / "absent.h5")
    text = tmp_path / "text.h5"
    text.write_text("spikes")
    assert "is not an HDF5 file" in refused(days[0], text)
    lacking = changed(Path(shutil.copy(days[0], tmp_path / "c.h5")), "valid_recon_data", None)
    assert "has no dataset 'valid_recon_data'" in refused(days[1], lacking)


# --- conditions ----------------------------------------------------------------------------------


def test_no_conditions_under_a_usual_name(days):
    changed(days[0], "train_condition", None)
    message = refused(*days)
    assert message.startswith(f"{days[0]}: has no 'train_condition' and no 'train_cond_idx'; ")
    assert "--by KEY" in message
    assert "--trials" in message


def test_conditions_that_only_some_files_have(days):
    changed(days[1], "train_condition", None)
    assert refused(*days).startswith(f"{days[1]}: has no dataset 'train_condition'")


def test_a_key_that_is_not_there(days):
    message = refused(*days, "--by", "conditoin")
    expected = f"{days[0]}: has no dataset 'train_conditoin' (did you mean 'train_condition'?)"
    assert message.startswith(expected)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.arange(5), "has sizes (5,); expected (6,), one condition per training trial"),
        (np.zeros((6, 2)), "has sizes (6, 2); expected (6,)"),
        (np.float64(3), "has sizes (); expected (6,)"),
        (np.array([1, 2, 3, np.nan, 2, 3]), "holds nan at trial 3; expected a condition"),
        (np.array([1, 2, 3, np.inf, 2, 3]), "holds inf at trial 3; expected a condition"),
        (np.zeros(6, dtype=complex), "holds complex128; expected numbers"),
        (np.array(["x" * 201] * 6).astype("S"), "holds a word of 201 letters; expected"),
        (np.array([b"\xff\xfe"] * 6), "cannot be read: "),
        (h5py.ExternalLink("other.h5", "/x"), "is a link into another file, 'other.h5'; expected"),
        (h5py.SoftLink("/absent"), "cannot be read: "),
    ],
)
def test_conditions_that_cannot_be_used(days, value, message):
    changed(days[1], "train_condition", value)
    assert f"{days[1]}: 'train_condition' {message}" in refused(*days)


def test_conditions_that_are_a_group(days):
    changed(days[1], "train_condition", None)
    with h5py.File(days[1], "r+") as file:
        file.create_group("train_condition")
    assert "'train_condition' is a group; expected a dataset" in refused(*days)


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "pcr: found neither of --out-dir and --in-place; expected one of them"),
        (("--in-place", "--out-dir", "x"), "pcr: found both of --out-dir and --in-place"),
        (("--in-place", "--components", 0), "--components: found 0; expected a whole number"),
        (("--in-place", "--ridge", -1), "--ridge: found -1; expected a number of at least 0"),
        (("--in-place", "--ridge", "nan"), "--ridge: found nan; expected"),
        (("--in-place", "--smooth-bins", -0.5), "--smooth-bins: found -0.5; expected"),
        (("--in-place", "--smooth-ms", "inf"), "--smooth-ms: found inf; expected"),
        (("--in-place", "--by", "condition", "--trials"), "pcr: found --by and --trials; expected"),
        (
            ("--in-place", "--smooth-bins", 1, "--smooth-ms", 1),
            "pcr: found --smooth-bins and --smooth-ms; expected at most one",
        ),
    ],
)
def test_options_that_cannot_be(days, options, message):
    assert refused(*days, *options, options=()).startswith(message)


@pytest.mark.parametrize(
    ("width", "message"),
    [
        (None, "has no attribute bin_width_seconds; expected the seconds of a bin there, or --sm"),
        (0.0, "has no usable attribute bin_width_seconds; expected"),
        ("wide", "has no usable attribute bin_width_seconds; expected"),
        ([0.02, 0.02], "has no usable attribute bin_width_seconds; expected"),
    ],
)
def test_ms_need_to_know_how_long_a_bin_is(days, width, message):
    for path in days:
        with h5py.File(path, "r+") as file:
            file.attrs["bin_width_seconds"] = 0.02
    with h5py.File(days[1], "r+") as file:
        del file.attrs["bin_width_seconds"]
        if width is not None:
            file.attrs["bin_width_seconds"] = width
    assert refused(*days, "--smooth-ms", 40).startswith(f"{days[1]}: {message}")


# --- places --------------------------------------------------------------------------------------


def test_start_values_that_are_there_are_replaced_only_by_force(days):
    changed(days[1], "readout_bias", np.zeros(5))
    message = refused(*days)
    assert message.startswith(f"{days[1]}: has readout_bias already; expected")
    assert "--force" in message


def test_copies_that_are_there_are_replaced_only_by_force(days, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "day1.h5").write_text("precious")
    message = refused(*days, options=("--out-dir", str(tmp_path / "out")))
    assert message.startswith(f"{tmp_path / 'out' / 'day1.h5'}: exists already")


def test_copies_never_replace_what_is_read(days, tmp_path):
    message = refused(*days, options=("--out-dir", str(tmp_path), "--force"))
    assert message.startswith(f"{days[0]}: is one of the files to be read; expected another folder")


def test_a_folder_that_is_not_there(days, tmp_path):
    message = refused(*days, options=("--out-dir", str(tmp_path / "absent")))
    assert f"there is no folder {tmp_path / 'absent'}" in message


def test_two_files_of_one_name_do_not_go_into_one_folder(days, tmp_path):
    for name in ("other", "out"):
        (tmp_path / name).mkdir()
    other = recording(tmp_path / "other" / "day0.h5", 9)
    message = refused(*days, other, options=("--out-dir", str(tmp_path / "out")))
    assert message.startswith(f"{other}: has the same name as {days[0]}; expected")


def test_every_recording_of_the_readers_tests_is_taken(tmp_path):
    # With bins to forecast and held-out channels, and no conditions.
    path = write_file(tmp_path / "a.h5", contents())
    result = CliRunner().invoke(command, [str(path), "--trials", "--in-place"])
    assert result.exit_code == 0, result.exception
