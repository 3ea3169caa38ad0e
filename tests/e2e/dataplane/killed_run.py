"""Bring a data plane up, leave it in the given state, and die by SIGKILL.

Usage: ``killed_run.py <mode> none|frozen|frozen-writer``; prints the folder first.
"""

import os
import signal
import subprocess
import sys
import time

from sandbox.dataplane import DataPlane, choose

NODE = "i-0aaaaaaaaaaaaaaa1"


def bring_up(mode: str) -> DataPlane:
    """One node with a root volume, a mounted volume and a raw one, and a process on it."""
    plane = choose(mode=mode)
    print(plane.workdir, flush=True)  # noqa: T201  # the test reads it
    plane.start()
    plane.add_node(NODE, private_ip=plane.node_ip(0))
    for number, device in enumerate(("/dev/xvda", "/dev/sdf", "/dev/sdg")):
        plane.create_volume(f"vol-{number}", size_bytes=128 << 20)
        plane.attach(f"vol-{number}", NODE, device=device, root=number == 0)
    plane.format_and_mount(NODE, "/dev/sdf", "/data")
    plane.spawn(NODE, ["sleep", "600"], stdout=subprocess.DEVNULL)
    return plane


def main(mode: str, state: str) -> None:
    """Set the state up and die in it."""
    plane = bring_up(mode)
    if state == "frozen-writer":
        writer = plane.spawn(NODE, ["sh", "-c", "while :; do echo line >>/data/file; done"], stdout=subprocess.DEVNULL)
        time.sleep(0.1)
    if state != "none":
        plane.spawn(NODE, ["fsfreeze", "-f", "/data"]).wait()
    if state == "frozen-writer":
        while _state(writer.pid) != "D":  # it waits for a thaw that never comes, and cannot be killed
            time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


def _state(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123  # three letters of /proc
        return stat.read().rpartition(") ")[2][0]


if __name__ == "__main__":
    main(*sys.argv[1:])
