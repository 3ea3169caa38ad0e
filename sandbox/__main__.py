"""``python -m sandbox up|down``: a region in the background, for the AWS CLI, the CDK CLI and whoever is curious."""

import argparse
import sys

from sandbox.hand import acts

MODES = ("auto", "light", "directory", "namespaces")


def main(argv: list[str] | None = None) -> int:
    """Do what the command line asks → 1 if it can't be done."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="start a region in the background")
    up.add_argument("--mode", choices=MODES, default="auto", help="the data plane; auto: the best that works here")
    up.add_argument("--port", type=int, default=0, help="of the AWS endpoint; by default a free one")
    up.add_argument("--deploy", action=argparse.BooleanOptionalAction, default=True, help="deploy cdk.out into it")
    verbs.add_parser("down", help="end the region and clean up")
    options = parser.parse_args(argv)
    try:
        match options.verb:
            case "up":
                deploy = ["--deploy"] if options.deploy else []
                found = acts.up(["--mode", options.mode, "--port", str(options.port), *deploy])
                print(f"# a region in {found.mode} mode serves {found.endpoint} (process {found.pid})")
                print(acts.exports(found))
            case "down":
                print(acts.down())
    except acts.NotDoneError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
