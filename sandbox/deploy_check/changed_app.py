"""Our CDK app on another clusters.yaml, for the CDK CLI's ``--app``."""

import json
import os
import sys
from pathlib import Path

from infra.build_products import BuildProducts
from infra.config_file import read_config
from infra.stacks import build_app

ROOT = Path(__file__).resolve().parents[2]


def main(clusters: Path) -> None:
    """Synthesize into the folder that the CLI names."""
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    outdir = Path(os.environ["CDK_OUTDIR"])
    build_app(read_config(clusters), BuildProducts.of(ROOT), context=context, outdir=outdir, nag=False).synth()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
