"""CloudWatch Logs: what templates read of log groups."""

from typing import TYPE_CHECKING, Any

from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any


def _attribute(_region: "Region", old: Moto) -> Moto:
    def get_cfn_attribute(self: Moto, attribute_name: str) -> str:
        found = str(old(self, attribute_name))
        return f"{found}:*" if attribute_name == "Arn" else found

    return get_cfn_attribute


HOOKS = (
    Hook(
        "moto.logs.models:LogGroup.get_cfn_attribute",
        "moto gives a template the ARN of a log group without its streams, so no policy lets anybody write to them.",
        _attribute,
        ("self", "attribute_name"),
    ),
)
