"""STS: roles that are assumed, as by the CDK CLI."""

import json
from typing import Any

from tests.contract.account import Account
from tests.contract.behaviour import behaviour

STS = "moto.sts.models:STSBackend."


@behaviour(
    "Whoever assumes a role calls as that role.",
    source="STS API reference, AssumeRole and GetCallerIdentity",
    calls=("sts.AssumeRole", "sts.GetCallerIdentity"),
    hooks=(f"{STS}assume_role", "moto.sts.responses:TokenResponse.get_caller_identity"),
    sandbox_only="a fresh role takes a while until it can be assumed, and whom it trusts depends on the account",
)
def _as_the_role(aws: Account) -> None:
    iam, region = aws.client("iam"), aws.region
    role = iam.create_role(RoleName="contract", AssumeRolePolicyDocument=json.dumps(_trust(region.account)))["Role"]
    assumed = aws.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="row")
    caller = assumed["Credentials"]["AccessKeyId"].rpartition(".")[2]
    assert caller == "contract"
    assert assumed["AssumedRoleUser"]["Arn"].endswith("assumed-role/contract/row")
    assert aws.client("sts", caller=caller).get_caller_identity()["Arn"] == assumed["AssumedRoleUser"]["Arn"]


def _trust(account: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@behaviour(
    "A role that does not exist can't be assumed.",
    source="STS API reference, AssumeRole: AccessDenied",
    calls=("sts.AssumeRole",),
    hooks=(f"{STS}assume_role", "moto.core.errors:COMMON_ERROR_CODES"),
)
def _no_such_role(aws: Account) -> None:
    account = aws.client("sts").get_caller_identity()["Account"]
    asked = {"RoleArn": f"arn:aws:iam::{account}:role/aerokeep-contract-nobody", "RoleSessionName": "row"}
    assert aws.refused("sts", "assume_role", **asked) == "AccessDenied"
