"""The word to let go: it ends a write stop early, never late, and nothing that can be in its place does harm."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.e2e.host.a_host import FENCE, Host, Result
from tests.e2e.host.a_store import FileStore

WORD = "/let-go"


def the_word(token: str = FENCE) -> bytes:
    return json.dumps({"token": token}).encode()


def stop(host: Host, url: str, *, lead_s: float = 3.0, lease_s: float = 8.0) -> Result:
    code, armed = host.stop(lead_s=lead_s, lease_s=lease_s, LetGo=url)
    assert code == 0, armed
    return armed


def address(store: FileStore) -> str:
    return f"{store.url}{WORD}?X-Amz-Signature=secret"


def test_a_host_lets_go_as_soon_as_the_word_is_there(host: Host, store: FileStore) -> None:
    armed = stop(host, address(store))
    host.wait_for_state("holding")
    store.content[WORD] = the_word()
    evidence = host.evidence()
    times = evidence["times"]
    assert (evidence["ended_by"], evidence["errors"]) == ("resume", [])
    assert times["flushed"] <= times["told"] <= times["lift_started"] < armed["end_at"]
    test = evidence["namespaces"]["test"]
    assert times["told"] <= test["unchanged_until"], "the last look comes after the word"
    assert host.is_as_before()
    assert host.resume()["state"] == "resumed"


def test_a_stop_that_is_called_off_before_t0_changes_nothing(host: Host, store: FileStore) -> None:
    stop(host, address(store), lead_s=30.0)
    store.content[WORD] = the_word()
    evidence = host.evidence()
    assert evidence["ended_by"] == "never_started"
    assert host.server.applied == []


def test_the_word_for_another_stop_is_not_for_this_one(host: Host, store: FileStore) -> None:
    store.content[WORD] = the_word("f" * 32)
    armed = stop(host, address(store), lease_s=4.0)
    evidence = host.evidence()
    assert evidence["ended_by"] == "lease"
    assert evidence["times"]["told"] is None
    assert evidence["times"]["lift_started"] >= armed["end_at"]
    assert WORD in store.asked


OTHER_THINGS = (b"", b"not json", b"[]", b'"token"', b"\xff\xfe", b"x" * 100_000, b"[" * 4000)


def test_nothing_else_in_its_place_ends_a_stop_or_hinders_its_end(host: Host, store: FileStore) -> None:
    stop(host, address(store), lead_s=4.0, lease_s=40.0)
    host.wait_for_state("holding")
    for content in OTHER_THINGS:
        store.content[WORD] = content
        store.wait_for_looks(3)  # the first of them may have found what was there before
        host.wait_for_state("holding")  # a state that was left never comes back
    assert host.resume()["state"] == "resumed"
    assert host.is_as_before()


def test_where_nothing_listens_the_lease_ends_by_itself_and_says_so(host: Host) -> None:
    armed = stop(host, "http://127.0.0.1:9/let-go?X-Amz-Signature=secret", lease_s=4.0)
    evidence = host.evidence()
    assert evidence["ended_by"] == "lease"
    assert armed["end_at"] <= evidence["times"]["lift_started"] < armed["end_at"] + 0.5
    assert [error["act"] for error in evidence["errors"]] == ["let_go"]
    assert "secret" not in json.dumps(evidence)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        taken: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for one in taken:
            one.close()


def test_a_store_that_never_answers_does_not_hold_up_the_lease(host: Host, silent_port: int) -> None:
    armed = stop(host, f"http://127.0.0.1:{silent_port}/let-go?X-Amz-Signature=secret", lease_s=4.0)
    evidence = host.evidence()
    assert evidence["ended_by"] == "lease"
    assert armed["end_at"] <= evidence["times"]["lift_started"] < armed["end_at"] + 0.5
    assert host.is_as_before()
