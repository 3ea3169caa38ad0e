"""Put an SMD folder in the place of another, which is moved aside and can be put back whatever happens meanwhile."""

import os
import shutil
from typing import Dict, Mapping, Optional

from aerokeep_node.formats.smd import SUFFIX, BadSmdError, parse_smd, thresholds_after
from aerokeep_node.placing import read_whole, sync_directory, take_looks
from aerokeep_node.refusal import RefusalError
from aerokeep_node.run_directory import write_whole


def judge_smd(files: Mapping[str, bytes], cut_at: Optional[float]) -> None:
    """Refuse files that the server would ignore, or that would make it drop restored records.

    Raises:
        RefusalError: ``smd_invalid`` or ``threshold_after_cut``.

    """
    for name, content in files.items():
        try:
            smd = parse_smd(content)
            late = [] if cut_at is None else thresholds_after(name, smd, cut_at)
        except BadSmdError as error:
            raise RefusalError("smd_invalid", f"{name}: {error}") from error
        if late:
            raise RefusalError("threshold_after_cut", "{}: {}".format(name, "; ".join(late)[:400]))


class SmdStaging:
    """The SMD folder of one work directory, for one run.

    Every step is one rename, and the former folder is aside before anything stands in its place.
    """

    def __init__(self, work_directory: str, run: str) -> None:
        self.work_directory = work_directory
        self.folder = os.path.join(work_directory, "smd")
        self.aside = os.path.join(work_directory, "smd.aerokeep-" + run)
        self._draft = self.aside + ".new"

    def files(self) -> Dict[str, bytes]:
        """Read the SMD files that are in force."""
        try:
            names = [name for name in os.listdir(self.folder) if name.endswith(SUFFIX)]
        except FileNotFoundError:
            return {}
        return {name: read_whole(os.path.join(self.folder, name)) or b"" for name in names}

    def replace(self, files: Mapping[str, bytes]) -> None:
        """Put these files in place; the former folder goes aside (an empty one if there was none)."""
        if os.path.lexists(self.aside) and os.path.isdir(self.folder) and self.files() == dict(files):
            return
        os.makedirs(self.work_directory, mode=0o755, exist_ok=True)
        self._write_draft(files)
        if not os.path.lexists(self.aside):
            if os.path.lexists(self.folder):
                os.rename(self.folder, self.aside)
            else:
                os.mkdir(self.aside)
        elif os.path.lexists(self.folder):
            shutil.rmtree(self.folder)  # the former one is aside: this is what an earlier call put here
        os.rename(self._draft, self.folder)
        sync_directory(self.work_directory)

    def put_back(self) -> bool:
        """Put the former folder back; whether there was one aside."""
        if not os.path.isdir(self.work_directory):
            return False
        was_aside = os.path.lexists(self.aside)
        shutil.rmtree(self._draft, ignore_errors=True)
        if was_aside:
            if os.path.lexists(self.folder):
                os.rename(self.folder, self._draft)
            os.rename(self.aside, self.folder)
            sync_directory(self.work_directory)
            shutil.rmtree(self._draft, ignore_errors=True)
        return was_aside

    def _write_draft(self, files: Mapping[str, bytes]) -> None:
        shutil.rmtree(self._draft, ignore_errors=True)
        os.mkdir(self._draft, 0o700)
        known = [path for path in (self.aside, self.folder, self.work_directory) if os.path.isdir(path)]
        looks = os.stat(known[0])
        for name, content in files.items():
            path = os.path.join(self._draft, name)
            write_whole(path, content)
            take_looks(path, looks)
            os.chmod(path, 0o644)
        take_looks(self._draft, looks)
        sync_directory(self._draft)
