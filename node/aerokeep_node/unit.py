"""Drive the server's systemd unit by ``systemctl``, whose every word may fail or take its time."""

import os
import shutil
import subprocess
from typing import Any, Dict, List, Optional, Tuple

from aerokeep_node.refusal import NotNowError, RefusalError
from aerokeep_node.tree import Tree
from aerokeep_node.unit_files import DROP_IN, UNIT, Fragments, exec_start, parse_cat, read_fragments, without_ours

SYSTEMCTL = "systemctl"
TIMEOUT_S = 8.0
MASKED = ("masked", "masked-runtime")
RUNNING = ("active", "activating", "reloading", "deactivating", "refreshing")
ENDED = ("inactive", "failed")
NOT_MASKABLE = "already exists"
"""A unit file in /etc/systemd/system stands where the mask would be."""


class Unit:
    """The unit ``aerospike.service`` of this host."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def call(self, *arguments: str) -> Tuple[int, str, str]:
        """Run ``systemctl``; give exit code, stdout and stderr.

        Raises:
            RefusalError: ``systemd_missing``: there is none.
            NotNowError: ``systemctl_slow``: it did not answer.

        """
        if shutil.which(SYSTEMCTL) is None:
            raise RefusalError("systemd_missing", "no systemctl on this host")
        try:
            done = subprocess.run(
                [SYSTEMCTL, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=TIMEOUT_S,
                check=False,
                env=dict(os.environ, LC_ALL="C", SYSTEMD_COLORS="0"),
            )
        except subprocess.TimeoutExpired as error:
            detail = "systemctl {} took longer than {:.0f} s".format(" ".join(arguments), TIMEOUT_S)
            raise NotNowError("systemctl_slow", detail) from error
        except OSError as error:
            raise RefusalError("systemd_missing", f"systemctl: {error.strerror}") from error
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")

    def must(self, *arguments: str) -> None:
        """Run ``systemctl``; whatever it refuses ends the verb with ``systemctl_failed``."""
        code, _, complaint = self.call(*arguments)
        if code != 0:
            raise RefusalError("systemctl_failed", "systemctl {}: {}".format(" ".join(arguments), complaint.strip()))

    def require(self) -> None:
        """Refuse a host without systemd, or without the unit."""
        if not self.active():
            raise RefusalError("systemd_missing", "systemctl can't tell the state of a unit: systemd does not run here")
        if self.enablement() in ("", "not-found"):
            raise RefusalError("unit_missing", f"systemd knows no {UNIT} on this host")

    def active(self) -> str:
        """Ask for the state: active, activating, deactivating, inactive, failed; empty where systemd does not run."""
        return self.call("is-active", UNIT)[1].strip()

    def enablement(self) -> str:
        """Ask what the unit's files say: enabled, disabled, masked and the like."""
        return self.call("is-enabled", UNIT)[1].strip()

    def masked(self) -> bool:
        """Whether nothing can start it."""
        return self.enablement() in MASKED

    def restarts(self) -> int:
        """How often systemd has started it again by itself since it was started; 0 where that is not told."""
        value = self.call("show", UNIT, "-p", "NRestarts")[1].strip().partition("=")[2]
        return int(value) if value.isdecimal() else 0

    def mask(self) -> None:
        """Let nothing start it, over reboots, without touching what runs.

        A plain ``mask`` reloads systemd, which then takes the unit for empty: a server that is still to be stopped
        would be killed after systemd's own 90 s instead of the unit's ``TimeoutSec`` (600 s as packaged).

        Raises:
            RefusalError: ``unit_not_maskable``.

        """
        code, _, complaint = self.call("mask", "--no-reload", UNIT)
        if code != 0 and NOT_MASKABLE not in complaint:
            code, _, complaint = self.call("mask", UNIT)
        if NOT_MASKABLE in complaint and not self.masked():
            detail = f"{complaint.strip()}: move the unit's file to /usr/lib/systemd/system, where packages put it"
            raise RefusalError("unit_not_maskable", detail)
        if not self.masked():
            raise RefusalError("unit_not_maskable", f"systemctl mask: exit {code}: {complaint.strip()}")

    def unmask(self) -> None:
        """Let it be started again, by the files as they are now."""
        self.must("unmask", UNIT)
        self.reload()

    def reload(self) -> None:
        """Make systemd read the unit's files again."""
        self.must("daemon-reload")

    def stop(self) -> None:
        """Begin to stop it, without waiting."""
        self.must("stop", "--no-block", UNIT)

    def start(self) -> None:
        """Begin to start it, without waiting; a failure of before must not be taken for one of this start."""
        self.call("reset-failed", UNIT)
        self.must("start", "--no-block", UNIT)

    def fragments(self) -> Fragments:
        """Read the unit's files, masked or not."""
        shown = parse_cat(self.call("cat", UNIT)[1])
        return shown if exec_start(without_ours(shown)) else read_fragments(self.tree)

    def describe(self) -> Optional[Dict[str, Any]]:
        """Shape ``asd.unit``; None on a host without systemd or without the unit."""
        try:
            active, enablement = self.active(), self.enablement()
        except RefusalError:
            return None
        if not active or enablement in ("", "not-found"):
            return None
        return {
            "active": active,
            "masked": enablement in MASKED,
            "first_start": self.first_start,
            "enabled": enablement.startswith("enabled") or bool(self._wants()),
        }

    @property
    def first_start(self) -> bool:
        """Whether the drop-in of the first start is there."""
        return self.tree.read(DROP_IN) is not None

    def _wants(self) -> List[str]:
        # Of a masked unit, is-enabled tells no more than that; the links of its enablement stay.
        home = "etc/systemd/system"
        targets = [name for name in self.tree.listdir(home) if name.endswith(".wants")]
        return [target for target in targets if UNIT in self.tree.listdir(home, target)]
