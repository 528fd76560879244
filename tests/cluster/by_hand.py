"""A cluster to try things in: `make cluster`, then `kubectl`, then `make cluster-stop`."""

from __future__ import annotations

import json
import sys

import installation
import yaml
from kube import __main__ as kube
from kube import needs
from kube.cluster import Cluster
from lab import install

VOLUME = kube.FOLDER.with_name("autolfads-volume")


def start() -> int:
    """Start it, with the operator in it and a run to apply; say how to talk to it."""
    reason = needs.for_a_node()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 2
    if (kube.FOLDER / "cluster.json").exists():
        print(f"a cluster is there already, in {kube.FOLDER}: `make cluster-stop`", file=sys.stderr)
        return 2
    cluster = Cluster(kube.FOLDER)
    try:
        cluster.start()
        installation.offer_gpus(cluster.plane, "node1")
        lab = install(cluster, installation.make_volume(VOLUME))
        lab.wait_for_operator()
    except BaseException:
        cluster.stop()
        kube.stop(kube.FOLDER)
        raise
    example = kube.FOLDER / "run.yaml"
    example.write_text(yaml.safe_dump(json.loads(json.dumps(installation.run("example")))))
    print(f"export KUBECONFIG={cluster.plane.kubeconfig} PATH={cluster.plane.tools}:$PATH")
    print(f"kubectl config set-context --current --namespace={installation.NAMESPACE}")
    print(f"kubectl apply -f {example}   # a run of a minute; its folder will be in {VOLUME}")
    return 0


if __name__ == "__main__":
    sys.exit(start() if sys.argv[1:] == ["start"] else kube.stop(kube.FOLDER))
