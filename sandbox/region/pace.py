"""How long things take in the region: small numbers by default, so that tests are quick."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.region.quotas import Quotas

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Durations and sizes of the region; `latency.py` has what real ones are."""

    snapshot_pending_s: float = 0.3
    """From the cut until a snapshot is ``completed``; Progress rises meanwhile."""
    snapshot_copy_s: float = 0.3
    """From CopySnapshot until a copy is ``completed``."""
    key_failure_s: float = 0.05
    """From a request until EBS has found out that a key cannot be used."""
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
    ssm_retry_s: float = 1.0
    """From an attempt that reached no agent until the next; the command is ``Delayed`` from then on."""
    ssm_timeout_scale: float = 1.0
    """TimeoutSeconds of commands, of which AWS takes no less than 30, are multiplied by this."""
    ssm_most_pending: int | None = None
    """So many invocations may be pending; a command that would make it more ends as ``RateExceeded``."""
    wait_scale: float = 0.01
    """Wait states and retry intervals of state machines are multiplied by this; timeouts stay real."""
    volume_creating_s: float = 0.02
    """From CreateVolume until a volume is ``available``."""
    volume_deleting_s: float = 0.0
    """From DeleteVolume until a volume is gone; at once by default, since tests of restores clean up and go on."""
    attach_s: float = 0.02
    """From AttachVolume until ``attached``."""
    detach_s: float = 0.02
    """From DetachVolume until ``available``."""
    pending_s: float = 0.05
    """From RunInstances or StartInstances until ``running``; the node is powered on at its end."""
    stopping_s: float = 0.0
    """From StopInstances until ``stopped``; at once by default, since tests of backups stop a node and go on."""
    shutting_down_s: float = 0.05
    """From TerminateInstances until ``terminated``."""
    terminated_visible_s: float = 600.0
    """For so long a terminated instance can still be described (an hour in AWS)."""
    instance_invisible_s: float = 0.0
    """For so long after RunInstances other calls say InvalidInstanceID.NotFound."""
    volume_invisible_s: float = 0.0
    """For so long after CreateVolume other calls say InvalidVolume.NotFound."""
    snapshot_invisible_s: float = 0.0
    """For so long after a snapshot's creation other calls say InvalidSnapshot.NotFound."""
    interface_invisible_s: float = 0.0
    """For so long after CreateNetworkInterface other calls say InvalidNetworkInterfaceID.NotFound."""
    initialization_scale: float = 0.001
    """How long volumes take to be initialized from snapshots is multiplied by this."""
    initialization_lag_s: float = 0.0
    """From the end of an initialization until its event."""
    lock_day_s: float = 86_400.0
    """A day of a snapshot lock, and 24 hours of its cooling-off period."""
    status_checks_s: float = 0.1
    """From ``running`` until status checks leave ``initializing``."""
    status_impaired_s: float = 0.1
    """From a failure until status checks show it."""
    agent_online_s: float = 0.1
    """From power-on until the SSM agent is ``Online``."""
    agent_lost_s: float = 0.0
    """For so long SSM goes on calling the agent of a lost node ``Online``."""
    user_data_s: float = 0.0
    """From power-on until user data begin to run."""
    eni_attach_s: float = 0.02
    """From AttachNetworkInterface until ``in-use``."""
    eni_release_s: float = 0.05
    """From ``terminated`` or DetachNetworkInterface until an ENI is ``available``, or gone."""
    image_pending_s: float = 0.1
    """From CreateImage until ``available``, at least: the image's snapshots must be completed, too."""
    alarm_scale: float = 0.01
    """Periods of alarms are multiplied by this."""
    alarm_tick_s: float = 0.05
    """How often alarms are evaluated, and status checks become metrics."""
    schedule_scale: float | None = None
    """The time between two firings of a schedule is multiplied by this; by default none fires."""
    schedule_jitter_s: float = 0.0
    """From the time of a schedule of EventBridge Scheduler until it fires."""
    event_delivery_s: float = 0.0
    """From what happens until its event reaches a rule."""
    lambda_cold_s: float = 0.0
    """What a new instance of a function takes besides, before its handler runs."""
    lambda_warm_s: float = 0.0
    """What any invocation takes besides."""
    transition_s: float = 0.0
    """What Step Functions takes from state to state."""
    calls_s: Mapping[str, float] = field(default_factory=dict)
    """``service.Action`` → how long the call itself takes, half of it before its effect."""
    retry_scale: float = 0.01
    """Pauses before EventBridge tries a target again, and the age of its events, are multiplied by this."""
    history_events: int = 25_000
    """An execution whose history has no room for more ends as ``FAILED``."""
    quotas: Quotas = field(default_factory=Quotas)
    gib_bytes: int = 16 * MIB
    """What the data plane holds for one GiB of an EBS volume."""

    def call_s(self, name: str) -> float:
        """How long a call itself takes."""
        return self.calls_s.get(name, 0.0)
