"""What a member writes down of each epoch, and by what it is judged."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small_models import NO_CONTROLLER, never, same, small_data, small_member, take_step
from torch.nn.functional import poisson_nll_loss

from autolfads_trainer.training.member import Member
from autolfads_trainer.training.scores import Scores

PARTS = ("loss", "recon", "bps", "co_bps", "fp_bps", "r2", "wt_l2", "wt_l2/ramp", "wt_kl")
PARTS += ("wt_kl/ic", "wt_kl/co", "wt_kl/ramp", "recon/sess0")
HYPERPARAMETERS = {
    "lr_init": 2e-3,
    "dropout_rate": 0.1,
    "cd_rate": 0.25,
    "l2_ic_enc_scale": 0.01,
    "l2_ci_enc_scale": 0.02,
    "l2_gen_scale": 0.03,
    "l2_con_scale": 0.04,
    "kl_ic_scale": 1e-4,
    "kl_co_scale": 2e-4,
    "weight_decay": 1e-3,
}
COLUMNS = {
    "epoch",
    *(f"{split}/{part}" for split in ("train", "valid") for part in PARTS),
    "valid/recon_smth",
    *(f"hp/{name}" for name in HYPERPARAMETERS),
    "hp/cd_pass_rate",
}


def trained(epochs: int = 3, **settings: Any) -> Member:
    member = small_member(epochs=epochs, **settings)
    assert member.train(never)
    return member


@pytest.mark.parametrize("case", [{}, NO_CONTROLLER], ids=["controller", "none"])
def test_every_epoch_has_a_row_with_every_column(case: dict[str, Any]) -> None:
    member = trained(start_epoch=5, **case)
    assert [row["epoch"] for row in member.progress.rows] == [5, 6, 7]
    for row in member.progress.rows:
        assert set(row) == COLUMNS
        assert all(isinstance(value, int | float) for value in row.values())
        assert all(math.isfinite(value) for value in row.values())


def test_the_row_says_which_hyperparameters_were_used() -> None:
    plain = {k: v for k, v in HYPERPARAMETERS.items() if k != "cd_rate"}
    member = trained(epochs=1, cd={"cd_rate": 0.25, "cd_pass_rate": 0.1}, **plain)
    row = member.progress.rows[0]
    found = {name.removeprefix("hp/"): row[name] for name in row if name.startswith("hp/")}
    assert found == HYPERPARAMETERS | {"cd_pass_rate": 0.1}
    assert {name: tensor.item() for name, tensor in member.hp.values.items()} == pytest.approx(
        found
    )


def test_scores_that_do_not_exist_are_columns_without_a_number() -> None:
    data = small_data(truth=False, recon_data_dim=3, recon_seq_len=6)
    member = trained(epochs=1, data=data, recon_data_dim=3, recon_seq_len=6)
    row = member.progress.rows[0]
    assert set(row) == COLUMNS
    missing = {name for name, value in row.items() if math.isnan(value)}
    scores = ("co_bps", "fp_bps", "r2")
    assert missing == {f"{split}/{name}" for split in ("train", "valid") for name in scores}


def test_training_parts_are_the_mean_of_the_epoch_s_steps() -> None:
    row = trained(epochs=1, dropout_rate=0.2).progress.rows[0]
    again = small_member(epochs=1, dropout_rate=0.2)
    again.hp.start_epoch(0)
    steps = [take_step(again, scores=again.scores) for _ in range(3)]
    for name in steps[0]:
        mean = sum(float(parts[name]) for parts in steps) / 3
        assert row[f"train/{name}"] == pytest.approx(mean, rel=1e-5), name
    found = {name: row[f"train/{name}"] for name in again.scores.read()}
    assert again.scores.read() == pytest.approx(found, rel=1e-5)
    assert len({float(parts["recon"]) for parts in steps}) == 3


def test_training_scores_are_those_of_one_epoch_alone() -> None:
    """With nothing left over, an epoch scores every spike once, also the third epoch."""
    member = trained(epochs=3, batch_size=10)
    assert member.scores.spikes.sum() == member.data.train.recon.sum()


def test_validation_is_of_posterior_means_over_all_trials() -> None:
    member = trained(epochs=1)
    row, valid = member.progress.rows[0], member.data.valid
    with torch.no_grad():
        output = member.model(valid.encod)
    log_rates = output.output_params[..., 0]
    recon = float(poisson_nll_loss(log_rates, valid.recon, full=True))
    assert row["valid/recon"] == row["valid/recon/sess0"] == pytest.approx(recon, rel=1e-5)
    scores = Scores(member.model.sizes, member.device)
    scores.add(log_rates, valid.recon, valid.truth)
    for name, value in scores.read().items():
        assert row[f"valid/{name}"] == pytest.approx(value, rel=1e-4), name


def test_the_smoothed_metric_starts_at_the_first_value_and_remembers_three_tenths() -> None:
    rows = trained(epochs=4).progress.rows
    memory = rows[0]["valid/recon"]
    assert rows[0]["valid/recon_smth"] == memory
    for row in rows[1:]:
        memory = 0.3 * memory + 0.7 * row["valid/recon"]
        assert row["valid/recon_smth"] == pytest.approx(memory, rel=1e-12)


@pytest.mark.parametrize(
    "metric", ["valid/recon_smth", "valid/recon", "valid/loss", "valid/co_bps"]
)
def test_a_member_is_judged_by_the_last_value_of_the_chosen_metric(metric: str) -> None:
    member = trained(epochs=2, metric=metric)
    assert member.score == member.progress.rows[-1][metric]
    assert member.score != member.progress.rows[0][metric]


def test_there_is_no_score_before_the_first_epoch_s_end() -> None:
    assert math.isnan(small_member().score)


@pytest.mark.parametrize("case", [{}, NO_CONTROLLER], ids=["controller", "none"])
def test_a_learning_rate_far_too_high_ends_at_once_with_a_score_that_is_not_finite(
    case: dict[str, Any],
) -> None:
    member = small_member(epochs=50, lr_init=1e3, **case)
    assert member.train(never)
    assert not math.isfinite(member.score)
    assert len(member.progress.rows) < 5
    assert set(member.progress.rows[-1]) == COLUMNS


def test_training_lowers_the_loss_also_on_trials_never_trained_on() -> None:
    rows = trained(epochs=6, lr_init=5e-2, dropout_rate=0.0).progress.rows
    assert rows[-1]["valid/recon"] < rows[0]["valid/recon"] - 0.05
    assert rows[-1]["train/recon"] < rows[0]["train/recon"] - 0.05


def test_a_member_that_blew_up_is_not_trained_on_after_a_resume(tmp_path: Path) -> None:
    lost = small_member(epochs=50, lr_init=1e3)
    assert lost.train(never)
    lost.save(tmp_path / "checkpoint.ckpt")
    again = small_member(epochs=50, lr_init=1e3)
    again.resume(tmp_path / "checkpoint.ckpt")
    assert again.train(never)
    assert same(again.progress.rows, lost.progress.rows)
