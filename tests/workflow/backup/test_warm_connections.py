"""Each node has a connection of its own, opened before the cut: at the cut itself none is, whatever came between."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs

import boto3
import pytest
from aerokeep.aws.cutter import Cutter
from aerokeep.rules.plan import MOST_NODES_PER_BARRIER
from aerokeep.rules.window import Lease, plan_window
from aerokeep.steps.backup.cut_snapshots import cut_together
from aerokeep.steps.step import Clock
from botocore.config import Config

from tests.builders import a_node_plan, a_plan, a_run

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

ANSWERS = {
    "DescribeInstances": "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>",
    "CreateSnapshots": "<CreateSnapshotsResponse><snapshotSet><item><volumeId>vol-a</volumeId>"
    "<snapshotId>snap-1</snapshotId></item></snapshotSet></CreateSnapshotsResponse>",
}
NODES = 12
LEAD_S = 6.0


class Server(ThreadingHTTPServer):
    """Takes as many connections at once as a barrier opens."""

    daemon_threads = True
    request_queue_size = 2 * MOST_NODES_PER_BARRIER


class Ec2:
    """An endpoint that keeps connections, counts them, and knows which one each call came by."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        """(action, number of the connection)."""
        self.opened = 0
        self.refused: frozenset[str] = frozenset()
        """Actions that are answered with an error."""
        self._lock = Lock()
        self._server = Server(("127.0.0.1", 0), self._handler())
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def connections_of(self, action: str) -> list[int]:
        """By which connections an action was called."""
        return [connection for called, connection in self.calls if called == action]

    def client(self) -> "EC2Client":
        """One that keeps its connections."""
        return boto3.client(
            "ec2",
            region_name="eu-central-1",
            endpoint_url=f"http://127.0.0.1:{self._server.server_port}",
            aws_access_key_id="none",
            aws_secret_access_key="none",  # noqa: S106 - no secret: nobody checks it
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=5),
        )

    def cutter(self) -> Cutter:
        """As the Lambda has it, but for the address."""
        return Cutter(self.client)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        ec2 = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                with ec2._lock:
                    ec2.opened += 1
                    self.number = ec2.opened

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                (action,) = parse_qs(body)["Action"]
                with ec2._lock:
                    ec2.calls.append((action, self.number))
                error = "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>"
                refused = action in ec2.refused
                answer = (error if refused else ANSWERS[action]).encode()
                self.send_response(503 if refused else 200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its own name
                pass

        return Handler


class Holds:
    """A lock that is never lost."""

    def require(self, *_: object) -> None:
        """Say so."""


@pytest.fixture
def ec2() -> Iterator[Ec2]:
    with Ec2() as made:
        yield made


def cut(cutter: Cutter, *, lead_s: float = LEAD_S) -> list[object]:
    """Cut a window's nodes as the step does."""
    clock = Clock()
    window = plan_window(Lease(flush_s=0.5, lease_s=10.0), now=clock(), lead_s=lead_s, token="0" * 32)
    plan = a_plan(NODES)
    return list(cut_together(plan, a_run(), cutter, Holds(), clock, window))  # type: ignore[arg-type]


def test_at_the_cut_no_connection_is_opened_and_none_is_shared(ec2: Ec2) -> None:
    cutter = ec2.cutter()
    outcomes = cut(cutter)
    warmed, used = ec2.connections_of("DescribeInstances"), ec2.connections_of("CreateSnapshots")
    assert len(outcomes) == NODES
    assert len(used) == len(set(used)) == NODES
    assert set(used) <= set(warmed)
    # Once at the start, and once more just before T0, as far as two seconds suffice on a loaded machine.
    assert max(warmed.count(connection) for connection in used) == 2
    assert ec2.opened == NODES


def test_a_container_that_is_used_again_opens_nothing_either(ec2: Ec2) -> None:
    cutter = ec2.cutter()
    cut(cutter)
    cut(cutter)
    assert ec2.opened == NODES


def test_one_pool_that_is_warmed_by_quick_calls_is_not_warm(ec2: Ec2) -> None:
    """Why each node has a client of its own: quick answers let all calls go by few connections."""
    shared = ec2.client()
    for _ in range(NODES):
        shared.describe_instances(InstanceIds=["i-1"])
    assert ec2.opened == 1


def test_what_cannot_be_warmed_is_cut_all_the_same(ec2: Ec2) -> None:
    ec2.refused = frozenset({"DescribeInstances"})
    outcomes = cut(ec2.cutter())
    assert [type(outcome).__name__ for outcome in outcomes] == ["NodeCut"] * NODES


def test_who_comes_late_opens_no_lines_but_cuts_in_time(ec2: Ec2) -> None:
    outcomes = cut(ec2.cutter(), lead_s=0.0)
    assert [type(outcome).__name__ for outcome in outcomes] == ["NodeCut"] * NODES


def test_there_are_lines_enough_for_the_largest_barrier(ec2: Ec2) -> None:
    cutter = ec2.cutter()
    nodes = [a_node_plan(number) for number in range(1, MOST_NODES_PER_BARRIER + 1)]
    clock = Clock()
    ids, until = [node.instance_id for node in nodes], clock() + timedelta(seconds=60)
    assert cutter.warm(ids, until=until, clock=clock) == []
    assert ec2.opened == MOST_NODES_PER_BARRIER
    with ThreadPoolExecutor(MOST_NODES_PER_BARRIER) as pool:
        list(pool.map(lambda node: cutter.cut(node, tags={}), nodes))
    assert ec2.opened == MOST_NODES_PER_BARRIER
