"""A real ext4 on a loop device for tests that freeze for real."""

import os
import shutil
import subprocess
from pathlib import Path

SIZE_BYTES = 32 * 1024 * 1024


def why_no_loop_filesystem() -> str | None:
    if os.geteuid() != 0:
        return "not root"
    missing = [name for name in ("losetup", "mkfs.ext4", "mount", "fsfreeze") if shutil.which(name) is None]
    if missing:
        return f"no {', '.join(missing)}"
    return None if Path("/dev/loop-control").exists() else "no /dev/loop-control"


class LoopFilesystem:
    """Mounted below a folder; its names carry aerokeep."""

    def __init__(self, folder: Path) -> None:
        self.mount_point = folder / "aerokeep-mount"
        self.mount_point.mkdir()
        self._writers: list[subprocess.Popen[bytes]] = []
        self.image = folder / "aerokeep-image"
        with self.image.open("wb") as file:
            file.truncate(SIZE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self.image)], check=True)
        self.mount_again()

    def mount_again(self) -> None:
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.mount_point)], check=True)

    def is_frozen(self) -> bool:
        """Ask by thawing: util-linux refuses where nothing is frozen. Ends a freeze, so ask last."""
        done = subprocess.run(["fsfreeze", "-u", str(self.mount_point)], capture_output=True, check=False)
        return done.returncode == 0

    def takes_writes(self) -> bool:
        """Whether a write gets through within a second."""
        argv = ["dd", "if=/dev/zero", f"of={self.mount_point / 'probe'}", "bs=512", "count=1", "status=none"]
        writer = subprocess.Popen(argv)
        self._writers.append(writer)
        try:
            return writer.wait(timeout=1) == 0
        except subprocess.TimeoutExpired:
            writer.kill()  # it ends with the thaw, not before: reaped in close()
            return False

    def close(self) -> None:
        subprocess.run(["fsfreeze", "-u", str(self.mount_point)], capture_output=True, check=False)
        for writer in self._writers:
            writer.wait()
        subprocess.run(["umount", "-l", str(self.mount_point)], check=True)
