"""The search space: where members start from, and how a copy's hyperparameters are perturbed.

Each hyperparameter draws from a stream of its own name, so adding one to the space leaves the
values of the others as they were.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .randomness import Stream

Sample = Literal["logUniform", "uniform", "randInt"]

_JSON_KEYS = (
    "min",
    "max",
    "init",
    "sample",
    "exploreWeight",
    "enforceLimits",
    "lowest",
    "highest",
    "highestIncluded",
)


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter of the search space.

    Attributes:
        minimum, maximum: the range that start values are sampled from; `randInt` excludes
            `maximum`, as numpy's `randint` does.
        init: every member's start value; `None` samples one for each member.
        sample: how start values are distributed. Values of `randInt` stay whole for ever.
        explore_weight: a perturbation multiplies by at most 1 + this, and divides by as much.
        enforce_limits: perturbed values, too, stay within the range.
        lowest, highest: what the setting itself allows (a rate: 0 and 1; a scale: 0 and `None`).
        highest_included: whether `highest` itself is allowed (a rate of 1 is not).

    Raises:
        ValueError: the range is upside down or outside what the setting allows. The sentence
            does not name the hyperparameter: it does not know its name.
    """

    minimum: float
    maximum: float
    init: float | None
    sample: Sample
    explore_weight: float
    enforce_limits: bool
    lowest: float
    highest: float | None
    highest_included: bool

    def __post_init__(self) -> None:
        if self.sample not in get_args(Sample):
            raise ValueError(f"sample is '{self.sample}'; expected {', '.join(get_args(Sample))}")
        if not (math.isfinite(self.explore_weight) and self.explore_weight >= 0):
            raise ValueError(
                f"exploreWeight is {self.explore_weight:g}; expected a number of at least 0"
            )
        if not (math.isfinite(self.minimum) and math.isfinite(self.maximum)):
            raise ValueError(
                f"min is {self.minimum:g} and max is {self.maximum:g}; expected finite numbers"
            )
        if self.minimum > self.maximum:
            raise ValueError(f"min {self.minimum:g} is above max {self.maximum:g}")
        if self.sample == "logUniform" and self.minimum <= 0:
            raise ValueError(f"min is {self.minimum:g}; expected more than 0 for logUniform")
        if self.sample == "randInt" and math.ceil(self.minimum) >= self.maximum:
            raise ValueError(
                f"no whole number is at least min {self.minimum:g} and below max {self.maximum:g}"
            )
        if not self.allows(self.minimum):
            raise ValueError(f"min is {self.minimum:g}; expected {self._allowed()}")
        if not self._max_fits():
            raise ValueError(f"max is {self.maximum:g}; expected {self._allowed()}")
        if self.init is not None and not self.allows(self.init):
            raise ValueError(f"init is {self.init:g}; expected {self._allowed()}")
        if self.init is not None and self.sample == "randInt" and not float(self.init).is_integer():
            raise ValueError(f"init is {self.init:g}; expected a whole number for randInt")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Hyperparameter:
        """Build one from what `to_json` returned. Raises `ValueError` for other keys."""
        if set(data) != set(_JSON_KEYS):
            odd = ", ".join(sorted(set(data) ^ set(_JSON_KEYS)))
            raise ValueError(f"a hyperparameter has missing or unknown keys: {odd}")
        try:
            return cls(
                minimum=float(data["min"]),
                maximum=float(data["max"]),
                init=None if data["init"] is None else float(data["init"]),
                sample=data["sample"],
                explore_weight=float(data["exploreWeight"]),
                enforce_limits=bool(data["enforceLimits"]),
                lowest=float(data["lowest"]),
                highest=None if data["highest"] is None else float(data["highest"]),
                highest_included=bool(data["highestIncluded"]),
            )
        except TypeError:
            raise ValueError("a hyperparameter has a value that is no number") from None

    def to_json(self) -> dict[str, float | str | bool | None]:
        """Return what `run.json` holds."""
        values = (
            self.minimum,
            self.maximum,
            self.init,
            self.sample,
            self.explore_weight,
            self.enforce_limits,
            self.lowest,
            self.highest,
            self.highest_included,
        )
        return dict(zip(_JSON_KEYS, values, strict=True))

    def allows(self, value: float) -> bool:
        """Return whether the setting itself can have this value, whatever the range."""
        if not math.isfinite(value) or value < self.lowest:
            return False
        if self.highest is None:
            return True
        return value <= self.highest if self.highest_included else value < self.highest

    def sampled(self, stream: Stream) -> float:
        """Return a random start value within the range."""
        share = stream.uniform()
        if self.sample == "randInt":
            first = math.ceil(self.minimum)
            return float(first + math.floor(share * (self._largest_sample - first + 1)))
        if self.sample == "uniform":
            value = self.minimum + share * (self.maximum - self.minimum)
        else:
            low, high = math.log(self.minimum), math.log(self.maximum)
            value = math.exp(low + share * (high - low))
        # Rounding can carry a value over an end of the range.
        return _clipped(value, self.minimum, min(self.maximum, self._largest_allowed))

    def perturbed(self, value: float, stream: Stream) -> float:
        """Return `value` times a random factor whose logarithm is symmetric around 0.

        Multiplying by 1 + U(-w, w) instead would shrink values on average.
        """
        draw = stream.uniform()
        if value == 0:  # no factor ever moves a zero
            proposal = draw * self.explore_weight * self.maximum
        else:
            proposal = value * math.exp((2 * draw - 1) * math.log1p(self.explore_weight))
        if self.enforce_limits:
            proposal = _clipped(proposal, self.minimum, self.maximum)
        if not self.highest_included and self.highest is not None and proposal >= self.highest:
            proposal = value + (self.highest - value) / 2
        if self.sample == "randInt":
            proposal = whole(proposal, stream.uniform())
        return _clipped(proposal, *self._room())

    @property
    def _largest_sample(self) -> float:
        return float(math.ceil(self.maximum) - 1) if self.sample == "randInt" else self.maximum

    @property
    def _largest_allowed(self) -> float:
        if self.highest is None:
            return math.inf
        return self.highest if self.highest_included else math.nextafter(self.highest, -math.inf)

    def _max_fits(self) -> bool:
        if self.sample == "randInt":
            return self.allows(self._largest_sample)
        # A highest that is excluded may be max nevertheless: no sample ever reaches it.
        return self.highest is None or self.maximum <= self.highest

    def _room(self) -> tuple[float, float]:
        """Return the smallest and the largest value that a perturbation may end at."""
        low, high = self.lowest, self._largest_allowed
        if self.enforce_limits:
            low, high = max(low, self.minimum), min(high, self._largest_sample)
        if self.sample == "randInt":
            low = math.ceil(low)
            high = high if math.isinf(high) else math.floor(high)
        return float(low), float(high)

    def _allowed(self) -> str:
        if self.highest is None:
            return f"at least {self.lowest:g}"
        end = "up to" if self.highest_included else "and less than"
        return f"at least {self.lowest:g} {end} {self.highest:g}"


def whole(value: float, chance: float) -> float:
    """Return the whole number below or above `value`, at random by `chance`, in [0, 1).

    Rounding to the nearest would freeze small numbers: 1 perturbed by up to 20 % would stay 1 for
    ever. The odds are those of `value`'s place between its neighbours on a logarithmic scale, so
    the mean of the logarithm stays what it was. Between 0 and 1 it goes up to 1: 0 is infinitely
    far away on that scale.
    """
    size = abs(value)
    below = math.floor(size)
    if below == 0:
        return math.copysign(math.ceil(size), value)
    share = math.log(size / below) / math.log1p(1 / below)
    return math.copysign(below + 1 if chance < share else below, value)


def draw(space: Mapping[str, Hyperparameter], *, seed: int, member: int) -> dict[str, float]:
    """Return the hyperparameters that `member` starts with: `init` where given, else a sample."""
    return {
        name: hyperparameter.sampled(Stream(seed, f"draw:{name}", member))
        if hyperparameter.init is None
        else float(hyperparameter.init)
        for name, hyperparameter in space.items()
    }


def perturb(
    space: Mapping[str, Hyperparameter],
    values: Mapping[str, float],
    *,
    seed: int,
    generation: int,
    member: int,
) -> dict[str, float]:
    """Return the winner's `values` perturbed, for the copy of it that `member` becomes.

    Args:
        space: the hyperparameters, by dotted path.
        values: the winner's, for at least the hyperparameters of `space`.
        seed: the run's seed.
        generation: the one that the perturbed values are for.
        member: the member that becomes the copy.

    Raises:
        KeyError: `values` lacks a hyperparameter of `space`.
    """
    return {
        name: hyperparameter.perturbed(
            values[name], Stream(seed, f"perturb:{name}", generation, member)
        )
        for name, hyperparameter in space.items()
    }


def _clipped(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
