"""Whatever was changed in a run's records, so that a decision is another, is found and named."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_examples import Mini, without_syncing
from played_pool import Dies, Fails, Leaves, Play, played
from replay_examples import change, flat, told

MODES = ["synchronous", "asynchronous"]


def fate(member: int, generation: int, attempt: int) -> Play:
    """Tell of members that die, leave, are lost, and beat each other."""
    if (member, generation) == (3, 2):
        return Fails()
    if (generation, attempt) == (3, 1):
        return [Dies(1), Leaves(1), Dies(), Fails("a passing error")][member]
    return [0.5, 0.3, 0.7, 0.6][(member + generation) % 4] - 0.01 * generation


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A finished run of each mode."""
    roots = {mode: tmp_path_factory.mktemp(mode) for mode in MODES}
    with without_syncing():
        for mode, root in roots.items():
            played(root, Mini(generations=5, mode=mode), fate)
            assert told(root) == []
    yield roots


@pytest.fixture(params=MODES)
def root(runs: dict[str, Path], request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of one of the runs, to be changed."""
    return shutil.copytree(runs[request.param], tmp_path / "run")


def another(path: str, value: Any) -> st.SearchStrategy[Any]:
    """Return values of the same kind that are not `value`."""
    match value:
        case bool():
            return st.just(not value)
        case int():
            return st.integers(1, 1000).filter(lambda new: new != value)
        case float():
            # Nearer ones are those of another machine, on which `exp` gives another last bit.
            nearest = st.sampled_from([value * (1 + 3e-9), value * 2, 1.5])
            return (nearest | st.floats(0, 1)).filter(
                lambda new: not math.isclose(new, value, rel_tol=2e-9)
            )
        case str():
            return st.just(f"{value} or so")
        case list():
            return st.lists(st.integers(1, 4), min_size=2, max_size=2).filter(lambda n: n != value)
        case None if path == "compared":
            return st.just({"member": 1, "generation": 1, "score": 0.5})
        case None if path.startswith("compared"):
            return st.just(1)
        case None:
            return st.sampled_from([[0, 1], [1, 2]])
    raise AssertionError(value)


@settings(deadline=None, max_examples=80)
@given(data=st.data(), mode=st.sampled_from(MODES))
def test_any_field_of_any_order(runs: dict[str, Path], data: st.DataObject, mode: str) -> None:
    root = runs[mode]
    path = data.draw(st.sampled_from(sorted(root.glob("members/*/gen-*/order.json"))))
    before = path.read_text()
    record = json.loads(before)
    values = flat(record)
    field = data.draw(st.sampled_from(sorted(values.keys() - {"format", "compared/format"})))
    *outer, key = field.split("/")
    place = record
    for part in outer:
        place = place[part]
    place[key] = data.draw(another(field, values[field]))
    try:
        path.write_text(json.dumps(record))
        lines = told(root)
    finally:
        path.write_text(before)
    # Others may be named besides: those that followed from this one.
    file = f"{path.relative_to(root)}: "
    assert any(line.startswith(file) for line in lines), (field, place[key])


def test_what_an_order_says_and_should_say_is_told(root: Path) -> None:
    file = "members/001/gen-001/order.json"
    value = json.loads((root / file).read_text())["hyperparameters"]["model.lr_init"]
    change(root, file, hyperparameters={"model.lr_init": 0.001})
    said = f"{file}: hyperparameters.model.lr_init is 0.001; expected {value}"
    assert said in told(root)


def test_hyperparameters_that_are_absent_or_unknown(root: Path) -> None:
    file = "members/001/gen-001/order.json"
    change(root, file, hyperparameters={"model.other": 0.5})
    lines = [line for line in told(root) if line.startswith(file)]
    assert len(lines) == 2
    assert any("model.lr_init is absent" in line for line in lines)
    assert any("model.other is 0.5; expected no such key" in line for line in lines)


def test_a_score_that_decided(root: Path) -> None:
    for outcome in sorted(root.glob("members/*/gen-00[1-4]/attempt-*/outcome.json")):
        before = outcome.read_text()
        score = json.loads(before)["score"]
        if score is None:
            continue
        for new in (None, score - 100):  # lost, or the best of all
            change(root, str(outcome.relative_to(root)), score=new)
            assert told(root), (outcome, new)
        outcome.write_text(before)
    assert told(root) == []


def test_a_score_that_is_not_the_one_of_its_metrics(root: Path) -> None:
    """In the last generation no order tells of it; the record does."""
    file = "members/002/gen-005/attempt-1/outcome.json"
    score = json.loads((root / file).read_text())["score"]
    metric = json.loads((root / "run.json").read_text())["pbt"]["metric"]
    change(root, file, result={"last": {metric: score}})
    assert told(root) == []
    change(root, file, result={"last": {metric: score + 0.5}})
    assert told(root) == [f"{file}: score is {score}; expected {score + 0.5}, as in its metrics"]


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": 8},
        {"population": 3},
        {"population": 10**4},
        {"notes": []},
        {"name": "other"},
        {"searchSpace": {}},
        {"configuration": {}},
    ],
)
def test_what_was_frozen(root: Path, fields: dict[str, Any]) -> None:
    change(root, "run.json", **fields)
    (name,) = fields
    assert any(line.startswith(f"run.json: {name}") for line in told(root))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mode", None),
        ("burnInEpochs", 4),
        ("generationEpochs", 0),
        ("generationEpochs", 1),
        ("maxEpochs", 10),
        ("maxEpochs", 0),
        ("patience", 0),
        ("patience", 1),
        ("minImprovementRatio", 0.5),
        ("metric", "valid/other"),
    ],
)
def test_the_settings_that_were_frozen(root: Path, key: str, value: Any) -> None:
    pbt = json.loads((root / "run.json").read_text())["pbt"]
    if key == "mode":
        value = "synchronous" if pbt["mode"] == "asynchronous" else "asynchronous"
    change(root, "run.json", pbt={**pbt, key: value})
    assert any(line.startswith(f"run.json: pbt.{key} is ") for line in told(root))


@pytest.mark.parametrize("key", ["min", "max", "init", "sample", "exploreWeight", "enforceLimits"])
def test_the_search_space_that_was_frozen(root: Path, key: str) -> None:
    space = json.loads((root / "run.json").read_text())["searchSpace"]
    values = {"min": 2e-5, "max": 0.1, "init": 0.001, "sample": "uniform", "exploreWeight": 0.31}
    space["model.lr_init"][key] = values.get(key, False)
    # Also where the answer of `prepare` was changed with it: the orders do not follow from it.
    answer = root / "prepare/attempt-1/outcome.json"
    result = json.loads(answer.read_text())["result"]
    change(root, "run.json", searchSpace=space)
    assert any(line.startswith(f"run.json: searchSpace.model.lr_init.{key}") for line in told(root))
    change(root, "prepare/attempt-1/outcome.json", result={**result, "searchSpace": space})
    if key != "enforceLimits":  # no value had come to the limits
        assert any("order.json: hyperparameters.model.lr_init" in line for line in told(root))


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "failed"},
        {"reason": "stopped improving"},
        {"best": [0, 1]},
        {"best": None},
        {"score": 0.125},
        {"inputError": True},
    ],
)
def test_any_field_of_the_end(root: Path, fields: dict[str, Any]) -> None:
    change(root, "end.json", **fields)
    (name,) = fields
    (line,) = told(root)
    assert line.startswith(f"end.json: {name} is {json.dumps(fields[name])}; expected ")


@pytest.mark.parametrize("key", ["seed", "population"])
def test_what_was_asked_for(root: Path, key: str) -> None:
    value = json.loads((root / "run.json").read_text())[key]
    spec = json.loads((root / "owner.json").read_text())["spec"]
    change(root, "owner.json", spec={**spec, key: value})
    assert told(root) == []
    change(root, "owner.json", spec={**spec, key: 99})
    assert told(root) == [f"owner.json: spec.{key} is 99; expected {value}, as prepared"]


def test_a_run_without_its_run_json(root: Path) -> None:
    (root / "run.json").unlink()
    assert told(root) == ["run.json: is missing; expected one, since orders or an end were given"]


def test_a_run_that_nobody_prepared(root: Path) -> None:
    shutil.rmtree(root / "prepare")
    assert told(root) == ["run.json: is there; expected an attempt at prepare that finished"]


def test_any_order_that_is_missing(root: Path) -> None:
    for order in sorted(root.glob("members/*/gen-*/order.json")):
        before = order.read_text()
        order.unlink()
        file = order.relative_to(root)
        assert f"{file}: is missing; expected an order, since others follow from it" in told(root)
        order.write_text(before)


def test_a_leg_of_which_nothing_is_there(root: Path) -> None:
    shutil.rmtree(root / "members/002/gen-003")
    file = "members/002/gen-003/order.json"
    assert f"{file}: is missing; expected an order, since others follow from it" in told(root)


def test_a_last_generation_that_is_missing(root: Path) -> None:
    shutil.rmtree(root / "members/002/gen-005")
    lines = told(root)
    assert any(
        line.startswith("end.json: is there; expected members/002/gen-005") for line in lines
    )


def test_an_order_beyond_the_last_generation(root: Path) -> None:
    shutil.copytree(root / "members/002/gen-005", root / "members/002/gen-006")
    file = "members/002/gen-006/order.json"
    assert f"{file}: was given; expected none: generation 5 is the last" in told(root)


def test_a_member_that_the_run_does_not_have(root: Path) -> None:
    shutil.copytree(root / "members/002", root / "members/004")
    assert "members/004/gen-001: is there; expected members 0 to 3" in told(root)


def test_an_asynchronous_score_that_nobody_had(runs: dict[str, Path], tmp_path: Path) -> None:
    root = shutil.copytree(runs["asynchronous"], tmp_path / "run")
    file = "members/000/gen-003/order.json"
    compared = json.loads((root / file).read_text())["compared"]
    change(root, file, compared={**compared, "score": 1e6})
    assert any(line.startswith(f"{file}: compared.score is 1000000.0; exp") for line in told(root))


def test_an_asynchronous_opponent_that_nobody_drew(runs: dict[str, Path], tmp_path: Path) -> None:
    root = shutil.copytree(runs["asynchronous"], tmp_path / "run")
    file = "members/000/gen-003/order.json"
    compared = json.loads((root / file).read_text())["compared"]
    change(root, file, compared={**compared, "member": 1 + compared["member"] % 3})
    assert any(line.startswith(f"{file}: compared is ") for line in told(root))


def test_a_run_of_the_first_format_is_judged_like_any(root: Path) -> None:
    for path in root.rglob("*.json"):
        path.write_text(path.read_text().replace('"format": 2', '"format": 1'))
    assert told(root) == []
