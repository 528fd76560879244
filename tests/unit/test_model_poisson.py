"""The Poisson likelihood."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from autolfads_trainer.model.poisson import poisson_nll

pairs = st.tuples(st.floats(-12, 6), st.integers(0, 200))


@given(st.lists(pairs, min_size=1, max_size=30))
def test_it_is_the_full_likelihood_as_torch_defines_it(drawn: list[tuple[float, int]]) -> None:
    log_rates, counts = torch.tensor(drawn, dtype=torch.float64).T
    expected = torch.nn.functional.poisson_nll_loss(
        log_rates, counts, log_input=True, full=True, reduction="none"
    )
    assert torch.allclose(poisson_nll(log_rates, counts), expected, rtol=1e-12, atol=1e-12)


def test_log_factorials_are_zero_up_to_one_and_stirling_s_beyond() -> None:
    counts = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    stirling = 2 * torch.log(torch.tensor(2.0)) - 2 + 0.5 * torch.log(torch.tensor(4 * torch.pi))
    expected = torch.tensor([1.0, 1.0, 1.0 + float(stirling)], dtype=torch.float64)
    assert torch.allclose(poisson_nll(torch.zeros(3, dtype=torch.float64), counts), expected)


def test_the_gradient_is_rate_minus_count_also_for_silence() -> None:
    log_rates = torch.tensor([-1.0, 0.5, 2.0], dtype=torch.float64, requires_grad=True)
    counts = torch.tensor([0.0, 1.0, 7.0], dtype=torch.float64)
    poisson_nll(log_rates, counts).sum().backward()
    assert torch.allclose(log_rates.grad, log_rates.detach().exp() - counts)
