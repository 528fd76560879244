"""The Lorenz problem: channels that fire with the state of a chaotic attractor.

Three hidden dimensions drive all channels, so that a model that finds them recovers the rates
almost exactly from spikes that look like noise (Sussillo et al. 2016, arXiv:1608.06315; Pandarinath
et al. 2018, doi:10.1038/s41592-018-0109-9).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CONDITIONS = 65
TRIALS = 24
CHANNELS = 29
BINS = 50
BIN_SECONDS = 0.020

STEP_SECONDS = 0.001
STEPS_PER_BIN = 20
BURN_IN_STEPS = 500
EULER_STEP = 0.006  # of the attractor's own time, per step
SIGMA, RHO, BETA = 10.0, 28.0, 8.0 / 3.0
BASE_HZ = 5.0
MOST_IN_SESSION = None  # channels: any number of them can follow three dimensions

PARAMETERS: dict[str, float] = {
    "sigma": SIGMA,
    "rho": RHO,
    "beta": BETA,
    "euler_step": EULER_STEP,
    "burn_in_steps": BURN_IN_STEPS,
    "step_seconds": STEP_SECONDS,
    "base_hz": BASE_HZ,
}


def rates(
    random: np.random.Generator,
    conditions: int = CONDITIONS,
    channels: int = CHANNELS,
    session: np.random.Generator | None = None,
) -> NDArray[np.float64]:
    """Draw start states and read-out weights, and return the rates in Hz.

    A further `session` of the same dynamics draws its read-out weights from its own generator.
    Returns `(conditions, BINS, channels)`: the mean of a bin's 20 rates of 1 ms each.
    """
    start = random.standard_normal((conditions, 3)) + np.array([0.0, 0.0, 25.0])
    state = scaled(trajectories(start))
    by_step = step_rates(state, readout(session or random, channels))
    by_bin = by_step.reshape(conditions, BINS, STEPS_PER_BIN, channels)
    return np.asarray(by_bin.mean(axis=2))


def readout(random: np.random.Generator, channels: int) -> NDArray[np.float64]:
    """Draw the weights `(channels, 3)`: sizes from U(1, 2), signs at random."""
    sizes = random.uniform(1.0, 2.0, (channels, 3))
    return np.asarray(sizes * random.choice([-1.0, 1.0], (channels, 3)))


def step_rates(state: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rates of every 1 ms step, in Hz: BASE_HZ · exp(W x).

    Takes `(conditions, steps, 3)` and `(channels, 3)`; returns `(conditions, steps, channels)`.
    """
    return np.asarray(BASE_HZ * np.exp(state @ weights.T))


def trajectories(start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Follow the Lorenz equations from `start` `(conditions, 3)`, by Euler's rule.

    Returns `(conditions, BINS * STEPS_PER_BIN, 3)`: the steps after the burn-in (Lorenz 1963,
    J. Atmos. Sci. 20:130).
    """
    steps = BINS * STEPS_PER_BIN
    kept = np.empty((len(start), steps, 3))
    state = start
    for step in range(BURN_IN_STEPS + steps):
        x, y, z = state.T
        slope = np.stack([SIGMA * (y - x), x * (RHO - z) - y, x * y - BETA * z], axis=1)
        state = state + EULER_STEP * slope
        if step >= BURN_IN_STEPS:
            kept[:, step - BURN_IN_STEPS] = state
    return kept


def scaled(state: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give every condition and dimension a time mean of 0 and a largest absolute value of 1.

    Takes and returns `(conditions, steps, dimensions)`.
    """
    centred = state - state.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.abs(centred).max(axis=1, keepdims=True))
