"""A run at any moment, in the words that all views use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_examples import OWNER, Mini, without_syncing
from played_pool import Fails, Play, PlayedPool, controller_for, to_the_end

from autolfads_operator.controller.ledger import Ledger
from autolfads_operator.controller.loop import Controller
from autolfads_operator.view.picture import Picture, picture_of


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


def picture(controller: Controller) -> Picture:
    return picture_of(controller.ledger, controller.statuses)


def test_before_anything_happens_there_is_a_name_and_a_state() -> None:
    found = picture_of(Ledger(OWNER), {})
    assert (found.name, found.state, found.doing) == ("mini", "preparing", "")
    assert (found.generation, found.members, found.workers) == (0, (), 0)
    assert found.population is found.seed is found.metric is found.best_score is None
    assert found.epochs_in_all == 0


def test_a_run_passes_through_all_states(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(), 2)
    controller = controller_for(tmp_path, pool)
    states = [picture(controller).state]
    while not controller.turn():
        states.append(picture(controller).state)
        pool.step()
    states.append(picture(controller).state)
    assert list(dict.fromkeys(states)) == ["preparing", "training", "exporting", "succeeded"]
    assert states == sorted(states, key=list(dict.fromkeys(states)).index)  # and never back


def test_while_preparing_it_says_what_the_worker_says(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(), 1)
    controller = controller_for(tmp_path, pool)
    controller.turn()
    assert picture(controller).doing == ""
    said = set()
    while controller.ledger.run is None:
        pool.step()
        controller.turn()
        said.add(picture(controller).doing)
    assert "starting to prepare" in said
    assert picture(controller).doing == ""  # from now on there is a table


def until_generation(controller: Controller, pool: PlayedPool, generation: int) -> None:
    while controller.ledger.generation < generation:
        pool.step()
        assert not controller.turn()


def test_members_are_waiting_in_training_and_finished(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(), 2, lambda member, *_: 0.5 + member)
    controller = controller_for(tmp_path, pool)
    until_generation(controller, pool, 2)
    found = picture(controller)
    assert [member.member for member in found.members] == [0, 1, 2, 3]
    assert {member.state for member in found.members} <= {"waiting", "training"}
    states = set()
    while controller.ledger.generation == 2:
        for member in picture(controller).members:
            states.add(member.state)
            assert (member.score is not None) == (member.state == "finished")
            assert member.end_epoch == 5
            assert 3 <= member.epoch <= 5
            assert (member.epoch == 5) == (member.state == "finished")
        pool.step()
        controller.turn()
    assert states == {"waiting", "training", "finished"}


def test_a_member_in_training_shows_what_its_worker_says_of_it(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=1), 1)
    controller = controller_for(tmp_path, pool)
    until_generation(controller, pool, 1)
    controller.turn()
    (attempt,) = controller.ledger.open_attempts()
    (life,) = pool.lives()
    status = controller.statuses[life].model_copy(
        update={"task": attempt.task.folder, "epoch": 1.25, "score": 0.75}
    )
    (member,) = picture_of(controller.ledger, {life: status}).members
    assert (member.state, member.epoch, member.score) == ("training", 1.25, 0.75)
    early = status.model_copy(update={"epoch": None, "score": None})
    (member,) = picture_of(controller.ledger, {life: early}).members
    assert (member.epoch, member.score) == (0.0, None)
    other = status.model_copy(update={"task": "members/009/gen-001/attempt-1"})
    (member,) = picture_of(controller.ledger, {life: other}).members
    assert (member.epoch, member.score) == (0.0, None)
    (member,) = picture_of(controller.ledger, {}).members
    assert (member.state, member.epoch) == ("training", 0.0)


def test_a_member_without_a_score_is_lost_and_counts_as_done(tmp_path: Path) -> None:
    pool = PlayedPool(
        tmp_path, Mini(population=2), 1, lambda member, *_: 0.5 if member else float("nan")
    )
    controller = controller_for(tmp_path, pool)
    while "lost" not in (
        states := {m.member: m.state for m in picture(controller).members}.values()
    ):
        pool.step()
        assert not controller.turn()
        assert controller.ledger.generation < 2
    assert list(states) == ["lost", "training"]
    found = picture(controller)
    assert found.members[0].epoch == found.members[0].end_epoch == 3
    assert found.best_member is None


def test_the_epochs_of_all_members_only_ever_grow_and_reach_the_end(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=5), 2)
    controller = controller_for(tmp_path, pool)
    done = [0.0]
    while not controller.turn():
        found = picture(controller)
        assert found.epochs_in_all in (0, 5 * 9)
        done.append(found.epochs_done)
        pool.step()
    assert done == sorted(done)
    assert done[-1] == 45.0


def test_the_best_so_far_is_named(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(), 2, lambda member, g, _: 1.0 + member if g == 1 else 5.0)
    controller = controller_for(tmp_path, pool)
    until_generation(controller, pool, 3)
    found = picture(controller)
    assert (found.best_member, found.best_generation, found.best_score) == (0, 1, 1.0)


def test_attempts_and_reasons_for_the_start_are_told(tmp_path: Path) -> None:
    def plays(member: int, _generation: int, attempt: int) -> Play:
        return Fails() if member == 1 and attempt == 1 else 0.5

    pool = PlayedPool(tmp_path, Mini(), 4, plays)
    controller = controller_for(tmp_path, pool)
    tries: set[int] = set()
    while controller.ledger.generation < 2:
        tries |= {member.attempts for member in picture(controller).members[1:2]}
        assert all(member.why == "start" for member in picture(controller).members)
        pool.step()
        controller.turn()
    assert tries == {0, 1, 2}
    assert "tied with" in picture(controller).members[0].why


def test_the_scores_of_the_generation_before_are_there(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(), 2, lambda member, g, _: member + g / 4)
    controller = controller_for(tmp_path, pool)
    assert picture(controller).before == ()
    until_generation(controller, pool, 3)
    before = picture(controller).before
    assert [(m.member, m.state, m.score) for m in before] == [
        (member, "finished", member + 0.5) for member in range(4)
    ]


def test_a_run_that_stopped_improving_is_wholly_done(tmp_path: Path) -> None:
    mini = Mini(generations=30, patience=1)
    pool = PlayedPool(tmp_path, mini, 2)
    controller = controller_for(tmp_path, pool)
    assert to_the_end(controller, pool).reason == "stopped improving"
    assert picture(controller).epochs_done == picture(controller).epochs_in_all == 4 * mini.epochs


def test_how_a_run_failed_is_told(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(), 4, lambda *_: Fails("ValueError: no"))
    controller = controller_for(tmp_path, pool)
    to_the_end(controller, pool)
    found = picture(controller)
    assert (found.state, found.reason) == ("failed", "generation 1: ValueError: no")


def test_a_picture_is_plain_values(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(), 2)
    controller = controller_for(tmp_path, pool)
    until_generation(controller, pool, 2)
    found = picture(controller).to_json()
    assert json.loads(json.dumps(found))["version"] == 1
    assert found["population"] == 4
    assert found["last_generation"] == 4
    assert found["seed"] == 7
    assert found["metric"] == "valid/recon_smth"
    assert found["notes"] == ("a note on the data",)
    assert found["workers"] == 2
