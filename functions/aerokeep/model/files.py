"""Files in the vault that were taken from a node."""

from aerokeep.model.wire import Wire


class VaultFile(Wire):
    """A file of a node in the vault."""

    key: str
    size_bytes: int
    sha256: str
    """Hex digest of the whole file."""


class NodeFiles(Wire):
    """SMD and configuration of one node."""

    node_id: str
    files: tuple[VaultFile, ...]
