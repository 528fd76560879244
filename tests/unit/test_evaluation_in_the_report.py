"""The report's section on how good the rates are: there where somebody evaluated them."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_history import examples, falling, single

from autolfads_trainer.evaluation.values import Decoder, Decoding, Evaluation, Psth, Scores
from autolfads_trainer.results.report import write_report
from autolfads_trainer.results.report.quality import remarks, scores_table

TITLE = "How good the rates are"
ATTACK = "<b>&"
FIRST = Evaluation(
    "sess0",
    {"train": Scores(bps=0.5), "valid": Scores(bps=0.25, co_bps=0.125, behaviour_r2=0.75)},
    bin_ms=20.0,
    decoding=Decoding("velocity", (Decoder(5, 0.01, 0.7),)),
    psth=Psth(ATTACK, 8, 2.5),
    notes=(ATTACK,),
)
SECOND = Evaluation("sess1", {"valid": Scores(bps=0.75)})


def written(folder: Path, *evaluations: Evaluation) -> str:
    path = folder / "report.html"
    write_report(path, single(falling, 2), {}, examples(), evaluations=evaluations)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> str:
    page = written(tmp_path_factory.mktemp("report"), FIRST, SECOND)
    assert page.count(f"<h2>{TITLE}</h2>") == 1
    return page[page.index(TITLE) : page.index("<h2>Trials</h2>")]


def test_without_an_evaluation_there_is_no_such_section(tmp_path):
    assert TITLE not in written(tmp_path)


def test_every_session_and_split_has_a_row(section):
    assert "<td>sess0</td><td>train</td><td>0.5000</td><td>–</td>" in section
    assert "<td>sess0</td><td>valid</td><td>0.2500</td><td>0.1250</td><td>–</td>" in section
    assert "<td>sess1</td><td>valid</td><td>0.7500</td>" in section


def test_several_sessions_have_a_mean_and_one_has_none(section):
    assert "<td>mean</td><td>valid</td><td>0.5000</td>" in section
    assert "<td>mean</td>" not in scores_table([FIRST])


def test_how_the_scores_came_about_is_told(section):
    assert "sess0: behaviour: velocity: lag 100 ms (5 bins), penalty 0.01, R² 0.700" in section
    assert remarks([FIRST])[0].startswith("behaviour: velocity")


def test_names_and_notes_are_escaped(section):
    assert ATTACK not in section
    assert section.count("&lt;b&gt;&amp;") == 2
