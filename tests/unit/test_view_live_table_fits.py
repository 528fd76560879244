"""The live table in narrow terminals, and with long sentences: numbers come before words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from picture_examples import STATES, a_picture
from test_view_live_table import drawn

LONGEST = (
    "score missing or not finite, so is that of its opponent, member 12; replaced by this "
    "generation's best, member 3"
)


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("population", [4, 32])
@pytest.mark.parametrize("why", ["start", "lost to member 12 (0.4100 > 0.4001)", LONGEST])
def test_members_states_and_scores_are_shown_whatever_the_width(
    population: int, width: int, why: str
) -> None:
    picture = a_picture(population)
    members = tuple(replace(member, why=why) for member in picture.members)
    lines = drawn(replace(picture, members=members), 200.0, width=width)
    rows = [line.split() for line in lines if line.split() and line.split()[0].isdigit()]
    shown = range(4) if population == 4 else range(0, 32, 4)
    assert [int(row[0]) for row in rows] == list(shown)
    assert all(row[1] in STATES for row in rows)
    assert rows[0][2:4] == ["30.2/50", "0.5000"]
