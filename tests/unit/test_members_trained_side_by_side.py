"""Threads whose members are trained together: each gets what it would have got alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import torch
from small_models import never, same, small_data, small_member, weights

from autolfads_trainer.training.member import Member
from autolfads_trainer.training.side_by_side import SideBySide

DATA = small_data()
EPOCHS = 3


def member(number: int, *, epochs: int = EPOCHS, gen_dim: int = 6) -> Member:
    return small_member(
        number, epochs=epochs, data=DATA, lr_init=1e-3 * (number + 1), gen_dim=gen_dim
    )


def patiently() -> bool:
    return False


def side_by_side(most: int) -> SideBySide:
    return SideBySide(most, say=lambda _: None)


class Threads:
    """A thread for each member, as the lanes of a worker have it."""

    def __init__(self, together: SideBySide) -> None:
        self.together = together
        self.pool = ThreadPoolExecutor(16)

    def train(
        self, each: Sequence[Member], after_step: Callable[[Member], bool] = never
    ) -> list[Future[bool]]:
        all_there = threading.Barrier(len(each))

        def one(member: Member) -> bool:
            with self.together.coming():
                all_there.wait(60)
                return self.together.train(member, after_step, patiently)

        return [self.pool.submit(one, member) for member in each]


def ended(futures: Sequence[Future[bool]]) -> list[bool]:
    return [future.result(timeout=120) for future in futures]


def close(one: Member, other: Member) -> None:
    for name, value in weights(other.model).items():
        assert torch.allclose(weights(one.model)[name], value, rtol=1e-3, atol=1e-5), name
    last, expected = one.progress.rows[-1], other.progress.rows[-1]
    assert last == pytest.approx(expected, rel=1e-3, nan_ok=True)


def alone(number: int, **settings: int) -> Member:
    made = member(number, **settings)
    assert made.train(never)
    return made


@pytest.mark.parametrize("most", [1, 2, 4])
def test_each_learns_what_it_learns_alone(most: int) -> None:
    each = [member(number) for number in range(4)]
    assert ended(Threads(side_by_side(most)).train(each)) == [True] * 4
    for number, one in enumerate(each):
        close(one, alone(number))


def test_they_are_trained_at_once_and_not_one_after_another() -> None:
    seen: list[int] = []

    def note(one: Member) -> bool:
        seen.append(one.leg.member)
        return False

    each = [member(number) for number in range(3)]
    ended(Threads(side_by_side(3)).train(each, note))
    assert seen[:6] == [*seen[:3], *seen[:3]]
    assert set(seen[:3]) == {0, 1, 2}


def test_the_next_generation_is_trained_in_the_same_places() -> None:
    threads = Threads(side_by_side(2))
    ended(threads.train([member(0), member(1)]))
    group = threads.together._group
    again = [member(2), member(3)]
    ended(threads.train(again))
    assert threads.together._group is group
    for one in again:
        close(one, alone(one.leg.member))


def test_memory_of_those_that_were_trained_is_given_back_when_others_need_it() -> None:
    threads = Threads(side_by_side(2))
    first = [member(number) for number in range(2)]
    resting = []

    def after_step(_: Member) -> bool:
        threads.together.rest()  # somebody trains: nothing happens
        resting.append(threads.together._group is None)
        return False

    ended(threads.train(first, after_step))
    assert not any(resting)
    threads.together.rest()
    assert threads.together._group is None
    again = [member(number) for number in range(2)]
    ended(threads.train(again))
    for number, one in enumerate(again):
        close(one, alone(number))


def test_one_that_comes_later_joins_the_others() -> None:
    threads = Threads(side_by_side(3))
    late = member(2)
    began = threading.Event()
    may_go_on = threading.Event()

    def wait_once(_: Member) -> bool:
        if not began.is_set():
            began.set()
            may_go_on.wait(60)
        return False

    first = threads.train([member(0), member(1, epochs=EPOCHS + 2)], wait_once)
    assert began.wait(60)
    second = threads.train([late])
    until(lambda: bool(threads.together._waiting))
    may_go_on.set()
    assert ended([*first, *second]) == [True] * 3
    close(late, alone(2))


def test_one_that_is_told_to_stop_stops_alone_and_can_go_on() -> None:
    each = [member(number) for number in range(3)]
    futures = Threads(side_by_side(3)).train(
        each, lambda one: one.leg.member == 1 and one.position > 1.4
    )
    assert ended(futures) == [True, False, True]
    assert each[1].progress.epoch == 1
    assert each[1].drawer.step > 0
    for number in (0, 2):
        close(each[number], alone(number))
    assert each[1].train(never)
    close(each[1], alone(1))


def test_an_error_after_a_step_is_its_members_own() -> None:
    def fail(one: Member) -> bool:
        if one.leg.member == 0 and one.progress.epoch == 1:
            raise OSError("the disk")
        return False

    each = [member(number) for number in range(2)]
    failed, good = Threads(side_by_side(2)).train(each, fail)
    with pytest.raises(OSError, match="the disk"):
        failed.result(timeout=120)
    assert good.result(timeout=120)
    close(each[1], alone(1))


def test_an_error_in_a_step_is_everybodys_and_the_next_begin_anew() -> None:
    threads = Threads(side_by_side(2))

    def break_it(one: Member) -> bool:
        if one.progress.epoch == 1:
            del threads.together._group.data  # type: ignore[union-attr]
        return False

    for future in threads.train([member(0), member(1)], break_it):
        with pytest.raises(AttributeError):
            future.result(timeout=120)
    again = [member(0), member(1)]
    assert ended(threads.train(again)) == [True, True]
    close(again[0], alone(0))


def test_one_that_has_become_nan_is_at_its_end_and_touches_no_other() -> None:
    each = [member(0), member(1)]
    with torch.no_grad():
        for parameter in each[0].model.parameters():
            parameter.fill_(torch.nan)
    assert ended(Threads(side_by_side(2)).train(each)) == [True, True]
    assert each[0].lost
    assert each[0].progress.epoch == 1
    close(each[1], alone(1))


def test_members_of_different_shapes_are_trained_one_kind_after_the_other() -> None:
    each = [member(0), member(1, gen_dim=7), member(2)]
    assert ended(Threads(side_by_side(3)).train(each)) == [True] * 3
    close(each[1], alone(1, gen_dim=7))
    close(each[2], alone(2))


def test_who_waits_for_a_place_shows_life_and_can_give_up() -> None:
    together = side_by_side(1)
    began, end = threading.Event(), threading.Event()

    def hold_on(_: Member) -> bool:
        began.set()
        return end.wait(60)

    first = Threads(together).train([member(0)], hold_on)
    assert began.wait(60)
    signs = 0

    def two_signs() -> bool:
        nonlocal signs
        signs += 1
        return signs == 2

    second = member(1)
    untouched = weights(second.model)
    assert not together.train(second, never, two_signs)
    assert same(weights(second.model), untouched)
    end.set()
    assert ended(first) == [False]


def test_one_whose_leg_is_over_is_not_trained() -> None:
    over = member(0, epochs=0)
    assert side_by_side(1).train(over, never, patiently)
    assert over.progress.rows == []


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.005)
