"""A member on a GPU: the CPU's numbers, no waiting in a step, and an end that can be resumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_models import converted, never, same, small_data, small_member, take_step, weights
from test_training_step import CASES

from autolfads_trainer.data.dataset import Dataset, Split
from autolfads_trainer.training.checkpoint import load_file
from autolfads_trainer.training.draws import StepDraws
from autolfads_trainer.training.member import Member
from autolfads_trainer.userinput import InputError


def on(device: torch.device, data: Dataset) -> Dataset:
    """Return the splits with everything on `device`."""
    moved = []
    for split in (data.train, data.valid):
        parts = {k: None if v is None else v.to(device) for k, v in vars(split).items()}
        moved.append(Split(**parts))
    return Dataset.alone(*moved)


def member_on(device: torch.device, **case: Any) -> Member:
    data = on(device, small_data(ext_input_dim=case.get("ext_input_dim", 0)))
    return small_member(data=data, weight_decay=0.1, dropout_rate=0.3, **case)


def moved(draws: StepDraws, device: torch.device) -> StepDraws:
    """Return the draws on another device, the numbers of the trials included."""
    there: StepDraws = converted(draws, device)
    return replace(there, trials=tuple(each.to(device) for each in draws.trials))


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_step_is_that_of_a_cpu(case: dict[str, Any], gpu: torch.device) -> None:
    """Given the same draws; sums in another order differ in the last digits."""
    there, here = member_on(gpu, **case), member_on(torch.device("cpu"), **case)
    for _ in range(3):
        draws = here.drawer.draw()
        ours = take_step(here, draws)
        theirs = take_step(there, moved(draws, gpu))
        for name, value in ours.items():
            assert theirs[name].device.type == "cuda"
            torch.testing.assert_close(theirs[name].cpu(), value, rtol=2e-4, atol=1e-6)
    for name, value in weights(here.model).items():
        torch.testing.assert_close(
            weights(there.model)[name].cpu(), value, rtol=1e-3, atol=1e-4, msg=name
        )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_step_never_waits_for_the_gpu(case: dict[str, Any], gpu: torch.device) -> None:
    member = member_on(gpu, **case)
    take_step(member, member.drawer.draw())  # the first one makes what later ones find
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        with pytest.raises(RuntimeError, match="synchroniz"):
            float(torch.ones(1, device=gpu))  # the watch is on
        take_step(member, member.drawer.draw())
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("place", [1, 3, 4])  # in an epoch, at its end, after it
def test_a_member_that_is_broken_off_goes_on_to_the_same_end(
    place: int, gpu: torch.device, tmp_path: Path
) -> None:
    undisturbed = member_on(gpu)
    assert undisturbed.train(never)
    undisturbed.save(tmp_path / "undisturbed.ckpt")

    member, steps = member_on(gpu), 0

    def at_the_place(_: Member) -> bool:
        nonlocal steps
        steps += 1
        return steps == place

    assert not member.train(at_the_place)
    member.save(tmp_path / "broken_off.ckpt")
    again = member_on(gpu)
    again.resume(tmp_path / "broken_off.ckpt")
    assert again.train(never)
    again.save(tmp_path / "end.ckpt")
    one, other = (load_file(tmp_path / f"{name}.ckpt") for name in ("undisturbed", "end"))
    assert [row["epoch"] for row in other["rows"]] == [0, 1]
    assert same(one, other)


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)


def test_what_a_gpu_saved_can_be_read_without_one(gpu: torch.device, tmp_path: Path) -> None:
    """Every tensor of a checkpoint lies on the CPU, and a member there starts from it."""
    member = member_on(gpu)
    assert member.train(never)
    member.save(tmp_path / "end.ckpt")
    saved = torch.load(tmp_path / "end.ckpt", weights_only=True)
    assert {tensor.device.type for tensor in tensors_in(saved)} == {"cpu"}
    child = member_on(torch.device("cpu"))
    child.start_from_parent(tmp_path / "end.ckpt")
    for name, value in weights(member.model).items():
        assert torch.equal(weights(child.model)[name], value.cpu()), name


@pytest.mark.parametrize(("one", "other"), [("cuda", "cpu"), ("cpu", "cuda")])
def test_a_generation_is_not_gone_on_with_on_another_kind_of_device(
    one: str, other: str, tmp_path: Path
) -> None:
    member = member_on(torch.device(one))
    assert not member.train(lambda _: True)
    member.save(tmp_path / "broken_off.ckpt")
    with pytest.raises(
        InputError, match=f"another kind of device; expected one saved on a {other}"
    ):
        member_on(torch.device(other)).resume(tmp_path / "broken_off.ckpt")
