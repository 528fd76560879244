"""Start and stop a cluster by hand.

    python -m kube build|start|stop [--folder FOLDER]

`start` leaves a cluster that runs on, and says how to talk to it; `stop` takes it down.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from kube import build, cgroups, kernel, needs
from kube.cluster import Cluster
from kube.namespaces import holds

FOLDER = Path(os.environ.get("XDG_RUNTIME_DIR", "/tmp")) / "autolfads-cluster"


def start(folder: Path) -> int:
    """Start a cluster, and say how to talk to it."""
    reason = needs.for_a_node()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 2
    cluster = Cluster(folder)
    try:
        cluster.start()
    except BaseException:
        cluster.stop()
        raise
    print(f"export KUBECONFIG={cluster.plane.kubeconfig} PATH={cluster.plane.tools}:$PATH")
    return 0


def stop(folder: Path) -> int:
    """Take down the cluster that `start` left, or one that was left half way."""
    if (folder / "cluster.json").exists():
        note = json.loads((folder / "cluster.json").read_text())
        pause = build.binaries(build.PAUSE) / "pause"
        if holds(note["init"], pause):
            os.kill(note["init"], signal.SIGKILL)
        kernel.put_back(note["before"])
        for number in range(1, 10):
            cgroups.wait_for_the_end(f"autolfads-node{number}")
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def make() -> int:
    """Build everything that takes long."""
    for tools in (build.PAUSE, build.KUBERNETES_TOOLS, build.KWOK):
        print(build.binaries(tools))
    return 0


def main() -> int:
    """Do what is said."""
    parser = argparse.ArgumentParser(prog="python -m kube", description="A cluster for the tests.")
    parser.add_argument("what", choices=("build", "start", "stop"))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    if arguments.what == "build":
        return make()
    return (start if arguments.what == "start" else stop)(arguments.folder)


if __name__ == "__main__":
    sys.exit(main())
