from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest
from report_history import examples, falling, family, leg, single

from autolfads_trainer.results.history import History
from autolfads_trainer.results.report import TrialExamples, write_report
from autolfads_trainer.results.report.words import LONGEST, duration, number, text

SUMMARY = {
    "best_member": 0,
    "epochs": 30,
    "bps": 0.31237,
    "co_bps": math.nan,
    "seconds": 7505.0,
    "seed": 7,
    "versions": {"autolfads": "0.1.0", "torch": "2.11.0"},
}
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """What is in a page; `misnested` holds end tags that close nothing."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.refs, self.headings, self.misnested = [], [], [], [], []
        self.words = ""
        self._open = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "srcset", "action", "data"):
                self.refs.append(value)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.misnested.append(tag)

    def handle_data(self, data):
        if self._open and self._open[-1] == "h2":
            self.headings.append(data)
        if self._open and self._open[-1] != "style":
            self.words += data


def written(tmp_path, history=None, summary=SUMMARY, trials=None, notes=()):
    path = tmp_path / "report.html"
    write_report(path, history or family(), summary, trials or examples(), notes)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def family_report(tmp_path_factory):
    return written(tmp_path_factory.mktemp("family"), notes=["trainer.logger is ignored"])


def test_the_sections_come_in_the_order_a_reader_needs_them(family_report):
    page = Page(family_report)

    assert page.headings == ["Training", "Hyperparameters", "Who beat whom", "Trials", "Notes"]
    assert page.words.index("The run looks") < page.words.index("Reconstruction loss")
    assert page.misnested == []
    assert page.tags.count("svg") > 5


def test_nothing_is_fetched_from_anywhere(family_report):
    page = Page(family_report)

    assert all(ref.startswith(("#", "data:image/png;base64,")) for ref in page.refs)
    assert not re.search(r"@import|url\((?!#)", family_report)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)


def test_references_within_figures_point_at_ids_that_are_there_once(family_report):
    page = Page(family_report)

    assert len(set(page.ids)) == len(page.ids)
    used = {ref[1:] for ref in page.refs if ref.startswith("#")}
    used |= set(re.findall(r"url\(#([^)]*)\)", family_report))
    assert used
    assert used <= set(page.ids)


def test_the_same_input_gives_the_same_file_whatever_the_users_matplotlib_settings(tmp_path):
    first = written(tmp_path)
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": None, "axes.facecolor": "red"}):
        second = written(tmp_path)

    assert first == second


def test_writing_a_report_leaves_matplotlibs_settings_alone(tmp_path):
    before = dict(mpl.rcParams)
    written(tmp_path)

    assert dict(mpl.rcParams) == before


def test_what_users_wrote_is_escaped(tmp_path):
    attack = '<img src="x" onerror="alert(1)">&$_{'
    path = f"model.{attack}"
    legs = (
        leg(0, 1, why=attack, hyperparameters={path: 1.0}),
        leg(0, 2, (0, 1), why=attack, hyperparameters={path: 2.0}),
    )
    history = History(attack, 0, legs, (0, 2), {path: (0.0, 2.0)})
    summary = {**SUMMARY, attack: attack, "versions": {attack: attack}}

    page = Page(written(tmp_path, history, summary, notes=[attack]))

    assert "img" not in page.tags
    assert page.words.count(attack) >= 5
    assert page.misnested == []


def test_the_key_numbers_are_shown_as_people_write_them(tmp_path):
    words = Page(written(tmp_path, summary={**SUMMARY, "extra": "kept"})).words

    assert "0.3124" in words
    assert "2 h 05 min" in words
    assert "co_bps–" in words
    assert "extrakept" in words
    assert "autolfads 0.1.0, torch 2.11.0" in words


def test_every_decision_is_in_the_table_with_its_reason(family_report):
    table = family_report[family_report.index("<details>") : family_report.index("</details>")]

    assert table.count("<tr") == 1 + 9
    assert "lost to member 1" in table
    assert "member 1, generation 1" in table
    assert table.count(">lost<") == 1


def test_notes_are_listed(family_report):
    words = Page(family_report).words

    assert "trainer.logger is ignored" in words


@pytest.mark.parametrize("truth", [True, False])
def test_the_true_rates_are_shown_where_they_are_known(tmp_path, truth):
    words = Page(written(tmp_path, trials=examples(truth=truth))).words

    assert ("true rates" in words) is truth
    assert "inferred rates" in words
    assert "trial 3" in words
    assert "trial 8" in words


def test_held_out_channels_and_forecast_are_marked_only_where_there_are(tmp_path, family_report):
    with_both = Page(family_report).words
    without = Page(written(tmp_path, trials=examples(heldin=6, encod_steps=20))).words

    for mark in ("were held out", ", held out", "are a forecast"):
        assert mark in with_both
        assert mark not in without


@pytest.mark.parametrize(("bin_seconds", "unit"), [(0.02, "spikes/s"), (None, "time (bins)")])
def test_units_are_seconds_where_the_width_of_a_bin_is_known(tmp_path, bin_seconds, unit):
    assert unit in Page(written(tmp_path, trials=examples(bin_seconds=bin_seconds))).words


def test_one_member_without_tuning_has_a_report(tmp_path):
    words = Page(written(tmp_path, single(falling, 20))).words

    assert "No hyperparameter was tuned" in words
    assert "model.lr_init = 0.004" in words


def test_members_that_blew_up_or_left_no_rows_have_a_report(tmp_path):
    legs = (
        leg(0, 1),
        leg(1, 1, curve=lambda epoch: (1e6, math.inf), score=1e6),
        leg(2, 1, curve=lambda epoch: (math.nan, math.nan), score=None),
        leg(3, 1, rows=(), score=None),
    )

    words = Page(written(tmp_path, History("wild", 0, legs, (0, 1)))).words

    assert "member 3 in generation 1" in words


def test_a_run_whose_best_has_no_rows_has_a_report(tmp_path):
    history = History("empty", 0, (leg(0, 1, rows=()),), (0, 1))

    assert "unclear" in Page(written(tmp_path, history)).words


def test_no_trials_are_no_obstacle(tmp_path):
    none = TrialExamples(np.zeros((0, 20, 6)), np.zeros((0, 20, 6)), None, [], 0.02, 6, 20)

    assert "No trial was given" in Page(written(tmp_path, trials=none)).words


def test_a_large_run_stays_a_small_file(tmp_path):
    generations, members = 40, 32
    legs = tuple(
        leg(m, g, (m, g - 1) if g > 1 else None, epochs=25, hyperparameters={"a": 1.0 + m + g / 7})
        for g in range(1, generations + 1)
        for m in range(members)
    )
    random = np.random.default_rng(0)
    rates = random.uniform(0, 1, (4, 600, 182))
    trials = TrialExamples(random.poisson(rates), rates, None, [0, 1, 2, 3], 0.005, 137, 500)

    text = written(tmp_path, History("large", 0, legs, (0, generations)), trials=trials)

    assert len(text.encode()) < 3_000_000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rates": np.zeros((2, 20, 5))}, "rates have shape"),
        ({"truth": np.zeros((1, 20, 6))}, "truth have shape"),
        ({"spikes": np.zeros((20, 6))}, "spikes have shape"),
        ({"numbers": [1]}, "1 trial numbers"),
        ({"bin_seconds": 0.0}, "bin_seconds is 0.0"),
    ],
)
def test_trials_whose_shapes_disagree_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        replace(examples(), **change)


def test_our_version_is_among_the_notes(tmp_path):
    words = Page(written(tmp_path, summary={"version": "1.2.3"})).words

    assert "Versions: autolfads 1.2.3." in words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.25, "0.25 s"),
        (48.2, "48 s"),
        (330.0, "5 min 30 s"),
        (3599.7, "1 h 00 min"),
        (7505, "2 h 05 min"),
        (None, "–"),
        (math.nan, "–"),
        ("long", "long"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"), [(True, "yes"), (12, "12"), (0.123456, "0.1235"), ("<", "&lt;"), (None, "–")]
)
def test_numbers_have_four_digits(value, said):
    assert number(value) == said


def test_long_texts_are_shortened():
    assert len(text("x" * 5000)) == LONGEST
