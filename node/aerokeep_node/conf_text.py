"""Change the text of an aerospike.conf line by line, so that whatever else stands in it stays as it is."""

import re
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from aerokeep_node.conf import Context, parse_conf
from aerokeep_node.refusal import RefusalError

COLD_START_EMPTY = "cold-start-empty"
GUARD = "reject-non-xdr-writes"
_ENGINE = ("storage-engine",)
_SERVICE = ("service",)
_PATHS = ("device", "file")
_SIZE = re.compile(r"^(\d+)([KMGTP]?)$", re.IGNORECASE)
_POWERS = "KMGTP"

Words = Tuple[str, ...]


def cold_start_empty(conf: Context) -> List[str]:
    """Name the namespaces that would come up empty, their devices erased, at the next cold start."""
    return [
        namespace.words[1]
        for namespace in conf.named("namespace")
        if any(engine.get(COLD_START_EMPTY) == "true" for engine in namespace.named("storage-engine"))
    ]


def file_sizes(conf: Context) -> Dict[str, int]:
    """Give the size in bytes that the conf gives to each file; the server cuts a longer one off at its start."""
    sizes = {}
    for namespace in conf.named("namespace"):
        for engine in namespace.named("storage-engine"):
            size_bytes = _size_of(engine.get("filesize") or "")
            for line in engine.all("file"):
                if size_bytes is not None:
                    sizes.update(dict.fromkeys(line.split(), size_bytes))
    return sizes


def _size_of(text: str) -> Optional[int]:
    found = _SIZE.match(text)
    if not found:
        return None
    power = _POWERS.index(found.group(2).upper()) + 1 if found.group(2) else 0
    return int(found.group(1)) << (10 * power)


def with_node_id(text: str, node_id: str) -> str:
    """Write the node-id; an interface to take it from cannot stand beside it."""
    conf = parse_conf(text)
    service = conf.child("service")
    if service is not None and (service.get("node-id") or "").upper() == node_id.upper():
        return text
    if service is None:
        text = "service {\n}\n" + text
    return _put(_without(text, [_SERVICE], "node-id-interface"), [_SERVICE], "node-id", node_id)


def with_path(text: str, namespace: str, former: str, path: str) -> str:
    """Replace one storage path of a namespace.

    Raises:
        RefusalError: ``path_not_in_conf``.

    """
    place = [("namespace", namespace), _ENGINE]
    lines = []
    replaced = 0
    for line, words, stack in _walk(text):
        if _is_at(stack, place) and words and words[0] in _PATHS and former in words[1:]:
            code, mark, comment = line.partition("#")
            lines.append(re.sub(r"(?<=\s)" + re.escape(former) + r"(?=\s|$)", lambda _: path, code) + mark + comment)
            replaced += 1
        else:
            lines.append(line)
    if replaced != 1:
        raise RefusalError("path_not_in_conf", f"{former} stands {replaced} times in namespace {namespace} of the conf")
    return "\n".join(lines) + "\n"


def first_start_text(text: str, reject_writes: Sequence[str], empty: Sequence[str]) -> str:
    """Write the conf of a first start: client writes rejected, and where asked for, come up empty.

    Raises:
        RefusalError: ``namespace_unknown``.

    """
    for name in reject_writes:
        text = _put(text, [("namespace", name)], GUARD, "true")
    for name in empty:
        text = _put(text, [("namespace", name), _ENGINE], COLD_START_EMPTY, "true")
    conf = parse_conf(text)
    guarded = {one.words[1] for one in conf.named("namespace") if one.get(GUARD) == "true"}
    lacking = [*(set(reject_writes) - guarded), *(set(empty) ^ set(cold_start_empty(conf)))]
    if lacking:
        raise RefusalError("namespace_unknown", "not in the conf: {}".format(", ".join(sorted(lacking))))
    return text


def _put(text: str, place: Sequence[Words], setting: str, value: str) -> str:
    """Set something in the context at ``place``, instead of whatever it was; unchanged where there is none."""
    lines = []
    for line, words, stack in _walk(_without(text, place, setting)):
        lines.append(line)
        opens = words[-1:] == ["{"] and _is_at([*stack, tuple(words[:-1])], place)
        if opens:
            lines.append(f"{'    ' * len(place)}{setting} {value}")
    return "\n".join(lines) + "\n"


def _without(text: str, place: Sequence[Words], setting: str) -> str:
    kept = [line for line, words, stack in _walk(text) if not (words[:1] == [setting] and _is_at(stack, place))]
    return "\n".join(kept) + "\n"


def _is_at(stack: Sequence[Words], place: Sequence[Words]) -> bool:
    return len(stack) == len(place) and all(words[: len(place[i])] == place[i] for i, words in enumerate(stack))


def _walk(text: str) -> Iterator[Tuple[str, List[str], List[Words]]]:
    """Give each line with its words and the contexts it stands in, as ``parse_conf`` understands them."""
    stack: List[Words] = []
    for line in text.splitlines():
        words = line.split("#", 1)[0].replace("{", " { ").split()
        yield line, words, list(stack)
        if words == ["}"]:
            stack = stack[:-1]
        elif words[-1:] == ["{"]:
            stack.append(tuple(words[:-1]))
