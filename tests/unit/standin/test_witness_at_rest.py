"""What the witness reads from storage without a server is what a cold start would load."""

from pathlib import Path

import pytest

from sandbox.standin.conf import NamespaceConf, VolumeConf
from sandbox.standin.header import HEADER_SIZE_BYTES, HeaderError
from sandbox.standin.namespace import Namespace
from sandbox.standin.record import Record, encode
from sandbox.standin.segment_log import SEGMENT_BYTES
from sandbox.witness.at_rest import Shelf, digest_of, found_in, read_shelf
from sandbox.witness.verdict import Found

FILE_BYTES = HEADER_SIZE_BYTES + 16 * SEGMENT_BYTES
PARTICLE_INTEGER = 1


def a_blob(key: str, value: int, *, times: int = 1, updated_ms: int = 1000) -> bytes:
    bins = {name: (PARTICLE_INTEGER, n.to_bytes(8, "big")) for name, n in ((b"value", value), (b"times", times))}
    return encode(Record(digest_of(("raw", key)), updated_ms, times, 0, b"witness", b"", bins))


def written(paths: list[Path], *blobs: bytes) -> Shelf:
    """Let a server have written these, and have ended."""
    conf = NamespaceConf(
        name="raw",
        engine="device",
        volumes=tuple(VolumeConf(str(path), None, is_file=True) for path in paths),
        file_size_bytes=FILE_BYTES,
        data_size_bytes=0,
        settings={"storage-engine.flush-max-ms": "1000"},
    )
    namespace = Namespace(conf, log=lambda _: None)
    for blob in blobs:
        namespace.put(blob)
    namespace.storage.close()
    return Shelf("raw", tuple(map(str, paths)), is_file=True, file_bytes=FILE_BYTES)


def test_the_newest_of_each_record_is_found_and_nothing_is_changed(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    shelf = written(paths, a_blob("c", 1), a_blob("i", 5), a_blob("c", 2, times=2, updated_ms=1001))
    before = [path.read_bytes() for path in paths]
    found = found_in([("raw", "c"), ("raw", "i"), ("raw", "gone")], [{"raw": read_shelf(shelf)}])
    assert found == {("raw", "c"): Found(2, 2), ("raw", "i"): Found(5, 1)}
    assert [path.read_bytes() for path in paths] == before


def test_of_several_nodes_the_newest_copy_counts(tmp_path: Path) -> None:
    old = read_shelf(written([tmp_path / "old"], a_blob("c", 1)))
    new = read_shelf(written([tmp_path / "new"], a_blob("c", 2, times=2, updated_ms=1001)))
    for nodes in ([old, new], [new, old]):
        assert found_in([("raw", "c")], [{"raw": node} for node in nodes]) == {("raw", "c"): Found(2, 2)}


def test_devices_of_different_lives_are_refused_as_a_server_would(tmp_path: Path) -> None:
    written([tmp_path / "a"], a_blob("c", 1))
    written([tmp_path / "b"], a_blob("c", 1))
    with pytest.raises(HeaderError, match="unmatched headers"):
        read_shelf(Shelf("raw", (str(tmp_path / "a"), str(tmp_path / "b")), is_file=True, file_bytes=FILE_BYTES))
