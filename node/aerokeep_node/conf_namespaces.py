"""A namespace as the conf describes it, in the form of ``get-config``, for a host whose server does not run."""

from typing import List, Tuple

from aerokeep_node.conf import Context
from aerokeep_node.namespaces import GUARD_SETTINGS, NamespaceConfig

DEFAULTS = (("replication-factor", "2"), ("rack-id", "0"))
_ENGINE = "storage-engine"


def configured_namespaces(conf: Context) -> List[NamespaceConfig]:
    """List the namespaces of a conf."""
    return [_config(context) for context in conf.named("namespace") if len(context.words) > 1]


def _config(context: Context) -> NamespaceConfig:
    pairs = [*DEFAULTS]
    if not any(context.get(name) for name, _ in GUARD_SETTINGS):
        pairs.append((GUARD_SETTINGS[0][0], "false"))
    pairs += context.settings
    engine = next(context.named(_ENGINE), None)
    if engine is not None:
        pairs.append((_ENGINE, engine.words[1] if len(engine.words) > 1 else "memory"))
        pairs += _engine_pairs(engine)
    return NamespaceConfig(context.words[1], pairs)


def _engine_pairs(engine: Context) -> List[Tuple[str, str]]:
    pairs = []
    counts = {"device": 0, "file": 0}
    for key, value in engine.settings:
        name = f"{_ENGINE}.{key}"
        if key not in counts:
            pairs.append((name, value))
            continue
        indexed = f"{name}[{counts[key]}]"
        counts[key] += 1
        words = value.split()
        pairs.append((indexed, words[0]))
        if len(words) > 1:
            pairs.append((indexed + ".shadow", words[1]))
    return pairs
