"""What is compared between sessions: averages of training trials that all of them have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.data.expected import Floats as Spikes
from autolfads_trainer.data.hdf5 import Recording
from autolfads_trainer.data.pcr.labels import Label
from autolfads_trainer.userinput import InputError

ALL_TRIALS: Label = 0  # the one condition where there are none


@dataclass(frozen=True, eq=False)
class Averages:
    """One session's average spikes per bin, of each of its conditions."""

    path: Path
    keys: frozenset[str]  # datasets that the file has
    heldin: int  # channels that the model sees; they come first
    of: dict[Label, NDArray[np.float64]]  # condition → (steps, channels)

    @property
    def steps(self) -> int:
        """How many bins the model sees of a trial."""
        return len(next(iter(self.of.values())))

    def stacked(self, conditions: Sequence[Label]) -> NDArray[np.float64]:
        """Return the averages of these conditions, `(conditions, steps, channels)`."""
        return np.stack([self.of[condition] for condition in conditions])


def averaged(recording: Recording, conditions: Sequence[Label]) -> Averages:
    """Average the training trials of each condition; `conditions` has one per trial.

    Only steps that the model sees count. Raises `InputError` where what it sees is not a part of
    what it is to explain: then one mean cannot centre the one and start the other.
    """
    encod, recon = recording.train.encod, recording.train.recon
    _, steps, heldin = encod.shape
    seen = recon[:, :steps]
    if not np.array_equal(encod, seen[..., :heldin]):
        raise InputError(
            f"{recording.path}: train_encod_data is not the first {steps} steps and {heldin} "
            "channels of train_recon_data; expected that it is, since readout_bias holds one mean "
            "for both"
        )
    trials: dict[Label, list[int]] = {}
    for trial, condition in enumerate(conditions):
        trials.setdefault(condition, []).append(trial)
    of = {condition: _mean(seen[chosen]) for condition, chosen in trials.items()}
    return Averages(recording.path, recording.keys, heldin, of)


def _mean(spikes: Spikes) -> NDArray[np.float64]:
    return np.asarray(spikes.mean(axis=0, dtype=np.float64))


def shared_conditions(sessions: Sequence[Averages]) -> list[Label]:
    """Return the conditions that all sessions have, in order. Raises `InputError` for none."""
    shared = set(sessions[0].of).intersection(*(session.of for session in sessions[1:]))
    if not shared:
        found = "; ".join(f"{session.path.name}: {_some(session.of)}" for session in sessions)
        raise InputError(
            f"{sessions[0].path}: shares no condition with all other files ({found}); expected "
            "conditions that every file has, or --trials to compare averages of all trials"
        )
    return sorted(shared, key=lambda label: (isinstance(label, str), label))


def _some(conditions: dict[Label, NDArray[np.float64]], most: int = 5) -> str:
    told = ", ".join(str(condition) for condition in list(conditions)[:most])
    return told if len(conditions) <= most else f"{told} and {len(conditions) - most} more"


def refuse_other_steps(sessions: Sequence[Averages]) -> None:
    """Raise `InputError` unless trials of all sessions are equally long."""
    first = sessions[0]
    for session in sessions[1:]:
        if session.steps != first.steps:
            raise InputError(
                f"{session.path}: train_encod_data has {session.steps} time steps; "
                f"{first.path} has {first.steps}; expected trials of the same length in all files"
            )


def refuse_the_same(sessions: Sequence[Averages]) -> None:
    """Raise `InputError` where two files hold the same spikes."""
    for i, session in enumerate(sessions):
        for other in sessions[:i]:
            if session.of.keys() == other.of.keys() and all(
                np.array_equal(values, other.of[condition])
                for condition, values in session.of.items()
            ):
                raise InputError(
                    f"{session.path}: holds the same spikes as {other.path}; "
                    "expected each session once"
                )
