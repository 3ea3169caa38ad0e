"""Nodes, volumes and snapshots of the sandbox: real kernel objects where they can be had, folders elsewhere."""

from sandbox.dataplane.choose import choose
from sandbox.dataplane.plane import DataPlane, DataPlaneError, NodeClock
from sandbox.dataplane.probe import Probe, probe

__all__ = ["DataPlane", "DataPlaneError", "NodeClock", "Probe", "choose", "probe"]
