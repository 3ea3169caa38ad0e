"""The region as IAM looks at it in the moment of a call: names of resources, their tags, what belongs to what."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from moto.s3.models import s3_backends

from sandbox.region import Region
from tests.permissions.requests import Ask, asked

Moto = Any
EBS_USE = ("Decrypt", "DescribeKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo")
"""With CreateGrant, what whoever uses EBS encryption must be allowed; the manual does not tell uses apart.

https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html
"""
TABLE_USE = ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey")
"""What the DynamoDB manual lists for the key of a table.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
"""


@dataclass(frozen=True)
class World:
    """One region, with everything deployed."""

    region: Region
    vault: str
    catalog: str

    # -- names

    def arn(self, service: str, resource: str, *, account: bool = True) -> str:
        """An ARN of this account and region."""
        return f"arn:aws:{service}:{self.region.region}:{self.region.account if account else ''}:{resource}"

    def ec2(self, kind: str, resource_id: str) -> str:
        """Snapshots and images belong to no account in their ARNs."""
        return self.arn("ec2", f"{kind}/{resource_id}", account=kind not in ("snapshot", "image"))

    # -- EC2

    def tags(self, resource_id: str) -> dict[str, str]:
        """The tags of an EC2 resource at this moment."""
        return {str(k): str(v) for k, v in self.region.ec2.backend.tags.get(resource_id, {}).items()}

    def instance(self, instance_id: str) -> Moto | None:
        """An instance, if there is one."""
        try:
            return self.region.ec2.instance(instance_id)
        except LookupError:
            return None

    def volumes_at(self, instance_id: str) -> dict[str, str]:
        """Device → volume id, of all that is attached to an instance."""
        instance = self.instance(instance_id)
        volumes = self.region.ec2.volumes_of(instance) if instance else []
        return {str(volume.attachment.device): str(volume.id) for volume in volumes}

    def root_device(self, instance_id: str) -> str:
        """Where an instance boots from."""
        instance = self.instance(instance_id)
        return str(instance.root_device_name) if instance else ""

    def place_of(self, volume_id: str) -> str | None:
        """The instance that a volume is attached to."""
        volume = self.region.ec2.backend.volumes.get(volume_id)
        return str(volume.attachment.instance.id) if volume is not None and volume.attachment else None

    def interface(self, interface_id: str) -> Moto | None:
        """A network interface, if there is one."""
        return self.region.ec2.backend.enis.get(interface_id)

    def image_snapshots(self, image_id: str) -> list[str]:
        """The snapshots that an image is made of."""
        image = self.region.ec2.backend.amis.get(image_id)
        return [str(image.ebs_snapshot.id)] if image is not None else []

    def key_of(self, resource_id: str) -> str | None:
        """The customer key of a volume or a snapshot."""
        backend = self.region.ec2.backend
        found = backend.volumes.get(resource_id) or backend.snapshots.get(resource_id)
        return str(found.kms_key_id) if found is not None and found.kms_key_id else None

    # -- keys

    def ebs_key(self, key_arn: str | None) -> Iterator[Ask]:
        """What the use of an encrypted volume asks of its customer key."""
        if key_arn is None:
            return
        via = {"kms:ViaService": f"ec2.{self.region.region}.amazonaws.com", "kms:CallerAccount": self.region.account}
        yield from (asked(f"kms:{action}", key_arn, via, policy_of=key_arn) for action in EBS_USE)
        granted = {**via, "kms:GrantIsForAWSResource": "true"}
        yield asked("kms:CreateGrant", key_arn, granted, policy_of=key_arn)

    def key_use(self, service: str, key_arn: str | None, actions: Iterable[str]) -> Iterator[Ask]:
        """What a service asks of its key in the caller's name."""
        if key_arn is not None:
            via = {"kms:ViaService": f"{service}.{self.region.region}.amazonaws.com"}
            via["kms:CallerAccount"] = self.region.account
            yield from (asked(f"kms:{action}", key_arn, via, policy_of=key_arn) for action in actions)

    @cached_property
    def vault_key(self) -> str:
        """The key that objects of the vault are encrypted with."""
        s3 = self.region.client("s3")
        rules = s3.get_bucket_encryption(Bucket=self.vault)["ServerSideEncryptionConfiguration"]["Rules"]
        return str(rules[0]["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"])

    @cached_property
    def catalog_key(self) -> str:
        """The key of the catalog."""
        table = self.region.client("dynamodb").describe_table(TableName=self.catalog)["Table"]
        return str(table["SSEDescription"]["KMSMasterKeyArn"])

    def topic_key(self, topic_arn: str) -> str | None:
        """The key of a topic."""
        attributes = self.region.client("sns").get_topic_attributes(TopicArn=topic_arn)["Attributes"]
        key = attributes.get("KmsMasterKeyId")
        return str(key) if key else None

    # -- S3

    def holds(self, bucket: str, key: str) -> bool:
        """Whether there is an object under a key."""
        found = s3_backends[self.region.account]["aws"].get_object(bucket, key)
        return found is not None

    # -- machines

    @cached_property
    def machine_roles(self) -> Mapping[str, str]:
        """Function ARN → the role of the state machine that calls it."""
        states = self.region.client("stepfunctions")
        roles = {}
        for machine in states.list_state_machines()["stateMachines"]:
            told = states.describe_state_machine(stateMachineArn=machine["stateMachineArn"])
            for arn in _strings(json.loads(told["definition"])):
                if ":function:" in arn:
                    roles[arn] = str(told["roleArn"]).rpartition("/")[2]
        return roles


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401  # any JSON
    match value:
        case str():
            yield value
        case dict():
            yield from (found for inner in value.values() for found in _strings(inner))
        case list():
            yield from (found for inner in value for found in _strings(inner))
