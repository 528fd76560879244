"""One node: namespaces of its own, with containerd, a kubelet and kube-proxy in them.

The first node has the control plane as well and a cable to the machine; every other has a cable to
the first. Nothing within reaches beyond: the first one's default route leads nowhere.
"""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import yaml

from kube import cgroups, commands
from kube.build import KUBERNETES_TOOLS, binaries
from kube.credentials import Credentials
from kube.daemons import Daemons
from kube.images import PAUSE_IMAGE
from kube.namespaces import Namespaces
from kube.needs import CNI

CABLE = "autolfads"  # the machine's end of the cable to the first node
SOCKET = "/run/containerd/containerd.sock"
MEMORY_FOR_IMAGES = "8g"  # images and layers lie in memory: as fast as can be, and gone at the end


class Node:
    """A node of number 1 to 9: `node1` and so on, at 10.41.N.2, with its pods in 10.42.N.0/24."""

    def __init__(self, number: int, folder: Path) -> None:
        """Make its namespaces and its part of the network's addresses. Needs root."""
        self.number, self.name = number, f"node{number}"
        self.folder = folder / self.name
        self.address, self.pods = f"10.41.{number}.2", f"10.42.{number}.0/24"
        self.namespaces = Namespaces(self.name, self.folder / "logs")
        self.daemons = Daemons(self.folder / "logs", self.namespaces.entering)
        self._groups = f"autolfads-{self.name}"

    def plug_into_machine(self) -> None:
        """Lay the first node's cable: its other end is the machine's, at 10.41.1.1."""
        inside = str(self.namespaces.init)
        commands.run(
            "ip", "link", "add", CABLE, "type", "veth", "peer", "name", "eth0", "netns", inside
        )
        commands.run("ip", "address", "add", f"10.41.{self.number}.1/24", "dev", CABLE)
        commands.run("ip", "link", "set", CABLE, "up")
        self._address()
        # Services' addresses need some default route; a bridge without ports leads nowhere.
        for words in (
            "link add hole0 type bridge",
            "link set hole0 up",
            "route add default dev hole0",
        ):
            self.namespaces.run("ip", *words.split())

    def plug_into(self, first: Node) -> None:
        """Lay a further node's cable, to the first."""
        run, end, inside = first.namespaces.run, f"to-{self.name}", str(self.namespaces.init)
        command = (
            "nsenter",
            "-t",
            str(first.namespaces.init),
            "-n",
            "--",
            "ip",
            "link",
            "add",
            end,
        )
        commands.run(*command, "type", "veth", "peer", "name", "eth0", "netns", inside)
        run("ip", "address", "add", f"10.41.{self.number}.1/24", "dev", end)
        run("ip", "link", "set", end, "up")
        self._address()
        self.namespaces.run("ip", "route", "add", "default", "via", f"10.41.{self.number}.1")
        run("ip", "route", "replace", self.pods, "via", self.address)

    def _address(self) -> None:
        run = self.namespaces.run
        run("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        run("ip", "link", "set", "eth0", "up")
        run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")

    def start(self, credentials: Credentials, images: list[Path]) -> None:
        """Start its daemons; return when images are there and the kubelet runs."""
        self._credentials = credentials
        self._kubeconfig = credentials.node(self.name)
        self._write_settings()
        store = self.folder / "containerd"
        store.mkdir()
        size = f"size={MEMORY_FOR_IMAGES}"
        self.namespaces.run("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(store))
        self.start_containerd()
        for image in images:
            self.load(image)
        self._start_proxy()
        self.start_kubelet()

    def start_containerd(self) -> None:
        """Start containerd, also after it was stopped."""
        self.daemons.start(
            "containerd", ["containerd", "--config", self._settings("containerd.toml")]
        )
        self.daemons.wait_for("containerd", "a containerd that answers", self._is_up, 60)

    def _is_up(self) -> bool:
        try:
            self.namespaces.run("ctr", "-a", SOCKET, "version")
        except RuntimeError:
            return False
        return True

    def load(self, image: Path) -> None:
        """Load an image's archive."""
        words = ("ctr", "-a", SOCKET, "-n", "k8s.io", "images", "import", str(image.resolve()))
        self.namespaces.run(*words)

    def start_kubelet(self) -> None:
        """Start the kubelet, also after it was stopped: its pods went on meanwhile."""
        command = [
            binaries(KUBERNETES_TOOLS) / "kubelet",
            f"--config={self._settings('kubelet.yaml')}",
            f"--kubeconfig={self._kubeconfig}",
            f"--hostname-override={self.name}",
            f"--node-ip={self.address}",
            f"--root-dir={self.folder / 'kubelet'}",
            f"--cert-dir={self.folder / 'kubelet-keys'}",
        ]
        self.daemons.start("kubelet", command)

    def kill_kubelet(self) -> None:
        """Kill the kubelet; the node's pods go on."""
        self.daemons.all["kubelet"].stop(signal.SIGKILL)

    def _start_proxy(self) -> None:
        command = [
            binaries(KUBERNETES_TOOLS) / "kube-proxy",
            f"--config={self._settings('proxy.yaml')}",
            f"--hostname-override={self.name}",
        ]
        self.daemons.start("proxy", command)

    def lose(self) -> None:
        """Kill everything on it at once, as when it is taken away without notice."""
        self.namespaces.kill()
        cgroups.wait_for_the_end(self._groups)
        self.namespaces.wait()
        shutil.rmtree(self.folder / "kubelet", ignore_errors=True)

    def _settings(self, name: str) -> Path:
        return self.folder / "settings" / name

    def _write_settings(self) -> None:
        folder = self.folder / "settings"
        (folder / "cni").mkdir(parents=True)
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        (folder / "containerd.toml").write_text(self._containerd())
        (folder / "kubelet.yaml").write_text(yaml.safe_dump(self._kubelet()))
        (folder / "proxy.yaml").write_text(yaml.safe_dump(self._proxy()))
        (folder / "cni/10-bridge.conflist").write_text(json.dumps(self._network()))

    def _containerd(self) -> str:
        cri = 'plugins."io.containerd.grpc.v1.cri"'
        off = (
            "internal.v1.opt",
            "snapshotter.v1.btrfs",
            "snapshotter.v1.zfs",
            "snapshotter.v1.devmapper",
        )
        disabled = ", ".join(f'"io.containerd.{name}"' for name in off)
        return f"""
version = 2
root = "{self.folder / "containerd"}"
state = "/run/containerd"
oom_score = 0
disabled_plugins = [{disabled}]
[grpc]
  address = "{SOCKET}"
[{cri}]
  sandbox_image = "{PAUSE_IMAGE}"
  # Without it no sandbox starts where root may not lower a process's oom_score_adj.
  restrict_oom_score_adj = true
  disable_apparmor = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [{cri}.cni]
    bin_dir = "{CNI}"
    conf_dir = "{self._settings("cni")}"
    max_conf_num = 1
  [{cri}.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [{cri}.containerd.runtimes.runc.options]
      SystemdCgroup = false
"""

    def _kubelet(self) -> dict[str, object]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": False,
            "failSwapOn": False,
            "cgroupDriver": "cgroupfs",
            "cpuCFSQuota": False,  # who starts may have what is free: half of a test is imports
            "cgroupRoot": cgroups.make(self._groups),
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            "address": self.address,
            "healthzBindAddress": "127.0.0.1",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self._credentials.authority)},
            },
            "authorization": {"mode": "Webhook"},
            "clusterDomain": "cluster.local",
            "resolvConf": str(self._settings("resolv.conf")),
            "podLogsDir": str(self.folder / "pod-logs"),
            "oomScoreAdj": 0,
            "maxOpenFiles": 20_000,
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%"},
            "nodeStatusUpdateFrequency": "5s",
        }

    def _proxy(self) -> dict[str, object]:
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clientConnection": {"kubeconfig": str(self._credentials.kubeconfig("proxy"))},
            "clusterCIDR": self.pods,
            "bindAddress": self.address,
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "oomScoreAdj": 0,
            # The limits of connection tracking are the machine's, and read-only in a namespace.
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
        }

    def _network(self) -> dict[str, object]:
        return {
            "cniVersion": "0.4.0",
            "name": "bridge",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "cni0",
                    "isGateway": True,
                    "ipMasq": True,
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": str(self.folder / "cni"),
                        "ranges": [[{"subnet": self.pods}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }
