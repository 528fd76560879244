"""Pictures of runs that never were."""

from __future__ import annotations

from dataclasses import replace

from ledger_examples import OWNER

from autolfads_operator.controller.ledger import Ledger
from autolfads_operator.view.picture import MemberPicture, MemberState, Picture, picture_of

STATES: tuple[MemberState, ...] = ("training", "finished", "lost", "waiting")


def member(number: int, state: MemberState, attempts: int = 1) -> MemberPicture:
    """Return a member in epoch 30.25 of 50."""
    score = {"training": 0.5, "finished": 0.25}.get(state)
    why = "lost to member 12 (0.4100 > 0.4001)"
    return MemberPicture(number, state, 30.25, 50, score, why, attempts)


def a_picture(population: int, **changes: object) -> Picture:
    """Return a run in the second of five generations, a quarter of it done."""
    picture = replace(
        picture_of(Ledger(OWNER), {}),
        name="lorenz",
        state="training",
        generation=2,
        last_generation=5,
        population=population,
        metric="valid/recon_smth",
        members=tuple(member(number, STATES[number % 4]) for number in range(population)),
        best_member=3,
        best_generation=1,
        best_score=0.123456,
        epochs_done=25.0,
        epochs_in_all=100,
        workers=2,
    )
    return replace(picture, **changes)
