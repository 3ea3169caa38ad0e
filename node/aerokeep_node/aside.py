"""Copy SMD files and the conf aside, whole and bounded, so that they can be uploaded after the window."""

import errno
import hashlib
import os
import stat
import time
from typing import Any, Dict, List, Tuple

from aerokeep_node.formats.smd import SUFFIX, BadSmdError, parse_smd
from aerokeep_node.run_directory import ASIDE, ASIDE_LIST, RunDirectory, write_whole

MOST_BYTES = 32 * 1024 * 1024
SMD_READS = 5
BETWEEN_READS_S = 0.02
CONF_NAME = "conf/aerospike.conf"


class Aside:
    """The copies of one run and what became of each file."""

    def __init__(self, run: RunDirectory) -> None:
        self.files: List[Dict[str, Any]] = []
        self.truncated = False
        self.errors: List[str] = []
        self._run = run
        self._left_bytes = MOST_BYTES

    def copy(self, work_directory: str, conf_path: str) -> None:
        """Copy everything; a file that can't be copied is an error in the list, not the end."""
        for part in ("smd", "conf"):
            os.makedirs(self._run.file(ASIDE, part), mode=0o700, exist_ok=True)
        for name, path in self._sources(work_directory, conf_path):
            try:
                self._copy_file(name, path)
            except (OSError, BadSmdError) as error:
                self.errors.append(f"{name}: {error}")
        self._run.write(ASIDE_LIST, self.as_json())

    def as_json(self) -> Dict[str, Any]:
        """Shape it as the contract does."""
        return {"files": self.files, "truncated": self.truncated}

    def _sources(self, work_directory: str, conf_path: str) -> List[Tuple[str, str]]:
        directory = os.path.join(work_directory, "smd")
        sources = [(CONF_NAME, conf_path)]
        try:
            names = sorted(name for name in os.listdir(directory) if name.endswith(SUFFIX))
        except OSError as error:
            self.errors.append(f"smd: {error}")
            names = []
        return sources + [("smd/" + name, os.path.join(directory, name)) for name in names]

    def _copy_file(self, name: str, path: str) -> None:
        content = self._read_smd(path) if name.endswith(SUFFIX) else self._read(path)
        if len(content) > self._left_bytes:
            self.truncated = True
            return
        self._left_bytes -= len(content)
        write_whole(self._run.file(ASIDE, name), content)
        self.files.append({"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()})

    def _read_smd(self, path: str) -> bytes:
        # The server writes <file>.save and renames it without fsync: a copy may be torn, the next one is whole.
        for attempt in range(SMD_READS):
            content = self._read(path)
            try:
                parse_smd(content)
            except BadSmdError:
                if len(content) > self._left_bytes:
                    return content  # cut off here, and left out as truncated by the caller
                if attempt == SMD_READS - 1:
                    raise
                time.sleep(BETWEEN_READS_S)
            else:
                break
        return content

    def _read(self, path: str) -> bytes:
        # The work directory belongs to the server's user: a link in it must not lead root to another file.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "no regular file", path)
            return file.read(self._left_bytes + 1)
