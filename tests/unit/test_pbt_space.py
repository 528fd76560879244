"""Start values lie in the range, and perturbed ones move without drift, within what is allowed."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autolfads_operator.pbt import Hyperparameter, Sample, Stream, draw, perturb
from autolfads_operator.pbt.space import whole

SCALE = Hyperparameter(
    minimum=1e-6,
    maximum=1e-4,
    init=None,
    sample="logUniform",
    explore_weight=0.8,
    enforce_limits=False,
    lowest=0.0,
    highest=None,
    highest_included=False,
)
RATE = Hyperparameter(
    minimum=0.0,
    maximum=0.6,
    init=None,
    sample="uniform",
    explore_weight=0.3,
    enforce_limits=True,
    lowest=0.0,
    highest=1.0,
    highest_included=False,
)
COUNT = Hyperparameter(
    minimum=1,
    maximum=5,
    init=None,
    sample="randInt",
    explore_weight=0.2,
    enforce_limits=False,
    lowest=1.0,
    highest=None,
    highest_included=False,
)
SEEDS = st.integers(0, 2**32)


def _perturbed(hyperparameter: Hyperparameter, value: float, draws: int = 300) -> list[float]:
    return [
        perturb({"x": hyperparameter}, {"x": value}, seed=seed, generation=2, member=0)["x"]
        for seed in range(draws)
    ]


def _drawn(hyperparameter: Hyperparameter, draws: int = 2000) -> list[float]:
    return [draw({"x": hyperparameter}, seed=1, member=member)["x"] for member in range(draws)]


class _Fixed(Stream):
    """A stream that ends where chance hardly ever does."""

    def __init__(self, *numbers: float) -> None:
        super().__init__(0, "fixed")
        self._numbers = list(numbers)

    def uniform(self) -> float:
        return self._numbers.pop(0)


ALMOST_ONE = math.nextafter(1, 0)


# --- start values


def test_a_member_starts_from_init_where_there_is_one() -> None:
    space = {"a": replace(SCALE, init=3e-3), "b": replace(SCALE, init=0.0), "c": SCALE}
    started = [draw(space, seed=4, member=member) for member in range(20)]
    assert {values["a"] for values in started} == {3e-3}  # outside the range is the user's choice
    assert {values["b"] for values in started} == {0.0}
    assert len({values["c"] for values in started}) == 20


def test_log_uniform_samples_are_as_many_in_each_decade() -> None:
    logs = [math.log10(value) for value in _drawn(SCALE)]
    assert min(logs) >= -6
    assert max(logs) <= -4
    assert abs(fmean(logs) + 5) < 5 * 2 / math.sqrt(12 * len(logs))
    assert sum(value < -5.5 for value in logs) == pytest.approx(len(logs) / 4, rel=0.2)


def test_uniform_samples_are_spread_evenly() -> None:
    values = _drawn(RATE)
    assert min(values) >= 0
    assert max(values) <= 0.6
    assert sum(value < 0.15 for value in values) == pytest.approx(len(values) / 4, rel=0.2)
    assert sum(value < 0.3 for value in values) == pytest.approx(len(values) / 2, rel=0.1)


@pytest.mark.parametrize(
    ("minimum", "maximum", "expected"),
    [(1, 5, {1, 2, 3, 4}), (0, 1, {0}), (0.5, 2.5, {1, 2}), (-2, 1, {-2, -1, 0})],
)
def test_whole_samples_are_at_least_min_and_below_max(
    minimum: float, maximum: float, expected: set[int]
) -> None:
    counts = Counter(_drawn(replace(COUNT, minimum=minimum, maximum=maximum, lowest=-2.0)))
    assert set(counts) == expected
    assert all(isinstance(value, float) for value in counts)
    assert min(counts.values()) > 0.8 * 2000 / len(expected)


def test_rounding_never_carries_a_sample_out_of_the_range() -> None:
    # exp(log(x)) is a little more or less than x, and 0.5 + almost 0.5 is 1.
    for exponent in range(1, 200):
        scale = replace(SCALE, minimum=1.1**-exponent, maximum=1.1**-exponent * 1.01)
        assert scale.minimum <= scale.sampled(_Fixed(0.0)) <= scale.maximum
        assert scale.minimum <= scale.sampled(_Fixed(ALMOST_ONE)) <= scale.maximum
    up_to_one = replace(RATE, minimum=0.5, maximum=1.0)
    assert up_to_one.sampled(_Fixed(ALMOST_ONE)) == ALMOST_ONE
    assert replace(up_to_one, highest_included=True).sampled(_Fixed(ALMOST_ONE)) == 1.0
    assert COUNT.sampled(_Fixed(ALMOST_ONE)) == 4.0


def test_a_range_of_a_single_value_gives_that_value() -> None:
    assert set(_drawn(replace(SCALE, minimum=1e-4), 20)) == {1e-4}
    assert set(_drawn(replace(RATE, minimum=0.6), 20)) == {0.6}


# --- perturbing


def test_known_error_4_perturbing_does_not_shrink_values_on_average() -> None:
    logs = [math.log(new / 1e-5) for new in _perturbed(SCALE, 1e-5, 20_000)]
    reach = math.log(1.8)
    assert min(logs) == pytest.approx(-reach, rel=1e-3)
    assert max(logs) == pytest.approx(reach, rel=1e-3)
    # U(-r, r) has the standard deviation r / sqrt(3); 1 + U(-0.8, 0.8) would have mean -0.14.
    assert abs(fmean(logs)) < 4 * reach / math.sqrt(3 * len(logs))
    assert sum(log < -reach / 2 for log in logs) == pytest.approx(len(logs) / 4, rel=0.05)


def test_known_error_4_a_lineage_does_not_drift() -> None:
    members, generations = 500, 30
    ends = []
    for member in range(members):
        values = {"x": 1.0}
        for generation in range(2, generations + 2):
            values = perturb({"x": SCALE}, values, seed=7, generation=generation, member=member)
        ends.append(math.log(values["x"]))
    spread = math.log(1.8) * math.sqrt(generations / 3)
    assert abs(fmean(ends)) < 4 * spread / math.sqrt(members)
    assert max(ends) > spread  # it does move
    assert min(ends) < -spread


def test_known_error_4_whole_values_do_not_drift_either() -> None:
    for value in (2.0, 3.0, 10.0):
        logs = [math.log(new / value) for new in _perturbed(COUNT, value, 20_000)]
        deviation = math.sqrt(fmean(log * log for log in logs))
        assert abs(fmean(logs)) < 4 * deviation / math.sqrt(len(logs)), value


def test_known_error_5_perturbing_depends_on_seed_generation_member_and_name_alone() -> None:
    start = {"x": 1.0, "y": 1.0}
    key = {"seed": 0, "generation": 2, "member": 1}
    new = perturb({"x": SCALE}, start, **key)
    assert perturb({"x": SCALE}, start, **key) == new
    assert perturb({"y": SCALE, "x": SCALE}, start, **key)["x"] == new["x"]
    assert perturb({"x": SCALE, "y": SCALE}, start, **key)["y"] != new["x"]
    for changed in ("seed", "generation", "member"):
        assert perturb({"x": SCALE}, start, **(key | {changed: 3}))["x"] != new["x"]


def test_known_error_5_drawing_depends_on_seed_member_and_name_alone() -> None:
    first = draw({"x": SCALE}, seed=0, member=1)
    assert draw({"x": SCALE}, seed=0, member=1) == first
    both = draw({"y": SCALE, "x": SCALE}, seed=0, member=1)
    assert both["x"] == first["x"]
    assert both["y"] != first["x"]
    assert draw({"x": SCALE}, seed=2, member=1) != first
    assert draw({"x": SCALE}, seed=0, member=2) != first


def test_known_error_5_values_stay_what_they_were_when_the_first_runs_were_recorded() -> None:
    # Written down once. If this fails, recorded runs can no longer be replayed: mend the code.
    space = {"model.kl_co_scale": SCALE, "n": replace(COUNT, maximum=9)}
    started = draw(space, seed=3, member=2)
    assert started == pytest.approx({"model.kl_co_scale": 1.2790010421055465e-05, "n": 8.0})
    new = perturb(space, started, seed=3, generation=2, member=2)
    assert new == pytest.approx({"model.kl_co_scale": 1.5625599324332126e-05, "n": 8.0})


@pytest.mark.parametrize("value", [0.01, 0.3, 0.59])
def test_enforced_limits_hold(value: float) -> None:
    limited = replace(RATE, minimum=0.2, maximum=0.4)
    assert all(0.2 <= new <= 0.4 for new in _perturbed(limited, value))
    free = _perturbed(replace(limited, enforce_limits=False), 0.3)
    assert min(free) < 0.25
    assert max(free) > 0.38
    free = _perturbed(replace(limited, enforce_limits=False), 0.4)
    assert max(free) > 0.5


def test_a_rate_that_would_reach_one_goes_half_of_the_remaining_way() -> None:
    free = replace(RATE, enforce_limits=False)
    new = _perturbed(free, 0.9)
    assert new.count(0.95) > 20
    assert all(value == 0.95 or value < 1 for value in new)
    # a limit of 1 is reached exactly, and is not allowed either
    ends_at_one = replace(RATE, maximum=1.0)
    assert ends_at_one.perturbed(0.9, _Fixed(ALMOST_ONE)) == 0.95
    assert 0.95 < free.perturbed(0.9, _Fixed(0.69)) < 1  # close to 1 but short of it: kept
    # so near to 1 that half of the way is lost in rounding
    assert free.perturbed(ALMOST_ONE, _Fixed(ALMOST_ONE)) == ALMOST_ONE


def test_a_highest_that_is_allowed_is_reached() -> None:
    included = replace(RATE, enforce_limits=False, highest_included=True)
    new = _perturbed(included, 0.9)
    assert max(new) == 1.0
    assert 0.95 not in new


def test_a_scale_has_no_highest() -> None:
    assert max(_perturbed(SCALE, 1e9)) > 1.5e9


def test_a_value_below_the_lowest_is_brought_up_to_it() -> None:
    at_least = replace(SCALE, minimum=0.5, maximum=2.0, lowest=0.5)
    assert min(_perturbed(at_least, 0.5)) == 0.5


def test_a_zero_restarts_instead_of_being_stuck() -> None:
    new = _perturbed(replace(RATE, enforce_limits=False), 0.0, 2000)
    assert min(new) > 0
    assert max(new) == pytest.approx(0.3 * 0.6, rel=0.01)
    assert sum(value < 0.09 for value in new) == pytest.approx(1000, rel=0.1)
    assert min(_perturbed(replace(RATE, minimum=0.05), 0.0)) == 0.05  # clipped likewise
    high = replace(RATE, explore_weight=5.0, enforce_limits=False)
    assert max(_perturbed(high, 0.0)) < 1
    assert _perturbed(high, 0.0).count(0.5) > 20
    assert set(_perturbed(replace(COUNT, minimum=0, lowest=0.0), 0.0)) == {1.0}


def test_an_explore_weight_of_zero_keeps_values() -> None:
    assert set(_perturbed(replace(SCALE, explore_weight=0.0), 3e-5, 20)) == {3e-5}
    assert set(_perturbed(replace(COUNT, explore_weight=0.0), 7.0, 20)) == {7.0}


def test_whole_values_stay_whole_and_can_move_both_ways() -> None:
    for value in (2.0, 3.0, 4.0, 40.0):
        new = set(_perturbed(COUNT, value))
        assert all(number.is_integer() for number in new)
        assert {value - 1, value, value + 1} <= new
    assert set(_perturbed(COUNT, 1.0)) == {1.0, 2.0}  # 1 is the lowest
    assert set(_perturbed(replace(COUNT, lowest=-5.0, minimum=-5), -3.0)) == {-2.0, -3.0, -4.0}


def test_whole_values_within_limits_are_those_that_can_be_drawn() -> None:
    limited = replace(COUNT, minimum=2, enforce_limits=True, explore_weight=2.0)
    assert set(_perturbed(limited, 3.0)) == {2.0, 3.0, 4.0}
    fractions = replace(limited, minimum=1.5, maximum=4.5)
    assert set(_perturbed(fractions, 3.0)) == {2.0, 3.0, 4.0}


def test_whole_values_keep_to_what_the_setting_allows() -> None:
    free = replace(COUNT, explore_weight=2.0, lowest=1.5, highest=6.0, minimum=2, maximum=5)
    assert set(_perturbed(free, 4.0)) == {2.0, 3.0, 4.0, 5.0}
    assert max(_perturbed(replace(free, highest_included=True), 4.0)) == 6.0
    assert max(_perturbed(replace(free, highest_included=True, highest=6.5), 4.0)) == 6.0


@pytest.mark.parametrize(
    ("value", "chance", "expected"),
    [
        (3.0, 0.0, 3.0),
        (3.0, ALMOST_ONE, 3.0),
        (math.sqrt(6), 0.49, 3.0),  # half of the way from 2 to 3, on a logarithmic scale
        (math.sqrt(6), 0.51, 2.0),
        (-math.sqrt(6), 0.49, -3.0),
        (0.2, 0.99, 1.0),
        (-0.2, 0.99, -1.0),
        (0.0, 0.5, 0.0),
    ],
)
def test_rounding_at_random_goes_by_the_place_on_a_logarithmic_scale(
    value: float, chance: float, expected: float
) -> None:
    assert whole(value, chance) == expected


@settings(deadline=None)
@given(
    low=st.floats(0, 0.9),
    width=st.floats(0, 1),
    weight=st.floats(0, 10),
    enforce=st.booleans(),
    included=st.booleans(),
    value=st.floats(0, ALMOST_ONE),
    seed=SEEDS,
)
def test_known_error_4_a_perturbed_rate_is_a_rate(
    low: float, width: float, weight: float, enforce: bool, included: bool, value: float, seed: int
) -> None:
    high = min(1.0, low + width)
    rate = replace(
        RATE,
        minimum=low,
        maximum=high,
        explore_weight=weight,
        enforce_limits=enforce,
        highest_included=included,
    )
    new = perturb({"x": rate}, {"x": value}, seed=seed, generation=1, member=0)["x"]
    assert rate.allows(new)
    assert not enforce or low <= new <= high
    if enforce or value == 0:
        return
    assert new / value <= (1 + weight) * (1 + 1e-9)
    assert new >= value / (1 + weight) * (1 - 1e-9)


@settings(deadline=None)
@given(
    low=st.integers(-50, 50),
    count=st.integers(1, 50),
    weight=st.floats(0, 3),
    enforce=st.booleans(),
    seed=SEEDS,
)
def test_whole_values_can_always_be_drawn_and_perturbed_into_allowed_ones(
    low: int, count: int, weight: float, enforce: bool, seed: int
) -> None:
    hyperparameter = replace(
        COUNT,
        minimum=low,
        maximum=low + count,
        explore_weight=weight,
        enforce_limits=enforce,
        lowest=-50.0,
        highest=100.0,
    )
    space = {"x": hyperparameter}
    values = draw(space, seed=seed, member=0)
    for generation in range(1, 4):
        assert float(values["x"]).is_integer()
        assert hyperparameter.allows(values["x"])
        assert not (enforce or generation == 1) or low <= values["x"] < low + count
        values = perturb(space, values, seed=seed, generation=generation, member=0)


def test_other_values_than_those_of_the_space_are_left_out_and_missing_ones_named() -> None:
    assert set(perturb({"x": SCALE}, {"x": 1.0, "z": 2.0}, seed=0, generation=1, member=0)) == {"x"}
    with pytest.raises(KeyError, match="x"):
        perturb({"x": SCALE}, {"z": 2.0}, seed=0, generation=1, member=0)


# --- what a hyperparameter may be


@pytest.mark.parametrize(
    ("base", "changes", "message"),
    [
        (RATE, {"minimum": 0.7}, "min 0.7 is above max 0.6"),
        (RATE, {"minimum": -0.1}, "min is -0.1; expected at least 0 and less than 1"),
        (RATE, {"maximum": 1.1}, "max is 1.1; expected at least 0 and less than 1"),
        (RATE, {"minimum": 1.0, "maximum": 1.0}, "min is 1; expected at least 0 and less than 1"),
        (RATE, {"init": 1.0}, "init is 1; expected at least 0 and less than 1"),
        (RATE, {"init": -0.1}, "init is -0.1; expected at least 0"),
        (RATE, {"init": math.nan}, "init is nan; expected at least 0"),
        (RATE, {"init": 1.5, "highest_included": True}, "init is 1.5; expected .* up to 1"),
        (RATE, {"minimum": math.nan}, "min is nan and max is 0.6; expected finite numbers"),
        (RATE, {"maximum": math.inf}, "min is 0 and max is inf; expected finite numbers"),
        (RATE, {"explore_weight": -0.1}, "exploreWeight is -0.1; expected .* at least 0"),
        (RATE, {"explore_weight": math.nan}, "exploreWeight is nan; expected .* at least 0"),
        (RATE, {"sample": "normal"}, "sample is 'normal'; expected logUniform, uniform, randInt"),
        (SCALE, {"init": -1.0}, "init is -1; expected at least 0"),
        (SCALE, {"minimum": 0.0}, "min is 0; expected more than 0 for logUniform"),
        (COUNT, {"minimum": 5}, "no whole number is at least min 5 and below max 5"),
        (COUNT, {"minimum": 4.2, "maximum": 4.8}, "no whole number is at least min 4.2"),
        (COUNT, {"init": 1.5}, "init is 1.5; expected a whole number for randInt"),
        (COUNT, {"highest": 4.0}, "max is 5; expected at least 1 and less than 4"),
        (COUNT, {"highest": 3.5, "highest_included": True}, "max is 5; expected .* up to 3.5"),
    ],
)
def test_a_range_upside_down_or_outside_what_the_setting_allows_is_refused(
    base: Hyperparameter, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        (RATE, {"minimum": 0.6}),
        (RATE, {"maximum": 1.0}),  # samples stay below it
        (RATE, {"minimum": 1.0, "maximum": 1.0, "highest_included": True}),
        (RATE, {"init": 0.0}),
        (RATE, {"init": 0.9}),  # outside the range, which is for samples
        (RATE, {"init": 1.0, "highest_included": True}),
        (RATE, {"explore_weight": 0.0}),
        (RATE, {"sample": "uniform"}),
        (SCALE, {"init": 1e300}),
        (COUNT, {"minimum": 4}),
        (COUNT, {"minimum": 3.5, "maximum": 4.5}),
        (COUNT, {"init": 7}),
        (COUNT, {"highest": 4.0, "highest_included": True}),
    ],
)
def test_what_a_setting_allows_is_accepted(
    base: Hyperparameter, changes: dict[str, object]
) -> None:
    hyperparameter = replace(base, **changes)  # type: ignore[arg-type]
    for value in _drawn(hyperparameter, 20):
        assert hyperparameter.allows(value)


@settings(deadline=None)
@given(
    minimum=st.floats(1e-9, 1),
    maximum=st.floats(1e-9, 1),
    init=st.none() | st.floats(0, 1, exclude_max=True),
    sample=st.sampled_from(["logUniform", "uniform"]),
    highest=st.none() | st.just(1.0),
    flags=st.tuples(st.booleans(), st.booleans()),
)
def test_json_gives_back_what_it_was_given(
    minimum: float,
    maximum: float,
    init: float | None,
    sample: Sample,
    highest: float | None,
    flags: tuple[bool, bool],
) -> None:
    assume(minimum <= maximum and minimum < 1)
    hyperparameter = replace(
        RATE,
        minimum=minimum,
        maximum=maximum,
        init=init,
        sample=sample,
        enforce_limits=flags[0],
        highest=highest,
        highest_included=flags[1],
    )
    text = json.dumps(hyperparameter.to_json(), allow_nan=False)
    assert Hyperparameter.from_json(json.loads(text)) == hyperparameter


def test_json_names_are_those_of_the_manifest() -> None:
    data = {
        "min": 0,
        "max": 1,
        "init": None,
        "sample": "uniform",
        "exploreWeight": 0.3,
        "enforceLimits": True,
        "lowest": 0,
        "highest": 1,
        "highestIncluded": False,
    }
    rate = Hyperparameter.from_json(data)
    assert rate == replace(RATE, maximum=1.0)
    assert list(rate.to_json()) == list(data)
    del data["init"]
    with pytest.raises(ValueError, match="missing or unknown keys: init, initial"):
        Hyperparameter.from_json({**data, "initial": None})
