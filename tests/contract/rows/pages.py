"""Pages of what EC2 lists."""

from tests.contract.account import Account
from tests.contract.behaviour import behaviour
from tests.contract.estate import (
    LISTS,
    UNKNOWN,
    a_interface,
    a_ready_volume,
    a_running_instance,
    a_snapshot,
    a_volume,
    action_of,
    ec2,
)

EBS = "moto.ec2.responses.elastic_block_store:ElasticBlockStore."
AMIS = "moto.ec2.responses.amis:AmisResponse."
CODES = "EC2 API error codes"
PAGES = "EC2 API reference, pagination"


def _make_six(aws: Account, method: str) -> None:
    """At least six of what a call lists."""
    aws.node()
    for _ in range(5):
        match LISTS[method][2]:
            case "instance":
                a_running_instance(aws)
            case "volume":
                a_volume(aws)
            case "snapshot":
                a_snapshot(aws)
            case "interface":
                a_interface(aws)
    if method == "describe_snapshots":
        a_snapshot(aws)


def _paged(method: str) -> None:
    key, ids, kind, hook = LISTS[method]

    def check(aws: Account) -> None:
        _make_six(aws, method)
        call = getattr(ec2(aws), method)
        owners = {"OwnerIds": ["self"]} if kind == "snapshot" else {}
        first = call(MaxResults=5, **owners)
        assert len(first[key]) == 5
        second = call(MaxResults=5, NextToken=first["NextToken"], **owners)
        assert len(second[key]) >= 1
        assert not [entry for entry in second[key] if entry in first[key]]
        both = {ids: [UNKNOWN[kind]], "MaxResults": 5}
        assert aws.refused("ec2", method, **both) == "InvalidParameterCombination"
        if kind != "interface":  # its least number is in the model: boto3 itself refuses less
            assert aws.refused("ec2", method, MaxResults=4) == "InvalidParameterValue"

    behaviour(
        f"{action_of(method)} answers in pages of five or more, and not to ids at the same time.",
        source=f"{PAGES}; {CODES}, InvalidParameterCombination",
        calls=(f"ec2.{action_of(method)}",),
        hooks=(hook,),
    )(check)


for listing in LISTS:
    if listing != "describe_images":
        _paged(listing)


@behaviour(
    "DescribeImages answers in pages.",
    source=PAGES,
    calls=("ec2.DescribeImages",),
    hooks=(f"{AMIS}describe_images",),
    sandbox_only="six images take long",
)
def _image_pages(aws: Account) -> None:
    for number in range(5):
        ec2(aws).create_image(InstanceId=aws.node().instance_id, Name=f"image-{number}", NoReboot=True)
    pages = list(ec2(aws).get_paginator("describe_images").paginate(Owners=["self"], PaginationConfig={"PageSize": 5}))
    assert [len(page["Images"]) for page in pages] == [5, 1]


@behaviour(
    "A page goes on where the last one ended, also when something has gone meanwhile.",
    source=f"{PAGES}; assumed: what is deleted between two pages is left out of the second",
    calls=("ec2.DescribeVolumes", "ec2.DeleteVolume"),
    hooks=(f"{EBS}describe_volumes",),
    sandbox_only="an account may have other volumes",
)
def _steady_pages(aws: Account) -> None:
    aws.node()
    made = [a_ready_volume(aws) for _ in range(6)]
    first = ec2(aws).describe_volumes(MaxResults=5)
    seen = [entry["VolumeId"] for entry in first["Volumes"]]
    ec2(aws).delete_volume(VolumeId=next(one for one in made if one in seen))
    second = ec2(aws).describe_volumes(MaxResults=5, NextToken=first["NextToken"])
    assert set(made) <= {*seen, *(entry["VolumeId"] for entry in second["Volumes"])}


@behaviour(
    "A token that was never given out leads nowhere.",
    source=f"{PAGES}; assumed: the code",
    calls=("ec2.DescribeVolumes",),
    hooks=(f"{EBS}describe_volumes",),
)
def _wrong_token(aws: Account) -> None:
    assert aws.refused("ec2", "describe_volumes", MaxResults=5, NextToken="none") == "InvalidParameterValue"
