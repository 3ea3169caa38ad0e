"""DynamoDB: tables of templates are encrypted as the templates say."""

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
        wanted = dict(cloudformation_json["Properties"])
        if encryption := wanted.get("SSESpecification"):
            rest = {name: value for name, value in encryption.items() if name != "SSEEnabled"}
            enabled = str(encryption["SSEEnabled"]).lower() == "true"
            wanted["SSESpecification"] = {"SSEType": "KMS", **rest, "Enabled": enabled}
        renewed = {**cloudformation_json, "Properties": wanted}
        return old.__func__(cls, resource_name, renewed, account_id, region_name, **kwargs)

    return classmethod(create_from_cloudformation_json)


HOOKS = (
    Hook(
        "moto.dynamodb.models.table:Table.create_from_cloudformation_json",
        "moto looks for Enabled where templates say SSEEnabled, so their tables are not encrypted.",
        _create,
        ("cls", "resource_name", "cloudformation_json", "account_id", "region_name", "kwargs"),
    ),
)
