"""Where runs are played: a region of this process with everything deployed, on nodes with real bytes."""

from typing import Self

from sandbox.dataplane.choose import choose
from sandbox.dataplane.plane import DataPlane
from sandbox.region import Region
from tests.estate import Estate
from tests.witness.paces import SwitchedPace


class Site(Estate):
    """An estate on a data plane chosen by probing; several clusters may live in it."""

    def __init__(self, region: Region, plane: DataPlane, pace: SwitchedPace) -> None:
        super().__init__(region)
        self.plane, self.pace = plane, pace

    @classmethod
    def open(cls, *, mode: str | None = None) -> Self:
        """One with a region of its own; `close` it."""
        plane, pace = choose(mode=mode), SwitchedPace()
        region = Region(plane, pace=pace)
        try:
            plane.start()
            region.start()
            return cls(region, plane, pace)
        except BaseException:
            region.stop()
            plane.close()
            raise

    def close(self) -> None:
        """End everything."""
        self.region.stop()
        self.plane.close()
