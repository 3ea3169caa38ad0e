"""Stage: looked at before anything is changed, idempotent, and taken back from wherever it was cut short."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.device_headers import a_header, written
from tests.e2e.host.a_host import MAIN, MODULE, NODE, SMD, Answer, Host
from tests.e2e.host.a_service import Service
from tests.e2e.host.a_store import FileStore
from tests.e2e.host.loop_filesystem import LoopFilesystem

WAITED_FOR = "nofail,x-systemd.before=aerospike.service"
CUT_AT = 1763900000.0
EVERY = 3
"""Every third change is killed at; 1 kills at each (four minutes)."""
RANDOM = 0xABCDEF
VOLUMES = ("vol-0a", "vol-0b")
NEW_SMD = b'[[97,5],{"key":"test|demo|s|.|S","value":"idx_s","generation":1,"timestamp":1}]'
LATE = b'[[97,5],{"key":"raw","value":"501600000000","generation":1,"timestamp":1}]'
DIES_AT = """
import os, runpy, sys
left = int(sys.argv.pop(1))
def dying(name):
    real = getattr(os, name)
    def act(*words, **more):
        global left
        if name == "open" and not words[1] & os.O_WRONLY:
            return real(*words, **more)
        left -= 1
        if left < 0:
            os._exit(9)
        return real(*words, **more)
    setattr(os, name, act)
for name in ("rename", "unlink", "mkdir", "rmdir", "open", "chmod"):
    dying(name)
sys.path.insert(0, {node!r})
runpy.run_module({module!r}, run_name={main!r})
"""


class Staged:
    """A masked host whose namespace ``raw`` is on two devices that just came from snapshots."""

    def __init__(self, host: Host, service: Service, store: FileStore) -> None:
        self.host = host
        self.service = service
        self.store = store
        dev = host.root / "dev"
        (dev / "disk/by-id").mkdir(parents=True)
        for index, volume in enumerate(VOLUMES):
            (dev / f"nvme{index + 1}n1").write_bytes(written(a_header(namespace="raw", random=RANDOM, device_id=index)))
            self.attach(volume, f"nvme{index + 1}n1")
        self.paths = [str(dev / "nvme1n1"), str(dev / "nvme2n1")]
        devices = "".join(f"  device {path}\n" for path in self.paths)
        self.text = (
            f"service {{\n node-id A1\n work-directory {host.work}\n}}\n"
            f"network {{\n service {{\n  address 127.0.0.1\n  port {host.server.port}\n }}\n}}\n"
            f"namespace raw {{\n storage-engine device {{\n{devices} }}\n}}\n"
        )
        service.conf.write_text(self.text.replace("node-id A1", "node-id B7"))
        service.conf.chmod(0o640)
        service.systemctl("mask", "aerospike.service")

    @property
    def fstab(self) -> Path:
        return self.host.root / "etc/fstab"

    def link(self, volume: str) -> Path:
        return self.host.root / f"dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}"

    def attach(self, volume: str, name: str) -> None:
        self.link(volume).unlink(missing_ok=True)
        self.link(volume).symlink_to(f"../../{name}")

    def spec(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
        spec: dict[str, Any] = {
            "node_id": "A1",
            "volumes": [{"volume_id": volume, "mount": None} for volume in VOLUMES],
            "devices": [
                {"namespace": "raw", "path": path, "role": "device", "volume_id": volume}
                for path, volume in zip(self.paths, VOLUMES, strict=True)
            ],
            "sets": [
                {"namespace": "raw", "n_devices": 2, "random": f"{RANDOM:016x}", "version": 4, "blank": False}
            ],
            "smd": {"action": "replace", "files": [self.store.file("sindex.smd", NEW_SMD)]},
            "conf": {"action": "replace", "files": [self.store.file("aerospike.conf", self.text.encode())]},
            "first_start": {"reject_writes": ["raw"], "cold_start_empty": []},
            "cut_at": CUT_AT,
            "clock_error_s": 1.0,
        }  # fmt: skip
        return {**spec, **changes}

    def stage(self, **changes: Any) -> Answer:  # noqa: ANN401 - any field
        return self.host.call("stage", Run="r1", Spec=self.store.order(self.spec(**changes)))

    def back(self) -> dict[str, Any]:
        code, result = self.host.call("stage", Run="r1", Spec="back")
        assert code == 0, result
        assert not result["staged"]
        return result

    def refusal(self, **changes: Any) -> tuple[int, str]:  # noqa: ANN401 - any field
        """Stage, which must be refused with nothing changed."""
        before = self.look()
        code, result = self.stage(**changes)
        assert not result["ok"]
        assert "secret" not in json.dumps(result)
        assert self.look() == before
        return code, str(result["error"]["code"])

    def look(self) -> dict[str, bytes | str]:
        """Everything on the host but what is gone after a reboot."""
        found: dict[str, bytes | str] = {}
        for path in sorted(self.host.root.rglob("*")):
            name = str(path.relative_to(self.host.root))
            if name.split("/", maxsplit=1)[0] in ("run", "systemd", "proc", "bin") or path.is_dir():
                continue
            found[name] = str(path.readlink()) if path.is_symlink() else path.read_bytes()
        return found


@pytest.fixture
def staged(host: Host, service: Service, store: FileStore) -> Staged:
    return Staged(host, service, store)


def test_a_host_is_made_ready_for_a_guarded_cold_start(host: Host, service: Service, staged: Staged) -> None:
    code, result = staged.stage()
    assert code == 0, result
    assert result["staged"]
    assert result["conf_path"] == str(service.conf)
    assert result["rewritten"] == {}
    assert result["clock"]["synchronised"]
    assert [result["headers"][path]["random"] for path in staged.paths] == [f"{RANDOM:016x}"] * 2
    assert service.conf.read_text() == staged.text
    assert service.conf.stat().st_mode & 0o777 == 0o640
    assert "node-id B7" in service.conf.with_name("aerospike.conf.aerokeep-r1").read_text()
    assert (host.work / "smd/sindex.smd").read_bytes() == NEW_SMD
    assert (host.work / "smd.aerokeep-r1/sindex.smd").read_text() == SMD
    assert "reject-non-xdr-writes" not in service.conf.read_text()
    assert service.masked
    after = staged.look()
    assert staged.stage()[1]["headers"] == result["headers"]
    assert staged.look() == after
    code, started = host.call("start", Run="r1", Mode="first")
    assert (code, started["state"], started["cold_start"]) == (0, "ready", True)
    assert started["conf"] == str(service.first_conf)
    assert "reject-non-xdr-writes true" in service.first_conf.read_text()


def test_devices_under_other_names_are_named_by_their_volumes(service: Service, staged: Staged) -> None:
    staged.attach(VOLUMES[0], "nvme2n1")
    staged.attach(VOLUMES[1], "nvme1n1")
    _, result = staged.stage()
    links = [str(staged.link(volume)) for volume in VOLUMES]
    assert result["rewritten"] == dict(zip(staged.paths, links, strict=True))
    assert [line.split()[1] for line in service.conf.read_text().splitlines() if "device /" in line] == links
    assert service.first_conf.read_text().count("by-id") == 2
    assert staged.stage()[1]["rewritten"] == result["rewritten"]


def test_a_kept_conf_gets_its_node_id_and_its_own_names(service: Service, staged: Staged) -> None:
    _, result = staged.stage(conf={"action": "keep", "files": []})
    assert result["staged"]
    assert service.conf.read_text() == staged.text.replace(" node-id", "    node-id")
    staged.back()
    assert "node-id B7" in service.conf.read_text()


def test_a_replaced_node_starts_with_no_smd_and_without_a_guard(host: Host, service: Service, staged: Staged) -> None:
    assert staged.stage()[0] == 0  # an earlier try, with settings
    smd = {"action": "clear", "files": []}
    code, result = staged.stage(smd=smd, first_start=None, cut_at=None, clock_error_s=None)
    assert code == 0, result
    assert list((host.work / "smd").iterdir()) == []
    assert not service.drop_in.exists()
    assert not service.first_conf.exists()
    code, started = host.call("start", Run="r1", Mode="normal")
    assert (code, started["state"], started["cold_start"]) == (0, "ready", False)


def test_empty_devices_must_be_empty(host: Host, staged: Staged) -> None:
    sets = [{"namespace": "raw", "n_devices": 2, "random": None, "version": None, "blank": True}]
    assert staged.refusal(sets=sets) == (3, "not_blank")
    for path in staged.paths:
        Path(path).write_bytes(bytes(9 << 20))
    assert staged.stage(sets=sets)[1]["headers"] == {}
    assert host.call("start", Run="r1", Mode="first")[1]["state"] == "ready"


# -- refusals, with nothing changed --------------------------------------------------------------------------------


def rewrite(staged: Staged, **changes: Any) -> None:  # noqa: ANN401 - any field
    header = a_header(namespace="raw", random=RANDOM, device_id=1)
    Path(staged.paths[1]).write_bytes(written(a_header(**{**vars(header), **changes})))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"namespace": "other"}, "namespace_differs"),
        ({"random": 5}, "set_mixed"),
        ({"version": 3}, "version_differs"),
        ({"n_devices": 3}, "set_incomplete"),
        ({"device_id": 0}, "set_incomplete"),
    ],
)
def test_a_wrong_device_is_refused_before_anything_changes(staged: Staged, changes: dict[str, Any], code: str) -> None:
    rewrite(staged, **changes)
    assert staged.refusal() == (3, code)


def test_a_blank_or_foreign_device_is_refused_before_anything_changes(staged: Staged) -> None:
    Path(staged.paths[1]).write_bytes(bytes(1 << 20))
    assert staged.refusal() == (3, "header_blank")
    Path(staged.paths[1]).write_bytes(b"ext4" * 65536)
    assert staged.refusal() == (3, "header_bad_magic")


def test_a_volume_that_is_not_attached_is_not_now(staged: Staged) -> None:
    staged.link(VOLUMES[1]).unlink()
    assert staged.refusal() == (5, "device_missing")


def test_a_clock_that_may_be_wrong_is_not_now(host: Host, staged: Staged) -> None:
    host.set_clock(leap="Not synchronised")
    assert staged.refusal() == (5, "clock_unsynchronised")
    host.set_clock(offset_s=-50.0)
    assert staged.refusal() == (5, "clock_unsynchronised")
    assert staged.stage(clock_error_s=None)[0] == 0


def test_smd_is_judged_before_anything_changes(staged: Staged) -> None:
    def with_smd(name: str, content: bytes) -> dict[str, Any]:
        return {"action": "replace", "files": [staged.store.file(name, content)]}

    assert staged.refusal(smd=with_smd("truncate.smd", LATE)) == (3, "threshold_after_cut")
    assert staged.refusal(smd=with_smd("sindex.smd", NEW_SMD[:-3])) == (3, "smd_invalid")
    assert staged.stage(smd=with_smd("truncate.smd", LATE), cut_at=CUT_AT + 1e6)[0] == 0


def test_what_is_not_as_described_or_cannot_be_fetched_is_not_put_in_place(staged: Staged) -> None:
    file = staged.store.file("sindex.smd", NEW_SMD)
    wrong = {"action": "replace", "files": [{**file, "sha256": "0" * 64}]}
    assert staged.refusal(smd=wrong) == (3, "checksum_differs")
    gone = {"action": "replace", "files": [{**file, "url": f"{staged.store.url}/none?secret", "name": "UDF.smd"}]}
    assert staged.refusal(smd=gone) == (5, "download_failed")
    code, result = staged.host.call("stage", Run="r1", Spec=f"{staged.store.url}/none")
    assert (code, result["error"]["code"]) == (5, "download_failed")


def test_addresses_that_expired_after_the_first_call_are_not_needed_again(staged: Staged) -> None:
    spec = staged.spec()
    assert staged.stage(**spec)[0] == 0
    staged.store.content.clear()
    code, _ = staged.host.call("stage", Run="r1", Spec=staged.store.order(spec))
    assert code == 0


def test_a_conf_that_would_harm_the_devices_is_not_put_in_place(staged: Staged) -> None:
    def with_conf(text: str) -> dict[str, Any]:
        return {"action": "replace", "files": [staged.store.file("aerospike.conf", text.encode())]}

    emptied = staged.text.replace("storage-engine device {", "storage-engine device {\n cold-start-empty true")
    assert staged.refusal(conf=with_conf(emptied)) == (3, "cold_start_empty_on_disk")
    fewer = staged.text.replace(f"  device {staged.paths[1]}\n", "")
    assert staged.refusal(conf=with_conf(fewer)) == (3, "conf_differs")
    assert staged.refusal(first_start={"reject_writes": ["other"], "cold_start_empty": []}) == (3, "namespace_unknown")


def test_a_running_or_unmasked_server_is_left_alone(service: Service, staged: Staged) -> None:
    service.systemctl("unmask", "aerospike.service")
    assert staged.refusal() == (3, "not_masked")
    service.systemctl("start", "aerospike.service")
    assert staged.refusal() == (3, "asd_running")
    code, result = staged.host.call("stage", Run="r1", Spec="back")
    assert (code, result["error"]["code"]) == (3, "asd_running")


def test_an_order_with_an_unknown_word_is_refused(staged: Staged) -> None:
    assert staged.refusal(wipe=True) == (3, "spec_invalid")


# -- back ----------------------------------------------------------------------------------------------------------


def test_back_puts_everything_back_and_leaves_the_unit_masked(service: Service, staged: Staged) -> None:
    before = staged.look()
    staged.stage()
    assert staged.back()["put_back"] == ["first_start", "smd", "conf"]
    assert staged.look() == before
    assert service.masked
    assert staged.back()["put_back"] == []
    assert staged.host.call("start", Run="r1", Mode="normal")[1]["state"] == "ready"


def test_back_leaves_what_another_run_put_aside(host: Host, staged: Staged) -> None:
    staged.stage()
    code, result = host.call("stage", Run="r2", Spec="back")
    assert (code, result["put_back"]) == (0, ["first_start"])
    assert (host.work / "smd/sindex.smd").read_bytes() == NEW_SMD


def test_a_work_directory_that_only_the_new_conf_names_is_put_back_too(host: Host, staged: Staged) -> None:
    other = host.root / "opt2"
    staged.text = staged.text.replace(str(host.work), str(other))
    before = staged.look()
    staged.stage()
    assert (other / "smd/sindex.smd").exists()
    staged.back()
    assert staged.look() == before


def dying(staged: Staged, after: int, spec: str) -> int:
    """Call stage so that it is killed at its n-th change; its exit code."""
    code = DIES_AT.format(node=str(NODE), module=MODULE, main=MAIN)
    return subprocess.run(
        [sys.executable, "-I", "-c", code, str(after), "stage"],
        env={**staged.host.environment, "SSM_Run": "r1", "SSM_Spec": spec},
        capture_output=True, timeout=60, check=False,
    ).returncode  # fmt: skip


@pytest.fixture(params=["raw", pytest.param("mounted", marks=pytest.mark.root)])
def whole_spec(request: pytest.FixtureRequest, staged: Staged) -> dict[str, Any]:
    """An order for raw devices alone, and one that also mounts a filesystem and changes fstab for it."""
    if request.param == "raw":
        return staged.spec()
    request.getfixturevalue("free_loop")
    spec: dict[str, Any] = request.getfixturevalue("on_filesystem")
    sysfs_of(staged)
    staged.fstab.write_text("/dev/nvme9n1 {} ext4 noatime 0 2\n".format(spec["volumes"][-1]["mount"]["point"]))
    return spec


@pytest.mark.sampled
def test_stage_killed_at_any_change_can_be_taken_back_or_done_again(
    service: Service, staged: Staged, whole_spec: dict[str, Any]
) -> None:
    before = staged.look()
    assert staged.stage(**whole_spec)[0] == 0
    done = staged.look()
    staged.back()
    address = staged.store.order(whole_spec)
    for after in range(0, 200, EVERY):
        if dying(staged, after, address) == 0:
            break
        assert service.masked
        if after % 2:
            assert staged.stage(**whole_spec)[0] == 0
            assert staged.look() == done, f"done again after {after} changes"
        staged.back()
        assert staged.look() == before, f"taken back after {after} changes"
    assert 20 < after < 190


@pytest.mark.sampled
def test_back_killed_at_any_change_can_be_called_again(
    service: Service, staged: Staged, whole_spec: dict[str, Any]
) -> None:
    before = staged.look()
    for after in range(0, 200, EVERY):
        assert staged.stage(**whole_spec)[0] == 0
        code = dying(staged, after, "back")
        staged.back()
        assert service.masked
        assert staged.look() == before, f"after {after} changes"
        if code == 0:
            break
    assert 5 < after < 190


# -- filesystems ---------------------------------------------------------------------------------------------------


@pytest.fixture
def on_filesystem(staged: Staged, filesystem: LoopFilesystem) -> dict[str, Any]:
    """The volume of ``test``, whose file lies on a filesystem of its own, not mounted now."""
    host = staged.host
    (filesystem.mount_point / "test.dat").write_bytes(written(a_header(n_devices=1, random=9)))
    subprocess.run(["umount", str(filesystem.mount_point)], check=True)
    loop = subprocess.run(
        ["losetup", "--find", "--show", str(filesystem.image)], check=True, capture_output=True, text=True
    ).stdout.strip()
    staged.link("vol-0c").symlink_to(loop)
    (host.root / "proc/self/mountinfo").unlink()
    (host.root / "proc/self/mountinfo").symlink_to("/proc/self/mountinfo")
    point = str(filesystem.mount_point)
    staged.text += f"namespace test {{\n storage-engine device {{\n  file {point}/test.dat\n  filesize 16M\n }}\n}}\n"
    spec = staged.spec()
    mount = {"point": point, "fs_type": "ext4", "options": "rw,noatime"}
    spec["volumes"].append({"volume_id": "vol-0c", "mount": mount})
    spec["devices"].append({"namespace": "test", "path": f"{point}/test.dat", "role": "file", "volume_id": "vol-0c"})
    wanted = {"namespace": "test", "n_devices": 1, "random": f"{9:016x}", "version": 4, "blank": False}
    spec["sets"].append(wanted)
    return spec


@pytest.fixture
def free_loop(staged: Staged) -> Iterator[None]:
    yield
    if staged.link("vol-0c").is_symlink():
        subprocess.run(["losetup", "--detach", str(staged.link("vol-0c").readlink())], check=True)


def sysfs_of(staged: Staged) -> None:
    """Let the private tree's sysfs tell that volume by the loop device's number, as the NVMe serial would."""
    loop = staged.link("vol-0c").readlink()
    number = Path(f"/sys/block/{loop.name}/dev").read_text().strip()
    device = staged.host.root / "sys/devices" / loop.name
    (device / "device").mkdir(parents=True)
    (device / "device/model").write_text("Amazon Elastic Block Store\n")
    (device / "device/serial").write_text("vol0c\n")
    (staged.host.root / "sys/dev/block").mkdir(parents=True)
    (staged.host.root / f"sys/dev/block/{number}").symlink_to(device)


@pytest.mark.usefixtures("free_loop")
def test_a_filesystem_is_mounted_checked_and_after_a_stop_mounted_back(
    staged: Staged, filesystem: LoopFilesystem, on_filesystem: dict[str, Any]
) -> None:
    sysfs_of(staged)
    host, point = staged.host, filesystem.mount_point
    for _ in range(2):
        code, result = staged.stage(**on_filesystem)
        assert code == 0, result
        assert result["headers"][f"{point}/test.dat"]["random"] == f"{9:016x}"
        assert point.is_mount()
    mounted = next(line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f" {point} " in line)
    assert "noatime" in mounted
    assert host.call("stop", Run="r1", Unmount=str(point))[1]["state"] == "stopped"
    assert not point.is_mount()
    assert f"mount:{point}" in staged.back()["put_back"]
    assert point.is_mount()
    assert staged.back()["put_back"] == []
    assert host.call("stop", Run="r1", Unmount=str(point))[1]["state"] == "stopped"
    staged.link("vol-0c").rename(host.root / "dev/elsewhere")
    assert staged.back()["not_mounted"] == [str(point)]
    (host.root / "dev/elsewhere").rename(staged.link("vol-0c"))
    staged.back()


@pytest.mark.usefixtures("free_loop")
def test_a_wrong_file_on_the_filesystem_is_refused_with_smd_and_conf_untouched(
    staged: Staged, filesystem: LoopFilesystem, on_filesystem: dict[str, Any]
) -> None:
    sysfs_of(staged)
    on_filesystem["sets"][1]["random"] = f"{8:016x}"
    try:
        assert staged.refusal(**on_filesystem) == (3, "set_mixed")
        on_filesystem["sets"][1]["random"] = None
        (filesystem.mount_point / "test.dat").write_bytes(written(a_header(n_devices=1)) + bytes(17 << 20))
        assert staged.refusal(**on_filesystem) == (3, "filesize_too_small")
    finally:
        filesystem_stays_for_its_own_clean_up = filesystem.mount_point.is_mount()
    assert filesystem_stays_for_its_own_clean_up


@pytest.mark.usefixtures("free_loop")
def test_another_filesystem_at_the_point_is_never_started_on(
    staged: Staged, filesystem: LoopFilesystem, on_filesystem: dict[str, Any]
) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "aerokeep-test", str(filesystem.mount_point)], check=True)
    assert staged.refusal(**on_filesystem) == (3, "mount_failed")


# -- after a later boot --------------------------------------------------------------------------------------------


def uuid_of(filesystem: LoopFilesystem) -> str:
    command = ["blkid", "-c", "/dev/null", "-o", "value", "-s", "UUID", str(filesystem.image)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.usefixtures("free_loop")
def test_a_host_without_fstab_gets_one_that_mounts_the_filesystem_again(
    staged: Staged, filesystem: LoopFilesystem, on_filesystem: dict[str, Any]
) -> None:
    sysfs_of(staged)
    before, point = staged.look(), filesystem.mount_point
    for _ in range(2):
        assert staged.stage(**on_filesystem)[0] == 0
        assert staged.fstab.read_text() == f"UUID={uuid_of(filesystem)} {point} ext4 noatime,{WAITED_FOR} 0 2\n"
    subprocess.run(["umount", str(point)], check=True)
    subprocess.run(["mount", "--fstab", str(staged.fstab), str(point)], check=True)
    assert staged.stage(**on_filesystem)[0] == 0
    assert staged.back()["put_back"] == ["first_start", "fstab", "smd", "conf"]
    assert staged.look() == before


@pytest.mark.usefixtures("free_loop")
def test_an_entry_by_the_name_of_another_day_is_led_to_the_volume_and_the_former_one_kept(
    staged: Staged, filesystem: LoopFilesystem, on_filesystem: dict[str, Any]
) -> None:
    sysfs_of(staged)
    loop, point = staged.link("vol-0c").readlink(), filesystem.mount_point
    former = f"# ours\nLABEL=/ / xfs defaults 0 1\n{loop}\t{point} ext4  discard 0 0\n".encode() + b"# caf\xe9"
    staged.fstab.write_bytes(former)
    staged.fstab.chmod(0o600)
    for _ in range(2):
        assert staged.stage(**on_filesystem)[0] == 0
        assert staged.fstab.read_bytes() == former.replace(str(loop).encode(), f"UUID={uuid_of(filesystem)}".encode())
        assert staged.fstab.with_name("fstab.aerokeep-r1").read_bytes() == former
        assert staged.fstab.stat().st_mode & 0o777 == 0o600
    assert "fstab" in staged.back()["put_back"]
    assert staged.fstab.read_bytes() == former


@pytest.mark.usefixtures("free_loop")
@pytest.mark.parametrize("by", ["UUID", "by-id"])
def test_an_entry_that_leads_to_the_volume_is_left_alone(
    staged: Staged, filesystem: LoopFilesystem, on_filesystem: dict[str, Any], by: str
) -> None:
    sysfs_of(staged)
    source = f"UUID={uuid_of(filesystem)}" if by == "UUID" else f"/dev/disk/by-id/{staged.link('vol-0c').name}"
    former = f"{source} {filesystem.mount_point} ext4 defaults 0 2"
    staged.fstab.write_text(former)
    assert staged.stage(**on_filesystem)[0] == 0
    assert staged.fstab.read_text() == former
    assert "fstab" not in staged.back()["put_back"]


@pytest.mark.usefixtures("free_loop")
def test_without_blkid_the_filesystem_is_named_by_its_volume(
    staged: Staged, filesystem: LoopFilesystem, on_filesystem: dict[str, Any]
) -> None:
    sysfs_of(staged)
    staged.host.program_on_path("blkid", "exit 127\n")
    assert staged.stage(**on_filesystem)[0] == 0
    name = staged.link("vol-0c").name
    assert (
        staged.fstab.read_text() == f"/dev/disk/by-id/{name} {filesystem.mount_point} ext4 noatime,{WAITED_FOR} 0 2\n"
    )


def test_a_host_without_filesystems_of_its_own_keeps_its_fstab(staged: Staged) -> None:
    staged.fstab.write_text("/dev/nvme1n1 /data ext4 defaults 0 2")
    assert staged.stage()[0] == 0
    assert [path.name for path in staged.fstab.parent.glob("fstab*")] == ["fstab"]
    assert staged.fstab.read_text() == "/dev/nvme1n1 /data ext4 defaults 0 2"
