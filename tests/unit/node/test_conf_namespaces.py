"""A namespace read from the conf has the form in which the server would tell it."""

from aerokeep_node.conf import parse_conf
from aerokeep_node.conf_namespaces import configured_namespaces
from aerokeep_node.namespaces import NamespaceConfig, StoragePath

CONF = """
namespace test {
    rack-id 7
    replication-factor 3
    reject-non-xdr-writes true
    storage-engine device {
        device /dev/nvme1n1 /dev/nvme2n1   # with its shadow
        device /dev/nvme3n1 /dev/nvme4n1
        flush-max-ms 500
    }
}
namespace files {
    storage-engine device {
        file /data/a.dat
        filesize 4G
    }
}
namespace cache {
    storage-engine memory {
        data-size 1G
    }
}
namespace backed {
    storage-engine memory {
        file /data/b.dat
    }
}
namespace bare {
    storage-engine memory
}
"""


def the(name: str) -> NamespaceConfig:
    return {config.name: config for config in configured_namespaces(parse_conf(CONF))}[name]


def test_devices_stand_with_their_shadows() -> None:
    config = the("test")
    assert config.paths == [
        StoragePath("/dev/nvme1n1", "device", "device", 0),
        StoragePath("/dev/nvme2n1", "shadow", "device", 0),
        StoragePath("/dev/nvme3n1", "device", "device", 1),
        StoragePath("/dev/nvme4n1", "shadow", "device", 1),
    ]
    assert [path.path for path in config.persistence_set] == ["/dev/nvme2n1", "/dev/nvme4n1"]
    assert (config.storage, config.number("rack-id"), config.number("replication-factor")) == ("device", 7, 3)
    assert (config.number("flush-max-ms"), config.guarded) == (500, True)


def test_what_the_conf_leaves_out_is_the_servers_default() -> None:
    config = the("files")
    assert (config.storage, config.number("rack-id"), config.number("replication-factor")) == ("file", 0, 2)
    assert config.guard is not None
    assert not config.guarded


def test_memory_is_told_from_memory_with_something_behind_it() -> None:
    assert (the("cache").storage, the("cache").paths) == ("memory", [])
    assert (the("bare").storage, the("bare").paths) == ("memory", [])
    assert the("backed").paths == [StoragePath("/data/b.dat", "backing", "file", 0)]
