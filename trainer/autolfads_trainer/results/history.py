"""What a run did: every member in every generation, with its decision and its metrics.

Plain data, made once from the run's orders and metrics and read by the fit log and the report.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Row = dict[str, float]
"""One epoch of one member: `epoch`, `train/…`, `valid/…`, `hp/…`; missing is absent or NaN."""

Key = tuple[int, int]
"""(member, generation); members count from 0, generations from 1."""


@dataclass(frozen=True)
class Leg:
    """One member in one generation: where it started from, what it was told, what came of it."""

    member: int
    generation: int
    parent: Key | None
    """The leg whose end this one started from; None for a fresh start."""
    copied: bool
    """True where the parent is another member: an exploit."""
    hyperparameters: Mapping[str, float]
    """By dotted path, as in the search space: `model.lr_init`."""
    start_epoch: int
    epochs: int
    score: float | None
    """The metric at the end of the generation, lower is better; None or not finite is a loss."""
    why: str
    """The decision in words, as its order gives it."""
    rows: tuple[Row, ...]

    @property
    def key(self) -> Key:
        """(member, generation)."""
        return self.member, self.generation

    @property
    def end_epoch(self) -> int:
        """The epoch after this leg's last."""
        return self.start_epoch + self.epochs

    @property
    def lost(self) -> bool:
        """True where the member ended this generation without a finite score."""
        return self.score is None or not math.isfinite(self.score)


@dataclass(frozen=True)
class History:
    """A whole run. Raises `ValueError` where the legs do not form a forest, or the best is none."""

    name: str
    seed: int
    legs: tuple[Leg, ...]
    best: Key
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """(min, max) of the hyperparameters whose limits are enforced, by dotted path; may be empty."""
    _by_key: dict[Key, Leg] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_key: dict[Key, Leg] = {}
        for leg in sorted(self.legs, key=lambda leg: (leg.generation, leg.member)):
            if leg.key in by_key:
                raise ValueError(f"{self.name}: {_called(leg.key)} is given twice")
            if leg.parent is not None and leg.parent[1] >= leg.generation:
                parent = _called(leg.parent)
                raise ValueError(f"{self.name}: {_called(leg.key)} cannot start from {parent}")
            if leg.parent is not None and leg.parent not in by_key:
                parent = _called(leg.parent)
                raise ValueError(
                    f"{self.name}: {_called(leg.key)} starts from {parent}, which is missing"
                )
            by_key[leg.key] = leg
        if self.best not in by_key:
            raise ValueError(f"{self.name}: the best, {_called(self.best)}, is missing")
        object.__setattr__(self, "_by_key", by_key)

    def leg(self, key: Key) -> Leg:
        """Return one leg. Raises `KeyError`."""
        return self._by_key[key]

    def ordered(self) -> tuple[Leg, ...]:
        """Return all legs by generation, then member."""
        return tuple(self._by_key.values())

    @property
    def members(self) -> tuple[int, ...]:
        """The members' numbers, sorted."""
        return tuple(sorted({leg.member for leg in self.legs}))

    @property
    def population(self) -> int:
        """How many members there are."""
        return len(self.members)

    @property
    def generations(self) -> int:
        """The number of the last generation."""
        return max(leg.generation for leg in self.legs)

    def lineage(self, leg: Leg) -> tuple[Leg, ...]:
        """Return `leg` with all that it descends from, oldest first."""
        line = [leg]
        while line[-1].parent is not None:
            line.append(self._by_key[line[-1].parent])
        return tuple(reversed(line))

    def best_lineage(self) -> tuple[Leg, ...]:
        """Return the lineage that leads to the result."""
        return self.lineage(self._by_key[self.best])

    def tips(self) -> tuple[Leg, ...]:
        """Return each member's last leg, by member."""
        last = {leg.member: leg for leg in self.ordered()}
        return tuple(last[member] for member in self.members)

    def survivors(self) -> tuple[Leg, ...]:
        """Return the tips that ended with a score."""
        return tuple(leg for leg in self.tips() if not leg.lost)

    def parents(self) -> frozenset[Key]:
        """Return the legs that another leg started from."""
        return frozenset(leg.parent for leg in self.legs if leg.parent is not None)

    def lost(self) -> tuple[Leg, ...]:
        """Return the legs that ended without a score, by generation, then member."""
        return tuple(leg for leg in self.ordered() if leg.lost)


def series(legs: Iterable[Leg], *names: str) -> tuple[list[float], ...]:
    """Return `epoch` and the named metrics along `legs`, in order; NaN where one is missing."""
    columns = ("epoch", *names)
    rows = [row for leg in legs for row in leg.rows]
    return tuple([row.get(name, math.nan) for row in rows] for name in columns)


def _called(key: Key) -> str:
    return f"member {key[0]} in generation {key[1]}"
