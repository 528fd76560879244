"""Members that blow up, and many members."""

from __future__ import annotations

import json

from real_runs import Make

WILD = {"min": 1e-3, "max": 1e6, "exploreWeight": 0.3, "enforceLimits": False}


def test_members_that_blow_up_lose_and_are_replaced(make_run: Make) -> None:
    run = make_run(
        population=6,
        seed=4,
        pbt={
            "burnInEpochs": 3,
            "generationEpochs": 2,
            "maxEpochs": 7,
            "searchSpace": {"model.lr_init": WILD},
        },
    )
    run.finish()
    orders = [json.loads(text) for text in run.orders().values()]
    first = {o["member"]: o["hyperparameters"] for o in orders if o["generation"] == 1}
    assert any(values["model.lr_init"] > 1e3 for values in first.values())
    assert any(values["model.lr_init"] < 1e-1 for values in first.values())
    lost = [outcome for outcome in run.outcomes() if outcome["score"] is None]
    assert lost
    assert all("became" in outcome["reason"] for outcome in lost)
    replaced = [order for order in orders if "replaced" in order["why"]]
    assert replaced
    assert all(order["copied"] for order in replaced)
    summary = json.loads((run.root / "results/summary.json").read_text())
    assert summary["hyperparameters"]["model.lr_init"] < 1e3


def test_a_run_in_which_all_blow_up_fails_and_says_so(make_run: Make) -> None:
    burst = {"min": 1e8, "max": 1e9, "exploreWeight": 0.3}
    pbt = {"burnInEpochs": 2, "maxEpochs": 3, "searchSpace": {"model.lr_init": burst}}
    printed = make_run(population=2, pbt=pbt).finish(expect=1)
    assert "all scores are NaN or infinite" in printed


def test_thirty_two_members_finish_on_two_workers(make_run: Make) -> None:
    run = make_run(population=32, pbt={"burnInEpochs": 1, "generationEpochs": 1, "maxEpochs": 2})
    run.finish()
    assert len(run.orders()) == 64
    assert all(outcome["outcome"] == "finished" for outcome in run.outcomes())
    summary = json.loads((run.root / "results/summary.json").read_text())
    assert summary["population"] == 32
