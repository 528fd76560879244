"""The reference problems: what they are, what is in the file, and what they refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner, Result
from scipy.special import gammaln

from autolfads_trainer.cli import generate as command
from autolfads_trainer.data.problems import chaotic_rnn, describe, generate, lorenz, write
from autolfads_trainer.userinput import InputError

SMALL = {"conditions": 3, "trials": 5, "channels": 6}


def pooled(data, name):
    return np.concatenate([data[f"{split}_{name}"] for split in ("train", "valid")])


def scores(data):
    """Bits per spike of the true rates against each channel's mean, and their NLL per count."""
    spikes = pooled(data, "recon_data").astype(float)
    rates = pooled(data, "truth").astype(float) / data["conversion_factor"]

    def nll(means):
        return means - spikes * np.log(np.maximum(means, 1e-12)) + gammaln(spikes + 1)

    null = nll(np.broadcast_to(spikes.mean((0, 1)), spikes.shape))
    bits = (null.sum() - nll(rates).sum()) / spikes.sum() / np.log(2)
    return bits, nll(rates).mean()


def psth_r2(data):
    """R² of each condition's mean spike count to the true rates, pooled over channels."""
    spikes, rates = pooled(data, "recon_data"), pooled(data, "truth") / data["conversion_factor"]
    condition = pooled(data, "cond_idx")
    guess = np.stack([spikes[condition == c].mean(0) for c in range(condition.max() + 1)])
    spread = ((rates - rates.mean((0, 1))) ** 2).sum()
    return 1 - ((guess[condition] - rates) ** 2).sum() / spread


def run(*arguments) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


# --- what the problems are -----------------------------------------------------------------------


def test_the_chaotic_network_is_the_published_one():
    assert round(chaotic_rnn.weights()[0, 0], 8) == 0.06239899
    assert chaotic_rnn.weights().shape == (50, 50)


def test_chaotic_truth_scores_what_was_measured_elsewhere():
    data = generate("chaotic", 0)
    bits, nll = scores(data)
    assert bits == pytest.approx(0.416, abs=0.005)
    assert nll == pytest.approx(0.4022, abs=0.002)


def test_lorenz_truth_scores_what_was_measured_elsewhere():
    # Measured on one draw, and draws of the read-out differ much (0.64 to 1.12 bits): their mean.
    draws = [generate("lorenz", seed, conditions=8) for seed in range(24)]
    measured = np.array([(*scores(data), psth_r2(data)) for data in draws])
    bits, nll, r2 = measured.mean(axis=0)
    assert bits == pytest.approx(0.847, abs=0.06)
    assert nll == pytest.approx(0.4031, abs=0.015)
    assert r2 == pytest.approx(0.912, abs=0.02)
    assert (measured[:, 0] > 0.55).all()
    assert (measured[:, 0] < 1.2).all()


def test_lorenz_moves_by_its_equations_after_the_burn_in():
    start = np.array([[1.0, 2.0, 20.0], [-3.0, 0.5, 26.0]])
    path = lorenz.trajectories(start)
    assert path.shape == (2, 1000, 3)
    x, y, z = path[1, 400]
    slope = [10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]
    assert path[1, 401] == pytest.approx(path[1, 400] + 0.006 * np.array(slope))
    by_hand = start[0].copy()
    for _ in range(501):
        x, y, z = by_hand
        by_hand += 0.006 * np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])
    assert path[0, 0] == pytest.approx(by_hand)


def test_lorenz_state_is_centred_and_scaled_by_condition_and_dimension():
    state = lorenz.scaled(lorenz.trajectories(np.array([[1.0, 2.0, 20.0], [-3.0, 0.5, 26.0]])))
    assert state.mean(axis=1) == pytest.approx(np.zeros((2, 3)))
    assert np.abs(state).max(axis=1) == pytest.approx(np.ones((2, 3)))


def test_lorenz_log_rates_are_linear_in_three_dimensions_around_five_hz():
    state = lorenz.scaled(lorenz.trajectories(np.array([[1.0, 2.0, 20.0], [-3.0, 0.5, 26.0]])))
    logs = np.log(lorenz.step_rates(state, lorenz.readout(np.random.default_rng(0), 9)))
    assert logs.shape == (2, 1000, 9)
    assert logs.mean(axis=1) == pytest.approx(np.full((2, 9), np.log(5)))
    sizes = np.linalg.svd((logs - np.log(5)).reshape(-1, 9), compute_uv=False)
    assert sizes[3] < 1e-9 * sizes[2]


def test_lorenz_readout_weights_have_sizes_of_one_to_two_and_either_sign():
    weights = lorenz.readout(np.random.default_rng(0), 400)
    assert weights.shape == (400, 3)
    assert np.abs(weights).min() >= 1
    assert np.abs(weights).max() <= 2
    assert np.abs(weights).mean() == pytest.approx(1.5, abs=0.03)
    assert (weights > 0).mean(axis=0) == pytest.approx(np.full(3, 0.5), abs=0.1)


def test_lorenz_truth_is_the_mean_rate_of_twenty_steps():
    random = np.random.default_rng(5)
    start = random.standard_normal((2, 3)) + np.array([0, 0, 25])
    state = lorenz.scaled(lorenz.trajectories(start))
    by_step = lorenz.step_rates(state, lorenz.readout(random, 4))
    rates = lorenz.rates(np.random.default_rng(5), 2, 4)
    assert rates.shape == (2, 50, 4)
    assert rates[1, 7] == pytest.approx(by_step[1, 140:160].mean(axis=0))


def test_chaotic_units_follow_their_equation():
    start = np.random.default_rng(1).standard_normal((2, 50))
    states = chaotic_rnn.trajectories(start, chaotic_rnn.weights())
    assert states.shape == (2, 100, 50)
    before = np.concatenate([start[:, None], states[:, :-1]], axis=1)
    drive = 1.5 * np.einsum("ij,ctj->cti", chaotic_rnn.weights(), np.tanh(before))
    assert states == pytest.approx(before + 10 / 25 * (drive - before))


def test_chaotic_rates_span_zero_to_thirty_hz_in_every_trial_and_channel():
    truth = generate("chaotic", 3, conditions=4, trials=5)["train_truth"]
    assert truth.min(axis=1) == pytest.approx(np.zeros((16, 50)))
    assert truth.max(axis=1) == pytest.approx(np.full((16, 50), 30.0))


def test_fewer_chaotic_channels_record_the_same_network():
    few, all_ = (generate("chaotic", 3, conditions=2, trials=5, channels=n) for n in (7, 50))
    assert np.array_equal(few["train_truth"], all_["train_truth"][..., :7])
    assert generate("chaotic", 3, conditions=1, trials=5, channels=60)["train_truth"].shape[2] == 60


@pytest.mark.parametrize("problem", ["lorenz", "chaotic"])
def test_spikes_are_poisson_around_the_truth(problem):
    data = generate(problem, 11, conditions=6, trials=20)
    spikes = pooled(data, "recon_data").astype(float)
    rates = pooled(data, "truth") / data["conversion_factor"]
    seen = rates > 0.01
    # A Poisson count has the rate as its mean and as its variance.
    assert ((spikes - rates)[seen].sum() / rates[seen].sum()) == pytest.approx(0, abs=0.02)
    assert ((spikes - rates) ** 2)[seen].sum() / rates[seen].sum() == pytest.approx(1, abs=0.03)


# --- what is in the arrays -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "train", "valid", "bins", "channels", "factor"),
    [("lorenz", 1300, 260, 50, 29, 50.0), ("chaotic", 1040, 260, 100, 50, 100.0)],
)
def test_default_sizes_are_the_published_ones(problem, train, valid, bins, channels, factor):
    data = generate(problem, 0)
    for name in ("encod_data", "recon_data", "truth"):
        assert data[f"train_{name}"].shape == (train, bins, channels)
        assert data[f"valid_{name}"].shape == (valid, bins, channels)
        assert data[f"train_{name}"].dtype == np.float32
    assert data["conversion_factor"] == factor
    assert data["train_cond_idx"].shape == (train,)
    assert set(data["valid_cond_idx"]) == set(data["train_cond_idx"])


def test_trials_of_a_condition_share_rates_and_differ_in_spikes():
    data = generate("lorenz", 2, conditions=2, trials=10)
    first = data["train_cond_idx"] == 0
    assert first.sum() == 8
    assert (data["train_truth"][first] == data["train_truth"][0]).all()
    assert not (data["train_truth"][~first] == data["train_truth"][0]).all()
    assert len(np.unique(data["train_recon_data"][first], axis=0)) == 8


def test_held_out_channels_are_the_last_and_only_missing_from_encod():
    whole, part = generate("lorenz", 4, **SMALL), generate("lorenz", 4, **SMALL, heldout=2)
    assert np.array_equal(part["valid_encod_data"], whole["valid_recon_data"][..., :4])
    assert np.array_equal(part["valid_recon_data"], whole["valid_recon_data"])
    assert np.array_equal(part["train_truth"], whole["train_truth"])


@pytest.mark.parametrize("problem", ["lorenz", "chaotic"])
def test_a_seed_decides_everything(problem):
    first, again, other = (generate(problem, seed, **SMALL) for seed in (7, 7, 8))
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert not np.array_equal(first["train_truth"], other["train_truth"])
    assert not np.array_equal(first["train_recon_data"], other["train_recon_data"])


# --- several sessions ----------------------------------------------------------------------------


def by_hand(problem, seed, conditions, trials, channels):
    """Draw what there was before there were sessions: all from one generator, one after another."""
    random = np.random.default_rng(seed)
    if problem is lorenz:
        start = random.standard_normal((conditions, 3)) + np.array([0, 0, 25])
        state = lorenz.scaled(lorenz.trajectories(start))
        by_step = lorenz.step_rates(state, lorenz.readout(random, channels))
        rates = by_step.reshape(conditions, 50, 20, channels).mean(axis=2)
    else:
        states = chaotic_rnn.trajectories(
            random.standard_normal((conditions, 50)), chaotic_rnn.weights()
        )
        activity = np.tanh(states)[..., :channels]
        lowest, highest = activity.min(1, keepdims=True), activity.max(1, keepdims=True)
        rates = 30.0 * (activity - lowest) / (highest - lowest)
    expected = np.repeat((rates * problem.BIN_SECONDS)[:, None], trials, axis=1)
    return rates.astype(np.float32), random.poisson(expected).astype(np.float32)


@pytest.mark.parametrize(("name", "problem"), [("lorenz", lorenz), ("chaotic", chaotic_rnn)])
def test_the_first_session_is_the_problem_as_it_was(name, problem, tmp_path: Path):
    rates, spikes = by_hand(problem, 7, 3, 5, 6)
    for arguments in ({}, {"session": 0}):
        data = generate(name, 7, **SMALL, **arguments)
        assert np.array_equal(data["train_recon_data"], spikes[:, :4].reshape(12, -1, 6))
        assert np.array_equal(data["valid_recon_data"], spikes[:, 4])
        assert np.array_equal(data["valid_truth"], rates)
    sizes = ["--conditions", 1, "--trials", 5]
    assert run(name, tmp_path / "a.h5", *sizes).exit_code == 0
    assert run(name, tmp_path / "b.h5", *sizes, "--session", 0).exit_code == 0
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert "session" not in describe(name, 0, **SMALL)


def test_sessions_are_linear_in_the_same_latents():
    sessions = [generate("lorenz", 7, conditions=4, trials=5, channels=n, session=k)
                for k, n in ((0, 6), (1, 9), (2, 9))]  # fmt: skip
    start = np.random.default_rng(7).standard_normal((4, 3)) + np.array([0, 0, 25])
    # Of every bin the middle: log-rates of a bin are linear but for the curve within its 20 ms.
    state = lorenz.scaled(lorenz.trajectories(start))[:, 10::20].reshape(-1, 3)
    for data, channels in zip(sessions, (6, 9, 9), strict=True):
        logs = np.log(data["valid_truth"].reshape(-1, channels) / 5)
        left = logs - state @ np.linalg.lstsq(state, logs, rcond=None)[0]
        assert (left**2).sum() < 0.02 * (logs**2).sum()
        for split in ("train", "valid"):
            assert np.array_equal(data[f"{split}_cond_idx"], sessions[0][f"{split}_cond_idx"])


def test_sessions_have_weights_and_spikes_of_their_own():
    first, second, third = (generate("lorenz", 7, **SMALL, session=k) for k in (0, 1, 2))
    for one, other in ((first, second), (first, third), (second, third)):
        alike = np.corrcoef(
            one["valid_truth"].reshape(-1, 6).T, other["valid_truth"].reshape(-1, 6).T
        )
        assert np.abs(alike[:6, 6:]).max() < 0.9999
        assert not np.array_equal(one["train_recon_data"], other["train_recon_data"])
    own = np.random.default_rng(np.random.SeedSequence(7, spawn_key=(1,)))
    rates = lorenz.rates(np.random.default_rng(7), 3, 6, own)
    spikes = own.poisson(np.repeat(rates[:, None] * 0.02, 5, axis=1))
    assert np.array_equal(second["valid_recon_data"], spikes[:, 4])
    again = generate("lorenz", 7, **SMALL, session=1)
    assert all(np.array_equal(again[name], second[name]) for name in second)
    assert not np.array_equal(generate("lorenz", 8, **SMALL, session=1)["valid_truth"],
                              second["valid_truth"])  # fmt: skip


def test_sessions_with_fewer_conditions_have_the_first_ones():
    for problem in ("lorenz", "chaotic"):
        few, many = (
            generate(problem, 7, conditions=n, trials=5, channels=6, session=1) for n in (2, 4)
        )
        assert np.array_equal(few["valid_truth"], many["valid_truth"][:2])


def test_chaotic_sessions_record_units_of_one_network():
    everything = generate("chaotic", 7, conditions=2, trials=5)["valid_truth"]
    units = []
    for session in (1, 2):
        truth = generate("chaotic", 7, conditions=2, trials=5, channels=20, session=session)
        found = [
            int(np.flatnonzero((everything == truth["valid_truth"][..., [i]]).all(axis=(0, 1)))[0])
            for i in range(20)
        ]
        assert len(set(found)) == 20
        units.append(found)
    assert set(units[0]) != set(units[1])


def test_the_command_writes_a_session(tmp_path: Path):
    out = tmp_path / "second.h5"
    sizes = ["--conditions", 3, "--trials", 5, "--channels", 6]
    result = run("lorenz", out, "--seed", 9, "--session", 1, *sizes)
    assert result.exit_code == 0, result.exception
    assert f"{out}: lorenz, seed 9, session 1: 12 training and 3" in result.output
    expected = generate("lorenz", 9, **SMALL, session=1)
    with h5py.File(out) as file:
        assert np.array_equal(file["train_recon_data"][()], expected["train_recon_data"])
        assert (file.attrs["seed"], file.attrs["session"]) == (9, 1)


# --- the file and the command --------------------------------------------------------------------


def test_the_command_writes_what_generate_returns(tmp_path: Path):
    out = tmp_path / "lorenz.h5"
    sizes = ["--conditions", 3, "--trials", 5, "--channels", 6, "--heldout", 1]
    result = run("lorenz", out, "--seed", 9, *sizes)
    assert result.exit_code == 0, result.exception
    assert "12 training and 3 validation trials, 50 bins, 6 channels (1 held out)" in result.output
    expected = generate("lorenz", 9, **SMALL, heldout=1)
    with h5py.File(out) as file:
        assert set(file) == set(expected)
        for key, array in expected.items():
            assert np.array_equal(file[key][()], array)
            assert file[key].dtype == array.dtype
        assert (file.attrs["problem"], file.attrs["seed"]) == ("lorenz", 9)
        assert file.attrs["bin_width_seconds"] == 0.02
        parameters = json.loads(file.attrs["parameters"])
    assert parameters["sigma"] == 10
    assert (parameters["conditions"], parameters["trials_per_condition"]) == (3, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["lorenz.h5"]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path):
    for name in ("a.h5", "b.h5"):
        assert run("chaotic", tmp_path / name, "--conditions", 1, "--trials", 5).exit_code == 0
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_an_existing_file_stays_unless_forced(tmp_path: Path):
    out = tmp_path / "mine.h5"
    out.write_text("precious")
    refused = run("lorenz", out, "--conditions", 1, "--trials", 5)
    assert isinstance(refused.exception, InputError)
    assert f"{out}: exists already" in str(refused.exception)
    assert "--force" in str(refused.exception)
    assert out.read_text() == "precious"
    assert run("lorenz", out, "--conditions", 1, "--trials", 5, "--force").exit_code == 0
    assert h5py.is_hdf5(out)


def test_a_write_that_fails_leaves_nothing_and_keeps_the_old_file(tmp_path: Path):
    out = tmp_path / "mine.h5"
    out.write_text("precious")
    with pytest.raises(TypeError):
        write(out, {"a": np.zeros(3), "b": np.array([object()])}, {}, force=True)
    assert out.read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.h5"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path):
    program = (
        "import pathlib, resource, sys, numpy\n"
        "from autolfads_trainer.data.problems import write\n"
        "from autolfads_trainer.userinput import InputError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try:\n"
        "    write(pathlib.Path(sys.argv[1]), {'a': numpy.zeros(100000)}, {})\n"
        "except InputError as error:\n"
        "    print(error)\n"
    )
    out = tmp_path / "big.h5"
    done = subprocess.run(
        [sys.executable, "-c", program, str(out)], capture_output=True, text=True, check=False
    )
    assert f"{out}: cannot be written: " in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_cannot_be_written_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="is a folder"):
        write(tmp_path, {}, {})
    with pytest.raises(InputError, match="there is no folder"):
        write(tmp_path / "absent" / "x.h5", {}, {})


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"problem": "lorentz"},
            r"problem: found 'lorentz'; expected lorenz or chaotic .*'lorenz'",
        ),
        ({"seed": -1}, "seed: found -1; expected a whole number of at least 0"),
        ({"seed": 1.5}, "seed: found 1.5; expected a whole number"),
        ({"seed": True}, "seed: found true; expected a whole number"),
        ({"conditions": 0}, "conditions: found 0; expected a whole number of at least 1"),
        ({"trials": 4}, "trials: found 4; expected .* at least 5, since every 5th"),
        ({"channels": -2}, "channels: found -2; expected"),
        ({"channels": 3, "heldout": 3}, "heldout: found 3 of 3 channels; expected"),
        ({"heldout": -1}, "heldout: found -1; expected"),
        ({"session": -1}, "session: found -1; expected a whole number of at least 0"),
        (
            {"problem": "chaotic", "channels": 51, "session": 2},
            "channels: found 51 in session 2; expected at most 50, since all sessions record one",
        ),
        ({"conditions": 10**9}, "spike counts; expected at most"),
    ],
)
def test_impossible_sizes_are_refused(arguments, message):
    given = {"problem": "lorenz", "seed": 0, **arguments}
    for function in (generate, describe):
        with pytest.raises(InputError, match=message):
            function(**given)


def test_the_commands_load_no_library_before_they_need_it():
    program = (
        "import sys, autolfads_trainer.cli; "
        "print(*{'numpy', 'scipy', 'h5py', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
