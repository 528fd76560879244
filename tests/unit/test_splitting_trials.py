"""One array of trials becomes a train/valid file: from every kind of file, by each of the rules."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from autolfads_trainer.cli import split as command
from autolfads_trainer.data.split.arrays import read
from autolfads_trainer.data.split.rules import every_nth, random_fraction, within_conditions
from autolfads_trainer.userinput import InputError

TRIALS, BINS, CHANNELS = 20, 7, 5
RANDOM = np.random.default_rng(0)
SPIKES = RANDOM.poisson(0.7, (TRIALS, BINS, CHANNELS)).astype(np.uint8)
TRUTH = RANDOM.uniform(0, 40, (TRIALS, BINS, CHANNELS))
HAND = RANDOM.standard_normal((TRIALS, BINS, 2))
CONDITION = np.repeat(np.arange(4), 5)
ARRAYS = {
    "spikes": SPIKES,
    "truth": TRUTH,
    "hand": HAND,
    "condition": CONDITION,
    "conversion_factor": np.float64(50),
    "layout": np.arange(6.0).reshape(2, 3),
}


def h5(path: Path, **arrays) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def npz(path: Path, **arrays) -> Path:
    np.savez(path, **arrays)
    return path


def mat5(path: Path, **arrays) -> Path:
    scipy.io.savemat(path, arrays, do_compression=True)
    return path


def mat73(path: Path, **arrays) -> Path:
    """Write what MATLAB's `save -v7.3` writes: HDF5 behind a text header, axes reversed.

    Vectors and numbers have two axes, and the contents of a cell lie in #refs#.
    """
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in arrays.items():
            if isinstance(value, list):  # a cell array
                refs = file.require_group("#refs#")
                cell = file.create_dataset(name, (len(value), 1), dtype=h5py.ref_dtype)
                for i, item in enumerate(value):
                    cell[i, 0] = refs.create_dataset(f"{name}{i}", data=item).ref
                cell.attrs["MATLAB_class"] = np.bytes_("cell")
                continue
            array = np.asarray(value)
            array = array.reshape(-1, 1) if array.ndim == 1 else array
            array = array.reshape(1, 1) if array.ndim == 0 else array
            dataset = file.create_dataset(name, data=np.ascontiguousarray(array.T))
            classes = {"float64": "double", "float32": "single", "bool": "logical"}
            kind = classes.get(array.dtype.name, array.dtype.name)
            dataset.attrs["MATLAB_class"] = np.bytes_(kind)
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024"
    with path.open("r+b") as raw:
        raw.write(header.ljust(116) + bytes(8) + b"\x00\x02IM")
    return path


WRITERS = {"HDF5": (h5, "in.h5"), "npz": (npz, "in.npz"), "mat": (mat5, "in.mat")}
WRITERS["mat v7.3"] = (mat73, "in.mat")


def run(*arguments) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def done(source: Path, *arguments) -> dict[str, np.ndarray]:
    """Split, and return what lies in the file."""
    out = source.with_name("out.h5")
    result = run(source, out, *arguments)
    assert result.exit_code == 0, result.exception
    with h5py.File(out) as file:
        return {name: file[name][()] for name in file}


def refused(source: Path, *arguments) -> str:
    """Return the message of the refusal, after looking that nothing was written."""
    out = source.with_name("out.h5")
    result = run(source, out, *arguments)
    assert isinstance(result.exception, InputError), result.exception or result.output
    assert not out.exists()
    message = str(result.exception)
    assert "\n" not in message
    return message


@pytest.fixture
def trials(tmp_path: Path) -> Path:
    return h5(tmp_path / "in.h5", **ARRAYS)


# --- every kind of file --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WRITERS)
def test_the_same_trials_come_out_of_every_kind_of_file(tmp_path: Path, kind: str):
    write, name = WRITERS[kind]
    data = done(write(tmp_path / name, **ARRAYS), "--every", 5)
    valid = np.array([4, 9, 14, 19])
    train = np.setdiff1d(np.arange(TRIALS), valid)
    for part, chosen in (("train", train), ("valid", valid)):
        assert np.array_equal(data[f"{part}_inds"], chosen)
        assert np.array_equal(data[f"{part}_encod_data"], SPIKES[chosen])
        assert np.array_equal(data[f"{part}_recon_data"], SPIKES[chosen])
        assert data[f"{part}_recon_data"].dtype == np.float32
        assert np.array_equal(data[f"{part}_truth"], TRUTH[chosen])
        assert np.array_equal(data[f"{part}_hand"], HAND[chosen])
        assert np.array_equal(data[f"{part}_condition"], CONDITION[chosen])
    assert data["conversion_factor"] == 50
    assert data["conversion_factor"].shape == ()
    assert np.array_equal(data["layout"], ARRAYS["layout"])
    assert len(data) == 2 * 6 + 2


def test_a_matlab_file_really_has_its_axes_reversed(tmp_path: Path):
    path = mat73(tmp_path / "in.mat", spikes=SPIKES)
    with h5py.File(path) as file:
        assert file["spikes"].shape == (CHANNELS, BINS, TRIALS)
    assert read(path).arrays["spikes"].shape == SPIKES.shape


def test_hdf5_that_is_only_named_mat_keeps_its_axes(tmp_path: Path):
    assert read(h5(tmp_path / "in.mat", spikes=SPIKES)).arrays["spikes"].shape == SPIKES.shape


def test_fields_of_structs_and_groups_are_found(tmp_path: Path):
    old = mat5(tmp_path / "old.mat", session={"spikes": SPIKES, "day": 3})
    new = tmp_path / "new.h5"
    h5(new, **{"session/spikes": SPIKES, "session/day": 3})
    for source in (old, new):
        for key in ("session/spikes", "session.spikes"):
            data = done(source, "--every", 5, "--key", key, "--force")
            assert np.array_equal(data["train_inds"][:5], [0, 1, 2, 3, 5])
            assert data["session_day"] == 3


@pytest.mark.parametrize("kind", ["HDF5", "npz"])
def test_conditions_may_be_words(tmp_path: Path, kind: str):
    words = np.array(["left", "right"]).repeat(10)
    write, name = WRITERS[kind]
    stored = words.astype(h5py.string_dtype()) if kind == "HDF5" else words
    data = done(write(tmp_path / name, spikes=SPIKES, target=stored), "--by", "target")
    assert list(data["valid_target"]) == [b"left"] * 2 + [b"right"] * 2


def test_what_cannot_be_carried_along_is_said(tmp_path: Path):
    source = mat5(
        tmp_path / "in.mat",
        spikes=SPIKES,
        names=np.array(["a", 3.0], dtype=object),
        graph=scipy.sparse.csc_matrix(np.eye(3)),
    )
    result = run(source, tmp_path / "out.h5", "--every", 5)
    assert "left out: names (a MATLAB cell array)" in result.output
    assert "left out: graph (a MATLAB sparse matrix)" in result.output
    with h5py.File(tmp_path / "out.h5") as file:
        assert set(file) == {f"{p}_{n}" for p in ("train", "valid") for n in KEYS}


KEYS = ("encod_data", "recon_data", "inds")


def test_cells_of_a_new_matlab_file_are_no_spikes(tmp_path: Path):
    source = mat73(tmp_path / "in.mat", spikes=list(SPIKES.astype(float)), day=3.0)
    message = refused(source, "--every", 5)
    assert "spikes (a MATLAB cell array)" in message
    assert "three axes: (trials, time, channels)" in message
    message = refused(source, "--every", 5, "--key", "spikes")
    assert "--key spikes: found a MATLAB cell array; expected an array of numbers" in message


def test_things_of_hdf5_and_matlab_that_are_no_arrays_are_named(tmp_path: Path):
    source = mat73(tmp_path / "in.mat", spikes=SPIKES)
    with h5py.File(source, "r+") as file:
        file["nothing"] = h5py.Empty("f")
        file.create_dataset("ragged", (2,), dtype=h5py.vlen_dtype(np.float64))
        file.create_dataset("links", (2,), dtype=h5py.ref_dtype)
        file["sparse/data"] = np.ones(3)
        file["sparse"].attrs["MATLAB_sparse"] = np.uint64(3)
        file["sparse"].attrs["MATLAB_class"] = np.bytes_("double")
        file["table"] = np.zeros((1, 6), dtype=np.uint32)
        file["table"].attrs["MATLAB_class"] = np.bytes_("table")
        file["label"] = np.zeros((4, 1), dtype=np.uint16)
        file["label"].attrs["MATLAB_class"] = np.bytes_("char")
    assert read(source).refused == {
        "nothing": "no data",
        "ragged": "rows of different lengths",
        "links": "references (a cell or struct array)",
        "sparse": "a MATLAB sparse matrix",
        "table": "a MATLAB table",
        "label": "a MATLAB text",
    }
    assert list(read(source).arrays) == ["spikes"]


def test_things_of_older_matlab_that_are_no_arrays_are_named(tmp_path: Path):
    several = np.zeros(2, dtype=[("a", object)])
    path = mat5(tmp_path / "in.mat", spikes=SPIKES, wave=np.array([1j]), several=several)
    assert read(path).refused == {"wave": "complex numbers", "several": "a MATLAB struct array"}


def test_truth_values_are_counts_of_none_or_one(tmp_path: Path):
    data = done(h5(tmp_path / "in.h5", spikes=SPIKES > 0), "--every", 5)
    assert np.array_equal(data["valid_recon_data"], (SPIKES > 0)[4::5])


def test_conditions_may_be_a_column(tmp_path: Path):
    source = h5(tmp_path / "in.h5", spikes=SPIKES, c=CONDITION[:, None])
    mask = within_conditions(CONDITION, 0.2, 0)
    assert np.array_equal(done(source, "--by", "c")["valid_inds"], np.flatnonzero(mask))


class Bomb:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def test_an_object_array_is_refused_and_never_unpickled(tmp_path: Path):
    mark = tmp_path / "mark"
    source = npz(tmp_path / "in.npz", spikes=np.array([Bomb(mark), None], dtype=object))
    assert "spikes (an object array" in refused(source, "--every", 5)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Bomb(mark)))
    assert mark.exists()  # the bomb was live


# --- the three rules -----------------------------------------------------------------------------


@given(st.integers(0, 60), st.integers(2, 70))
def test_every_nth_trial_counts_from_one(trials: int, n: int):
    chosen = np.flatnonzero(every_nth(trials, n))
    assert list(chosen) == [trial for trial in range(trials) if (trial + 1) % n == 0]


@given(st.integers(1, 80), st.floats(0.01, 0.99), st.integers(0, 2**40))
def test_a_random_fraction_has_its_size_and_its_seed(trials: int, fraction: float, seed: int):
    chosen = random_fraction(trials, fraction, seed)
    assert chosen.shape == (trials,)
    assert abs(chosen.sum() - trials * fraction) <= 0.5
    assert np.array_equal(chosen, random_fraction(trials, fraction, seed))


def test_another_seed_chooses_other_trials():
    labels = np.zeros(40)
    for choose in (
        lambda s: random_fraction(40, 0.5, s),
        lambda s: within_conditions(labels, 0.5, s),
    ):
        assert not np.array_equal(choose(1), choose(2))


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=60),
    st.floats(0.01, 0.99),
    st.integers(0, 1000),
)
def test_each_condition_has_its_fraction_and_keeps_a_trial_on_each_side(labels, fraction, seed):
    conditions = np.array(labels)
    chosen = within_conditions(conditions, fraction, seed)
    for condition in set(labels):
        members = int((conditions == condition).sum())
        validation = int(chosen[conditions == condition].sum())
        if members == 1:
            assert validation == 0
        else:
            assert 1 <= validation <= members - 1
            assert abs(validation - members * fraction) <= 1 or validation in (1, members - 1)
    assert np.array_equal(chosen, within_conditions(conditions, fraction, seed))


def test_conditions_of_one_size_are_not_split_at_the_same_places():
    chosen = within_conditions(np.repeat(np.arange(30), 10), 0.2, 0).reshape(30, 10)
    assert len(np.unique(chosen, axis=0)) > 1


def test_the_commands_rules_are_these(trials: Path):
    cases = [
        (["--every", 3], every_nth(TRIALS, 3)),
        (["--random", 0.25], random_fraction(TRIALS, 0.25, 0)),
        (["--random", 0.25, "--seed", 4], random_fraction(TRIALS, 0.25, 4)),
        (["--by", "condition"], within_conditions(CONDITION, 0.2, 0)),
        (
            ["--by", "condition", "--valid-fraction", 0.4, "--seed", 4],
            within_conditions(CONDITION, 0.4, 4),
        ),
    ]
    for options, mask in cases:
        data = done(trials, *options, "--force")
        assert np.array_equal(data["valid_inds"], np.flatnonzero(mask))
        assert np.array_equal(data["train_inds"], np.flatnonzero(~mask))


# --- held-out channels and bins ------------------------------------------------------------------


def test_the_last_channels_and_bins_are_left_out_of_encod(trials: Path):
    data = done(trials, "--every", 5, "--heldout", 2, "--forward-steps", 3)
    assert np.array_equal(data["valid_encod_data"], SPIKES[4::5, :4, :3])
    assert np.array_equal(data["valid_recon_data"], SPIKES[4::5])
    assert np.array_equal(data["valid_truth"], TRUTH[4::5])
    assert "channel_inds" not in data


@pytest.mark.parametrize("mask", [[1, 0, 1, 1, 0], [True, False, True, True, False]])
def test_a_mask_holds_channels_in_and_puts_them_first(tmp_path: Path, mask):
    source = h5(tmp_path / "in.h5", **ARRAYS, heldin=np.array(mask))
    data = done(source, "--every", 5, "--heldin-key", "heldin")
    order = [0, 2, 3, 1, 4]
    assert np.array_equal(data["channel_inds"], order)
    assert np.array_equal(data["train_encod_data"], SPIKES[data["train_inds"]][..., [0, 2, 3]])
    assert np.array_equal(data["valid_recon_data"], SPIKES[4::5][..., order])
    assert np.array_equal(data["valid_truth"], TRUTH[4::5][..., order])
    assert np.array_equal(data["valid_hand"], HAND[4::5])


def test_a_mask_as_long_as_the_trials_is_still_a_mask(tmp_path: Path):
    source = h5(tmp_path / "in.h5", spikes=SPIKES[:5], heldin=np.array([1, 1, 1, 1, 0]))
    data = done(source, "--every", 5, "--heldin-key", "heldin")
    assert np.array_equal(data["heldin"], [1, 1, 1, 1, 0])
    assert "train_heldin" not in data


# --- which array ---------------------------------------------------------------------------------


def test_whole_numbers_beside_real_ones_are_the_spikes(trials: Path):
    assert "of 'spikes'" in run(trials, trials.with_name("out.h5"), "--every", 5).output


def test_two_that_could_be_spikes_are_asked_about(tmp_path: Path):
    source = h5(tmp_path / "in.h5", spikes=SPIKES, lfp=HAND, spikes_m1=SPIKES[..., :2])
    message = refused(source, "--every", 5)
    assert f"spikes {SPIKES.shape}, spikes_m1 (20, 7, 2)" in message
    assert "lfp" not in message
    assert "--key NAME" in message
    data = done(source, "--every", 5, "--key", "spikes_m1")
    assert data["train_recon_data"].shape == (16, 7, 2)
    assert data["train_spikes"].shape == (16, 7, 5)


def test_external_input_is_never_taken_for_spikes(tmp_path: Path):
    go_cue = (HAND > 0).astype(int)
    data = done(h5(tmp_path / "in.h5", counts=SPIKES, ext_input=go_cue), "--every", 5)
    assert np.array_equal(data["valid_ext_input"], go_cue[4::5])
    assert np.array_equal(data["valid_recon_data"], SPIKES[4::5])


@pytest.mark.parametrize("kind", WRITERS)
def test_a_single_external_input_may_lack_its_axis(tmp_path: Path, kind: str):
    write, name = WRITERS[kind]
    source = write(tmp_path / name, spikes=SPIKES, ext_input=HAND[..., 0])
    assert np.array_equal(done(source, "--every", 5)["valid_ext_input"], HAND[4::5, :, :1])


def test_a_file_says_where_it_came_from(trials: Path):
    done(trials, "--random", 0.2, "--seed", 3)
    with h5py.File(trials.with_name("out.h5")) as file:
        assert dict(file.attrs) == {
            "source": "in.h5",
            "source_key": "spikes",
            "split": "random 0.2, seed 3",
        }


# --- what is refused -----------------------------------------------------------------------------


def test_files_that_are_no_trials(tmp_path: Path):
    assert "absent.h5: there is no such file" in refused(tmp_path / "absent.h5", "--every", 5)
    (tmp_path / "sub").mkdir()
    assert "sub: is a folder" in refused(tmp_path / "sub", "--every", 5)
    text = tmp_path / "notes.txt"
    text.write_text("spikes")
    assert "notes.txt: is no kind of file that is known here" in refused(text, "--every", 5)
    assert "cannot be read: File name too long" in refused(tmp_path / ("x" * 300), "--every", 5)
    empty = h5(tmp_path / "empty.h5")
    assert "found no arrays; expected" in refused(empty, "--every", 5)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_cut_short_is_one_clear_error(tmp_path: Path, kind: str):
    write, name = WRITERS[kind]
    source = write(tmp_path / name, **ARRAYS)
    source.write_bytes(source.read_bytes()[:-1500])
    assert f"{name}: cannot be read: " in refused(source, "--every", 5)


def test_an_array_larger_than_memory_is_one_clear_error(tmp_path: Path):
    source = tmp_path / "in.h5"
    with h5py.File(source, "w") as file:  # 8 PB, of which nothing is written
        file.create_dataset("spikes", (10**7, 10**6, 100), dtype="f8", chunks=(1, 10, 100))
    assert "does not fit into this machine's memory" in refused(source, "--every", 5)


def test_a_zip_that_is_no_npz(tmp_path: Path):
    source = tmp_path / "in.npz"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "readme.txt (a file that is no array)" in refused(source, "--every", 5)


def test_a_missing_key_names_the_nearest(trials: Path):
    message = refused(trials, "--every", 5, "--key", "spike")
    assert "--key spike: there is no such array (did you mean 'spikes'?)" in message
    assert "did you mean 'condition'?" in refused(trials, "--by", "conditions")
    assert "--heldin-key mask" in refused(trials, "--every", 5, "--heldin-key", "mask")


@pytest.mark.parametrize(
    ("spikes", "message"),
    [
        (SPIKES[0], "spikes: found 2 axes, sizes (7, 5); expected three: (trials, time, channels)"),
        (SPIKES[None], "spikes: found 4 axes"),
        (SPIKES[:0], "spikes: found zero trials, sizes (0, 7, 5)"),
        (SPIKES[:, :0], "spikes: found zero time bins"),
        (SPIKES[..., :0], "spikes: found zero channels"),
        (SPIKES.astype(complex), "--key spikes: found complex numbers"),
    ],
)
def test_arrays_that_are_no_trials(tmp_path: Path, spikes, message: str):
    source = npz(tmp_path / "in.npz", spikes=spikes)
    assert message in refused(source, "--every", 5, "--key", "spikes")


def test_words_are_no_spikes(tmp_path: Path):
    source = npz(tmp_path / "in.npz", spikes=SPIKES.astype(str))
    assert "elements; expected spike counts" in refused(source, "--every", 5, "--key", "spikes")


@pytest.mark.parametrize("kind", ["mat", "mat v7.3"])
def test_zero_trials_in_matlab(tmp_path: Path, kind: str):
    write, name = WRITERS[kind]
    source = write(tmp_path / name, spikes=SPIKES[:0])
    assert "zero trials, sizes (0, 7, 5)" in refused(source, "--every", 5)


def test_an_array_that_matlab_marks_as_empty(tmp_path: Path):
    source = mat73(tmp_path / "in.mat", other=1.0)
    with h5py.File(source, "r+") as file:  # MATLAB stores only the sizes
        file["spikes"] = np.array([0, 7, 5], dtype=np.uint64)
        file["spikes"].attrs["MATLAB_class"] = np.bytes_("double")
        file["spikes"].attrs["MATLAB_empty"] = np.uint8(1)
    assert "zero trials, sizes (0, 7, 5)" in refused(source, "--every", 5)


@pytest.mark.parametrize(
    ("value", "found"), [(np.nan, "nan"), (-1, "-1"), (0.5, "0.5"), (np.inf, "inf"), (2e9, "2e+09")]
)
@pytest.mark.parametrize("key", [[], ["--key", "spikes"]])
def test_the_first_value_that_is_no_count_is_named(tmp_path: Path, value, found: str, key):
    spikes = SPIKES.astype(float)
    spikes[3, 2, 1] = value
    spikes[3, 4, 0] = -7
    spikes[9, 0, 0] = -8
    message = refused(h5(tmp_path / "in.h5", spikes=spikes), "--every", 5, *key)
    assert "in.h5: spikes: trial 3, bin 2, channel 1 (counted from 0)" in message
    assert f"found {found}; expected a spike count" in message


def test_the_largest_count_is_what_float32_holds(tmp_path: Path):
    spikes = SPIKES.astype(np.int64)
    spikes[0, 0, 0] = 2**24
    data = done(h5(tmp_path / "in.h5", spikes=spikes), "--every", 5)
    assert int(data["train_recon_data"][0, 0, 0]) == 2**24
    spikes[0, 0, 0] += 1
    assert "found 16777217" in refused_anew(h5(tmp_path / "in.h5", spikes=spikes), "--every", 5)


def refused_anew(source: Path, *arguments) -> str:
    source.with_name("out.h5").unlink()
    return refused(source, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "split: found no rule; expected one of --every"),
        (["--every", 5, "--random", 0.2], "found --every and --random; expected one of"),
        (["--every", 1], "--every: found 1; expected a whole number of at least 2"),
        (["--every", 0], "--every: found 0;"),
        (["--every", 21], "split every 21: found no trial of 20 left to validate with"),
        (["--random", 0], "--random: found 0; expected a number between 0 and 1"),
        (["--random", 1], "--random: found 1; expected"),
        (["--random", "nan"], "--random: found nan; expected"),
        (["--random", 0.01], "found no trial of 20 left to validate with"),
        (["--random", 0.99], "found no trial of 20 left to train on"),
        (["--random", 0.2, "--seed", -1], "--seed: found -1; expected"),
        (["--every", 5, "--seed", 1], "--seed with --every; it belongs to"),
        (["--every", 5, "--valid-fraction", 0.1], "--valid-fraction with --every; it belongs to"),
        (["--by", "condition", "--valid-fraction", 1.5], "--valid-fraction: found 1.5; expected"),
        (["--by", "layout"], "--by layout: found sizes (2, 3); expected (20,), one condition per"),
        (
            ["--every", 5, "--heldout", 5],
            "--heldout: found 5 of 5 channels; expected a number from",
        ),
        (["--every", 5, "--heldout", -1], "--heldout: found -1 of 5 channels"),
        (["--every", 5, "--forward-steps", 7], "--forward-steps: found 7 of 7 bins; expected"),
        (["--every", 5, "--forward-steps", -1], "--forward-steps: found -1 of 7 bins"),
        (["--every", 5, "--heldin-key", "layout"], "found sizes (2, 3); expected (5,), one for"),
    ],
)
def test_impossible_options_are_refused(trials: Path, arguments, message: str):
    assert message in refused(trials, *arguments)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (np.arange(19), "--by c: found sizes (19,); expected (20,), one condition per trial"),
        (np.linspace(0, 1, 20), "another value for each of the 20 trials, which looks like a"),
        (np.arange(20), "another value for each of the 20 trials; expected"),
        (np.r_[np.zeros(7), np.nan, np.zeros(12)], "trial 7 (counted from 0): found NaN"),
    ],
)
def test_conditions_that_are_none(tmp_path: Path, conditions, message: str):
    assert message in refused(h5(tmp_path / "in.h5", spikes=SPIKES, c=conditions), "--by", "c")


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([0, 0, 0, 0, 0], "found no channel that is held in"),
        ([1, 1, 2, 0, 0], "found [1, 1, 2, 0, 0]; expected 1 for a channel that is held in"),
        ([1, 1], "found sizes (2,); expected (5,)"),
    ],
)
def test_masks_that_are_none(tmp_path: Path, mask, message: str):
    source = h5(tmp_path / "in.h5", spikes=SPIKES, m=np.array(mask))
    assert message in refused(source, "--every", 5, "--heldin-key", "m")
    both = refused(source, "--every", 5, "--heldin-key", "m", "--heldout", 1)
    assert "--heldout and --heldin-key: found both" in both


def test_one_trial_cannot_be_split(tmp_path: Path):
    source = h5(tmp_path / "in.h5", spikes=SPIKES[:1], c=np.array([3]))
    for rule in (["--every", 2], ["--random", 0.4], ["--by", "c"]):
        assert "found no trial of 1 left to validate with" in refused(source, *rule)


def test_truth_and_external_input_must_fit_the_spikes(tmp_path: Path):
    source = h5(tmp_path / "a.h5", spikes=SPIKES, truth=TRUTH[:, :5])
    message = refused(source, "--every", 5)
    assert "truth: found sizes (20, 5, 5); expected (20, 7, 5)" in message
    source = h5(tmp_path / "b.h5", spikes=SPIKES, ext_input=HAND[:9])
    message = refused(source, "--every", 5)
    assert "ext_input: found sizes (9, 7, 2); expected (20, time, inputs)" in message


def test_truth_without_conversion_factor_is_mentioned(tmp_path: Path, trials: Path):
    source = h5(tmp_path / "a.h5", spikes=SPIKES, truth=TRUTH)
    assert "no conversion_factor" in run(source, tmp_path / "out.h5", "--every", 5).output
    whole = run(trials, tmp_path / "other.h5", "--every", 5).output
    assert "no conversion_factor" not in whole
    assert "split alike: condition, hand, truth" in whole
    assert "copied as they are: conversion_factor, layout" in whole


def test_a_name_that_the_split_needs_is_not_overwritten(tmp_path: Path):
    source = h5(tmp_path / "a.h5", spikes=SPIKES, recon_data=HAND)
    message = refused(source, "--every", 5)
    assert (
        "recon_data: found that train_recon_data would be written twice, also for spik" in message
    )
    source = h5(tmp_path / "b.h5", spikes=SPIKES, valid_inds=np.arange(3))
    assert "valid_inds would be written twice" in refused(source, "--every", 5)


def test_a_file_that_is_split_already_is_told(trials: Path):
    done(trials, "--every", 5)
    again = run(trials.with_name("out.h5"), trials.with_name("twice.h5"), "--every", 5)
    assert "is split already" in str(again.exception)


def test_an_existing_result_stays_unless_forced_and_never_replaces_its_source(trials: Path):
    done(trials, "--every", 5)
    refusal = run(trials, trials.with_name("out.h5"), "--every", 4)
    assert isinstance(refusal.exception, InputError)
    assert "out.h5: exists already" in str(refusal.exception)
    assert "--force" in str(refusal.exception)
    assert len(done(trials, "--every", 4, "--force")["valid_inds"]) == 5
    before = trials.read_bytes()
    itself = run(trials, trials, "--every", 5, "--force")
    assert "is the file to be split" in str(itself.exception)
    assert trials.read_bytes() == before
