"""The background process of a region started by hand."""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

from sandbox import cluster
from sandbox.dataplane.choose import choose
from sandbox.dataplane.plane import DataPlane
from sandbox.dataplane.run_id import start_ticks
from sandbox.faults import Armed, PlanError, RefusedFaultError, armed
from sandbox.faults.plan_file import plan_of
from sandbox.hand import looking
from sandbox.hand.control import Control
from sandbox.hand.standing import Standing
from sandbox.light import LightPlane
from sandbox.light.launch import LightClusters
from sandbox.region import Region
from sandbox.region.credentials import OPERATOR, SECRET, access_key

CDK_OUT = Path("cdk.out")
CLUSTER = "demo"
PARAMETER = f"/aerokeep/clusters/{CLUSTER}"
TAG = ("aerokeep-demo", CLUSTER)
"""Of the demo's cluster in clusters.yaml; where everything is deployed, the parameter tells."""


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM."""
    options = _options(argv)
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    plane = plane_of(options.mode)
    region = Region(plane, port=options.port)
    with ExitStack() as stack:
        stack.callback(plane.close)
        stack.callback(region.stop)
        if not isinstance(plane, LightPlane):
            plane.start()
        region.start()
        if options.deploy:
            region.deploy(CDK_OUT)
        if options.cluster:
            _launch(region, plane, stack)
        hand = Hand(region, stack)
        control = stack.enter_context(Control({"status": hand.status, "inject": hand.inject}))
        _standing(region, plane, control).write()
        ended.wait()
    return 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.hand.serving", description=__doc__)
    parser.add_argument("--mode", default="auto")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--deploy", action="store_true")
    parser.add_argument("--cluster", action="store_true")
    return parser.parse_args(argv)


def plane_of(mode: str) -> DataPlane | LightPlane:
    """The data plane of a mode; ``auto`` is the best that this machine can carry."""
    return LightPlane() if mode == "light" else choose(mode=None if mode == "auto" else mode)


class Hand:
    """What can be asked of the region."""

    def __init__(self, region: Region, stack: ExitStack) -> None:
        self._region, self._stack = region, stack
        self._lock = threading.Lock()
        self._plans: list[Armed] = []

    def status(self, _asked: Mapping[str, Any]) -> list[str]:
        """What there is."""
        return looking.lines(self._region, tuple(self._plans))

    def inject(self, asked: Mapping[str, Any]) -> list[str]:
        """Arm a plan until the region ends → what it will do.

        Raises:
            ValueError: it is no plan, or the data plane can't do it.

        """
        try:
            plan = plan_of(str(asked["plan"]), name=str(asked["name"]))
            with self._lock:
                arms = self._stack.enter_context(armed(self._region, plan, must_strike=False))
                self._plans.append(arms)
        except (PlanError, RefusedFaultError) as error:
            raise ValueError(str(error)) from error
        return [f"armed: {plan.title}", *(f"  fault {tally.number}: {tally.fault}" for tally in arms.tallies)]


def _launch(region: Region, plane: DataPlane | LightPlane, stack: ExitStack) -> None:
    """The demo's cluster of three."""
    found = region.client("ssm").describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [PARAMETER]}])
    tag = TAG
    if found["Parameters"]:
        config = json.loads(region.client("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"])
        tag = (config["tag"]["key"], config["tag"]["value"])
    if isinstance(plane, LightPlane):
        LightClusters(region, plane).launch(CLUSTER, tag=tag, timeline="first")
    else:
        stack.callback(cluster.launch(region, plane, tag=tag).stop)


def _standing(region: Region, plane: DataPlane | LightPlane, control: Control) -> Standing:
    return Standing(
        pid=os.getpid(),
        started_ticks=start_ticks(os.getpid()) or 0,
        mode=plane.mode,
        endpoint=region.endpoint,
        region=region.region,
        account=region.account,
        access_key=access_key(OPERATOR),
        secret=SECRET,
        control_port=control.port,
        token=control.token,
        workdir=str(plane.workdir),
    )


if __name__ == "__main__":
    sys.exit(main())
