"""EC2: the definition of an instance, the images it can be made of again, and its launch."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from aerokeep.aws.clients import client
from aerokeep.aws.errors import code_of, translated
from aerokeep.aws.tags import tag_list, tag_map
from aerokeep.model.machine import Image

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

LONGEST_TOKEN = 64
"""Characters of a ClientToken at most (aws.md §D4)."""


class Launches:
    """How instances are made, and made again."""

    def __init__(self, ec2: "EC2Client") -> None:
        self._ec2 = ec2

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("ec2"))

    def definition(self, instance_id: str) -> dict[str, Any]:
        """GetLaunchTemplateData: all that DescribeInstances leaves out too, user data (base64) included."""
        with translated("GetLaunchTemplateData"):
            reply = self._ec2.get_launch_template_data(InstanceId=instance_id)
        return dict(reply["LaunchTemplateData"])

    def launch(self, request: Mapping[str, Any], *, client_token: str) -> str:
        """RunInstances for one instance → its id; the same token and request again make no second one."""
        with translated("RunInstances"):
            reply = self._ec2.run_instances(**request, MinCount=1, MaxCount=1, ClientToken=client_token[:LONGEST_TOKEN])
        return str(reply["Instances"][0].get("InstanceId"))


class Images:
    """The AMIs that a node can boot from."""

    def __init__(self, ec2: "EC2Client") -> None:
        self._ec2 = ec2

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("ec2"))

    def described(self, image_ids: Iterable[str]) -> dict[str, Image]:
        """Those of the images that still exist."""
        wanted = sorted(set(image_ids))
        return {i.image_id: i for i in self._described([{"Name": "image-id", "Values": wanted}])} if wanted else {}

    def of_cluster(self, cluster: str) -> list[Image]:
        """The images that were made of the cluster's nodes."""
        return self._described([{"Name": "tag:aerokeep:cluster", "Values": [cluster]}], Owners=["self"])

    def _described(self, filters: list[Any], **options: Any) -> list[Image]:  # noqa: ANN401 - boto3's own types
        with translated("DescribeImages"):
            pages = self._ec2.get_paginator("describe_images").paginate(Filters=filters, **options)
            return [_image(raw) for page in pages for raw in page["Images"]]

    def create(self, instance_id: str, *, name: str, without: Iterable[str], tags: Mapping[str, str]) -> str:
        """Make an image of the boot volume alone, with the instance running → its id, pending for a while.

        Args:
            instance_id: the node's instance.
            name: unique in the account.
            without: the devices of its data volumes.
            tags: of the image; its snapshot gets all but the run's, which would make it one of a recovery point.

        """
        left_out: Any = [{"DeviceName": device, "NoDevice": ""} for device in sorted(without)]
        of_snapshot = {key: value for key, value in tags.items() if key != "aerokeep:run"}
        with translated("CreateImage"):
            try:
                reply = self._ec2.create_image(
                    InstanceId=instance_id,
                    Name=name,
                    Description="Aerokeep: the boot volume, for a relaunch",
                    NoReboot=True,
                    BlockDeviceMappings=left_out,
                    TagSpecifications=[
                        {"ResourceType": "image", "Tags": tag_list(tags)},
                        {"ResourceType": "snapshot", "Tags": tag_list(of_snapshot)},
                    ],
                )
            except ClientError as error:
                # There is no ClientToken: the name tells a call whose answer was lost.
                named = self._described([{"Name": "name", "Values": [name]}], Owners=["self"])
                if code_of(error) != "InvalidAMIName.Duplicate" or not named:
                    raise
                return named[0].image_id
        return str(reply["ImageId"])


def _image(raw: Any) -> Image:  # noqa: ANN401 - boto3's own type
    return Image(image_id=str(raw["ImageId"]), state=str(raw["State"]), tags=tag_map(raw.get("Tags")))
