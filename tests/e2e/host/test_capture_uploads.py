"""Capture: report what was copied aside, upload exactly that with exactly the given headers, and nothing else."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.host.a_host import SMD, Host


class Store:
    """Takes PUTs and serves one list, as a bucket with presigned addresses would."""

    def __init__(self) -> None:
        self.uploads: list[dict[str, object]] = []
        self.taken: dict[str, tuple[bytes, dict[str, str]]] = {}
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(store.uploads).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                there = self.path in store.taken
                store.taken.setdefault(self.path, (body, {k.lower(): v for k, v in self.headers.items()}))
                self.send_response(412 if there else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self.server.shutdown()
            self.server.server_close()
            self._thread.join()


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


def test_without_a_write_stop_the_copy_is_made_now(host: Host) -> None:
    code, result = host.call("capture", Run="r1", Uploads="report")
    assert code == 0
    smd = next(file for file in result["files"] if file["name"] == "smd/sindex.smd")
    assert smd == {"name": "smd/sindex.smd", "size": len(SMD), "sha256": hashlib.sha256(SMD.encode()).hexdigest()}
    assert host.call("capture", Run="r1", Uploads="report")[1]["files"] == result["files"]


def test_after_a_write_stop_the_copy_of_the_window_is_reported(host: Host) -> None:
    host.stop()
    evidence = host.evidence()
    (host.work / "smd" / "sindex.smd").write_text("[[99,9]]")
    assert host.call("capture", Run="r1", Uploads="report")[1]["files"] == evidence["aside"]["files"]


def test_uploads_carry_exactly_the_given_headers(host: Host, store: Store) -> None:
    host.call("capture", Run="r1", Uploads="report")
    headers = {"Content-Type": "application/json", "x-amz-checksum-sha256": "abc=", "If-None-Match": "*"}
    store.uploads = [
        {"name": "smd/sindex.smd", "url": f"{store.url}/a?X-Amz-Signature=1", "headers": headers},
        {"name": "conf/aerospike.conf", "url": f"{store.url}/b", "headers": {}},
    ]
    for status in (200, 412):
        code, result = host.call("capture", Run="r1", Uploads=f"{store.url}/list")
        assert code == 0
        assert result["uploaded"] == [{"name": upload["name"], "status": status} for upload in store.uploads]
    body, sent = store.taken["/a?X-Amz-Signature=1"]
    assert body == SMD.encode()
    assert {name: sent[name.lower()] for name in headers} == headers
    assert store.taken["/b"][0] == host.conf.read_bytes()
    assert store.taken["/b"][1]["content-type"] == "application/octet-stream"


def test_only_reported_files_can_be_uploaded(host: Host, store: Store) -> None:
    host.call("capture", Run="r1", Uploads="report")
    store.uploads = [{"name": "../../../../../etc/shadow", "url": f"{store.url}/x", "headers": {}}]
    code, result = host.call("capture", Run="r1", Uploads=f"{store.url}/list")
    assert (code, result["error"]["code"]) == (3, "not_captured")
    assert store.taken == {}


def test_an_unreachable_store_is_not_now_and_its_address_stays_secret(host: Host, store: Store) -> None:
    url = f"{store.url}/list?X-Amz-Signature=secret"
    store.close()
    code, result = host.call("capture", Run="r1", Uploads=url)
    assert (code, result["error"]["code"]) == (5, "list_unreachable")
    assert "secret" not in json.dumps(result)


def test_a_link_in_the_smd_folder_leads_nowhere(host: Host, folder: Path) -> None:
    secret = folder / "secret"
    secret.write_text("[[1,1]]")
    (host.work / "smd" / "roster.smd").symlink_to(secret)
    code, result = host.call("capture", Run="r1", Uploads="report")
    assert (code, result["error"]["code"]) == (3, "not_captured")


def test_a_torn_smd_file_is_told_and_not_captured(host: Host) -> None:
    (host.work / "smd" / "sindex.smd").write_text(SMD[:-3])
    assert host.call("capture", Run="r1", Uploads="report")[1]["error"]["code"] == "not_captured"
    host.stop()
    evidence = host.evidence()
    assert [file["name"] for file in evidence["aside"]["files"]] == ["conf/aerospike.conf"]
    assert [error["act"] for error in evidence["errors"]] == ["aside"]


def test_more_metadata_than_can_be_held_is_cut_off_and_said_so(host: Host) -> None:
    big = '[[1,1],{"key":"k","value":"' + "v" * (33 * 1024 * 1024) + '","generation":1,"timestamp":1}]'
    (host.work / "smd" / "UDF.smd").write_text(big)
    result = host.call("capture", Run="r1", Uploads="report")[1]
    assert result["truncated"]
    assert [file["name"] for file in result["files"]] == ["conf/aerospike.conf", "smd/sindex.smd"]
