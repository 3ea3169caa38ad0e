"""Survey and health: what they say of a host, and what stands in the way there."""

from typing import Any

from aerokeep.model.health import NodeHealth
from aerokeep.model.survey import Survey

from tests.device_headers import a_header, written
from tests.e2e.host.a_host import Host

VOLUME = "0123456789abcdef0"
RACKED = "namespace test {\n rack-id 12\n"


def codes(result: dict[str, Any]) -> list[str]:
    return [problem["code"] for problem in result["problems"]]


def only_path(result: dict[str, Any]) -> dict[str, Any]:
    return dict(result["namespaces"][0]["paths"][0])


def with_volume(host: Host, name: str = f"nvme-Amazon_Elastic_Block_Store_vol{VOLUME}") -> None:
    (host.root / "dev/disk/by-id").mkdir(parents=True)
    (host.root / "dev/nvme9n1").write_bytes(b"")
    (host.root / "dev/disk/by-id" / name).symlink_to("../../nvme9n1")
    host.mounts(
        "1 0 259:0 / / rw - ext4 /dev/nvme0n1 rw\n"
        f"2 1 259:9 / {host.data} rw,noatime - ext4 /dev/nvme9n1 rw,seclabel,data=ordered\n",
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
        "fs_type": "ext4",
        "mount_options": "rw,noatime,data=ordered",
        "freezable": True,
        "freeze_reason": None,
        "device": str(host.root / "dev/nvme9n1"),
        "volume_id": f"vol-{VOLUME}",
        "instance_store": False,
        "size_bytes": 4096,
        "problem": None,
        "header": None,
        "header_problem": "short: 4096 bytes, 69728 needed",
    }
    assert result["namespaces"][0]["rack_id"] == 0
    assert asd["unit"] is None, "no systemd on this host"


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


def test_a_stopped_server_is_described_by_its_conf_and_its_headers(host: Host) -> None:
    (host.root / "proc/4242/cmdline").unlink()
    with_volume(host)
    shadow = host.data / "shadow.dat"
    for index, path in enumerate((host.file, shadow)):
        path.write_bytes(written(a_header(n_devices=1, random=0xBEEF + index, flags=1)))
    text = host.conf.read_text().replace(f"file {host.file}", f"file {host.file} {shadow}")
    conf = host.root / "etc/aerospike/aerospike.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(text.replace("service {", "service {\n node-id a7", 1).replace("namespace test {", RACKED))
    code, result = host.call("survey")
    assert (code, codes(result)) == (0, ["asd_not_running"])
    assert (result["asd"]["node_id"], result["asd"]["conf_path"]) == ("A7", str(conf))
    (namespace,) = result["namespaces"]
    assert (namespace["name"], namespace["storage"], namespace["rack_id"]) == ("test", "file", 12)
    assert (namespace["objects"], namespace["reject_non_xdr_writes"]) == (0, False)
    assert [(path["role"], path["volume_id"]) for path in namespace["paths"]] == [
        ("file", f"vol-{VOLUME}"),
        ("shadow", f"vol-{VOLUME}"),
    ]
    assert namespace["paths"][1]["header"] == {
        "version": 4,
        "namespace": "test",
        "n_devices": 1,
        "random": "000000000000bef0",
        "device_id": 0,
        "write_block_size_bytes": 8388608,
        "trusted": True,
    }
    survey = Survey.model_validate(result)
    assert survey.namespaces[0].saved_paths[0].header is not None


def test_the_conf_of_a_first_start_is_never_taken_for_the_one_that_stays(host: Host) -> None:
    first = host.root / "etc/aerospike/aerokeep-first-start.conf"
    first.parent.mkdir(parents=True)
    first.write_text(host.conf.read_text().replace("namespace test {", "namespace test {\n reject-non-xdr-writes true"))
    (host.root / "etc/aerospike/aerospike.conf").write_text(host.conf.read_text())
    (host.root / "proc/4242/cmdline").write_bytes(f"asd\0--config-file\0{first}\0--cold-start\0".encode())
    host.server.namespaces["test"].settings["reject-non-xdr-writes"] = "true"
    result = host.call("survey")[1]
    assert result["asd"]["conf_path"] == str(host.root / "etc/aerospike/aerospike.conf")
    assert not result["namespaces"][0]["conf_reject_non_xdr_writes"]
    assert "guard_already_set" in codes(result)


def test_two_servers_on_one_host_are_refused(host: Host) -> None:
    (host.root / "proc/4343").mkdir()
    (host.root / "proc/4343/cmdline").write_bytes(b"/usr/bin/asd\0--fgdaemon\0")
    code, result = host.call("survey")
    assert (code, result["error"]["code"]) == (3, "several_asd")


def test_an_unsynchronised_clock_is_told(host: Host) -> None:
    host.set_clock(leap="Not synchronised")
    assert not host.call("survey")[1]["host"]["clock"]["synchronised"]


def test_health_tells_what_alarms_watch(host: Host) -> None:
    host.server.namespaces["test"].statistics |= {
        "tombstones": 2,
        "data_avail_pct": 97,
        "storage-engine.file[0].read_errors": 3,
    }
    host.server.answers |= {
        "statistics": host.server.answers["statistics"]
        + ";cluster_integrity=true;cluster_is_member=true;cluster_duplicate_nodes=A9;cluster_principal=A3"
        ";cluster_clock_skew_ms=7;migrate_allowed=true",
        "cluster-stable:size=3;ignore-migrations=false": "ERROR:7:unstable cluster",
        "sindex-list:": "ns=test:indexname=idx_i:set=demo:bin=i:state=RW;ns=test:indexname=by_all:set=NULL:bin=i",
        "udf-list": "filename=t2.lua,hash=2,type=LUA;filename=hello.lua,hash=1,type=LUA;",
    }
    code, result = host.call("health")
    assert code == 0
    assert result["asd"]["node_id"] == "A1"
    assert result["write_stop"] is None
    assert result["namespaces"] == [
        {
            "name": "test",
            "stop_writes": False,
            "clock_skew_stop_writes": False,
            "reject_non_xdr_writes": False,
            "objects": 10,
            "master_objects": 5,
            "prole_objects": 0,
            "tombstones": 2,
            "unreplicated_records": 0,
            "unavailable_partitions": 0,
            "dead_partitions": 0,
            "migrate_partitions_remaining": 0,
            "read_errors": 3,
            "truncate_lut": 0,
            "evict_void_time": 0,
            "expired_objects": 0,
            "evicted_objects": 0,
            "non_expirable_objects": None,
            "data_avail_pct": 97,
        }
    ]
    assert result["cluster"] == {
        "key": "AF52D311FF86",
        "size": 3,
        "integrity": True,
        "is_member": True,
        "duplicate_nodes": ["A9"],
        "principal": "A3",
        "clock_skew_ms": 7,
        "migrate_allowed": True,
        "migrations_remaining": 0,
        "stable": "ERROR:7:unstable cluster",
    }
    assert (result["node_id"], result["peers"], result["uptime_s"]) == ("A1", ["A2", "A3"], 119)
    assert result["sindexes"] == [
        {"namespace": "test", "set": None, "name": "by_all"},
        {"namespace": "test", "set": "demo", "name": "idx_i"},
    ]
    assert result["udfs"] == ["hello.lua", "t2.lua"]
    health = NodeHealth.model_validate(result)
    assert not health.cluster.is_stable
    assert health.namespaces[0].read_errors == 3


def test_health_of_more_indexes_than_ssm_carries_is_cut_and_stays_json(host: Host) -> None:
    entry = "ns=test:indexname=index_{}:set=demo:bin=i:type=numeric:state=RW"
    host.server.answers["sindex-list:"] = ";".join(entry.format(number) for number in range(900))
    code, result = host.call("health")
    assert code == 0
    assert 50 < len(result["sindexes"]) < 900


def test_an_unknown_verb_is_a_bad_parameter(host: Host) -> None:
    code, result = host.call("destroy")
    assert (code, result["error"]["code"]) == (2, "unknown_verb")
