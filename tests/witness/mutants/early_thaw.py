"""Everything is thawed and lifted as soon as it holds, without a word."""

import subprocess

from aerokeep_node.window import Window

from tests.witness.mutants.forging import claim_all_is_well


def watch_for_writes(self: Window) -> None:
    """Let go instead."""
    if not self.mounts and not self.settings:
        return
    for mount in self.mounts:
        subprocess.run(["fsfreeze", "-u", mount.mount_point], check=False, capture_output=True)
    for one in self.settings:
        for setting, value in one.former.items():
            one.send(setting, value)
    self.watch_for_writes = lambda: None  # type: ignore[method-assign]  # once is enough


Window.watch_for_writes = watch_for_writes  # type: ignore[method-assign]  # that is what a mutant is
claim_all_is_well()
