"""One synth for all infra tests."""

import json
from pathlib import Path

import pytest

from infra.build_products import BuildProducts, MissingProductsError
from infra.config_file import read_config
from infra.stacks import build_app
from tests.infra.synthesis import Synthesis

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def products() -> BuildProducts:
    try:
        return BuildProducts.of(ROOT)
    except MissingProductsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def synthesis(products: BuildProducts, tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    """The stacks of the repository's own clusters.yaml, without cdk-nag."""
    outdir = tmp_path_factory.mktemp("aerokeep-cdk-out")
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    build_app(read_config(ROOT / "clusters.yaml"), products, context=context, outdir=outdir, nag=False).synth()
    return Synthesis(outdir)
