"""S3: bucket policies are kept and readable; who may do what is not judged by half of them."""

from typing import TYPE_CHECKING, Any

from moto.iam.access_control import PermissionResult

from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any


def _permission(_region: "Region", _old: Moto) -> Moto:
    def get_permission(self: Moto, action: str, resource: str) -> Moto:  # noqa: ARG001  # moto's own signature
        return PermissionResult.NEUTRAL

    return get_permission


HOOKS = (
    Hook(
        "moto.s3.models:FakeBucket.get_permission",
        "moto decides by bucket policies without their conditions, so one that demands TLS denies everything.",
        _permission,
        ("self", "action", "resource"),
    ),
)
