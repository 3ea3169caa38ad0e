"""One light host with a file and two raw devices, as an installer leaves it, without a region."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest.mock import patch

from sandbox.database import Layout, aerospike_conf
from sandbox.light import LightPlane
from sandbox.light.content import Content, Volume
from sandbox.light.host import CONF, FSTAB, Host

GIB = 1 << 30
MOUNT_POINT = "/data"
WORK = "/opt/aerospike"
SMD = b'[[7,1],{"key":"test|s|n","value":"by_n","generation":1,"timestamp":1}]'
NAMES = (f"i-{number}" for number in count(1))
Reply = dict[str, Any]


def a_host(
    plane: LightPlane, *, ip: str = "10.77.0.10", node_id: str = "A1", raw: tuple[str, ...] = ("sdg", "sdh")
) -> Host:
    """A host with its server running."""
    instance_id = next(NAMES)
    plane.add_node(instance_id, private_ip=ip)
    for device in ("sda1", "sdf", *raw):
        volume_id = f"vol-{int(instance_id[2:]):04x}{device[-2:].encode().hex()}"
        plane.create_volume(volume_id, size_bytes=GIB)
        plane.attach(volume_id, instance_id, device=f"/dev/{device}", root=device == "sda1")
    host = plane.host(instance_id)
    volume(host, "sdf").content = Content(fs_type="ext4")
    paths = tuple(host.device_of(volume(host, device)) for device in raw)
    layout = Layout(node_id, ip, f"{MOUNT_POINT}/test.dat", paths, WORK, "/var/log/asd.log", (ip,))
    host.write(CONF, aerospike_conf(layout).encode())
    host.write(FSTAB, f"{host.device_of(volume(host, 'sdf'))} {MOUNT_POINT} ext4 defaults 0 2\n".encode())
    host.write(f"{WORK}/smd/sindex.smd", SMD)
    plane.boot(instance_id)
    assert host.server is not None, host.log
    host.server.ready_at = 0
    return host


def volume(host: Host, device: str) -> Volume:
    """The volume attached as an EC2 device."""
    return next(volume for volume in host.devices.values() if volume.device == f"/dev/{device}")


def ask(plane: LightPlane, host: Host, verb: str, **parameters: str) -> tuple[int, Reply]:
    """Exit code and reply of a verb."""
    environment = {f"SSM_{name}": value for name, value in parameters.items()}
    code, text = plane.run_document(host.instance_id, f"aerokeep-{verb}", environment)
    reply: Reply = json.loads(text)
    return code, reply


def refusal(plane: LightPlane, host: Host, verb: str, **parameters: str) -> tuple[int, str]:
    """Exit code and error code of a verb that is refused."""
    code, reply = ask(plane, host, verb, **parameters)
    assert not reply["ok"]
    return code, reply["error"]["code"]


def a_set(namespace: str, n_devices: int) -> Reply:
    """What the headers of a set must say."""
    return {"namespace": namespace, "n_devices": n_devices, "random": None, "version": None, "blank": False}


def a_spec(host: Host, **changes: Any) -> Reply:  # noqa: ANN401  # any field of a spec
    """A spec that stages the host as it is."""
    file, raws = volume(host, "sdf"), [v for v in host.devices.values() if v.device != "/dev/sdf"]
    mount = {"point": MOUNT_POINT, "fs_type": "ext4", "options": "rw"}
    devices = [
        {"namespace": "test", "path": f"{MOUNT_POINT}/test.dat", "role": "file", "volume_id": file.volume_id},
        *({"namespace": "raw", "path": host.device_of(v), "role": "device", "volume_id": v.volume_id} for v in raws),
    ]
    sets = [a_set("test", 1), a_set("raw", len(raws))]
    spec = {
        "node_id": None,
        "volumes": [
            {"volume_id": file.volume_id, "mount": mount},
            *({"volume_id": v.volume_id, "mount": None} for v in raws),
        ],
        "devices": devices,
        "sets": sets,
        "smd": {"action": "keep", "files": []},
        "conf": {"action": "keep", "files": []},
        "first_start": {"reject_writes": ["test", "raw"], "cold_start_empty": []},
        "cut_at": None,
        "clock_error_s": 1.0,
    }
    return {**spec, **changes}


@contextmanager
def served(spec: Reply, files: Mapping[str, bytes] | None = None) -> Iterator[str]:
    """Let hosts download a spec and files, without a region."""
    told = {"http://spec": json.dumps(spec).encode(), **(files or {})}
    with patch("sandbox.light.staging.download", lambda url, _code: told[url]):
        yield "http://spec"
