"""One field of light clusters for the tests of exports and imports."""

from tests.crash.conftest import field

__all__ = ["field"]
