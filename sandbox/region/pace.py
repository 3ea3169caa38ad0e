"""How long things take in the region: small numbers by default, so that tests are quick."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Durations and sizes of the region; `reference/aws.md` §J has what real ones are."""

    snapshot_pending_s: float = 0.3
    """From the cut until a snapshot is ``completed``; Progress rises meanwhile."""
    create_snapshots_s: float = 0.05
    """How long CreateSnapshots takes to answer; the cut is its middle."""
    per_volume_rate_s: float = 15.0
    """Two snapshots of one volume closer than this are refused."""
    ssm_delivery_s: float = 0.02
    """From SendCommand until the node has the command, before jitter."""
    ssm_jitter_s: float = 0.02
    """Each node adds between nothing and this."""
    ssm_invisible_s: float = 0.0
    """For so long GetCommandInvocation says InvocationDoesNotExist."""
    wait_scale: float = 0.01
    """Wait states and retry intervals of state machines are multiplied by this; timeouts stay real."""
    gib_bytes: int = 16 * MIB
    """What the data plane holds for one GiB of an EBS volume."""
