"""Who wins: defaults < configuration file < inline configuration < the spec's own fields."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from configuration_examples import EVERY_KEY, SIZES, error, file_error, from_file, resolved

from autolfads_trainer.config.keys import USED
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.yaml_text import parse_yaml


def test_a_file_with_every_key_is_accepted_and_used(tmp_path: Path) -> None:
    configuration = from_file(tmp_path, EVERY_KEY).configuration
    model = configuration["model"]
    assert configuration["seed"] == 12
    assert (model["gen_dim"], model["ic_enc_seq_len"], model["lr_init"]) == (40, 6, 0.002)
    assert model["loss_scale"] == 1000.0
    assert model["readout"]["modules"][0]["in_features"] == 10
    assert model["train_aug_stack"]["transforms"][0] == {
        "_target_": "lfads_torch.modules.augmentations.CoordinatedDropout",
        "cd_rate": 0.25,
        "cd_pass_rate": 0.1,
        "ic_enc_seq_len": 6,
    }
    assert (model["co_prior"]["tau"], model["co_prior"]["shape"]) == (8.0, 3)
    assert model["ic_prior"]["mean"] == 0.5
    assert configuration["datamodule"]["batch_size"] == 32
    assert configuration["datamodule"]["batch_keys"] == ["hand"]
    assert configuration["datamodule"]["dm_ic_enc_seq_len"] == 6
    assert configuration["pbt"]["resources_per_trial"] == {"cpu": 1.0, "gpu": 0.25}
    assert configuration["trainer"] == {
        "max_epochs": 120,
        "gradient_clip_val": 50.0,
        "engine": "reference",
        "precision": "fp32",
    }
    assert configuration["posterior_sampling"] == {"num_samples": 20}


def test_that_file_says_every_key_that_is_used() -> None:
    said = parse_yaml(EVERY_KEY, "every", "configuration")
    for section, names in USED.items():
        if section == "start":  # ours alone
            continue
        assert set(names) - {"data_paths", "num_samples"} <= set(said[section]), section


def test_a_whole_number_stays_one_and_a_rate_is_a_float(tmp_path: Path) -> None:
    model = from_file(tmp_path, EVERY_KEY).configuration["model"]
    assert type(model["gen_dim"]) is int
    assert type(model["cell_clip"]) is float
    assert type(resolved("model: {gen_dim: 40.0}").configuration["model"]["gen_dim"]) is int


def test_each_layer_wins_over_the_one_beneath(tmp_path: Path) -> None:
    def epochs_and_members(**spec: Any) -> tuple[int, int, int]:
        configuration = from_file(
            tmp_path, "pbt: {num_samples: 5}\ntrainer: {max_epochs: 50}\n", **spec
        ).configuration
        return (
            configuration["trainer"]["max_epochs"],
            configuration["pbt"]["num_samples"],
            configuration["pbt"]["patience"],
        )

    inline = {"pbt": {"num_samples": 7}}
    assert epochs_and_members() == (50, 5, 4)
    assert epochs_and_members(config=inline) == (50, 7, 4)
    assert epochs_and_members(config=inline, population=9) == (50, 9, 4)
    assert epochs_and_members(config=inline, pbt={"maxEpochs": 70}) == (70, 7, 4)


@pytest.mark.parametrize(
    ("spec", "section", "key", "value"),
    [
        ({"population": 3}, "pbt", "num_samples", 3),
        ({"pbt": {"generationEpochs": 7}}, "pbt", "perturbation_interval", 7),
        ({"pbt": {"burnInEpochs": 0}}, "pbt", "burn_in_period", 0),
        ({"pbt": {"maxEpochs": 8}}, "trainer", "max_epochs", 8),
        ({"pbt": {"patience": 9}}, "pbt", "patience", 9),
        ({"pbt": {"minImprovementRatio": 0.25}}, "pbt", "min_improvement_ratio", 0.25),
        ({"export": {"posteriorSamples": 11}}, "posterior_sampling", "num_samples", 11),
    ],
)
def test_a_field_of_the_spec_wins_over_the_file(
    tmp_path: Path, spec: dict[str, Any], section: str, key: str, value: Any
) -> None:
    assert from_file(tmp_path, EVERY_KEY, **spec).configuration[section][key] == value


def test_null_in_the_spec_says_nothing(tmp_path: Path) -> None:
    spec = {"population": None, "seed": None, "config": None, "pbt": None, "export": None}
    assert from_file(tmp_path, EVERY_KEY, **spec) == from_file(tmp_path, EVERY_KEY)


def test_the_spec_s_seed_wins_and_no_seed_is_none(tmp_path: Path) -> None:
    assert from_file(tmp_path, EVERY_KEY, seed=0).configuration["seed"] == 0
    assert resolved().configuration["seed"] is None
    assert resolved("seed: null").configuration["seed"] is None


def test_lists_replace_and_mappings_merge(tmp_path: Path) -> None:
    inline = {"model": {"co_prior": {"tau": 3}}, "datamodule": {"attr_keys": ["targets"]}}
    text = "model: {co_prior: {nvar: 0.4}}\ndatamodule: {attr_keys: [train_hand, valid_hand]}"
    configuration = from_file(tmp_path, text, config=inline).configuration
    prior = configuration["model"]["co_prior"]
    assert (prior["tau"], prior["nvar"]) == (3.0, 0.4)
    assert configuration["datamodule"]["attr_keys"] == ["targets"]


def test_another_class_takes_no_arguments_of_the_one_beneath(tmp_path: Path) -> None:
    text = """
    model:
      readout:
        _target_: torch.nn.Linear
        out_features: 3
    """
    # Were it merged, `modules` of the default ModuleList would still be there.
    assert "model.readout: found one read-out; expected a list" in file_error(tmp_path, text)


def test_a_stack_that_names_its_class_is_complete() -> None:
    stack = "{_target_: lfads_torch.modules.augmentations.AugmentationStack}"
    result = resolved(f"model: {{train_aug_stack: {stack}}}")
    assert result.configuration["model"]["train_aug_stack"]["transforms"] == []
    assert result.configuration["model"]["train_aug_stack"]["batch_order"] == []


def test_a_stack_can_be_emptied_by_its_transforms_alone(tmp_path: Path) -> None:
    inline: dict[str, Any] = {"model": {"train_aug_stack": {"transforms": []}}}
    assert resolved(config=inline).configuration["model"]["train_aug_stack"]["loss_order"] == []
    stack = from_file(tmp_path, EVERY_KEY, config=inline, pbt={"searchSpace": {}})
    assert stack.configuration["model"]["train_aug_stack"]["loss_order"] == []


def test_the_trainer_s_class_is_ignored_and_takes_nothing_away() -> None:
    trainer = resolved("trainer: {_target_: any.Trainer}").configuration["trainer"]
    assert trainer == {
        "max_epochs": 1000,
        "gradient_clip_val": 200.0,
        "engine": "auto",
        "precision": "auto",
    }


def test_the_search_space_is_a_unit(tmp_path: Path) -> None:
    inline = {"pbt": {"hps": {"model.dropout_rate": {"min_samp": 0.1, "max_samp": 0.2}}}}
    spec = {"searchSpace": {"model.weight_decay": {"min": 1e-6, "max": 1e-4}}}
    assert set(from_file(tmp_path, EVERY_KEY).search_space) == {
        "model.lr_init",
        "model.kl_ic_scale",
    }
    assert set(from_file(tmp_path, EVERY_KEY, config=inline).search_space) == {"model.dropout_rate"}
    both = from_file(tmp_path, EVERY_KEY, config=inline, pbt=spec)
    assert set(both.search_space) == {"model.weight_decay"}


def test_a_heading_without_content_says_nothing() -> None:
    assert resolved("trainer:\npbt:\nmodel:\nposterior_sampling:\n") == resolved()


def test_the_older_name_of_posterior_samples() -> None:
    older = resolved("posterior_sampling: {num_samples: 5}").configuration
    assert older["posterior_sampling"] == {"num_samples": 5}
    both = "posterior_sampling: {num_samples: 5, fn: {num_samples: 6}}"
    assert error(both) == (
        "spec.config: posterior_sampling.fn.num_samples: found 6, and"
        " posterior_sampling.num_samples is 5; expected one of them"
    )


def test_what_was_resolved_resolves_to_itself(tmp_path: Path) -> None:
    once = from_file(tmp_path, EVERY_KEY)
    as_json = json.loads(json.dumps(once.configuration, allow_nan=False))
    again = resolved(config=as_json)
    assert (again.configuration, again.search_space) == (once.configuration, once.search_space)
    assert again.notes == (  # what is kept and not used is said again
        "ignored: pbt.resources_per_trial.cpu",
        "spec.config: datamodule.sv_seed: is not used: sv_rate is 0",
    )


def test_nothing_that_was_given_is_changed() -> None:
    text = EVERY_KEY.replace("${relpath:recordings/reach.h5}", "reach.h5")
    spec = {"config": parse_yaml(text, "spec.config", "configuration")}
    before = json.dumps(spec)
    result = resolve(spec, config_file=None, sizes=SIZES)
    assert json.dumps(spec) == before
    result.configuration["model"]["readin"].clear()
    assert resolve(spec, config_file=None, sizes=SIZES).configuration["model"]["readin"]


def test_without_any_configuration_sizes_come_from_the_data() -> None:
    result = resolved()
    model, data = result.configuration["model"], result.configuration["datamodule"]
    sizes = ("encod_data_dim", "encod_seq_len", "recon_seq_len", "ext_input_dim")
    assert [model[name] for name in sizes] == [11, 30, 36, 2]
    assert model["readout"]["modules"][0]["out_features"] == 15
    assert (data["batch_size"], data["data_paths"]) == (90, ["reach.h5"])
    assert (
        resolved(sizes=replace(SIZES, train_trials=300)).configuration["datamodule"]["batch_size"]
        == 256
    )
    assert (model["gen_dim"], model["con_dim"], model["kl_co_scale"]) == (200, 64, 1e-7)
    assert result.configuration["pbt"]["num_samples"] == 16
    assert len(result.search_space) == 7
    assert result.notes == ()


def test_null_sizes_come_from_the_data_too() -> None:
    text = """
    model:
      {encod_data_dim: null, encod_seq_len: null, recon_seq_len: null, ext_input_dim: null,
       ic_enc_seq_len: 3, l2_start_epoch: "${model.encod_data_dim}"}
    """
    model = resolved(text).configuration["model"]
    assert (model["encod_data_dim"], model["recon_seq_len"]) == (11, 36)
    assert model["l2_start_epoch"] == 11


def test_notes_say_what_is_ignored_and_what_the_data_lack(tmp_path: Path) -> None:
    text = EVERY_KEY.replace("[hand]", "[hand, eye]").replace("[targets]", "[targets, psth]")
    result = from_file(tmp_path, text)
    assert result.notes == (
        "ignored: ignore_warnings, callbacks, logger",
        "ignored: trainer._target_, trainer.accelerator",
        "ignored: posterior_sampling.use_best_ckpt, posterior_sampling.fn._target_,"
        " posterior_sampling.fn.filename",
        "ignored: pbt.resources_per_trial.cpu",
        f"datamodule.datafile_pattern: {tmp_path}/recordings/reach.h5 is not read;"
        " spec.data says reach.h5",
        f"{tmp_path}/config.yaml: datamodule.sv_seed: is not used: sv_rate is 0",
        "datamodule.batch_keys: reach.h5 has no train_eye, valid_eye",
        "datamodule.attr_keys: reach.h5 has no psth",
    )
    assert result.configuration["datamodule"]["batch_keys"] == ["hand"]
    assert result.configuration["datamodule"]["attr_keys"] == ["targets"]


def test_an_ignored_key_that_is_rather_one_of_ours_is_told_so() -> None:
    said = "enigne: reference, percision: fp32, min_epochs: 3, gradient_clip_algorithm: norm"
    assert resolved(f"trainer: {{{said}}}").notes == (
        "ignored: trainer.enigne (did you mean 'engine'?),"
        " trainer.percision (did you mean 'precision'?),"
        " trainer.min_epochs, trainer.gradient_clip_algorithm",
    )


def test_a_key_that_only_one_split_has_is_lacking() -> None:
    sizes = replace(SIZES, keys=frozenset({"train_hand"}))
    result = resolved("datamodule: {batch_keys: [hand]}", sizes=sizes)
    assert result.notes == ("datamodule.batch_keys: reach.h5 has no valid_hand",)
    assert result.configuration["datamodule"]["batch_keys"] == []


def test_the_data_s_own_path_in_the_file_needs_no_note() -> None:
    assert resolved("datamodule: {data_paths: [reach.h5]}").notes == ()


def test_population_1_tunes_nothing_and_says_so() -> None:
    result = resolved("model: {dropout_rate: 0.1}", population=1)
    assert result.search_space == {}
    assert result.notes == (
        "population 1: no tuning takes place; every setting stays as configured",
    )
    assert result.configuration["model"]["dropout_rate"] == 0.1


def test_a_value_that_the_default_search_space_replaces_is_noted(tmp_path: Path) -> None:
    result = resolved("model: {dropout_rate: 0.1}")
    assert result.notes == (
        "spec.config: model.dropout_rate: is not used: the default search space tunes it"
        " (give a search space of your own to change that)",
    )
    assert from_file(tmp_path, "pbt: {hps: {}}\nmodel: {dropout_rate: 0.1}").notes == (
        "the search space is empty: members copy one another, nothing is tuned",
    )


def test_what_the_default_search_space_lacks_is_left_out_with_a_note() -> None:
    result = resolved("model: {co_dim: 0, train_aug_stack: {transforms: []}}")
    assert result.notes == (
        "no controller, since model.co_dim = 0",
        "model.train_aug_stack.transforms.0.cd_rate is not tuned:"
        " the configuration has no coordinated dropout",
        "model.kl_co_scale is not tuned: the configuration has no controller",
        "model.l2_con_scale is not tuned: the configuration has no controller",
    )
    assert len(result.search_space) == 4


def test_a_model_without_any_controller_size_needs_no_note_about_it() -> None:
    model = "{ci_enc_dim: 0, con_dim: 0, co_dim: 0}"
    assert not any("no controller, since" in note for note in resolved(f"model: {model}").notes)


def test_a_gradient_clip_of_zero_or_null_is_none() -> None:
    for clip in ("0", "null"):
        trainer = resolved(f"trainer: {{gradient_clip_val: {clip}}}").configuration["trainer"]
        assert trainer["gradient_clip_val"] is None
