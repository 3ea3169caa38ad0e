"""The journeys that are deployed, each with the table of its steps."""

from infra.backup_steps import BACKUP
from infra.export_steps import EXPORT
from infra.guardian_steps import GUARDIAN
from infra.health_steps import HEALTH
from infra.import_steps import IMPORT
from infra.protect_steps import PROTECT
from infra.replace_node_steps import REPLACE_NODE
from infra.restore_steps import RESTORE
from infra.step import Step

JOURNEYS: dict[str, tuple[Step, ...]] = {
    "backup": BACKUP,
    "restore": RESTORE,
    "replace-node": REPLACE_NODE,
    "export": EXPORT,
    "import": IMPORT,
    "protect": PROTECT,
    "health": HEALTH,
    "guardian": GUARDIAN,
}


def construct_id(journey: str) -> str:
    """Name a journey's scope: ``replace-node`` → ``ReplaceNode``."""
    return "".join(word.capitalize() for word in journey.split("-"))


def package_of(journey: str) -> str:
    """Name a journey's package below ``steps``: ``replace-node`` → ``replace_node``, ``import`` → ``import_``."""
    return "import_" if journey == "import" else journey.replace("-", "_")
