"""All journeys that the matrix plays, by name."""

from collections.abc import Mapping

from tests.crash.backups import Backup
from tests.crash.journeys import Journey, ReplaceNode, Restore
from tests.crash.transfers import Export, Import

JOURNEYS: Mapping[str, Journey] = {
    journey.name: journey for journey in (Backup(), Restore(), ReplaceNode(), Export(), Import())
}
