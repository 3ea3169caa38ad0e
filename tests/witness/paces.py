"""How fast the region is while a run is played: another profile for each, in one region."""

from typing import Any

from sandbox.region import Pace
from sandbox.region.latency import pace_of

SCALE = 0.02
"""Of a profile, but for what counts inside a write stop."""
SNAPSHOT_PENDING_S = 1.5
"""How long copies take says nothing about what is in them."""
NEVER_S = 86_400.0
QUICK = Pace(
    snapshot_pending_s=0.3,
    create_snapshots_s=0.3,
    ssm_delivery_s=0.2,
    ssm_jitter_s=0.3,
    ssm_invisible_s=0.1,
    wait_scale=0.05,
    per_volume_rate_s=0.0,
    alarm_tick_s=NEVER_S,
)
PROFILES = ("quick", "aws", "tail")


def pace_named(profile: str, *, seed: int) -> Pace:
    """The pace of a profile, shortened where that changes nothing inside a write stop."""
    if profile == "quick":
        return QUICK
    kept = {"snapshot_pending_s": SNAPSHOT_PENDING_S, "per_volume_rate_s": 0.0, "alarm_tick_s": NEVER_S}
    return pace_of(profile, seed=seed, scale=SCALE, **kept)


class SwitchedPace(Pace):
    """A pace that is another one from one moment to the next."""

    def use(self, pace: Pace) -> None:
        """Be this one from now on."""
        object.__setattr__(self, "_now", pace)

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401  # a field's own type
        """What the present one says."""
        if name == "use" or name.startswith("_"):
            return super().__getattribute__(name)
        return getattr(self.__dict__.get("_now", QUICK), name)
