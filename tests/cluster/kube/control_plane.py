"""The control plane: etcd, the API server, its controllers and the scheduler; no node.

Alone it needs neither root nor a package of the machine, and starts in seconds.
"""

from __future__ import annotations

import json
import socket
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kube.build import KUBERNETES_TOOLS, binaries
from kube.credentials import Credentials
from kube.daemons import Daemons
from kube.looks import Looks
from kube.waiting import wait_until

# Of all controllers those that a run meets; the others make the start two times as long.
CONTROLLERS = (
    "job-controller",
    "cronjob-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "taint-eviction-controller",
    "pod-garbage-collector-controller",
    "deployment-controller",
    "replicaset-controller",
    "disruption-controller",
    "root-ca-certificate-publisher-controller",
    "endpointslice-controller",
    "persistentvolume-binder-controller",
    "resourceclaim-controller",
    "ttl-after-finished-controller",
)
# A client's own rate limit is for clusters that many share; here it costs 4 s at the start.
UNHURRIED = ("--kube-api-qps=500", "--kube-api-burst=1000", "--leader-elect=false")


@dataclass(frozen=True)
class Address:
    """Where the API server listens, and the range of its services' addresses."""

    host: str
    port: int
    services: str = "10.96.0.0/24"

    @property
    def first_service(self) -> str:
        """The address by which pods reach the API server."""
        return self.services.replace(".0/24", ".1")

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class ControlPlane:
    """A running control plane. Its files lie in `folder`; `daemons` say where it runs."""

    def __init__(self, folder: Path, address: Address, daemons: Daemons) -> None:
        self.folder, self.address, self.daemons = folder, address, daemons
        self.tools = binaries(KUBERNETES_TOOLS)
        names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
        hosts = dict.fromkeys((address.host, address.first_service, "127.0.0.1"))
        self.credentials = Credentials(folder / "keys", str(address), (*names, *hosts))
        self.kubeconfig = self.credentials.kubeconfig("admin")

    def start(self) -> None:
        """Start everything, and return when a pod could be made."""
        etcd = self._start_etcd()
        self.start_api_server(etcd)
        self._start_controllers()
        self._start_scheduler()
        self.daemons.wait_for(
            "controller-manager",
            "the default ServiceAccount",
            lambda: self.try_kubectl("get", "serviceaccount", "default").returncode == 0,
            60,
        )

    def _start_etcd(self) -> str:
        client, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
        command = [
            self.tools / "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync=true",  # nothing here is to outlive the machine
        ]
        self.daemons.start("etcd", command)
        return client

    def start_api_server(self, etcd: str | None = None) -> None:
        """Start the API server, also after it was stopped, and wait until it is ready."""
        if etcd is not None:
            self._etcd = etcd
        keys = self.credentials
        command = [
            self.tools / "kube-apiserver",
            f"--etcd-servers={self._etcd}",
            f"--bind-address={self.address.host}",
            f"--advertise-address={self.address.host}",
            f"--secure-port={self.address.port}",
            f"--tls-cert-file={keys.certificate('apiserver')}",
            f"--tls-private-key-file={keys.key('apiserver')}",
            f"--client-ca-file={keys.authority}",
            f"--kubelet-client-certificate={keys.certificate('admin')}",
            f"--kubelet-client-key={keys.key('admin')}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-cluster-ip-range={self.address.services}",
            "--allow-privileged=true",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={keys.service_accounts}",
            f"--service-account-signing-key-file={keys.service_accounts}",
        ]
        if self.address.host.startswith("127."):
            command.append("--endpoint-reconciler-type=none")  # loopback is no endpoint
        self.daemons.start("apiserver", command)
        self.daemons.wait_for("apiserver", "an API server that is ready", self.is_ready, 120)

    def _start_controllers(self) -> None:
        keys = self.credentials
        command = [
            self.tools / "kube-controller-manager",
            f"--kubeconfig={keys.kubeconfig('controller-manager')}",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_ports(1)[0]}",
            f"--controllers={','.join(CONTROLLERS)}",
            f"--root-ca-file={keys.authority}",
            f"--service-account-private-key-file={keys.service_accounts}",
            "--use-service-account-credentials=true",
            "--node-monitor-period=1s",
            "--node-monitor-grace-period=30s",
            "--pvclaimbinder-sync-period=1s",  # 15 s otherwise until a claim is bound
            *UNHURRIED,
        ]
        self.daemons.start("controller-manager", command)

    def _start_scheduler(self) -> None:
        command = [
            self.tools / "kube-scheduler",
            f"--kubeconfig={self.credentials.kubeconfig('scheduler')}",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_ports(1)[0]}",
            *UNHURRIED,
        ]
        self.daemons.start("scheduler", command)

    def is_ready(self) -> bool:
        """Whether the API server says that it is ready."""
        return self.try_kubectl("get", "--raw", "/readyz").returncode == 0

    def try_kubectl(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl as the cluster's administrator, and return what came of it."""
        return subprocess.run(
            self.kubectl_command(*words),
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def kubectl_command(self, *words: str) -> list[str]:
        """Return the words of a kubectl command."""
        cache = f"--cache-dir={self.folder / 'kubectl'}"
        return [str(self.tools / "kubectl"), f"--kubeconfig={self.kubeconfig}", cache, *words]

    def kubectl(self, *words: str, text: str = "") -> str:
        """Run kubectl; return what it prints. Raises `RuntimeError` with what it complains of."""
        done = self.try_kubectl(*words, text=text)
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *words: str) -> Any:
        """Return what `kubectl get` finds."""
        found = self._looks.get(*words)
        return found if found is not None else json.loads(self.kubectl("get", "-ojson", *words))

    @cached_property
    def _looks(self) -> Looks:
        keys, name = self.credentials, self.kubeconfig.stem
        return Looks(str(self.address), keys.authority, keys.certificate(name), keys.key(name))

    def apply(self, *objects: dict[str, Any]) -> None:
        """Apply objects server-side, each in the namespace that it names."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=text)

    def wait_for(self, what: str, *words: str, seconds: float = 60) -> None:
        """Wait until `kubectl get` of these words finds something."""

        def found() -> str:
            return self.try_kubectl("get", *words).stdout.strip()

        wait_until(what, found, seconds)

    def stop(self) -> None:
        """Stop everything at once. SIGTERM takes seconds, and all of this is thrown away."""
        self.daemons.stop()


def free_ports(count: int) -> list[int]:
    """Return ports of this machine on which nobody listens."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
