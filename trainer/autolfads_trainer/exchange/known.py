"""What is known of a foreign model, from the file and from its user; what had to be assumed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from autolfads_trainer.config.checks import Key
from autolfads_trainer.config.defaults import DataSizes, default_configuration
from autolfads_trainer.exchange.given import Given
from autolfads_trainer.exchange.lightning import Foreign
from autolfads_trainer.exchange.shapes import Shape
from autolfads_trainer.userinput import InputError, shown

_MOST_TOLD = 8
_NO_DATA = DataSizes(
    path="",
    encod_dim=1,
    encod_steps=1,
    recon_dim=1,
    recon_steps=1,
    ext_input_dim=0,
    train_trials=1,
    valid_trials=1,
    keys=frozenset(),
)
# The usual settings, of which those that repeat a size of the data mean nothing here.
USUAL = default_configuration(_NO_DATA)["model"]


@dataclass(frozen=True)
class Known:
    """Both sources, and the notes that grow while they are put together."""

    foreign: Foreign
    given: Given
    notes: list[str] = field(default_factory=list)
    usual: list[str] = field(default_factory=list)  # keys of which neither source knows anything

    @property
    def shapes(self) -> dict[str, Shape]:
        """The weights' shapes, by their names."""
        return {name: tuple(w.shape) for name, w in self.foreign.state_dict.items()}

    def matrix(self, name: str) -> Shape:
        """Return the shape of the weight `name`, which is to have two axes."""
        shape = tuple(self.foreign.state_dict[name].shape)
        if len(shape) != 2:
            raise self.error(f"state_dict: '{name}' is of shape {shape}", "two axes")
        return shape

    def number(self, value: object, key: Key, above: float = -math.inf) -> float:
        """Return a number that the configuration says at `key`."""
        if is_number(value, above):
            return float(value)  # type: ignore[arg-type]
        bound = "" if above == -math.inf else f" above {above:g}"
        found = "is missing" if value is None else f"found {shown(value)}"
        raise InputError(f"{self.given.where(key)}: {found}; expected a number{bound}")

    def error(self, found: str, expected: str) -> InputError:
        """Return the error that the file is not what it should be."""
        return InputError(f"{self.foreign.path}: {found}; expected {expected}")


def is_number(value: object, above: float = -math.inf) -> bool:
    """Return whether `value` is a finite number, which `true` is not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value) and value > above
    except OverflowError:  # a whole number beyond any float
        return False


def some(names: Iterable[str]) -> str:
    """Return names for a message: the first ones, and how many more there are."""
    every = [f"{name:.80}" for name in names]
    more = f" and {len(every) - _MOST_TOLD} more" if len(every) > _MOST_TOLD else ""
    return (", ".join(every[:_MOST_TOLD]) or "nothing") + more
