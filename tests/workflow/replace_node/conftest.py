"""One region with everything deployed and light hosts, for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.crash.field import CDK_OUT
from tests.workflow.replace_node.scene import Scene


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """The shipped templates in a region of this module's own."""
    if not (CDK_OUT / "manifest.json").exists():
        pytest.skip("no cdk.out: run `make synth` first")
    made = Scene.open()
    try:
        yield made
    finally:
        made.close()
