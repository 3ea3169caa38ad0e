"""The stand-in reads the same conf as asd 8.1, and refuses what Community Edition refuses."""

from pathlib import Path

import pytest

from sandbox.standin.conf import ConfError, load, parse

CONF = """
# comment
service {
  cluster-name demo
  node-id a1
  work-directory /var/x   # trailing comment
}
logging {
  file /var/log/asd.log {
    context any info
  }
}
network {
  service {
    address any
    port 3000
  }
  heartbeat {
    mode mesh
    mesh-seed-address-port 10.77.0.2 3002
    mesh-seed-address-port 10.77.0.3 3002
    interval 150
  }
}
namespace raw {
  replication-factor 2
  storage-engine device {
    device /dev/nvme1n1 /dev/nvme2n1
    device /dev/nvme3n1 /dev/nvme4n1
    flush-max-ms 200
  }
}
namespace files {
  storage-engine device {
    file /data/files.dat
    filesize 4G
  }
}
namespace cache {
  storage-engine memory {
    data-size 64M
  }
}
frobnicate {
}
"""


@pytest.fixture
def conf_file(tmp_path: Path) -> Path:
    path = tmp_path / "aerospike.conf"
    path.write_text(CONF)
    return path


def test_devices_files_shadows_and_sizes_are_read_as_asd_reads_them(conf_file: Path) -> None:
    raw, files, cache = load(conf_file).namespaces
    assert [(v.path, v.shadow, v.is_file) for v in raw.volumes] == [
        ("/dev/nvme1n1", "/dev/nvme2n1", False),
        ("/dev/nvme3n1", "/dev/nvme4n1", False),
    ]
    assert raw.settings["storage-engine.flush-max-ms"] == "200"
    assert files.file_size_bytes == 4 << 30
    assert cache.engine == "memory"
    assert cache.volumes == ()


def test_seeds_and_addresses_come_from_the_network_part(conf_file: Path) -> None:
    conf = load(conf_file)
    assert conf.seeds == (("10.77.0.2", 3002), ("10.77.0.3", 3002))
    assert conf.network["service.port"] == "3000"
    assert conf.log_files == (Path("/var/log/asd.log"),)


def test_an_unknown_part_is_ignored_with_a_warning_that_names_its_line(conf_file: Path) -> None:
    line = CONF.splitlines().index("frobnicate {") + 1
    assert load(conf_file).warnings == (f"line {line} :: 'frobnicate' is not known to the stand-in",)


@pytest.mark.parametrize("directive", ["strong-consistency true", "compression lz4", "commit-to-device true"])
def test_enterprise_directives_end_the_start_with_their_name(directive: str) -> None:
    with pytest.raises(ConfError, match=rf"line 2 :: '{directive.split(maxsplit=1)[0]}' is enterprise-only"):
        parse(f"namespace x {{\n{directive}\n}}")


def test_a_block_that_is_not_closed_is_named() -> None:
    with pytest.raises(ConfError, match="block 'service' is not closed"):
        parse("service {\nnode-id a1\n")


def test_files_and_devices_in_one_namespace_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_text("namespace x {\nstorage-engine device {\nfile /a\ndevice /dev/b\n}\n}\n")
    with pytest.raises(ConfError, match="cannot mix files and devices"):
        load(path)


def test_a_block_on_one_line_is_refused_as_by_the_real_parser() -> None:
    with pytest.raises(ConfError, match="line 1 :: a brace must end its line"):
        parse("service { node-id a1 }")
