"""Put a callable where a region asks one, and take it away again, whoever else has come or gone meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Told = TypeVar("Told", bound=Callable[..., Any])


@contextmanager
def listening(listeners: list[Told], listener: Told) -> Iterator[None]:
    """Be told within the block."""
    listeners.append(listener)
    try:
        yield
    finally:
        listeners.remove(listener)


@contextmanager
def asked(owner: object, name: str, answer: Callable[..., Any]) -> Iterator[None]:
    """Be asked within the block; `answer` gives None to leave the answer to whoever was asked before."""
    before: Callable[..., Any] = getattr(owner, name)
    there = True

    def mine(*arguments: Any) -> Any:  # noqa: ANN401  # whatever the seam asks with and wants
        said = answer(*arguments) if there else None
        return before(*arguments) if said is None else said

    setattr(owner, name, mine)
    try:
        yield
    finally:
        there = False
        if getattr(owner, name) is mine:
            setattr(owner, name, before)
