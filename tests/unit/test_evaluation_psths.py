"""Condition means of rates against PSTHs, worked out by hand and by SciPy."""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np
import pytest
from evaluation_files import NAME, TRIALS, N, R, T, contents, write
from hostile_files import one_sentence
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from autolfads_trainer.evaluation.evaluate import DEFAULT, evaluate_file
from autolfads_trainer.evaluation.options import Options
from autolfads_trainer.evaluation.psth import gaussian, neurons_r2, psth_r2
from autolfads_trainer.evaluation.trials import Trials
from autolfads_trainer.evaluation.values import Evaluation
from autolfads_trainer.userinput import InputError

CONDITIONS = 3
LABELS = {split: np.arange(trials) % CONDITIONS for split, trials in TRIALS.items()}


def labelled(key: str = "condition") -> dict:
    return contents() | {f"{split}_{key}": LABELS[split] for split in TRIALS}


def evaluated(folder: Path, held: dict, options: Options = DEFAULT, **attributes) -> Evaluation:
    return evaluate_file(write(folder / NAME, held, **attributes), options)


def refused(folder: Path, held: dict, options: Options) -> str:
    return one_sentence(write(folder / NAME, held), lambda path: evaluate_file(path, options))


def by_hand(held: dict, split: str, sd: float) -> float:
    """Return the PSTH R² of a split: each trial smoothed by itself, the kernel cut at its ends."""
    true, found = [], []
    for condition in range(CONDITIONS):
        trials = np.concatenate(
            [held[f"{s}_recon_data"][LABELS[s] == condition] for s in TRIALS]
        ).astype(float)
        ends = gaussian_filter1d(np.ones(R), sd, mode="constant", truncate=5)
        smooth = gaussian_filter1d(trials, sd, axis=1, mode="constant", truncate=5)
        true.append((smooth / ends[:, None]).mean(axis=0)[:T])
        rates = held[f"{split}_output_params"][LABELS[split] == condition]
        found.append(rates.mean(axis=0)[:T])
    true, found = np.concatenate(true), np.concatenate(found)
    errors = ((true - found) ** 2).sum(axis=0)
    return float((1 - errors / ((true - true.mean(axis=0)) ** 2).sum(axis=0)).mean())


@pytest.mark.parametrize("sd", [0.5, 2.0])
@pytest.mark.parametrize("split", TRIALS)
def test_spikes_are_smoothed_averaged_by_condition_and_compared_neuron_by_neuron(
    tmp_path, split, sd
):
    held = labelled()

    found = evaluated(tmp_path, held, Options(kernel_bins=sd))

    assert found.splits[split].psth_r2 == pytest.approx(by_hand(held, split, sd), rel=1e-5)
    assert (found.psth.key, found.psth.conditions, found.psth.kernel_bins) == ("condition", 3, sd)


def test_the_kernel_is_fifty_milliseconds_or_three_bins(tmp_path):
    held = labelled("cond_idx")

    known = evaluated(tmp_path, held, bin_width_seconds=0.01)
    said = evaluated(tmp_path, held, Options(bin_ms=25.0))
    unknown = evaluated(tmp_path, held)

    assert [one.psth.kernel_bins for one in (known, said, unknown)] == [5, 2, 3]
    assert unknown.psth.key == "cond_idx"
    assert known.splits["valid"].psth_r2 == pytest.approx(by_hand(held, "valid", 5), rel=1e-5)


def test_missing_data_are_left_out_of_psths(tmp_path):
    """A bin that no trial has is filled from its neighbours; with a narrow kernel it is unknown."""
    held = labelled()
    seen = np.random.default_rng(0).random(held["train_recon_data"].shape) < 0.8
    held["train_recon_data"][~seen] = np.nan
    for split in TRIALS:
        held[f"{split}_recon_data"][:, 2] = np.nan

    found = evaluated(tmp_path, held, Options(kernel_bins=0.1)).splits["valid"].psth_r2

    true, rates = [], []
    for condition in range(CONDITIONS):
        of = {s: held[f"{s}_recon_data"][LABELS[s] == condition] for s in TRIALS}
        some = np.concatenate(list(of.values()))[:, [s for s in range(T) if s != 2]]
        true.append(np.nanmean(some, axis=0))
        mean = held["valid_output_params"][LABELS["valid"] == condition].mean(axis=0)[:T]
        rates.append(np.delete(mean, 2, axis=0))
    assert found == pytest.approx(neurons_r2(np.concatenate(true), np.concatenate(rates)), rel=1e-5)


def test_rates_that_are_the_psths_are_perfect_and_their_means_worth_nothing(tmp_path):
    held = labelled()
    psth = np.random.default_rng(0).gamma(2, 1, (CONDITIONS, R, N)).astype(np.float32)
    for split in TRIALS:
        held[f"{split}_output_params"] = psth[LABELS[split]]
    held["psth"] = psth

    found = evaluated(tmp_path, held)
    assert found.splits["valid"].psth_r2 == pytest.approx(1)
    assert found.psth.kernel_bins is None

    held["valid_output_params"][:] = psth[:, :T].mean(axis=(0, 1))
    assert evaluated(tmp_path, held).splits["valid"].psth_r2 == pytest.approx(0, abs=1e-5)


def test_psths_of_the_file_may_end_where_the_models_input_does_and_have_gaps(tmp_path):
    held = labelled()
    psth = np.random.default_rng(0).gamma(2, 1, (CONDITIONS, R, N)).astype(np.float32)
    for split in TRIALS:
        held[f"{split}_output_params"] = psth[LABELS[split]]
        held[f"{split}_output_params"][:, 3] = 9  # where the PSTHs say nothing
    psth[:, 3] = np.nan
    held["psth"] = psth[:, :T]

    assert evaluated(tmp_path, held).splits["valid"].psth_r2 == pytest.approx(1)


def test_lists_of_trials_by_condition_are_what_labels_say(tmp_path):
    held = labelled("cond_idx")
    held["psth"] = np.random.default_rng(1).gamma(2, 1, (CONDITIONS, T, N))
    by_label = evaluated(tmp_path, held).splits
    path = write(tmp_path / NAME, held)
    with h5py.File(path, "r+") as file:
        for split in TRIALS:
            del file[f"{split}_cond_idx"]
            lists = file.create_dataset(
                f"{split}_cond_idx", (CONDITIONS,), dtype=h5py.vlen_dtype(np.int64)
            )
            for condition in range(CONDITIONS):
                lists[condition] = np.flatnonzero(LABELS[split] == condition)

    by_list = evaluate_file(path).splits

    assert by_list == by_label
    assert math.isfinite(by_list["valid"].psth_r2)


def test_a_list_that_names_a_trial_that_is_not_there_is_refused(tmp_path):
    path = write(tmp_path / NAME, contents())
    with h5py.File(path, "r+") as file:
        lists = file.create_dataset("valid_groups", (2,), dtype=h5py.vlen_dtype(np.int32))
        lists[1] = [0, 12]
    with pytest.raises(InputError, match="names trial 12 in row 1; expected trials from 0 to 11"):
        evaluate_file(path, Options(condition="groups"))


def test_conditions_may_be_words_or_a_column(tmp_path):
    held = labelled()
    by_number = evaluated(tmp_path, held).splits
    words = np.array(["left", "right", "up"])
    for split in TRIALS:
        held[f"{split}_condition"] = words[LABELS[split]].astype(h5py.string_dtype())
    assert evaluated(tmp_path, held).splits == by_number
    for split in TRIALS:
        held[f"{split}_condition"] = words[LABELS[split]].astype("S5")
    assert evaluated(tmp_path, held).splits == by_number
    for split in TRIALS:
        held[f"{split}_condition"] = LABELS[split][:, None]
    assert evaluated(tmp_path, held).splits == by_number


def test_trials_without_a_condition_are_left_out(tmp_path):
    held = labelled()
    for split in TRIALS:
        held[f"{split}_condition"] = np.where(LABELS[split] == 2, np.nan, LABELS[split])
    found = evaluated(tmp_path, held)
    assert found.psth.conditions == 2

    for split in TRIALS:
        kept = LABELS[split] < 2
        for part in ("encod_data", "recon_data", "output_params", "condition"):
            held[f"{split}_{part}"] = held[f"{split}_{part}"][kept]
    alone = evaluated(tmp_path, held)
    assert found.splits["valid"].psth_r2 == pytest.approx(alone.splits["valid"].psth_r2)


def test_a_condition_without_trials_to_score_does_not_count(tmp_path):
    held = labelled()
    held["valid_condition"] = np.where(LABELS["valid"] == 2, 0, LABELS["valid"])

    found = evaluated(tmp_path, held)

    assert found.psth.conditions == 3
    assert math.isfinite(found.splits["valid"].psth_r2)


def test_silent_neurons_are_left_out_of_the_mean():
    true = np.array([[1.0, 0.0], [3.0, 0.0]])
    assert neurons_r2(true, np.array([[1.0, 0.1], [2.0, 0.1]])) == pytest.approx(1 - 1 / 2)
    assert math.isnan(neurons_r2(true[:, 1:], true[:, 1:]))


@settings(deadline=None)
@given(st.permutations(range(12)))
def test_the_order_of_trials_does_not_matter(order):
    rates = contents()["valid_output_params"]
    psths = {c: np.random.default_rng(c).gamma(2, 1, (T, N)) for c in range(CONDITIONS)}

    def r2(trials):
        places = {c: np.flatnonzero(LABELS["valid"][trials] == c) for c in range(CONDITIONS)}
        return psth_r2(psths, places, Trials(rates[trials], None, None, T, N))

    assert r2(np.array(order)) == pytest.approx(r2(np.arange(12)))


def test_the_kernel_is_a_gaussian_that_ends():
    kernel = gaussian(30, 2.0)
    assert kernel[10, 10] == 1
    assert kernel[10, 12] == kernel[12, 10] == pytest.approx(math.exp(-0.5))
    assert kernel[0, 11] == 0


# --- what is refused, and what is noted instead because nobody asked for it ---------------------


def test_a_key_that_is_not_there_is_refused(tmp_path):
    message = refused(tmp_path, labelled(), Options(condition="conditoin"))
    assert message.startswith("has no dataset 'valid_conditoin' (did you mean 'valid_condition'?)")


def test_another_number_of_labels_is_refused_where_asked_for_and_noted_where_not(tmp_path):
    held = labelled() | {"valid_condition": LABELS["valid"][:-1]}
    expected = "'valid_condition' has 11 values; expected one for each of 12 trials"

    assert refused(tmp_path, held, Options(condition="condition")) == expected
    found = evaluated(tmp_path, held)
    assert found.notes == (f"PSTHs are not scored: {expected}",)
    assert found.psth is None


def test_labels_of_several_axes_are_refused(tmp_path):
    held = labelled() | {"valid_condition": np.zeros((12, 3))}
    message = refused(tmp_path, held, Options(condition="condition"))
    assert message == "'valid_condition' has sizes (12, 3); expected (trials,)"


@pytest.mark.parametrize("stored", [h5py.string_dtype(), "S2000"])
def test_words_without_end_are_refused(tmp_path, stored):
    held = labelled() | {"valid_condition": np.array(["a" * 1001] * 12).astype(stored)}
    message = refused(tmp_path, held, Options(condition="condition"))
    assert message == "'valid_condition' holds a word of 1001 letters; expected at most 1000"


def test_words_in_one_split_and_numbers_in_the_other_are_refused(tmp_path):
    held = labelled() | {"valid_condition": np.array(["a", "b"] * 6, "S1")}
    message = refused(tmp_path, held, Options(condition="condition"))
    assert message == "'condition' holds words in one split and numbers in another; expected alike"


@pytest.mark.parametrize("wrong", [3, -1, 0.5])
def test_conditions_that_are_no_place_in_psth_are_refused(tmp_path, wrong):
    held = labelled() | {"psth": np.ones((CONDITIONS, T, N))}
    held["valid_condition"] = np.where(LABELS["valid"] == 1, wrong, LABELS["valid"])
    message = refused(tmp_path, held, Options(condition="condition"))
    assert message == (
        f"'condition' holds {float(wrong)!r}; expected whole numbers from 0 to 2, "
        "the places of the conditions in 'psth'"
    )


def test_psths_of_other_sizes_are_refused(tmp_path):
    held = labelled() | {"psth": np.ones((CONDITIONS, T, N - 1))}
    message = refused(tmp_path, held, Options(condition="condition"))
    assert message.startswith("'psth' has sizes (3, 12, 5); expected 12 or 14 steps and 6 channels")


def test_trials_that_are_shifted_against_their_psths_are_not_scored_and_that_is_said(tmp_path):
    held = labelled() | {"psth": np.random.default_rng(0).random((CONDITIONS, T, N))}
    held["valid_jitter"] = np.zeros(12)
    assert evaluated(tmp_path, held).notes == ()
    held["valid_jitter"][4] = 3

    found = evaluated(tmp_path, held)

    assert math.isnan(found.splits["valid"].psth_r2)
    assert found.notes[0].startswith("PSTHs are not scored: 'valid_jitter' holds trials")


def test_a_kernel_that_is_not_used_is_refused(tmp_path):
    message = refused(tmp_path, contents(), Options(kernel_bins=2))
    assert message.startswith("--kernel-bins: found no conditions to make PSTHs of")
    held = labelled() | {"psth": np.ones((CONDITIONS, T, N))}
    message = refused(tmp_path, held, Options(kernel_bins=2))
    assert message.startswith("--kernel-bins: found no spikes to smooth, but PSTHs")
