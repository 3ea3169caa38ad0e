"""Volumes keep their bytes wherever they go, and nodes see them as on EC2."""

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sandbox.dataplane import DataPlane, DataPlaneError, choose

NODE, OTHER = "i-0aaaaaaaaaaaaaaa1", "i-0bbbbbbbbbbbbbbb1"
ROOT, DATA = "vol-0aaaaaaaaaaaaaaa0", "vol-0aaaaaaaaaaaaaaa1"
REPOSITORY = Path(__file__).parents[3]


def out(plane: DataPlane, node: str, *argv: str) -> str:
    done = plane.spawn(node, argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    words = done.communicate()[0].decode().strip()
    assert done.returncode == 0, words
    return words


def a_node(plane: DataPlane, node: str = NODE, *, index: int = 0) -> None:
    plane.add_node(node, private_ip=plane.node_ip(index))


def write_data(plane: DataPlane, device: str, text: str) -> None:
    script = f"import os; fd = os.open({device!r}, os.O_WRONLY | os.O_SYNC); os.pwrite(fd, {text.encode()!r}, 8192)"
    out(plane, NODE, sys.executable, "-c", script)


def test_a_volume_from_a_snapshot_has_its_bytes_and_a_write_after_the_cut_is_not_in_it(plane: DataPlane) -> None:
    a_node(plane)
    plane.create_volume(DATA, size_bytes=64 << 20)
    assert plane.attach(DATA, NODE, device="/dev/sdf") == "/dev/nvme1n1"
    device = plane.device_path(NODE, "/dev/sdf")
    write_data(plane, device, "before")
    plane.cut(NODE, {DATA: "snap-1"})
    write_data(plane, device, "behind")
    assert plane.read_snapshot("snap-1", offset=8192, length=6) == b"before"
    plane.copy_snapshot("snap-1", "snap-copy")
    plane.create_volume("vol-2", size_bytes=128 << 20, snapshot_id="snap-1")
    plane.delete_snapshot("snap-1")
    assert plane.read_snapshot("snap-copy", offset=8192, length=6) == b"before"
    plane.cut_volume("vol-2", "snap-2")
    assert plane.read_snapshot("snap-2", offset=8192, length=6) == b"before"
    assert plane.read_snapshot("snap-2", offset=127 << 20, length=4096) == bytes(4096)


def test_a_volume_moves_with_its_bytes_from_node_to_node(plane: DataPlane) -> None:
    a_node(plane)
    a_node(plane, OTHER, index=1)
    plane.create_volume(DATA, size_bytes=64 << 20)
    plane.attach(DATA, NODE, device="/dev/sdf")
    write_data(plane, plane.device_path(NODE, "/dev/sdf"), "moves")
    with pytest.raises(DataPlaneError, match="volume_in_use"):
        plane.attach(DATA, OTHER, device="/dev/sdf")
    plane.detach(DATA)
    plane.detach(DATA)
    plane.attach(DATA, OTHER, device="/dev/sdg")
    there = plane.device_path(OTHER, "/dev/sdg")
    assert out(plane, OTHER, "sh", "-c", f"tail -c +8193 {there} | head -c 5") == "moves"


def test_power_loss_detaches_all_volumes_with_what_was_written_through(plane: DataPlane) -> None:
    a_node(plane)
    for volume, device in ((ROOT, "/dev/xvda"), (DATA, "/dev/sdf")):
        plane.create_volume(volume, size_bytes=128 << 20)
        plane.attach(volume, NODE, device=device, root=volume == ROOT)
    (plane.host_dir(NODE) / "aerospike.conf").write_text("service {}\n")
    assert out(plane, NODE, "cat", f"{plane.seen_as(NODE)}/aerospike.conf") == "service {}"
    out(plane, NODE, "sync", "-f", plane.seen_as(NODE))
    write_data(plane, plane.device_path(NODE, "/dev/sdf"), "kept")
    sleeper = plane.spawn(NODE, ["sleep", "600"])
    plane.remove_node(NODE)
    assert sleeper.wait(timeout=5) != 0
    a_node(plane)
    plane.attach(ROOT, NODE, device="/dev/xvda", root=True)
    plane.attach(DATA, NODE, device="/dev/sdf")
    assert (plane.host_dir(NODE) / "aerospike.conf").read_text() == "service {}\n"
    plane.cut_volume(DATA, "snap-1")
    assert plane.read_snapshot("snap-1", offset=8192, length=4) == b"kept"


def test_links_by_id_name_the_volume_and_tell_instance_store_apart(plane: DataPlane) -> None:
    a_node(plane)
    plane.create_volume(DATA, size_bytes=64 << 20)
    plane.attach(DATA, NODE, device="/dev/sdf")
    store = plane.attach_instance_store(NODE, 64 << 20)
    assert store == "/dev/nvme2n1"
    listing = "cd $AEROKEEP_ROOT/dev/disk/by-id && for x in *; do echo $x $(readlink $x); done"
    links = dict(line.split() for line in out(plane, NODE, "sh", "-c", listing).splitlines())
    by_id = "nvme-Amazon_Elastic_Block_Store_vol0aaaaaaaaaaaaaaa1"
    assert links.pop(by_id) == "../../nvme1n1"
    [(name, target)] = links.items()
    assert name.startswith("nvme-Amazon_EC2_NVMe_Instance_Storage_AWS")
    assert target == "../../nvme2n1"
    same = f'[ {plane.device_path(NODE, "/dev/sdf")} -ef "$AEROKEEP_ROOT/dev/disk/by-id/{by_id}" ]'
    assert out(plane, NODE, "sh", "-c", same) == ""


def test_the_root_of_a_node_is_mounted_from_its_root_volume(plane: DataPlane) -> None:
    a_node(plane)
    plane.create_volume(ROOT, size_bytes=128 << 20)
    assert plane.attach(ROOT, NODE, device="/dev/xvda", root=True) == "/dev/nvme0n1"
    lines = out(plane, NODE, "sh", "-c", "cat $AEROKEEP_ROOT/proc/self/mountinfo").splitlines()
    [root] = [fields for fields in map(str.split, lines) if fields[4] == "/"]
    if plane.mode == "directory":
        assert root[-2] == "/dev/nvme0n1"
    else:
        number = out(plane, NODE, "stat", "-c", "%Hr:%Lr", "/dev/nvme0n1")
        assert root[2] == number
    with pytest.raises(DataPlaneError, match="root_in_use"):
        plane.detach(ROOT)


def test_a_process_of_a_node_is_seen_and_signalled_under_the_name_it_was_given(plane: DataPlane) -> None:
    a_node(plane)
    process = plane.spawn(NODE, ["asd", "60"], executable="/usr/bin/sleep")
    find = "cd $AEROKEEP_ROOT/proc; grep -alx 'asd.*' [0-9]*/cmdline | grep -c ."
    deadline = time.monotonic() + 5
    while Path(f"/proc/{process.pid}/cmdline").read_bytes() != b"asd\x0060\x00":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert out(plane, NODE, "bash", "-c", find) == "1"
    process.terminate()
    assert process.wait(timeout=5) == -15


def test_a_relay_and_a_client_reach_what_they_should(plane: DataPlane) -> None:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # http.server's word
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"region")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            a_node(plane)
            plane.relay(server.server_port)
            a_node(plane, OTHER, index=1)
            fetch = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{server.server_port}').read())"
            for node in (NODE, OTHER):
                assert out(plane, node, sys.executable, "-c", fetch) == "b'region'"
        finally:
            server.shutdown()
            thread.join()
    address = plane.node_ip(0)
    serve = f"import socket; s = socket.create_server(({address!r}, 3000)); c = s.accept()[0]; c.sendall(b'hello')"
    plane.spawn(NODE, [sys.executable, "-c", serve])
    reach = (
        "import socket, time\n"
        "for _ in range(200):\n"
        "    try:\n"
        f"        print(socket.create_connection(({address!r}, 3000), 2).recv(9)); break\n"
        "    except OSError:\n"
        "        time.sleep(0.02)\n"
    )
    client = plane.spawn_client([sys.executable, "-c", reach], stdout=subprocess.PIPE)
    assert client.communicate()[0] == b"b'hello'\n"


def test_what_is_asked_wrongly_is_refused_with_a_code(plane: DataPlane) -> None:
    a_node(plane)
    with pytest.raises(DataPlaneError, match="address_in_use"):
        plane.add_node(OTHER, private_ip=plane.node_ip(0))
    with pytest.raises(DataPlaneError, match="bad_address"):
        plane.add_node(OTHER, private_ip="192.0.2.1")
    with pytest.raises(DataPlaneError, match="bad_size"):
        plane.create_volume(DATA, size_bytes=1000)
    plane.create_volume(DATA, size_bytes=1 << 20)
    with pytest.raises(DataPlaneError, match="not_attached"):
        plane.cut(NODE, {DATA: "snap-1"})
    with pytest.raises(DataPlaneError, match="no_snapshot"):
        plane.create_volume("vol-2", size_bytes=1 << 20, snapshot_id="snap-9")
    plane.attach(DATA, NODE, device="/dev/sdf")
    with pytest.raises(DataPlaneError, match="volume_in_use"):
        plane.delete_volume(DATA)
    with pytest.raises(DataPlaneError, match="mode_unknown"):
        choose(mode="light")


def test_without_the_programs_the_probe_says_what_is_missing_and_directory_mode_is_chosen() -> None:
    script = (
        "import json; from sandbox.dataplane import choose, probe; plane = choose(); plane.start(); plane.close();"
        "print(json.dumps([probe().suffices, plane.mode, probe().missing, plane.shortcomings]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": "/nonexistent"},
        capture_output=True,
        check=True,
    )
    suffices, mode, missing, shortcomings = json.loads(done.stdout)
    assert not suffices
    assert mode == "directory"
    assert {"mkfs.xfs of xfsprogs", "ip of iproute2", "fsfreeze of util-linux"} <= set(missing)
    assert len(shortcomings) >= 3
