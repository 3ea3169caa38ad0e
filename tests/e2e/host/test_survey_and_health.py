"""Survey and health: what they say of a host, and what stands in the way there."""

from typing import Any

from tests.e2e.host.a_host import Host

VOLUME = "0123456789abcdef0"


def codes(result: dict[str, Any]) -> list[str]:
    return [problem["code"] for problem in result["problems"]]


def only_path(result: dict[str, Any]) -> dict[str, Any]:
    return dict(result["namespaces"][0]["paths"][0])


def with_volume(host: Host, name: str = f"nvme-Amazon_Elastic_Block_Store_vol{VOLUME}") -> None:
    (host.root / "dev/disk/by-id").mkdir(parents=True)
    (host.root / "dev/nvme9n1").write_bytes(b"")
    (host.root / "dev/disk/by-id" / name).symlink_to("../../nvme9n1")
    host.mounts(
        "1 0 259:0 / / rw - ext4 /dev/nvme0n1 rw\n" + f"2 1 259:9 / {host.data} rw - ext4 /dev/nvme9n1 rw\n",
    )


def test_a_survey_describes_host_server_and_storage(host: Host) -> None:
    with_volume(host)
    code, result = host.call("survey")
    assert code == 0
    assert result["problems"] == []
    assert result["host"]["clock"]["source"] == "chronyc"
    assert result["host"]["clock"]["synchronised"]
    asd = result["asd"]
    assert (asd["running"], asd["build"], asd["edition"], asd["node_id"]) == (True, "8.1.2.0", "community", "A1")
    assert (asd["cluster_size"], asd["cluster_key"], asd["peers"]) == (3, "AF52D311FF86", ["A2", "A3"])
    assert asd["work_directory"] == str(host.work)
    assert only_path(result) == {
        "path": str(host.file),
        "role": "file",
        "index": 0,
        "mount_point": str(host.data),
        "freezable": True,
        "freeze_reason": None,
        "device": str(host.root / "dev/nvme9n1"),
        "volume_id": f"vol-{VOLUME}",
        "instance_store": False,
        "problem": None,
    }


def test_data_on_the_root_filesystem_is_never_freezable(host: Host) -> None:
    host.mounts("1 0 259:0 / / rw - ext4 /dev/nvme0n1 rw\n")
    path = only_path(host.call("survey")[1])
    assert not path["freezable"]
    assert path["freeze_reason"] == "it also holds / (the system's)"
    assert host.stop(Freeze="/")[1]["error"]["code"] == "not_freezable"


def test_data_beside_aerokeeps_own_copy_is_never_freezable(host: Host) -> None:
    with_volume(host)
    run = f"3 1 259:9 /run {host.root}/run rw - ext4 /dev/nvme9n1 rw\n"
    host.mounts((host.root / "proc/self/mountinfo").read_text() + run)
    assert "Aerokeep's own" in only_path(host.call("survey")[1])["freeze_reason"]
    assert host.stop(Freeze=str(host.data))[1]["error"]["code"] == "not_freezable"


def test_instance_store_without_a_shadow_is_a_problem(host: Host) -> None:
    with_volume(host, "nvme-Amazon_EC2_NVMe_Instance_Storage_AWS123")
    result = host.call("survey")[1]
    assert codes(result) == ["instance_store"]
    assert only_path(result)["instance_store"]


def test_a_conf_edited_since_the_start_is_told(host: Host) -> None:
    with_volume(host)
    host.conf.write_text(host.conf.read_text().replace("test.dat", "other.dat"))
    assert codes(host.call("survey")[1]) == ["conf_differs"]


def test_a_host_without_a_server_is_described_and_health_is_not_now(host: Host) -> None:
    (host.root / "proc/4242/cmdline").unlink()
    code, result = host.call("survey")
    assert (code, result["asd"]["running"]) == (0, False)
    assert "asd_not_running" in codes(result)
    code, result = host.call("health")
    assert (code, result["error"]["code"]) == (5, "asd_not_running")


def test_a_server_with_security_is_refused_in_clear_words(host: Host) -> None:
    host.server.answer_always = "ERROR:80:not authenticated"
    code, result = host.call("survey")
    assert (code, result["asd"]["security_enabled"]) == (0, True)
    assert "security_enabled" in codes(result)
    code, result = host.stop()
    assert (code, result["error"]["code"]) == (3, "security_enabled")


def test_a_server_with_tls_alone_is_refused_in_clear_words(host: Host) -> None:
    host.conf.write_text(host.conf.read_text().replace(f"port {host.server.port}", "tls-port 4333"))
    code, result = host.stop()
    assert (code, result["error"]["code"]) == (3, "tls_only")
    assert "tls_only" in codes(host.call("survey")[1])


def test_two_servers_on_one_host_are_refused(host: Host) -> None:
    (host.root / "proc/4343").mkdir()
    (host.root / "proc/4343/cmdline").write_bytes(b"/usr/bin/asd\0--fgdaemon\0")
    code, result = host.call("survey")
    assert (code, result["error"]["code"]) == (3, "several_asd")


def test_an_unsynchronised_clock_is_told(host: Host) -> None:
    host.set_clock(leap="Not synchronised")
    assert not host.call("survey")[1]["host"]["clock"]["synchronised"]


def test_health_tells_what_alarms_watch(host: Host) -> None:
    code, result = host.call("health")
    assert code == 0
    assert result["asd"]["node_id"] == "A1"
    assert result["write_stop"] is None
    assert result["namespaces"] == [
        {
            "name": "test",
            "stop_writes": False,
            "reject_non_xdr_writes": False,
            "objects": 10,
            "unavailable_partitions": 0,
            "dead_partitions": 0,
            "migrate_partitions_remaining": 0,
        }
    ]


def test_an_unknown_verb_is_a_bad_parameter(host: Host) -> None:
    code, result = host.call("destroy")
    assert (code, result["error"]["code"]) == (2, "unknown_verb")
