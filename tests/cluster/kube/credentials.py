"""Who is who in the cluster: one authority, certificates, and a kubeconfig for each client."""

from __future__ import annotations

import subprocess
from pathlib import Path

import trustme
import yaml

CLIENTS = {  # name: (user, group)
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
}


class Credentials:
    """A cluster's keys, in a folder of their own; the API server is at `server` (`host:port`)."""

    def __init__(self, folder: Path, server: str, names: tuple[str, ...]) -> None:
        """Make them. `names` are the API server's: host names and addresses."""
        folder.mkdir(parents=True)
        self.folder, self.server = folder, server
        self._authority = trustme.CA(organization_name="autolfads tests")
        self.authority = folder / "ca.crt"
        self._authority.cert_pem.write_to_path(str(self.authority))
        self._leaf("apiserver", "kube-apiserver", "autolfads tests", names)
        self.service_accounts = folder / "service-accounts.key"
        command = ["openssl", "genrsa", "-out", str(self.service_accounts), "2048"]
        subprocess.run(command, check=True, capture_output=True)
        for name, (user, group) in CLIENTS.items():
            self.client(name, user, group)

    def certificate(self, name: str) -> Path:
        """Return the path of a certificate."""
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Return the path of a certificate's key."""
        return self.folder / f"{name}.key"

    def kubeconfig(self, name: str) -> Path:
        """Return the path of a client's kubeconfig."""
        return self.folder / f"{name}.kubeconfig"

    def client(self, name: str, user: str, group: str = "") -> Path:
        """Make a client's certificate and kubeconfig; return the path of the latter."""
        self._leaf(name, user, group or "none")
        user_keys = {
            "client-certificate": str(self.certificate(name)),
            "client-key": str(self.key(name)),
        }
        write_kubeconfig(self.kubeconfig(name), self.server, self.authority, user_keys)
        return self.kubeconfig(name)

    def node(self, name: str) -> Path:
        """Make a kubelet's certificate and kubeconfig; return the path of the latter."""
        return self.client(name, f"system:node:{name}", "system:nodes")

    def _leaf(self, name: str, user: str, group: str, names: tuple[str, ...] = ()) -> None:
        # A certificate without any name is refused for its empty, critical list of names.
        names = names or ("client.invalid",)
        leaf = self._authority.issue_cert(*names, common_name=user, organization_name=group)
        leaf.cert_chain_pems[0].write_to_path(str(self.certificate(name)))
        leaf.private_key_pem.write_to_path(str(self.key(name)))
        self.key(name).chmod(0o600)


def write_kubeconfig(path: Path, server: str, authority: Path, user: dict[str, str]) -> None:
    """Write a kubeconfig that holds one cluster and one user."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "test",
                "cluster": {
                    "server": f"https://{server}",
                    "certificate-authority": str(authority),
                },
            }
        ],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user"}}],
        "current-context": "test",
    }
    path.write_text(yaml.safe_dump(content))
    path.chmod(0o600)
