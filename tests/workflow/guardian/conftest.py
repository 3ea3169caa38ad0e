"""An estate of this module's own in which the guardian comes only when it is called."""

from collections.abc import Iterator

import pytest

from tests.crash.conftest import field
from tests.workflow.backup.conftest import addresses, estate
from tests.workflow.backup.estate import Estate
from tests.workflow.guardian.rounds import uncalled_by_events

__all__ = ["addresses", "estate", "field"]


@pytest.fixture
def uncalled(estate: Estate) -> Iterator[Estate]:
    """No event starts the guardian: what a test sees is the work of the rounds that it asks for."""
    with uncalled_by_events(estate):
        yield estate
