"""The light data plane: simulated hosts and volumes without processes, devices or a server, for scale and crashes."""

from sandbox.light.plane import LightPlane

__all__ = ["LightPlane"]
