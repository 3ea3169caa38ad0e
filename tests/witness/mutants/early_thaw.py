"""Everything is thawed and lifted as soon as it holds, without a word."""

import subprocess

from aerokeep_node.window import Window

from tests.witness.mutants.forging import claim_all_is_well

_gone: list[Window] = []


def watch_for_writes(self: Window, *, last: bool = False) -> None:
    """Let go instead, at the first look."""
    if last or self in _gone:
        return
    _gone.append(self)
    for mount in self.mounts:
        subprocess.run(["fsfreeze", "-u", mount.mount_point], check=False, capture_output=True)
    for one in self.settings:
        for setting, value in one.former.items():
            one.send(setting, value)


Window.watch_for_writes = watch_for_writes  # type: ignore[method-assign]  # that is what a mutant is
claim_all_is_well()
