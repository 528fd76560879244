"""Scores as they come in: the best so far, each generation's best, and whether to stop.

Kept up to date with each score, so that a long history costs a turn nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field

from autolfads_operator.pbt import has_stopped_improving
from autolfads_trainer.records import Place


@dataclass
class Scoreboard:
    """The scores of a run with `population` members.

    Attributes:
        best: (member, generation) of the best score at the end of any generation; of equal ones
            the earliest generation's counts, then the lowest member's.
        complete: the last generation that all members, and in all before it, are through with.
        stopped_at: the first generation at whose end the improvement rule held.
        lost_at: the first generation in which no member had a score.
        lost_for: the first error of that generation, by member; None: scores were not finite.
    """

    population: int = 0
    patience: int = 1
    min_improvement_ratio: float = 0.0
    best: Place | None = None
    complete: int = 0
    stopped_at: int | None = None
    lost_at: int | None = None
    lost_for: str | None = None
    _best_key: tuple[float, int, int] | None = None
    _settled: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    _lowest: dict[int, float] = field(default_factory=dict)
    _bests: list[float] = field(default_factory=list)  # of complete generations, the last ones
    _places: set[Place] = field(default_factory=set)  # settled, of generations not complete yet
    _generations: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    _scores: dict[Place, float] = field(default_factory=dict)
    _errors: dict[Place, str] = field(default_factory=dict)  # of generations not complete yet

    def settle(self, place: Place, score: float | None, error: str | None = None) -> None:
        """Note that a member is through with a generation; a score that is not finite is none.

        With the `error` for which it is lost, if it is.
        """
        member, generation = place
        if generation <= self.complete or place in self._places:
            return
        self._places.add(place)
        self._settled[generation] += 1
        if error:
            self._errors[place] = error
        if score is not None and math.isfinite(score):
            key = (score, generation, member)
            if self._best_key is None or key < self._best_key:
                self._best_key, self.best = key, place
            self._lowest[generation] = min(score, self._lowest.get(generation, math.inf))
            generations = self._generations[member]
            generations.insert(bisect_right(generations, generation), generation)
            self._scores[place] = score
        while self.population and self._settled[self.complete + 1] == self.population:
            self.complete += 1
            self._complete_generation(self.complete)

    def _complete_generation(self, generation: int) -> None:
        places = [(member, generation) for member in range(self.population)]
        self._places.difference_update(places)
        errors = [self._errors.pop(place) for place in places if place in self._errors]
        lowest = self._lowest.pop(generation, None)
        if lowest is None:
            if self.lost_at is None:
                self.lost_at, self.lost_for = generation, next(iter(errors), None)
            return
        # Only the running best of the last `patience` + 1 generations enters the rule.
        self._bests.append(min([lowest, *self._bests[-1:]]))
        del self._bests[: -self.patience - 1]
        if self.stopped_at is None and has_stopped_improving(
            self._bests,
            patience=self.patience,
            min_improvement_ratio=self.min_improvement_ratio,
        ):
            self.stopped_at = generation

    def score(self, place: Place) -> float | None:
        """Return a score; None: lost, or not there yet."""
        return self._scores.get(place)

    def newest_score(self, member: int, up_to: int) -> tuple[int, float] | None:
        """Return (generation, score) of a member's newest score of a generation ≤ `up_to`."""
        generations = self._generations.get(member, [])
        index = bisect_right(generations, up_to)
        if index == 0:
            return None
        generation = generations[index - 1]
        return generation, self._scores[member, generation]
