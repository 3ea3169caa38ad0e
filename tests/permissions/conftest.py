"""Everything is played once for all that is asked of it."""

import pytest

from infra.build_products import BuildProducts, MissingProductsError
from tests.permissions.estate import ROOT
from tests.permissions.evidence import Evidence, gathered
from tests.permissions.simulator import INSTALLED


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    try:
        BuildProducts.of(ROOT)
    except MissingProductsError as error:
        pytest.skip(str(error))
    if not (INSTALLED / "node_modules").exists():
        pytest.skip("no IAM simulator: run `make iam-simulator` first")
    return gathered(tmp_path_factory.mktemp("permissions"))
