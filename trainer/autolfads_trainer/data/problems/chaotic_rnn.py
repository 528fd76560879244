"""The chaotic network problem: channels that fire with the units of a random recurrent network.

Nothing here is low-dimensional by construction, and nearby starts drift apart: harder than Lorenz
(Sussillo et al. 2016, arXiv:1608.06315; networks as in Sompolinsky et al. 1988, PRL 61:259).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CONDITIONS = 130
TRIALS = 10
CHANNELS = 50
BINS = 100
BIN_SECONDS = 0.010

NETWORK_SEED = 5  # results are published for this one network, so a problem's seed leaves it alone
UNITS = 50
MOST_IN_SESSION = UNITS  # channels, where several sessions record one network
GAIN = 1.5
TAU_SECONDS = 0.025
START_STD = 1.0
MAX_HZ = 30.0

PARAMETERS: dict[str, float] = {
    "network_seed": NETWORK_SEED,
    "gain": GAIN,
    "tau_seconds": TAU_SECONDS,
    "start_std": START_STD,
    "max_hz": MAX_HZ,
}


def weights(units: int = UNITS, seed: int = NETWORK_SEED) -> NDArray[np.float64]:
    """Return the recurrent weights `(units, units)`, from N(0, 1 / units)."""
    # The legacy generator: its stream is frozen, so the network is the same with every numpy.
    return np.asarray(np.random.RandomState(seed).randn(units, units) / np.sqrt(units))


def rates(
    random: np.random.Generator,
    conditions: int = CONDITIONS,
    channels: int = CHANNELS,
    session: np.random.Generator | None = None,
) -> NDArray[np.float64]:
    """Draw start states, and return the rates in Hz, `(conditions, BINS, channels)`, in 0..MAX_HZ.

    Fewer channels than units: the first ones are recorded, so that the dynamics stay the same.
    More: the network grows to that size. A further `session` of the same dynamics records units
    that its own generator draws, of the published network: at most MOST_IN_SESSION.
    """
    units = max(UNITS, channels)
    recorded = np.arange(channels) if session is None else session.permutation(UNITS)[:channels]
    state = START_STD * random.standard_normal((conditions, units))
    activity = np.tanh(trajectories(state, weights(units)))[..., recorded]
    lowest = activity.min(axis=1, keepdims=True)
    span = activity.max(axis=1, keepdims=True) - lowest
    return np.asarray(MAX_HZ * (activity - lowest) / span)


def trajectories(start: NDArray[np.float64], recurrent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Follow τ dx/dt = −x + g W tanh(x) from `start` `(conditions, units)`, by Euler's rule.

    Returns x as `(conditions, BINS, units)`; the first bin is one step after the start.
    """
    states = np.empty((len(start), BINS, start.shape[1]))
    state = start
    for step in range(BINS):
        slope = GAIN * np.tanh(state) @ recurrent.T - state
        state = state + BIN_SECONDS / TAU_SECONDS * slope
        states[:, step] = state
    return states
