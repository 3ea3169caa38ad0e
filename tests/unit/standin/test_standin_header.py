"""Device headers have the real layout, and a set that does not belong together is refused in asd's words."""

import struct

import pytest

from sandbox.standin.header import HEADER_SIZE_BYTES, Header, HeaderError, decode, match


def a_header(**changes: object) -> Header:
    values: dict[str, object] = {"namespace": "raw", "device_count": 2, "random": 7, "flags": 0, "device_id": 0}
    return Header(**(values | changes))  # type: ignore[arg-type] # builder over plain values


def test_every_field_stands_where_the_real_server_puts_it() -> None:
    header = a_header(random=0x1122334455667788, flags=1, device_id=1)
    header.versions[3] = 0xABCDEF
    image = header.encode()
    assert image[:8] == bytes.fromhex("2203737572744943")
    assert struct.unpack_from("<I", image, 0x08) == (4,)
    assert image[0x0C:0x2C].rstrip(b"\0") == b"raw"
    assert struct.unpack_from("<I", image, 0x2C) == (2,)
    assert struct.unpack_from("<Q", image, 0x30) == (0x1122334455667788,)
    assert struct.unpack_from("<II", image, 0x38) == (1, 8 << 20)
    assert struct.unpack_from("<Q", image, 0x1000 + 3 * 16) == (0xABCDEF,)
    assert struct.unpack_from("<I", image, 0x11000) == (1,)


def test_a_header_comes_back_as_it_was_written() -> None:
    header = a_header(flags=1)
    header.versions[4095] = 5
    assert decode(header.encode(), path="/dev/x", namespace="raw") == header


def test_an_erased_device_is_fresh_and_foreign_content_is_refused() -> None:
    assert decode(bytes(HEADER_SIZE_BYTES), path="/dev/x", namespace="raw") is None
    foreign = bytes(4096) + b"ext4" + bytes(HEADER_SIZE_BYTES - 4100)
    with pytest.raises(HeaderError, match="/dev/x: not an Aerospike device but not erased"):
        decode(foreign, path="/dev/x", namespace="raw")


def test_a_device_of_another_namespace_is_refused() -> None:
    with pytest.raises(HeaderError, match="previous namespace raw now test"):
        decode(a_header().encode(), path="/dev/x", namespace="test")


def test_devices_of_different_lifetimes_are_refused() -> None:
    found = [("/dev/a", a_header(random=1)), ("/dev/b", a_header(random=2))]
    with pytest.raises(HeaderError, match="unmatched headers - devices /dev/a & /dev/b have different signatures"):
        match(found, namespace="raw")


def test_a_missing_member_goes_unnoticed_as_in_the_real_server() -> None:
    assert match([("/dev/a", a_header(device_count=2))], namespace="raw") is not None
    assert match([("/dev/a", None), ("/dev/b", a_header())], namespace="raw") is not None
