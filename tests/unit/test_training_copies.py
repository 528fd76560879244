"""A member that begins where another, or itself, ended a generation."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_models import at_once, never, same, small_member, weights

from autolfads_trainer.training.checkpoint import load_file
from autolfads_trainer.training.hyperparameters import ramp
from autolfads_trainer.training.member import Member

WINNER, LOSER = 3, 1
LR, PERTURBED = 4e-3, 1.3e-3
SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {},
    "plateau": {"lr_scheduler": True, "lr_patience": 0, "lr_decay": 0.5},
}


def winner_of(tmp_path: Path, epochs: int = 2, **settings: Any) -> tuple[Member, Path]:
    """Train a member to the end of its first generation; a plateau lowers its rate each epoch."""
    winner = small_member(WINNER, epochs=epochs, **{"lr_init": LR} | settings)
    if winner.plateau:
        winner.plateau.best = -math.inf
    assert winner.train(never)
    path = tmp_path / "winner.ckpt"
    winner.save(path)
    return winner, path


def copy_of(path: Path, epochs: int = 2, **settings: Any) -> Member:
    loser = small_member(LOSER, 1, start_epoch=2, epochs=epochs, **settings)
    loser.start_from_parent(path)
    return loser


def change_of(member: Member) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Take one step; return by how much parameters changed, and the direction at a rate of 1.

    The direction is computed anew from the moments that the step left, by Adam's own formula.
    """
    before = weights(member.model)
    assert not member.train(at_once)
    after, adam = weights(member.model), member.optimizer
    steps = int(adam.state()["steps"])
    first, second = (1 - beta**steps for beta in (0.9, 0.999))
    directions = {
        name: -(adam.means[name] / first) / ((adam.squares[name] / second).sqrt() + 1e-8)
        for name in adam.parameters
    }
    return {name: after[name] - before[name] for name in directions}, directions


def used_rate(member: Member) -> float:
    """Return the learning rate of the next step, measured at the weights that it moves."""
    changes, directions = change_of(member)
    moved = torch.cat([changes[name].flatten() for name in changes]).double()
    unit = torch.cat([directions[name].flatten() for name in changes]).double()
    rate = float(moved @ unit / (unit @ unit))
    assert torch.allclose(moved, rate * unit, rtol=1e-2, atol=1e-6)
    return rate


def test_a_copy_has_the_winner_s_weights_moments_steps_and_memory(tmp_path: Path) -> None:
    winner, path = winner_of(tmp_path)
    loser = small_member(LOSER, 1, start_epoch=2, lr_init=PERTURBED)
    assert not same(weights(loser.model), weights(winner.model))
    loser.start_from_parent(path)
    assert same(weights(loser.model), weights(winner.model))
    assert same(loser.optimizer.state(), winner.optimizer.state())
    assert loser.optimizer.state()["steps"] == 6
    assert all(square.any() for square in loser.optimizer.squares.values() if square.numel())
    assert loser.progress.smoothed == winner.progress.smoothed
    assert loser.progress.rows == []
    assert math.isnan(loser.score)


def test_a_copy_s_moments_count_in_its_first_step(tmp_path: Path) -> None:
    _, path = winner_of(tmp_path)
    copy, bare = copy_of(path), copy_of(path)
    fresh = small_member(LOSER, 1, start_epoch=2)
    bare.optimizer.restore(fresh.optimizer.state())
    moved, unremembered = change_of(copy)[0], change_of(bare)[0]
    assert not torch.allclose(moved["readout.0.weight"], unremembered["readout.0.weight"])


def test_a_copy_and_its_winner_go_apart(tmp_path: Path) -> None:
    """The same weights, other numbers: the copy draws its own."""
    winner, path = winner_of(tmp_path)
    copy = copy_of(path, epochs=1)
    going_on = small_member(WINNER, 1, start_epoch=2, epochs=1)
    going_on.start_from_parent(path)
    kept = weights(winner.model)
    for member in (copy, going_on):
        assert member.train(never)
    assert not same(weights(copy.model), weights(going_on.model))
    assert same(weights(winner.model), kept)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_perturbed_learning_rate_is_the_one_of_the_very_next_step(
    tmp_path: Path, schedule: str
) -> None:
    winner, path = winner_of(tmp_path, **SCHEDULES[schedule])
    copy = copy_of(path, lr_init=PERTURBED, **SCHEDULES[schedule])
    assert used_rate(copy) == pytest.approx(PERTURBED, rel=1e-3)
    lowered = 4 if schedule == "plateau" else 1
    assert float(winner.hp.lr) == pytest.approx(LR / lowered)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_perturbed_learning_rate_outlives_a_resume(tmp_path: Path, schedule: str) -> None:
    _, path = winner_of(tmp_path, **SCHEDULES[schedule])
    copy = copy_of(path, lr_init=PERTURBED, **SCHEDULES[schedule])
    copy.train(at_once)
    copy.save(tmp_path / "copy.ckpt")
    settings = {"lr_init": PERTURBED} | SCHEDULES[schedule]
    again = small_member(LOSER, 1, start_epoch=2, epochs=2, **settings)
    again.resume(tmp_path / "copy.ckpt")
    assert used_rate(again) == pytest.approx(PERTURBED, rel=1e-3)


def test_an_unchanged_learning_rate_stays_where_its_schedule_has_brought_it(tmp_path: Path) -> None:
    winner, path = winner_of(tmp_path, **SCHEDULES["plateau"])
    copy = copy_of(path, lr_init=LR, dropout_rate=0.1, **SCHEDULES["plateau"])
    assert copy.plateau is not None
    assert winner.plateau is not None
    assert copy.plateau.state() == winner.plateau.state()
    assert used_rate(copy) == pytest.approx(LR / 4, rel=1e-3)


def test_a_changed_learning_rate_begins_its_schedule_anew(tmp_path: Path) -> None:
    _, path = winner_of(tmp_path, **SCHEDULES["plateau"])
    copy = copy_of(path, lr_init=PERTURBED, **SCHEDULES["plateau"])
    assert copy.plateau is not None
    assert copy.plateau.state() == {"best": math.inf, "waited": 0}


def test_without_a_schedule_the_rate_stays_what_it_is(tmp_path: Path) -> None:
    winner, _ = winner_of(tmp_path)
    assert winner.plateau is None
    assert float(winner.hp.lr) == pytest.approx(LR)


def test_a_schedule_follows_the_smoothed_metric() -> None:
    member = small_member(epochs=6, lr_init=0.1, **SCHEDULES["plateau"])
    assert member.train(never)
    best, rate = math.inf, 0.1
    for row in member.progress.rows:
        rate, best = (
            (rate, row["valid/recon_smth"])
            if row["valid/recon_smth"] < best
            else (
                rate / 2,
                best,
            )
        )
    assert rate < 0.1  # it was put to use
    assert float(member.hp.lr) == pytest.approx(rate)
    # What is tuned is the rate that the schedule starts from.
    assert {row["hp/lr_init"] for row in member.progress.rows} == {0.1}


def test_a_schedule_does_not_look_at_the_metric_s_ups_and_downs() -> None:
    """A memory far above what is measured falls in every epoch, whatever that epoch brings."""
    member = small_member(epochs=6, lr_init=0.1, **SCHEDULES["plateau"])
    member.progress.smoothed = 1e4
    assert member.train(never)
    measured = [row["valid/recon"] for row in member.progress.rows]
    assert measured != sorted(measured, reverse=True)
    assert float(member.hp.lr) == pytest.approx(0.1)


def test_epochs_and_ramps_go_on_for_a_copy(tmp_path: Path) -> None:
    _, path = winner_of(tmp_path)
    copy = copy_of(path, kl_start_epoch=1, kl_increase_epoch=9, l2_increase_epoch=4)
    assert copy.train(never)
    rows = copy.progress.rows
    assert [row["epoch"] for row in rows] == [2, 3]
    for row in rows:
        for split in ("train", "valid"):
            kl, l2 = row[f"{split}/wt_kl/ramp"], row[f"{split}/wt_l2/ramp"]
            assert kl == pytest.approx(ramp(int(row["epoch"]), 1, 9))
            assert l2 == pytest.approx(ramp(int(row["epoch"]), 0, 4))
    copy.save(tmp_path / "copy.ckpt")
    assert load_file(tmp_path / "copy.ckpt")["epoch"] == 4


def test_a_copy_goes_on_with_the_winner_s_smoothed_metric(tmp_path: Path) -> None:
    winner, path = winner_of(tmp_path)
    copy = copy_of(path)
    assert copy.train(never)
    memory = winner.progress.rows[-1]["valid/recon_smth"]
    for row in copy.progress.rows:
        memory = 0.3 * memory + 0.7 * row["valid/recon"]
        assert row["valid/recon_smth"] == pytest.approx(memory, rel=1e-12)


def test_a_copy_trains_with_its_own_hyperparameters(tmp_path: Path) -> None:
    _, path = winner_of(tmp_path, kl_ic_scale=1e-3, cd={"cd_rate": 0.2})
    copy = copy_of(path, epochs=1, kl_ic_scale=1e-2, cd={"cd_rate": 0.6})
    assert copy.train(never)
    row = copy.progress.rows[0]
    assert row["hp/kl_ic_scale"] == 1e-2
    assert row["hp/cd_rate"] == 0.6
    other = copy_of(path, epochs=1, kl_ic_scale=1e-3, cd={"cd_rate": 0.2})
    assert other.train(never)
    assert not same(weights(copy.model), weights(other.model))


def test_a_member_that_goes_on_as_it_was_loses_nothing_between_generations(tmp_path: Path) -> None:
    """Its next step is the one that would have come, had the generation been longer."""
    longer, path = winner_of(tmp_path, **SCHEDULES["plateau"])
    going_on = small_member(WINNER, 1, start_epoch=2, lr_init=LR, **SCHEDULES["plateau"])
    going_on.start_from_parent(path)
    longer.leg = replace(longer.leg, epochs=3)
    longer.drawer.restore(going_on.drawer.state())  # the numbers of the next generation
    for member in (longer, going_on):
        assert not member.train(at_once)
    assert same(weights(longer.model), weights(going_on.model))
    assert same(longer.optimizer.state(), going_on.optimizer.state())
