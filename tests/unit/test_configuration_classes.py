"""`_target_` names a class: a known one, which runs no code, or one that is allowed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from configuration_examples import SIZES, error, resolved

from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.userinput import InputError


def test_the_package_s_own_names_mean_the_same_thing() -> None:
    own = """
    model:
      _target_: autolfads_trainer.model.lfads.LFADS
      ic_prior: {_target_: autolfads_trainer.model.priors.MultivariateNormal, variance: 0.4}
      reconstruction: [{_target_: autolfads_trainer.model.poisson.Poisson}]
    datamodule: {_target_: autolfads_trainer.data.BasicDataModule}
    """
    assert resolved(own) == resolved("model: {ic_prior: {variance: 0.4}}")


@pytest.mark.parametrize(
    ("readout", "readin"),
    [
        ("[{_target_: lfads_torch.modules.readin_readout.FanInLinear}]", "torch.nn.Identity"),
        (
            "{_target_: torch.nn.ModuleList,"
            " modules: [{_target_: lfads_torch.modules.readin_readout.FanInLinear}]}",
            "torch.nn.Identity",
        ),
    ],
)
def test_a_list_and_a_module_list_are_the_same(readout: str, readin: str) -> None:
    modules = f"{{_target_: torch.nn.ModuleList, modules: [{{_target_: {readin}}}]}}"
    assert resolved(f"model: {{readout: {readout}, readin: {modules}}}") == resolved()


def test_a_linear_read_in_takes_its_input_from_the_data_and_says_what_the_encoder_sees() -> None:
    linear = "{_target_: lfads_torch.modules.readin_readout.FanInLinear, out_features: 7}"
    result = resolved(f"model: {{readin: [{linear}]}}")
    assert result.configuration["model"]["readin"][0]["in_features"] == 11
    assert result.configuration["model"]["encod_data_dim"] == 11
    assert result.notes == (
        "model.readin: the encoder sees 7 channels; model.encod_data_dim stays the data's 11",
    )


def test_a_linear_read_in_needs_the_channels_that_the_data_have() -> None:
    linear = "_target_: lfads_torch.modules.readin_readout.FanInLinear"
    assert error(f"model: {{readin: [{{{linear}}}]}}") == (
        "spec.config: model.readin.0.out_features: is missing;"
        " expected a whole number of at least 1"
    )
    assert error(f"model: {{readin: [{{{linear}, in_features: 9, out_features: 7}}]}}") == (
        "spec.config: model.readin.0.in_features: found 9; expected 11,"
        " channels of encod_data in reach.h5"
    )


READ = "lfads_torch.modules.readin_readout."
RECONS = "lfads_torch.modules.recons."
PRIORS = "lfads_torch.modules.priors."
AUGMENTATIONS = "lfads_torch.modules.augmentations."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "reconstruction: [{_target_: lfads_torch.modules.recons.Poison}]",
            "model.reconstruction.0._target_: unknown class 'lfads_torch.modules.recons.Poison'"
            " (did you mean 'lfads_torch.modules.recons.Poisson'?); expected a class of the"
            " existing pipeline or of autolfads_trainer; one of one's own is allowed by"
            " --allow-import lfads_torch.modules.recons",
        ),
        (
            "ic_prior: {_target_: Poisson}",
            "model.ic_prior._target_: unknown class 'Poisson' (did you mean"
            " 'lfads_torch.modules.recons.Poisson'?); expected a class of the existing pipeline"
            " or of autolfads_trainer",
        ),
        (
            "_target_: os.system",
            "model._target_: unknown class 'os.system'; expected a class of the existing pipeline"
            " or of autolfads_trainer; one of one's own is allowed by --allow-import os",
        ),
        (
            "ic_prior: {_target_: autolfads_trainer.model.priors.MultivariatNormal}",
            "model.ic_prior._target_: unknown class"
            " 'autolfads_trainer.model.priors.MultivariatNormal'"
            " (did you mean 'autolfads_trainer.model.MultivariateNormal'?)",
        ),
        (
            "ic_prior: {_target_: lfads_torch.modules.recons.Poisson}",
            "model.ic_prior._target_: found lfads_torch.modules.recons.Poisson; expected a prior of"
            " the initial condition: lfads_torch.modules.priors.MultivariateNormal",
        ),
        ("ic_prior: {_target_: 3}", "model.ic_prior._target_: found 3; expected the name of"),
    ],
)
def test_an_unknown_class_names_the_nearest_and_the_way_to_allow_it(
    text: str, message: str
) -> None:
    assert error(f"model: {{{text}}}").startswith(f"spec.config: {message}")


def test_a_class_is_imported_only_where_its_module_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "side_effect_of_naming.py").write_text("raise ValueError('imported')\n")
    sys.path.insert(0, str(tmp_path))
    try:
        spec = {"config": {"model": {"ic_prior": {"_target_": "side_effect_of_naming.Prior"}}}}
        with pytest.raises(InputError, match="unknown class 'side_effect_of_naming"):
            resolve(spec, config_file=None, sizes=SIZES, allow_import=("side_effect",))
        with pytest.raises(InputError, match="importing it failed: ValueError: imported"):
            resolve(spec, config_file=None, sizes=SIZES, allow_import=("side_effect_of_naming",))
    finally:
        sys.path.remove(str(tmp_path))


STACK = "model: {train_aug_stack: {%s}}"
DROPOUT = "{_target_: lfads_torch.modules.augmentations.CoordinatedDropout, cd_rate: 0.2%s}"


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        ("batch_order: [1], loss_order: [0]",
         "batch_order.0: found 1; expected 0 to 0"),
        ("loss_order: [-1]", "loss_order.0: found -1; expected 0 to 0"),
        ("loss_order: [true]", "loss_order.0: found true; expected 0 to 0"),
        ("transforms: [], batch_order: [0]",
         "batch_order.0: found 0; expected no index: transforms is empty"),
        ("loss_order: []", "loss_order: lacks 0, CoordinatedDropout; expected it in both orders:"
                           " what it does to a batch is made good in the loss"),
        ("loss_order: [0, 0]", "loss_order: found [0, 0]; expected each index at most once"),
        ("transforms: 3", "transforms: found 3; expected a list"),
        (f"transforms: [{DROPOUT % ''}, {DROPOUT % ''}], batch_order: [0, 1], loss_order: [0, 1]",
         "transforms: found CoordinatedDropout more than once; expected one of each"),
        (f"transforms: [{DROPOUT % ', ic_enc_seq_len: 3'}]",
         "transforms.0.ic_enc_seq_len: found 3; expected 0, model.ic_enc_seq_len"),
        (f"transforms: [{DROPOUT % ', cd_pass_rate: 1'}]",
         "transforms.0.cd_pass_rate: found 1; expected a number of at least 0 and below 1"),
    ],
)  # fmt: skip
def test_augmentations_that_do_not_fit_their_orders(stack: str, message: str) -> None:
    assert error(STACK % stack) == f"spec.config: model.train_aug_stack.{message}"


def test_dropout_in_neither_order_is_off_and_noted() -> None:
    result = resolved(STACK % "batch_order: [], loss_order: []")
    assert result.configuration["model"]["train_aug_stack"]["transforms"] == []
    assert result.notes[0].startswith("model.train_aug_stack: CoordinatedDropout is listed but")


def test_validation_is_not_at_random() -> None:
    stack = f"transforms: [{DROPOUT % ''}], batch_order: [0], loss_order: [0]"
    assert error(f"model: {{infer_aug_stack: {{{stack}}}}}") == (
        "spec.config: model.infer_aug_stack.transforms: found CoordinatedDropout; expected it in"
        " model.train_aug_stack alone: validation is the same in every epoch"
    )


def test_there_is_a_part_for_each_session_or_one_for_all() -> None:
    two = "model: {readin: [{_target_: torch.nn.Identity}, {_target_: torch.nn.Identity}]}"
    assert error(two) == (
        "spec.config: model.readin: found 2; expected one read-in for each of the 1 sessions, or"
        " one for all"
    )


def test_a_part_outside_a_list_is_told_to_be_in_one() -> None:
    text = "model: {readin: {_target_: torch.nn.Identity}}"
    assert error(text) == "spec.config: model.readin: found one read-in; expected a list of one"


def model_of(text: str) -> dict[str, Any]:
    section: dict[str, Any] = resolved(f"model: {{{text}}}").configuration["model"]
    return section


@pytest.mark.parametrize(
    ("name", "each"), [("PoissonBPS", 1), ("MSE", 1), ("Gaussian", 2), ("Gamma", 2)]
)
def test_a_read_out_has_the_parameters_of_its_reconstruction(name: str, each: int) -> None:
    model = model_of(f"reconstruction: [{{_target_: {RECONS}{name}}}]")
    assert model["readout"]["modules"][0]["out_features"] == each * SIZES.recon_dim
    assert model["reconstruction"] == [{"_target_": RECONS + name}]


ZIG = f"_target_: {RECONS}ZeroInflatedGamma, gamma_loc: 0.1, scale_init: 1, scale_prior: 1"


def test_zero_inflated_gamma_knows_its_channels() -> None:
    model = model_of(f"reconstruction: [{{{ZIG}, scale_penalty: 0.2}}]")
    assert model["reconstruction"][0]["recon_dim"] == SIZES.recon_dim
    assert model["readout"]["modules"][0]["out_features"] == 3 * SIZES.recon_dim


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"reconstruction: [{{{ZIG}}}]", "model.reconstruction.0.scale_penalty: is missing;"),
        (
            f"reconstruction: [{{{ZIG}, scale_penalty: 1, recon_dim: 4}}]",
            f"model.reconstruction.0.recon_dim: found 4; expected {SIZES.recon_dim}, channels of",
        ),
        (
            f"reconstruction: [{{_target_: {RECONS}Gaussian}}],"
            f" readout: [{{_target_: {READ}FanInLinear, out_features: {SIZES.recon_dim}}}]",
            f"model.readout.0.out_features: found {SIZES.recon_dim}; expected"
            f" {2 * SIZES.recon_dim}, 2 for each of the {SIZES.recon_dim} channels of recon_data",
        ),
        (
            f"variational: false, ic_prior: {{_target_: {PRIORS}MultivariateNormal}}",
            f"model.ic_prior._target_: found {PRIORS}MultivariateNormal; expected"
            f" {PRIORS}Null: nothing is sampled, since model.variational is false",
        ),
        (
            f"co_prior: {{_target_: {PRIORS}Null}}",
            f"model.co_prior._target_: found {PRIORS}Null; expected a prior, since"
            " model.variational is true",
        ),
    ],
)
def test_parts_that_do_not_fit_are_told(text: str, message: str) -> None:
    assert error(f"model: {{{text}}}").startswith(f"spec.config: {message}")


def test_without_sampling_there_are_no_priors() -> None:
    null = f"{{_target_: {PRIORS}Null}}"
    model = model_of(f"variational: false, ic_prior: {null}, co_prior: {null}")
    assert model["ic_prior"] == model["co_prior"] == {"_target_": PRIORS + "Null"}
    assert model == model_of("variational: false")  # where nobody says otherwise


def test_the_control_may_have_a_normal_prior() -> None:
    model = model_of(f"co_prior: {{_target_: {PRIORS}MultivariateNormal, mean: 0, variance: 0.2}}")
    assert model["co_prior"]["shape"] == model["co_dim"]
