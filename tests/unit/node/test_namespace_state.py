"""What a recorded 8.1.2 server says of a namespace, and older forms of the same."""

from pathlib import Path

from aerokeep_node.conf import parse_conf, storage_paths
from aerokeep_node.info import pairs_of, parse_reply
from aerokeep_node.namespaces import NamespaceConfig, StoragePath, activity_of, guarded_in_conf

RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str) -> str:
    return parse_reply((RECORDED / f"8.1.2.0-{name}.txt").read_bytes(), "")


def a_config(text: str) -> NamespaceConfig:
    return NamespaceConfig("test", pairs_of(text))


def test_the_recorded_configuration_is_understood() -> None:
    config = a_config(recorded("get-config"))
    assert config.storage == "file"
    assert config.paths == [StoragePath("/opt/aerospike/n1/fs/test.dat", "file", "file", 0)]
    assert config.number("flush-max-ms") == 1000
    assert config.guard == ("reject-non-xdr-writes", "true")
    assert not config.guarded
    assert not config.flag("strong-consistency")


def test_the_recorded_statistics_give_counters_and_queues() -> None:
    activity = activity_of(dict(pairs_of(recorded("namespace"))))
    assert activity.queued == 0
    assert (activity.master_objects, activity.tombstones) == (100000, 0)
    assert activity.as_json() == {"client_write_success": 100000, "device_writes": 5, "device_partial_writes": 4}


def test_failures_and_reads_are_no_writes() -> None:
    counters = activity_of(
        {
            "client_write_error": "5",
            "client_read_success": "9",
            "client_delete_not_found": "2",
            "fail_xdr_forbidden": "7",
        }
    ).counters
    assert counters == {}


def test_every_way_to_write_counts() -> None:
    names = [
        "client_write_success", "client_delete_success", "client_udf_complete", "client_lang_write_success",
        "batch_sub_write_success", "batch_sub_delete_success", "batch_sub_udf_complete", "udf_sub_udf_complete",
        "ops_sub_write_success", "from_proxy_write_success", "from_proxy_batch_sub_write_success",
        "xdr_client_write_success", "xdr_from_proxy_delete_success", "re_repl_success", "migrate_record_receives",
        "mrt_roll_forward_success", "mrt_monitor_roll_back_success",
    ]  # fmt: skip
    assert set(activity_of(dict.fromkeys(names, "1")).counters) == set(names)


def test_shadow_and_backing_queues_count_as_queued() -> None:
    statistics = {
        "storage-engine.device[0].write_q": "1",
        "storage-engine.device[0].shadow_write_q": "2",
        "storage-engine.stripe[3].backing_write_q": "4",
        "storage-engine.device[0].defrag_q": "100",
    }
    assert activity_of(statistics).queued == 7


def test_counters_of_several_devices_are_added_up() -> None:
    statistics = {"storage-engine.device[0].writes": "3", "storage-engine.device[1].writes": "4"}
    assert activity_of(statistics).counters == {"device_writes": 7}


def test_shadows_are_the_persistence_set() -> None:
    config = a_config(
        "storage-engine=device;storage-engine.device[0]=/dev/nvme1n1;storage-engine.device[0].shadow=/dev/nvme3n1;"
        "storage-engine.device[1]=/dev/nvme2n1;storage-engine.device[1].shadow=/dev/nvme4n1"
    )
    assert [path.path for path in config.persistence_set] == ["/dev/nvme3n1", "/dev/nvme4n1"]
    assert [path.index for path in config.persistence_set] == [0, 1]
    assert config.storage == "device"


def test_devices_without_an_index_are_counted_before_server_4_3() -> None:
    config = a_config("storage-engine=device;storage-engine.device=/dev/sdb;storage-engine.device=/dev/sdc")
    assert [(path.path, path.index) for path in config.paths] == [("/dev/sdb", 0), ("/dev/sdc", 1)]


def test_memory_may_have_a_backing_or_none() -> None:
    backed = a_config("storage-engine=memory;storage-engine.stripe[0]=stripe-0xae;storage-engine.file[0]=/data/m.dat")
    assert [(path.role, path.kind) for path in backed.paths] == [("backing", "file")]
    assert backed.storage == "memory"
    assert a_config("storage-engine=memory").paths == []


def test_the_guard_of_servers_before_5_0_has_the_opposite_sense() -> None:
    config = a_config("allow-nonxdr-writes=false;storage-engine=memory")
    assert config.guard == ("allow-nonxdr-writes", "false")
    assert config.guarded


CONF = """
service { # a comment
  work-directory /opt/aerospike/n1
}
network {
  service {
    address any
    port 3000
  }
}
namespace test {
  reject-non-xdr-writes true
  storage-engine device {
    device /dev/nvme1n1 /dev/nvme2n1
    file /data/x.dat
  }
}
"""


def test_a_conf_is_a_tree_of_contexts() -> None:
    conf = parse_conf(CONF)
    service = conf.child("service")
    namespace = conf.child("namespace", "test")
    assert service is not None
    assert service.get("work-directory") == "/opt/aerospike/n1"
    assert namespace is not None
    assert storage_paths(namespace) == [("/dev/nvme1n1", "/dev/nvme2n1"), ("/data/x.dat",)]
    assert conf.child("namespace", "other") is None


def test_a_guard_in_the_conf_is_on_purpose() -> None:
    config = a_config("reject-non-xdr-writes=true")
    assert guarded_in_conf(config, parse_conf(CONF).child("namespace", "test"))
    assert not guarded_in_conf(config, None)
