"""Read clusters.yaml and write the CloudFormation templates to cdk.out; offline and without credentials."""

import json
import os
import sys
from pathlib import Path

from infra.build_products import BuildProducts, MissingProductsError
from infra.config_file import ConfigError, read_config
from infra.stacks import build_app

ROOT = Path(__file__).resolve().parent


def main() -> int:
    """Synthesize, with cdk-nag on; 2 where the operator has something to do or to correct first."""
    try:
        products = BuildProducts.of(ROOT)
        config = read_config(ROOT / "clusters.yaml")
    except (MissingProductsError, ConfigError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the operator reads it on the terminal
        return 2
    # The CDK CLI passes the context of cdk.json; plain `python app.py` must see the same to write the same bytes.
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    outdir = Path(os.environ.get("CDK_OUTDIR", ROOT / "cdk.out"))
    build_app(config, products, context=context, outdir=outdir, nag=True).synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
