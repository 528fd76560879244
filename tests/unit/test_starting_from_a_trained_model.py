"""`start`: members that begin with parts of a trained model, some of which stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from configuration_examples import error, resolved
from small_models import configuration, never, small_data, small_member, small_model, weights

from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.training.checkpoint import save_file
from autolfads_trainer.training.group import Group
from autolfads_trainer.training.member import Leg, Member
from autolfads_trainer.training.trained_parts import take_parts
from autolfads_trainer.userinput import InputError

DYNAMICS = ["encoder", "decoder", "ic_prior", "co_prior"]


def saved(folder: Path, model: LFADS) -> Path:
    path = folder / "start.ckpt"
    content = {"configuration": {"model": model.configuration}, "state_dict": model.state_dict()}
    save_file(path, content)
    return path


DATA = small_data()


def member(path: Path | None, number: int = 0, **start: Any) -> Member:
    settings = configuration(readin=[READIN], dropout_rate=0.1)
    settings["start"] = {"checkpoint": "start.ckpt", "parts": DYNAMICS, "frozen": [], **start}
    leg = Leg(number, 1, 0, 2)
    return Member(settings, DATA, leg, 0, "valid/recon_smth", path)


READIN = {
    "_target_": "lfads_torch.modules.readin_readout.FanInLinear",
    "out_features": 4,
    "requires_grad": True,
}


def is_dynamics(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] in DYNAMICS


def test_a_member_begins_with_the_dynamics_and_reads_in_and_out_anew(tmp_path: Path) -> None:
    trained = small_model(9, readin=[READIN])
    path = saved(tmp_path, trained)
    own, found = weights(small_member(readin=[READIN]).model), weights(member(path).model)
    for name, value in weights(trained).items():
        assert torch.equal(found[name], value if is_dynamics(name) else own[name]), name


def test_the_new_session_may_have_other_channels(tmp_path: Path) -> None:
    other = small_model(9, readin=[READIN], encod_data_dim=5, recon_data_dim=7)
    found = weights(member(saved(tmp_path, other)).model)
    assert torch.equal(
        found["encoder.ic_linear.weight"], weights(other)["encoder.ic_linear.weight"]
    )


def test_what_is_frozen_stays_and_the_rest_trains(tmp_path: Path) -> None:
    path = saved(tmp_path, small_model(9, readin=[READIN]))
    one = member(path, frozen=DYNAMICS)
    before = weights(one.model)
    one.train(never)
    after = weights(one.model)
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {
        f"{part}.0.{name}" for part in ("readin", "readout") for name in ("weight", "bias")
    }
    assert set(one.optimizer.parameters) == changed
    rows = one.progress.rows
    assert rows[-1]["train/recon"] < rows[0]["train/recon"]


def test_members_with_frozen_parts_train_side_by_side(tmp_path: Path) -> None:
    path = saved(tmp_path, small_model(9, readin=[READIN]))
    alone = member(path, 1, frozen=["decoder"])
    members = [member(path, number, frozen=["decoder"]) for number in range(2)]
    alone.train(never)
    group = Group.of(members)
    while not all(one.over for one in members):
        group.step()
    for name, value in alone.model.state_dict().items():
        assert torch.allclose(members[1].model.state_dict()[name], value, atol=1e-5), name


def test_later_generations_go_on_with_what_was_frozen(tmp_path: Path) -> None:
    path = saved(tmp_path, small_model(9, readin=[READIN]))
    first = member(path, frozen=DYNAMICS)
    first.train(never)
    first.save(tmp_path / "end.ckpt")
    second = member(None, frozen=DYNAMICS)
    second.start_from_parent(tmp_path / "end.ckpt")
    before = weights(second.model)
    second.train(never)
    for name, value in weights(second.model).items():
        assert torch.equal(value, before[name]) == is_dynamics(name) or name.endswith("bias_hh")


def test_weights_of_another_shape_and_missing_ones_are_told(tmp_path: Path) -> None:
    path = saved(tmp_path, small_model(gen_dim=9))
    with pytest.raises(InputError) as caught:
        take_parts(small_model(), path, ["decoder"])
    assert str(caught.value).startswith(f"{path}: 'decoder.ic_to_g0.weight' has the shape (9, 6); ")
    with pytest.raises(InputError, match=r"has no weights 'readin\.0\.weight'; expected a model"):
        take_parts(small_model(readin=[READIN]), path, ["readin"])
    path.write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match="is not a checkpoint"):
        take_parts(small_model(), path, ["decoder"])


def test_the_section_has_usual_parts() -> None:
    found = resolved("start: {checkpoint: model.ckpt}").configuration["start"]
    assert found == {"checkpoint": "model.ckpt", "parts": DYNAMICS, "frozen": []}
    assert "start" not in resolved().configuration


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("start: {frozen: [decoder]}", "start.checkpoint: is missing; expected the path of a"),
        (
            "start: {checkpoint: x, frozen: [generator]}",
            "start.frozen: found ['generator']; expected a list of some of readin, encoder,",
        ),
        (
            "start: {checkpoint: x, part: []}",
            "start.part: unknown key (did you mean 'start.parts'?)",
        ),
        (
            "start: {checkpoint: x, parts: [encoder], frozen: [decoder]}",
            "start.frozen: found decoder; expected parts that are taken from the checkpoint"
            " (start.parts: encoder): random weights would stay random",
        ),
        (
            "start: {checkpoint: x, parts: [encoder, decoder, readout], frozen: [encoder, decoder,"
            " readout]}",
            "start.frozen: nothing would train; expected to leave out one of encoder, decoder,"
            " readout",
        ),
        ("start: model.ckpt", "start: found 'model.ckpt'; expected a mapping"),
    ],
)
def test_what_is_wrong_with_it_is_told(text: str, message: str) -> None:
    assert error(text).startswith(f"spec.config: {message}")
