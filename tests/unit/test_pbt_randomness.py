"""Random numbers come from the seed and their purpose, and stay the same for ever."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from autolfads_operator.pbt import Stream

SEEDS = st.integers(min_value=0, max_value=2**64)


def test_numbers_stay_what_they_were_when_the_first_runs_were_recorded() -> None:
    # Written down once. If this fails, recorded runs can no longer be replayed: mend the code.
    stream = Stream(0, "pair", 1)
    assert [stream.uniform() for _ in range(3)] == [
        0.15459951777454406,
        0.9493930148824453,
        0.42617034346893246,
    ]
    assert Stream(2**63, "draw:model.lr_init", 7).uniform() == 0.17815584231876658
    assert Stream(0, "é", -1).uniform() == 0.6277302083407248
    assert Stream(0, "pair", 1).shuffled(range(8)) == [4, 0, 5, 7, 3, 2, 6, 1]


@settings(deadline=None)
@given(seed=SEEDS, purpose=st.text(), numbers=st.lists(st.integers(), max_size=3))
def test_the_same_key_gives_the_same_numbers_within_zero_and_one(
    seed: int, purpose: str, numbers: list[int]
) -> None:
    one, other = Stream(seed, purpose, *numbers), Stream(seed, purpose, *numbers)
    for _ in range(5):
        number = one.uniform()
        assert number == other.uniform()
        assert 0 <= number < 1


def test_another_seed_purpose_or_number_gives_other_numbers() -> None:
    streams = [
        Stream(0, "a", 1, 2),
        Stream(1, "a", 1, 2),
        Stream(0, "b", 1, 2),
        Stream(0, "a", 2, 1),
        Stream(0, "a", 12),
        Stream(0, "a"),
        Stream(0, "a,1", 2),
        Stream(0, 'a",1,2', 1),
    ]
    firsts = {stream.uniform() for stream in streams}
    assert len(firsts) == len(streams)


@settings(deadline=None)
@given(seed=SEEDS, items=st.lists(st.integers()))
def test_shuffling_keeps_every_item_and_the_list_it_was_given(seed: int, items: list[int]) -> None:
    before = list(items)
    shuffled = Stream(seed, "any").shuffled(items)
    assert sorted(shuffled) == sorted(before)
    assert items == before


def test_every_order_is_equally_likely() -> None:
    draws = 6000
    seen = Counter(tuple(Stream(seed, "any").shuffled("abc")) for seed in range(draws))
    assert set(seen) == set(permutations("abc"))
    for count in seen.values():
        assert abs(count - draws / 6) < 5 * (draws / 6) ** 0.5
