"""Calling a module's method as if it had other parameters, those of members among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call


class _Call(nn.Module):
    def __init__(self, of: nn.Module, method: str) -> None:
        super().__init__()
        self.of, self.method = of, method

    def forward(self, *arguments: Any) -> Any:
        return getattr(self.of, self.method)(*arguments)


def with_parameters(
    of: nn.Module, parameters: Mapping[str, Tensor], method: str, *arguments: Any
) -> Any:
    """Return `of.method(*arguments)` with the given `parameters`, by their names in `of`."""
    if not parameters:
        return getattr(of, method)(*arguments)
    named = {f"of.{name}": value for name, value in parameters.items()}
    return functional_call(_Call(of, method), named, arguments)


def below(prefix: str, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the parameters whose names begin with `prefix`, without it."""
    found = parameters.items()
    return {name.removeprefix(prefix): value for name, value in found if name.startswith(prefix)}
