"""Remove what dead sandbox runs left on this machine; ``--all`` takes the living ones too."""

import argparse
import sys

from sandbox.dataplane.plane import DataPlaneError
from sandbox.dataplane.sweep import find_runs, sweep


def main(argv: list[str] | None = None) -> int:
    """Sweep run by run; → 1 if something could not be removed."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.clean", description=__doc__)
    parser.add_argument("--all", action="store_true", help="also runs whose owner still lives")
    everything = parser.parse_args(argv).all
    failed = False
    runs = sorted(find_runs())
    for run in runs:
        if run.owner_lives and not everything:
            print(f"left alone: {run.prefix} (its owner, process {run.pid}, lives; --all takes it too)")
            continue
        try:
            for line in sweep(run):
                print(f"removed: {run.prefix}: {line}")
        except DataPlaneError as error:
            print(f"failed: {error}", file=sys.stderr)
            failed = True
    if not runs:
        print("nothing of ours is left")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
