"""Behaviour decoded from rates: what was planted is found, at its lag, and noise is not."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation_files import NAME, N, R, T, contents, moved, smooth_rates, write
from hostile_files import one_sentence
from hypothesis import given, settings
from hypothesis import strategies as st

from autolfads_trainer.evaluation import decoding
from autolfads_trainer.evaluation.decoding import Pairs, decoded_r2, fit_decoder
from autolfads_trainer.evaluation.evaluate import evaluate_file
from autolfads_trainer.evaluation.options import Options
from autolfads_trainer.evaluation.values import Evaluation

WEIGHTS = np.random.default_rng(7).normal(size=(N, 2))
SPLITS = {"train": 30, "valid": 12, "test": 5}
LAGS = Options(lag_bins=(-2, -1, 0, 1, 2, 3))


def with_behaviour(lag: int, key: str = "velocity", splits=SPLITS) -> dict:
    held = contents(splits)
    for split in splits:
        held[f"{split}_{key}"] = moved(held[f"{split}_output_params"], lag, WEIGHTS)
    return held


def evaluated(folder: Path, held: dict, options: Options = LAGS, **attributes) -> Evaluation:
    return evaluate_file(write(folder / NAME, held, **attributes), options)


def refused(folder: Path, held: dict, options: Options = LAGS) -> str:
    return one_sentence(write(folder / NAME, held), lambda path: evaluate_file(path, options))


@pytest.mark.parametrize("lag", [-2, 0, 3])
def test_planted_behaviour_is_decoded_at_its_lag(tmp_path, lag):
    found = evaluated(tmp_path, with_behaviour(lag))

    assert found.decoding.key == "velocity"
    (decoder,) = found.decoding.decoders
    assert decoder.lag_bins == lag
    assert decoder.cross_validated_r2 > 0.999
    assert found.splits["valid"].behaviour_r2 > 0.999
    assert found.splits["test"].behaviour_r2 > 0.999
    assert math.isnan(found.splits["train"].behaviour_r2)


def test_behaviour_of_other_trials_is_not_decoded(tmp_path):
    held = with_behaviour(1)
    for split in ("train", "valid"):
        order = np.random.default_rng(0).permutation(SPLITS[split])
        held[f"{split}_velocity"] = held[f"{split}_velocity"][order]

    assert evaluated(tmp_path, held).splits["valid"].behaviour_r2 == pytest.approx(0, abs=0.15)


def test_the_score_is_that_of_a_ridge_on_all_bins_that_the_lag_leaves(tmp_path):
    held = with_behaviour(2)
    for split in ("train", "valid"):
        noise = np.random.default_rng(9).normal(0, 0.5, held[f"{split}_velocity"].shape)
        held[f"{split}_velocity"] += noise

    found = evaluated(tmp_path, held, Options(lag_bins=(2,)))

    (decoder,) = found.decoding.decoders

    def flat(split):
        rates = held[f"{split}_output_params"][:, :T]
        behaviour = held[f"{split}_velocity"][:, 2 : T + 2]
        return rates.reshape(-1, N).astype(float), behaviour.reshape(-1, 2)

    inputs, outputs = flat("train")
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0)
    rows = np.vstack([(inputs - mean) / scale, np.sqrt(decoder.penalty * len(inputs)) * np.eye(N)])
    wanted = np.vstack([outputs - outputs.mean(axis=0), np.zeros((N, 2))])
    weights = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    inputs, true = flat("valid")
    predicted = (inputs - mean) / scale @ weights + outputs.mean(axis=0)
    r2 = 1 - ((predicted - true) ** 2).sum(axis=0) / ((true - true.mean(axis=0)) ** 2).sum(axis=0)
    assert 0.1 < r2.mean() < 0.9
    assert found.splits["valid"].behaviour_r2 == pytest.approx(r2.mean(), rel=1e-6)


def test_missing_steps_are_left_out_one_by_one(tmp_path):
    held = with_behaviour(0)
    clean = evaluated(tmp_path, held).splits["valid"].behaviour_r2
    random = np.random.default_rng(4)
    for split in ("train", "valid"):
        behaviour = held[f"{split}_velocity"]
        gone = random.random(behaviour.shape[:2]) < 0.3
        behaviour[gone] = 1000  # were it used, nothing could be decoded
        behaviour[gone, random.integers(2)] = np.nan

    found = evaluated(tmp_path, held)

    assert found.splits["valid"].behaviour_r2 == pytest.approx(clean, abs=1e-3)


def test_forecasts_are_not_decoded_from(tmp_path):
    held = with_behaviour(0)
    for split, trials in SPLITS.items():
        held[f"{split}_output_params"][:, T:] = np.random.default_rng(1).random((trials, R - T, N))

    assert evaluated(tmp_path, held).splits["valid"].behaviour_r2 > 0.999


def test_behaviour_may_end_where_the_models_input_does(tmp_path):
    held = with_behaviour(1)
    for split in SPLITS:
        held[f"{split}_velocity"] = held[f"{split}_velocity"][:, :T]

    found = evaluated(tmp_path, held)

    assert found.decoding.decoders[0].lag_bins == 1
    assert found.splits["valid"].behaviour_r2 > 0.999


def test_trials_outside_of_the_mask_are_left_out(tmp_path):
    held = with_behaviour(0)
    for split, trials in SPLITS.items():
        mask = np.arange(trials) % 3 > 0
        held[f"{split}_velocity"][~mask] = np.random.default_rng(0).normal(
            0, 100, held[f"{split}_velocity"][~mask].shape
        )
        held[f"{split}_decode_mask"] = mask

    assert evaluated(tmp_path, held).splits["valid"].behaviour_r2 > 0.999


def test_steps_outside_of_the_mask_are_left_out(tmp_path):
    held = with_behaviour(0)
    for split, trials in SPLITS.items():
        mask = np.random.default_rng(5).random((trials, R)) < 0.7
        held[f"{split}_velocity"][~mask] = 100
        held[f"{split}_decode_mask"] = mask.astype(np.int8)

    assert evaluated(tmp_path, held).splits["valid"].behaviour_r2 > 0.999


def test_each_column_of_a_mask_is_a_group_with_a_decoder_of_its_own(tmp_path):
    held = contents(SPLITS)
    for split, trials in SPLITS.items():
        rates = held[f"{split}_output_params"]
        first = np.arange(trials) % 2 == 0
        behaviour = np.where(
            first[:, None, None], moved(rates, 1, WEIGHTS), moved(rates, -1, -WEIGHTS)
        )
        held[f"{split}_behavior"] = behaviour
        held[f"{split}_decode_mask"] = np.stack([first, ~first], axis=1)
    grouped = evaluated(tmp_path, held)
    for split in SPLITS:
        del held[f"{split}_decode_mask"]
    together = evaluated(tmp_path, held)

    assert [one.lag_bins for one in grouped.decoding.decoders] == [1, -1]
    assert grouped.splits["valid"].behaviour_r2 > 0.999
    assert together.splits["valid"].behaviour_r2 < 0.5


def test_the_r2_of_groups_is_their_mean(tmp_path):
    held = with_behaviour(0)
    for split, trials in SPLITS.items():
        first = np.arange(trials) % 2 == 0
        noise = np.random.default_rng(1).normal(0, 2, held[f"{split}_velocity"].shape)
        held[f"{split}_velocity"] += noise * ~first[:, None, None]
        held[f"{split}_decode_mask"] = np.stack([first, ~first], axis=1)
    both = evaluated(tmp_path, held).splits["valid"].behaviour_r2
    alone = []
    for column in (0, 1):
        some = dict(held)
        for split in SPLITS:
            some[f"{split}_decode_mask"] = held[f"{split}_decode_mask"][:, column]
        alone.append(evaluated(tmp_path, some).splits["valid"].behaviour_r2)

    assert alone[0] > alone[1] + 0.2
    assert both == pytest.approx(sum(alone) / 2)


def test_milliseconds_are_bins_of_the_width_that_the_file_says(tmp_path):
    held = with_behaviour(2)

    found = evaluated(tmp_path, held, Options(lag_ms=(0, 40)), bin_width_seconds=0.02)

    assert found.bin_ms == 20
    assert found.decoding.decoders[0].lag_bins == 2


def test_a_lag_at_the_end_of_those_tried_by_default_is_said(tmp_path):
    held = with_behaviour(4)

    found = evaluated(tmp_path, held, Options())

    assert found.decoding.decoders[0].lag_bins == 4
    assert found.notes == (
        "the lag is at the end of those tried, -2 to 4 bins; --lag-bins or --lag-ms tries others",
    )
    assert evaluated(tmp_path, held, Options(lag_bins=(0, 4))).notes == ()


def test_one_of_the_known_names_is_taken_and_any_other_must_be_asked_for(tmp_path):
    held = with_behaviour(0, "finger_vel")
    assert evaluated(tmp_path, held).decoding.key == "finger_vel"

    held = with_behaviour(0, "paw")
    assert evaluated(tmp_path, held, Options()).decoding is None
    found = evaluated(tmp_path, held, replace(LAGS, behaviour="paw"))
    assert found.decoding.key == "paw"
    assert found.splits["valid"].behaviour_r2 > 0.999


def test_many_samples_are_summed_as_few_at_a_time_are(tmp_path, monkeypatch):
    held = with_behaviour(1)
    at_once = evaluated(tmp_path, held).splits["valid"].behaviour_r2

    monkeypatch.setattr(decoding, "_AT_ONCE", 1)

    assert evaluated(tmp_path, held).splits["valid"].behaviour_r2 == pytest.approx(at_once)


def noisy_pairs(trials: int, seed: int) -> Pairs:
    rates = smooth_rates(trials, seed)
    behaviour = moved(rates, 0, WEIGHTS)
    behaviour += np.random.default_rng(seed).normal(0, 1, behaviour.shape)
    return Pairs(rates, behaviour, np.ones(behaviour.shape[:2], bool))


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(12)))
def test_the_order_of_the_scored_trials_does_not_matter(order):
    _, fitted = fit_decoder(noisy_pairs(20, 1), (0, 1))
    pairs = noisy_pairs(12, 2)
    turned = Pairs(pairs.rates[order], pairs.behaviour[order], pairs.usable[order])

    assert decoded_r2(fitted, 0, turned) == pytest.approx(decoded_r2(fitted, 0, pairs))


def test_of_equal_lags_the_nearest_to_zero_is_taken():
    rates = np.ones((6, 8, 2), np.float32)  # says nothing, at any lag
    behaviour = np.random.default_rng(0).normal(size=(6, 8, 1))
    pairs = Pairs(rates, behaviour, np.ones((6, 8), bool))

    decoder, fitted = fit_decoder(pairs, (-3, -1, 0, 2))

    assert decoder.lag_bins == 0
    assert decoder.penalty == decoding.PENALTIES.max()
    assert decoded_r2(fitted, 0, pairs) == pytest.approx(0, abs=1e-9)


def test_too_few_trials_or_nothing_that_varies_is_said(tmp_path):
    held = with_behaviour(0)
    held["train_velocity"][1:] = np.nan
    assert evaluated(tmp_path, held).notes == (
        "'velocity' is not decoded: too few training trials, or nothing varies",
    )

    held = with_behaviour(0)
    held["train_velocity"][:] = 2
    found = evaluated(tmp_path, held)
    assert found.decoding is None
    assert math.isnan(found.splits["valid"].behaviour_r2)


# --- what is refused, and what is noted instead because nobody asked for it ---------------------


def test_a_key_that_is_not_there_is_refused(tmp_path):
    message = refused(tmp_path, with_behaviour(0), Options(behaviour="velocty"))
    assert message.startswith("has no dataset 'train_velocty' (did you mean 'train_velocity'?)")


def test_other_axes_are_refused_where_asked_for_and_noted_where_not(tmp_path):
    held = with_behaviour(0, "behavior")
    for split in SPLITS:
        held[f"{split}_behavior"] = held[f"{split}_behavior"][:, 0]

    message = refused(tmp_path, held, Options(behaviour="behavior"))

    expected = "'train_behavior' has sizes (30, 2); expected (trials, steps, dimensions)"
    assert message == expected
    found = evaluated(tmp_path, held, Options())
    assert found.notes == (f"behaviour is not decoded: {expected}",)
    assert math.isfinite(found.splits["valid"].bps)


def test_other_steps_are_refused(tmp_path):
    held = with_behaviour(0)
    held["train_velocity"] = held["train_velocity"][:, : T - 1]
    assert refused(tmp_path, held) == (
        "'train_velocity' has sizes (30, 11, 2); expected 30 trials and 14 or 12 steps, "
        "as the rates have"
    )


def test_other_dimensions_in_another_split_are_refused(tmp_path):
    held = with_behaviour(0)
    held["valid_velocity"] = held["valid_velocity"][..., :1]
    assert "'velocity' has different sizes by split: train (30, 14, 2)" in refused(tmp_path, held)


def test_infinite_behaviour_is_refused(tmp_path):
    held = with_behaviour(0)
    held["valid_velocity"][3, 1, 0] = np.inf
    assert refused(tmp_path, held) == (
        "'valid_velocity' holds inf at trial 3; expected finite numbers, or NaN for what is missing"
    )


def test_a_mask_of_other_sizes_or_numbers_is_refused(tmp_path):
    held = with_behaviour(0)
    for split, trials in SPLITS.items():
        held[f"{split}_decode_mask"] = np.ones((trials, R - 1))
    assert "'train_decode_mask' has sizes (30, 13); expected (30,), (30, 14)" in refused(
        tmp_path, held
    )
    for split, trials in SPLITS.items():
        held[f"{split}_decode_mask"] = np.full(trials, 2)
    assert "'train_decode_mask' holds other numbers; expected 0 and 1" in refused(tmp_path, held)


def test_a_mask_of_some_splits_alone_is_refused(tmp_path):
    held = with_behaviour(0)
    held["train_decode_mask"] = np.ones(30, bool)
    assert "has no dataset 'valid_decode_mask'" in refused(tmp_path, held)


def test_groups_that_differ_by_split_are_refused(tmp_path):
    held = with_behaviour(0)
    for split, trials in SPLITS.items():
        held[f"{split}_decode_mask"] = np.ones((trials, 2 if split == "train" else 1))
    assert "different groups of trials by split: train 2, valid 1" in refused(tmp_path, held)


def test_lags_that_leave_nothing_are_refused(tmp_path):
    message = refused(tmp_path, with_behaviour(0), Options(lag_bins=(0, 50)))
    assert message == (
        "--lag-bins: lags from 0 to 50 bins leave nothing of trials of 12 bins; "
        "expected smaller ones"
    )


def test_lags_without_behaviour_are_refused(tmp_path):
    message = refused(tmp_path, contents(), Options(lag_bins=(0,)))
    assert message.startswith("--lag-bins: found no behaviour")
