"""One field of light clusters for the tests of the restore journey."""

from tests.crash.conftest import field

__all__ = ["field"]
