"""Choose the data plane that this machine can carry."""

from pathlib import Path

from sandbox.dataplane.directory_mode import DirectoryPlane
from sandbox.dataplane.namespaces_mode import NamespacesPlane
from sandbox.dataplane.plane import DataPlane, DataPlaneError
from sandbox.dataplane.probe import probe


def choose(workdir: Path | None = None, *, mode: str | None = None) -> DataPlane:
    """Choose by probing, or take the given mode.

    Args:
        workdir: where the plane makes its folder; by default the temporary folder.
        mode: ``namespaces`` or ``directory``; by default the best that works.

    Raises:
        DataPlaneError: the mode is unknown, or this machine lacks something for it.

    """
    match mode:
        case "directory":
            return DirectoryPlane(workdir)
        case "namespaces" if not probe().suffices:
            raise DataPlaneError(f"mode_missing: namespaces: this machine lacks {'; '.join(probe().missing)}")
        case "namespaces":
            return NamespacesPlane(workdir)
        case None:
            return NamespacesPlane(workdir) if probe().suffices else DirectoryPlane(workdir)
        case _:
            raise DataPlaneError(f"mode_unknown: {mode!r}: use namespaces or directory")
