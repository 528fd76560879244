"""Milliseconds become bins where the width of a bin is known, and else are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluation_files import NAME, contents, write
from hypothesis import given, settings
from hypothesis import strategies as st

from autolfads_trainer.evaluation.evaluate import evaluate_file
from autolfads_trainer.evaluation.options import Options
from autolfads_trainer.evaluation.units import bin_width, kernel, lags_to_try
from autolfads_trainer.userinput import InputError

HERE = Path("a.h5")


@pytest.mark.parametrize(
    ("bin_ms", "steps", "lags"),
    [
        (20.0, 100, range(-5, 11)),
        (None, 100, range(-5, 11)),
        (10.0, 100, range(-10, 21, 2)),
        (5.0, 400, range(-20, 41, 4)),
        (50.0, 100, range(-2, 5)),
        (20.0, 12, range(-2, 5)),  # half of the bins are left
        (20.0, 1, range(1)),
    ],
)
def test_by_default_lags_go_from_100_ms_before_to_200_ms_after_in_20_ms(bin_ms, steps, lags):
    assert lags_to_try(Options(), bin_ms, steps, HERE) == tuple(lags)


@settings(deadline=None)
@given(st.one_of(st.none(), st.floats(0.1, 1000)), st.integers(1, 5000))
def test_default_lags_hold_zero_and_leave_half_of_a_trial(bin_ms, steps):
    lags = lags_to_try(Options(), bin_ms, steps, HERE)

    assert 0 in lags
    assert len(lags) <= 16 + 8
    assert lags[-1] - lags[0] <= steps / 2


def test_lags_of_ones_own_are_sorted_and_tried_once():
    assert lags_to_try(Options(lag_bins=(3, -1, 3)), None, 10, HERE) == (-1, 3)
    assert lags_to_try(Options(lag_ms=(60, 0)), 20.0, 10, HERE) == (0, 3)
    assert lags_to_try(Options(lag_ms=(0.3,)), 0.1, 10, HERE) == (3,)


def test_milliseconds_that_are_no_whole_bins_are_refused():
    with pytest.raises(InputError, match="found 50 with bins of 20 ms; expected whole bins"):
        lags_to_try(Options(lag_ms=(50,)), 20.0, 10, HERE)


@pytest.mark.parametrize(
    ("options", "other"),
    [(Options(lag_ms=(20,)), "--lag-bins"), (Options(kernel_ms=20), "--kernel-bins")],
)
def test_milliseconds_need_the_width_of_a_bin(options, other):
    ask = lags_to_try if options.lag_ms else lambda o, b, _, p: kernel(o, b, p)
    with pytest.raises(InputError, match=f"expected --bin-ms beside it, or {other}"):
        ask(options, None, 10, HERE)


def test_the_kernel_is_what_was_asked_for():
    assert kernel(Options(kernel_ms=70), 20.0, HERE) == 3.5
    assert kernel(Options(kernel_bins=2), 20.0, HERE) == 2


def test_the_file_and_the_user_must_agree_on_the_width_of_a_bin():
    assert bin_width(20.0, Options(bin_ms=20), HERE) == 20
    assert bin_width(None, Options(bin_ms=20), HERE) == 20
    assert bin_width(20.0, Options(), HERE) == 20
    assert bin_width(None, Options(), HERE) is None
    with pytest.raises(InputError, match="bins of 20 ms; found --bin-ms 10"):
        bin_width(20.0, Options(bin_ms=10), HERE)


@pytest.mark.parametrize("said", ["wide", [0.02, 0.02], 0.0, -1.0, float("nan")])
def test_a_width_that_is_no_number_above_zero_is_as_if_there_were_none(tmp_path, said):
    path = write(tmp_path / NAME, contents(), bin_width_seconds=said)

    assert evaluate_file(path).bin_ms is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"kernel_ms": 0.0},
        {"kernel_bins": -1.0},
        {"bin_ms": float("inf")},
        {"kernel_ms": float("nan")},
        {"lag_ms": (float("nan"),)},
        {"lag_ms": (1.0,), "lag_bins": (1,)},
        {"kernel_ms": 1.0, "kernel_bins": 1.0},
    ],
)
def test_what_no_evaluation_can_use_is_refused(wrong):
    with pytest.raises(InputError, match=r"^evaluate: .*; expected"):
        Options(**wrong)
