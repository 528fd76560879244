"""What was decided is read again by each controller: what was changed since is told, not used."""

from __future__ import annotations

import json
import math
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_examples import METRIC, Mini, claimed, history, without_syncing
from played_pool import PlayedPool, controller_for, played
from replay_examples import change, told

from autolfads_operator.controller import checks, reading
from autolfads_operator.controller.ledger import Ledger
from autolfads_operator.controller.reading import read_ledger
from autolfads_trainer.disk_errors import NotVisibleYetError, StoreError, in_words
from autolfads_trainer.records import Order, Owner
from autolfads_trainer.store import RunFolder


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


def stopped(root: Path, mini: Mini, generation: int) -> None:
    """Play a run until it is in a generation."""
    pool = PlayedPool(root, mini, 2)
    controller = controller_for(root, pool)
    while controller.ledger.generation < generation:
        controller.turn()
        pool.step()


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
def test_an_order_that_was_removed_is_named_and_none_is_given_in_its_place(
    tmp_path: Path, mode: str
) -> None:
    mini = Mini(population=3, generations=6, mode=mode)
    played(tmp_path / "calm", mini)
    root = tmp_path / "run"
    stopped(root, mini, 5)
    missing = root / "members/001/gen-002/order.json"
    kept = missing.rename(tmp_path / "kept")
    with pytest.raises(NotVisibleYetError) as caught:
        controller_for(root, PlayedPool(root, mini, 2))
    assert in_words(caught.value).startswith(f"{missing}: is missing, although there is one of gen")
    assert not missing.exists()
    kept.rename(missing)
    played(root, mini)
    if mode == "synchronous":
        assert history(root) == history(tmp_path / "calm")


def test_orders_of_one_generation_that_are_not_all_given_yet_are_no_gap(tmp_path: Path) -> None:
    mini = Mini(population=3, generations=4)
    stopped(tmp_path, mini, 3)
    shutil.rmtree(tmp_path / "members/002/gen-003")
    assert controller_for(tmp_path, PlayedPool(tmp_path, mini, 2)).ledger.newest[2] == 2


def test_a_score_that_is_not_the_one_of_its_metrics_is_refused(tmp_path: Path) -> None:
    mini = Mini(population=2, generations=3)
    stopped(tmp_path, mini, 3)
    file = "members/001/gen-001/attempt-1/outcome.json"
    score = json.loads((tmp_path / file).read_text())["score"]
    metric = json.loads((tmp_path / "run.json").read_text())["pbt"]["metric"]
    folder = claimed(tmp_path)
    owner = folder.owner()
    assert owner is not None
    change(tmp_path, file, result={"last": {metric: score}})
    assert read_ledger(folder, owner).run is not None
    change(tmp_path, file, score=0.001)
    with pytest.raises(StoreError) as caught:
        read_ledger(folder, owner)
    assert str(caught.value) == (
        f"{tmp_path / file}: was changed: its score is 0.001; expected {score}, as in its metrics"
    )


ORDER = "members/001/gen-002/order.json"
OTHERWISE = [
    {"parent": [0, 1]},
    {"copied": True},
    {"hyperparameters": {"model.lr_init": 0.003}},
    {"startEpoch": 1},
    {"epochs": 77},
    {"why": "it was told to"},
]


def read(root: Path) -> Ledger:
    folder = claimed(root)
    owner = folder.owner()
    assert owner is not None
    return read_ledger(folder, owner)


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
@pytest.mark.parametrize("otherwise", OTHERWISE, ids=lambda o: next(iter(o)))
def test_an_order_that_was_changed_is_refused_and_named(
    tmp_path: Path, mode: str, otherwise: dict[str, object]
) -> None:
    stopped(tmp_path, Mini(population=3, generations=6, mode=mode), 4)
    read(tmp_path)
    name = next(iter(otherwise))
    before = json.loads((tmp_path / ORDER).read_text())
    assert before[name] != otherwise[name]
    change(tmp_path, ORDER, **otherwise)
    with pytest.raises(StoreError) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / ORDER}: {name}")
    assert "; expected " in str(caught.value)
    (tmp_path / ORDER).write_text(json.dumps(before))
    read(tmp_path)


def test_an_order_that_says_to_have_compared_with_another_score_is_refused(tmp_path: Path) -> None:
    stopped(tmp_path, Mini(population=2, generations=6, mode="asynchronous"), 4)
    order = json.loads((tmp_path / ORDER).read_text())
    change(tmp_path, ORDER, compared=order["compared"] | {"score": 0.75})
    with pytest.raises(StoreError, match=r"compared\.score is 0\.75; expected 0\.5, the score of"):
        read(tmp_path)


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
def test_a_score_that_was_changed_is_found_by_the_orders_that_followed(
    tmp_path: Path, mode: str
) -> None:
    stopped(tmp_path, Mini(population=2, generations=6, mode=mode), 4)
    for member in range(2):  # of which one copied or compared
        score = 0.1 + member
        file = f"members/00{member}/gen-002/attempt-1/outcome.json"
        change(tmp_path, file, score=score, result={"last": {METRIC: score}})
    with pytest.raises(StoreError, match=r"gen-003/order\.json"):
        read(tmp_path)


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
def test_outcomes_that_are_seen_late_are_waited_for_and_make_no_order_a_changed_one(
    tmp_path: Path, mode: str
) -> None:
    stopped(tmp_path, Mini(population=3, generations=6, mode=mode), 4)
    for path in tmp_path.glob("members/*/gen-003/attempt-1/outcome.json"):
        path.rename(tmp_path / "elsewhere")
        gone_on = path.parents[2].joinpath("gen-004/order.json").exists()
        if gone_on or mode == "synchronous":
            with pytest.raises(NotVisibleYetError) as caught:
                read(tmp_path)
            expected = f"{path}: is missing, although generation 4 was given after it"
            assert in_words(caught.value).startswith(expected)
        else:
            read(tmp_path)
        (tmp_path / "elsewhere").rename(path)
        read(tmp_path)


@pytest.mark.parametrize("what", ["gen-002/attempt-1/outcome.json", "gen-002/attempt-1", "."])
@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
def test_what_was_removed_of_a_generation_that_is_over_is_named_and_nothing_takes_its_place(
    tmp_path: Path, mode: str, what: str
) -> None:
    mini = Mini(population=3, generations=6, mode=mode)
    played(tmp_path / "calm", mini)
    root = tmp_path / "run"
    stopped(root, mini, 5)
    removed = root / "members/001" / what
    kept = removed.rename(tmp_path / "kept")
    names = sorted(str(path) for path in root.rglob("*"))
    if what == "." and mode == "asynchronous":
        played(root, mini)  # nobody waits for a member: it is made again as it was
        return
    with pytest.raises(NotVisibleYetError) as caught:
        controller_for(root, PlayedPool(root, mini, 2))
    assert in_words(caught.value).startswith(str(removed))
    assert "is missing, although" in in_words(caught.value)
    assert sorted(str(path) for path in root.rglob("*")) == names
    kept.rename(removed)
    played(root, mini)
    if mode == "synchronous":
        assert history(root) == history(tmp_path / "calm")


def test_of_a_run_that_is_over_anything_may_be_removed(tmp_path: Path) -> None:
    mini = Mini(population=3, generations=3)
    played(tmp_path, mini)
    for what in ("members/001/gen-002/attempt-1/outcome.json", "members/001", "members"):
        (tmp_path / what).rename(tmp_path / "removed")
        assert read(tmp_path).end is not None
        (tmp_path / "removed").rename(tmp_path / what)


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [("pbt", "patience", 3), ("data", "sha256", "00"), ("configuration", "seed", 12345)],
)
def test_a_frozen_run_that_was_changed_is_refused_and_named(
    tmp_path: Path, section: str, name: str, value: object
) -> None:
    stopped(tmp_path, Mini(population=2, generations=6), 3)
    before = json.loads((tmp_path / "run.json").read_text())[section]
    change(tmp_path, "run.json", **{section: before | {name: value}})
    with pytest.raises(StoreError) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/run.json: {section}.{name} is ")


def test_a_frozen_run_that_was_removed_is_not_frozen_again(tmp_path: Path) -> None:
    stopped(tmp_path, Mini(population=2, generations=6), 3)
    (tmp_path / "run.json").unlink()
    with pytest.raises(NotVisibleYetError) as caught:
        read(tmp_path)
    assert in_words(caught.value).startswith(f"{tmp_path}/run.json: is missing, although there are")


def test_what_differs_in_the_last_bit_was_computed_on_another_machine(tmp_path: Path) -> None:
    stopped(tmp_path, Mini(population=2, generations=6), 3)
    values = json.loads((tmp_path / ORDER).read_text())["hyperparameters"]
    other = {name: math.nextafter(value, math.inf) for name, value in values.items()}
    change(tmp_path, ORDER, hyperparameters=other)
    for path in tmp_path.glob("members/*/gen-003"):  # what follows from it is as it was
        shutil.rmtree(path)
    read(tmp_path)
    change(tmp_path, ORDER, hyperparameters={n: value * (1 + 1e-6) for n, value in values.items()})
    with pytest.raises(StoreError, match="hyperparameters"):
        read(tmp_path)


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
def test_a_run_that_goes_on_while_it_is_read_has_no_gap(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mini = Mini(population=3, generations=6, mode=mode)
    pool = PlayedPool(tmp_path, mini, 2)
    controller = controller_for(tmp_path, pool)
    catch_up = reading.catch_up

    def slowly(*what: Any) -> None:
        catch_up(*what)
        ahead = controller.ledger.generation + 3
        while controller.ledger.generation < ahead:
            controller.turn()
            pool.step()

    while controller.ledger.generation < 2:
        controller.turn()
        pool.step()
    monkeypatch.setattr(reading, "catch_up", slowly)
    read(tmp_path)


def test_a_run_whose_members_were_removed_is_not_begun_again(tmp_path: Path) -> None:
    stopped(tmp_path, Mini(population=2, generations=6), 3)
    (tmp_path / "members").rename(tmp_path / "elsewhere")
    with pytest.raises(NotVisibleYetError) as caught:
        read(tmp_path)
    assert in_words(caught.value).startswith(f"{tmp_path}/members: is missing, although workers")
    (tmp_path / "elsewhere").rename(tmp_path / "members")
    read(tmp_path)


@pytest.mark.parametrize("which", ["itself", "another", "compared", "a circle"])
def test_an_order_that_names_what_is_not_over_is_refused(tmp_path: Path, which: str) -> None:
    stopped(tmp_path, Mini(population=4, generations=8, mode="asynchronous"), 4)
    ledger = read(tmp_path)
    going_on = [leg.place for leg in ledger.newest_legs() if not leg.settled and leg.place[1] > 1]
    victim, other = going_on[:2]
    member, generation = victim
    file = f"members/{member:03d}/gen-{generation:03d}/order.json"
    compared = json.loads((tmp_path / file).read_text())["compared"]
    changes: dict[str, Any] = {
        "itself": {"parent": victim},
        "another": {"parent": other, "copied": True},
        "compared": {"compared": compared | {"member": other[0], "generation": other[1]}},
        "a circle": {"parent": other},
    }[which]
    change(tmp_path, file, **changes)
    if which == "a circle":
        change(tmp_path, f"members/{other[0]:03d}/gen-{other[1]:03d}/order.json", parent=victim)
    names = f"members/{victim[0]:03d}/gen-{victim[1]:03d}|{other[0]:03d}/gen-{other[1]:03d}"
    with pytest.raises(NotVisibleYetError) as caught:
        read(tmp_path)
    said = in_words(caught.value)
    assert re.search(rf"({names})/attempt-1/(task|outcome)\.json: is missing, although ", said)
    assert "order.json names it; expected both" in said


def test_what_is_compared_with_and_not_seen_yet_makes_no_order_a_changed_one(
    tmp_path: Path,
) -> None:
    root = tmp_path / "run"
    stopped(root, Mini(population=4, generations=9, mode="asynchronous"), 6)
    compared = [leg.order.compared for leg in read(root).newest_legs()]
    assert any(other is not None and other.generation is not None for other in compared)
    for other in compared:
        if other is None or other.generation is None:
            continue
        unseen = [
            path
            for path in root.glob(f"members/{other.member:03d}/gen-*")
            if int(path.name[-3:]) >= other.generation
        ]
        for path in unseen:
            path.rename(tmp_path / path.name)
        read(root)
        for path in unseen:
            (tmp_path / path.name).rename(path)


METRICS = {"last": {METRIC: 0.47}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"score": None}, "a number, or a reason why there is none"),
        ({"score": 0.001, "result": {}}, f"the {METRIC} of its metrics, which lack it"),
        ({"score": 0.001, "result": {"last": {METRIC: "0.001"}}}, f"the {METRIC} of its metrics"),
        ({"score": 0.001, "result": METRICS}, "0.47, as in its metrics"),
        ({"outcome": "failed", "final": True}, "none, since the attempt did not finish"),
    ],
)
def test_a_score_that_its_own_record_does_not_bear_out_is_refused(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    stopped(tmp_path, Mini(population=2, generations=6), 3)
    file = "members/001/gen-002/attempt-1/outcome.json"
    change(tmp_path, file, **changes)
    with pytest.raises(StoreError) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / file}: was changed: its score is ")
    assert expected in str(caught.value)
    assert any(line.startswith(f"{file}: score is ") for line in told(tmp_path))


@pytest.mark.parametrize("name", ["patience", "generationEpochs", "maxEpochs"])
def test_settings_that_no_run_can_have_are_refused(tmp_path: Path, name: str) -> None:
    stopped(tmp_path, Mini(population=2, generations=6), 3)
    before = json.loads((tmp_path / "run.json").read_text())["pbt"]
    change(tmp_path, "run.json", pbt=before | {name: 0})
    expected = rf"run\.json: was changed: pbt\.{name} is 0; expected at least 1"
    with pytest.raises(StoreError, match=expected):
        read(tmp_path)


def test_first_orders_of_another_controller_are_no_gap(tmp_path: Path) -> None:
    stopped(tmp_path, Mini(population=2, generations=6), 3)
    folder = claimed(tmp_path)
    owner, run = folder.owner(), folder.run()
    assert owner is not None
    assert run is not None
    ledger = Ledger(owner, root=tmp_path)
    ledger.freeze(run)
    for task, outcome in folder.attempts("prepare"):
        assert outcome is not None
        ledger.settle(ledger.add_task(task), outcome)
    # And read no further: the orders were given after that.
    assert checks.somebody_trained(folder)
    checks.refuse_gaps(folder, ledger)


def owner_of(root: Path) -> Owner:
    owner = RunFolder(root).owner()
    assert owner is not None
    return owner


def files_in(root: Path) -> set[Path]:
    return set(root.rglob("*"))


@pytest.mark.parametrize("what", ["prepare", "prepare/attempt-1/outcome.json"])
@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
def test_what_a_run_was_frozen_from_is_missed(tmp_path: Path, mode: str, what: str) -> None:
    stopped(tmp_path, Mini(population=2, generations=6, mode=mode), 3)
    kept = tmp_path.with_name("kept")
    (tmp_path / what).rename(kept)
    before = files_in(tmp_path)
    with pytest.raises(NotVisibleYetError) as caught:
        read_ledger(RunFolder(tmp_path), owner_of(tmp_path))
    assert caught.value.filename == str(tmp_path / "prepare/attempt-1/outcome.json")
    assert "although there is a run.json" in str(caught.value)
    assert files_in(tmp_path) == before
    kept.rename(tmp_path / what)
    read_ledger(RunFolder(tmp_path), owner_of(tmp_path))


class ReadWhileItGoesOn(RunFolder):
    """A folder in which another controller goes on after one member was read, before another."""

    def __init__(self, root: Path, first: int, then: int, goes_on: Callable[[], None]) -> None:
        super().__init__(root)
        self.first, self.then, self.goes_on = first, then, goes_on
        self.read = threading.Event()  # members are read in several threads
        self.gone_on = False

    def order(self, member: int, generation: int) -> Order | None:
        if (member, generation) == (self.then, 1) and not self.gone_on:
            assert self.read.wait(60)
            self.gone_on = True
            self.goes_on()
        found = super().order(member, generation)
        if member == self.first and found is None:
            self.read.set()
        return found


def test_a_run_that_another_controller_goes_on_with_while_it_is_read_has_no_gap(
    tmp_path: Path,
) -> None:
    """Two generations further: of the last member more orders are seen than of the first."""
    pool = PlayedPool(tmp_path, Mini(population=3, generations=9), 3)
    other = controller_for(tmp_path, pool)

    def go_on_to(generation: int) -> None:
        while other.ledger.generation < generation:
            other.turn()
            pool.step()

    go_on_to(3)
    ledger = read_ledger(ReadWhileItGoesOn(tmp_path, 0, 2, lambda: go_on_to(5)), owner_of(tmp_path))
    assert (ledger.newest[0], ledger.newest[2]) == (3, 5)
