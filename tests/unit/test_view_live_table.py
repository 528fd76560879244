"""The live table: what a scientist sees in a terminal."""

from __future__ import annotations

import io

from picture_examples import STATES, a_picture, member
from rich.console import Console

from autolfads_operator.view.picture import Picture
from autolfads_operator.view.show import LiveView, render


def drawn(picture: Picture, seconds_left: float | None = None, width: int = 100) -> list[str]:
    console = Console(record=True, width=width, file=io.StringIO())
    console.print(render(picture, seconds_left))
    lines = console.export_text().splitlines()
    assert all(len(line) <= width for line in lines)
    return [line.rstrip() for line in lines]


def test_the_headline_says_where_the_run_is() -> None:
    headline = " ".join(drawn(a_picture(4), 200.0)[:2])
    for words in ("lorenz", "training", "generation 2 of 5", "25%", "best 0.1235"):
        assert words in headline
    assert "member 3, generation 1" in " ".join(headline.split())
    assert "at most 3 min 20 s left" in " ".join(headline.split())


def test_four_members_have_a_row_each() -> None:
    lines = drawn(a_picture(4))
    rows = {words[0]: words[1:] for line in lines if (words := line.split()) and words[0].isdigit()}
    assert list(rows) == ["0", "1", "2", "3"]
    assert rows["0"][:3] == ["training", "30.2/50", "0.5000"]
    assert rows["1"][:3] == ["finished", "30.2/50", "0.2500"]
    assert rows["2"][:3] == ["lost", "30.2/50", "–"]
    assert rows["3"][:3] == ["waiting", "30.2/50", "–"]
    assert any("valid/recon_smth" in line for line in lines)


def test_of_32_members_those_in_training_are_shown_and_the_others_counted() -> None:
    lines = drawn(a_picture(32))
    numbers = [int(line.split()[0]) for line in lines if line.split() and line.split()[0].isdigit()]
    assert numbers == list(range(0, 32, 4))
    assert "8 finished, 8 lost, 8 waiting" in " ".join(" ".join(lines[-2:]).split())


def test_more_members_in_training_than_there_are_rows_are_counted_too() -> None:
    everyone = tuple(member(number, "training") for number in range(40))
    lines = drawn(a_picture(40, members=everyone))
    numbers = [int(line.split()[0]) for line in lines if line.split() and line.split()[0].isdigit()]
    assert numbers == list(range(16))
    assert "24 training" in lines[-1]


def test_up_to_16_members_are_all_shown_even_when_none_is_in_training() -> None:
    waiting = tuple(member(number, "waiting") for number in range(16))
    text = "\n".join(drawn(a_picture(16, members=waiting)))
    assert text.count("waiting") == 16


def test_a_second_attempt_is_told() -> None:
    again = (member(0, "training", attempts=2), member(1, "training", attempts=1))
    text = "\n".join(drawn(a_picture(2, members=again)))
    assert "(attempt 2)" in text
    assert "attempt 1" not in text


def test_outside_of_training_it_says_what_is_done() -> None:
    exporting = a_picture(4, state="exporting", doing="sampling the posteriors: 40%")
    lines = drawn(exporting)
    assert "sampling the posteriors: 40%" in lines[-1]
    assert not any(line.split()[:1] == ["member"] for line in lines)


def test_a_run_that_only_prepares_has_no_numbers_yet() -> None:
    first = a_picture(
        0, state="preparing", generation=0, best_score=None, epochs_in_all=0, epochs_done=0.0
    )
    assert drawn(first) == ["lorenz  preparing"]


def test_names_and_reasons_are_shown_as_they_are_and_not_taken_for_markup() -> None:
    assert "[red]x[/red]" in drawn(a_picture(0, name="[red]x[/red]", doing="[bold]"))[0]


def test_the_last_table_stays_on_the_screen() -> None:
    text = io.StringIO()
    view = LiveView(Console(file=text, force_terminal=True, width=100, color_system=None))
    view.show(a_picture(4), None)
    view.show(a_picture(4, generation=3), 10.0)
    view.close()
    assert "generation 3 of 5" in text.getvalue()
    last = text.getvalue().split("generation 3 of 5")[-1]
    assert all(state in last for state in STATES)
