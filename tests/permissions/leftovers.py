"""What a restore and a replacement that died long ago have left in AWS: a volume and an interface."""

from sandbox.light.launch import NETWORK
from tests.crash.field import Field

FREE_ADDRESS = str(NETWORK[-9])
"""No node has it."""


def leave(field: Field, cluster: str, run: str) -> None:
    """Make them, of a snapshot that a committed point has, and say that no server of that run was started."""
    ec2, s3, vault = field.region.client("ec2"), field.region.client("s3"), field.outputs["VaultName"]
    tags = [{"Key": "aerokeep:cluster", "Value": cluster}, {"Key": "aerokeep:run", "Value": run}]
    s3.put_object(Bucket=vault, Key=f"runs/{run}/order.json", Body=b"{}")
    ec2.create_volume(
        AvailabilityZone=f"{field.region.region}a",
        SnapshotId=_snapshot_of_a_point(field, cluster),
        TagSpecifications=[{"ResourceType": "volume", "Tags": tags}],
    )
    subnets = ec2.describe_subnets(Filters=[{"Name": "cidr-block", "Values": [str(NETWORK)]}])["Subnets"]
    ec2.create_network_interface(
        SubnetId=subnets[0]["SubnetId"],
        PrivateIpAddress=FREE_ADDRESS,
        TagSpecifications=[{"ResourceType": "network-interface", "Tags": tags}],
    )


def _snapshot_of_a_point(field: Field, cluster: str) -> str:
    keys = [key for key in field.sizes(f"clusters/{cluster}/points/") if key.endswith("/manifest.json")]
    committed = next(held for held in map(field.json, keys) if held["state"] == "committed")
    return str(committed["snapshots"][0]["id"])
