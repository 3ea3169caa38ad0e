"""How a node is launched again: user data that mask its server first, and a request that is the same in every try."""

import base64
import gzip
from email import message_from_bytes
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from random import Random

import pytest
from aerokeep.model.errors import RejectedError
from aerokeep.rules.relaunch import MOST_USER_DATA_BYTES, client_token, launch_request, masking_user_data
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import a_node_inventory

BEGINNINGS = {
    b"#!/bin/bash\necho hello\n": "text/x-shellscript",
    b"#cloud-config\npackages: [jq]\n": "text/cloud-config",
    b"#cloud-boothook\n#!/bin/sh\ntrue\n": "text/cloud-boothook",
    b"#include\nhttps://example.com/boot\n": "text/x-include-url",
    b"## template: jinja\n#cloud-config\n": "text/jinja2",
    b"\x00\x01 whatever": "text/plain",
}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def parts_of(data: bytes) -> list[tuple[str, bytes]]:
    """What cloud-init makes of user data: kind and content of each part, in order."""
    data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    walked = [part for part in message_from_bytes(data).walk() if not part.is_multipart()]
    return [(part.get_content_type(), bytes(part.get_payload(decode=True) or b"")) for part in walked]


@pytest.mark.parametrize(("original", "kind"), BEGINNINGS.items())
def test_the_first_part_masks_the_unit_and_the_original_follows_as_it_was(original: bytes, kind: str) -> None:
    (first, mask), *rest = parts_of(masking_user_data(b64(original)))
    assert first == "text/cloud-boothook"
    assert mask.startswith(b"#cloud-boothook\n#!/bin/sh\n")
    assert b"systemctl mask aerospike.service" in mask
    assert rest == [(kind, original)]


def test_a_node_without_user_data_gets_the_mask_alone() -> None:
    assert [kind for kind, _ in parts_of(masking_user_data(None))] == ["text/cloud-boothook"]


def test_the_parts_of_a_multipart_keep_their_order_and_gzip_is_unpacked() -> None:
    original = MIMEMultipart()
    for kind, text in (("cloud-config", "#cloud-config\n"), ("x-shellscript", "#!/bin/sh\n")):
        original.attach(MIMEText(text, kind, "us-ascii"))
    for data in (original.as_bytes(), gzip.compress(original.as_bytes())):
        _, *rest = parts_of(masking_user_data(b64(data)))
        assert rest == [("text/cloud-config", b"#cloud-config\n"), ("text/x-shellscript", b"#!/bin/sh\n")]


@given(st.binary(max_size=2000), st.integers(1, 4))
def test_a_node_that_is_relaunched_again_and_again_is_masked_by_one_part(original: bytes, times: int) -> None:
    data = masking_user_data(b64(b"#!" + original))
    for _ in range(times):
        again = masking_user_data(b64(data))
        assert again == data
    assert parts_of(data)[1:] == [("text/x-shellscript", b"#!" + original)]


def test_long_user_data_are_gzipped_and_what_is_too_long_even_so_is_refused() -> None:
    long = b"#!/bin/sh\n" + b"echo a line that repeats itself\n" * 450
    assert len(masking_user_data(b64(long))) <= MOST_USER_DATA_BYTES
    assert parts_of(masking_user_data(b64(long)))[1][1] == long
    noise = b"#!" + Random(1).randbytes(30_000)  # noqa: S311 - noise that does not shrink, the same in every run
    with pytest.raises(RejectedError, match="user_data_too_long"):
        masking_user_data(b64(noise))


def test_the_request_brings_the_interface_and_nothing_that_may_not_stand_beside_it() -> None:
    node = a_node_inventory()
    request = launch_request(node, interface_id="eni-1", cluster="demo", run_id="demo-replace-20261123T120000Z")
    assert request["NetworkInterfaces"] == [{"DeviceIndex": 0, "NetworkInterfaceId": "eni-1"}]
    assert not {"SubnetId", "SecurityGroupIds", "SecurityGroups", "PrivateIpAddress", "PrivateDnsNameOptions"} & set(
        request
    )
    assert request["Placement"]["AvailabilityZone"] == node.zone
    assert "State" not in request["MetadataOptions"]
    tags = {tag["Key"]: tag["Value"] for tag in request["TagSpecifications"][0]["Tags"]}
    assert tags == {
        "cluster": "demo",
        "aerokeep:cluster": "demo",
        "aerokeep:node": "A1",
        "aerokeep:run": "demo-replace-20261123T120000Z",
    }


def test_the_places_of_the_nodes_own_volumes_stay_empty_and_its_boot_volume_is_as_it_was() -> None:
    request = launch_request(a_node_inventory(), interface_id="eni-1", cluster="demo", run_id="r")
    mappings = {mapping["DeviceName"]: mapping for mapping in request["BlockDeviceMappings"]}
    assert mappings.pop("/dev/xvda")["Ebs"] == {"VolumeSize": 8, "VolumeType": "gp3", "DeleteOnTermination": True}
    assert mappings == {"/dev/sdf": {"DeviceName": "/dev/sdf", "NoDevice": ""}}


@given(st.text(max_size=80), st.lists(st.text(max_size=30), max_size=4))
def test_a_token_fits_and_depends_on_every_part(run_id: str, parts: list[str]) -> None:
    token = client_token(run_id, *parts)
    assert len(token) <= 64
    assert token.isascii()
    assert token == client_token(run_id, *parts)
    assert token != client_token(run_id, *parts, "more")
