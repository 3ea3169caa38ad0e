"""What a seed draws: when everybody who could end a write stop is gone, and what else happens then."""

import random
from dataclasses import dataclass

DECK = (
    *("gone",) * 5,
    *("long-write",) * 4,
    *("killed-resident",) * 3,
    *("killed-keeper",) * 2,
    *("asd-hung",) * 3,
    *("clock-step",) * 3,
)
"""What else happens, as often as it is in 20 runs."""
MOMENTS = ("armed", "before-t0", "guarded", "proving", "freezing", "frozen", "cut")
LATE_MOMENTS = MOMENTS[2:]
"""When there is something to undo."""
LEASES_S = (3.0, 4.0, 5.0)


@dataclass(frozen=True)
class Drawn:
    """One run."""

    seed: int
    act: str
    moment: str
    lease_s: float
    offset_s: float
    """Of the node's clock."""
    step_s: float
    """By how much its clock is set (``clock-step``)."""
    hung_s: float
    """How long its server hangs (``asd-hung``)."""
    freed_s: float
    """When the long write ends, after T1 (``long-write``); before it if negative."""

    @property
    def words(self) -> str:
        """In a few words."""
        more = {
            "clock-step": f" step_s={self.step_s:+.2f}",
            "asd-hung": f" hung_s={self.hung_s:.1f}",
            "long-write": f" freed_s={self.freed_s:+.1f}",
        }
        return f"act={self.act}{more.get(self.act, '')} moment={self.moment} lease_s={self.lease_s:g}"

    @property
    def lasts(self) -> bool:
        """The lease is to end by itself: nothing that happens ends it earlier."""
        return self.act in ("gone", "long-write", "killed-keeper", "clock-step")


def draw(seed: int, count: int) -> list[Drawn]:
    """Draw so many runs: each 20 have each act as often as the deck."""
    chance = random.Random(f"lease/{seed}")
    acts: list[str] = []
    while len(acts) < count:
        acts += chance.sample(DECK, len(DECK))
    return [_drawn(seed + place, act) for place, act in enumerate(acts[:count])]


def _drawn(seed: int, act: str) -> Drawn:
    chance = random.Random(f"lease/{seed}/{act}")
    return Drawn(
        seed=seed,
        act=act,
        moment=chance.choice(LATE_MOMENTS if act in ("long-write", "asd-hung") else MOMENTS),
        lease_s=chance.choice(LEASES_S),
        offset_s=round(chance.uniform(-0.5, 0.5), 2) or 0.01,
        step_s=round(chance.choice((-1, 1)) * chance.uniform(0.5, 30.0), 2),
        hung_s=round(chance.uniform(0.5, 6.0), 1),
        freed_s=round(chance.uniform(-1.0, 1.5), 1),
    )
