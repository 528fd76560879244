"""How a run's epochs are divided into generations.

Generations count from 1, epochs from 0.
"""

from __future__ import annotations


def generation_epochs(
    generation: int, *, burn_in: int, interval: int, max_epochs: int
) -> tuple[int, int]:
    """Return a generation's first epoch and its number of epochs.

    The first generation lasts `burn_in` epochs (`interval` when that is 0), later ones `interval`;
    the last is cut at `max_epochs`. A generation with 0 epochs lies behind the end of the run.

    Raises:
        ValueError: a generation, interval or number of epochs that cannot be.
    """
    _check(burn_in=burn_in, interval=interval, max_epochs=max_epochs)
    if generation < 1:
        raise ValueError(f"generation is {generation}; expected at least 1")
    first = burn_in or interval
    if generation == 1:
        start, epochs = 0, first
    else:
        start, epochs = first + (generation - 2) * interval, interval
    start = min(start, max_epochs)
    return start, min(epochs, max_epochs - start)


def last_generation(*, burn_in: int, interval: int, max_epochs: int) -> int:
    """Return the number of the last generation that has any epochs.

    Raises:
        ValueError: an interval or number of epochs that cannot be.
    """
    _check(burn_in=burn_in, interval=interval, max_epochs=max_epochs)
    left = max(0, max_epochs - (burn_in or interval))
    return 1 + -(-left // interval)  # rounded up


def _check(*, burn_in: int, interval: int, max_epochs: int) -> None:
    if burn_in < 0:
        raise ValueError(f"burn-in is {burn_in} epochs; expected at least 0")
    if interval < 1:
        raise ValueError(f"interval is {interval} epochs; expected at least 1")
    if max_epochs < 1:
        raise ValueError(f"max epochs is {max_epochs}; expected at least 1")
