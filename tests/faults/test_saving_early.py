"""What is saved early goes on bit for bit; what is damaged meanwhile is noticed, and made again."""

from __future__ import annotations

from pathlib import Path

import pytest
from damage import damaged
from deaths import came_of
from house import STEPS, House, a_house

from autolfads_trainer.records import Outcome

STEP = {"role": "worker", "call": "step", "moment": "before"}


def steps_of(outcome: Outcome) -> int:
    """Return how many steps into the run's training a checkpoint is."""
    return STEPS * (outcome.epoch or 0) + outcome.steps


def first_interrupted(house: House, word: str) -> tuple[Outcome, bool, str | None]:
    """Return the outcome of the attempt that was interrupted, and how the next one began."""
    for member in range(3):
        for generation in range(1, 4):
            attempts = house.attempts(member, generation)
            if attempts[0][1] is not None and attempts[0][1].outcome == word:
                following = attempts[1][0]
                return attempts[0][1], following.resume, following.start_from
    raise AssertionError(f"no attempt is {word}")


@pytest.mark.parametrize("step", [2, 4])  # at the end of an epoch, and in the midst of one
def test_one_that_is_told_to_leave_saves_and_the_next_goes_on_from_there(
    step: int, tmp_path: Path
) -> None:
    with a_house(tmp_path / "house") as house:
        house.finish(at=STEP, nth=step, then="leave", workers=1)
        saved, resume, start = first_interrupted(house, "saved")
        assert steps_of(saved) % (2 * STEPS) == (step - 1) % 3 + 1
        assert (resume, start) == (True, saved.checkpoint)
        assert came_of(house).well, came_of(house)


def test_a_kill_costs_at_most_what_was_trained_since_the_last_save(tmp_path: Path) -> None:
    with a_house(tmp_path / "house") as house:
        house.finish(at=STEP, nth=3, then="kill", workers=1, save_every=0.0)
        lost, resume, start = first_interrupted(house, "abandoned")
        assert steps_of(lost) == 2  # killed after the third, before it was saved
        assert (resume, start) == (True, lost.checkpoint)
        assert came_of(house).well, came_of(house)


@pytest.mark.parametrize(
    ("what", "way"),
    [("save", "flipped"), ("save", "removed"), ("end", "cut"), ("best", "replaced")],
)
def test_a_damaged_checkpoint_is_noticed_and_changes_nothing(
    what: str, way: str, tmp_path: Path
) -> None:
    came, told = damaged(tmp_path / "house", what, way)
    assert came.well, came
    assert {outcome.outcome for outcome in told} == {"failed"}
    word = "gone" if way == "removed" else "damaged"
    assert all(word in (outcome.reason or "") for outcome in told)
