"""How long things take in AWS: seeded distributions, by profile, each with where its numbers come from."""

import math
import random
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.region.pace import Pace

Z99 = 2.326
"""A normal distribution's 99th percentile, in standard deviations."""


@dataclass(frozen=True)
class Latency:
    """What is known of one duration, in seconds."""

    name: str
    """A field of `Pace`, or ``service.Action`` for how long the call itself takes."""
    p50_s: float
    p99_s: float
    source: str
    assumed: bool = False
    """Nobody has published it: a number to measure, not one to rely on."""
    longest_s: float = math.inf
    real: bool = False
    """It counts inside a write stop, whose seconds no scale ever touches."""

    def draw(self, chance: random.Random) -> float:
        """From a log-normal distribution with these percentiles."""
        sigma = math.log(self.p99_s / self.p50_s) / Z99
        return min(self.longest_s, self.p50_s * math.exp(sigma * chance.gauss(0.0, 1.0)))


LATENCIES = (
    Latency("volume_creating_s", 1.5, 4, "aws-ebs-csi-driver, comment on its waits"),
    Latency("volume_deleting_s", 1.5, 4, "as creating", assumed=True),
    Latency("attach_s", 2.5, 60, "aws-ebs-csi-driver: 1 to 4 s, waits for up to 2,601 s", longest_s=2601),
    Latency("detach_s", 2.5, 60, "aws-ebs-csi-driver: 1 to 4 s, waits for up to 2,601 s", longest_s=2601),
    Latency("ec2.RunInstances", 5, 8, "ec2-coldboot-research 2026: about 19 % of 25.8 s", assumed=True),
    Latency("pending_s", 17, 18, "ec2-coldboot-research 2026: 16.4 to 17.8 s, no variance"),
    Latency("stopping_s", 30, 300, "none published", assumed=True),
    Latency("shutting_down_s", 45, 300, "none published for the median; stuck ones last hours", assumed=True),
    Latency("eni_attach_s", 1, 10, "none published", assumed=True),
    Latency("eni_release_s", 5, 120, "none published", assumed=True),
    Latency("image_pending_s", 120, 1200, "as a snapshot", assumed=True),
    Latency("status_checks_s", 120, 240, "status checks run every minute; two of two datapoints", assumed=True),
    Latency("status_impaired_s", 60, 120, "status checks run every minute", assumed=True),
    Latency("agent_online_s", 45, 360, "issues of ngen-datastream and stratus-red-team: 30 s to 6 min"),
    Latency("agent_lost_s", 150, 300, "the agent's heartbeat is every 5 min (EC2 user guide, message APIs)"),
    Latency("ssm_delivery_s", 3, 20, "one logged case of 5 s; p50 unconfirmed", assumed=True, real=True),
    Latency("ssm_invisible_s", 0.75, 3, "boto3 issue 2701", real=True),
    Latency("create_snapshots_s", 1.5, 6.5, "none published", assumed=True, real=True),
    Latency("snapshot_pending_s", 90, 7200, "60 s and 1 s for 0.1 GiB changed; hours for first ones", assumed=True),
    Latency("snapshot_copy_s", 90, 7200, "as a snapshot", assumed=True),
    Latency("key_failure_s", 5, 60, "asynchronous by documentation; no number", assumed=True),
    Latency("initialization_lag_s", 150, 300, "EBS user guide: within 5 min"),
    *(
        Latency(f"{what}_invisible_s", 0.5, 5, "eventually consistent by documentation; no number", assumed=True)
        for what in ("instance", "volume", "snapshot", "interface")
    ),
    Latency("user_data_s", 3.1, 23, "running to SSH: ec2-coldboot-research 2026; 23 s in a sample of 2021"),
    Latency("transition_s", 0.045, 0.3, "none trustworthy", assumed=True, real=True),
    Latency("lambda_warm_s", 0.035, 0.2, "none trustworthy", assumed=True, real=True),
    Latency("lambda_cold_s", 0.75, 1.75, "import of boto3 measured, platform's share derived", assumed=True, real=True),
    Latency("schedule_jitter_s", 20, 60, "commonly told: within 60 s of the minute", assumed=True, longest_s=60),
    Latency("event_delivery_s", 0.5, 3, "none published; best effort is documented", assumed=True),
)
SCALES = ("wait_scale", "alarm_scale", "initialization_scale", "retry_scale")
"""What a profile's scale multiplies as it is."""
FIXED: Mapping[str, float] = {
    "per_volume_rate_s": 15.0,
    "ssm_jitter_s": 0.0,
    "ssm_retry_s": 1.0,
    "terminated_visible_s": 3600.0,
    "lock_day_s": 86_400.0,
}
"""What is the same each time, in seconds."""
PROFILES: Mapping[str, str] = {
    "quick": "As little as possible: for tests.",
    "aws": "As AWS: drawn from the table.",
    "tail": "AWS at its slowest: each duration at its 99th percentile.",
}


class Stream:
    """One duration's own sequence of draws: how often another one is asked for changes nothing in it."""

    def __init__(self, latency: Latency, *, profile: str, seed: int, scale: float) -> None:
        self._latency, self._tail = latency, profile == "tail"
        self._scale = 1.0 if latency.real else scale
        self._chance = random.Random(f"{seed}/{latency.name}")  # noqa: S311  # a seed makes runs alike
        self._lock = threading.Lock()

    def draw(self) -> float:
        """The next one."""
        with self._lock:
            seconds = self._latency.p99_s if self._tail else self._latency.draw(self._chance)
        return seconds * self._scale


class DrawnPace(Pace):
    """A pace whose durations are drawn anew each time that somebody asks for one."""

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401  # a field's own type
        """A field that holds a stream tells its next value."""
        value = super().__getattribute__(name)
        return value.draw() if isinstance(value, Stream) else value

    def call_s(self, name: str) -> float:
        """How long a call itself takes."""
        found: Any = self.calls_s.get(name, 0.0)
        return found.draw() if isinstance(found, Stream) else float(found)


def pace_of(profile: str, *, seed: int = 1, scale: float = 1.0, **fields: Any) -> Pace:  # noqa: ANN401  # of Pace
    """The pace of a profile; `scale` shortens what does not count inside a write stop, waits and schedules too.

    Raises:
        ValueError: there is no such profile.

    """
    if profile not in PROFILES:
        raise ValueError(f"profile: no {profile!r}; take one of {', '.join(PROFILES)}")
    if profile == "quick":
        return Pace(**fields)
    streams = {row.name: Stream(row, profile=profile, seed=seed, scale=scale) for row in LATENCIES}
    held: dict[str, Any] = {name: stream for name, stream in streams.items() if "." not in name}
    held["calls_s"] = {name: stream for name, stream in streams.items() if "." in name}
    held |= dict.fromkeys(SCALES, scale)
    held |= {name: seconds * scale for name, seconds in FIXED.items()}
    return DrawnPace(**{**held, **fields})


def table() -> Iterator[str]:
    """The latencies as lines of a Markdown table."""
    yield "| duration | p50 s | p99 s | source |"
    yield "| --- | ---: | ---: | --- |"
    for row in LATENCIES:
        yield f"| `{row.name}` | {row.p50_s:g} | {row.p99_s:g} | {row.source}{' (assumed)' if row.assumed else ''} |"


if __name__ == "__main__":
    print("\n".join(table()))
