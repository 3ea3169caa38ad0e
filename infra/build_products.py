"""Where `make layer` puts what the templates carry; synth only reads it, so that it works offline."""

from dataclasses import dataclass
from pathlib import Path


class MissingProductsError(Exception):
    """Something that `make layer` builds is not there."""


@dataclass(frozen=True)
class BuildProducts:
    """The inputs of a synth that are not Python code of `infra`."""

    functions: Path
    layer: Path
    documents: tuple[Path, ...]
    state_machines: Path

    @classmethod
    def of(cls, root: Path) -> "BuildProducts":
        """Find the products below the repository ``root``.

        Raises:
            MissingProductsError: naming what is absent and the command that builds it.

        """
        build = root / "build"
        documents = tuple(sorted((build / "node" / "documents").glob("*.json")))
        absent = [path for path in (build / "functions", build / "layer") if not path.is_dir()]
        if not documents:
            absent.append(build / "node" / "documents")
        if absent:
            names = ", ".join(str(path.relative_to(root)) for path in absent)
            raise MissingProductsError(f"{names} not built yet; run: make layer")
        return cls(build / "functions", build / "layer", documents, root / "statemachines")
