"""Whatever happens to pods, nodes and the operator: the same orders and the same best score."""

from __future__ import annotations

import time

import installation
import processes
from installation import offer_gpus
from kube.cluster import Cluster
from lab import EPOCHS, LONGER, Lab, Run


def begun(lab: Lab, name: str, generation: int = 1) -> Run:
    """Return the same run under another name, with training under way."""
    run = lab.run(name, **LONGER)
    run.wait_for("WorkersReady", seconds=120)
    run.wait_until(f"generation {generation}", lambda: run.generation() >= generation)
    run.wait_until("some epochs", lambda: run.epochs() > 4 * EPOCHS * (generation - 1) + 8)
    return run


def is_as_if_nothing_happened(run: Run, undisturbed: Run, seconds: float = 300) -> None:
    run.wait_for("Succeeded", seconds=seconds)
    assert run.orders() == undisturbed.orders()
    assert run.status["best"] == undisturbed.status["best"]
    for job in run.jobs():
        assert not job["status"].get("failedIndexes")
        assert not [
            each for each in job["status"].get("conditions", []) if each["type"] == "Failed"
        ]


def test_the_operator_killed_ten_times(lab: Lab, undisturbed: Run) -> None:
    run = lab.run("operator-killed", **LONGER)
    run.wait_until("its first job", lambda: run.jobs("prepare"))
    for _ in range(10):
        lab.kill_operator()
        lab.wait_for_operator()
        time.sleep(1)
    is_as_if_nothing_happened(run, undisturbed)
    reasons = [reason for _, reason, _ in run.events()]
    assert reasons.count("Prepared") == reasons.count("Ended") == 1


def test_workers_deleted_and_out_of_memory_in_the_midst_of_training(
    lab: Lab, undisturbed: Run
) -> None:
    run = begun(lab, "pods-deleted")
    first, second, third = [pod["metadata"] for pod in run.pods()[:3]]
    lab.kubectl("delete", "pod", first["name"], "--wait=false")
    lab.kubectl("delete", "pod", second["name"], "--wait=false", "--grace-period=0", "--force")
    processes.run_out_of_memory(third["uid"], 2**30)

    def ended() -> str | None:
        for pod in run.pods(alive=False):
            for each in pod["status"].get("containerStatuses", []):
                if pod["metadata"]["uid"] == third["uid"] and "terminated" in each["state"]:
                    return str(each["state"]["terminated"]["reason"])
        return None

    assert run.wait_until("its end", ended) == "OOMKilled"
    is_as_if_nothing_happened(run, undisturbed)


def test_four_workers_then_two_then_four(lab: Lab, undisturbed: Run) -> None:
    run = begun(lab, "resized")
    for count in (2, 4):
        lab.kubectl("scale", "alr", run.name, f"--replicas={count}")
        run.wait_until(f"{count} workers", lambda count=count: len(run.pods()) == count)
        run.wait_for("WorkersReady", seconds=120)
    is_as_if_nothing_happened(run, undisturbed)


def test_the_kubelet_killed(lab: Lab, cluster: Cluster, undisturbed: Run) -> None:
    run = begun(lab, "kubelet-killed")
    cluster.nodes["node1"].kill_kubelet()
    time.sleep(10)
    cluster.nodes["node1"].start_kubelet()
    is_as_if_nothing_happened(run, undisturbed)


def on_a_node_of_its_own(lab: Lab, cluster: Cluster, name: str) -> tuple[Run, str]:
    """Return a run whose workers train on another node, and that node's name."""
    node = cluster.add_node()
    offer_gpus(lab.plane, node.name)
    lab.plane.kubectl("cordon", "node1")
    try:
        run = begun(lab, name)
    finally:
        lab.plane.kubectl("uncordon", "node1")
    assert {pod["spec"]["nodeName"] for pod in run.pods()} == {node.name}
    return run, node.name


def test_a_node_drained(lab: Lab, cluster: Cluster, undisturbed: Run) -> None:
    run, node = on_a_node_of_its_own(lab, cluster, "drained")
    lab.plane.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data")
    is_as_if_nothing_happened(run, undisturbed)
    cluster.lose_node(node)
    lab.plane.kubectl("delete", "node", node)


def test_a_node_lost_for_ever(lab: Lab, cluster: Cluster, undisturbed: Run) -> None:
    run, node = on_a_node_of_its_own(lab, cluster, "node-lost")
    cluster.lose_node(node)
    is_as_if_nothing_happened(run, undisturbed, seconds=400)
    lab.plane.kubectl("delete", "node", node)


def test_a_spot_node_reclaimed(lab: Lab, cluster: Cluster, undisturbed: Run) -> None:
    """Its pods are told to go when the notice comes, and the machine is off 120 s after it."""
    run, node = on_a_node_of_its_own(lab, cluster, "reclaimed")
    noticed = time.monotonic()
    lab.plane.kubectl("taint", "node", node, "aws-node-termination-handler/spot-itn=1:NoExecute")

    def gone() -> bool:
        there = {pod["spec"].get("nodeName") for pod in run.pods(alive=False)}
        return node not in there or time.monotonic() - noticed > 120

    run.wait_until("the node is empty", gone, 130)
    cluster.lose_node(node)
    outcomes = [path.read_text() for path in run.folder.glob("members/*/gen-*/*/outcome.json")]
    assert [each for each in outcomes if '"saved"' in each]
    is_as_if_nothing_happened(run, undisturbed)
    lab.plane.kubectl("delete", "node", node)


def test_a_worker_that_hangs_under_an_operator_that_is_upgraded(lab: Lab, undisturbed: Run) -> None:
    """A new operator with less patience takes over in mid-run, and gives the worker up."""
    run = begun(lab, "hangs")
    hangs = run.pods()[0]["metadata"]["uid"]
    processes.stop(hangs)
    impatience = "AUTOLFADS_OPERATOR_SILENT_AFTER"
    lab.kubectl("set", "env", "deployment/autolfads-operator", f"{impatience}=20")
    try:
        is_as_if_nothing_happened(run, undisturbed)
    finally:
        lab.kubectl("set", "env", "deployment/autolfads-operator", f"{impatience}-")
        lab.kubectl("rollout", "status", "deployment/autolfads-operator", "--timeout=120s")
    reasons = [path.read_text() for path in run.folder.glob("members/*/gen-*/*/outcome.json")]
    assert sum("gave no sign" in reason for reason in reasons) == 1


def test_suspended_and_resumed_with_other_pods(lab: Lab, undisturbed: Run) -> None:
    """The podTemplate may change while the run is suspended: the Job is made anew."""
    run = begun(lab, "suspended")
    (before,) = run.jobs()
    run.patch(suspend=True)
    run.wait_for("Suspended", seconds=130)
    assert run.status["state"] == "Suspended"
    assert run.pods() == []
    epochs = run.epochs()
    time.sleep(5)
    assert run.epochs() == epochs
    template = {"annotations": {"team": "motor cortex"}, **installation.pod_template()}
    run.patch(workers={"podTemplate": template})
    run.patch(suspend=False)
    run.wait_for("WorkersReady", seconds=120)
    (after,) = run.jobs()
    assert before["metadata"]["name"] != after["metadata"]["name"]
    assert {pod["metadata"]["annotations"]["team"] for pod in run.pods()} == {"motor cortex"}
    is_as_if_nothing_happened(run, undisturbed)


def test_pods_that_are_deleted_before_they_began(lab: Lab, undisturbed: Run) -> None:
    run = lab.run("not-begun", **LONGER)

    def there(how: str) -> str | None:
        pods = run.pods(how, alive=False)
        return str(pods[0]["metadata"]["name"]) if pods else None

    for how in ("prepare", "worker"):
        pod = run.wait_until(f"a pod that is to {how}", lambda how=how: there(how))
        lab.kubectl("delete", "pod", pod, "--wait=false", "--grace-period=0", "--force")
    is_as_if_nothing_happened(run, undisturbed)
