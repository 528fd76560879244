"""Plain lines, for a file or a pipe: each thing that happens is told once."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_examples import OWNER, Mini, without_syncing
from played_pool import PlayedPool, Plays, controller_for
from rich.console import Console

from autolfads_operator.controller.ledger import Ledger
from autolfads_operator.view.picture import picture_of
from autolfads_operator.view.show import LiveView, PlainView, view_for


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


def lines_of(root: Path, mini: Mini, plays: Plays, most: int) -> list[str]:
    """Watch a whole run as `autolfads run` does: a picture after every turn, and one at the end."""
    text = io.StringIO()
    view = view_for(Console(file=text, width=100))
    assert isinstance(view, PlainView)
    pool = PlayedPool(root, mini, most, plays)
    controller = controller_for(root, pool)
    over = False
    while not over:
        over = controller.turn()
        view.show(picture_of(controller.ledger, controller.statuses), None)
        pool.step()
    view.close()
    return text.getvalue().splitlines()


@pytest.mark.parametrize("most", [1, 2, 4])
def test_stages_and_generations_are_told_once_and_in_order(tmp_path: Path, most: int) -> None:
    lines = lines_of(tmp_path, Mini(), lambda *_: 0.5, most)
    stages = [line for line in lines if ": member" not in line]
    assert stages[0] == "preparing"
    assert stages[1:5] == [f"generation {generation} of 4" for generation in (1, 2, 3, 4)]
    assert stages[5] == "exporting"
    assert max(Counter(lines).values()) == 1


@pytest.mark.parametrize("most", [1, 2, 4])
def test_every_members_score_is_told_once_in_each_generation(tmp_path: Path, most: int) -> None:
    def plays(member: int, generation: int, _attempt: int) -> float:
        return math.nan if (member, generation) == (2, 3) else member + generation / 4

    lines = lines_of(tmp_path, Mini(), plays, most)
    told = Counter(line for line in lines if ": member" in line)
    expected = [
        f"generation {generation}: member {member} "
        + (
            "is lost: became nan"
            if (member, generation) == (2, 3)
            else f"at epoch {1 + 2 * generation}: score {member + generation / 4:.4f}"
        )
        for generation in (1, 2, 3, 4)
        for member in (0, 1, 2, 3)
    ]
    assert told == Counter(expected)


def test_the_time_left_stands_beside_a_new_generation_only() -> None:
    text = io.StringIO()
    view = PlainView(Console(file=text, width=100))
    picture = picture_of(Ledger(OWNER), {})
    view.show(picture, 200.0)
    view.show(picture, 100.0)
    assert text.getvalue() == "preparing\n"


def test_lines_are_never_broken_or_coloured(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, Mini(population=2), lambda *_: math.pi, 1)
    assert not any("\x1b" in line for line in lines)
    assert all(
        line.startswith(("preparing", "generation", "exporting", "starting to")) for line in lines
    )


def test_a_terminal_gets_the_live_view() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    view = view_for(console)
    assert isinstance(view, LiveView)
    view.close()
