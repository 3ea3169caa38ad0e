"""How a node is launched again: the request to EC2, and user data that keep its server from starting by itself."""

import base64
import gzip
import hashlib
from collections.abc import Iterator, Mapping
from email import encoders, message_from_bytes
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Any

from aerokeep.model.errors import RejectedError
from aerokeep.model.inventory import NodeInventory

MOST_USER_DATA_BYTES = 16 * 1024
"""Before base64; cloud-init unpacks what is gzipped."""
_OURS = "aerokeep-mask.sh"
_MASK = """\
#cloud-boothook
#!/bin/sh
# Written by Aerokeep. The database of a relaunched node must not start before its volumes are back and checked.
# Boothooks run at every boot: this one acts at the first boot of each instance only.
done="${AEROKEEP_ROOT:-}/var/lib/aerokeep/masked-${INSTANCE_ID}"
[ -e "$done" ] && exit 0
systemctl mask aerospike.service && mkdir -p "${done%/*}" && touch "$done"
"""
_KINDS = (  # by how user data begin; longer beginnings first
    (b"#cloud-config-archive", "cloud-config-archive"),
    (b"#cloud-config-jsonp", "cloud-config-jsonp"),
    (b"#cloud-boothook", "cloud-boothook"),
    (b"#cloud-config", "cloud-config"),
    (b"#include-once", "x-include-once-url"),
    (b"#include", "x-include-url"),
    (b"#part-handler", "part-handler"),
    (b"## template: jinja", "jinja2"),
    (b"#!", "x-shellscript"),
)
_TAKEN_OVER = (
    "InstanceType",
    "KeyName",
    "IamInstanceProfile",
    "EbsOptimized",
    "Monitoring",
    "CpuOptions",
    "CreditSpecification",
    "CapacityReservationSpecification",
    "HibernationOptions",
    "EnclaveOptions",
    "MaintenanceOptions",
    "DisableApiTermination",
    "DisableApiStop",
    "InstanceInitiatedShutdownBehavior",
    "LicenseSpecifications",
)
"""What goes from GetLaunchTemplateData into RunInstances as it is; PrivateDnsNameOptions can't be set beside an
interface that exists, nor can subnet, groups and address (aws.md §D1)."""


def client_token(run_id: str, *parts: str) -> str:
    """A ClientToken (64 characters at most) that is the same in every try."""
    return f"aerokeep-{hashlib.sha256('|'.join((run_id, *parts)).encode()).hexdigest()[:40]}"


def launch_request(node: NodeInventory, *, interface_id: str, cluster: str, run_id: str) -> dict[str, Any]:
    """Arguments of RunInstances, the same in every try of one run: the interface brings address, subnet and groups.

    Args:
        node: what is known of the node.
        interface_id: the interface with its private address.
        cluster: its cluster, for the tags.
        run_id: the run that launches it.

    Raises:
        RejectedError: the user data would be too long.

    """
    launch = node.launch
    ours = {"aerokeep:cluster": cluster, "aerokeep:node": node.node_id, "aerokeep:run": run_id}
    request: dict[str, Any] = {name: launch[name] for name in _TAKEN_OVER if launch.get(name) not in (None, "", {}, [])}
    placement = {name: value for name, value in (launch.get("Placement") or {}).items() if value not in (None, "")}
    metadata = {n: v for n, v in (launch.get("MetadataOptions") or {}).items() if n != "State" and v is not None}
    if metadata:
        request["MetadataOptions"] = metadata
    return request | {
        "ImageId": node.image_id,
        "InstanceType": node.instance_type,
        # Said although the interface implies it: without it the token counts for the whole Region (aws.md §D4).
        "Placement": {**placement, "AvailabilityZone": node.zone},
        "NetworkInterfaces": [{"DeviceIndex": 0, "NetworkInterfaceId": interface_id}],
        "BlockDeviceMappings": list(_mappings(node)),
        "UserData": masking_user_data(launch.get("UserData")),
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": _tag_list({**_own_tags(launch), **ours})},
            {"ResourceType": "volume", "Tags": _tag_list(ours)},
        ],
    }


def _mappings(node: NodeInventory) -> Iterator[dict[str, Any]]:
    """The boot volume as it was; nothing at the places where the node's own volumes belong."""
    theirs = {volume.device for volume in node.data_volumes}
    for mapping in node.launch.get("BlockDeviceMappings") or ():
        ebs = mapping.get("Ebs")
        if mapping.get("DeviceName") == node.root_device and ebs:
            kept = ("VolumeSize", "VolumeType", "Iops", "Throughput", "DeleteOnTermination", "KmsKeyId")
            told = {name: ebs[name] for name in kept if ebs.get(name) is not None}
            if ebs.get("VolumeType") not in {"gp3", "io1", "io2"}:
                told.pop("Iops", None)
            if ebs.get("Encrypted"):
                told["Encrypted"] = True
            yield {"DeviceName": node.root_device, "Ebs": told}
        elif ebs:
            theirs.add(str(mapping.get("DeviceName")))
        elif mapping.get("VirtualName"):
            yield {"DeviceName": mapping["DeviceName"], "VirtualName": mapping["VirtualName"]}
    for device in sorted(theirs):
        yield {"DeviceName": device, "NoDevice": ""}


def _own_tags(launch: Mapping[str, Any]) -> dict[str, str]:
    """The tags of the instance; those of AWS can't be set by others."""
    found = (spec for spec in launch.get("TagSpecifications") or () if spec.get("ResourceType") == "instance")
    tags = {str(tag["Key"]): str(tag.get("Value", "")) for spec in found for tag in spec.get("Tags", ())}
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def masking_user_data(original: str | None) -> bytes:
    """User data whose first part masks the server's unit, followed by the parts of the original ones.

    Args:
        original: base64, as GetLaunchTemplateData gives it; a part of ours from an earlier relaunch is replaced.

    """
    container = MIMEMultipart("mixed", boundary="==aerokeep==")
    mask = MIMEText(_MASK, "cloud-boothook", "us-ascii")
    mask.add_header("Content-Disposition", "attachment", filename=_OURS)
    container.attach(mask)
    for part in _parts(base64.b64decode(original or "")):
        if part.get_filename() != _OURS:
            container.attach(part)
    told = container.as_bytes()
    if len(told) > MOST_USER_DATA_BYTES:
        told = gzip.compress(told, mtime=0)
    if len(told) > MOST_USER_DATA_BYTES:
        raise RejectedError(
            f"user_data_too_long: {len(told)} bytes with the part that keeps asd from starting, {MOST_USER_DATA_BYTES} "
            "are allowed: shorten the node's user data, for instance by an #include"
        )
    return told


def _parts(data: bytes) -> Iterator[Message]:
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    if not data.strip():
        return
    if data.lstrip()[:13].lower().startswith((b"content-type:", b"mime-version:")):
        message = message_from_bytes(data.lstrip())
        for part in message.get_payload() if message.is_multipart() else (message,):
            if isinstance(part, Message):
                yield part
        return
    kind = next((kind for beginning, kind in _KINDS if data.startswith(beginning)), "plain")
    part = MIMEBase("text", kind)
    part.set_payload(data)
    encoders.encode_base64(part)
    yield part
