"""What `helm test` says of an installation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from autolfads_operator.cluster.acceptance import claim_objection
from autolfads_operator.cluster.installation import gpus, living, volume
from autolfads_operator.cluster.packing.offers import NodeOffer, Offer

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def lease(name: str, age: float) -> dict[str, Any]:
    renewed = (NOW - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"spec": {"holderIdentity": name, "renewTime": renewed}}


def test_an_operator_is_there_that_renews_its_lease() -> None:
    leases = [lease("b", 10), lease("gone", 100), lease("a", 20), {"spec": {"renewTime": None}}]
    assert living(leases, NOW) == ["a", "b"]


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (None, "no PersistentVolumeClaim shared"),
        ({"spec": {"accessModes": ["ReadWriteOnce"]}}, "has ReadWriteOnce; expected ReadWriteMany"),
        ({"spec": {"accessModes": ["ReadWriteOnce", "ReadWriteMany"]}}, None),
    ],
)
def test_the_claim(claim: dict[str, Any] | None, words: str | None) -> None:
    found = claim_objection("shared", claim)
    assert (found is None) == (words is None)
    assert found is None or words in found.message  # type: ignore[operator]


def test_a_volume_that_works_and_what_is_in_it(tmp_path: Path) -> None:
    assert [result.level for result in volume(tmp_path)] == ["ok", "note"]
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.h5").touch()
    (result,) = volume(tmp_path)
    assert result.level == "ok"
    assert "1 files in data/" in result.words
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_volume_that_cannot_be_written_to(tmp_path: Path) -> None:
    (result,) = volume(tmp_path / "missing")
    assert result.level == "WRONG"


@pytest.mark.parametrize(
    ("offer", "level", "words"),
    [
        (Offer(), "note", "no node offers a GPU now"),
        (
            Offer(
                (
                    NodeOffer(
                        "a",
                        {"nvidia.com/gpu": 4},
                        {"nvidia.com/gpu.sharing-strategy": "time-slicing"},
                    ),
                    NodeOffer("b", {"nvidia.com/gpu": 2}),
                )
            ),
            "ok",
            "2 × nvidia.com/gpu, 4 × nvidia.com/gpu (time-slicing)",
        ),
        (Offer(devices={"gpu.nvidia.com": 3}), "ok", "3 × devices of DRA drivers"),
    ],
)
def test_gpus(offer: Offer, level: str, words: str) -> None:
    result = gpus(offer)
    assert result.level == level
    assert words in result.words
