"""``python -m sandbox.standin --config-file FILE``: run one node in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from pathlib import Path

from sandbox.standin.conf import ConfError, load
from sandbox.standin.header import HeaderError
from sandbox.standin.info import BUILD, EDITION
from sandbox.standin.node import Node
from sandbox.standin.server_log import ServerLog
from sandbox.standin.volume import VolumeError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="asd")
    parser.add_argument("--config-file", default="/etc/aerospike/aerospike.conf", type=Path)
    parser.add_argument("--version", action="version", version=f"{EDITION} build {BUILD}")
    for flag in ("--fgdaemon", "--foreground", "--cold-start"):
        parser.add_argument(flag, action="store_true", help="taken as asd takes it; the stand-in always does so")
    return parser.parse_args()


def main() -> int:
    """Start, serve, and end as asd does."""
    arguments = _arguments()
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text("asd")
    try:
        conf = load(arguments.config_file)
    except (ConfError, OSError, ValueError) as error:
        print(f"CRITICAL (config): {error}", file=sys.stderr)
        return 1
    log = ServerLog(conf.log_files, console=conf.log_to_console)
    log.note("as", f"<><><><><><><><><><>  {EDITION} build {BUILD} (stand-in)  <><><><><><><><><><>")
    for warning in conf.warnings:
        log.caution("config", warning)
    if pidfile := conf.service.get("pidfile"):
        Path(pidfile).write_text(f"{os.getpid()}\n")

    async def serve() -> None:
        await Node(conf, log).run()

    try:
        asyncio.run(serve())
    except (HeaderError, VolumeError, OSError) as error:
        log.crash("drv_ssd", str(error))
        log.close()
        return 1
    log.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
