"""One replacement of something inside moto: what, why, and what moto must look like for it to fit."""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.region.region import Region

ABSENT = object()
Replacement = Any


@dataclass(frozen=True)
class Hook:
    """A replacement of one attribute of moto."""

    target: str
    """``package.module:Class.attribute`` or ``package.module:attribute``."""
    reason: str
    """One sentence: how moto differs from AWS here."""
    build: Callable[["Region", Any], Replacement]
    """(region, what moto has) → what stands there while the region runs."""
    parameters: tuple[str, ...] | None = None
    """The names of the parameters of what is replaced; None if it is no function."""
    added: bool = False
    """moto has nothing of this name (yet)."""

    def owner(self) -> tuple[Any, str]:
        """The object that holds the attribute, and the attribute's name."""
        module, _, path = self.target.partition(":")
        *parents, name = path.split(".")
        owner: Any = importlib.import_module(module)
        for parent in parents:
            owner = getattr(owner, parent)
        return owner, name

    def current(self) -> Any:  # noqa: ANN401  # moto has no types
        """What stands there now, undressed of descriptors; `ABSENT` if nothing does."""
        owner, name = self.owner()
        return vars(owner).get(name, ABSENT)

    def misfit(self) -> str | None:
        """Why the hook does not fit the moto that is installed; None if it does."""
        found = self.current()
        if self.added:
            return None if found is ABSENT else f"{self.target}: moto has this now"
        if found is ABSENT:
            return f"{self.target}: moto has this no more"
        if self.parameters is None:
            return None
        function = getattr(found, "__func__", found)
        names = tuple(inspect.signature(function).parameters)
        return None if names == self.parameters else f"{self.target}: takes {names}, not {self.parameters}"
