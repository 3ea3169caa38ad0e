"""A conf is changed line by line: what was asked for stands in it, and nothing else is another."""

import pytest
from aerokeep_node.conf import parse_conf
from aerokeep_node.conf_text import cold_start_empty, file_sizes, first_start_text, with_node_id, with_path
from aerokeep_node.refusal import RefusalError
from hypothesis import given
from hypothesis import strategies as st

CONF = """\
# written by hand
service {
    cluster-name demo   # ours
    node-id-interface eth0
}
namespace test {
    reject-non-xdr-writes false
    storage-engine device {
        device /dev/nvme1n1 /dev/nvme2n1   # /dev/nvme1n1 is fast
        device /dev/nvme10n1 /dev/nvme20n1
    }
}
namespace test2 {
    storage-engine device {
        file /data/a.dat
        filesize 4G
    }
}
"""


def changed_lines(before: str, after: str) -> list[str]:
    return [line for line in after.splitlines() if line not in before.splitlines()]


def test_a_first_start_rejects_writes_where_asked_and_nothing_else_changes() -> None:
    text = first_start_text(CONF, ["test"], ["test2"])
    conf = parse_conf(text)
    assert [one.get("reject-non-xdr-writes") for one in conf.named("namespace")] == ["true", None]
    assert cold_start_empty(conf) == ["test2"]
    assert cold_start_empty(parse_conf(CONF)) == []
    assert changed_lines(CONF, text) == ["    reject-non-xdr-writes true", "        cold-start-empty true"]
    assert first_start_text(text, ["test"], ["test2"]) == text


@pytest.mark.parametrize(("reject", "empty"), [(["none"], []), ([], ["none"]), (["tes"], [])])
def test_a_namespace_that_the_conf_lacks_is_never_left_open(reject: list[str], empty: list[str]) -> None:
    with pytest.raises(RefusalError, match="namespace_unknown"):
        first_start_text(CONF, reject, empty)


def test_a_node_id_stands_alone_and_once() -> None:
    text = with_node_id(CONF, "A1")
    service = parse_conf(text).child("service")
    assert service is not None
    assert (service.all("node-id"), service.get("node-id-interface")) == (["A1"], None)
    assert with_node_id(text, "a1") == text
    assert parse_conf(with_node_id(text, "B2")).child("service").all("node-id") == ["B2"]  # type: ignore[union-attr] # it is there
    assert parse_conf(with_node_id("namespace x {\n}\n", "B2")).child("service") is not None


def test_a_path_is_replaced_as_a_whole_word_of_its_namespace() -> None:
    text = with_path(CONF, "test", "/dev/nvme1n1", "/dev/disk/by-id/a")
    assert changed_lines(CONF, text) == ["        device /dev/disk/by-id/a /dev/nvme2n1   # /dev/nvme1n1 is fast"]
    assert "device /dev/nvme10n1 /dev/x" in with_path(CONF, "test", "/dev/nvme20n1", "/dev/x")
    for namespace, former in (("test2", "/dev/nvme1n1"), ("test", "/dev/nvme1"), ("none", "/data/a.dat")):
        with pytest.raises(RefusalError, match="path_not_in_conf"):
            with_path(CONF, namespace, former, "/dev/x")


def test_sizes_of_files_are_read_as_the_server_reads_them() -> None:
    assert file_sizes(parse_conf(CONF)) == {"/data/a.dat": 4 << 30}


@given(st.text(alphabet="abc{}# \n\tservicenamespace", max_size=300))
def test_no_text_whatever_breaks_the_editor(noise: str) -> None:
    assert first_start_text(noise, [], []).splitlines() == noise.splitlines() or cold_start_empty(parse_conf(noise))
