"""The region's HTTP endpoint on loopback: moto's application behind a gate for faults and S3's own checks."""

import io
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from threading import Lock, Thread
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from sandbox.region import wire
from sandbox.region.conditional import Deletions
from sandbox.region.faults import ApiCall, ApiError, Faults, LostResponseError
from sandbox.region.limits import check_limits
from sandbox.region.pace import Pace
from sandbox.region.presigned import check_checksum, check_signed
from sandbox.region.recorder import LOST, Recorder, outcome_of
from sandbox.region.throttles import Throttles

StartResponse = Callable[..., Any]
POLL_S = 0.02
FORM = "application/x-www-form-urlencoded"
DROPPED = "500 Lost"


class QuietHandler(MotoRequestHandler):  # type: ignore[misc]  # moto has no types
    """Moto's request handler without a line on stderr per request."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  # werkzeug's own name
        """Say nothing."""


class Dispatcher(DomainDispatcherApplication):  # type: ignore[misc]  # moto has no types
    """Moto's dispatcher, which would look through moto's folders on disk at every request, one request at a time."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._backends: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:  # noqa: ANN401  # moto's own
        """The same answer to the same question."""
        if host not in self._backends:
            self._backends[host] = super().get_backend_for_host(host)
        return self._backends[host]


CONDITIONAL = ("dynamodb", "s3")
"""Their conditional writes are atomic in AWS; moto checks and acts in two steps, and in many threads at once."""


class Gate:
    """WSGI application: S3's checks, the faults and the recorder, around moto."""

    def __init__(self, faults: Faults, recorder: Recorder, *, throttles: Throttles, pace: Pace) -> None:
        self._faults, self._recorder, self._throttles, self._pace = faults, recorder, throttles, pace
        self._moto = Dispatcher()
        self._deletions = Deletions()
        self._turns: Mapping[str, AbstractContextManager[Any]] = {service: Lock() for service in CONDITIONAL}

    def __call__(self, environ: wire.Environ, start_response: StartResponse) -> Iterable[bytes]:
        """One request; its body is read here, so that checks, faults and moto can each see all of it."""
        body = _read(environ)
        call = wire.api_call(environ, body)
        environ["aerokeep.arrived"] = time.monotonic()
        _settle(environ, body, call)
        if self._recorder.idle:
            return self._guarded(call, environ, body, start_response)
        began = time.time()
        heads: list[tuple[Any, ...]] = []
        chunks: list[bytes] = []
        try:
            chunks = list(self._guarded(call, environ, body, lambda *head: heads.append(head)))
            start_response(*heads[0])
            return chunks
        finally:
            status = int(str(heads[0][0]).split()[0]) if heads else 0
            lost = not heads or heads[0][0] == DROPPED
            outcome = LOST if lost else outcome_of(status, b"".join(chunks[:1]))
            self._recorder.call(call, began=began, outcome=outcome)

    def _guarded(
        self, call: ApiCall, environ: wire.Environ, body: bytes, start_response: StartResponse
    ) -> Iterable[bytes]:
        try:
            if call.service == "s3":
                check_signed(environ, now=datetime.now(UTC))
                check_checksum(environ, body)
            return self._answer(call, environ, start_response)
        except ApiError as error:
            content_type, text = wire.error_body(
                error, service=call.service, content_type=environ.get("CONTENT_TYPE", "")
            )
            headers = [("Content-Type", content_type), ("Content-Length", str(len(text)))]
            start_response(f"{error.status} Error", [*headers, ("x-amzn-ErrorType", error.code)])
            return [text]
        except LostResponseError:
            return _drop(environ, start_response)

    def _answer(self, call: ApiCall, environ: wire.Environ, start_response: StartResponse) -> Iterable[bytes]:
        self._throttles.ask(call)
        check_limits(call)
        if not self._pace.calls_s:
            return self._faulted(call, environ, start_response)
        lasts_s = self._pace.call_s(f"{call.service}.{call.action}")
        time.sleep(lasts_s / 2)
        chunks = self._faulted(call, environ, start_response)
        time.sleep(lasts_s / 2)
        return chunks

    def _faulted(self, call: ApiCall, environ: wire.Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._faults.idle:
            return self._act(call, environ, start_response)
        self._faults.ask_before(call)
        held: list[tuple[Any, ...]] = []
        chunks = list(self._act(call, environ, lambda *head: held.append(head)))
        self._faults.ask_after(call)
        start_response(*held[0])
        return chunks

    def _act(self, call: ApiCall, environ: wire.Environ, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  # WSGI's
        with self._turns.get(call.service, nullcontext()):
            if call.service == "s3":
                self._deletions.check(environ)
            answer: Iterable[bytes] = self._moto(environ, start_response)
            return answer


def _read(environ: wire.Environ) -> bytes:
    if environ.get("wsgi.input_terminated"):
        return bytes(environ["wsgi.input"].read())
    return bytes(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))


def _settle(environ: wire.Environ, body: bytes, call: ApiCall) -> None:
    """Give moto the body again; for an object, in a type that moto does not parse as a form and so lose."""
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    if call.service == "s3" and environ["REQUEST_METHOD"] == "PUT" and environ.get("CONTENT_TYPE", "").startswith(FORM):
        environ["CONTENT_TYPE"] = "application/octet-stream"


def _drop(environ: wire.Environ, start_response: StartResponse) -> Iterable[bytes]:
    connection = environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    start_response(DROPPED, [("Content-Length", "0"), ("Connection", "close")])
    return []


class Endpoint:
    """The server thread. `start` gives its URL; it listens on loopback only."""

    def __init__(self, gate: Gate, *, port: int = 0) -> None:
        self._server = make_server("127.0.0.1", port, gate, threaded=True, request_handler=QuietHandler)
        self._thread = Thread(target=self._server.serve_forever, args=(POLL_S,), name="aerokeep-region", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_port)

    @property
    def url(self) -> str:
        """``localhost`` and not ``127.0.0.1``: bucket names in host names are then told apart from addresses."""
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and close the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
