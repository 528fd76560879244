"""How long it will still take, and how durations are said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_examples import a_picture

from autolfads_operator.view.pace import SHORTEST, Pace, duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (42.3, "42 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (360000, "100 h 00 min"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_time_left_follows_from_the_epochs_seen_to_go_by() -> None:
    pace = Pace()
    assert pace.seconds_left(100.0, a_picture(4, epochs_done=20.0)) is None
    assert pace.seconds_left(100.0 + SHORTEST - 0.1, a_picture(4, epochs_done=30.0)) is None
    assert pace.seconds_left(110.0, a_picture(4, epochs_done=40.0)) == pytest.approx(30.0)
    assert pace.seconds_left(120.0, a_picture(4, epochs_done=100.0)) == 0.0


def test_nothing_is_guessed_while_nothing_moves() -> None:
    pace = Pace()
    for second in range(100):
        assert pace.seconds_left(float(second), a_picture(4, epochs_done=20.0)) is None


@pytest.mark.parametrize("state", ["preparing", "exporting", "succeeded", "failed"])
def test_only_training_has_a_time_left(state: str) -> None:
    pace = Pace()
    pace.seconds_left(0.0, a_picture(4, epochs_done=20.0))
    assert pace.seconds_left(10.0, a_picture(4, epochs_done=40.0, state=state)) is None


@given(st.floats(0.01, 100.0), st.floats(1.0, 90.0))
def test_a_steady_pace_is_recognised(seconds_per_epoch: float, done: float) -> None:
    pace = Pace()
    pace.seconds_left(0.0, a_picture(1, epochs_done=0.0))
    left = pace.seconds_left(done * seconds_per_epoch, a_picture(1, epochs_done=done))
    if done * seconds_per_epoch < SHORTEST:
        assert left is None
    else:
        assert left == pytest.approx(seconds_per_epoch * (100 - done))
