"""Epochs are divided into generations: a burn-in, equal intervals, and a last one cut short."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolfads_operator.pbt import generation_epochs, last_generation


@pytest.mark.parametrize(
    ("generation", "burn_in", "interval", "max_epochs", "start", "epochs"),
    [
        (1, 105, 25, 1000, 0, 105),
        (2, 105, 25, 1000, 105, 25),
        (3, 105, 25, 1000, 130, 25),
        (37, 105, 25, 1000, 980, 20),  # cut
        (38, 105, 25, 1000, 1000, 0),  # the run is at its end
        (99, 105, 25, 1000, 1000, 0),
        (1, 0, 25, 1000, 0, 25),  # no burn-in
        (2, 0, 25, 1000, 25, 25),
        (4, 0, 25, 100, 75, 25),  # the last one fits
        (5, 0, 25, 100, 100, 0),
        (1, 50, 10, 30, 0, 30),  # the burn-in alone is too long
        (2, 50, 10, 30, 30, 0),
        (1, 1, 1, 1, 0, 1),
    ],
)
def test_a_generation_has_its_epochs(
    generation: int, burn_in: int, interval: int, max_epochs: int, start: int, epochs: int
) -> None:
    found = generation_epochs(generation, burn_in=burn_in, interval=interval, max_epochs=max_epochs)
    assert found == (start, epochs)


@pytest.mark.parametrize(
    ("burn_in", "interval", "max_epochs", "last"),
    [(105, 25, 1000, 37), (0, 25, 100, 4), (0, 25, 101, 5), (50, 10, 30, 1), (50, 10, 51, 2)],
)
def test_the_last_generation_is_the_last_with_epochs(
    burn_in: int, interval: int, max_epochs: int, last: int
) -> None:
    assert last_generation(burn_in=burn_in, interval=interval, max_epochs=max_epochs) == last


@settings(deadline=None)
@given(
    burn_in=st.integers(0, 30),
    interval=st.integers(1, 30),
    max_epochs=st.integers(1, 200),
)
def test_generations_cover_every_epoch_once(burn_in: int, interval: int, max_epochs: int) -> None:
    last = last_generation(burn_in=burn_in, interval=interval, max_epochs=max_epochs)
    reached = 0
    for generation in range(1, last + 1):
        start, epochs = generation_epochs(
            generation, burn_in=burn_in, interval=interval, max_epochs=max_epochs
        )
        assert start == reached
        assert epochs > 0
        reached += epochs
    assert reached == max_epochs
    assert generation_epochs(
        last + 1, burn_in=burn_in, interval=interval, max_epochs=max_epochs
    ) == (max_epochs, 0)


@pytest.mark.parametrize(
    ("generation", "burn_in", "interval", "max_epochs", "named"),
    [
        (0, 0, 1, 1, "generation is 0; expected at least 1"),
        (1, -1, 1, 1, "burn-in is -1 epochs; expected at least 0"),
        (1, 0, 0, 1, "interval is 0 epochs; expected at least 1"),
        (1, 0, 1, 0, "max epochs is 0; expected at least 1"),
    ],
)
def test_numbers_that_cannot_be_are_refused(
    generation: int, burn_in: int, interval: int, max_epochs: int, named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        generation_epochs(generation, burn_in=burn_in, interval=interval, max_epochs=max_epochs)


def test_the_last_generation_refuses_them_as_well() -> None:
    with pytest.raises(ValueError, match="interval is 0 epochs"):
        last_generation(burn_in=0, interval=0, max_epochs=1)
