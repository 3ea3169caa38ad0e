"""Evaluate JSONata as Step Functions does: jsonata-python plus the functions that Step Functions adds."""

import functools
import hashlib
import json
import random
import uuid
from collections.abc import Sequence
from typing import Any

from jsonata import Jsonata

Json = Any
ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


def evaluate(expression: str) -> Json:
    """The value of an expression that stands alone (moto writes its variables into the text), as plain JSON."""
    program = Jsonata(expression)
    for name, function in FUNCTIONS.items():
        program.register_lambda(name, function)
    return _plain(program.evaluate(None))


def declare(bindings: dict[str, Json]) -> str:
    """Variables as JSONata assignments; every value, strings too, as a JSON literal."""
    return "".join(f"{name}:={json.dumps(value, default=str)};" for name, value in bindings.items())


def _plain(value: Json) -> Json:
    """Lists and dicts of the evaluator's own classes become Python's."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _hash(value: Json, algorithm: str = "SHA-1") -> str:
    """``$hash(value, algorithm)``: hexadecimal; objects are hashed as compact JSON."""
    text = value if isinstance(value, str) else json.dumps(_plain(value), separators=(",", ":"))
    return hashlib.new(ALGORITHMS[algorithm], text.encode()).hexdigest()


def _range(first: float, last: float, step: float) -> list[int]:
    """``$range(first, last, step)``: both ends included."""
    forward = 1 if step > 0 else -1
    return list(range(int(first), int(last) + forward, int(step)))


def _partition(items: Sequence[Json], size: float) -> list[list[Json]]:
    """``$partition(array, size)``."""
    return [list(items[start : start + int(size)]) for start in range(0, len(items), int(size))]


def _random(seed: Json = None) -> float:
    """``$random(seed)``: repeatable when seeded."""
    return random.Random(seed).random() if seed is not None else random.random()  # noqa: S311  # no secret is made here


FUNCTIONS = {
    "uuid": lambda: str(uuid.uuid4()),
    "hash": _hash,
    "range": _range,
    "partition": _partition,
    "random": _random,
    "parse": functools.partial(json.loads),
}
