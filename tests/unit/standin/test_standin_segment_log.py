"""What is flushed comes back after a crash, what waits does not, and a device that is overwritten does not fill up."""

import time
from pathlib import Path

import pytest

from sandbox.standin.conf import NamespaceConf, VolumeConf
from sandbox.standin.header import HEADER_SIZE_BYTES, HeaderError
from sandbox.standin.namespace import Namespace
from sandbox.standin.record import Record, decode, encode
from sandbox.standin.segment_log import SEGMENT_BYTES

NEVER_MS = 0


def a_digest(number: int) -> bytes:
    return number.to_bytes(4, "little") * 5


def a_blob(number: int, *, generation: int = 1, size: int = 100) -> bytes:
    return encode(Record(a_digest(number), 1000 + generation, generation, 0, b"s", b"", {b"v": (3, b"x" * size)}))


def a_namespace(
    paths: list[Path], *, flush_max_ms: int = NEVER_MS, segments: int = 16, cold_start_empty: bool = False
) -> Namespace:
    conf = NamespaceConf(
        name="raw",
        engine="device",
        volumes=tuple(VolumeConf(str(path), None, is_file=True) for path in paths),
        file_size_bytes=HEADER_SIZE_BYTES + segments * SEGMENT_BYTES,
        data_size_bytes=0,
        settings={
            "storage-engine.flush-max-ms": str(flush_max_ms),
            "storage-engine.cold-start-empty": "true" if cold_start_empty else "false",
        },
    )
    return Namespace(conf, log=lambda _: None)


def crash_copy(paths: list[Path]) -> list[Path]:
    """Copy the files as they are now, as a cut does."""
    copies = [path.with_suffix(".copy") for path in paths]
    for path, copy in zip(paths, copies, strict=True):
        copy.write_bytes(path.read_bytes())
    return copies


def wait_flushed(namespace: Namespace) -> None:
    deadline = time.monotonic() + 5
    while namespace.storage.unflushed_bytes:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [tmp_path / "a.dat", tmp_path / "b.dat"]


def test_a_clean_shutdown_keeps_everything_and_marks_every_device_trusted(paths: list[Path]) -> None:
    namespace = a_namespace(paths)
    for number in range(1000):
        namespace.put(a_blob(number))
    namespace.storage.close()
    assert [path.read_bytes()[0x38] for path in paths] == [1, 1]
    again = a_namespace(paths)
    assert again.object_count() == 1000
    wait_flushed(again)
    again.storage.close()


def test_a_crash_copy_lacks_exactly_what_was_not_flushed(paths: list[Path]) -> None:
    namespace = a_namespace(paths)
    for number in range(100):
        namespace.put(a_blob(number))
    namespace.storage.set_flush_max_ms(1)
    wait_flushed(namespace)
    namespace.storage.set_flush_max_ms(NEVER_MS)
    for number in range(100, 130):
        namespace.put(a_blob(number))
    copy = a_namespace(crash_copy(paths))
    assert copy.object_count() == 100
    namespace.storage.close()
    copy.storage.close()


def test_records_flushed_in_many_small_steps_all_come_back(paths: list[Path]) -> None:
    namespace = a_namespace(paths, flush_max_ms=1)
    for number in range(300):
        namespace.put(a_blob(number, size=number * 7))
        if number % 10 == 0:
            wait_flushed(namespace)
    wait_flushed(namespace)
    copy = a_namespace(crash_copy(paths))
    assert sorted(copy.blobs()) == sorted(namespace.blobs())
    assert sum(device.partial_writes for device in namespace.storage.logs) >= 30
    namespace.storage.close()
    copy.storage.close()


def test_a_cold_start_takes_the_newest_copy_and_brings_deleted_records_back(paths: list[Path]) -> None:
    namespace = a_namespace(paths)
    for number in range(10):
        namespace.put(a_blob(number))
        namespace.put(a_blob(number, generation=2))
    assert namespace.drop(a_digest(3))
    assert namespace.get(a_digest(3)) is None
    namespace.storage.close()
    again = a_namespace(paths)
    assert {decode(blob).generation for blob in again.blobs()} == {2}
    assert again.get(a_digest(3)) is not None
    again.storage.close()


def test_overwriting_the_same_records_for_ever_never_fills_the_device(paths: list[Path]) -> None:
    namespace = a_namespace(paths[:1], flush_max_ms=1, segments=12)
    for turn in range(1, 40):
        for number in range(400):
            namespace.put(a_blob(number, generation=turn, size=2000))
        wait_flushed(namespace)
        while namespace.defragment():
            wait_flushed(namespace)
        assert not namespace.stop_writes, turn
    namespace.storage.close()
    again = a_namespace(paths[:1], segments=12)
    assert {decode(blob).generation for blob in again.blobs()} == {39}
    assert again.object_count() == 400
    again.storage.close()


def test_live_records_in_sparse_segments_are_moved_and_survive(paths: list[Path]) -> None:
    namespace = a_namespace(paths[:1], flush_max_ms=1, segments=12)
    for number in range(1500):
        namespace.put(a_blob(number, size=3000))
    for number in range(1500):
        if number % 4:
            namespace.put(a_blob(number, generation=2, size=3000))
    wait_flushed(namespace)
    free_before = namespace.storage.logs[0].free
    while namespace.defragment():
        wait_flushed(namespace)
    assert namespace.storage.logs[0].defrag_reads > 0
    assert namespace.storage.logs[0].free >= free_before
    namespace.storage.close()
    again = a_namespace(paths[:1], segments=12)
    assert again.object_count() == 1500
    again.storage.close()


def test_a_full_device_stops_writes_before_it_runs_out(paths: list[Path]) -> None:
    namespace = a_namespace(paths[:1], segments=6)
    number = 0
    while not namespace.stop_writes:
        namespace.put(a_blob(number, size=100_000))
        number += 1
    assert 30 < number < 60
    namespace.storage.close()


def test_a_torn_record_ends_its_segment_and_nothing_else(paths: list[Path]) -> None:
    namespace = a_namespace(paths[:1])
    for number in range(50):
        namespace.put(a_blob(number))
    namespace.storage.close()
    image = bytearray(paths[0].read_bytes())
    image[HEADER_SIZE_BYTES + 2000] ^= 0xFF
    paths[0].write_bytes(image)
    again = a_namespace(paths[:1])
    assert 0 < again.object_count() < 50
    again.storage.close()


def test_one_missing_volume_starts_silently_with_part_of_the_data(paths: list[Path]) -> None:
    namespace = a_namespace(paths)
    for number in range(400):
        namespace.put(a_blob(number))
    namespace.storage.close()
    paths[1].unlink()
    half = a_namespace(paths)
    assert 100 < half.object_count() < 300
    half.storage.close()


def test_volumes_of_two_lifetimes_are_refused(paths: list[Path]) -> None:
    a_namespace(paths).storage.close()
    copies = crash_copy(paths)
    a_namespace(paths).storage.close()
    with pytest.raises(HeaderError, match="different signatures"):
        a_namespace([copies[0], paths[1]])


def test_idle_counters_stand_still(paths: list[Path]) -> None:
    namespace = a_namespace(paths, flush_max_ms=5)
    namespace.put(a_blob(1))
    wait_flushed(namespace)
    before = [(d.writes, d.partial_writes) for d in namespace.storage.logs]
    time.sleep(0.1)
    assert [(d.writes, d.partial_writes) for d in namespace.storage.logs] == before
    assert sum(partial for _, partial in before) == 1
    namespace.storage.close()


def test_cold_start_empty_starts_with_nothing(paths: list[Path]) -> None:
    namespace = a_namespace(paths)
    namespace.put(a_blob(1))
    namespace.storage.close()
    again = a_namespace(paths, cold_start_empty=True)
    assert again.object_count() == 0
    again.storage.close()


def test_a_cold_start_reads_the_shadow_and_not_the_device(tmp_path: Path) -> None:
    device, shadow = tmp_path / "nvme", tmp_path / "ebs"
    for path in (device, shadow):
        with path.open("wb") as file:
            file.truncate(HEADER_SIZE_BYTES + 16 * SEGMENT_BYTES)
    volume = VolumeConf(str(device), str(shadow), is_file=False)
    conf = NamespaceConf("raw", "device", (volume,), 0, 0, {})
    namespace = Namespace(conf, log=lambda _: None)
    namespace.put(a_blob(1))
    namespace.storage.close()
    device.write_bytes(bytes(device.stat().st_size))  # a new instance has blank local disks
    again = Namespace(conf, log=lambda _: None)
    assert again.object_count() == 1
    again.storage.close()
