"""KMS: keys of templates can be asked for their policy."""

import json
from typing import TYPE_CHECKING, Any

from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any


def _create(_region: "Region", old: Moto) -> Moto:
    def create_from_cloudformation_json(
        cls: Moto,
        /,
        resource_name: str,
        cloudformation_json: Moto,
        account_id: str,
        region_name: str,
        **kwargs: Any,  # noqa: ANN401  # moto's own signature
    ) -> Moto:
        key = old.__func__(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
        if not isinstance(key.policy, str):
            key.policy = json.dumps(key.policy)
        return key

    return classmethod(create_from_cloudformation_json)


def _anyone(_region: "Region", _old: Moto) -> Moto:
    def validate_policy(key: Moto, action: str) -> None:
        """Keys are kept and readable; who may use them is not judged by half of their policies."""

    return validate_policy


HOOKS = (
    Hook(
        "moto.kms.responses:validate_policy",
        "moto decides by key policies without principals and conditions, so one that demands TLS denies everything.",
        _anyone,
        ("key", "action"),
    ),
    Hook(
        "moto.kms.models:Key.create_from_cloudformation_json",
        "moto keeps a template's key policy as an object, and DescribeKey and GetKeyPolicy then end in a TypeError.",
        _create,
        ("cls", "resource_name", "cloudformation_json", "account_id", "region_name", "kwargs"),
    ),
)
