"""Problems with known rates: data on which denoised rates can be held against the truth.

`generate` makes the arrays, `write` puts them into a file; the command `autolfads generate` and
the manifest's `spec.data.generate` both do just that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.data.problems import chaotic_rnn, lorenz
from autolfads_trainer.data.problems.writing import check_target, write
from autolfads_trainer.data.split.rules import every_nth
from autolfads_trainer.userinput import InputError, nearest, shown

__all__ = ["PROBLEMS", "check_target", "describe", "generate", "write"]

PROBLEMS: dict[str, ModuleType] = {"lorenz": lorenz, "chaotic": chaotic_rnn}
VALIDATION_EVERY = 5  # every 5th trial of a condition
MAX_COUNTS = 500_000_000  # 4 GB while they are drawn; the largest of the two problems has 6.5 M


@dataclass(frozen=True)
class _Sizes:
    conditions: int
    trials: int  # of each condition
    channels: int
    heldout: int
    session: int


def generate(
    problem: str,
    seed: int,
    *,
    conditions: int | None = None,
    trials: int | None = None,
    channels: int | None = None,
    heldout: int = 0,
    session: int = 0,
) -> dict[str, NDArray[Any]]:
    """Draw one of `PROBLEMS`; sizes that are not given are the problem's own.

    A condition is one start state; its trials have the same rates and differ in their spikes.
    `seed` draws the start states, the read-out (Lorenz) and the spikes. The chaotic network itself
    is always the published one.

    A further `session` of the same seed records the same dynamics: condition i has the start state
    that it has in session 0, however many conditions there are; channels and spikes are its own.

    Returns for `train` and `valid` (every 5th trial of a condition):
    `{split}_encod_data` `(trials, time, channels - heldout)`, spikes per bin, without the last
    `heldout` channels; `{split}_recon_data` `(trials, time, channels)`, spikes per bin;
    `{split}_truth` `(trials, time, channels)`, Hz; `{split}_cond_idx` `(trials,)`. And
    `conversion_factor`, the bins per second: truth / conversion_factor is in spikes per bin.
    Raises `InputError` for an unknown problem and for sizes it cannot have.
    """
    module = _module(problem)
    sizes = _sizes(module, conditions, trials, channels, heldout, session)
    random = np.random.default_rng(_whole("seed", seed, 0))
    own = _generator_of(sizes.session, seed)
    rates = module.rates(random, sizes.conditions, sizes.channels, own)
    # Counts of 1 ms steps summed over a bin are Poisson with the summed mean: drawn as such.
    expected = np.repeat((rates * module.BIN_SECONDS)[:, None], sizes.trials, axis=1)
    spikes = (own or random).poisson(expected).astype(np.float32)
    truth = rates.astype(np.float32)

    validation = every_nth(sizes.trials, VALIDATION_EVERY)
    arrays: dict[str, NDArray[Any]] = {}
    for split, chosen in (("train", ~validation), ("valid", validation)):
        recon = spikes[:, chosen].reshape(-1, module.BINS, sizes.channels)
        condition = np.repeat(np.arange(sizes.conditions), chosen.sum())
        arrays[f"{split}_encod_data"] = recon[..., : sizes.channels - sizes.heldout]
        arrays[f"{split}_recon_data"] = recon
        arrays[f"{split}_truth"] = truth[condition]
        arrays[f"{split}_cond_idx"] = condition
    arrays["conversion_factor"] = np.asarray(_bins_per_second(module))
    return arrays


def describe(
    problem: str,
    seed: int,
    *,
    conditions: int | None = None,
    trials: int | None = None,
    channels: int | None = None,
    heldout: int = 0,
    session: int = 0,
) -> dict[str, str | int | float]:
    """Return the file attributes that say how `generate` made its arrays from these arguments.

    Raises `InputError` as `generate` does.
    """
    module = _module(problem)
    sizes = _sizes(module, conditions, trials, channels, heldout, session)
    parameters = {
        "conditions": sizes.conditions,
        "trials_per_condition": sizes.trials,
        "channels": sizes.channels,
        "heldout_channels": sizes.heldout,
        "bins": module.BINS,
        **module.PARAMETERS,
    }
    return {
        "problem": problem,
        "seed": _whole("seed", seed, 0),
        **({"session": sizes.session} if sizes.session else {}),
        "bin_width_seconds": module.BIN_SECONDS,
        "parameters": json.dumps(parameters),
    }


def _generator_of(session: int, seed: int) -> np.random.Generator | None:
    """Return what a further session draws from; the first has none besides the problem's."""
    if session == 0:
        return None
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(session,)))


def _module(problem: str) -> ModuleType:
    if problem not in PROBLEMS:
        known = " or ".join(PROBLEMS)
        guess = nearest(str(problem), PROBLEMS)
        raise InputError(f"generate: problem: found {shown(problem)}; expected {known}{guess}")
    return PROBLEMS[problem]


def _sizes(
    module: ModuleType,
    conditions: int | None,
    trials: int | None,
    channels: int | None,
    heldout: int,
    session: int,
) -> _Sizes:
    sizes = _Sizes(
        conditions=_whole("conditions", conditions, 1, module.CONDITIONS),
        trials=_whole(
            "trials",
            trials,
            VALIDATION_EVERY,
            module.TRIALS,
            why=f", since every {VALIDATION_EVERY}th trial of a condition is for validation",
        ),
        channels=_whole("channels", channels, 1, module.CHANNELS),
        heldout=_whole("heldout", heldout, 0),
        session=_whole("session", session, 0),
    )
    if sizes.heldout >= sizes.channels:
        raise InputError(
            f"generate: heldout: found {sizes.heldout} of {sizes.channels} channels; "
            "expected that at least one channel is left to encode"
        )
    most = module.MOST_IN_SESSION
    if sizes.session > 0 and most is not None and sizes.channels > most:
        raise InputError(
            f"generate: channels: found {sizes.channels} in session {sizes.session}; expected at "
            f"most {most}, since all sessions record one network of {most} units"
        )
    counts = sizes.conditions * sizes.trials * sizes.channels * int(module.BINS)
    if counts > MAX_COUNTS:
        raise InputError(
            f"generate: conditions × trials × channels × {module.BINS} bins: found {counts} spike "
            f"counts; expected at most {MAX_COUNTS}"
        )
    return sizes


def _whole(
    name: str, value: int | None, least: int, default: int | None = None, why: str = ""
) -> int:
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(
            f"generate: {name}: found {shown(value)}; "
            f"expected a whole number of at least {least}{why}"
        )
    return value


def _bins_per_second(module: ModuleType) -> float:
    return float(round(1 / module.BIN_SECONDS))
