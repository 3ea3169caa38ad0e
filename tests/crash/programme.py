"""All journeys that the matrix plays, by name."""

from collections.abc import Mapping

from tests.crash.backups import Backup
from tests.crash.guarding import Guardian
from tests.crash.journeys import Journey, ReplaceNode, Restore
from tests.crash.transfers import Export, Import
from tests.crash.watching import Health, Protect

JOURNEYS: Mapping[str, Journey] = {
    journey.name: journey
    for journey in (Backup(), Restore(), ReplaceNode(), Export(), Import(), Protect(), Health(), Guardian())
}
