from __future__ import annotations

import math

import numpy as np
import pytest
from report_history import falling, family, leg, single

from autolfads_trainer.results.history import History
from autolfads_trainer.results.report.health import judge

NOISE = np.random.default_rng(0).normal(0, 0.002, (2, 1000))


def noisy(curve):
    def with_noise(epoch):
        train, valid = curve(epoch)
        return train + NOISE[0, epoch], valid + NOISE[1, epoch]

    return with_noise


def still_falling(epoch):
    value = 0.5 - 0.001 * epoch
    return value, value + 0.01


def rising(epoch):
    train = 0.4 + 0.3 * math.exp(-epoch / 20)
    return train - 0.0005 * epoch, train + 0.0004 * epoch


def parting(epoch):
    valid = 0.4 + 0.1 * math.exp(-epoch / 10)
    return valid - 0.002 * epoch, valid


def flat(epoch):
    return 0.5, 0.5


@pytest.mark.parametrize("epochs", [40, 100, 600])
@pytest.mark.parametrize("disturb", [lambda curve: curve, noisy])
def test_a_run_that_levelled_off_is_healthy(epochs, disturb):
    verdict = judge(single(disturb(falling), epochs))

    assert verdict.word == "healthy"
    assert "levelled off" in verdict.sentence


@pytest.mark.parametrize(
    ("curve", "epochs"),
    [(still_falling, 10), (still_falling, 50), (noisy(still_falling), 50), (still_falling, 200)],
)
def test_a_run_that_still_improves_at_its_end_is_underfitted(curve, epochs):
    verdict = judge(single(curve, epochs))

    assert verdict.word == "underfitted"
    assert "still falling" in verdict.sentence
    assert "Train longer" in verdict.advice


@pytest.mark.parametrize("disturb", [lambda curve: curve, noisy])
def test_valid_recon_that_rises_while_train_recon_falls_is_overfitted(disturb):
    verdict = judge(single(disturb(rising), 200))

    assert verdict.word == "overfitted"
    assert "risen" in verdict.sentence


def test_valid_recon_that_rises_together_with_train_recon_is_not_overfitted():
    verdict = judge(single(lambda epoch: (rising(epoch)[1], rising(epoch)[1]), 200))

    assert verdict.word == "healthy"


def test_a_large_and_growing_gap_is_overfitted_though_valid_recon_holds():
    verdict = judge(single(parting, 100))

    assert verdict.word == "overfitted"
    assert "gap" in verdict.sentence


def test_a_gap_that_does_not_grow_is_healthy():
    verdict = judge(single(lambda epoch: (falling(epoch)[0] - 0.3, falling(epoch)[1]), 100))

    assert verdict.word == "healthy"


def test_a_run_that_learned_nothing_is_underfitted():
    verdict = judge(single(noisy(flat), 100))

    assert verdict.word == "underfitted"
    assert "learned nothing" in verdict.sentence


def test_a_first_epoch_that_blew_up_does_not_hide_that_the_run_still_improves():
    verdict = judge(single(lambda epoch: (1e6, 1e6) if epoch == 0 else still_falling(epoch), 100))

    assert verdict.word == "underfitted"


@pytest.mark.parametrize("epochs", [1, 4])
def test_fewer_than_five_epochs_are_too_little_to_tell(epochs):
    assert judge(single(falling, epochs)).word == "unclear"


def test_epochs_without_numbers_do_not_count():
    verdict = judge(single(lambda epoch: (math.nan, 0.5) if epoch % 2 else falling(epoch), 8))

    assert verdict.word == "unclear"
    assert "4 epochs" in verdict.sentence


def test_five_epochs_are_judged():
    assert judge(single(still_falling, 5)).word == "underfitted"


def test_what_came_after_the_best_score_counts_too():
    def worse_later(epoch):
        return 0.5 - 0.002 * epoch, 0.4 + 0.005 * abs(epoch - 20)

    legs = (
        leg(0, 1, epochs=20, curve=worse_later, score=0.40),
        leg(0, 2, (0, 1), epochs=20, curve=worse_later, score=0.49),
    )

    assert judge(History("later", 0, legs, (0, 1))).word == "overfitted"
    assert judge(History("later", 0, legs[:1], (0, 1))).word == "underfitted"


def test_lost_members_are_named():
    remarks = judge(family()).remarks

    assert remarks == ("Lost, without a finite score: member 2 in generation 2.",)


def test_a_population_of_one_is_said_to_be_untuned():
    assert any("without tuning" in remark for remark in judge(single(falling, 50)).remarks)


def limited(low, high, values):
    legs = [leg(m, 1, hyperparameters={"rate": v}) for m, v in enumerate(values)]
    legs += [leg(m, 2, (m, 1), hyperparameters={"rate": v}) for m, v in enumerate(values)]
    return History("limits", 0, tuple(legs), (0, 2), {"rate": (low, high)})


@pytest.mark.parametrize(
    ("low", "high", "values", "said"),
    [
        (0.01, 0.09, [0.09, 0.0899, 0.05], "upper limit 0.09 in 2 of 3"),
        (0.01, 0.09, [0.01, 0.05], "lower limit 0.01 in 1 of 2"),
        (0.01, 0.09, [0.09, 0.05, 0.05], None),
        (1e-5, 1e-1, [1.1e-5, 1.1e-5], "lower limit 1e-05 in 2 of 2"),  # near in logs
        (1e-5, 1e-1, [2e-3, 2e-3], None),  # near 0 but in the middle of the logs
    ],
)
def test_hyperparameters_pressed_against_a_limit_are_named(low, high, values, said):
    remarks = [r for r in judge(limited(low, high, values)).remarks if "limit" in r]

    assert len(remarks) == (said is not None)
    assert said is None or said in remarks[0]


def test_no_wider_range_is_suggested_below_zero():
    (remark,) = judge(limited(0.0, 0.6, [0.0, 0.0])).remarks

    assert "lower limit 0 in 2 of 2" in remark
    assert "wider" not in remark
