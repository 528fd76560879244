"""What the manifest's fields are made of: the base model, and the values that YAML can hold."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from autolfads_trainer.records import MOST_MEMBERS
from autolfads_trainer.userinput import shown

RULE = "autolfads_rule"
"""The `type` of errors whose message is already the whole sentence after the field's name."""

MAX_SEED = 2**53 - 1  # bounds are floats to Kubernetes: it takes 2**63 - 1 for a negative number
LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
MOST_WORKERS = 1000
LEAST_MEMORY = 2**20  # `memory: 8` would be eight bytes: nobody means that


class Model(BaseModel):
    """Base of every part of the manifest: camelCase in YAML and JSON, snake_case in Python.

    A text is no number and `true` is no number either, as on the API server. A null is the same
    as nothing: the API server drops it, so here it counts as absent, too.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        allow_inf_nan=False,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        strict=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _null_means_absent(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if value is not None}
        return data

    def as_json(self) -> dict[str, Any]:
        """Return what `kubectl apply` would take: camelCase keys, defaults filled in, no nulls."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def rule_broken(sentence: str) -> PydanticCustomError:
    """Return an error that says `sentence` about its field: `found …; expected …`."""
    # Given as context, since braces in a user's text are no part of the template.
    return PydanticCustomError(RULE, "{sentence}", {"sentence": sentence})


def _whole(value: object) -> object:
    """Take `1e3` and `10.0` for the whole numbers that they are; kubectl does the same."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, Field(ge=0), BeforeValidator(_whole)]
Positive = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
WorkerCount = Annotated[int, Field(ge=1, le=MOST_WORKERS), BeforeValidator(_whole)]
Population = Annotated[int, Field(ge=1, le=MOST_MEMBERS), BeforeValidator(_whole)]
ProblemSeed = Annotated[int, Field(ge=0, le=2**32 - 1), BeforeValidator(_whole)]  # as NumPy's
Seed = Annotated[int, Field(ge=0, le=MAX_SEED), BeforeValidator(_whole)]
Text = Annotated[str, Field(min_length=1)]


def _text_like(pattern: str, longest: int, expected: str) -> tuple[AfterValidator, WithJsonSchema]:
    """Texts that match the whole of `pattern`; `expected` says in words what that means."""
    whole = f"^{pattern}$"

    def check(value: str) -> str:
        if len(value) > longest or not re.fullmatch(pattern, value):
            raise rule_broken(f"found {shown(value)}; expected {expected}")
        return value

    json_schema = {"type": "string", "pattern": whole, "maxLength": longest}
    return AfterValidator(check), WithJsonSchema(json_schema)


def _whole_or_text(least: int, pattern: str, expected: str) -> tuple[PlainValidator, Any]:
    """What Kubernetes calls int-or-string: a whole number of at least `least`, or a text."""

    def check(value: object) -> int | str:
        value = _whole(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        if isinstance(value, str) and re.fullmatch(pattern, value):
            return value
        raise rule_broken(f"found {shown(value)}; expected {expected}")

    # A rule and not a pattern: it can say what to write instead.
    escaped = pattern.replace("\\", "\\\\")
    json_schema = {
        "x-kubernetes-int-or-string": True,
        "maxLength": 32,
        "x-kubernetes-validations": [
            {
                "rule": f"type(self) == int ? self >= {least} : self.matches('^{escaped}$')",
                "message": f"expected {expected}",
            }
        ],
    }
    return PlainValidator(check), WithJsonSchema(json_schema)


# Kubernetes' quantities, within bounds: one of a million digits takes minutes to be understood.
_CORES = r"[0-9]{1,9}(\.[0-9]{1,9})?([numk]|[eE][+-]?[0-9])?"
_BYTES = r"([0-9]{7,18}|[0-9]{1,9}(\.[0-9]{1,9})?([kMGTPE]|[KMGTPE]i|[eE]\+?[0-9]{1,2}))"

# 63 and not the 253 that Kubernetes allows: the name becomes a label, a part of pods' host names
# and of the run's folder, which all end earlier.
Name = Annotated[
    str,
    *_text_like(
        SUBDOMAIN,
        63,
        "a DNS-1123 name of at most 63 characters: lower-case letters, digits, '-' and '.', "
        "with a letter or digit at both ends",
    ),
]
Namespace = Annotated[
    str,
    *_text_like(LABEL, 63, "a namespace's name: at most 63 lower-case letters, digits and '-'"),
]
ResourceName = Annotated[
    str,
    *_text_like(
        rf"({SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?",
        317,
        "a Kubernetes resource's name such as 'nvidia.com/gpu'",
    ),
]
Profile = Annotated[
    str, *_text_like(r"([0-9]+[cg]\.[0-9a-z.]+)?", 63, "a MIG profile such as '1g.18gb'")
]
DeviceClass = Annotated[
    str, *_text_like(SUBDOMAIN, 253, "a DeviceClass's name such as 'gpu.nvidia.com'")
]
Cores = Annotated[
    int | str, *_whole_or_text(1, _CORES, "a number of cores such as 2, or '500m' for half a core")
]
Memory = Annotated[
    int | str,
    *_whole_or_text(
        LEAST_MEMORY,
        _BYTES,
        f"an amount of memory such as '8Gi' (a bare number counts bytes, at least {LEAST_MEMORY})",
    ),
]
AutoOrPositive = Annotated[
    int | str, *_whole_or_text(1, "auto", "'auto' or a whole number of at least 1")
]
