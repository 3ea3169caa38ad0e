"""One region with everything deployed and light hosts, for the tests of a module."""

from tests.workflow.replace_node.conftest import scene

__all__ = ["scene"]
