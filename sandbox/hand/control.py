"""Ask the background process: one line of JSON there, one back, on loopback, by whoever knows the token."""

import json
import secrets
import socketserver
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from socket import create_connection
from typing import Any, Self

LOOPBACK = "127.0.0.1"
ASK_S = 60.0
Verbs = Mapping[str, Callable[[Mapping[str, Any]], list[str]]]
"""Name → what answers it with lines for people; ValueError is an answer too."""


class NotAnsweredError(Exception):
    """The process said no, or nothing at all."""


class Control:
    """Answers verbs until it is closed."""

    def __init__(self, verbs: Verbs) -> None:
        self.token = secrets.token_hex(16)
        token = self.token

        class Handler(socketserver.StreamRequestHandler):
            """One question."""

            def handle(self) -> None:
                """Read it, answer it."""
                self.wfile.write(json.dumps(_answer(self.rfile.readline(), verbs, token)).encode() + b"\n")

        self._server = socketserver.ThreadingTCPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="aerokeep-control", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _answer(line: bytes, verbs: Verbs, token: str) -> dict[str, Any]:
    try:
        asked = json.loads(line)
        if not secrets.compare_digest(str(asked["token"]), token):
            return {"refused": "this is not the token of this region"}
        return {"lines": verbs[str(asked["verb"])](asked)}
    except (ValueError, KeyError, TypeError) as error:
        return {"refused": str(error)}


def ask(port: int, token: str, verb: str, **more: str) -> list[str]:
    """Ask for a verb → its lines.

    Raises:
        NotAnsweredError: it was refused, with the reason; or nobody answers.

    """
    try:
        with ExitStack() as stack:
            connection = stack.enter_context(create_connection((LOOPBACK, port), timeout=ASK_S))
            connection.sendall(json.dumps({"token": token, "verb": verb, **more}).encode() + b"\n")
            answer = json.loads(stack.enter_context(connection.makefile()).readline())
    except (OSError, ValueError) as error:
        raise NotAnsweredError(f"the region does not answer: {error}") from error
    if "refused" in answer:
        raise NotAnsweredError(str(answer["refused"]))
    return list(answer["lines"])
