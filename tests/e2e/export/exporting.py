"""What an operator does with exports of a living cluster, and what may go wrong on its hosts meanwhile."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.cluster import Cluster
from sandbox.demo_estate import CLUSTER, DemoEstate, DemoFailedError

RECORDS = 2_000
SETS = {"test": "library", "raw": "shelf"}
POLICY = {"verify": "sizes", "runner_silence_s": 20, "records_per_second": 400, "tries": 3}
"""Slow enough that something can happen meanwhile."""
WRITE_STOP = {"lead_s": 10, "lease_s": 20, "budget_s": 16}
PATIENCE_S = 90.0
POLL_S = 0.2
FINISHED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


@dataclass
class Exporting:
    """The estate and its cluster."""

    estate: DemoEstate
    cluster: Cluster
    started: list[str] = field(default_factory=list)

    def fill(self) -> None:
        """Records in both namespaces."""
        for namespace, name in SETS.items():
            self.cluster.put(namespace, name, RECORDS, value=7)

    def use(self, **policy: Any) -> None:  # noqa: ANN401 - any part of the policy
        """Change the deployed policy."""
        self.estate.use_own_settings(export={**POLICY, **policy}, write_stop=WRITE_STOP)

    # -- executions

    def start(self, journey: str, **request: Any) -> str:  # noqa: ANN401 - any execution input
        """Start a journey → its ARN."""
        time.sleep(1.0 - time.time() % 1.0)  # ids name the second
        arn = self.estate.start(journey, cluster=CLUSTER, **request)
        self.started.append(arn)
        return arn

    def run(self, journey: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - any execution input
        """Run a journey to its good end → its output."""
        return self.follow(journey, self.start(journey, **request))

    def follow(self, journey: str, arn: str) -> dict[str, Any]:
        """Wait for a good end → the output."""
        return self.estate.follow(journey, arn)

    def failure_of(self, journey: str, arn: str) -> str:
        """Wait for a bad end → what the operator is told."""
        try:
            told = self.follow(journey, arn)
        except DemoFailedError as error:
            return str(error)
        raise AssertionError(f"{journey} succeeded: {told}")

    def settle(self) -> None:
        """Wait for every execution of this suite, and let the guardian see to what is left."""
        self.wait_for_ends()
        self.estate.run("guardian")

    def wait_for_ends(self) -> None:
        """Wait for every execution of this suite."""
        states = self.estate.region.client("stepfunctions")
        for arn in self.started:
            self._wait_for_end(states, arn)
        self.started.clear()

    @staticmethod
    def _wait_for_end(states: Any, arn: str) -> None:  # noqa: ANN401 - a boto client
        _until(lambda: states.describe_execution(executionArn=arn)["status"] in FINISHED, f"{arn} goes on")

    # -- the vault

    def exports(self) -> dict[str, dict[str, Any]]:
        """Export id → manifest, of all that left anything."""
        prefix = f"clusters/{CLUSTER}/exports/"
        ids = {key.removeprefix(prefix).partition("/")[0] for key in self.keys(prefix)}
        return {export_id: json.loads(self.object(f"{prefix}{export_id}/manifest.json") or b"{}") for export_id in ids}

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix."""
        s3, bucket = self.estate.region.client("s3"), self.estate.outputs["VaultName"]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def object(self, key: str) -> bytes:
        """An object's bytes; none where there is none."""
        if key not in self.keys(key):
            return b""
        body: bytes = (
            self.estate.region.client("s3").get_object(Bucket=self.estate.outputs["VaultName"], Key=key)["Body"].read()
        )
        return body

    def leftovers(self) -> list[str]:
        """Objects of exports that do not exist, unfinished uploads, locks, and processes of tools."""
        found = [
            key
            for export_id, manifest in self.exports().items()
            if manifest.get("state") != "committed"
            for key in self.keys(f"clusters/{CLUSTER}/exports/{export_id}/")
            if not key.endswith("/manifest.json")
        ]
        s3, bucket = self.estate.region.client("s3"), self.estate.outputs["VaultName"]
        found += [upload["Key"] for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]
        table = self.estate.region.client("dynamodb")
        for lane in ("lock", "export-lock"):
            key = {"pk": {"S": f"cluster#{CLUSTER}"}, "sk": {"S": lane}}
            item = table.get_item(TableName=self.estate.outputs["CatalogName"], Key=key).get("Item", {})
            found += [f"{lane} of {item['run']['S']}"] if "owner" in item else []
        return found + [f"process {pid}: {words}" for pid, words in self.processes("sandbox.tools")]

    # -- hosts

    def processes(self, *marks: str) -> Iterator[tuple[int, str]]:
        """Processes of this suite's nodes whose command line holds all of these words."""
        workdir = str(self.estate.plane.workdir)
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                environment = (entry / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if workdir in environment and all(mark in words for mark in marks):
                yield int(entry.name), words

    def kill(self, *marks: str) -> int:
        """Kill a tool's processes, as the kernel does when memory is short → how many."""
        found = list(self.processes(*marks))
        for pid, _ in found:
            os.kill(pid, signal.SIGKILL)
        return len(found)

    def kill_next(self, *marks: str) -> None:
        """Wait until a tool runs, and kill it."""
        _until(lambda: self.kill(*marks) > 0, f"no {marks} runs")

    def wait_for_progress(self, percent: float, *, part: str = "") -> str:
        """Wait until a part of a running job is that far → the instance that runs it."""
        found: list[str] = []

        def far_enough() -> bool:
            for instance_id, told in self._progress():
                parts = [one for one in told["parts"] if one["name"].startswith(part) and one["state"] == "running"]
                if any(one["percent"] >= percent for one in parts):
                    found.append(instance_id)
                    return True
            return False

        _until(far_enough, f"no part {part} came to {percent} %")
        return found[0]

    def _progress(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for instance_id in self.cluster.members:
            if not self.estate.region.mirror.is_on(instance_id):
                continue
            out = self.on(instance_id, "sh", "-c", 'cat "${AEROKEEP_ROOT:-}"/run/aerokeep/*/progress.json 2>/dev/null')
            for line in out.replace("}{", "}\n{").splitlines():
                told = json.loads(line)
                if told.get("state") == "running" and told["kind"] in ("export", "import"):
                    yield instance_id, told

    def on(self, instance_id: str, *argv: str) -> str:
        """Run a program on a node → what it printed."""
        process = self.estate.plane.spawn(
            instance_id, list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        return process.communicate(timeout=60)[0].decode()

    @contextmanager
    def agent_down(self, instance_id: str) -> Iterator[None]:
        """The SSM agent of a node does not answer; what it had started goes with it, as systemd ends a unit's group."""
        agent = self.estate.region.commands.agent(instance_id)
        agent.online = False
        try:
            yield
        finally:
            agent.online = True


def _until(question: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not question():
        assert time.monotonic() < deadline, otherwise
        time.sleep(POLL_S)
