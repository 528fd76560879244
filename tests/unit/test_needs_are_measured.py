"""What a run takes on this machine, as `autolfads validate` says it."""

from __future__ import annotations

import pytest
from small_models import configuration, small_data

from autolfads_trainer import needs
from autolfads_trainer.needs import Needs, in_words, measured, refuse_what_cannot_fit
from autolfads_trainer.userinput import InputError


def test_a_few_steps_say_what_an_epoch_takes() -> None:
    found = measured(configuration(), small_data())
    assert 0 < found.step < found.epoch
    assert found.epoch > 3 * found.step  # three steps, and a validation
    assert found.memory > 50_000_000  # of a process with torch


def test_it_ends_where_a_step_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "LONGEST", 0.0)
    assert measured(configuration(), small_data()).step > 0


def test_the_whole_is_divided_among_workers_but_not_further_than_members() -> None:
    found = Needs(step=0.2, epoch=3.0, memory=2_000_000_000)
    time, memory = found.told(members=4, epochs=100, workers=2)
    assert time == (
        "time on this machine: an epoch of a member takes 3.0 s (a step 200 ms); training all"
        " of them takes at most 10 minutes with 2 workers, besides starting and writing the results"
    )
    assert memory.startswith("memory: 2.0 GB for each worker; ")
    alone, _ = found.told(members=1, epochs=10, workers=8)
    assert "at most 30 s with 1 worker, besides" in alone


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (99, "99 s"), (600, "10 minutes"), (36_000, "10 hours"), (864_000, "10 days")],
)
def test_durations_are_told_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_what_cannot_fit_is_told_before_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    section = configuration()["model"]
    refuse_what_cannot_fit(section, 3)
    monkeypatch.setattr(needs, "usable_memory", lambda: 10**9)
    with pytest.raises(InputError) as caught:
        refuse_what_cannot_fit(section, 10**6)
    message = str(caught.value)
    assert message.startswith("datamodule.batch_size: 1000000 trials of 8 bins take about ")
    assert message.endswith("expected a smaller batch or model, or a machine with more")
