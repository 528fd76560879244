"""Every reconstruction against torch.distributions and scipy, or against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor
from torch.distributions import Gamma as GammaDistribution
from torch.distributions import Normal
from torch.nn.functional import gaussian_nll_loss

from autolfads_trainer.config import classes
from autolfads_trainer.model.poisson import log_factorial
from autolfads_trainer.model.reconstructions import (
    MSE,
    Gamma,
    Gaussian,
    Poisson,
    PoissonBPS,
    Reconstruction,
    ZeroInflatedGamma,
)

TRIALS, STEPS, CHANNELS = 6, 5, 4
ZIG = {"gamma_loc": 0.1, "scale_init": 2.0, "scale_prior": 1.5, "scale_penalty": 0.3}


@pytest.fixture
def draw() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def outputs(of: Reconstruction, draw: torch.Generator) -> Tensor:
    """Return what a read-out might give, in the shape that the methods take."""
    flat = torch.randn(TRIALS, STEPS, CHANNELS * of.n_params, generator=draw, dtype=torch.float64)
    return of.reshape_output_params(flat)


def counts(draw: torch.Generator) -> Tensor:
    return torch.poisson(torch.full((TRIALS, STEPS, CHANNELS), 0.8).double(), generator=draw)


def zero_inflated(draw: torch.Generator) -> tuple[ZeroInflatedGamma, Tensor, Tensor]:
    """Return one whose scales differ between channels, with data and outputs."""
    of = ZeroInflatedGamma(CHANNELS, **ZIG).double()
    with torch.no_grad():
        of.scale.mul_(torch.rand(2, CHANNELS, generator=draw, dtype=torch.float64) + 0.5)
    above = torch.rand(TRIALS, STEPS, CHANNELS, generator=draw, dtype=torch.float64)
    data = torch.where(above < 0.4, 0.0, above + of.gamma_loc)
    return of, data, outputs(of, draw)


def test_what_the_configuration_knows_of_them_without_torch_is_so() -> None:
    kinds = (Poisson, PoissonBPS, MSE, Gaussian, Gamma, ZeroInflatedGamma)
    known = {name.rpartition(".")[2]: each for name, each in classes.PARAMETERS.items()}
    assert known == {kind.__name__: kind.n_params for kind in kinds}
    of_counts = [name.rpartition(".")[2] for name in classes.OF_COUNTS]
    assert of_counts == [kind.__name__ for kind in kinds if kind.counts]


def test_parameters_of_a_channel_stand_together() -> None:
    flat = torch.arange(6.0)  # both means, both log variances, and what a third one would be
    assert Gaussian().reshape_output_params(flat[:4]).tolist() == [[0, 2], [1, 3]]
    zig = ZeroInflatedGamma(2, **ZIG)
    assert zig.reshape_output_params(flat).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert Poisson().reshape_output_params(flat).shape == (6, 1)


def test_poisson(draw: torch.Generator) -> None:
    of, data = Poisson(), counts(draw)
    params = outputs(of, draw)
    rates = params[..., 0].exp()
    exact = -scipy.stats.poisson.logpmf(data.numpy(), rates.numpy())
    # Stirling's formula stands for log(count!), and that of 0 and 1 is exact.
    exact += log_factorial(data).numpy() - scipy.special.gammaln(data.numpy() + 1)
    np.testing.assert_allclose(of.compute_loss(data, params), exact, rtol=1e-12)
    np.testing.assert_allclose(of.compute_means(params), rates)


def test_poisson_in_bits_per_spike(draw: torch.Generator) -> None:
    of, data = PoissonBPS(), counts(draw)
    data[..., 2] = 0  # a silent channel
    params = outputs(of, draw)
    rates, null = params[..., 0].exp(), data.mean(dim=(0, 1))
    model = rates - torch.xlogy(data, rates)
    constant = null - torch.xlogy(data, null)
    lost = (model - constant).sum() / data.sum() / math.log(2)
    assert of.compute_loss(data, params).mean() == pytest.approx(lost.item(), rel=1e-6)
    # The mean rates themselves lose nothing, in each element.
    at_null = torch.log(null).clamp_min(-18.42).expand(TRIALS, STEPS, -1).unsqueeze(-1)
    assert of.compute_loss(data, at_null).abs().max() < 1e-6


def test_poisson_in_bits_per_spike_of_members_is_that_of_each(draw: torch.Generator) -> None:
    of, both = PoissonBPS(), [counts(draw), counts(draw)]
    params = [outputs(of, draw) for _ in both]
    at_once = of.compute_loss(torch.stack(both), torch.stack(params))
    for one, *alone in zip(at_once, both, params, strict=True):
        torch.testing.assert_close(one, of.compute_loss(*alone))


def test_a_batch_without_a_spike_costs_something_finite() -> None:
    data = torch.zeros(TRIALS, STEPS, CHANNELS)
    found = PoissonBPS().compute_loss(data, torch.zeros(TRIALS, STEPS, CHANNELS, 1))
    assert found.isfinite().all()


def test_squared_errors(draw: torch.Generator) -> None:
    of = MSE()
    data, params = counts(draw) - 2, outputs(of, draw)
    assert torch.equal(of.compute_loss(data, params), (data - params[..., 0]) ** 2)
    assert torch.equal(of.compute_means(params), params[..., 0])


def test_gaussian(draw: torch.Generator) -> None:
    of = Gaussian()
    data, params = counts(draw) - 2, outputs(of, draw)
    exact = -Normal(params[..., 0], (0.5 * params[..., 1]).exp()).log_prob(data)
    found = of.compute_loss(data, params) + 0.5 * math.log(2 * math.pi)
    torch.testing.assert_close(found, exact)
    assert torch.equal(of.compute_means(params), params[..., 0])


def test_a_variance_that_is_nearly_none_counts_as_some() -> None:
    params = torch.tensor([[[[0.0, -50.0], [0.0, -14.0], [0.5, -13.0]]]], requires_grad=True)
    found = Gaussian().compute_loss(torch.ones(1, 1, 3), params)
    assert found[0, 0, 0].item() == pytest.approx(0.5 * (math.log(1e-6) + 1e6))
    (gradient,) = torch.autograd.grad(found.sum(), params)
    means, logvars = params.unbind(-1)
    known = gaussian_nll_loss(means, torch.ones(1, 1, 3), logvars.exp(), eps=1e-6, reduction="sum")
    torch.testing.assert_close(gradient, torch.autograd.grad(known, params)[0])


def test_gamma(draw: torch.Generator) -> None:
    of = Gamma()
    data, params = counts(draw) + 0.25, outputs(of, draw)
    alphas, betas = params.exp().unbind(-1)
    exact = -GammaDistribution(alphas, betas).log_prob(data)
    torch.testing.assert_close(of.compute_loss(data, params), exact)
    torch.testing.assert_close(of.compute_means(params), alphas / betas)


def test_zero_inflated_gamma(draw: torch.Generator) -> None:
    of, data, params = zero_inflated(draw)
    alphas, betas, q = torch.sigmoid(params.detach()).unbind(-1)
    alphas, betas = (each * scale for each, scale in zip((alphas, betas), of.scale, strict=True))
    found = of.compute_loss(data, params).detach()
    zero = data == 0
    assert 0 < zero.sum() < zero.numel()
    np.testing.assert_allclose(found[zero], -torch.log1p(-q[zero]))
    density = scipy.stats.gamma.logpdf(
        data.numpy(), alphas.detach().numpy(), loc=0.1, scale=1 / betas.detach().numpy()
    )
    expected = -(density + np.log(q.numpy()))
    np.testing.assert_allclose(found[~zero], expected[~zero.numpy()])
    means = scipy.stats.gamma.mean(
        alphas.detach().numpy(), loc=0.1, scale=1 / betas.detach().numpy()
    )
    np.testing.assert_allclose(of.compute_means(params).detach(), q.numpy() * means)


def test_zero_inflated_gamma_holds_its_scale_near_what_is_expected(draw: torch.Generator) -> None:
    of, _, _ = zero_inflated(draw)
    expected = 0.5 * 0.3 * ((of.scale - 1.5) ** 2).sum()
    assert of.compute_l2().item() == pytest.approx(expected.item())
    (gradient,) = torch.autograd.grad(of.compute_l2(), of.scale)
    torch.testing.assert_close(gradient, 0.3 * (of.scale - 1.5).detach())
    assert list(of.state_dict()) == ["scale"]
    assert Poisson().compute_l2() is None


def test_outputs_far_from_zero_cost_something_finite() -> None:
    for size in (-40.0, 40.0):
        params = torch.full((1, 1, 2, 3), size, requires_grad=True)
        found = ZeroInflatedGamma(2, **ZIG).compute_loss(torch.tensor([[[0.0, 0.5]]]), params)
        (gradient,) = torch.autograd.grad(found.sum(), params)
        assert found.isfinite().all()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("of", [Poisson(), PoissonBPS(), MSE(), Gaussian(), Gamma()], ids=str)
def test_gradients(of: Reconstruction, draw: torch.Generator) -> None:
    data, params = counts(draw) + 0.5, outputs(of, draw).requires_grad_()
    torch.autograd.gradcheck(lambda given: of.compute_loss(data, given).sum(), params)


def test_gradients_of_zero_inflated_gamma(draw: torch.Generator) -> None:
    of, data, params = zero_inflated(draw)
    torch.autograd.gradcheck(
        lambda given, _: of.compute_loss(data, given).sum(), (params.requires_grad_(), of.scale)
    )
