"""Posteriors that are t-distributed, as their prior is: their samples, and what they cost."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from small_models import OTHERS, data_for, never, small_member, small_model
from torch.distributions import Independent, StudentT

from autolfads_trainer.model.noise import draw_samples, draw_standard
from autolfads_trainer.model.priors import MultivariateStudentT
from autolfads_trainer.model.sizes import Sizes

CASE = OTHERS["Student's t"]


@pytest.mark.parametrize("df", [1.0, 2.5, 5.0, 40.0])
def test_standard_numbers_are_t_distributed(df: float) -> None:
    drawn = torch.empty(200, 300)
    draw_standard(drawn, df, torch.Generator().manual_seed(3))
    assert torch.isfinite(drawn).all()
    found = stats.kstest(drawn.flatten().numpy(), stats.t(df).cdf)
    assert found.pvalue > 1e-3
    beyond = [float((drawn.abs() > edge).float().mean()) for edge in (2, 10)]
    expected = [2 * stats.t(df).sf(edge) for edge in (2, 10)]
    assert beyond == pytest.approx(expected, rel=0.1, abs=2e-4)  # the tails


def test_without_degrees_of_freedom_they_are_normal_and_as_they_were() -> None:
    drawn, expected = torch.empty(40, 50), torch.empty(40, 50)
    draw_standard(drawn, 0.0, torch.Generator().manual_seed(3))
    expected.normal_(generator=torch.Generator().manual_seed(3))
    assert torch.equal(drawn, expected)


def test_each_posterior_has_the_degrees_of_freedom_of_its_prior() -> None:
    sizes = Sizes.of(small_model(**CASE).configuration)
    assert (sizes.ic_df, sizes.co_df) == (5, 3)
    assert Sizes.of(small_model().configuration).ic_df == 0
    ic, co = draw_samples(sizes, 3000, torch.Generator().manual_seed(1))
    assert stats.kstest(ic.flatten().numpy(), stats.t(5).cdf).pvalue > 1e-3
    assert stats.kstest(co.flatten().numpy(), stats.t(3).cdf).pvalue > 1e-3


def test_the_cost_is_the_mean_of_the_densities_logs_over_many_samples() -> None:
    """Against torch's distribution, and a numerical integral of the divergence."""
    prior = MultivariateStudentT(loc=0.3, scale=0.7, df=4, shape=2)
    mean, std = torch.tensor([[0.1, -0.4]]), torch.tensor([[0.5, 1.2]])
    standard = torch.empty(200_000, 2)
    draw_standard(standard, 4, torch.Generator().manual_seed(2))
    found = float(prior.kl(mean, std, standard).detach())

    def divergence(of: int) -> float:
        q = stats.t(4, loc=float(mean[0, of]), scale=float(std[0, of]))
        p = stats.t(4, loc=0.3, scale=0.7)
        return float(q.expect(lambda x: q.logpdf(x) - p.logpdf(x), lb=-np.inf, ub=np.inf))

    assert found == pytest.approx(sum(map(divergence, range(2))), abs=0.01)
    posterior, given = (
        Independent(StudentT(4.0, *arguments), 1)
        for arguments in ((mean, std), (torch.tensor(0.3), torch.full((2,), 0.7)))
    )
    few = standard[:5]
    sample = mean + std * few
    expected = (posterior.log_prob(sample) - given.log_prob(sample)).mean()
    assert float(prior.kl(mean, std, few).detach()) == pytest.approx(float(expected), rel=1e-4)
    assert torch.allclose(prior.log_prob(sample), given.log_prob(sample), rtol=1e-5)
    of_time = sample[:4].reshape(2, 2, 2)  # (R, B, U)
    expected = given.log_prob(of_time).sum(dim=0)
    assert torch.allclose(prior.log_prob(of_time), expected, rtol=1e-5)


def test_a_member_trains_location_and_scale_and_its_validation_repeats() -> None:
    member = small_member(data=data_for(CASE), epochs=3, **CASE)
    before = {name: p.clone() for name, p in member.model.named_parameters() if "prior" in name}
    assert set(before) == {
        f"{of}_prior.{name}" for of in ("ic", "co") for name in ("loc", "logscale")
    }
    member.train(never)
    for name, value in before.items():
        assert not torch.equal(value, dict(member.model.named_parameters())[name]), name
    assert member.validated() == pytest.approx(member.validated(), nan_ok=True)
    assert all(math.isfinite(row["valid/wt_kl"]) for row in member.progress.rows)
