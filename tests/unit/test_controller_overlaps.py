"""Two controllers on one folder: whoever is first decides, and both go by it."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from breaking_folder import CountingFolder
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_examples import Mini, history, without_syncing
from played_pool import PlayedPool, always, controller_for, played, to_the_end
from random_runs import Fate, Trouble, fates, minis, seeds
from test_controller_survives import MINI, fate

from autolfads_operator.controller.loop import Controller
from autolfads_operator.controller.orders import orders_of
from autolfads_operator.controller.reading import read_ledger
from autolfads_trainer.records import Order
from autolfads_trainer.store import RunFolder


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


@settings(deadline=None, max_examples=10)
@given(mini=minis(), fate=fates, most=st.integers(1, 4), luck=seeds)
def test_controllers_that_take_turns_in_any_order_make_one_history(
    mini: Mini, fate: Fate, most: int, luck: int
) -> None:
    chance = random.Random(luck)
    with tempfile.TemporaryDirectory() as calm, tempfile.TemporaryDirectory() as rough:
        played(Path(calm), mini, fate)
        pool = PlayedPool(Path(rough), mini, most, Trouble(fate, luck), luck=chance)
        two = [controller_for(Path(rough), pool) for _ in range(2)]
        over = False
        for _ in range(chance.randint(0, 60)):
            over = chance.choice(two).turn()
            if over:
                break
            pool.step()
        if not over:
            to_the_end(chance.choice(two), pool)  # either can go on alone
        assert history(Path(rough)) == history(Path(calm))
        for controller in two:  # and neither objects to how it ended
            to_the_end(controller, pool)
        assert history(Path(rough)) == history(Path(calm))


class Meanwhile(CountingFolder):
    """A run folder in which something else happens right after the n-th read or write."""

    def __init__(self, root: Path, at: int, happens: Callable[[], None]) -> None:
        super().__init__(root)
        self.at = at
        self.happens = happens

    def after(self, _name: str) -> None:
        if len(self.calls) == self.at:
            self.happens()


@settings(deadline=None, max_examples=16)
@given(
    mini=minis(),
    fate=fates,
    most=st.integers(1, 4),
    luck=seeds,
    before=st.integers(0, 40),
    at=st.integers(1, 60),
    meanwhile=st.integers(1, 12),
)
def test_a_controller_that_starts_while_another_is_at_work_makes_the_same_history(
    mini: Mini, fate: Fate, most: int, luck: int, before: int, at: int, meanwhile: int
) -> None:
    """Right after any read or write of the second one, the first one goes on for some turns."""
    with tempfile.TemporaryDirectory() as calm, tempfile.TemporaryDirectory() as rough:
        root = Path(rough)
        played(Path(calm), mini, fate)
        pool = PlayedPool(root, mini, most, fate, luck=random.Random(luck))
        first = controller_for(root, pool)

        def go_on(turns: int) -> None:
            for _ in range(turns):
                first.turn()
                pool.step()

        go_on(before)
        folder = Meanwhile(root, at, lambda: go_on(meanwhile))
        to_the_end(controller_for(root, pool, folder), pool)
        assert history(root) == history(Path(calm))


class EarlyReader(RunFolder):
    """Reads the first member's orders for the first time before those of `unseen` were given."""

    def __init__(self, root: Path, unseen: int) -> None:
        super().__init__(root)
        self.unseen = unseen
        self.early = True

    def order(self, member: int, generation: int) -> Order | None:
        if self.early and (member, generation) == (0, self.unseen):
            self.early = False
            return None
        return super().order(member, generation)


def test_a_controller_sees_what_another_gave_while_it_read_when_nobody_is_left_to_tell_it(
    tmp_path: Path,
) -> None:
    """One member's orders are read, two generations begin, then the other one's are read."""
    mini = Mini(population=2, generations=3)
    calm, root = tmp_path / "calm", tmp_path / "rough"
    played(calm, mini, always(0.5))
    pool = PlayedPool(root, mini, 2, always(0.5))
    first = controller_for(root, pool)
    while len(first.ledger.legs_of(2)) < 2 or len(first.ledger.open_attempts()) < 2:
        first.turn()
        pool.step()
    folders = [attempt.task.folder for attempt in first.ledger.open_attempts()]
    while any(RunFolder(root).outcome(folder) is None for folder in folders):
        pool.step()
    run = first.ledger.run
    assert run is not None
    whole = read_ledger(RunFolder(root), first.owner)
    for order in orders_of(whole, run, 3):  # and there is no time for more: it dies, and its node
        RunFolder(root).give_order(order)
    pool.kill()
    second = controller_for(root, pool, EarlyReader(root, unseen=2))
    assert second.ledger.newest == {0: 1, 1: 3}
    to_the_end(second, pool)
    assert history(root) == history(calm)


def test_a_controller_that_starts_at_the_end_of_a_generation_sees_all_of_it(
    tmp_path: Path,
) -> None:
    """Whichever read of its start the other one's next orders come after."""
    calm = tmp_path / "calm"
    played(calm, MINI, fate)
    for at in range(1, 30):
        root = tmp_path / str(at)
        pool = PlayedPool(root, MINI, 2, fate)
        first = controller_for(root, pool)

        def until_generation(
            number: int, first: Controller = first, pool: PlayedPool = pool
        ) -> None:
            while first.ledger.generation < number:
                first.turn()
                pool.step()

        until_generation(2)
        folder = Meanwhile(root, at, lambda go_on=until_generation: go_on(3))
        second = controller_for(root, pool, folder)
        # What an order was derived from is there.
        assert second.ledger.generation == 2 or all(
            leg.finished for leg in second.ledger.legs_of(2)
        )
        to_the_end(second, pool)
        assert history(root) == history(calm), f"after read {at}"
