"""A generation that is broken off anywhere goes on to the very same end."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_models import at_once, never, same, small_data, small_member

from autolfads_trainer.training.checkpoint import load_file
from autolfads_trainer.training.member import Member

STEPS, EPOCHS = 3, 2  # of an epoch, of a generation
SHORT = {"encod_seq_len": 3, "recon_seq_len": 4}
PLACES = range(1, STEPS * EPOCHS)  # after the last step there is nothing left to stop
CASES: dict[str, dict[str, Any]] = {
    "usual": SHORT | {"dropout_rate": 0.3},
    # After every epoch the rate falls: its parent has seen a better metric than any to come.
    "plateau": SHORT | {"lr_scheduler": True, "lr_patience": 0, "lr_decay": 0.5, "lr_init": 0.3},
}


def new_member(case: str, number: int = 2, generation: int = 1) -> Member:
    first = 1 if generation else 0
    epochs = EPOCHS if generation else 1
    data = small_data(**SHORT)
    return small_member(number, generation, first, epochs, data=data, **CASES[case])


def begin(case: str, folder: Path) -> Member:
    """Return a member at the start of its second generation, as every attempt at it begins."""
    member = new_member(case)
    member.start_from_parent(parent(case, folder))
    return member


def parent(case: str, folder: Path) -> Path:
    path = folder / "parent.ckpt"
    if not path.exists():
        earlier = new_member(case, number=7, generation=0)
        assert earlier.train(never)
        if earlier.plateau:
            earlier.plateau.best = -math.inf
        earlier.save(path)
    return path


def end_of(member: Member, folder: Path) -> dict[str, Any]:
    """Return everything that a checkpoint at the end of the generation holds."""
    member.save(folder / "end.ckpt")
    return load_file(folder / "end.ckpt")


@cache
def undisturbed(case: str) -> dict[str, Any]:
    with TemporaryDirectory() as name:
        member = begin(case, Path(name))
        assert member.train(never)
        return end_of(member, Path(name))


def stop_after(steps: int) -> Callable[[Member], bool]:
    """Return what stops a member when it was asked so many times."""
    asked = 0

    def stop(_: Member) -> bool:
        nonlocal asked
        asked += 1
        return asked == steps

    return stop


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=4, deadline=None)
@given(places=st.sets(st.sampled_from(PLACES), min_size=1, max_size=4))
@example(places={1})  # after the first step
@example(places={STEPS})  # at the end of an epoch
@example(places=set(PLACES))  # after every step
def test_it_ends_bit_for_bit_as_if_undisturbed(case: str, places: set[int]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        member, done = begin(case, folder), 0
        for place in sorted(places):
            assert not member.train(stop_after(place - done))
            member.save(folder / "broken_off.ckpt")
            # Another life: nothing but the file is left.
            member = new_member(case)
            member.resume(folder / "broken_off.ckpt")
            done = place
        assert member.train(never)
        assert same(end_of(member, folder), undisturbed(case))


def test_the_cases_exercise_what_is_saved() -> None:
    """The rate falls in mid-generation, and once more at its end."""
    plateau = undisturbed("plateau")
    assert plateau["lr"] == pytest.approx(0.3 / 4)
    assert [row["epoch"] for row in plateau["rows"]] == [1, 2]
    assert not same(undisturbed("usual")["rows"], plateau["rows"])


@pytest.mark.parametrize("steps", PLACES)
def test_it_says_how_far_it_is(tmp_path: Path, steps: int) -> None:
    member = begin("usual", tmp_path)
    assert member.position == 1
    member.train(stop_after(steps))
    assert member.position == pytest.approx(1 + steps / STEPS)


def test_between_any_two_steps_it_asks_whether_to_go_on(tmp_path: Path) -> None:
    member, positions = begin("usual", tmp_path), []

    def note(asking: Member) -> bool:
        positions.append(asking.position)
        return False

    assert member.train(note)
    assert positions == pytest.approx([1 + step / STEPS for step in PLACES])
    assert member.position == 1 + EPOCHS


def test_an_end_that_was_saved_already_is_not_trained_again(tmp_path: Path) -> None:
    member = begin("usual", tmp_path)
    assert member.train(never)
    before = end_of(member, tmp_path)
    again = new_member("usual")
    again.resume(tmp_path / "end.ckpt")
    assert again.train(at_once)
    assert same(end_of(again, tmp_path), before)


def test_what_is_saved_does_not_grow_with_generations(tmp_path: Path) -> None:
    """The rows of one generation only, and no more numbers than after the first."""
    sizes = []
    path = tmp_path / "end.ckpt"
    data = small_data(**SHORT)
    for generation in range(4):
        member = small_member(0, generation, 2 * generation, epochs=2, data=data, **SHORT)
        if generation:
            member.start_from_parent(path)
        assert member.train(never)
        epochs = [row["epoch"] for row in member.progress.rows]
        assert epochs == [2 * generation, 2 * generation + 1]
        assert member.drawer.step == 0
        member.save(path)
        sizes.append(path.stat().st_size)
    assert max(sizes) - min(sizes) < 64
