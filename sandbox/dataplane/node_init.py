"""First process of a node: builds the node's own root, /dev, /proc and /run on order, then reaps and waits.

Started as ``python -I node_init.py`` in new mount, PID, network and UTS namespaces. It reads one JSON order from
standard input (see `sandbox.dataplane.node_namespace.Node.boot`), answers ``booted`` or the reason why not.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import stat
import sys
from pathlib import Path
from typing import Any

MS_BIND, MS_REC, MS_NOSUID, MS_NODEV, MS_NOEXEC, MNT_DETACH = 4096, 16384, 2, 4, 8, 2
CHARACTER_DEVICES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
DEV_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
OWN_FOLDERS = ("boot", "dev", "etc", "media", "mnt", "opt", "proc", "run", "srv", "sys", "tmp", "var")
UNITS = "usr/lib/systemd/system"
ETC = (
    *("passwd", "group", "shadow", "nsswitch.conf", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime"),
    *("mke2fs.conf", "os-release", "protocols", "services", "resolv.conf", "alternatives"),
)
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: Path, kind: str | None, flags: int = 0, data: str | None = None) -> None:
    """Mount something, making the mount point first."""
    target.mkdir(parents=True, exist_ok=True)
    result = _libc.mount(
        source.encode(), os.fsencode(target), kind and kind.encode(), ctypes.c_ulong(flags), data and data.encode()
    )
    _check(result, f"mount {source} on {target}")


def bind(path: Path, root: Path) -> None:
    """Show a folder of the machine, with what is mounted in it, under the same path in the node."""
    mount(str(path), root / path.relative_to("/"), None, MS_BIND | MS_REC)


def mount_root_volume(device: str, name: str, root: Path) -> None:
    """Mount the root volume by the name it has in the node: mountinfo keeps the source as it was given."""
    number = Path(device).stat().st_rdev
    mount("aerokeep-dev", Path("/dev"), "tmpfs")  # seen by nobody else: this mount namespace is private
    os.mknod(f"/dev/{name}", stat.S_IFBLK | 0o600, number)
    mount(f"/dev/{name}", root, "ext4")


def build_root(root: Path, order: dict[str, Any]) -> None:
    """Mount the root volume (or a tmpfs) and lay the machine's programs into it."""
    if order["root_device"]:
        mount_root_volume(order["root_device"], order["root_name"], root)
    else:
        mount("aerokeep-root", root, "tmpfs", 0, "mode=755")
    for entry in sorted(Path("/").iterdir()):
        here = root / entry.name
        if entry.is_symlink():
            if not here.is_symlink():
                here.symlink_to(entry.readlink())
        elif entry.name in OWN_FOLDERS:
            here.mkdir(exist_ok=True)
        elif entry.is_dir() and entry.name != "lost+found":
            bind(entry, root)
    for path in order["binds"]:
        bind(Path(path), root)
    install_units(root / UNITS, order["units"])
    for name in ("var/lib", "var/log", "var/tmp", "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)


def install_units(folder: Path, units: dict[str, str]) -> None:
    """Show the unit files of the image's packages where the machine, whose /usr this is, has its own."""
    if folder.is_dir():
        mount("aerokeep-units", folder, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
        for name, text in units.items():
            (folder / name).write_text(text)


def build_etc(etc: Path, hostname: str) -> None:
    """Copy what programs need of /etc; the rest is the node's own."""
    for name in ETC:
        source, target = Path("/etc") / name, etc / name
        if target.exists() or not source.exists():
            continue
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copyfile(source, target)
    (etc / "hostname").write_text(hostname + "\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost {hostname}\n::1 localhost\n")


def build_kernel_trees(root: Path) -> None:
    """Mount /proc, /sys, /run and a private /dev."""
    mount("proc", root / "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("sysfs", root / "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("aerokeep-run", root / "run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    dev = root / "dev"
    mount("aerokeep-dev", dev, "tmpfs", MS_NOSUID, "mode=755")
    mount("devpts", dev / "pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    mount("aerokeep-shm", dev / "shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    os.umask(0)
    for name, minor in CHARACTER_DEVICES.items():
        os.mknod(dev / name, stat.S_IFCHR | 0o666, os.makedev(1, minor))
    os.mknod(dev / "tty", stat.S_IFCHR | 0o666, os.makedev(5, 0))
    os.umask(0o022)
    for name, target in DEV_LINKS.items():
        (dev / name).symlink_to(target)
    (dev / "disk/by-id").mkdir(parents=True)


def enter(root: Path) -> None:
    """Make ``root`` the root of this mount namespace and let the machine's go."""
    os.chdir(root)
    _check(_libc.pivot_root(b".", b"."), "pivot_root")  # both: the old root is stacked on the new one
    _check(_libc.umount2(b".", MNT_DETACH), "umount of the machine's root")
    os.chdir("/")


def boot(order: dict[str, Any]) -> None:
    """Build everything and move in."""
    root = Path(order["root"])
    build_root(root, order)
    build_etc(root / "etc", order["hostname"])
    build_kernel_trees(root)
    socket.sethostname(order["hostname"])
    enter(root)


def main() -> None:
    """Obey one order, then stay for the node's life."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a real init reaps orphans; so does the kernel for one that ignores
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = sys.stdin.readline()
    if not line:
        return
    try:
        boot(json.loads(line))
    except OSError as error:
        answer = f"failed: {error}"
    else:
        answer = "booted"
    sys.stdout.write(answer + "\n")
    sys.stdout.flush()
    sys.stdin.read()  # the node's power: it ends with the data plane's end of this pipe


if __name__ == "__main__":
    main()
