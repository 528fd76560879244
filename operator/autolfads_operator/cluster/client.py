"""The Kubernetes API, as little of it as is needed: objects are mappings, as in YAML.

`kubernetes.aio` does the connection, the credentials and their renewal; paths and patches are made
here, since its typed models cost memory and drop what they do not know.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from kubernetes.aio import client as aio
from kubernetes.aio import config
from kubernetes.aio.client.exceptions import ApiException

from autolfads_operator.api import GROUP, VERSION
from autolfads_operator.cluster.metrics.of_operator import METRICS
from autolfads_operator.cluster.names import FIELD_MANAGER

Object = Mapping[str, Any]

MERGE = "application/merge-patch+json"
TIMEOUT = 20.0  # seconds for an answer
PAGE = 500  # objects of a list at a time
NOT_FOUND, CONFLICT, TOO_MANY, FORBIDDEN = 404, 409, 429, 403


@dataclass(frozen=True)
class Kind:
    """Where objects of one kind are in the API."""

    prefix: str  # `api/v1`, `apis/batch/v1`
    plural: str
    namespaced: bool = True

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Return the path of an object, or of all of them."""
        parts = [self.prefix]
        if self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(parts)


RUNS = Kind(f"apis/{GROUP}/{VERSION}", "autolfadsruns")
JOBS = Kind("apis/batch/v1", "jobs")
PODS = Kind("api/v1", "pods")
EVENTS = Kind("api/v1", "events")
VOLUME_CLAIMS = Kind("api/v1", "persistentvolumeclaims")
LEASES = Kind("apis/coordination.k8s.io/v1", "leases")
RESOURCE_CLAIMS = Kind("apis/resource.k8s.io/v1", "resourceclaims")
DEVICE_CLASSES = Kind("apis/resource.k8s.io/v1", "deviceclasses", namespaced=False)
RESOURCE_SLICES = Kind("apis/resource.k8s.io/v1", "resourceslices", namespaced=False)
NODES = Kind("api/v1", "nodes", namespaced=False)
NAMESPACES = Kind("api/v1", "namespaces", namespaced=False)


class ApiError(Exception):
    """The API server refused a request, or did not answer (`status` 0)."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after

    @property
    def may_pass(self) -> bool:
        """Whether the same request can succeed later, without anybody changing anything."""
        return self.status in (0, 408, CONFLICT, TOO_MANY) or self.status >= 500

    @property
    def is_being_deleted(self) -> bool:
        """Whether an object of the name is there, and soon is not."""
        return self.status == CONFLICT and "object is being deleted" in str(self)


@contextlib.contextmanager
def but_for(*statuses: int) -> Iterator[None]:
    """Pass over refusals with one of these statuses; others are raised."""
    try:
        yield
    except ApiError as error:
        if error.status not in statuses or error.is_being_deleted:
            raise


class Client:
    """A connection to the API server, for one namespace. Use as an asynchronous context."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._api: aio.ApiClient | None = None

    async def __aenter__(self) -> Client:
        configuration = aio.Configuration()
        try:
            config.load_incluster_config(client_configuration=configuration)
        except config.ConfigException:
            await config.load_kube_config(client_configuration=configuration)
        configuration.connection_pool_maxsize = 16
        self._api = aio.ApiClient(configuration)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._api is not None:
            await self._api.close()

    async def get(self, kind: Kind, name: str) -> dict[str, Any]:
        """Return one object. Raises `ApiError`."""
        return await self._ask("GET", kind, name)

    async def list(
        self,
        kind: Kind,
        labels: str = "",
        fields: str = "",
        kept: Callable[[Object], Object] = lambda body: body,
    ) -> tuple[list[Object], int]:
        """Return all objects that match the selectors, and the version of the API's state.

        `kept` returns what is to be kept of each: a long list comes page by page.
        Raises `ApiError`.
        """
        found: list[Object] = []
        query = {"limit": str(PAGE), "labelSelector": labels, "fieldSelector": fields}
        while True:
            page = await self._ask("GET", kind, query=query)
            found += [kept(body) for body in page.get("items", [])]
            query["continue"] = page.get("metadata", {}).get("continue", "")
            if not query["continue"]:
                return found, int(page["metadata"].get("resourceVersion") or 0)

    async def create(self, kind: Kind, body: Object) -> dict[str, Any]:
        """Create an object that does not exist; a field that is unknown there is refused."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        return await self._ask("POST", kind, body=body, query=query)

    async def patch(
        self, kind: Kind, name: str, body: Object, subresource: str = ""
    ) -> dict[str, Any]:
        """Change the fields that are given (merge patch)."""
        query = {"fieldManager": FIELD_MANAGER}
        return await self._ask("PATCH", kind, name, subresource, body, MERGE, query)

    async def delete(
        self,
        kind: Kind,
        name: str,
        *,
        uid: str | None = None,
        grace: int | None = None,
        propagation: str = "Background",
    ) -> None:
        """Delete an object, and only the one of this uid. One that is gone is no error."""
        options: dict[str, Any] = {"propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        with but_for(NOT_FOUND, CONFLICT):  # conflict: another of the same name
            await self._ask("DELETE", kind, name, body=options)

    async def _ask(
        self,
        method: str,
        kind: Kind,
        name: str = "",
        subresource: str = "",
        body: Object | None = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        assert self._api is not None  # noqa: S101
        request = await self._api.param_serialize(
            method,
            kind.path(self.namespace, name, subresource),
            query_params=[(key, value) for key, value in (query or {}).items() if value],
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        code = 0
        try:
            answer = await self._api.call_api(*request, _request_timeout=TIMEOUT)
            content = await answer.read()
            code = answer.status
        except ApiException as error:
            raise ApiError(0, f"the API server does not answer: {error.reason}") from error
        except (OSError, TimeoutError) as error:  # aiohttp's are OSErrors, but for the next
            raise ApiError(0, f"the API server does not answer: {_named(error)}") from error
        except aiohttp.ClientError as error:
            raise ApiError(0, f"the API server does not answer: {_named(error)}") from error
        finally:
            METRICS.request(method, kind.plural, code)
        if not 200 <= answer.status <= 299:
            wait = answer.headers.get("Retry-After", "")
            after = float(wait) if wait.isdigit() else None
            raise ApiError(answer.status, _message(content, answer.reason), after)
        decoded: dict[str, Any] = json.loads(content) if content else {}
        return decoded


def _named(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _message(content: bytes, otherwise: str) -> str:
    """Return what the API server says of a refusal, in its own words."""
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return otherwise
