"""The command line as getopt_long reads it, and what both tools take alike."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sandbox.tools.streams import Coding, KeyUnusableError, key_of
from sandbox.tools.words import VERSION, err, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

NOT_SIMULATED = (
    "Not simulated by this stand-in (refused with exit code 1): users and passwords, TLS, --node-list, --filter-exp, "
    "--continue and state files, S3 paths, secret agents. Read from no file: --config-file, --instance."
)
_MIB = 1 << 20


class Parser(argparse.ArgumentParser):
    """A parser that ends with 1, as the real tools do, and keeps ``-h`` for the host."""

    def __init__(self, prog: str, title: str) -> None:
        """``title`` is what ``--version`` says."""
        super().__init__(
            prog=prog,
            add_help=False,
            epilog=NOT_SIMULATED,
            formatter_class=lambda prog: argparse.HelpFormatter(prog, width=110),
        )
        version = f"{title}\nVersion {VERSION}\n"
        self.add_argument("-V", "--version", action=_Show, text=version, help="print the tool's version")
        self.add_argument("-Z", "--help", "--usage", "--options", action=_Show, text=None, help="print this message")
        self._add_shared()

    def _add_shared(self) -> None:
        add = self.add_argument
        add("-h", "--host", default="127.0.0.1", metavar="HOST", help="seeds, <host>[:<port>],…")
        add("-p", "--port", type=count, default=3000, metavar="PORT", help="the seeds' port")
        add("-v", "--verbose", action="store_true", help="more detailed logging (nothing more is said here)")
        add("-m", "--machine", metavar="PATH", help="write machine-readable status to this path, such as a FIFO")
        add("-S", "--services-alternate", action="store_true", help="use the nodes' alternate addresses")
        add("-z", "--compress", choices=["zstd"], metavar="ALGORITHM", help="zstd")
        add("-y", "--encrypt", choices=["aes128", "aes256"], metavar="ALGORITHM", help="aes128 or aes256")
        add("--encryption-key-file", metavar="PATH", help="a private key in PEM")
        add("--encryption-key-env", metavar="VARIABLE", help="a variable that holds a key in base64")
        add("-B", "--bin-list", type=names, default=[], metavar="BIN,…", help="these bins only")
        add("-R", "--no-records", action="store_true", help="no records")
        add("-I", "--no-indexes", action="store_true", help="no secondary indexes")
        add("--socket-timeout", type=count, default=10_000, metavar="MS", help="of one socket operation")
        add("--total-timeout", type=count, default=0, metavar="MS", help="of one transaction")
        add("--max-retries", type=count, default=5, metavar="N", help="of one transaction")
        add("--config-file", "--only-config-file", metavar="PATH", help="must exist; the server here knows no users")
        add("--instance", metavar="NAME", help="of the configuration file")
        add("--no-config-file", action="store_true", help="read no configuration file")

    def error(self, message: str) -> NoReturn:
        """End with 1."""
        refuse(self, message)

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """Read the command line; what no option of ours fits is refused."""
        args = self.parse_args(argv)
        if args.config_file and not Path(args.config_file).is_file():
            refuse(self, f"configuration file {args.config_file} can't be read")
        return args


class _Show(argparse.Action):
    def __init__(self, option_strings: list[str], dest: str, *, text: str | None, help: str) -> None:  # noqa: A002 - argparse's name
        super().__init__(option_strings, dest, nargs=0, help=help)
        self._text = text

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(parser.format_help() if self._text is None else self._text, end="")
        parser.exit()


def count(text: str) -> int:
    """Read a number that is not negative."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"invalid value {text}")
    return int(text)


def positive(text: str) -> int:
    """Read a number above zero."""
    if count(text) == 0:
        raise argparse.ArgumentTypeError(f"invalid value {text}")
    return int(text)


def names(text: str) -> list[str]:
    """Read a list with commas."""
    found = text.split(",")
    if "" in found:
        raise argparse.ArgumentTypeError(f"empty name in {text!r}")
    return found


def local_time(text: str) -> int:
    """Read ``YYYY-MM-DD_HH:MM:SS`` (or ``HH:MM:SS`` of today), local time; → nanoseconds since 1970."""
    now = time.localtime()
    for form in ("%Y-%m-%d_%H:%M:%S", "%Y-%m-%d", "%H:%M:%S"):
        try:
            read = time.strptime(text, form)
        except ValueError:
            continue
        if form == "%H:%M:%S":
            read = time.struct_time((*now[:3], *read[3:6], 0, 0, -1))
        return int(time.mktime(time.struct_time((*read[:8], -1)))) * 1_000_000_000
    raise argparse.ArgumentTypeError(f"invalid date and time string {text}")


def seeds(args: argparse.Namespace) -> list[tuple[str, int]]:
    """Read the hosts."""
    found = []
    for part in args.host.split(","):
        host, _, port = part.rpartition(":")
        found.append((host, int(port)) if host and port.isdecimal() else (part, args.port))
    return found


def coding(args: argparse.Namespace, *, level: int = 3) -> Coding:
    """Read how files are coded.

    Raises:
        SystemExit: with 1, since the key can't be had.

    """
    key = None
    if args.encrypt:
        try:
            key = key_of(args.encrypt, file=args.encryption_key_file, variable=args.encryption_key_env)
        except KeyUnusableError as error:
            err(str(error))
            raise SystemExit(1) from None
    return Coding(compress=args.compress is not None, level=level, key=key)


@dataclass(frozen=True)
class Pace:
    """Limits per second; 0 is none."""

    bytes_per_s: int = 0
    records_per_s: int = 0

    @classmethod
    def of_mib(cls, mib: int, records_per_s: int) -> Pace:
        """Read a limit in MiB."""
        return cls(mib * _MIB, records_per_s)
