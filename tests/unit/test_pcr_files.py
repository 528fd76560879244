"""`autolfads pcr`: recordings of several sessions get start values, and lose nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from markdown_documents import code, document

from autolfads_trainer.data.hdf5 import read_recording
from autolfads_trainer.data.pcr.alignment import align
from autolfads_trainer.data.pcr.command import pcr as command
from autolfads_trainer.data.pcr.labels import USUAL
from autolfads_trainer.data.pcr.sessions import MOST_COMPONENTS_UNASKED
from autolfads_trainer.data.pcr.smoothing import UNASKED_BINS, smoothed
from autolfads_trainer.data.problems import describe, generate, write

SIZES = {"conditions": 6, "trials": 10}
CHANNELS = (12, 16)
COMPONENTS = 4


def lorenz(folder: Path, session: int, **changes) -> Path:
    """Write a recording of the same Lorenz dynamics as all other sessions."""
    arguments = {**SIZES, "channels": CHANNELS[session % 2], "session": session, **changes}
    path = folder / f"day{session}.h5"
    write(path, generate("lorenz", 3, **arguments), describe("lorenz", 3, **arguments))
    return path


@pytest.fixture
def days(tmp_path: Path) -> list[Path]:
    return [lorenz(tmp_path, session) for session in (0, 1)]


def done(*arguments) -> str:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.exception
    return result.output


def contents(path: Path) -> dict[str, np.ndarray]:
    with h5py.File(path) as file:
        return {name: file[name][()] for name in file}


def averages(path: Path, conditions, smooth: float = 2.0) -> np.ndarray:
    """Condition averages of the training trials, by hand: `(conditions * steps, channels)`."""
    data = contents(path)
    chosen = [data["train_cond_idx"] == condition for condition in conditions]
    steps = data["train_encod_data"].shape[1]
    rates = np.stack([data["train_recon_data"][c][:, :steps].astype(float).mean(0) for c in chosen])
    return smoothed(rates, smooth).reshape(-1, rates.shape[2])


# --- what is written -----------------------------------------------------------------------------


def test_copies_hold_what_was_there_and_the_two_arrays(days: list[Path], tmp_path: Path):
    folder = tmp_path / "aligned"
    folder.mkdir()
    before = [path.read_bytes() for path in days]
    output = done(*days, "--out-dir", folder, "--components", COMPONENTS)
    assert [path.read_bytes() for path in days] == before
    starts = align([averages(path, range(6)) for path in days], COMPONENTS, 0.01)
    for path, start, channels in zip(days, starts, CHANNELS, strict=True):
        old, new = contents(path), contents(folder / path.name)
        assert new.keys() - old.keys() == {"readin_weight", "readout_bias"}
        assert all(np.array_equal(new[name], old[name]) for name in old)
        assert new["readin_weight"].shape == (channels, COMPONENTS)
        assert new["readin_weight"].dtype == new["readout_bias"].dtype == np.float32
        assert new["readin_weight"] == pytest.approx(start.weight, rel=1e-5, abs=1e-6)
        assert new["readout_bias"] == pytest.approx(start.mean, rel=1e-6)
        assert read_recording(folder / path.name).train.encod.shape[2] == channels
        with h5py.File(path) as file, h5py.File(folder / path.name) as copy:
            assert dict(copy.attrs) == dict(file.attrs)
        assert f"{folder / path.name}: wrote readin_weight, readout_bias" in output
    assert sorted(path.name for path in folder.iterdir()) == ["day0.h5", "day1.h5"]


def test_read_in_and_read_out_start_in_the_shared_space(days: list[Path]):
    done(*days, "--in-place", "--components", 3)
    factors = []
    for path in days:
        data = contents(path)
        weight, bias = data["readin_weight"].astype(float), data["readout_bias"].astype(float)
        # As a model starts from them: a linear read-in of counts, a linear read-out of factors.
        seen = averages(path, range(6))
        factors.append(seen @ weight - bias @ weight)
        back = factors[-1] @ np.linalg.pinv(weight) + bias
        assert factors[-1].mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-4)
        left = ((back - seen) ** 2).sum() / ((seen - seen.mean(axis=0)) ** 2).sum()
        assert left < 0.3
    assert np.corrcoef(factors[0].ravel(), factors[1].ravel())[0, 1] > 0.95


def test_held_out_channels_get_a_read_out_and_no_read_in(tmp_path: Path):
    days = [lorenz(tmp_path, 0, heldout=5), lorenz(tmp_path, 1)]
    output = done(*days, "--in-place", "--components", COMPONENTS)
    seen = [averages(days[0], range(6))[:, :7], averages(days[1], range(6))]
    starts = align(seen, COMPONENTS, 0.01)
    data = contents(days[0])
    assert data["readin_weight"] == pytest.approx(starts[0].weight, rel=1e-5, abs=1e-6)
    assert data["readout_bias"] == pytest.approx(averages(days[0], range(6)).mean(0), rel=1e-6)
    weight = data["readout_weight"]
    assert weight.shape == (12, COMPONENTS)
    assert weight[:7] == pytest.approx(np.linalg.pinv(data["readin_weight"]).T, rel=1e-4)
    # The factors that the held-in channels give explain the others.
    factors, hidden = starts[0].trajectories, averages(days[0], range(6))[:, 7:]
    left = hidden - hidden.mean(0) - factors @ weight[7:].T
    assert (left**2).sum() / ((hidden - hidden.mean(0)) ** 2).sum() < 0.3
    normal = np.linalg.solve(
        factors.T @ factors + 0.01 * np.eye(COMPONENTS), factors.T @ (hidden - hidden.mean(0))
    )
    assert weight[7:] == pytest.approx(normal.T, rel=1e-3, abs=1e-4)
    assert "readout_weight" not in contents(days[1])
    assert "7 channels and 5 held out" in output


def test_bins_to_forecast_are_not_looked_at(days: list[Path], tmp_path: Path):
    with h5py.File(days[0], "r+") as file:
        for split in ("train", "valid"):
            seen = file[f"{split}_encod_data"][:, :40]
            del file[f"{split}_encod_data"]
            file[f"{split}_encod_data"] = seen
            file[f"{split}_recon_data"][:, 40:] = 50
    done(days[0], "--in-place", "--components", 2)
    assert contents(days[0])["readout_bias"].max() < 5


def test_validation_trials_are_not_looked_at(days: list[Path]):
    done(*days, "--in-place")
    first = [contents(path) for path in days]
    for path in days:
        with h5py.File(path, "r+") as file:
            file["valid_recon_data"][...] = 9
    done(*days, "--in-place", "--force")
    for path, before in zip(days, first, strict=True):
        assert np.array_equal(contents(path)["readin_weight"], before["readin_weight"])
        assert np.array_equal(contents(path)["readout_bias"], before["readout_bias"])


def test_files_that_belong_together_say_so(tmp_path: Path):
    days = [lorenz(tmp_path, session) for session in (0, 1, 2)]
    done(*days, "--in-place", "--smooth-ms", 30, "--ridge", 0.5)
    found = []
    for path in days:
        with h5py.File(path) as file:
            found.append(dict(file["readin_weight"].attrs))
    assert found[0]["alignment"] == found[1]["alignment"] == found[2]["alignment"]
    assert (found[0]["sessions"], found[0]["conditions"]) == (3, 6)
    assert (found[0]["smooth_bins"], found[0]["ridge"]) == (1.5, 0.5)
    assert found[0]["averages"] == "conditions of train_cond_idx"
    done(*days[:2], "--in-place", "--force")
    with h5py.File(days[0]) as file:
        assert file["readin_weight"].attrs["alignment"] != found[0]["alignment"]


def test_the_same_files_give_the_same_bytes(days: list[Path], tmp_path: Path):
    written = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        done(*days, "--out-dir", tmp_path / name)
        written.append([(tmp_path / name / path.name).read_bytes() for path in days])
    assert written[0] == written[1]


# --- what is compared ----------------------------------------------------------------------------


def test_only_conditions_that_all_files_have_are_compared(tmp_path: Path):
    days = [lorenz(tmp_path, 0), lorenz(tmp_path, 1, conditions=4)]
    output = done(*days, "--in-place", "--components", 3)
    assert "4 conditions of train_cond_idx in 2 files (of 6, 4)" in output
    starts = align([averages(path, range(4)) for path in days], 3, 0.01)
    assert contents(days[0])["readin_weight"] == pytest.approx(starts[0].weight, rel=1e-4)


def test_conditions_are_found_by_their_names_wherever_they_stand(days: list[Path]):
    expected = align([averages(path, range(6)) for path in days], COMPONENTS, 0.01)
    words = np.array([f"target {number}" for number in range(6)])
    with h5py.File(days[0], "r+") as file:  # in another order, as words of a changing length
        order = np.random.default_rng(0).permutation(len(file["train_recon_data"]))
        for part in ("encod_data", "recon_data", "truth", "cond_idx"):
            file[f"train_{part}"][...] = file[f"train_{part}"][()][order]
        file["train_target"] = words[file["train_cond_idx"][()]].astype(h5py.string_dtype())
    with h5py.File(days[1], "r+") as file:  # as words of a fixed length, and in a column
        file["train_target"] = words[file["train_cond_idx"][()]].astype("S")[:, None]
    output = done(*days, "--in-place", "--by", "target", "--components", COMPONENTS)
    assert "6 conditions of train_target in 2 files (of 6, 6)" in output
    for path, start in zip(days, expected, strict=True):
        assert contents(path)["readin_weight"] == pytest.approx(start.weight, rel=1e-4, abs=1e-5)


def test_condition_is_taken_before_cond_idx(days: list[Path]):
    for path in days:
        with h5py.File(path, "r+") as file:
            file["train_condition"] = file["train_cond_idx"][()] % 3.0
    assert "3 conditions of train_condition in 2 files" in done(*days, "--in-place")


def test_without_conditions_averages_of_all_trials_are_compared(days: list[Path]):
    output = done(*days, "--in-place", "--trials", "--components", 2, "--smooth-bins", 0)
    assert "averages of all training trials of 2 files" in output
    means = [contents(path)["train_recon_data"].astype(float).mean(axis=0) for path in days]
    for path, start in zip(days, align(means, 2, 0.01), strict=True):
        assert contents(path)["readin_weight"] == pytest.approx(start.weight, rel=1e-4, abs=1e-5)
        assert contents(path)["readout_bias"] == pytest.approx(start.mean, rel=1e-6)


def test_a_width_in_ms_is_one_in_bins_of_the_file(days: list[Path], tmp_path: Path):
    done(*days, "--in-place", "--smooth-ms", 50)
    in_ms = contents(days[0])["readin_weight"]
    done(*days, "--in-place", "--force", "--smooth-bins", 2.5)
    assert np.array_equal(contents(days[0])["readin_weight"], in_ms)
    done(*days, "--in-place", "--force")
    assert not np.allclose(contents(days[0])["readin_weight"], in_ms)


def test_one_file_alone_is_a_principal_component_analysis(days: list[Path]):
    output = done(days[0], "--in-place", "--components", 3, "--ridge", 0)
    weight = contents(days[0])["readin_weight"]
    assert weight.T @ weight == pytest.approx(np.eye(3), abs=1e-5)
    assert "correlation" not in output


def test_unasked_there_are_as_many_components_as_all_files_have(tmp_path: Path):
    days = [lorenz(tmp_path, 0, channels=9), lorenz(tmp_path, 1, channels=30)]
    assert "9 components: expected as fac_dim" in done(*days, "--in-place")
    wide = [lorenz(tmp_path, session, channels=25) for session in (2, 3)]
    assert "20 components: expected as fac_dim" in done(*wide, "--in-place")


def test_what_fits_badly_is_told(days: list[Path], tmp_path: Path):
    def told() -> float:
        output = done(*days, "--in-place", "--force", "--components", 3)
        line = next(line for line in output.splitlines() if "correlation" in line)
        return float(line.rpartition(": ")[2])

    assert told() > 0.9
    with h5py.File(days[1], "r+") as file:  # conditions that mean something else there
        file["train_cond_idx"][...] = 5 - file["train_cond_idx"][()]
    assert told() < 0.8


def test_of_three_the_two_that_fit_worst_are_named(tmp_path: Path):
    days = [lorenz(tmp_path, 0, trials=60), lorenz(tmp_path, 1, trials=60), lorenz(tmp_path, 2)]
    with h5py.File(days[2], "r+") as file:
        file["train_recon_data"][::2] = file["train_recon_data"][1::2]
        file["train_encod_data"][...] = file["train_recon_data"][()]
    line = done(*days, "--in-place", "--components", 3).splitlines()[-4]
    found = re.search(r"([\d.]+) on average, ([\d.]+) at least \((.*) and (.*)\)", line)
    assert found
    assert float(found[2]) < float(found[1]) <= 1
    assert str(days[2]) in (found[3], found[4])


# --- nothing is lost -----------------------------------------------------------------------------


def test_in_place_replaces_what_was_there_before(tmp_path: Path):
    days = [lorenz(tmp_path, 0, heldout=5), lorenz(tmp_path, 1)]
    done(*days, "--in-place", "--components", 5)
    with h5py.File(days[1], "r+") as file:
        file["readout_weight"] = np.ones((16, 5))  # of a time when channels were held out
    done(*days, "--in-place", "--components", 2, "--force")
    assert contents(days[0])["readin_weight"].shape == (7, 2)
    assert contents(days[0])["readout_weight"].shape == (12, 2)
    assert "readout_weight" not in contents(days[1])


def test_in_place_keeps_links_and_who_may_read(days: list[Path], tmp_path: Path):
    days[0].chmod(0o640)
    link = tmp_path / "link.h5"
    link.symlink_to(days[0].name)
    done(link, days[1], "--in-place")
    assert link.is_symlink()
    assert "readin_weight" in contents(days[0])
    assert days[0].stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["day0.h5", "day1.h5", "link.h5"]


@pytest.mark.parametrize("missing", [200_000, 10])  # bytes: while it is copied, and at the end
def test_a_full_disk_leaves_the_file_as_it_was(days: list[Path], tmp_path: Path, missing: int):
    program = (
        "import pathlib, resource, sys\n"
        "from autolfads_trainer.data.pcr.command import pcr\n"
        "from autolfads_trainer.userinput import InputError\n"
        "most = int(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))\n"
        "try:\n"
        "    pcr.main(sys.argv[2:])\n"
        "except InputError as error:\n"
        "    print(error)\n"
    )
    alone = days[0]
    days[1].unlink()
    before = alone.read_bytes()
    arguments = [sys.executable, "-c", program, str(len(before) - missing), str(alone)]
    ended = subprocess.run([*arguments, "--in-place"], capture_output=True, text=True, check=False)
    assert f"{alone}: cannot be written: " in ended.stdout, ended.stderr
    assert alone.read_bytes() == before
    assert list(tmp_path.iterdir()) == [alone]


def test_the_document_tells_every_option_with_its_default():
    rows = document("docs/sessions.md").section("Start values: `autolfads pcr`").rows()
    options = [row for row in rows if row[0].startswith("`--")]
    told = {code(row[0]).split()[0]: row[1] for row in options}
    there = {option.opts[0]: option for option in command.params if option.opts[0][0] == "-"}
    assert told.keys() == there.keys()
    assert told["--ridge"] == str(there["--ridge"].default)
    assert told["--smooth-bins"] == f"{UNASKED_BINS:g}"
    assert f"at most {MOST_COMPONENTS_UNASKED}" in told["--components"]
    assert re.findall(r"`(\w+)`", told["--by"]) == list(USUAL)


def test_the_command_loads_no_library_before_it_needs_it():
    program = (
        "import sys, autolfads_trainer.data.pcr.command; "
        "print(*{'numpy', 'scipy', 'h5py', 'torch'} & set(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, "", "")


def test_it_needs_no_torch(days: list[Path]):
    program = (
        "import sys; from autolfads_trainer.data.pcr.command import pcr; "
        "pcr.main(sys.argv[1:], standalone_mode=False); print('torch' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *map(str, days), "--in-place"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.splitlines()[-1:] == ["False"], ended.stderr
