"""Freeze a filesystem by ``fsfreeze`` in a child, and thaw it for certain, however late the freeze succeeds."""

import errno
import fcntl
import os
import subprocess
import threading
import time
from typing import List, Optional

from aerokeep_node.tree import Tree

FSFREEZE = "fsfreeze"
FITHAW = 0xC0045878
BETWEEN_THAWS_S = 0.05
UTILITY_TIMEOUT_S = 5.0


class HeldMount:
    """One filesystem, held by a descriptor since arming: a freeze or thaw can't meet another one by mistake."""

    def __init__(self, mount_point: str, tree: Tree) -> None:
        self.mount_point = mount_point
        self.frozen_at: Optional[float] = None
        self.thawed_at: Optional[float] = None
        self.held = False
        self.errors: List[str] = []
        self.looked = threading.Event()
        """Set once a thaw has returned for the first time, whatever it said."""
        self.clear = threading.Event()
        """Set once the filesystem is thawed and nothing can freeze it any more."""
        self._tree = tree
        self._descriptor = os.open(mount_point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._freezer: Optional["subprocess.Popen[bytes]"] = None

    @property
    def touched(self) -> bool:
        """Whether a freeze was begun."""
        return self._freezer is not None

    def begin_freeze(self) -> None:
        """Start the freezing child; it may hang behind a long write, and nothing waits for it here.

        Raises:
            OSError: the mount point shows another filesystem than the one held (it would freeze that), or no fsfreeze.

        """
        here = os.stat(self.mount_point)
        if not os.path.samestat(here, os.fstat(self._descriptor)):
            raise OSError(errno.ESTALE, "another filesystem is mounted now", self.mount_point)
        self._freezer = subprocess.Popen(
            [FSFREEZE, "-f", self.mount_point],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def freeze_ended(self) -> bool:
        """Whether the freezing child has returned; records the instant, or what it complained of."""
        if self._freezer is None:
            return False
        if self.frozen_at is not None or self.errors:
            return True
        if self._freezer.poll() is None:
            return False
        if self._freezer.returncode == 0:
            self.frozen_at = time.time()
        else:
            said = self._freezer.stderr.read(200).decode("utf-8", "replace").strip() if self._freezer.stderr else ""
            self.errors.append(f"fsfreeze -f {self.mount_point}: exit {self._freezer.returncode}: {said}")
        return True

    def begin_thaw(self, *, adopted: bool = False) -> None:
        """Start thawing in a thread: FITHAW itself blocks while a freeze is half done.

        Args:
            adopted: the freeze was begun by a process that is gone.

        """
        if not self.touched and not adopted:
            self.looked.set()
            self.clear.set()
            return
        threading.Thread(target=self._thaw_until_clear, name="thaw " + self.mount_point, daemon=True).start()

    def close(self) -> None:
        """Let go of the filesystem."""
        os.close(self._descriptor)

    def _thaw_until_clear(self) -> None:
        # A freeze that waits behind a long write succeeds AFTER a thaw was refused ("not frozen"). So a refusal counts
        # only if it came after every freezing process was gone.
        while True:
            none_could_freeze = self._freezers_gone()
            outcome = self._thaw_once()
            if outcome == "thawed":
                self.thawed_at = time.time()
                self.held = self.held or (self.frozen_at is not None and not self.looked.is_set())
            self.looked.set()
            if none_could_freeze and outcome != "failed":
                self.clear.set()
                return
            time.sleep(BETWEEN_THAWS_S)

    def _thaw_once(self) -> str:
        """Thaw by the held descriptor, else by the utility: thawed, not_frozen or failed."""
        try:
            fcntl.ioctl(self._descriptor, FITHAW, 0)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return "not_frozen"
            return self._thaw_by_utility(error)
        return "thawed"

    def _thaw_by_utility(self, first: OSError) -> str:
        try:
            done = subprocess.run(
                [FSFREEZE, "-u", self.mount_point],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=UTILITY_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            self._complain(f"thaw {self.mount_point}: {first}; {error}")
            return "failed"
        if done.returncode == 0:
            return "thawed"
        if b"Invalid argument" in done.stderr:
            return "not_frozen"
        self._complain("thaw {}: {}; {}".format(self.mount_point, first, done.stderr[:120].decode("utf-8", "replace")))
        return "failed"

    def _complain(self, what: str) -> None:
        if what not in self.errors:
            self.errors.append(what)

    def _freezers_gone(self) -> bool:
        if self._freezer is not None and self._freezer.poll() is None:
            return False
        # A wrapper may have left its fsfreeze behind, and so may a killed resident.
        return not freezers_of(self.mount_point, self._tree)


def freezers_of(mount_point: str, tree: Tree) -> List[int]:
    """Find processes that were started to freeze a mount point, wrappers of ``fsfreeze`` included."""
    found = []
    for entry in tree.listdir("proc"):
        if not entry.isdecimal():
            continue
        arguments = (tree.read("proc", entry, "cmdline") or "").split("\0")
        programs = {os.path.basename(argument) for argument in arguments[:3]}
        if FSFREEZE in programs and mount_point in arguments and "-u" not in arguments:
            found.append(int(entry))
    return found
