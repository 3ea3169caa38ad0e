"""Read ``aerospike.conf`` as asd 8.1 Community Edition does, as far as the sandbox's confs go."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ENTERPRISE_ONLY = frozenset(
    {
        "commit-to-device",
        "compression",
        "compression-acceleration",
        "compression-level",
        "encryption-key-file",
        "encryption-old-key-file",
        "feature-key-file",
        "prefer-uniform-balance",
        "rack-id",
        "stay-quiesced",
        "strong-consistency",
        "strong-consistency-allow-expunge",
    }
)
_SUFFIXES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"^(\d+)([KMGTkmgt])$")


class ConfError(Exception):
    """The conf can't be started with; the message is what asd logs before it exits."""


@dataclass
class Directive:
    """One line of the conf, with its block if it opens one."""

    name: str
    values: tuple[str, ...]
    line: int
    block: list[Directive] | None = None

    def all(self, name: str) -> list[Directive]:
        """Every directive of that name in the block."""
        return [d for d in self.block or () if d.name == name]

    def first(self, name: str) -> Directive | None:
        """Return the first directive of that name, if there is one."""
        return next(iter(self.all(name)), None)

    def text(self, name: str, default: str) -> str:
        """Return the first value of the first directive of that name."""
        found = self.first(name)
        return found.values[0] if found and found.values else default

    def number(self, name: str, default: int) -> int:
        """Return the same as a number; size suffixes are multiplied out."""
        return size_of(self.text(name, str(default)))


def size_of(text: str) -> int:
    """Turn ``4G``, ``512M``, ``1000`` into a number (binary suffixes, as asd reads them)."""
    if match := _SIZE.match(text):
        return int(match[1]) * _SUFFIXES[match[2].upper()]
    return int(text)


def plain(text: str) -> str:
    """Write a value the way ``get-config`` shows it: sizes multiplied out."""
    return str(size_of(text)) if _SIZE.match(text) else text


def parse(text: str) -> Directive:
    """Parse the whole conf into one block.

    Raises:
        ConfError: braces don't match, or a directive is Enterprise-only.

    """
    root = Directive("", (), 0, [])
    stack = [root]
    for number, raw in enumerate(text.splitlines(), 1):
        words = raw.split("#", 1)[0].replace("{", " { ").replace("}", " } ").split()
        if not words:
            continue
        if words == ["}"]:
            if len(stack) == 1:
                raise ConfError(f"line {number} :: unexpected '}}'")
            stack.pop()
            continue
        if words[0] in ENTERPRISE_ONLY:
            raise ConfError(f"line {number} :: '{words[0]}' is enterprise-only")
        opens = words[-1] == "{"
        if "{" in words[:-1] or "}" in words:
            raise ConfError(f"line {number} :: a brace must end its line")
        directive = Directive(words[0], tuple(words[1:-1] if opens else words[1:]), number, [] if opens else None)
        block = stack[-1].block
        if block is not None:
            block.append(directive)
        if opens:
            stack.append(directive)
    if len(stack) != 1:
        raise ConfError(f"line {stack[-1].line} :: block '{stack[-1].name}' is not closed")
    return root


@dataclass(frozen=True)
class VolumeConf:
    """One storage path of a namespace."""

    path: str
    shadow: str | None
    is_file: bool


@dataclass(frozen=True)
class NamespaceConf:
    """One namespace: what the storage needs, and every setting for ``get-config``."""

    name: str
    engine: str
    volumes: tuple[VolumeConf, ...]
    file_size_bytes: int
    data_size_bytes: int
    settings: dict[str, str]

    def flag(self, name: str) -> bool:
        """Whether a boolean setting is true in the conf."""
        return self.settings.get(name, "false") == "true"


@dataclass(frozen=True)
class ServerConf:
    """All that a node needs to know of its conf."""

    service: dict[str, str]
    network: dict[str, str]
    seeds: tuple[tuple[str, int], ...]
    log_files: tuple[Path, ...]
    log_to_console: bool
    namespaces: tuple[NamespaceConf, ...]
    warnings: tuple[str, ...] = field(default=())

    @property
    def work_directory(self) -> Path:
        """Return where SMD and UDFs live."""
        return Path(self.service.get("work-directory", "/opt/aerospike"))


def load(path: Path) -> ServerConf:
    """Read the conf of a node.

    Raises:
        ConfError: it can't be started with.

    """
    root = parse(path.read_text())
    service = {d.name: plain(" ".join(d.values)) for top in root.all("service") for d in top.block or ()}
    network: dict[str, str] = {}
    seeds: list[tuple[str, int]] = []
    for top in root.all("network"):
        for part in top.block or ():
            seeds += [(d.values[0], int(d.values[1])) for d in part.all("mesh-seed-address-port")]
            settings = {d.name: plain(" ".join(d.values)) for d in part.block or () if d.name[:9] != "mesh-seed"}
            network |= {f"{part.name}.{name}": value for name, value in settings.items()}
    logging = [d for top in root.all("logging") for d in top.block or ()]
    namespaces = tuple(_namespace(d) for d in root.all("namespace"))
    if not namespaces:
        raise ConfError("no namespace configured")
    known = {"service", "network", "logging", "namespace", "mod-lua"}
    return ServerConf(
        service=service,
        network=network,
        seeds=tuple(seeds),
        log_files=tuple(Path(d.values[0]) for d in logging if d.name == "file"),
        log_to_console=any(d.name == "console" for d in logging) or not logging,
        namespaces=namespaces,
        warnings=tuple(
            f"line {d.line} :: '{d.name}' is not known to the stand-in" for d in root.block or () if d.name not in known
        ),
    )


def _namespace(block: Directive) -> NamespaceConf:
    storage = block.first("storage-engine") or Directive("storage-engine", ("memory",), block.line, [])
    engine = storage.values[0] if storage.values else "memory"
    if engine not in ("device", "memory"):
        raise ConfError(f"line {storage.line} :: unknown storage-engine '{engine}'")
    volumes = [
        VolumeConf(d.values[0], d.values[1] if len(d.values) > 1 else None, is_file=name == "file")
        for name in ("device", "file")
        for d in storage.all(name)
    ]
    if len({v.is_file for v in volumes}) > 1:
        raise ConfError(f"line {storage.line} :: a namespace cannot mix files and devices")
    if engine == "device" and not volumes:
        raise ConfError(f"line {storage.line} :: storage-engine device needs a device or a file")
    if len({v.shadow is None for v in volumes}) > 1:
        raise ConfError(f"line {storage.line} :: every device must have one shadow, or none")
    settings = {d.name: plain(d.values[0]) for d in block.block or () if d.block is None and d.values}
    settings |= {
        f"storage-engine.{d.name}": plain(d.values[0])
        for d in storage.block or ()
        if d.values and d.name not in ("device", "file")
    }
    return NamespaceConf(
        name=block.values[0],
        engine=engine,
        volumes=tuple(volumes),
        file_size_bytes=storage.number("filesize", 1 << 30),
        data_size_bytes=storage.number("data-size", 1 << 30),
        settings=settings,
    )
