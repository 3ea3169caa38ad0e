"""The background process of a region started by hand."""

import argparse
import os
import secrets
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from sandbox.dataplane.choose import choose
from sandbox.dataplane.plane import DataPlane
from sandbox.dataplane.run_id import start_ticks
from sandbox.hand.standing import Standing
from sandbox.light import LightPlane
from sandbox.region import Region
from sandbox.region.credentials import OPERATOR, SECRET, access_key

CDK_OUT = Path("cdk.out")


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.hand.serving", description=__doc__)
    parser.add_argument("--mode", default="auto")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--deploy", action="store_true")
    options = parser.parse_args(argv)
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    plane = plane_of(options.mode)
    region = Region(plane, port=options.port)
    try:
        if not isinstance(plane, LightPlane):
            plane.start()
        region.start()
        if options.deploy:
            region.deploy(CDK_OUT)
        standing_of(region, plane, control_port=0).write()
        ended.wait()
    finally:
        region.stop()
        plane.close()
    return 0


def plane_of(mode: str) -> DataPlane | LightPlane:
    """The data plane of a mode; ``auto`` is the best that this machine can carry."""
    return LightPlane() if mode == "light" else choose(mode=None if mode == "auto" else mode)


def standing_of(region: Region, plane: DataPlane | LightPlane, *, control_port: int) -> Standing:
    """What others need to know of a region that has been started in this process."""
    return Standing(
        pid=os.getpid(),
        started_ticks=start_ticks(os.getpid()) or 0,
        mode=plane.mode,
        endpoint=region.endpoint,
        region=region.region,
        account=region.account,
        access_key=access_key(OPERATOR),
        secret=SECRET,
        control_port=control_port,
        token=secrets.token_hex(16),
        workdir=str(plane.workdir),
    )


if __name__ == "__main__":
    sys.exit(main())
