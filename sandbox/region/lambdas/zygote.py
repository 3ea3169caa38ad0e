"""The process that Lambda instances are forked from; runs isolated, on the standard library and the layer only.

Started as ``python -I -S zygote.py LAYER_DIR WARM_MODULE…`` with a Unix socket as its standard input. Each message
there is a JSON description of an instance plus one file descriptor: the socket over which it gets its events.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
import traceback
import typing

PR_SET_NAME = 15
PR_SET_PDEATHSIG = 1
HEADER_BYTES = 8
WARM_SERVICES = ("s3", "ec2", "ssm", "dynamodb", "stepfunctions", "cloudwatch")
Json = dict[str, typing.Any]


class Context:
    """What AWS Lambda passes as second argument to a handler."""

    def __init__(self, spec: Json, request: Json) -> None:
        self.function_name = spec["function_name"]
        self.function_version = "$LATEST"
        self.invoked_function_arn = spec["arn"]
        self.memory_limit_in_mb = str(spec["memory_mb"])
        self.aws_request_id = request["request_id"]
        self.log_group_name = spec["log_group"]
        self.log_stream_name = spec["instance"]
        self.identity = None
        self.client_context = None
        self._deadline = request["deadline"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is killed."""
        return max(0, int((self._deadline - time.time()) * 1000))


def receive(link: socket.socket) -> Json | None:
    """One length-prefixed JSON message; None when the other end is gone."""
    header = take(link, HEADER_BYTES)
    if not header:
        return None
    body = take(link, int.from_bytes(header, "big"))
    message: Json = json.loads(body)
    return message


def take(link: socket.socket, size: int) -> bytes:
    """Exactly `size` bytes, or none at all at the end of the stream."""
    parts = []
    while size:
        part = link.recv(min(size, 1 << 20))
        if not part:
            return b""
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def send(link: socket.socket, message: Json) -> None:
    """Send one length-prefixed JSON message."""
    body = json.dumps(message, default=str).encode()
    link.sendall(len(body).to_bytes(HEADER_BYTES, "big") + body)


def failure(kind: str, message: str, trace: list[str] | None = None) -> Json:
    """An error as Lambda reports it."""
    return {"errorMessage": message, "errorType": kind, "stackTrace": trace or []}


def load(spec: Json) -> typing.Callable[[typing.Any, Context], typing.Any]:
    """Import the handler from the function's own code."""
    sys.path.insert(0, spec["code_dir"])
    module_name, _, name = spec["handler"].rpartition(".")
    handler: typing.Callable[[typing.Any, Context], typing.Any] = getattr(importlib.import_module(module_name), name)
    return handler


def answer(handler: typing.Callable[[typing.Any, Context], typing.Any], spec: Json, request: Json) -> Json:
    """Call the handler; an exception becomes Lambda's error, named by its class."""
    os.environ["_X_AMZN_TRACE_ID"] = "Root=1-00000000-000000000000000000000000;Sampled=0"
    try:
        result = handler(request["event"], Context(spec, request))
        return {"ok": True, "payload": json.dumps(result)}
    except Exception as error:  # noqa: BLE001  # whatever the handler raises is its answer
        frames = traceback.format_tb(error.__traceback__)[1:]
        print(f"[ERROR] {type(error).__name__}: {error}\n{''.join(frames)}", flush=True)
        told = {**failure(type(error).__name__, str(error), frames), "requestId": request["request_id"]}
        return {"ok": False, "payload": json.dumps(told)}


def run_instance(spec: Json, link: socket.socket) -> None:
    """The life of one instance: settle in, import, serve events until the other end is gone."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_NAME, b"aerokeep-lambda")
    log = os.open(spec["log_path"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(spec["environment"])
    time.tzset()
    os.chdir(spec["code_dir"])
    handler, broken = None, None
    try:
        handler = load(spec)
    except Exception as error:  # noqa: BLE001  # an import may fail in any way; Lambda reports them all alike
        kind = "Runtime.HandlerNotFound" if isinstance(error, AttributeError) else "Runtime.ImportModuleError"
        text = f"Unable to import module '{spec['handler'].rpartition('.')[0]}': {error}"
        broken = failure(kind, text, traceback.format_tb(error.__traceback__))
        traceback.print_exc()
    send(link, {"pid": os.getpid()})
    while (request := receive(link)) is not None:
        if handler is None:
            reply: Json = {"ok": False, "payload": json.dumps(broken)}
        else:
            reply = answer(handler, spec, request)
        sys.stdout.flush()
        sys.stderr.flush()
        send(link, reply)


def share_models() -> None:
    """Let instances have the service models that were read here: parsing them takes longer than most steps."""
    loaders, boto3 = importlib.import_module("botocore.loaders"), importlib.import_module("boto3")
    read, known = loaders.JSONFileLoader.load_file, {}

    def load_file(self: typing.Any, path: str) -> typing.Any:  # noqa: ANN401  # botocore's own
        if path not in known:
            known[path] = read(self, path)
        return known[path]

    loaders.JSONFileLoader.load_file = load_file
    session = boto3.session.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="none")  # noqa: S106  # nothing is called
    for service in WARM_SERVICES:
        session.client(service)


def main() -> None:
    """Import the layer once, then fork an instance per message until the region hangs up."""
    sys.path.insert(0, sys.argv[1])
    with contextlib.suppress(ImportError):  # what the layer lacks is simply not warm
        for module in sys.argv[2:]:
            importlib.import_module(module)
        share_models()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control = socket.socket(fileno=0)
    while True:
        message, fds, _, _ = socket.recv_fds(control, 1 << 20, 1)
        if not message:
            return
        with socket.socket(fileno=fds[0]) as link:
            if os.fork() == 0:
                control.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                try:
                    run_instance(json.loads(message), link)
                except BaseException:  # noqa: BLE001  # a fork must never run on into the zygote's own loop
                    traceback.print_exc()
                    os._exit(1)
                os._exit(0)


if __name__ == "__main__":
    main()
