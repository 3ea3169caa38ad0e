"""Verb ``open-writes``: take the first-start settings away, prove that they are gone, and let clients write."""

from typing import Any, Dict, List, Optional

from aerokeep_node.asd import Asd
from aerokeep_node.conf import Context
from aerokeep_node.conf_text import cold_start_empty
from aerokeep_node.first_start import FirstStart
from aerokeep_node.info import InfoConnection, InfoError, InfoSilenceError, refuse
from aerokeep_node.namespaces import NamespaceConfig, guarded_in_conf, list_namespaces, read_config
from aerokeep_node.refusal import NotNowError, RefusalError
from aerokeep_node.tree import Tree, read_text
from aerokeep_node.unit import Unit
from aerokeep_node.unit_files import FIRST_START_CONF


def run(tree: Tree, parameters: Dict[str, str]) -> Dict[str, Any]:
    """Do it all or refuse; called again, it finds what is done and proves it anew."""
    names = sorted(set(parameters["Namespaces"].split(",")))
    unit = Unit(tree)
    unit.require()
    asd = Asd(tree)
    _judge_conf(asd)
    connection = asd.connect()
    try:
        configs = [_known(name, connection) for name in _existing(names, connection)]
        FirstStart(unit, asd.conf_path).remove()
        opened = {config.name: _open(config, asd.namespace_conf(config.name), connection) for config in configs}
    except (InfoError, InfoSilenceError) as error:
        raise refuse(error) from error
    finally:
        connection.close()
    return {"open": True, "namespaces": opened}


def _judge_conf(asd: Asd) -> None:
    """The next start goes by this file: it must be there, and must not make that start an empty one."""
    if not asd.conf_readable:
        raise RefusalError("conf_unreadable", f"{asd.conf_path} can't be read")
    emptied = cold_start_empty(asd.conf)
    if emptied:
        detail = "{} has cold-start-empty true in {}".format(asd.conf_path, ", ".join(emptied))
        raise RefusalError("cold_start_empty_on_disk", detail)
    if FIRST_START_CONF in (read_text(asd.conf_path) or ""):
        raise RefusalError("conf_names_first_start", f"{asd.conf_path} names the conf of the first start")


def _existing(names: List[str], connection: InfoConnection) -> List[str]:
    existing = list_namespaces(connection)
    unknown = [name for name in names if name not in existing]
    if unknown:
        detail = "{} not among this server's {}".format(", ".join(unknown), ", ".join(existing))
        raise RefusalError("namespace_unknown", detail)
    return names


def _known(name: str, connection: InfoConnection) -> NamespaceConfig:
    config = read_config(connection, name)
    if config.guard is None:
        raise RefusalError("guard_unknown", f"this server can't reject writes of namespace {name}")
    return config


def _open(config: NamespaceConfig, conf: Optional[Context], connection: InfoConnection) -> Dict[str, str]:
    """Set the guard to what the conf says, and read it back."""
    assert config.guard is not None  # noqa: S101 - judged above
    setting, guarding = config.guard
    on_disk = guarded_in_conf(config, conf)
    if config.guarded != on_disk:
        lifting = "false" if guarding == "true" else "true"
        value = guarding if on_disk else lifting
        reply = connection.ask(f"set-config:context=namespace;id={config.name};{setting}={value}")
        if reply != "ok":  # nothing but this word is success, in any version
            raise NotNowError("not_open", f"{config.name}: setting {setting} to {value}: {reply}")
    now = read_config(connection, config.name)
    if now.guarded != on_disk:
        raise NotNowError("not_open", f"{config.name}: {setting} is {now.get(setting)} after it was set")
    return {"running": _word(now.guarded), "on_disk": _word(on_disk)}


def _word(value: object) -> str:
    return "true" if value else "false"
