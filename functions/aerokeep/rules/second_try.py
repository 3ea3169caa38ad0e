"""Is a write stop or a cut that came to nothing worth a second try: one, decided, with a budget of its own."""

from collections.abc import Sequence

from aerokeep.model.wire import Wire

MOST_TRIES = 2
BETWEEN_TRIES_S = 15
"""EBS refuses two snapshots of one volume that are closer than this (aws.md §A3); clients write meanwhile."""

_HOST_NOT_NOW = 5
"""The host program's exit code for what may go better later."""
_HOSTS_RECOVER_FROM = frozenset({"too_late", "guard_held"})
"""The command came late; another write stop, which ends by its own lease within a minute, lives there."""
_BARRED = "barred"
"""An operator has resumed writes by hand: that is no trouble to be got over."""
_NEVER = (
    "AccessDenied",
    "AuthFailure",
    "Blocked",
    "Encrypted",
    "Invalid",
    "Malformed",
    "Missing",
    "OperationNotPermitted",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "SnapshotLimitExceeded",
    "Unauthorized",
    "Unknown",
    "Unrecognized",
    "Unsupported",
)
"""How codes of EC2 begin that say no to the request itself, however often it is made."""


class Trouble(Wire):
    """What went wrong with one node, or with all of them."""

    where: str
    what: str
    passing: bool
    """It may go better in a minute."""


class TryVerdict(Wire):
    """What becomes of a run whose try came to nothing."""

    again: bool
    reason: str
    """What went wrong everywhere, and why that is not tried again where it is not."""


def host_may_recover(code: str | None, exit_code: int) -> bool:
    """Whether a host that refused to arm may do so in a minute; one that did not answer may."""
    if code == _BARRED:
        return False
    return code is None or exit_code == _HOST_NOT_NOW or code in _HOSTS_RECOVER_FROM


def cut_may_succeed_later(code: str) -> bool:
    """Whether CreateSnapshots that was refused with a code of AWS's is worth another call."""
    return not code.startswith(_NEVER)


def judge_another_try(number: int, troubles: Sequence[Trouble]) -> TryVerdict:
    """Once more after the first try, if everything that went wrong may pass.

    Each try stops the writes of a cluster, so what cannot succeed is not tried, and nothing is tried a third time.
    """
    reason = "; ".join(f"{trouble.where}: {trouble.what}" for trouble in sorted(troubles, key=lambda t: t.where))
    if number >= MOST_TRIES:
        return TryVerdict(again=False, reason=f"{reason} (try {number} of {MOST_TRIES})")
    return TryVerdict(again=all(trouble.passing for trouble in troubles), reason=reason)
