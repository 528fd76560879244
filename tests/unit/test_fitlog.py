from __future__ import annotations

import csv
import io
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_history import family, leg

from autolfads_trainer.results.fitlog import (
    fitlog_text,
    read_rows,
    rows_text,
    write_fitlog,
    write_rows,
)
from autolfads_trainer.results.history import History


def test_the_usual_plotting_snippet_reads_the_fit_log(tmp_path):
    history = family()
    write_fitlog(tmp_path / "fitlog.csv", history)

    fitlog = pd.read_csv(tmp_path / "fitlog.csv", index_col=0)

    assert fitlog.index.tolist() == list(range(90))
    curves = {
        worker: (group["epoch"], group["train/recon"], group["valid/recon"])
        for worker, group in fitlog.groupby("worker_id")
    }
    assert sorted(curves) == [0, 1, 2]
    for member, (epoch, train, valid) in curves.items():
        rows = [row for own in history.ordered() if own.member == member for row in own.rows]
        assert epoch.tolist() == list(range(30))
        np.testing.assert_allclose(train, [row["train/recon"] for row in rows], rtol=1e-12)
        np.testing.assert_allclose(valid, [row["valid/recon"] for row in rows], rtol=1e-12)


def test_columns_come_in_a_fixed_order_and_unknown_ones_last():
    names = (
        "zz/new", "hp/weight_decay", "hp/lr_init", "train/recon/sess10", "train/recon/sess9",
        "valid/recon", "train/wt_kl/ic", "aa", "train/recon", "train/loss", "epoch",
        "valid/recon_smth",
    )  # fmt: skip
    row = dict.fromkeys(names, 1.0)
    history = History("order", 0, (leg(0, 1, rows=(row,)),), (0, 1))

    columns = fitlog_text(history).splitlines()[0].split(",")
    assert len(set(columns)) == len(columns)
    assert [name for name in columns if name in {"", "worker_id", *names}] == [
        "", "epoch", "worker_id", "train/loss", "train/recon", "train/wt_kl/ic", "valid/recon",
        "valid/recon_smth", "hp/lr_init", "hp/weight_decay", "aa", "train/recon/sess9",
        "train/recon/sess10", "zz/new",
    ]  # fmt: skip


def test_an_epoch_trained_twice_by_a_member_appears_once_as_the_later_generation_left_it():
    first = leg(0, 1, rows=({"epoch": 0.0, "train/recon": 1.0}, {"epoch": 1.0, "train/recon": 2.0}))
    again = leg(0, 2, (0, 1), rows=({"epoch": 1.0, "train/recon": 3.0},))
    history = History("twice", 0, (again, first), (0, 2))

    rows = list(csv.DictReader(io.StringIO(fitlog_text(history))))
    assert [(row["epoch"], row["train/recon"]) for row in rows] == [("0", "1.0"), ("1", "3.0")]


def test_legs_in_any_order_give_the_same_fit_log():
    history = family()
    turned = History(history.name, history.seed, history.legs[::-1], history.best)

    assert fitlog_text(turned) == fitlog_text(history)


def test_a_metric_that_only_some_members_have_is_missing_for_the_others(tmp_path):
    with_it = leg(0, 1, rows=({"epoch": 0.0, "valid/r2": 0.5},))
    without = leg(1, 1, rows=({"epoch": 0.0, "valid/r2": math.nan, "valid/bps": math.inf},))
    write_fitlog(tmp_path / "fitlog.csv", History("gaps", 0, (with_it, without), (0, 1)))

    fitlog = pd.read_csv(tmp_path / "fitlog.csv", index_col=0)

    assert fitlog["valid/r2"].isna().tolist() == [False, True]
    assert fitlog["valid/bps"].tolist()[1] == math.inf


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["train/recon", "valid/bps", "hp/lr_init", 'wt,odd "name"']),
            st.floats(allow_nan=False, allow_infinity=True),
        ),
        max_size=4,
    )
)
def test_rows_read_back_exactly_as_they_were_written(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("rows") / "metrics.csv"
    rows = [{"epoch": float(epoch), **row} for epoch, row in enumerate(values)]

    write_rows(path, rows)

    assert read_rows(path) == rows


def test_floats_of_the_fit_log_read_back_exactly(tmp_path):
    value = 0.1 + 0.2
    one = leg(0, 1, rows=({"epoch": 0.0, "train/recon": value},))
    write_fitlog(tmp_path / "fitlog.csv", History("exact", 0, (one,), (0, 1)))

    with (tmp_path / "fitlog.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)

    assert float(row["train/recon"]) == value


def test_columns_without_a_value_are_there_for_scripts_that_name_them():
    one = leg(0, 1, rows=({"epoch": 0.0, "train/recon": 1.0},))
    text = fitlog_text(History("bare", 0, (one,), (0, 1)))

    (row,) = csv.DictReader(io.StringIO(text))

    for name in ("valid/r2", "valid/fp_bps", "train/co_bps", "valid/recon_smth", "hp/cd_rate"):
        assert row[name] == ""


def test_nan_is_written_as_missing():
    assert rows_text([{"epoch": 0.0, "train/recon": math.nan}]) == "epoch,train/recon\n0,\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "first line"),
        ("train/recon\n1\n", "expected 'epoch'"),
        ("epoch,a,a\n0,1,2\n", "repeated"),
        ("epoch,a\n0,1\n1\n", "line 3 has 1 fields; expected 2"),
        ("epoch,a\n0,x\n", "line 2"),
        ("epoch,a\n,1\n", "line 2 has no epoch"),
    ],
)
def test_metrics_of_another_form_are_refused_with_file_and_line(tmp_path, text, said):
    path = tmp_path / "metrics.csv"
    path.write_text(text)

    with pytest.raises(ValueError, match=said) as error:
        read_rows(path)

    assert str(path) in str(error.value)


def test_a_row_without_an_epoch_is_refused():
    with pytest.raises(ValueError, match="no epoch"):
        rows_text([{"train/recon": 1.0}])
