"""The command lines of asbackup and asrestore, and what this host has of the two."""

import shutil
import subprocess
from typing import Dict, List, Optional

from aerokeep_node.transfer.keys import ToolKey
from aerokeep_node.transfer.order import ExportPart, ImportPart, Order
from aerokeep_node.transfer.tool_output import version_of
from aerokeep_node.transfer.vault import AWS, tool_environment

BACKUP, RESTORE = "asbackup", "asrestore"
TOOL_OF = {"export": BACKUP, "estimate": BACKUP, "import": RESTORE, "verify": RESTORE}
PROGRAMS = (AWS, "gzip", "zstd")
VALIDATE = "--validate"
TIMEOUT_S = 5.0
NO_LIMIT_MIBPS, NO_LIMIT_RPS = 100000, 100000000
"""asrestore takes both limits or none."""
_COMPRESS = {"gzip": ("gzip", "-c", "-1"), "zstd": ("zstd", "-q", "-c", "-1"), "none": ("cat",)}
_DECOMPRESS = {"gzip": ("gzip", "-d", "-c"), "zstd": ("zstd", "-q", "-d", "-c"), "none": ("cat",)}
_WRITES = {"unique": ["-u"], "replace": ["-r"], "no-generation": ["-g"], "generation": []}


def politely(command: List[str]) -> List[str]:
    """Let the disks serve everybody else first, where there is a program for it."""
    return ["ionice", "-c", "3", *command] if shutil.which("ionice") else command


def compress_command(how: str) -> List[str]:
    """Compress stdin to stdout; ``none`` only passes it on."""
    return politely(list(_COMPRESS[how]))


def decompress_command(how: str) -> List[str]:
    """Decompress stdin to stdout; ``none`` only passes it on."""
    return politely(list(_DECOMPRESS[how]))


def backup_command(order: Order, part: ExportPart, key: Optional[ToolKey]) -> List[str]:
    """Give what asbackup is asked for, but not where to."""
    command = [BACKUP, "-h", order.address, "-p", str(order.port), "-n", part.namespace]
    command += ["-X", part.partitions] if part.partitions else []
    command += ["-s", ",".join(order.sets)] if order.sets else []
    command += ["-a", order.modified_after] if order.modified_after else []
    command += ["-b", order.modified_before] if order.modified_before else []
    command += ["-L", str(order.records_per_second)] if order.records_per_second else []
    command += ["-N", str(order.bandwidth_mibps)] if order.bandwidth_mibps else []
    command += ["--prefer-racks", str(order.prefer_rack)] if order.prefer_rack is not None else []
    command += [] if part.metadata else ["--no-indexes", "--no-udfs"]
    return politely(command + list(key.options if key else ()))


def restore_command(order: Order, part: ImportPart, key: Optional[ToolKey]) -> List[str]:
    """Give how asrestore shall write, but not from where."""
    command = [RESTORE, "-h", order.address, "-p", str(order.port), "-n", f"{part.namespace},{part.target}"]
    command += ["-t", str(order.parallel), *_WRITES[order.write]]
    command += ["-l", str(order.extra_ttl_s)] if order.extra_ttl_s else []
    if order.bandwidth_mibps or order.records_per_second:
        limits = (order.bandwidth_mibps or NO_LIMIT_MIBPS, order.records_per_second or NO_LIMIT_RPS)
        command += ["-N", "{},{}".format(*limits)]
    command += ["-s", ",".join(order.sets)] if order.sets else []
    command += ["-L"] if order.indexes_last and part.metadata else []
    command += [] if part.metadata else ["--no-indexes", "--no-udfs"]
    return politely(command + list(key.options if key else ()))


def validate_command(part: ImportPart, key: Optional[ToolKey]) -> List[str]:
    """Let asrestore read all of stdin without writing anything anywhere."""
    return politely([RESTORE, VALIDATE, "-n", part.namespace, *(key.options if key else ())])


def tool_version(tool: str) -> Optional[str]:
    """Ask a tool for its version; None where it is not there, or says nothing like one."""
    return version_of(_said([tool, "--version"]))


def can_validate() -> bool:
    """Whether asrestore can check an export without a server."""
    return VALIDATE in _said([RESTORE, "--help"])


def _said(command: List[str]) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            env=tool_environment(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def describe_tool(kind: str) -> Optional[Dict[str, str]]:
    """Name the tool of a kind of order, with its version."""
    version = tool_version(TOOL_OF[kind])
    return None if version is None else {"name": TOOL_OF[kind], "version": version}
