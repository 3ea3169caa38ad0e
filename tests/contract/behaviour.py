"""A behaviour of AWS that Aerokeep relies on: what the documentation says, where, and how it is seen."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.region import Pace
from tests.contract.account import Account

Check = Callable[[Account], None]


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """One row of the contract."""

    says: str
    """A sentence of one's own, present tense: it is the row's name."""
    source: str
    """Where it is documented: a section of the API or user guide, or `assumed: …` where no source is known."""
    calls: tuple[str, ...] = ()
    """``service.Action`` that it is about, with the signing name of the service (``ec2.CreateSnapshots``)."""
    hooks: tuple[str, ...] = ()
    """Targets of the hooks without which moto does not behave so; each is lifted, and the row must then fail."""
    hooks_unseen: tuple[tuple[str, str], ...] = ()
    """Hooks whose lifting can't be observed, each with the reason."""
    sandbox_only: str = ""
    """Why a real account can't be asked; empty if it can."""
    pace: Pace = field(default_factory=Pace)
    check: Check
    """Raises AssertionError, or the call's own error, where it is not so."""


BEHAVIOURS: list[Behaviour] = []


def behaviour(  # one parameter per column of the table
    says: str,
    *,
    source: str,
    calls: tuple[str, ...] = (),
    hooks: tuple[str, ...] = (),
    hooks_unseen: tuple[tuple[str, str], ...] = (),
    sandbox_only: str = "",
    pace: Pace | None = None,
) -> Callable[[Check], Check]:
    """Make a check a row of the contract."""

    def add(check: Check) -> Check:
        row = Behaviour(
            says=says,
            source=source,
            calls=calls,
            hooks=hooks,
            hooks_unseen=hooks_unseen,
            sandbox_only=sandbox_only,
            pace=pace or Pace(),
            check=check,
        )
        BEHAVIOURS.append(row)
        return check

    return add
