"""aerospike.conf as a tree, to be compared with what the server says at run time."""

from typing import Iterator, List, Optional, Tuple


class Context:
    """One ``name args { … }`` of the file; the root has no name."""

    def __init__(self, words: Tuple[str, ...]) -> None:
        self.words = words
        self.settings: List[Tuple[str, str]] = []
        self.children: List[Context] = []

    def child(self, *words: str) -> Optional["Context"]:
        """Find the first context that starts with these words."""
        return next((c for c in self.children if c.words[: len(words)] == words), None)

    def named(self, kind: str) -> Iterator["Context"]:
        """Go through the contexts of a kind, such as every ``namespace``."""
        return (c for c in self.children if c.words[:1] == (kind,))

    def get(self, name: str, default: Optional[str] = None) -> Optional[str]:
        """Give the last value of a setting; a flag without a value counts as ``true``."""
        values = self.all(name)
        return values[-1] if values else default

    def all(self, name: str) -> List[str]:
        """Give every value of a setting that may repeat, such as ``device``."""
        return [value for key, value in self.settings if key == name]


def parse_conf(text: str) -> Context:
    """Parse the classic (not the experimental YAML) form; what is unbalanced is closed at the end."""
    root = Context(())
    stack = [root]
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].strip()
        if not line:
            continue
        if line == "}":
            if len(stack) > 1:
                stack.pop()
            continue
        if line.endswith("{"):
            opened = Context(tuple(line[:-1].split()))
            stack[-1].children.append(opened)
            stack.append(opened)
            continue
        key, _, value = line.partition(" ")
        key, value = _split(line) if not value else (key, value.strip())
        stack[-1].settings.append((key, value or "true"))
    return root


def _split(line: str) -> Tuple[str, str]:
    words = line.split(None, 1)
    return words[0], words[1].strip() if len(words) > 1 else ""


def storage_paths(namespace: Context) -> List[Tuple[str, ...]]:
    """Give what the conf names as storage of a namespace, each device with its shadow: the words of each line."""
    engine = namespace.child("storage-engine")
    if engine is None:
        return []
    return [tuple(value.split()) for key, value in engine.settings if key in ("device", "file")]
