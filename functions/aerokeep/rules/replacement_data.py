"""What does a replaced node begin with: its own volumes, or blank ones that its peers fill."""

from collections.abc import Sequence

from aerokeep.model.cluster import DataPolicy
from aerokeep.model.errors import NotReadyError, RejectedError
from aerokeep.model.inventory import InventoryDevice, NodeInventory
from aerokeep.model.replacement import DataChoice, PeerView, Word

FILES = frozenset({"file", "backing"})


def choose_data(policy: DataPolicy, *, node: NodeInventory, peers: Sequence[PeerView]) -> DataChoice:
    """Choose, and say why.

    Its own volumes hold every write up to the failure, so nothing is lost if a peer fails before migrations are over;
    but what was deleted without a tombstone comes back with them (measured: 686 of 1,000 deletes with the old volume,
    none with an empty one). So ``auto`` takes blank ones only where the peers prove that they hold every copy.

    Args:
        policy: what the operator wants.
        node: the node.
        peers: what the others see.

    Raises:
        RejectedError: ``empty`` was asked for and would leave data in no server, or can't be done.
        NotReadyError: it was asked for, and the peers are about to hold every copy.

    """
    own = _without_volume(node)
    unfinished = _unfinished(peers)
    against = _against_empty(node, peers) or unfinished
    if policy is DataPolicy.EMPTY:
        if against == unfinished and unfinished:
            raise NotReadyError(f"peers_migrating: {unfinished}: wait, or choose reattach")
        if against:
            raise RejectedError(f"empty_refused: {against}: choose reattach")
        return DataChoice(data="empty", reason="asked for: empty", emptied=node.namespaces)
    if policy is DataPolicy.AUTO and not against and not node.strongly_consistent:
        why = "the peers hold every copy, and deletes come back with old volumes"
        return DataChoice(data="empty", reason=f"auto: {why}", emptied=node.namespaces)
    if policy is DataPolicy.AUTO:
        why = against or f"{', '.join(node.strongly_consistent)} are strongly consistent"
        reason = f"auto: {why}"
    else:
        reason = "policy: its own volumes hold every acknowledged write; deletes since its last start may come back"
    if own:
        reason += f"; {', '.join(own)} were on no volume of their own and come back from the peers"
    return DataChoice(data="reattach", reason=reason, emptied=own)


def _without_volume(node: NodeInventory) -> tuple[str, ...]:
    """Namespaces that can't be taken over: on the boot volume, or on instance store without a shadow."""
    kept = {volume.volume_id for volume in node.data_volumes}
    return tuple(
        name for name in node.namespaces if any(device.volume_id not in kept for device in node.saved_devices(name))
    )


def _against_empty(node: NodeInventory, peers: Sequence[PeerView]) -> str:
    """Why blank volumes would not do; nothing where the peers hold every copy."""
    single = sorted(name for name in node.namespaces if node.replication_factors.get(name, 1) < 2)  # noqa: PLR2004 - one copy
    if single:
        return f"{', '.join(single)} have one copy, and it is on the node's volumes"
    unheard = [peer.node_id for peer in peers if peer.word is not Word.SERVER_ANSWERS]
    if unheard:
        return f"{', '.join(unheard)} could not be asked what they hold"
    missing = sum(peer.missing_partitions for peer in peers)
    if missing:
        return f"{missing} partitions are unavailable or dead on the peers"
    files = sorted({device.namespace for device in _persistent(node) if device.role in FILES and device.volume_id})
    if files:
        return f"{', '.join(files)} are in files, and a blank volume has no filesystem"
    return ""


def _unfinished(peers: Sequence[PeerView]) -> str:
    """What keeps the peers from holding every copy for now."""
    migrating = sum(peer.migrations_remaining for peer in peers)
    return f"the peers still make {migrating} partitions whole" if migrating else ""


def _persistent(node: NodeInventory) -> list[InventoryDevice]:
    return [device for name in node.namespaces for device in node.saved_devices(name)]
