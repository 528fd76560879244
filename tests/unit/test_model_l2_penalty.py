"""The L2 penalty on recurrent kernels."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from small_models import NO_CONTROLLER, small_model

from autolfads_trainer.model.penalties import l2_penalty

KERNELS = {
    "l2_ic_enc_scale": ("encoder.ic_enc.fwd_gru", "encoder.ic_enc.bwd_gru"),
    "l2_ci_enc_scale": ("encoder.ci_enc.fwd_gru", "encoder.ci_enc.bwd_gru"),
    "l2_gen_scale": ("decoder.rnn.cell.gen_cell",),
    "l2_con_scale": ("decoder.rnn.cell.con_cell",),
}
SCALES = dict(zip(KERNELS, (0.1, 0.2, 0.3, 0.4), strict=True))


@pytest.mark.parametrize("case", [{}, NO_CONTROLLER], ids=["controller", "none"])
@pytest.mark.parametrize("penalised", list(itertools.product([True, False], repeat=4)))
def test_only_penalised_kernels_count_in_the_sum_and_in_the_number_of_elements(
    case: dict[str, Any], penalised: tuple[bool, ...]
) -> None:
    model = small_model(seed=2, **case).double()
    state = model.state_dict()
    scales = {name: scale * on for (name, scale), on in zip(SCALES.items(), penalised, strict=True)}
    total, elements = 0.0, 0
    for name, prefixes in KERNELS.items():
        for prefix in prefixes:
            end = "weight_hh" if prefix.endswith("_cell") else "cell.weight_hh"
            kernel = state.get(f"{prefix}.{end}")
            if kernel is not None and scales[name] > 0:
                total += scales[name] * sum(float(value) ** 2 for value in kernel.flatten()) / 2
                elements += kernel.numel()
    tensors = {name: torch.tensor(scale, dtype=torch.float64) for name, scale in scales.items()}
    found = l2_penalty(dict(model.named_parameters()), tensors)
    assert float(found.detach()) == pytest.approx(total / (elements + 1e-8), rel=1e-9, abs=1e-30)


def test_nothing_but_penalised_kernels_is_pulled_to_zero() -> None:
    model = small_model(seed=2)
    zero = dict.fromkeys(KERNELS, torch.tensor(0.0))
    l2_penalty(
        dict(model.named_parameters()), zero | {"l2_con_scale": torch.tensor(0.5)}
    ).backward()
    for name, parameter in model.named_parameters():
        pulled = parameter.grad is not None and bool(parameter.grad.any())
        assert pulled == (name == "decoder.rnn.cell.con_cell.weight_hh"), name
