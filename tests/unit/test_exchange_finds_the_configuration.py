"""The configuration of a foreign model: from what was saved, from its weights, from its user."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import lightning_examples as examples
import pytest
import torch
from hostile_files import check_sentence
from small_models import NO_CONTROLLER, NORMAL, OTHERS, model_settings

from autolfads_trainer.config import classes
from autolfads_trainer.config.sections import ModelSection
from autolfads_trainer.exchange.configuration import Description, configuration_of, describe
from autolfads_trainer.exchange.lightning import Foreign, read_lightning
from autolfads_trainer.exchange.shapes import shapes_of
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.userinput import InputError

READIN = {"readin": [{"_target_": classes.FAN_IN_LINEAR, "out_features": 2}]}
CASES: dict[str, dict[str, Any]] = {
    "usual": {},
    "no controller": NO_CONTROLLER,
    "external input": {"ext_input_dim": 2, "ic_enc_seq_len": 2},
    "linear read-in": READIN,
    **{name: OTHERS[name] for name in ("PoissonBPS", "MSE", "Gaussian", "ZeroInflatedGamma")},
    **{name: OTHERS[name] for name in ("not variational", "normal prior of the control")},
}
EVERY = CASES | OTHERS  # sessions and all


@pytest.fixture
def read(tmp_path):
    """Return a function that writes a checkpoint of a model and reads it."""

    def read(model: LFADS, **changes: Any) -> Foreign:
        return read_lightning(examples.saved(tmp_path / "a.ckpt", model, **changes))

    return read


def refusal(foreign: Foreign, config: dict[str, Any] | None = None) -> str:
    """Return what a foreign model is refused with."""
    with pytest.raises(InputError) as caught:
        describe(foreign, config)
    message = str(caught.value)
    if not message.startswith("config: "):
        check_sentence(caught.value, foreign.path)
    return message.replace(str(foreign.path), "a.ckpt")


def note(description: Description, word: str) -> str:
    """Return the one note with `word` in it."""
    (found,) = (line for line in description.notes if word in line)
    return found


@pytest.mark.parametrize("case", EVERY)
def test_the_shapes_of_a_model_are_known_without_building_it(case):
    settings = model_settings(**EVERY[case])

    weights = LFADS(settings).state_dict()

    assert shapes_of(settings) == {name: tuple(weight.shape) for name, weight in weights.items()}


@pytest.mark.parametrize("case", CASES)
def test_with_the_run_s_configuration_it_is_the_model_s(case, read):
    model = examples.model(**CASES[case])
    expected = model.configuration
    (dropout,) = expected["train_aug_stack"]["transforms"]

    found = describe(read(model), {"model": expected})

    changed = {"transforms": [{**dropout, "cd_rate": 0.37, "cd_pass_rate": 0.1}]}
    train = expected["train_aug_stack"] | changed
    assert found.model == {**expected, "train_aug_stack": train}
    assert found.notes == ()


def test_without_one_what_nobody_says_is_usual_and_told(read):
    model = examples.model()

    found = describe(read(model))

    (dropout,) = model.configuration["train_aug_stack"]["transforms"]
    train = found.model["train_aug_stack"]
    assert train["transforms"] == [{**dropout, "cd_rate": 0.37, "cd_pass_rate": 0.1}]
    assert found.model == {**model.configuration, "train_aug_stack": train}
    assert note(found, "as usual") == (
        "not in the file, so as usual: model.co_prior.tau, model.co_prior.nvar, model.ic_prior.mean"
    )
    assert note(found, "assumed") == (
        "model.reconstruction.0: Poisson with 5 channels is assumed; the file does not say, and"
        " PoissonBPS or MSE would have the same weights"
    )
    assert len(found.notes) == 2


def test_where_it_could_be_another_reconstruction_that_is_told(read):
    found = describe(read(examples.model(**OTHERS["Gaussian"])))

    assert found.model["reconstruction"] == [{"_target_": classes.POISSON}]
    assert found.model["readout"]["modules"][0]["out_features"] == 10
    assert note(found, "assumed").endswith(" and so would Gaussian or Gamma with 5 channels")


def test_sizes_that_were_not_saved_are_those_of_the_weights(read):
    model = examples.model(ext_input_dim=2)
    sizes = {name: ... for name in model.configuration if name.endswith("_dim")}

    found = configuration_of(read(model, **sizes))

    assert {name: found[name] for name in sizes} == {
        name: model.configuration[name] for name in sizes
    }


def test_settings_that_were_not_saved_are_the_configuration_s_else_usual(read):
    foreign = read(examples.model(), lr_init=..., l2_gen_scale=..., train_aug_stack=...)
    dropout = {"_target_": "autolfads_trainer.model.CoordinatedDropout", "cd_rate": 0.2}
    stack = {"_target_": classes.STACK, "transforms": [dropout], "batch_order": [0]}

    found = configuration_of(foreign, {"model": {"lr_init": 0.01, "train_aug_stack": stack}})

    assert (found["lr_init"], found["l2_gen_scale"]) == (0.01, 0.0)
    assert found["train_aug_stack"] == {
        "_target_": classes.STACK,
        "transforms": [{"_target_": classes.COORDINATED_DROPOUT, "cd_rate": 0.2}],
        "batch_order": [0],
        "loss_order": [],
    }
    assert "model.train_aug_stack" in note(describe(foreign), "as usual")


def test_what_was_tuned_is_as_saved_and_the_difference_told(read):
    model = examples.model(lr_init=0.002, dropout_rate=0.25)

    found = describe(read(model), {"model": {"lr_init": 0.004, "dropout_rate": 0.25}})

    assert found.model["lr_init"] == 0.002
    assert note(found, "as saved") == "as saved, and not as in config: lr_init"


def test_a_configuration_of_another_run_is_refused(read):
    assert refusal(read(examples.model()), {"model": {"gen_dim": 9}}) == (
        "config: model.gen_dim: found 9; expected 7, as a.ckpt was saved with"
    )


def test_references_within_a_configuration_are_followed(read):
    prior = {"_target_": classes.NORMAL, "mean": "${other.mean}", "variance": 1}
    config = {"model": {"ic_prior": prior}, "other": {"mean": 0.25}}

    assert configuration_of(read(examples.model()), config)["ic_prior"]["mean"] == 0.25


def test_a_model_section_alone_is_a_configuration_too(read):
    config = {"_target_": "lfads_torch.model.LFADS", "readin": "${nobody.knows}"}
    config |= {"reconstruction": [{"_target_": "${model.kind}"}]}

    with pytest.raises(InputError, match=r"unknown key"):
        describe(read(examples.model()), config | {"kind": classes.GAMMA})
    config["reconstruction"] = {"_target_": "x.MultisessionReconstruction"} | {
        "recon": {"_target_": "autolfads_trainer.model.reconstructions.MSE"}
    }
    found = configuration_of(read(examples.model()), config)["reconstruction"]
    assert found == [{"_target_": "lfads_torch.modules.recons.MSE"}]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "config: model: found null; expected a mapping"),
        ({"model": [1]}, "config: model: found [1]; expected a mapping"),
        ({"model": {"gen_dmi": 1}}, "config: model.gen_dmi: unknown key"),
        ({"model": {"ic_prior": 3}}, "config: model.ic_prior: found 3; expected a mapping whose"),
        (
            {"model": {"reconstruction": []}},
            "config: model.reconstruction: found a list of 0; expected one of 1, since the",
        ),
        (
            {"model": {"reconstruction": {"modules": [{"_target_": "my.Own"}]}}},
            "config: model.reconstruction.0: found my.Own; expected lfads_torch.modules.recons.P",
        ),
        (
            {"model": {"reconstruction": [{"_target_": classes.GAMMA}]}},
            f"config: model.reconstruction.0: found {classes.GAMMA}; expected one of which 5"
            " outputs, as the read-out in a.ckpt has, are 2 for each channel",
        ),
        (
            {"model": {"co_prior": NORMAL}},
            f"config: model.co_prior._target_: found {classes.NORMAL}; expected"
            f" {classes.AUTOREGRESSIVE}, by the weights in a.ckpt",
        ),
        (
            {"model": {"co_prior": {"_target_": classes.AUTOREGRESSIVE, "tau": 0}}},
            "config: model.co_prior.tau: found 0; expected a number above 0",
        ),
        (
            {"model": {"ic_prior": {"_target_": classes.NORMAL, "mean": True}}},
            "config: model.ic_prior.mean: found true; expected a number",
        ),
    ],
)
def test_a_configuration_that_makes_no_sense(config, message, read):
    assert refusal(read(examples.model()), config).startswith(message)


def test_channels_that_the_encoder_sees_are_the_data_s_or_the_read_in_s(read):
    foreign = read(examples.model(**READIN), encod_data_dim=...)

    for channels in (2, 3):
        found = configuration_of(foreign, {"model": {"encod_data_dim": channels}})
        assert found["encod_data_dim"] == 3
    assert refusal(foreign, {"model": {"encod_data_dim": 4}}).startswith(
        "config: model.encod_data_dim: found 4; expected 2, as a.ckpt was saved with"
    )


# Priors.


def test_priors_are_known_by_their_weights(read):
    found = configuration_of(read(examples.model(co_prior=NORMAL, co_dim=3)))

    assert found["ic_prior"] == {"_target_": classes.NORMAL} | {
        "mean": 0.0,
        "variance": 0.1,
        "shape": 6,
    }
    assert found["co_prior"]["_target_"] == classes.NORMAL
    assert (found["co_prior"]["variance"], found["co_prior"]["shape"]) == (0.3, 3)
    assert configuration_of(read(examples.model(**OTHERS["not variational"])))["co_prior"] == {
        "_target_": classes.NULL
    }


def with_student_t(model: LFADS, name: str) -> LFADS:
    size = model.configuration[name.replace("prior", "dim")]
    prior = {"_target_": classes.STUDENT_T, "loc": 0.2, "scale": 1.5, "df": 4, "shape": size}
    changed = LFADS({**model.configuration, name: prior})
    changed.load_state_dict(
        {k: v for k, v in model.state_dict().items() if not k.startswith(name)}, strict=False
    )
    return changed


def test_degrees_of_freedom_are_read_where_they_are(read):
    foreign = read(with_student_t(examples.model(), "co_prior"))

    assert configuration_of(foreign)["co_prior"] == {"_target_": classes.STUDENT_T} | {
        "loc": 0.0,
        "scale": 1.0,
        "df": 4.0,
        "shape": 2,
    }


def test_degrees_of_freedom_that_nobody_says_are_asked_for(read):
    foreign = read(with_student_t(examples.model(), "ic_prior"))

    assert refusal(foreign) == (
        "a.ckpt: holds a MultivariateStudentT as ic_prior, and not its df; expected a"
        " configuration with model.ic_prior"
    )
    config = {"model": {"ic_prior": {"_target_": classes.STUDENT_T, "df": 6}}}
    assert configuration_of(foreign, config)["ic_prior"]["df"] == 6


# Reconstructions with weights.


def test_what_a_zero_inflated_gamma_adds_is_asked_for(read):
    model = examples.model(**OTHERS["ZeroInflatedGamma"])

    assert refusal(read(model)) == (
        "a.ckpt: holds a ZeroInflatedGamma, and not its gamma_loc; expected a configuration with"
        " model.reconstruction"
    )
    config = {"model": {"reconstruction": [{"_target_": classes.POISSON}]}}
    assert refusal(read(model), config).startswith(
        f"config: model.reconstruction.0: found {classes.POISSON}; expected"
        f" {classes.ZERO_INFLATED_GAMMA}, whose scale"
    )
    config = {"model": {"reconstruction": [{"_target_": classes.ZERO_INFLATED_GAMMA}]}}
    assert refusal(read(model), config) == (
        "config: model.reconstruction.0.gamma_loc: is missing; expected a number"
    )


# Augmentations.


def test_augmentations_are_as_a_configuration_names_them(read):
    shift = examples.TemporalShift(2.0, 5)
    dropout = examples.CoordinatedDropout(0.5, 0.0, 1)
    stack = examples.AugmentationStack([shift, dropout], [dropout])
    augmented = examples.AugmentationStack([], [examples.OwnTransform()])

    found = describe(read(examples.model(), train_aug_stack=stack, infer_aug_stack=augmented))

    folder = "lfads_torch.modules.augmentations"
    assert found.model["train_aug_stack"] == {
        "_target_": f"{folder}.AugmentationStack",
        "transforms": [
            {"_target_": f"{folder}.TemporalShift", "std": 2.0, "max_shift": 5},
            {"_target_": f"{folder}.CoordinatedDropout", "cd_rate": 0.5, "cd_pass_rate": 0.0}
            | {"ic_enc_seq_len": 1},
        ],
        "batch_order": [0, 1],
        "loss_order": [1],
    }
    assert found.model["infer_aug_stack"]["transforms"] == []
    assert note(found, "infer_aug_stack") == (
        "model.infer_aug_stack: left out, as not known: lfads_torch.extensions.mine.OwnTransform"
    )


# Sessions.


def of_two_sessions(model: LFADS, **readins: tuple[int, int]) -> dict[str, torch.Tensor]:
    """Return a model's weights with linear read-ins, and a second read-out of 3 channels."""
    weights = dict(model.state_dict())
    for session, shape in readins.items():
        weights[f"readin.{session[1:]}.weight"] = torch.ones(shape)
        weights[f"readin.{session[1:]}.bias"] = torch.ones(shape[:1])
    weights["readout.1.weight"] = torch.ones(3, 4)
    weights["readout.1.bias"] = torch.ones(3)
    return weights


def test_several_sessions_have_lists(read):
    foreign = read(examples.model())
    weights = of_two_sessions(examples.model(), s0=(3, 8), s1=(3, 2))

    found = configuration_of(replace(foreign, state_dict=weights))

    assert [part["in_features"] for part in found["readin"]] == [8, 2]
    assert [part["out_features"] for part in found["readin"]] == [3, 3]
    assert [part["out_features"] for part in found["readout"]["modules"]] == [5, 3]
    assert found["reconstruction"] == [{"_target_": classes.POISSON}] * 2


def test_sessions_whose_read_ins_do_not_fit_are_refused(read):
    foreign = read(examples.model())
    weights = of_two_sessions(examples.model(), s0=(3, 8), s1=(2, 2))

    message = refusal(replace(foreign, state_dict=weights))

    assert message.startswith("a.ckpt: state_dict: readin.1.weight is (2, 2) and not (3, 2), ")


# What does not fit.


def test_weights_of_another_size_than_was_saved_are_told(read):
    assert refusal(read(examples.model(), gen_dim=9)) == (
        "a.ckpt: hyper_parameters.gen_dim: found 9; expected 7, by the weights"
    )


def test_names_that_are_missing_or_unexpected_are_told(read):
    foreign = read(examples.model())
    weights = dict(foreign.state_dict)
    del weights["readout.0.bias"]
    weights["behaviour.weight"] = torch.ones(2)
    weights["decoder.con_h0"] = torch.ones(5)

    assert refusal(replace(foreign, state_dict=weights)) == (
        "a.ckpt: state_dict: missing readout.0.bias; unexpected behaviour.weight; decoder.con_h0"
        " is (5,) and not (1, 5); expected the weights of the LFADS that it speaks of"
    )


def test_a_long_list_of_names_is_cut(read):
    foreign = read(examples.model())
    weights = foreign.state_dict | {f"w{number}": torch.ones(1) for number in range(30)}

    assert "w6, w7 and 22 more" in refusal(replace(foreign, state_dict=weights))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"readout.0.weight": None}, "a.ckpt: has no 'readout.0.weight', but readin"),
        ({"decoder.con_h0": torch.ones(1, 5).int()}, "a.ckpt: state_dict: 'decoder.con_h0' is of"),
        ({"readout.0.weight": torch.ones(2)}, "a.ckpt: state_dict: 'readout.0.weight' is of shape"),
    ],
)
def test_weights_of_no_model(change, message, read):
    foreign = read(examples.model(**READIN))
    weights = {k: v for k, v in (foreign.state_dict | change).items() if v is not None}

    assert refusal(replace(foreign, state_dict=weights)).startswith(message)


@pytest.mark.parametrize("name", ["encod_seq_len", "recon_seq_len"])
def test_lengths_that_nobody_says_are_asked_for(name, read):
    foreign = read(examples.model(), **{name: ...})

    assert refusal(foreign) == (
        f"a.ckpt: has no hyper_parameters.{name}; expected it there, or in a configuration that"
        " is given"
    )
    assert configuration_of(foreign, {"model": {name: 8}})[name] == 8


def test_a_setting_of_the_wrong_kind_is_told_by_its_place(read):
    assert refusal(read(examples.model(), dropout_rate=1.5)) == (
        "a.ckpt: hyper_parameters.dropout_rate: found 1.5; expected a number of at least 0 and"
        " below 1"
    )


def test_what_is_not_used_is_told(read):
    foreign = read(examples.model(), gen_type="gru", _instantiator="x")

    found = describe(replace(foreign, left_out=("valid_recon_smth.value",)))

    assert note(found, "not used") == "not used of hyper_parameters: gen_type"
    assert note(found, "no weights") == "left out, as no weights: valid_recon_smth.value"


def test_weights_of_another_precision_are_told(read):
    found = describe(read(examples.model().double()))

    assert note(found, "become") == "weights of torch.float64 become torch.float32"


def test_all_plain_settings_are_there(read):
    found = configuration_of(read(examples.model()))

    assert found.keys() == examples.model().configuration.keys()
    assert found.keys() > ModelSection.model_fields.keys()
