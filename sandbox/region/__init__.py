"""An AWS region on one machine: the control plane of the sandbox."""

from sandbox.region.faults import ApiCall, ApiError, Faults, LostResponseError
from sandbox.region.follow import StateEvent
from sandbox.region.nodes import Node, NodeSpec, VolumeSpec
from sandbox.region.pace import Pace
from sandbox.region.region import Region

__all__ = [
    "ApiCall",
    "ApiError",
    "Faults",
    "LostResponseError",
    "Node",
    "NodeSpec",
    "Pace",
    "Region",
    "StateEvent",
    "VolumeSpec",
]
