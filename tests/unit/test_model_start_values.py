"""What a new model holds: names, shapes, what trains, and how its weights are spread."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_models import NO_CONTROLLER, model_settings, small_model

from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.model.linear import FanInLinear


def cell(prefix: str, inputs: int, units: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{prefix}.weight_ih": (3 * units, inputs),
        f"{prefix}.weight_hh": (3 * units, units),
        f"{prefix}.bias_ih": (3 * units,),
        f"{prefix}.bias_hh": (3 * units,),
    }


# D 3, N 5, E 4, C 3, K 5, U 2, I 6, G 7, F 4 (small_models.DIMS)
COMMON = {
    "encoder.ic_enc_h0": (2, 1, 4),
    **cell("encoder.ic_enc.fwd_gru.cell", 3, 4),
    **cell("encoder.ic_enc.bwd_gru.cell", 3, 4),
    "encoder.ic_linear.weight": (12, 8),
    "encoder.ic_linear.bias": (12,),
    "decoder.ic_to_g0.weight": (7, 6),
    "decoder.ic_to_g0.bias": (7,),
    "decoder.rnn.cell.fac_linear.weight": (4, 7),
    "readout.0.weight": (5, 4),
    "readout.0.bias": (5,),
    "ic_prior.mean": (6,),
    "ic_prior.logvar": (6,),
}
WITH_CONTROLLER = COMMON | {
    "encoder.ci_enc_h0": (2, 1, 3),
    **cell("encoder.ci_enc.fwd_gru.cell", 3, 3),
    **cell("encoder.ci_enc.bwd_gru.cell", 3, 3),
    "decoder.con_h0": (1, 5),
    **cell("decoder.rnn.cell.gen_cell", 2, 7),
    **cell("decoder.rnn.cell.con_cell", 10, 5),
    "decoder.rnn.cell.co_linear.weight": (4, 5),
    "decoder.rnn.cell.co_linear.bias": (4,),
    "co_prior.logtaus": (2,),
    "co_prior.lognvars": (2,),
}
WITHOUT = COMMON | {
    "decoder.con_h0": (1, 0),
    **cell("decoder.rnn.cell.gen_cell", 2, 7),
    "co_prior.logtaus": (0,),
    "co_prior.lognvars": (0,),
}


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({}, WITH_CONTROLLER),
        (NO_CONTROLLER | {"ext_input_dim": 2}, WITHOUT),
        # Any one of the three sizes at 0 leaves out the controller and all that belongs to it.
        ({"ci_enc_dim": 0, "ext_input_dim": 2}, WITHOUT),
        ({"con_dim": 0, "ext_input_dim": 2}, WITHOUT),
        ({"co_dim": 0, "ext_input_dim": 2}, WITHOUT),
    ],
    ids=["controller", "none", "no_encoder_for_it", "no_state_for_it", "no_output_of_it"],
)
def test_parameters_have_the_names_and_shapes_that_checkpoints_share(
    case: dict[str, Any], expected: dict[str, tuple[int, ...]]
) -> None:
    state = LFADS(model_settings(**case)).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == expected


def test_all_trains_but_recurrent_biases_and_the_prior_s_variance() -> None:
    model = LFADS(model_settings())
    fixed = {name for name, p in model.named_parameters() if not p.requires_grad}
    biases = {name for name in WITH_CONTROLLER if name.endswith("bias_hh")}
    assert fixed == biases | {"ic_prior.logvar"}
    assert all(not model.state_dict()[name].any() for name in biases)


def test_a_read_out_can_be_fixed() -> None:
    settings = model_settings()
    settings["readout"]["modules"][0]["requires_grad"] = False
    model = LFADS(settings)
    assert [p.requires_grad for p in model.readout[0].parameters()] == [False, False]


def test_biases_and_start_states_begin_where_they_should() -> None:
    state = LFADS(model_settings()).state_dict()
    for name, value in state.items():
        if name.endswith("bias_ih"):
            gates = 2 * len(value) // 3
            assert (value[:gates] == 1).all(), name  # z and r
            assert (value[gates:] == 0).all(), name  # n
        elif name.endswith(("_h0", ".bias")):
            assert not value.any(), name


def test_priors_begin_as_configured() -> None:
    ic = {"_target_": "lfads_torch.modules.priors.MultivariateNormal"}
    co = {"_target_": "lfads_torch.modules.priors.AutoregressiveMultivariateNormal"}
    model = LFADS(
        model_settings(
            ic_prior=ic | {"mean": 0.5, "variance": 0.2, "shape": 6},
            co_prior=co | {"tau": 7.0, "nvar": 0.3, "shape": 2},
        )
    )
    assert torch.allclose(model.ic_prior.mean, torch.tensor(0.5))
    assert torch.allclose(model.ic_prior.logvar.exp(), torch.tensor(0.2))
    assert torch.allclose(model.co_prior.logtaus.exp(), torch.tensor(7.0))
    assert torch.allclose(model.co_prior.lognvars.exp(), torch.tensor(0.3))


def test_weights_begin_normal_with_variance_one_over_their_scale() -> None:
    sizes = {"encod_data_dim": 40, "recon_data_dim": 55, "ext_input_dim": 20}
    sizes |= {"ic_enc_dim": 50, "ci_enc_dim": 30, "con_dim": 35, "co_dim": 25}
    sizes |= {"ic_dim": 60, "gen_dim": 70, "fac_dim": 45}
    state = LFADS(model_settings(**sizes), seed=1).state_dict()
    scales = {
        # Encoders: input plus state, for both matrices.
        "encoder.ic_enc.fwd_gru.cell.weight_ih": 40 + 50,
        "encoder.ic_enc.bwd_gru.cell.weight_hh": 40 + 50,
        "encoder.ci_enc.bwd_gru.cell.weight_ih": 40 + 30,
        "encoder.ci_enc.fwd_gru.cell.weight_hh": 40 + 30,
        # Decoder: each matrix's own number of inputs.
        "decoder.rnn.cell.gen_cell.weight_ih": 25 + 20,
        "decoder.rnn.cell.gen_cell.weight_hh": 70,
        "decoder.rnn.cell.con_cell.weight_ih": 2 * 30 + 45,
        "decoder.rnn.cell.con_cell.weight_hh": 35,
        "encoder.ic_linear.weight": 2 * 50,
        "decoder.ic_to_g0.weight": 60,
        "decoder.rnn.cell.fac_linear.weight": 70,
        "decoder.rnn.cell.co_linear.weight": 35,
        "readout.0.weight": 45,
    }
    for name, scale in scales.items():
        standard = state[name].double() * scale**0.5
        count = standard.numel()
        # Four standard errors of a mean, a variance and a fourth moment of normal numbers.
        assert abs(standard.mean()) < 4 / count**0.5, name
        assert abs((standard**2).mean() - 1) < 4 * (2 / count) ** 0.5, name
        assert abs((standard**4).mean() - 3) < 4 * (96 / count) ** 0.5, name


def test_start_values_come_from_the_seed_alone() -> None:
    before = torch.get_rng_state()
    one, again, other = (LFADS(model_settings(), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in one.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(one.readout[0].weight, other.readout[0].weight)


def test_weights_can_be_exchanged_through_a_state_dict() -> None:
    model, other = small_model(seed=1), small_model(seed=2)
    encod = torch.ones(2, 6, 3)
    expected = model(encod).output_params
    assert not torch.equal(other(encod).output_params, expected)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(encod).output_params, expected)


def test_the_read_out_does_not_depend_on_how_long_rows_of_the_factors_weights_are() -> None:
    model = small_model().double()
    encod = torch.ones(2, 6, 3, dtype=torch.float64)
    before = model(encod).output_params
    with torch.no_grad():
        model.decoder.rnn.cell.fac_linear.weight *= torch.tensor([[0.1], [3.0], [40.0], [1.0]])
    assert torch.allclose(model(encod).output_params, before, rtol=1e-12, atol=0)


def test_layers_of_torch_start_as_they_do_there() -> None:
    """Against torch's own, by the moments of a uniform distribution."""
    theirs = torch.nn.Linear(400, 300)
    ours = FanInLinear(400, 300, torch.Generator().manual_seed(1), uniform=True)
    for name, parameter in ours.named_parameters():
        expected = dict(theirs.named_parameters())[name]
        assert parameter.shape == expected.shape
        assert float(parameter.abs().max()) <= 1 / 20
        assert float(parameter.std()) == pytest.approx(1 / 20 / 3**0.5, rel=0.1)
        assert float(parameter.mean()) == pytest.approx(0, abs=0.01)
