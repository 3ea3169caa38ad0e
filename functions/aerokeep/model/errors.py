"""The five errors whose class names are the interface to ``Retry`` and ``Catch`` in the state machines."""


class AerokeepError(Exception):
    """A failure with a stable code: the message reads ``code: detail``."""

    @property
    def code(self) -> str:
        """The stable part of the message, before the first colon."""
        return str(self).partition(":")[0]


class TransientError(AerokeepError):
    """The call may succeed if it is made again."""


class NotReadyError(AerokeepError):
    """Something was not done by its deadline; a new try is a decision, not a reflex."""


class ConflictError(AerokeepError):
    """Another execution holds the cluster, or another write stop holds the node."""


class RejectedError(AerokeepError):
    """It can never succeed as asked: the message says why, and what to change."""


class CorruptError(AerokeepError):
    """What AWS, a host or the vault holds is not what plan or manifest says: page a human."""
