"""What leaving a prior costs, against torch's own distributions."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Independent, Normal, StudentT, kl_divergence
from torch.distributions import MultivariateNormal as Dense

from autolfads_trainer.model.priors import (
    AutoregressiveMultivariateNormal,
    MultivariateNormal,
    MultivariateStudentT,
    Null,
    Prior,
)


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def autoregressive(dims: int) -> AutoregressiveMultivariateNormal:
    """Return a prior with another time constant and noise in every dimension."""
    prior = AutoregressiveMultivariateNormal(tau=5.0, nvar=0.2, shape=dims).double()
    with torch.no_grad():
        prior.logtaus += 0.5 * randn(dims, seed=1)
        prior.lognvars += 0.5 * randn(dims, seed=2)
    return prior


def dense(prior: AutoregressiveMultivariateNormal, dim: int, steps: int) -> Dense:
    """Return the same process as one normal distribution over all steps of a dimension."""
    alpha = math.exp(-1 / math.exp(prior.logtaus[dim].item()))
    variance = math.exp(prior.lognvars[dim].item()) / (1 - alpha**2)
    lags = (torch.arange(steps)[:, None] - torch.arange(steps)[None]).abs()
    covariance = variance * torch.tensor(alpha, dtype=torch.float64) ** lags
    return Dense(torch.zeros(steps, dtype=torch.float64), covariance)


@pytest.mark.parametrize("seed", range(4))
def test_the_cost_of_an_initial_condition_is_the_mean_divergence_of_its_trials(seed: int) -> None:
    prior = MultivariateNormal(mean=0.3, variance=0.1 + seed, shape=5).double()
    with torch.no_grad():
        prior.mean += randn(5, seed=seed)
    mean, std = randn(7, 5, seed=10 + seed), randn(7, 5, seed=20 + seed).exp()
    theirs = Normal(prior.mean, prior.logvar.exp().sqrt())
    expected = kl_divergence(Normal(mean, std), theirs).sum(dim=1).mean()
    assert torch.allclose(prior.kl(mean, std), expected, rtol=1e-12)


def test_a_posterior_equal_to_the_prior_costs_nothing() -> None:
    prior = MultivariateNormal(mean=0.5, variance=0.2, shape=3).double()
    mean, std = torch.full((2, 3), 0.5), torch.full((2, 3), 0.2).sqrt()
    assert prior.kl(mean.double(), std.double()).abs() < 1e-7


def test_the_prior_s_mean_follows_the_posterior_and_its_variance_stays() -> None:
    prior = MultivariateNormal(mean=0.0, variance=0.1, shape=2)
    prior.kl(torch.ones(3, 2), torch.ones(3, 2)).backward()
    assert (prior.mean.grad < 0).all()
    assert prior.logvar.grad is None


@pytest.mark.parametrize("steps", [1, 2, 3, 9])
@pytest.mark.parametrize("dims", [1, 3])
def test_an_autoregressive_path_has_the_density_of_its_joint_normal(steps: int, dims: int) -> None:
    prior = autoregressive(dims)
    sample = randn(steps, 4, dims, seed=steps)
    expected = sum(dense(prior, dim, steps).log_prob(sample[:, :, dim].T) for dim in range(dims))
    assert torch.allclose(prior.log_prob(sample), expected, rtol=1e-10)


def test_the_cost_of_a_control_is_that_of_the_very_sample_that_was_used() -> None:
    prior = autoregressive(2)
    means, stds, standard = randn(6, 4, 2, seed=3), randn(6, 4, 2, seed=4).exp(), randn(6, 4, 2)
    sample = means + stds * standard
    log_q = Normal(means, stds).log_prob(sample).sum(dim=(0, 2))
    log_p = sum(dense(prior, dim, 6).log_prob(sample[:, :, dim].T) for dim in range(2))
    assert torch.allclose(prior.kl(means, stds, standard), (log_q - log_p).mean(), rtol=1e-10)


def test_over_many_samples_the_cost_of_a_control_is_the_exact_divergence() -> None:
    prior = autoregressive(1)
    steps, samples = 4, 20000
    mean, std = randn(steps, 1, 1, seed=3), (0.3 * randn(steps, 1, 1, seed=4)).exp()
    wide = (steps, samples, 1)
    found = prior.kl(mean.expand(wide), std.expand(wide), randn(*wide))
    posterior = Dense(mean[:, 0, 0], torch.diag(std[:, 0, 0] ** 2))
    exact = float(kl_divergence(posterior, dense(prior, 0, steps)))
    assert found.item() == pytest.approx(exact, rel=0.03)


def test_time_constant_and_noise_of_an_autoregressive_prior_are_trained() -> None:
    prior = AutoregressiveMultivariateNormal(tau=10.0, nvar=0.1, shape=2)
    prior.kl(torch.ones(5, 3, 2), torch.ones(5, 3, 2), torch.ones(5, 3, 2)).backward()
    assert prior.logtaus.grad.all()
    assert prior.lognvars.grad.all()


def student(dims: int, df: int = 4) -> MultivariateStudentT:
    """Return a prior with another location and scale in every dimension."""
    prior = MultivariateStudentT(loc=0.2, scale=0.5, df=df, shape=dims).double()
    assert prior.loc.tolist() == pytest.approx([0.2] * dims)
    with torch.no_grad():
        prior.loc += randn(dims, seed=1)
        prior.logscale += 0.5 * randn(dims, seed=2)
    return prior


@pytest.mark.parametrize("shape", [(7, 3), (5, 7, 3)], ids=["initial condition", "control"])
def test_the_cost_under_a_student_s_t_is_that_of_the_very_sample(shape: tuple[int, ...]) -> None:
    prior = student(3)
    mean, std, standard = randn(*shape, seed=3), randn(*shape, seed=4).exp(), randn(*shape)
    sample = mean + std * standard
    left = StudentT(4.0, mean, std).log_prob(sample)
    left = left - StudentT(4.0, prior.loc, prior.logscale.exp()).log_prob(sample)
    summed = left.sum(dim=-1) if len(shape) == 2 else left.sum(dim=(0, -1))
    torch.testing.assert_close(prior.kl(mean, std, standard), summed.mean())


def test_over_many_samples_a_student_s_t_of_many_degrees_costs_what_a_normal_does() -> None:
    prior = student(2, df=10_000)
    mean, std = randn(1, 2, seed=3), randn(1, 2, seed=4).exp()
    wide = (200_000, 2)
    found = prior.kl(mean.expand(wide), std.expand(wide), randn(*wide))
    theirs = Independent(Normal(prior.loc, prior.logscale.exp()), 1)
    exact = kl_divergence(Independent(Normal(mean, std), 1), theirs).mean()
    assert found.item() == pytest.approx(exact.item(), rel=0.01)


def test_a_prior_that_is_estimated_wants_a_sample() -> None:
    with pytest.raises(ValueError, match="expected its standard numbers"):
        student(2).kl(randn(3, 2), randn(3, 2).exp())


def test_no_prior_costs_nothing_and_has_no_parameters() -> None:
    prior = Null()
    assert prior.kl(randn(3, 2), randn(3, 2)).item() == 0
    assert not prior.state_dict()


def test_a_normal_prior_of_a_control_costs_the_mean_over_trials_and_time() -> None:
    prior = MultivariateNormal(mean=0.3, variance=0.4, shape=2).double()
    means, stds = randn(5, 7, 2, seed=3), randn(5, 7, 2, seed=4).exp()
    theirs = Normal(prior.mean, prior.logvar.exp().sqrt())
    expected = kl_divergence(Normal(means, stds), theirs).sum(dim=-1).mean()
    torch.testing.assert_close(prior.kl(means, stds), expected)


OF_TRIALS, OF_STEPS = (4, 3), (5, 4, 3)


@pytest.mark.parametrize(
    ("prior", "shape"),
    [
        (MultivariateNormal(0.1, 0.5, 3).double(), OF_TRIALS),
        (MultivariateNormal(0.1, 0.5, 3).double(), OF_STEPS),
        (student(3), OF_TRIALS),
        (student(3), OF_STEPS),
        (autoregressive(3), OF_STEPS),
    ],
)
def test_members_on_a_leading_axis_each_pay_by_their_own_prior(
    prior: Prior, shape: tuple[int, ...]
) -> None:
    stacked = {
        name: torch.stack([value, 0.5 * value]).detach() for name, value in prior.named_parameters()
    }
    mean, standard = randn(2, *shape, seed=5), randn(2, *shape, seed=6)
    std = randn(2, *shape, seed=7).exp()
    found = prior.divergence(stacked, mean, std, standard)
    assert found.shape == (2,)
    for member in range(2):
        own = {name: value[member] for name, value in stacked.items()}
        alone = prior.divergence(own, mean[member], std[member], standard[member])
        torch.testing.assert_close(found[member], alone)
