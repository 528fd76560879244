"""Looking at objects without starting kubectl, which costs a tenth of a second of a core each time.

Tests wait by looking, several times a second, and what they wait for needs the same cores.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

# Where the API has what tests look at most.
GROUPS = {
    "pods": "api/v1",
    "pod": "api/v1",
    "events": "api/v1",
    "jobs": "apis/batch/v1",
    "autolfadsruns": "apis/autolfads.io/v1alpha1",
}
PLURAL = {"pod": "pods"}
PARAMETERS = {"--selector": "labelSelector", "--field-selector": "fieldSelector"}


class Looks:
    """A client of the API server at `address`, who proves to be somebody by a certificate."""

    def __init__(self, address: str, authority: Path, certificate: Path, key: Path) -> None:
        self._server = f"https://{address}"
        self._pool = urllib3.PoolManager(
            ca_certs=str(authority),
            cert_file=str(certificate),
            key_file=str(key),
            retries=False,
            timeout=10,
        )

    def get(self, *words: str) -> Any | None:
        """Return what `kubectl get --output=json` of these words finds.

        None where it is not found so simply: kubectl may find it, or say what is wrong.
        """
        path = path_of(words)
        if path is None:
            return None
        try:
            answer = self._pool.request("GET", f"{self._server}/{path}")
        except urllib3.exceptions.HTTPError:
            return None
        return json.loads(answer.data) if answer.status == 200 else None


def path_of(words: tuple[str, ...]) -> str | None:
    """Return the path in the API of what kubectl's words ask for; None: they ask for more."""
    namespace, plain, query = None, [], {}
    for word in words:
        option, _, value = word.partition("=")
        if option == "--namespace":
            namespace = value
        elif option in PARAMETERS:
            query[PARAMETERS[option]] = value
        elif word.startswith("-"):
            return None
        else:
            plain.append(word)
    if namespace is None or not 1 <= len(plain) <= 2 or plain[0] not in GROUPS:
        return None
    kind, *name = plain
    path = "/".join([GROUPS[kind], "namespaces", namespace, PLURAL.get(kind, kind), *name])
    return f"{path}?{urlencode(query)}" if query else path
