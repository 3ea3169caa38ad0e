"""An estate in which every grant that clusters.yaml can lead to exists, and clusters that live up to it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from moto.kms.models import kms_backends

from infra.build_products import BuildProducts
from infra.config import Config
from infra.stacks import build_app
from sandbox.light.launch import Hardware, LightCluster
from sandbox.light.plane import LightPlane
from sandbox.light.transfers import INSTANCE_ROLE
from sandbox.region import Region
from sandbox.region.region import ACCOUNT
from tests.crash.field import CDK_OUT, TAG, Field

ROOT = Path(__file__).resolve().parents[2]
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{INSTANCE_ROLE}"
KEY_ID = "00000000-0000-4000-8000-000000000001"
KEY_ARN = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/{KEY_ID}"
"""The operator's key for volumes; the templates name it, so it is known before it is made."""
PLACEMENT_GROUP = "aerospike"
KEY_PAIR = "operators"
HARDWARE = Hardware(profile=INSTANCE_ROLE, kms_key_id=KEY_ARN, key_name=KEY_PAIR, files=False)
NO_TRUST = {"Version": "2012-10-17", "Statement": []}
NIGHTLY = {"expression": "cron(0 3 * * ? *)"}
KEY_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
    ],
}
"""What a key has by default: IAM decides."""


def config_of(names: Iterable[str]) -> Config:
    """Clusters with all that brings a grant with it: schedules, roles, keys."""
    return Config.model_validate({"clusters": {name: _cluster(name) for name in names}})


def _cluster(name: str) -> dict[str, Any]:
    return {
        "tag": {"key": TAG, "value": name},
        "schedule": NIGHTLY,
        "export": {"schedule": NIGHTLY},
        "instance_roles": [ROLE_ARN],
        "kms_keys": [KEY_ARN],
    }


def synthesize(config: Config, outdir: Path) -> Path:
    """Write the templates of a configuration, without cdk-nag."""
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    build_app(config, BuildProducts.of(ROOT), context=context, outdir=outdir, nag=False).synth()
    return outdir


class Proof(Field):
    """A field whose instances have a role, a key pair, encrypted volumes and a placement group."""

    def __init__(
        self, region: Region, plane: LightPlane, *, cdk_out: Path = CDK_OUT, hardware: Hardware | None = None
    ) -> None:
        iam = region.client("iam")
        iam.create_instance_profile(InstanceProfileName=INSTANCE_ROLE)
        iam.create_role(RoleName=INSTANCE_ROLE, AssumeRolePolicyDocument=json.dumps(NO_TRUST))
        iam.add_role_to_instance_profile(InstanceProfileName=INSTANCE_ROLE, RoleName=INSTANCE_ROLE)
        region.client("ec2").create_key_pair(KeyName=KEY_PAIR)
        _make_key(region)
        super().__init__(region, plane, cdk_out=cdk_out, hardware=hardware or HARDWARE)

    def launch(self, name: str, **settings: Any) -> LightCluster:  # noqa: ANN401  # the field's own
        """As the field does; moto forgets the placement group that an instance is launched into."""
        cluster = super().launch(name, kms_keys=[KEY_ARN], **settings)
        for member in cluster.members:
            self.region.ec2.instance(member.instance_id).placement.group_name = PLACEMENT_GROUP
        return cluster


def _make_key(region: Region) -> None:
    """KMS chooses ids; this one has to be the id that the templates name."""
    made = region.client("kms").create_key(Policy=json.dumps(KEY_POLICY))["KeyMetadata"]["KeyId"]
    backend = kms_backends[region.account][region.region]
    key = backend.keys.pop(made)
    key.id, key.arn = KEY_ID, KEY_ARN
    backend.keys[KEY_ID] = key
