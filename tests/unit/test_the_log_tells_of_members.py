"""The operator's log has a line for what becomes of each member."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest
from picture_examples import a_picture

from autolfads_operator.cluster.chronicle import Chronicle, news_between
from autolfads_operator.cluster.logs import JsonLines

BEFORE = a_picture(4)  # training, finished, lost, waiting
FIRST, *OTHERS = BEFORE.members


def after(**changes: object):
    return replace(BEFORE, members=(replace(FIRST, **changes), *OTHERS))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"generation": 3, "why": "won"}, "begins: won"),
        ({"state": "lost", "reason": "diverged"}, "is lost: diverged"),
        ({"attempts": 2}, "attempt 2"),
        ({"state": "finished", "score": 0.25}, "finished: score 0.25"),
        ({"epoch": 31.0, "score": 0.4}, None),
    ],
)
def test_what_is_new_is_told(changes: dict[str, object], words: str | None) -> None:
    found = [(member.member, said) for member, said in news_between(BEFORE, after(**changes))]
    assert found == ([] if words is None else [(FIRST.member, words)])


def test_a_line_says_of_whom_it_is_and_obeys_no_stranger(caplog) -> None:
    chronicle = Chronicle("reach")
    with caplog.at_level(logging.INFO, "autolfads.run"):
        chronicle.note(BEFORE)
        assert caplog.records == []  # told before this operator began
        chronicle.note(after(state="lost", reason="\x1b[2J" + "x" * 9_000))
    (record,) = caplog.records
    line = json.loads(JsonLines().format(record))
    assert (line["run"], line["generation"], line["member"]) == ("reach", FIRST.generation, 0)
    assert "\x1b" not in line["message"]
    assert len(line["message"]) < 400
