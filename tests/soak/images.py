"""The trainer's image, built in full, trains in a pod: images.py

Says how large it is, how long building took, and how long a pod needs from its start to the first
step of training. Needs root, buildah, debootstrap, and 40 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/cluster")]

import installation  # noqa: E402
import machine  # noqa: E402
from kube import node, oci  # noqa: E402
from kube.cluster import Cluster  # noqa: E402
from kube.helm import Release  # noqa: E402
from kube.waiting import wait_until  # noqa: E402
from lab import Lab, Run  # noqa: E402

NAMESPACE = "lab"
MEMORY = "14g"  # containerd's store: the image packed, and unpacked
BUILT = ("operator", "trainer")
SMALL = {"count": 1, "gpu": {"sharing": "none"}, "resources": {"cpu": "1", "memory": "3Gi"}}


def build(folder: Path) -> dict[str, Path]:
    """Build both images; say how large they are and how long it took."""
    made = {}
    for name in BUILT:
        began = time.monotonic()
        archive = folder / f"{name}.tar"
        oci.build(name, archive)
        took = time.monotonic() - began
        print(f"{name}: {archive.stat().st_size / 1e6:.0f} MB packed, built in {took:.0f} s")
        made[name] = archive
    return made


def first_step(run: Run) -> float:
    """Return the seconds from the start of a worker's container to its first step."""
    workers = run.folder / "workers"

    def steps() -> bool:
        found = [json.loads(path.read_text()) for path in workers.glob("*.status.json")]
        return any(each.get("steps") for each in found)

    wait_until("a step", steps, 300)
    now = time.time()
    (pod,) = run.pods()
    state = pod["status"]["containerStatuses"][0]["state"]["running"]
    return now - datetime.fromisoformat(state["startedAt"]).timestamp()


def main() -> None:
    """Build, install, train."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    node.MEMORY_FOR_IMAGES = MEMORY
    with tempfile.TemporaryDirectory(prefix="autolfads-images-", dir="/var/tmp") as temporary:
        folder = Path(temporary)
        archives = build(folder)
        cluster = Cluster(folder / "cluster")
        try:
            cluster.start()
            began = time.monotonic()
            for archive in archives.values():
                cluster.nodes["node1"].load(archive)
            print(f"both taken by containerd in {time.monotonic() - began:.0f} s")
            train(cluster, installation.make_volume(folder / "volume"))
        finally:
            cluster.stop()


def train(cluster: Cluster, volume: Path) -> None:
    """Install the chart with the real images, and let a run train to its end."""
    plane = cluster.plane
    plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    plane.apply(*machine.volume_and_claim(installation.CLAIM, volume, NAMESPACE))
    values = {"storage__existingClaim": installation.CLAIM}
    for place, name in (("image", "operator"), ("worker__image", "trainer")):
        values[f"{place}__repository"] = f"localhost/autolfads-{name}"
        values[f"{place}__tag"] = "test"
    Release(plane, "lab", NAMESPACE).done("install", "--wait", "--timeout=180s", **values)
    lab = Lab(plane, volume, cluster, NAMESPACE)
    manifest = installation.run("real", NAMESPACE, population=2)
    manifest["spec"]["workers"] = SMALL
    lab.apply(manifest)
    run = Run(lab, "real")
    run.wait_until("a worker", run.pods, 180)
    print(f"first step {first_step(run):.1f} s after its container's start")
    run.wait_for("Succeeded", seconds=600)
    print("the run succeeded, with a read-only root and as user 10001")


if __name__ == "__main__":
    main()
