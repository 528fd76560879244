"""The loss: its parts, how they are weighed, and when they set in."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_models import (
    CPU,
    NO_CONTROLLER,
    converted,
    loss_of,
    model_settings,
    numbers,
    small_data,
    small_member,
    small_model,
)
from torch.nn.functional import poisson_nll_loss

from autolfads_trainer.data.dataset import Dataset, Split
from autolfads_trainer.model.penalties import l2_penalty
from autolfads_trainer.training.hyperparameters import Hyperparameters, ramp
from autolfads_trainer.training.scores import Scores

WEIGHED: dict[str, Any] = {
    "loss_scale": 30.0,
    "kl_ic_scale": 0.02,
    "kl_co_scale": 0.03,
    "l2_gen_scale": 0.4,
    "l2_con_scale": 0.5,
    "l2_ci_enc_scale": 0.6,
    "kl_start_epoch": 1,
    "kl_increase_epoch": 3,
    "l2_start_epoch": 2,
    "l2_increase_epoch": 1,
}


@pytest.mark.parametrize(
    ("start", "increase", "expected"),
    [
        (0, 0, [1, 1, 1]),
        (0, 1, [1 / 2, 1, 1]),
        (0, 3, [1 / 4, 2 / 4, 3 / 4, 1, 1]),
        (2, 0, [0, 0, 1, 1]),
        (2, 1, [0, 0, 1 / 2, 1]),
        (5, 80, [0, 0, 0, 0, 0, 1 / 81]),
    ],
)
def test_a_ramp_rises_from_its_start_in_equal_steps(
    start: int, increase: int, expected: list[float]
) -> None:
    assert [ramp(epoch, start, increase) for epoch in range(len(expected))] == expected


def test_each_penalty_has_its_own_ramp() -> None:
    hp = Hyperparameters(model_settings(**WEIGHED), CPU)
    ramps = []
    for epoch in range(5):
        hp.start_epoch(epoch)
        ramps.append((float(hp.kl_ramp), float(hp.l2_ramp)))
    assert ramps == [(0, 0), (0.25, 0), (0.5, 0.5), (0.75, 1), (1, 1)]


@pytest.mark.parametrize("epoch", [0, 1, 3])
@pytest.mark.parametrize("case", [{}, NO_CONTROLLER], ids=["controller", "none"])
def test_the_loss_is_the_scaled_sum_of_its_weighed_parts(case: dict[str, Any], epoch: int) -> None:
    """All of a training loss anew, from the model's output and torch's own functions."""
    settings = WEIGHED | case | {"ext_input_dim": 1, "dropout_rate": 0.2}
    member = small_member(data=small_data(ext_input_dim=1), **settings)
    model = member.model = small_model(seed=4, **settings)
    hp = member.hp
    hp.start_epoch(epoch)
    draws = member.drawer.draw()
    found = loss_of(member, draws, model)

    batch = member.data.train.take(draws.trials[0])
    kept = (numbers(draws.augmented[0][0]) >= hp["cd_rate"]).transpose(0, 1)
    output = model(
        batch.encod * kept / (1 - hp["cd_rate"]),
        batch.ext_input,
        noise=draws.noise,
        dropout_rate=torch.tensor(0.2),
        sample=True,
    )
    recon = poisson_nll_loss(output.output_params[..., 0], batch.recon, full=True)
    kl_ic = 0.02 * model.ic_prior.kl(output.ic_mean, output.ic_std)
    l2_scales = {name: torch.tensor(settings.get(name, 0.0)) for name in hp.values if "l2" in name}
    l2 = l2_penalty(dict(model.named_parameters()), l2_scales)
    kl_co = torch.zeros(())
    if model.sizes.has_controller:
        means, stds = output.co_means.transpose(0, 1), output.co_stds.transpose(0, 1)
        kl_co = 0.03 * model.co_prior.kl(means, stds, draws.noise.co_sample)
    kl_ramp, l2_ramp = ramp(epoch, 1, 3), ramp(epoch, 2, 1)
    expected = {
        "loss": 30 * (recon + l2_ramp * l2 + kl_ramp * (kl_ic + kl_co)),
        "recon": recon,
        "recon/sess0": recon,
        "wt_l2": l2,
        "wt_l2/ramp": torch.tensor(l2_ramp),
        "wt_kl": kl_ic + kl_co,
        "wt_kl/ic": kl_ic,
        "wt_kl/co": kl_co,
        "wt_kl/ramp": torch.tensor(kl_ramp),
    }
    assert found.parts.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(found.parts[name], value, rtol=1e-5, atol=1e-7), name
    assert torch.equal(found.total, found.parts["loss"])


def test_training_gradients_come_only_from_spikes_that_the_input_lacked() -> None:
    """Other targets, where the input was kept, change the loss but no gradient."""
    member = small_member(cd={"cd_rate": 0.5})
    draws = member.drawer.draw()
    train = member.data.train
    parameters = [p for p in member.model.parameters() if p.requires_grad]

    def losses_and_gradients() -> tuple[float, list[torch.Tensor]]:
        loss = loss_of(member, draws).total
        return float(loss.detach()), list(torch.autograd.grad(loss, parameters))

    before = losses_and_gradients()
    kept = (numbers(draws.augmented[0][0]) >= 0.5).transpose(0, 1)
    (chosen,) = draws.trials
    batch = train.recon[chosen]
    batch[:, :6, :3] += 5 * kept  # the input's own copy is another tensor: it stays
    train.recon[chosen] = batch
    after = losses_and_gradients()
    assert after[0] != before[0]
    assert all(map(torch.equal, after[1], before[1]))
    batch[:, :6, :3] += 5 * ~kept
    train.recon[chosen] = batch
    assert not all(map(torch.equal, losses_and_gradients()[1], before[1]))


@pytest.mark.parametrize("batch_size", [1, 3, 4, 99])
def test_a_validation_takes_posterior_means_whatever_its_batches(batch_size: int) -> None:
    member = small_member(
        dropout_rate=0.4, cd={"cd_rate": 0.5}, trainer={"engine": "reference"}, **WEIGHED
    )
    model, valid, hp = small_model(seed=4, **WEIGHED), member.data.valid, member.hp
    hp.start_epoch(9)
    scores = Scores(model.sizes, CPU)
    parts = member.way.validation_pass(
        model, member.infer_stack, member.valid_noise, hp, scores, batch_size=batch_size
    )
    output = model(valid.encod)
    recon = poisson_nll_loss(output.output_params[..., 0], valid.recon, full=True)
    assert torch.allclose(parts["recon"], recon, rtol=1e-5)
    assert torch.allclose(
        parts["wt_l2"], l2_penalty(dict(model.named_parameters()), hp.values), rtol=1e-5
    )
    kl_ic = 0.02 * model.ic_prior.kl(output.ic_mean, output.ic_std)
    assert torch.allclose(parts["wt_kl/ic"], kl_ic, rtol=1e-5)
    means, stds = output.co_means.transpose(0, 1), output.co_stds.transpose(0, 1)
    kl_co = 0.03 * model.co_prior.kl(means, stds, member.valid_noise.co)
    assert torch.allclose(parts["wt_kl/co"], kl_co, rtol=1e-5)
    assert torch.allclose(parts["loss"], 30 * (recon + parts["wt_l2"] + kl_ic + kl_co), rtol=1e-5)
    assert not any(value.requires_grad for value in parts.values())
    whole = Scores(model.sizes, CPU)
    whole.add(output.output_params[..., 0].detach(), valid.recon, valid.truth)
    assert scores.read() == pytest.approx(whole.read(), rel=1e-4)


def test_in_double_precision_a_training_loss_stays_in_double_precision() -> None:
    member = small_member()
    draws = converted(member.drawer.draw(), torch.float64)
    single = loss_of(member, converted(draws, torch.float32))
    there = {name: value for name, value in vars(member.data.train).items() if value is not None}
    doubled = Split(**{name: value.double() for name, value in there.items()})
    member.data = Dataset.alone(doubled, doubled)
    loss = loss_of(member, draws, member.model.double())
    assert loss.total.dtype == torch.float64
    assert float(loss.total.detach()) == pytest.approx(float(single.total.detach()), rel=1e-5)
