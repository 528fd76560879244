"""How many lanes a worker has, and on one machine how many workers have them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from ledger_examples import OWNER, Mini, claimed

from autolfads_operator.controller.ledger import Ledger
from autolfads_operator.controller.plan import frozen
from autolfads_operator.local_run import Settings
from autolfads_trainer.records import Outcome, Run
from autolfads_trainer.worker.command import main
from autolfads_trainer.worker.process import number_of_lanes


def run_of(population: int) -> Run:
    answer = Mini(population=population).answer()
    answer["configuration"]["pbt"]["resources_per_trial"] = {"gpu": 0.5}
    return frozen(Ledger(OWNER), Outcome(outcome="finished", result=answer))


@pytest.mark.parametrize(
    ("asked", "workers", "device", "expected"),
    [
        ("1", 1, "cuda", 1),
        ("4", 1, "cuda", 4),
        ("4", 1, "cpu", 4),  # who says so has a reason
        ("100000", 0, "cuda", 1000),  # who is not told of others does not know the members
        ("100000", 1, "cuda", 10),
        ("auto", 1, "cuda", 10),
        ("auto", 4, "cuda", 3),
        ("auto", 1, "cpu", 1),  # members are faster one after another there
    ],
)
def test_a_worker_has_as_many_lanes_as_it_is_told(
    tmp_path: Path, asked: str, workers: int, device: str, expected: int
) -> None:
    folder = claimed(tmp_path)
    folder.freeze(run_of(10))
    assert number_of_lanes(folder, asked, workers, device) == expected


def test_before_a_run_is_prepared_its_members_are_not_known(tmp_path: Path) -> None:
    folder = claimed(tmp_path)
    assert number_of_lanes(folder, "auto", 1, "cuda") == 1
    assert number_of_lanes(folder, "3", 1, "cuda") == 3


def test_the_reference_trains_one_after_another_on_a_gpu(tmp_path: Path) -> None:
    folder = claimed(tmp_path)
    run = run_of(10)
    trainer = {**run.configuration.get("trainer", {}), "engine": "reference"}
    folder.freeze(
        run.model_copy(update={"configuration": {**run.configuration, "trainer": trainer}})
    )
    assert number_of_lanes(folder, "4", 1, "cuda") == 1
    assert number_of_lanes(folder, "4", 1, "cpu") == 4


@pytest.mark.parametrize("asked", ["0", "-1", "some", "1.5", ""])
def test_no_other_number_of_lanes_is_taken(tmp_path: Path, asked: str) -> None:
    words = ["--run", str(tmp_path), "--life", "w", "--members-at-once", asked]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert f"found {asked!r}; expected a whole number of at least 1, or auto" in done.output


def settings(monkeypatch: pytest.MonkeyPatch, gpus: str, **changes: object) -> tuple[int, int]:
    """Return how many workers train 10 members here, and how many at once each of them."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    run = run_of(10)
    made = Settings(most_workers=8, **changes)  # type: ignore[arg-type]
    return made.workers_for(run), made.members_at_once_of(run)


def test_on_one_machine_each_gpu_has_one_worker_with_its_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert settings(monkeypatch, "0") == (1, 10)
    assert settings(monkeypatch, "0,1,2,3") == (4, 3)
    assert settings(monkeypatch, "0,1", workers=4) == (4, 3)
    assert settings(monkeypatch, "0,1", device="cpu")[1] == 1
    assert settings(monkeypatch, "")[1] == 1


def test_who_says_how_many_at_once_has_workers_by_their_share_of_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert settings(monkeypatch, "0,1", members_at_once=2) == (4, 2)


def test_before_it_is_known_how_many_members_there_are_there_is_one_lane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert Settings(most_workers=8).members_at_once_of(None) == 1
    assert Settings(most_workers=8, members_at_once=5).members_at_once_of(None) == 5
