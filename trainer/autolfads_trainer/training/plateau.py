"""Lowering the learning rate when the metric no longer falls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class Plateau:
    """Multiply the learning rate by `decay` after more than `patience` epochs without a new best.

    Never below `floor`. Any fall of the metric is a new best.
    """

    decay: float
    patience: int
    floor: float
    best: float = math.inf
    waited: int = 0

    def next_rate(self, lr: float, metric: float) -> float:
        """Return the learning rate after an epoch that ended with `metric`."""
        if metric < self.best:
            self.best, self.waited = metric, 0
            return lr
        self.waited += 1
        if self.waited <= self.patience:
            return lr
        self.waited = 0
        return min(lr, max(lr * self.decay, self.floor))

    def state(self) -> dict[str, float]:
        """Return what a resume needs."""
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        self.best, self.waited = float(state["best"]), int(state["waited"])
