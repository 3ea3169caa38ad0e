"""IAM: AWS's own managed policies are there, and are read once."""

from typing import TYPE_CHECKING, Any

from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any
_read: dict[str, Moto] = {}


def _policies(_region: "Region", old: Moto) -> Moto:
    def _init_aws_policies(self: Moto) -> Moto:
        if self.account_id not in _read:
            _read[self.account_id] = old(self)
        return list(_read[self.account_id])

    return _init_aws_policies


HOOKS = (
    Hook(
        "moto.iam.models:IAMBackend._init_aws_policies",
        "moto parses 1,500 managed policies for every new or reset backend, which takes longer than starting a region.",
        _policies,
        ("self",),
    ),
)
