"""`history` tells a scientist who copied whom and why, what went wrong, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_examples import Mini, orders, without_syncing
from played_pool import Dies, Fails, Leaves, Play, PlayedPool, controller_for, played, to_the_end
from replay_examples import change, records_of

from autolfads_operator.replay.story import Story, story_of
from autolfads_operator.view.tell import lines_of


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


def fate(member: int, generation: int, attempt: int) -> Play:
    """Tell of members that die, leave, fail, are lost, and beat each other."""
    if (member, generation) == (1, 2):
        return Fails("ValueError: a bad day")
    if (member, generation) == (0, 2) and attempt < 3:
        return [Dies(1), Leaves(2)][attempt - 1]
    return [0.5, 0.3, 0.7][member] - 0.01 * generation


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synchronous run in which something goes wrong."""
    root = tmp_path_factory.mktemp("run")
    with without_syncing():
        played(root, Mini(population=3, generations=3, interval=4), fate)
    return root


@pytest.fixture(scope="module")
def story(root: Path) -> Story:
    return story_of(records_of(root))


def words(story: Story, **options: object) -> str:
    return "\n".join(lines_of(story, **options))  # type: ignore[arg-type]


def test_it_begins_with_what_was_asked_for(story: Story) -> None:
    lines = words(replace(story, spec_hash="ab" * 32, config_hash="cd" * 32)).splitlines()
    assert lines[:6] == [
        "mini: 3 members, seed 7, synchronous; at most 11 epochs each, in 3 generations",
        f"  data: /data/mini.h5 (sha256 {'0' * 12})",
        "  asked for: abababababab, configuration file: cdcdcdcdcdcd (sha256)",
        "  scores: valid/recon_smth, lower is better",
        "",
        "generation 1 of 3, epochs 1 to 3: best 0.2900 (member 1), the best so far",
    ]


def test_it_ends_with_why_and_the_best(story: Story) -> None:
    assert words(story).splitlines()[-2:] == [
        "the run succeeded: all epochs done",
        "the best: member 1 of generation 3, score 0.2700",
    ]


def test_every_copy_is_told_with_its_reason_and_what_it_moved(story: Story, root: Path) -> None:
    given = {(order.member, order.generation): order for order in orders(root)}
    told = " ".join(words(story).split())
    copies = [order for order in given.values() if order.copied]
    assert copies
    for order in copies:
        assert order.parent is not None
        copied = f"member {order.member} became a copy of member {order.parent[0]}: {order.why}"
        old = given[order.parent].hyperparameters["model.lr_init"]
        moved = f"lr_init {old:.3g} → {order.hyperparameters['model.lr_init']:.3g}"
        assert f"{copied} {moved}" in told


def test_what_went_wrong_is_told_in_its_generation(story: Story) -> None:
    told = words(story, generation=2).splitlines()
    assert told[0].startswith("generation 2 of 3, epochs 4 to 7: best ")
    happened = [line for line in told if "attempt" in line or "lost:" in line]
    assert happened == [
        "  member 0, attempt 1 was given up: its worker is gone; kept up to epoch 4",
        "  member 0, attempt 2 left early: told to leave; kept up to epoch 5",
        *(f"  member 1, attempt {n} failed: ValueError: a bad day" for n in (1, 2, 3)),
        "  member 1 is lost: ValueError: a bad day",
    ]
    assert "a bad day" not in words(story, generation=3)


def test_damage_that_was_noticed_and_made_again_is_told(tmp_path: Path) -> None:
    mini = Mini(population=2, generations=3)
    pool = PlayedPool(tmp_path, mini, 2, lambda member, *_: 0.5 + member)
    controller = controller_for(tmp_path, pool)
    while not (tmp_path / "members/001/gen-001/attempt-1/outcome.json").exists():
        controller.turn()
        pool.step()
    (tmp_path / "members/000/gen-001/attempt-1/checkpoint-1.ckpt").write_text("cut")
    to_the_end(controller, pool)
    told = words(story_of(records_of(tmp_path)), width=1000)
    again = "member 0, attempt 2 made its end again, since the one before was damaged"
    assert again in told
    assert "member 0, attempt 1 found its start damaged: " in told


def test_one_member_is_told_with_every_reason(story: Story, root: Path) -> None:
    told = " ".join(words(story, member=2).split())
    whys = [order.why for order in orders(root) if order.member == 2 and order.generation > 1]
    assert len(whys) == 2
    assert all(why in told for why in whys)
    assert "member 0, attempt" not in told
    assert "generation 1 of 3, member 2: score 0.6900" in told


def test_one_member_of_one_generation_is_told_alone(story: Story) -> None:
    first, *rest = words(story, generation=2, member=1).splitlines()
    assert first == "generation 2 of 3, member 1: lost"
    assert not any(line.startswith(("generation", "the run", "mini")) for line in rest)


@pytest.fixture(scope="module")
def long_story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    root = tmp_path_factory.mktemp("long")
    with without_syncing():
        played(root, Mini(population=2, generations=24), lambda member, *_: 0.5 + member)
    return story_of(records_of(root))


def test_generations_beyond_20_are_one_line_each(long_story: Story) -> None:
    lines = words(long_story, width=200).splitlines()
    assert len([line for line in lines if line.startswith("generation ")]) == 20
    assert [line for line in lines if line.startswith("  generation ")] == [
        f"  generation {number}: best 0.5000 (member 0); 1 copy" for number in range(21, 25)
    ]


def test_all_generations_are_told_in_full_when_asked_for(long_story: Story) -> None:
    lines = words(long_story, everything=True).splitlines()
    assert len([line for line in lines if line.startswith("generation ")]) == 24
    assert words(long_story, generation=23).startswith("generation 23 of 24, epochs ")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_lines_fit_the_terminal(story: Story, long_story: Story, width: int) -> None:
    for one in (story, long_story):
        assert max(len(line) for line in lines_of(one, width=width, everything=True)) <= width


def test_a_run_that_is_not_over_says_so(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=2), 2, lambda member, *_: 0.5 + member)
    controller = controller_for(tmp_path, pool)
    assert words(story_of(records_of(tmp_path))).splitlines() == [
        "mini: not prepared yet",
        "",
        "the run is not over",
    ]
    while not (tmp_path / "members/001/gen-002/attempt-1/task.json").exists():
        controller.turn()
        pool.step()
    lines = words(story_of(records_of(tmp_path))).splitlines()
    assert "generation 2 of 4, epochs 4 to 5: no score yet" in lines
    assert lines[-1] == "the run is not over"


def test_a_run_that_failed_says_why(tmp_path: Path) -> None:
    played(tmp_path, Mini(), lambda *_: Fails("ValueError: never"))
    lines = words(story_of(records_of(tmp_path))).splitlines()
    assert "generation 1 of 4, epochs 1 to 3: all members lost" in lines
    assert lines[-1] == "the run failed: generation 1: ValueError: never"


def test_what_strangers_wrote_cannot_steer_a_terminal(tmp_path: Path) -> None:
    played(tmp_path, Mini(population=1, generations=2), lambda *_: 0.5)
    change(tmp_path, "end.json", reason="\x1b[2Jgone\x07")
    assert words(story_of(records_of(tmp_path))).splitlines()[-2] == (
        "the run succeeded: \\x1b[2Jgone\\x07"
    )
