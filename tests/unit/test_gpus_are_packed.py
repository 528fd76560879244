"""What each way of sharing GPUs asks for, and what it says that nodes lack."""

from __future__ import annotations

from typing import Any

import pytest

from autolfads_operator.api import Workers
from autolfads_operator.cluster.packing import Group, packing_of
from autolfads_operator.cluster.packing.offers import NodeOffer, Offer, offer_of

GPU = "nvidia.com/gpu"


def workers(sharing: str, **more: Any) -> Workers:
    gpu = {"sharing": sharing, **more.pop("gpu", {})}
    return Workers.model_validate({"gpu": gpu, **more})


def node(name: str = "a", labels: dict[str, str] | None = None, **resources: int) -> NodeOffer:
    named = {key.replace("__", "/").replace("_", "."): n for key, n in resources.items()}
    return NodeOffer(name, named, labels or {})


def gpus(count: int, strategy: str | None = None, replicas: int | None = None) -> NodeOffer:
    labels = {}
    if strategy is not None:
        labels["nvidia.com/gpu.sharing-strategy"] = strategy
    if replicas is not None:
        labels["nvidia.com/gpu.replicas"] = str(replicas)
    return NodeOffer("a", {GPU: count}, labels)


@pytest.mark.parametrize(
    ("sharing", "gpu", "limits", "share"),
    [
        ("timeSlicing", {}, {GPU: "1"}, 0.5),
        ("timeSlicing", {"resource": "nvidia.com/gpu.shared"}, {"nvidia.com/gpu.shared": "1"}, 0.5),
        ("mps", {}, {GPU: "1"}, None),
        ("mig", {"profile": "1g.18gb"}, {"nvidia.com/mig-1g.18gb": "1"}, None),
        ("exclusive", {}, {GPU: "1"}, None),
        ("dra", {}, {}, 0.5),
        ("none", {}, {}, None),
    ],
)
def test_what_a_worker_asks_for_and_keeps_to(
    sharing: str, gpu: dict[str, str], limits: dict[str, str], share: float | None
) -> None:
    asked = workers(sharing, gpu=gpu)
    assert packing_of(asked).limits(asked) == limits
    assert packing_of(asked).memory_share(asked) == share


@pytest.mark.parametrize(
    ("count", "per_gpu", "sizes"),
    [(4, 2, [2, 2]), (5, 2, [2, 2, 1]), (1, 2, [1]), (6, 3, [3, 3]), (3, 1, [1, 1, 1])],
)
def test_claims_are_shared_by_as_many_as_share_a_gpu(
    count: int, per_gpu: int, sizes: list[int]
) -> None:
    asked = workers("dra", perGPU=per_gpu)
    groups = packing_of(asked).groups(asked, count)
    assert [group.size for group in groups] == sizes
    assert all(group.claim for group in groups)
    assert len({group.suffix for group in groups}) == len(sizes)


def test_without_claims_all_workers_are_one_job() -> None:
    asked = workers("timeSlicing")
    assert packing_of(asked).groups(asked, 7) == (Group("workers", 7),)


@pytest.mark.parametrize("sharing", ["timeSlicing", "mps", "exclusive"])
def test_enough_is_nothing_to_tell(sharing: str) -> None:
    asked = workers(sharing)
    assert packing_of(asked).lacking(asked, 4, Offer((gpus(2), gpus(2)))) is None


@pytest.mark.parametrize(
    ("sharing", "nodes", "reason", "words"),
    [
        ("timeSlicing", (), "NoSuchResource", "found no GPU of any name"),
        ("timeSlicing", (node(cpu=4),), "NoSuchResource", "no node offers nvidia.com/gpu"),
        (
            "timeSlicing",
            (NodeOffer("a", {"nvidia.com/gpu.shared": 4}),),
            "NoSuchResource",
            "found nvidia.com/gpu.shared",
        ),
        ("timeSlicing", (gpus(0),), "NoSuchResource", "sharing: none to train on CPU"),
        ("timeSlicing", (gpus(3),), "TooFew", "4 workers ask for one nvidia.com/gpu each"),
        ("timeSlicing", (gpus(3),), "TooFew", "set spec.workers.count to 3"),
        ("timeSlicing", (gpus(8, "none"),), "NotShared", "expected time-slicing with 2 replicas"),
        ("timeSlicing", (gpus(8, "mps"),), "NotShared", "sharing-strategy: mps"),
        ("timeSlicing", (gpus(8, "time-slicing", 1),), "NotShared", "gpu.replicas: 1"),
        ("mps", (gpus(8, "time-slicing", 2),), "NotShared", "expected mps with 2 replicas"),
        ("exclusive", (gpus(8, "time-slicing", 2),), "GpuIsShared", "expected whole GPUs"),
        ("mig", (gpus(8),), "NoSuchResource", "no node offers nvidia.com/mig-1g.18gb"),
        (
            "mig",
            (NodeOffer("a", {"nvidia.com/mig-3g.40gb": 2}),),
            "NoSuchResource",
            "found nvidia.com/mig-3g.40gb: cut GPUs into 1g.18gb",
        ),
    ],
)
def test_what_is_missing_is_told(
    sharing: str, nodes: tuple[NodeOffer, ...], reason: str, words: str
) -> None:
    asked = workers(sharing, gpu={"profile": "1g.18gb"} if sharing == "mig" else {})
    finding = packing_of(asked).lacking(asked, 4, Offer(nodes))
    assert finding is not None
    assert finding.reason == reason
    assert words in finding.message


def test_only_rightly_shared_nodes_count() -> None:
    asked = workers("timeSlicing")
    offer = Offer((gpus(8, "none"), gpus(2, "time-slicing", 2)))
    finding = packing_of(asked).lacking(asked, 4, offer)
    assert finding is not None
    assert finding.reason == "TooFew"
    assert "nodes offer 2" in finding.message


def test_only_nodes_that_the_selector_chooses_count() -> None:
    asked = workers("timeSlicing", podTemplate={"nodeSelector": {"pool": "b"}})
    offer = Offer((gpus(8), NodeOffer("b", {GPU: 4}, {"pool": "b"})))
    assert packing_of(asked).lacking(asked, 4, offer) is None
    finding = packing_of(asked).lacking(asked, 5, offer)
    assert finding is not None
    assert "nodes offer 4" in finding.message


def test_dra_needs_a_class_and_a_device_for_each_pair() -> None:
    asked = workers("dra")
    packing = packing_of(asked)
    missing = packing.lacking(asked, 4, Offer())
    assert missing is not None
    assert missing.reason == "NoDeviceClass"
    named = {"gpu.nvidia.com": None}
    too_few = packing.lacking(asked, 4, Offer(device_classes=named, devices={"gpu.nvidia.com": 1}))
    assert too_few is not None
    assert too_few.reason == "TooFew"
    assert "4 workers need 2 devices (2 to each)" in too_few.message
    none = packing.lacking(asked, 4, Offer(device_classes=named))
    assert none is not None
    assert "no device at all" in none.message
    enough = Offer(device_classes=named, devices={"gpu.nvidia.com": 2})
    assert packing.lacking(asked, 4, enough) is None


@pytest.mark.parametrize("quote", ['"', "'"])
def test_dra_counts_the_devices_of_the_class_alone(quote: str) -> None:
    driver = f"device.driver == {quote}gpu.nvidia.com{quote} && device.attributes.x"
    named = {
        "metadata": {"name": "gpu.nvidia.com"},
        "spec": {"selectors": [{"cel": {"expression": driver}}]},
    }
    slices = [
        {"spec": {"driver": name, "devices": [{}]}} for name in ("gpu.nvidia.com", "net.example")
    ]
    asked = workers("dra")
    finding = packing_of(asked).lacking(asked, 4, offer_of([], [named], slices))
    assert finding is not None
    assert "drivers offer 1" in finding.message
    assert packing_of(asked).lacking(asked, 2, offer_of([], [named], slices)) is None


def test_an_offer_is_read_from_objects_and_leaves_out_what_takes_no_pods() -> None:
    def body(name: str, **more: Any) -> dict[str, Any]:
        status = {"allocatable": {GPU: "2", "cpu": "8", "x/y": "1k"}, **more.pop("status", {})}
        return {"metadata": {"name": name}, "status": status, "spec": more}

    ready, not_ready = (
        {"conditions": [{"type": "Ready", "status": status}]} for status in ("True", "Unknown")
    )
    offer = offer_of(
        [body("a", status=ready), body("b", unschedulable=True), body("c", status=not_ready)],
        [{"metadata": {"name": "gpu"}}],
        [
            {"spec": {"driver": "d", "devices": [{}, {}]}},
            {"spec": {"driver": "d", "devices": [{}]}},
            {"spec": {"driver": "e"}},
        ],
    )
    assert [(each.name, dict(each.resources)) for each in offer.nodes] == [("a", {GPU: 2})]
    assert offer.device_classes == {"gpu": None}
    assert offer.devices == {"d": 3, "e": 0}
