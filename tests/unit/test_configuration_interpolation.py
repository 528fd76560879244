"""`${a.b}` follows the key it names, `${relpath:x}` the file that it stands in; nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from configuration_examples import SIZES, error, file_error, from_file, resolved

from autolfads_trainer.config.interpolation import Interpolator
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.userinput import InputError, shown


def test_a_reference_follows_what_a_later_layer_says(tmp_path: Path) -> None:
    text = "model: {gen_dim: '${model.fac_dim}', fac_dim: 30}\n"
    assert from_file(tmp_path, text).configuration["model"]["gen_dim"] == 30
    inline = {"model": {"fac_dim": 31}}
    assert from_file(tmp_path, text, config=inline).configuration["model"]["gen_dim"] == 31


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("lr_stop: '${model.lr_init}'", "lr_stop", 0.004),
        ("lr_scheduler: '${model.variational}'", "lr_scheduler", True),
        ("gen_dim: '${ model.fac_dim }'", "gen_dim", 100),
        (
            "dropout_rate: '${model.train_aug_stack.transforms.0.cd_rate}'",
            "dropout_rate",
            0.3,
        ),
        ("l2_start_epoch: '${pbt.patience}'", "l2_start_epoch", 4),
        ("gen_dim: '${model.ic_dim}', ic_dim: '${model.co_dim}'", "gen_dim", 4),
    ],
)
def test_a_reference_keeps_the_type_of_its_target(text: str, key: str, value: object) -> None:
    found = resolved(f"model: {{{text}}}").configuration["model"][key]
    assert found == value
    assert type(found) is type(value)


def test_a_reference_can_be_to_a_mapping_and_through_a_reference() -> None:
    text = """
    model:
      train_aug_stack: {transforms: ["${logger.dropout}"]}
      dropout_rate: "${callbacks.d.rate}"
    logger:
      dropout:
        _target_: lfads_torch.modules.augmentations.CoordinatedDropout
        cd_rate: "${logger.rate}"
      rate: 0.35
    callbacks: {d: "${logger}"}
    """
    model = resolved(text).configuration["model"]
    assert model["train_aug_stack"]["transforms"][0]["cd_rate"] == 0.35
    assert model["dropout_rate"] == 0.35


def test_inside_text_it_becomes_text() -> None:
    tree = {"a": "x${b}-${c}-${d}-${e}", "b": 1.5, "c": "y", "d": True, "e": None}
    whole = Interpolator(tree, ".".join).resolved(tree["a"], ("a",))
    assert whole == "x1.5-y-true-null"


def test_relpath_is_relative_to_the_file_it_is_written_in(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "config.yaml"
        path.write_text("datamodule: {data_paths: ['${relpath:../data/a.h5}']}\n")
        result = from_file(tmp_path / folder, path.read_text())
        assert f"{tmp_path}/data/a.h5 is not read" in result.notes[0]


def test_relpath_is_known_through_a_reference_from_inline(tmp_path: Path) -> None:
    inline = {"datamodule": {"datafile_pattern": "${datamodule.data_paths.0}"}}
    text = "datamodule: {data_paths: ['${relpath:a.h5}']}\n"
    notes = from_file(tmp_path, text, config=inline).notes
    assert [f"{tmp_path}/a.h5 is not read" in note for note in notes] == [True, True]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("${model.nope}", "there is no key 'model.nope'"),
        ("${model.gen_dimm}", "there is no key 'model.gen_dimm' (did you mean 'model.gen_dim'?)"),
        ("${model.readin.1}", "there is no key 'model.readin.1'"),
        ("${model.gen_dim.x}", "there is no key 'model.gen_dim.x'"),
        ("${oc.env:HOME}", "the resolver 'oc.env' is not allowed"),
        ("${eval:1+1}", "the resolver 'eval' is not allowed"),
        ("${relpath:a}", "relpath is relative to a configuration file; write the path itself here"),
        ("${..gen_dim}", "expected a path from the top, like ${model.fac_dim}"),
        ("${model.gen_dim", "expected '}' after each '${', and none inside another"),
        ("${model.${seed}}", "expected '}' after each '${', and none inside another"),
        ("x ${model.readin}", "model.readin is a list; expected text or a number"),
        ("x ${model.co_prior}", "model.co_prior is a mapping; expected text or a number"),
    ],
)
def test_what_a_reference_cannot_be(value: str, sentence: str) -> None:
    text = f"model: {{fac_dim: '{value}'}}"
    assert error(text).startswith(f"spec.config: model.fac_dim: found '{value}': {sentence}")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("fac_dim: '${model.fac_dim}'", "model.fac_dim → model.fac_dim"),
        (
            "fac_dim: '${model.ic_dim}', ic_dim: '${model.fac_dim}'",
            "model.ic_dim → model.fac_dim → model.ic_dim",
        ),
        ("fac_dim: '${model}'", "model.fac_dim → model"),
    ],
)
def test_a_circle_is_told_with_its_way(text: str, key: str) -> None:
    message = error(f"model: {{{text}}}")
    assert "the reference comes back to itself: " in message
    assert key in message


def test_a_circle_through_what_lies_on_the_way_ends() -> None:
    circle = "callbacks: {a: '${callbacks.b.y}', b: '${callbacks.a.z}'}"
    text = f"model: {{fac_dim: '${{callbacks.a.x}}'}}\n{circle}"
    assert "comes back to itself" in error(text)


def test_references_that_multiply_are_refused() -> None:
    doubled = ", ".join(
        f"k{i}: ['${{logger.k{i - 1}}}', '${{logger.k{i - 1}}}']" for i in range(1, 30)
    )
    text = f"model: {{readin: '${{logger.k29}}'}}\nlogger: {{k0: 1, {doubled}}}"
    assert "make more than 20000 values" in error(text)
    doubled = ", ".join(f"k{i}: '${{logger.k{i - 1}}}${{logger.k{i - 1}}}'" for i in range(1, 30))
    text = f"model: {{fac_dim: '${{logger.k29}}'}}\nlogger: {{k0: x, {doubled}}}"
    assert "make more than 4000 characters" in error(text)


def test_what_is_ignored_is_not_even_looked_at() -> None:
    resolved("callbacks: {a: '${oc.env:HOME}', b: '${nowhere}'}\ntrainer: {x: '${nowhere}'}")


def test_an_error_names_the_file_that_wrote_the_reference(tmp_path: Path) -> None:
    text = "model: {fac_dim: '${model.none}'}"
    assert file_error(tmp_path, text).startswith("config.yaml: model.fac_dim: found")


def test_relative_files_give_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text("model: {fac_dim: '${relpath:a.h5}'}")
    with pytest.raises(InputError) as caught:
        resolve({}, config_file=Path("c.yaml"), sizes=SIZES)
    found = shown(f"{tmp_path}/a.h5")
    assert str(caught.value) == (
        f"c.yaml: model.fac_dim: found {found}; expected a whole number of at least 1"
    )
