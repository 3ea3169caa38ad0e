"""Whatever a server answers, and whenever it begins to: a clear outcome, and nothing stays guarded."""

import os
import time
from collections.abc import Callable
from socket import socket

import pytest

from tests.e2e.host.a_host import Host
from tests.e2e.host.scripted_info_server import HEADER

pytestmark = pytest.mark.sampled

Behaviour = Callable[[socket, str], bool]
FRAME = (2 << 56) | (1 << 48)
LEAD_S, LEASE_S = 5.0, 3.0
SILENT_S = 60.0
REFUSALS = {"asd_silent", "asd_refused", "security_enabled", "namespace_unknown", "guard_unknown"}


def _framed(text: str) -> bytes:
    return HEADER.pack(FRAME | len(text)) + text.encode()


def _saying(value: str) -> Behaviour:
    def say(connection: socket, command: str) -> bool:
        connection.sendall(_framed(f"{command}\t{value}\n"))
        return True

    return say


def _sending(raw: Callable[[], bytes]) -> Behaviour:
    def send(connection: socket, _command: str) -> bool:
        connection.sendall(raw())
        return True

    return send


def _half(connection: socket, command: str) -> bool:
    whole = _framed(f"{command}\tok\n")
    connection.sendall(whole[: len(whole) // 2])
    return True


def _slow(_connection: socket, _command: str) -> bool:
    time.sleep(0.6)
    return False


def _silent(connection: socket, _command: str) -> bool:
    connection.settimeout(SILENT_S)
    while connection.recv(4096):
        pass
    raise ConnectionResetError


def _dropping(_connection: socket, _command: str) -> bool:
    raise ConnectionResetError


BEHAVIOURS: dict[str, Behaviour] = {
    "slowly": _slow,
    "never": _silent,
    "half": _half,
    "garbage": _sending(lambda: os.urandom(256)),
    "a frame without end": _sending(lambda: HEADER.pack(FRAME | ((1 << 48) - 1)) + b"x" * 64),
    "of another protocol": _sending(lambda: b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "an error with a code": _saying("ERROR:4:invalid set-config parameter"),
    "an error without one": _saying("ERROR::unknown"),
    "a bare error": _saying("error"),
    "a failure": _saying("FAIL:4:bad request"),
    "nothing at all": _saying(""),
    "almost ok": _saying("ok;"),
    "by dropping the connection": _dropping,
    "that it wants a login": _saying("ERROR:80:not authenticated"),
}


@pytest.mark.parametrize("how", BEHAVIOURS)
def test_a_server_that_answers_so_from_the_start_is_refused_and_left_alone(host: Host, how: str) -> None:
    host.server.instead = BEHAVIOURS[how]
    code, result = host.stop(lead_s=30.0)
    if how == "slowly":
        assert code == 0, result
        assert host.resume(tombstone="yes")["evidence"]["ended_by"] == "never_started"
    else:
        assert result["error"]["code"] in REFUSALS, result
    assert host.server.applied == []


@pytest.mark.parametrize("when", ["guarding", "holding"])
@pytest.mark.parametrize("how", BEHAVIOURS)
def test_a_server_that_answers_so_in_the_window_is_lifted_as_soon_as_it_can_be_asked(
    host: Host, how: str, when: str
) -> None:
    code, armed = host.stop(lead_s=LEAD_S, lease_s=LEASE_S)
    assert code == 0, armed
    if when == "holding":
        host.wait_for_state("holding")
    host.server.instead = BEHAVIOURS[how]
    while time.time() < armed["end_at"] + 1.0:
        time.sleep(0.05)
    host.server.instead = lambda *_: False
    evidence = host.evidence(within_s=30.0)
    assert evidence["ended_by"] in {"lease", "failure", "never_started"}
    assert host.is_as_before()
    if when == "guarding" and how != "slowly":
        assert not evidence["guarded_all"], "a guard that was not read back is none"
