"""One field for the tests of the matrix itself."""

from collections.abc import Iterator

import pytest

from tests.crash.field import CDK_OUT, Field


@pytest.fixture(scope="module")
def field() -> Iterator[Field]:
    """Everything deployed in a region of this module's own."""
    if not (CDK_OUT / "manifest.json").exists():
        pytest.skip("no cdk.out: run `make synth` first")
    made = Field.open()
    try:
        yield made
    finally:
        made.close()
