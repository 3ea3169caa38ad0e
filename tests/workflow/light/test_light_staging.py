"""A light host is staged, started and opened in the contract's order, and brought back as it was."""

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.dataplane.plane import NodeClock
from sandbox.light import LightPlane
from sandbox.light.content import BLANK
from sandbox.light.host import CONF, DROP_IN, FIRST_START_CONF, FSTAB, Host
from tests.workflow.light.light_host import MOUNT_POINT, SMD, WORK, a_host, a_set, a_spec, ask, refusal, served, volume

LATE_TRUNCATION = b'[[7,1],{"key":"test","value":"600000000000","generation":1,"timestamp":1}]'
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def plane() -> Iterator[LightPlane]:
    made = LightPlane(start_s=0.0, migrate_s=0.0)
    yield made
    made.close()


@pytest.fixture
def host(plane: LightPlane) -> Host:
    made = a_host(plane)
    ask(plane, made, "stop", Run="r", Unmount=MOUNT_POINT)
    return made


def stage(plane: LightPlane, host: Host, **changes: Any) -> tuple[int, Any]:  # noqa: ANN401  # any field of a spec
    with served(a_spec(host, **changes)) as url:
        return ask(plane, host, "stage", Run="r", Spec=url)


def sets(**raw: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # any field of a set
    return [a_set("test", 1), {**a_set("raw", 2), **raw}]


def test_a_volume_that_is_not_there_yet_is_waited_for(plane: LightPlane, host: Host) -> None:
    spec = a_spec(host)
    plane.detach(volume(host, "sdg").volume_id)
    with served(spec) as url:
        assert refusal(plane, host, "stage", Run="r", Spec=url) == (5, "device_missing")


def test_staged_started_and_opened_it_serves_on_its_own_conf(plane: LightPlane, host: Host) -> None:
    conf = host.read(CONF)
    for _ in range(2):
        code, reply = stage(plane, host)
        assert (code, reply["staged"]) == (0, True), reply
    assert {DROP_IN, FIRST_START_CONF} <= host.files.keys()
    assert host.read(CONF) == conf
    for _ in range(2):
        code, reply = ask(plane, host, "start", Run="r", Mode="first")
        assert (code, reply["state"], reply["conf"]) == (0, "ready", FIRST_START_CONF), reply
    assert all(ns["reject_non_xdr_writes"] for ns in ask(plane, host, "health")[1]["namespaces"])
    code, reply = ask(plane, host, "open-writes", Run="r", Namespaces="test,raw")
    assert (code, reply["namespaces"]["raw"]) == (0, {"running": "false", "on_disk": "false"}), reply
    assert not any(ns["reject_non_xdr_writes"] for ns in ask(plane, host, "health")[1]["namespaces"])
    assert not {DROP_IN, FIRST_START_CONF} & host.files.keys()


def test_what_was_staged_comes_back(plane: LightPlane, host: Host) -> None:
    before = dict(host.files)
    smd = {"action": "replace", "files": [{"name": "UDF.smd", "url": "http://udf", "sha256": NOTHING, "size": 0}]}
    with served(a_spec(host, smd=smd, node_id="B7"), {"http://udf": b""}) as url:
        assert refusal(plane, host, "stage", Run="r", Spec=url) == (3, "smd_invalid")
    assert stage(plane, host, smd={"action": "clear", "files": []}, node_id="B7")[0] == 0
    assert "node-id B7" in (host.read(CONF) or "")
    assert f"{WORK}/smd/sindex.smd" not in host.files
    ask(plane, host, "stop", Run="r", Unmount=MOUNT_POINT)
    code, reply = ask(plane, host, "stage", Run="r", Spec="back")
    assert (code, reply["staged"]) == (0, False), reply
    assert dict(host.files) == before
    assert host.files[f"{WORK}/smd/sindex.smd"] == SMD
    assert list(host.mounts) == [MOUNT_POINT]


def test_a_filesystem_is_there_after_a_later_boot_whatever_its_device_is_called(plane: LightPlane, host: Host) -> None:
    file = volume(host, "sdf")
    host.write(FSTAB, f"/dev/nvme9n1 {MOUNT_POINT} ext4 defaults 0 2\n".encode())
    assert stage(plane, host)[0] == 0
    ask(plane, host, "stop", Run="r", Unmount=MOUNT_POINT)
    host.mount_all()
    assert host.mounts == {MOUNT_POINT: file}


def test_a_host_without_fstab_has_none_again(plane: LightPlane, host: Host) -> None:
    host.remove(FSTAB)
    for _ in range(2):
        stage(plane, host)
        assert FSTAB in host.files
    assert "fstab" in ask(plane, host, "stage", Run="r", Spec="back")[1]["put_back"]
    assert not any(path.startswith(FSTAB) for path in host.files)


def test_a_device_that_is_elsewhere_now_is_named_by_its_volume(plane: LightPlane, host: Host) -> None:
    spec = a_spec(host)
    spec["devices"][1]["path"] = "/dev/nvme9n1"
    host.write(CONF, (host.read(CONF) or "").replace("/dev/nvme2n1", "/dev/nvme9n1").encode())
    with served(spec) as url:
        code, reply = ask(plane, host, "stage", Run="r", Spec=url)
    named = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" + volume(host, "sdg").volume_id.replace("-", "")
    assert (code, reply["rewritten"]) == (0, {"/dev/nvme9n1": named}), reply
    assert ask(plane, host, "start", Run="r", Mode="first")[0] == 0


def test_an_empty_cold_start_keeps_no_record(plane: LightPlane, host: Host) -> None:
    stage(plane, host, first_start={"reject_writes": ["test", "raw"], "cold_start_empty": ["raw"]})
    ask(plane, host, "start", Run="r", Mode="first")
    assert host.server is not None
    assert host.server.data("raw").records == 0
    assert refusal(plane, host, "start", Run="r", Mode="normal") == (3, "first_start_staged")


def test_a_running_or_startable_server_is_never_staged(plane: LightPlane, host: Host) -> None:
    host.unmask()
    assert refusal(plane, host, "stage", Run="r", Spec="back") == (3, "not_masked")
    plane.boot(host.instance_id)
    host.mask()
    host.mount_all()
    host.unmask()
    plane.boot(host.instance_id)
    assert refusal(plane, host, "stage", Run="r", Spec="back") == (3, "asd_running")


def test_a_first_start_needs_its_settings(plane: LightPlane, host: Host) -> None:
    assert refusal(plane, host, "start", Run="r", Mode="first") == (3, "not_staged")
    assert host.masked


def test_a_server_that_fails_is_masked_again(plane: LightPlane, host: Host) -> None:
    stage(plane, host)
    plane.detach(volume(host, "sdg").volume_id)
    code, reply = ask(plane, host, "start", Run="r", Mode="first")
    assert (code, reply["error"]["code"]) == (3, "asd_failed")
    assert "unable to open device" in reply["error"]["detail"]
    assert host.masked


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"clock_error_s": 0.001}, (5, "clock_unsynchronised")),
        ({"sets": sets(n_devices=3)}, (3, "set_incomplete")),
        ({"sets": sets(random="0" * 16)}, (3, "set_mixed")),
        ({"sets": sets(version=3)}, (3, "version_differs")),
        ({"sets": sets(blank=True)}, (3, "not_blank")),
        ({"sets": []}, (3, "spec_invalid")),
    ],
)
def test_what_does_not_fit_is_refused(
    plane: LightPlane, host: Host, changes: dict[str, Any], told: tuple[int, str]
) -> None:
    before = dict(host.files)
    code, reply = stage(plane, host, **changes)
    assert (code, reply["error"]["code"]) == told
    assert dict(host.files) == before


def test_a_blank_device_and_a_late_truncation_are_refused(plane: LightPlane, host: Host) -> None:
    smd = {"action": "replace", "files": [{"name": "truncate.smd", "url": "http://t", "sha256": NOTHING, "size": 1}]}
    with served(a_spec(host, smd=smd, cut_at=1_700_000_000.0), {"http://t": LATE_TRUNCATION}) as url:
        assert refusal(plane, host, "stage", Run="r", Spec=url) == (3, "checksum_differs")
    volume(host, "sdg").content = BLANK
    assert stage(plane, host)[1]["error"]["code"] == "header_blank"


def test_an_unsynchronised_clock_is_no_clock(plane: LightPlane, host: Host) -> None:
    host.clock = NodeClock(synchronised=False)
    assert stage(plane, host)[1]["error"]["code"] == "clock_unsynchronised"
