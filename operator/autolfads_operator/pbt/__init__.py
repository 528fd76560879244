"""Population-based training (PBT), the algorithm alone: numbers in, decisions out.

A population of members trains side by side, each with hyperparameters of its own (`draw`). Every
few epochs (`generation_epochs`) they meet in random pairs (`decide`): the worse of a pair becomes
a copy of the better (exploit), with hyperparameters a little off the winner's (`perturb`:
explore). In asynchronous mode nobody waits for the slowest: each compares with one opponent's
newest score (`rival_of`, `decide_alone`). So hyperparameters are tuned in the course of a single
training, and follow a schedule that no fixed setting could. A run ends at its last generation
(`last_generation`) or when its best score hardly changes any more (`has_stopped_improving`); its
result is the checkpoint with the best score at the end of any generation (`best`).

Scores are losses: lower is better. One that is missing or not finite is lost: it loses every
comparison, and is never the best (`finite`).

Nothing here does I/O, looks at a clock, or keeps a state. All randomness comes from (seed,
generation, member), so the same scores lead to the same decisions, today and in a controller
started again next week.

Sources: Jaderberg et al. 2017, Population based training of neural networks, arXiv:1711.09846;
Keshtkaran et al. 2022, A large-scale neural network training framework for generalized estimation
of single-trial population dynamics, Nature Methods 19 (AutoLFADS).
"""

from __future__ import annotations

from .asynchronous import LoneDecision, Rival, decide_alone, opponent, rival_of
from .randomness import Stream
from .schedule import generation_epochs, last_generation
from .selection import best, best_of_each_generation, finite
from .space import Hyperparameter, Sample, draw, perturb
from .stopping import has_stopped_improving
from .tournament import AllLost, Decision, decide

__all__ = [
    "AllLost",
    "Decision",
    "Hyperparameter",
    "LoneDecision",
    "Rival",
    "Sample",
    "Stream",
    "best",
    "best_of_each_generation",
    "decide",
    "decide_alone",
    "draw",
    "finite",
    "generation_epochs",
    "has_stopped_improving",
    "last_generation",
    "opponent",
    "perturb",
    "rival_of",
]
