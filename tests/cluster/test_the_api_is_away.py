"""The API server gone, refusing, or silent: training goes on, and so does the operator after it."""

from __future__ import annotations

import contextlib
import http.client
import re
import signal
import ssl
import time
from collections.abc import Iterator

import pytest
from kube.cluster import Cluster
from kube.flows import counted, flow_schema, service_account
from kube.waiting import wait_until
from lab import LONGER, Lab, Run

LEVEL = "autolfads-operator"
STORM = "storm"


def begun(lab: Lab, name: str) -> Run:
    run = lab.run(name, **LONGER)
    run.wait_for("WorkersReady", seconds=120)
    return run


def test_the_api_server_away_for_a_minute(lab: Lab, undisturbed: Run) -> None:
    run = begun(lab, "api-away")
    folder = run.folder
    before = len(list(folder.glob("members/*/gen-*/order.json")))
    lab.plane.daemons.all["apiserver"].stop()
    time.sleep(60)
    orders = len(list(folder.glob("members/*/gen-*/order.json")))
    lab.plane.start_api_server()
    # Members went on from generation to generation: that needs the volume alone.
    assert orders > before
    run.wait_for("Succeeded", seconds=240)
    assert run.orders() == undisturbed.orders()
    # Its node was taken for lost, too, and a kubelet says only after a while that pods are ready.
    pod = lab.wait_for_operator(240)
    state = lab.get("pod", pod)["status"]["containerStatuses"][0]
    assert state["restartCount"] == 0


def test_an_api_server_that_hangs_holds_up_no_training(lab: Lab, undisturbed: Run) -> None:
    """It takes connections and never answers: each request waits for its time to be over."""
    run = begun(lab, "api-hangs")
    folder, server = run.folder, lab.plane.daemons.all["apiserver"]
    server.send(signal.SIGSTOP)
    try:
        results = folder / "results/autolfads.zip"
        assert not results.exists()
        # All that is left to do needs the volume alone.
        wait_until("the results are there", results.exists, 180)
    finally:
        server.send(signal.SIGCONT)
    run.wait_for("Succeeded", seconds=240)
    assert run.orders() == undisturbed.orders()


def flow(shares: int) -> list[dict[str, object]]:
    """Return what gives the operator a priority level of its own, and the one who makes the storm.

    With no share there is room for one request at a time, and all others are refused.
    """
    return [
        {
            "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
            "kind": "PriorityLevelConfiguration",
            "metadata": {"name": LEVEL},
            "spec": {
                "type": "Limited",
                "limited": {
                    "nominalConcurrencyShares": shares,
                    "lendablePercent": 0,
                    "borrowingLimitPercent": 0,
                    "limitResponse": {"type": "Reject"},
                },
            },
        },
        flow_schema(
            LEVEL,
            LEVEL,
            service_account("autolfads", "autolfads-operator"),
            {"kind": "User", "user": {"name": STORM}},
        ),
    ]


@pytest.fixture
def own_level(lab: Lab) -> Iterator[None]:
    lab.plane.apply(*flow(20))
    yield
    lab.plane.kubectl("delete", f"flowschema/{LEVEL}", f"prioritylevelconfiguration/{LEVEL}")


@contextlib.contextmanager
def only_seat_taken(lab: Lab) -> Iterator[None]:
    """Take the level's one seat, by requests whose body does not come."""
    keys = lab.plane.credentials
    keys.client(STORM, STORM)
    lab.plane.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": STORM},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": STORM}],
        }
    )
    context = ssl.create_default_context(cafile=str(keys.authority))
    context.load_cert_chain(keys.certificate(STORM), keys.key(STORM))
    address = lab.plane.address
    taken = http.client.HTTPSConnection(address.host, address.port, context=context)
    while True:  # as soon as the seat is free
        taken.putrequest("POST", "/api/v1/namespaces/default/configmaps")
        taken.putheader("Content-Type", "application/json")
        taken.putheader("Content-Length", "1000")
        taken.endheaders()
        taken.sock.settimeout(2)
        try:
            taken.getresponse().read()
        except TimeoutError:
            break
    try:
        yield
    finally:
        taken.close()


def test_a_storm_of_429(lab: Lab, undisturbed: Run, own_level: None) -> None:
    run = begun(lab, "api-storm")
    before = counted(lab.plane, "rejected", LEVEL)
    lab.plane.apply(*flow(0))
    with only_seat_taken(lab):
        time.sleep(40)
    refused = counted(lab.plane, "rejected", LEVEL) - before
    lab.plane.apply(*flow(20))
    assert 5 < refused < 120  # it is refused, and waits between its tries
    run.wait_for("Succeeded", seconds=240)
    assert run.orders() == undisturbed.orders()


def test_a_watch_that_breaks_without_a_word(lab: Lab, cluster: Cluster) -> None:
    """What is dropped on the way is missed by no event; the next full list brings it."""
    pod = lab.get("pod", lab.wait_for_operator())
    inside = cluster.nodes["node1"].namespaces.run
    address = pod["status"]["podIP"]
    listed = inside("conntrack", "-L", "-p", "tcp", "-s", address)
    ports = set(re.findall(rf"src={address} dst=\S+ sport=(\d+)", listed))
    assert ports
    rules = [
        ("FORWARD", "-s", address, "-p", "tcp", "--sport", port, "-j", "DROP") for port in ports
    ] + [("INPUT", "-s", address, "-p", "tcp", "--sport", port, "-j", "DROP") for port in ports]
    for rule in rules:
        inside("iptables", "-I", *rule)
    try:
        run = lab.run("watch-broken")
        run.wait_for("Accepted", seconds=130)
        run.wait_for("DataReady", seconds=130)
    finally:
        for rule in rules:
            inside("iptables", "-D", *rule)
    run.wait_for("Succeeded", seconds=240)


def test_what_a_run_costs_the_api_is_bounded(lab: Lab, own_level: None) -> None:
    """Requests grow with what happens, and not with turns: those are taken ten times a second."""

    def cost(seconds: float) -> float:
        before = counted(lab.plane, "dispatched", LEVEL)
        time.sleep(seconds)
        return (counted(lab.plane, "dispatched", LEVEL) - before) / seconds

    at_rest = cost(20)
    assert at_rest < 1.0  # lists once a minute, a Lease, watches that begin again
    before = counted(lab.plane, "dispatched", LEVEL)
    began = time.monotonic()
    run = lab.run("api-cost")
    run.wait_for("Succeeded", seconds=240)
    run.wait_until("its workers are gone", lambda: run.status.get("completionTime"))
    took = time.monotonic() - began
    calls = counted(lab.plane, "dispatched", LEVEL) - before - at_rest * took
    # Status and Events of some 20 transitions, its Jobs, the claim and nodes each 5 s.
    assert calls < 60 + took
