"""Small histories for the tests of the report and of the fit log."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from autolfads_trainer.results.history import History, Key, Leg, Row
from autolfads_trainer.results.report import TrialExamples

Curve = Callable[[int], tuple[float, float]]
"""Epoch to (train recon, valid recon)."""


def falling(epoch: int) -> tuple[float, float]:
    """A curve that levels off early: what a healthy run looks like."""
    value = 0.4 + 0.3 * math.exp(-epoch / 5)
    return value, value + 0.01


def rows_of(curve: Curve, epochs: Sequence[int]) -> tuple[Row, ...]:
    """The rows of a leg that follows `curve`."""
    return tuple(
        {
            "epoch": float(epoch),
            "train/recon": curve(epoch)[0],
            "valid/recon": curve(epoch)[1],
            "valid/recon_smth": curve(epoch)[1],
            "hp/lr_init": 0.004,
        }
        for epoch in epochs
    )


def leg(
    member: int,
    generation: int,
    parent: Key | None = None,
    *,
    epochs: int = 10,
    curve: Curve = falling,
    score: float | None = 0.41,
    hyperparameters: dict[str, float] | None = None,
    why: str = "goes on unchanged",
    rows: tuple[Row, ...] | None = None,
) -> Leg:
    start = (generation - 1) * epochs
    return Leg(
        member=member,
        generation=generation,
        parent=parent,
        copied=parent is not None and parent[0] != member,
        hyperparameters=hyperparameters or {"model.lr_init": 0.004},
        start_epoch=start,
        epochs=epochs,
        score=score,
        why=why,
        rows=rows_of(curve, range(start, start + epochs)) if rows is None else rows,
    )


def single(curve: Curve, epochs: int) -> History:
    """One member that follows `curve`, in one generation."""
    return History("one", 0, (leg(0, 1, epochs=epochs, curve=curve),), (0, 1))


def family() -> History:
    """Three members, three generations: 1 beats 0, then member 2 is lost and becomes 0's copy."""
    legs = (
        leg(0, 1, score=0.6),
        leg(1, 1, score=0.5, hyperparameters={"model.lr_init": 0.001}),
        leg(2, 1, score=0.55),
        leg(
            0,
            2,
            (1, 1),
            score=0.45,
            why="lost to member 1",
            hyperparameters={"model.lr_init": 0.002},
        ),
        leg(1, 2, (1, 1), score=0.47, hyperparameters={"model.lr_init": 0.001}),
        leg(2, 2, (2, 1), score=None),
        leg(0, 3, (0, 2), score=0.42, hyperparameters={"model.lr_init": 0.002}),
        leg(1, 3, (1, 2), score=0.44, hyperparameters={"model.lr_init": 0.001}),
        leg(2, 3, (0, 2), score=0.43, hyperparameters={"model.lr_init": 0.0015}),
    )
    return History("family", 7, legs, (0, 3))


def examples(
    *, truth: bool = True, bin_seconds: float | None = 0.02, heldin: int = 4, encod_steps: int = 15
) -> TrialExamples:
    """Two trials of 20 bins and 6 channels."""
    random = np.random.default_rng(0)
    rates = random.uniform(0.1, 2, (2, 20, 6))
    spikes = random.poisson(rates).astype(float)
    true = rates if truth else None
    return TrialExamples(spikes, rates, true, [3, 8], bin_seconds, heldin, encod_steps)
