"""``python -m sandbox up|status|inject|down``: a region in the background, for the AWS CLI, the CDK CLI and people."""

import argparse
import sys
from pathlib import Path

from sandbox.hand import acts

HIGHEST_PORT = 65_535
MODES = ("auto", "light", "directory", "namespaces")


def main(argv: list[str] | None = None) -> int:
    """Do what the command line asks → 1 if it can't be done."""
    try:
        _do(_options(argv))
    except acts.NotDoneError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    return 0


def _do(options: argparse.Namespace) -> None:
    match options.verb:
        case "up":
            flags = [f"--{name}" for name in ("deploy", "cluster") if getattr(options, name)]
            found = acts.up(["--mode", options.mode, "--port", str(options.port), *flags])
            print(f"# a region in {found.mode} mode serves {found.endpoint} (process {found.pid})")
            print(acts.exports(found))
        case "status":
            print(acts.status())
        case "inject":
            print(acts.inject(options.plan))
        case "down":
            print(acts.down())


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{port} is no port; write one up to {HIGHEST_PORT}, or 0 for a free one")
    return port


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="start a region in the background, and print the environment that leads to it")
    up.add_argument("--mode", choices=MODES, default="auto", help="the data plane; auto: the best that works here")
    up.add_argument("--port", type=_port, default=0, help="of the AWS endpoint; by default a free one")
    up.add_argument("--deploy", action=argparse.BooleanOptionalAction, default=True, help="deploy cdk.out into it")
    up.add_argument("--cluster", action="store_true", help="launch the demo's cluster of three nodes in it")
    verbs.add_parser("status", help="say what there is in it, what runs, and what was broken")
    inject = verbs.add_parser("inject", help="arm a fault plan in it (docs/faults.md)")
    inject.add_argument("plan", type=Path)
    verbs.add_parser("down", help="end it and clean up; does nothing where there is none")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
