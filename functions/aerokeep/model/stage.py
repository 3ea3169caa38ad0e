"""What the host verb ``stage`` is told: which volumes, files and settings a server is to start with."""

from typing import Literal, Self

from aerokeep.model.files import VaultFile
from aerokeep.model.wire import Wire


class StageMount(Wire):
    """A filesystem to mount."""

    point: str
    fs_type: str
    options: str


class StageVolume(Wire):
    """A volume that must be there."""

    volume_id: str
    mount: StageMount | None


class StageDevice(Wire):
    """A path of the conf, and the volume that it must lead to; None for instance store."""

    namespace: str
    path: str
    role: str
    volume_id: str | None


class StageSet(Wire):
    """What the headers of one namespace's devices must say; ``blank``: there must be none."""

    namespace: str
    n_devices: int
    random: str | None
    version: int | None
    blank: bool


class StageFile(Wire):
    """A file to fetch, and how to tell that it is the right one."""

    name: str
    url: str
    sha256: str
    size: int

    @classmethod
    def of(cls, file: VaultFile, url: str) -> Self:
        """A file of the vault under its own name."""
        return cls(name=file.key.rpartition("/")[2], url=url, sha256=file.sha256, size=file.size_bytes)


class StageFiles(Wire):
    """What becomes of SMD or conf; what it replaces is kept aside on the host."""

    action: Literal["replace", "clear", "keep"]
    files: tuple[StageFile, ...] = ()


class FirstStart(Wire):
    """Settings of the first start alone; they never enter aerospike.conf."""

    reject_writes: tuple[str, ...]
    cold_start_empty: tuple[str, ...]


class StageSpec(Wire):
    """The whole order; the host reads it from a presigned address."""

    node_id: str | None
    volumes: tuple[StageVolume, ...]
    devices: tuple[StageDevice, ...]
    sets: tuple[StageSet, ...]
    smd: StageFiles
    conf: StageFiles
    first_start: FirstStart | None
    cut_at: float | None
    """Epoch seconds: a truncation or eviction threshold after it would delete what is restored."""
    clock_error_s: float | None
