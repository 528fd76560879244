"""A model's parameters are counted exactly, and no checkpoint is larger than was said before."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import CPU, NO_CONTROLLER, TRAIN_TRIALS, configuration, never, small_member

from autolfads_trainer.checkpoint_size import (
    checkpoint_bytes,
    columns,
    model_file_bytes,
    tensors,
)
from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.data.dataset import Dataset, Split
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.training.checkpoint import save_file
from autolfads_trainer.training.member import Leg, Member

SIZE = st.integers(1, 9)


@st.composite
def models(draw: st.DrawFn) -> dict[str, Any]:
    names = ("ic_enc_dim", "ci_enc_dim", "con_dim", "co_dim", "ic_dim", "gen_dim", "fac_dim")
    dims = {name: draw(SIZE) for name in names}
    dims |= {"encod_data_dim": draw(SIZE), "ext_input_dim": draw(st.integers(0, 3))}
    dims["recon_data_dim"] = dims["encod_data_dim"] + draw(st.integers(0, 3))
    without = draw(st.lists(st.sampled_from(sorted(NO_CONTROLLER)), unique=True))
    return dims | dict.fromkeys(without, 0)


@given(models())
@settings(max_examples=60, deadline=None)
def test_every_parameter_is_counted(dims: dict[str, Any]) -> None:
    section = configuration(**dims)["model"]
    built = LFADS(section).state_dict().values()
    assert sorted(tensors(section)) == sorted(value.numel() for value in built)


def test_a_readin_is_counted() -> None:
    section = configuration()["model"]
    linear = {"_target_": "lfads_torch.modules.readin_readout.FanInLinear"}
    section["readin"] = [{**linear, "in_features": section["encod_data_dim"], "out_features": 2}]
    built = LFADS(section).state_dict().values()
    assert sorted(tensors(section)) == sorted(value.numel() for value in built)


@pytest.mark.parametrize("dims", [{}, NO_CONTROLLER])
def test_what_an_epoch_measures_is_known(dims: dict[str, int]) -> None:
    member = small_member(epochs=1, **dims)
    member.train(never)
    assert list(member.progress.rows[0]) == columns(member.configuration["model"])


@pytest.mark.parametrize("dims", [{}, NO_CONTROLLER])
@pytest.mark.parametrize("stop_in_an_epoch", [False, True])
def test_no_checkpoint_is_larger(
    tmp_path: Path, dims: dict[str, int], stop_in_an_epoch: bool
) -> None:
    epochs = 4
    member = small_member(epochs=epochs, **dims)
    member.train(lambda m: stop_in_an_epoch and m.position > epochs - 1)
    assert (member.drawer.step > 0) == stop_in_an_epoch
    member.save(tmp_path / "one.ckpt")
    again = small_member(epochs=epochs, **dims)
    again.resume(tmp_path / "one.ckpt")
    again.save(tmp_path / "again.ckpt")  # what was loaded may share less, or more
    most = checkpoint_bytes(member.configuration, TRAIN_TRIALS, epochs)
    for path in tmp_path.iterdir():
        assert path.stat().st_size <= most < 3 * path.stat().st_size


@pytest.mark.parametrize("channels", [29, 100])
@pytest.mark.parametrize("epochs", [25, 105])
def test_of_a_model_of_usual_size_not_much_too_much_is_said(
    tmp_path: Path, channels: int, epochs: int
) -> None:
    trials, steps = 600, 20
    sizes = DataSizes(
        path="usual.h5",
        encod_dim=channels,
        encod_steps=steps,
        recon_dim=channels,
        recon_steps=steps,
        ext_input_dim=0,
        train_trials=trials,
        valid_trials=1,
        keys=frozenset(),
    )
    usual = resolve({}, config_file=None, sizes=sizes).configuration
    counts = torch.zeros(trials, steps, channels)
    split = Split(counts, counts, torch.zeros(trials, steps, 0), None)
    valid = Split(counts[:1], counts[:1], torch.zeros(1, steps, 0), None)
    leg = Leg(0, 1, 0, epochs)
    member = Member(usual, Dataset.alone(split, valid), leg, 0, "valid/recon_smth")
    names = columns(usual["model"])
    # As training makes them: every name and number an object of its own.
    member.progress.rows = [
        {f"{name} "[:-1]: math.pi * epoch for name in names} for epoch in range(epochs)
    ]
    member.save(tmp_path / "checkpoint.ckpt")
    size = (tmp_path / "checkpoint.ckpt").stat().st_size
    assert size <= checkpoint_bytes(usual, trials, epochs) <= 1.3 * size

    weights = member.model.to(CPU).state_dict()
    save_file(tmp_path / "model.ckpt", {"configuration": usual, "state_dict": weights})
    size = (tmp_path / "model.ckpt").stat().st_size
    assert size <= model_file_bytes(usual) <= 1.3 * size


def test_words_of_any_script_in_the_configuration_are_counted(tmp_path: Path) -> None:
    known = configuration()
    known["datamodule"] |= {"data_paths": ["/données/маки/猕猴.h5"] * 200, "seed": 2**70}
    weights = LFADS(known["model"]).state_dict()
    save_file(tmp_path / "model.ckpt", {"configuration": known, "state_dict": weights})
    assert (tmp_path / "model.ckpt").stat().st_size <= model_file_bytes(known)
