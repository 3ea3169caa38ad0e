"""Verbs ``export``, ``import``, ``status`` and ``cancel`` of a light host: jobs that really move objects."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import boto3
from aerokeep_node.refusal import HeldError, RefusalError

from sandbox.light.capturing import download
from sandbox.light.cluster import View
from sandbox.light.content import Data
from sandbox.light.host import Host
from sandbox.light.looking import health
from sandbox.light.server import Server
from sandbox.region.credentials import SECRET, access_key

RECORD_BYTES = 100
INSTANCE_ROLE = "aerokeep-node"
NONE = "none"
Reply = dict[str, Any]


@dataclass(eq=False)
class Job:
    """One order under way; its parts are done one after the other, an even share of the job's time each."""

    run: str
    order: Mapping[str, Any]
    endpoint: str
    began_at: float
    parts: list[Reply] = field(default_factory=list)
    """Replies of parts that are done."""
    cancelled: bool = False

    @property
    def done(self) -> bool:
        """Whether every part is."""
        return len(self.parts) == len(self.order["parts"])


def order_job(host: Host, run: str, spec: str, view: Callable[[], View | None], everyone: list[Server]) -> Reply:
    """Begin what an order says, or tell how far it is.

    Raises:
        HeldError: another run's job lives here.
        RefusalError: the run was cancelled.

    """
    if run in host.cancelled:
        raise RefusalError("cancelled", f"the jobs of {run} were cancelled on this host")
    order = json.loads(download(spec, "download_failed"))
    job = host.job
    if isinstance(job, Job) and not job.done and not job.cancelled and job.order["token"] != order["token"]:
        raise HeldError("job_running", f"a job of {job.run} lives on this host")
    if not isinstance(job, Job) or job.order["token"] != order["token"]:
        if order["kind"] == "import":
            _check_targets(host, order, view())
        address = urlsplit(spec)
        host.job = Job(run, order, f"{address.scheme}://{address.netloc}", time.monotonic())
    return status(host, run, view, everyone)


def status(host: Host, run: str, view: Callable[[], View | None], everyone: list[Server]) -> Reply:
    """How far the job of a run is, and what the host has."""
    facts = {
        "tools": {"asbackup": host.tool_version, "asrestore": host.tool_version},
        "validate": True,
        "programs": {"aws": True, "gzip": True, "zstd": True},
        "load": 0.1,
        "cpus": 2,
        "free_mib": 10_000,
    }
    job = host.job
    if not isinstance(job, Job) or job.run != run:
        return {"state": "cancelled" if run in host.cancelled else "none", "parts": [], "facts": facts}
    _advance(host, job, view(), everyone)
    ended = "failed" if any(part["state"] == "failed" for part in job.parts) else "done"
    state = "cancelled" if job.cancelled else ended if job.done else "running"
    return {
        "state": state,
        "kind": job.order["kind"],
        "token": job.order["token"],
        "tool": {
            "name": "asrestore" if job.order["kind"] in ("import", "verify") else "asbackup",
            "version": host.tool_version,
        },
        "began_at": host.now,
        "ended_at": host.now if state != "running" else None,
        "parts": [*job.parts, *_waiting(job)],
        "facts": facts,
    }


def cancel(host: Host, run: str, view: Callable[[], View | None], everyone: list[Server]) -> Reply:
    """End the run's job, and let none begin."""
    host.cancelled.add(run)
    if isinstance(host.job, Job) and host.job.run == run and not host.job.done:
        host.job.cancelled = True
    return status(host, run, view, everyone)


def _check_targets(host: Host, order: Mapping[str, Any], view: View | None) -> None:
    guarded = {ns["name"] for ns in health(host, view)["namespaces"] if ns["reject_non_xdr_writes"]}
    if found := sorted(guarded & {part["target"] for part in order["parts"]}):
        raise RefusalError("namespace_guarded", f"{', '.join(found)} rejects client writes")


def _waiting(job: Job) -> Iterator[Reply]:
    for number, part in enumerate(job.order["parts"][len(job.parts) :]):
        share = 50 if number == 0 else 0
        yield {"name": part["name"], "state": "running" if number == 0 else "waiting", "percent": share}


def _advance(host: Host, job: Job, view: View | None, everyone: list[Server]) -> None:
    """Let everything have its effect that is due by now; the first part is done at once."""
    wanted = job.order["parts"]
    if host.now < (job.order.get("begin_at") or 0):
        return
    passed = (time.monotonic() - job.began_at) / host.job_s
    due = min(len(wanted), 1 + int(passed * len(wanted)))
    while len(job.parts) < due and not job.cancelled and view is not None:
        part = wanted[len(job.parts)]
        job.parts.append(_ended(job, part, host, everyone))


def _ended(job: Job, part: Mapping[str, Any], host: Host, everyone: list[Server]) -> Reply:
    if host.job_error is not None:
        error = {"code": host.job_error, "detail": "as the test wants it"}
        return {"name": part["name"], "state": "failed", "percent": 0, "error": error}
    told = DOING[job.order["kind"]](job, part, host, everyone)
    return {"name": part["name"], "state": "done", "percent": 100, **told}


def _s3(job: Job) -> Any:  # noqa: ANN401  # boto3 makes its clients at run time
    return boto3.client(
        "s3",
        endpoint_url=job.endpoint,
        region_name=job.order["region"],
        aws_access_key_id=access_key(INSTANCE_ROLE),
        aws_secret_access_key=SECRET,
    )


def _estimate(_job: Job, _part: Mapping[str, Any], _host: Host, _everyone: list[Server]) -> Reply:
    return {"estimate": {"record_bytes": RECORD_BYTES}}


def _export(job: Job, part: Mapping[str, Any], host: Host, _everyone: list[Server]) -> Reply:
    server = host.server
    data = server.data(part["namespace"]) if server is not None else Data()
    metadata = _counts(host, part["namespace"]) if part["metadata"] else (0, 0)
    text = json.dumps({"timeline": data.timeline, "records": data.records, "metadata": metadata}).encode()
    stem = f"{job.order['prefix']}/{part['name']}.{job.order['token']}"
    listing = json.dumps([_put(job, f"{stem}.asb", text) | {"compressed": "none"}]).encode()
    return {
        "files": 1,
        "bytes": len(text),
        "listing": _put(job, f"{stem}.files.json", listing),
        "summary": {
            "records": data.records,
            "sindexes": metadata[0],
            "udfs": metadata[1],
            "bytes": data.records * RECORD_BYTES,
        },
    }


def _put(job: Job, key: str, body: bytes) -> Reply:
    _s3(job).put_object(Bucket=job.order["bucket"], Key=key, Body=body)
    return {"key": key, "sha256": hashlib.sha256(body).hexdigest(), "size": len(body)}


def _counts(host: Host, namespace: str) -> tuple[int, int]:
    told = health(host, View((host.server,))) if host.server is not None else {"sindexes": [], "udfs": []}
    return len([one for one in told["sindexes"] if one["namespace"] == namespace]), len(told["udfs"])


def _held(job: Job, part: Mapping[str, Any]) -> Mapping[str, Any]:
    s3, bucket = _s3(job), job.order["bucket"]
    listed = json.loads(s3.get_object(Bucket=bucket, Key=part["listing"]["key"])["Body"].read())
    held: Mapping[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=listed[0]["key"])["Body"].read())
    return held


def _read(job: Job, part: Mapping[str, Any], *, skipped: bool) -> Reply:
    held = _held(job, part)
    records = 0 if skipped else held["records"]
    return {
        "files": 1,
        "files_done": 1,
        "counters": {"records": records},
        "sindexes": held["metadata"][0],
        "udfs": held["metadata"][1],
        "method": "tool",
    }


def _verify(job: Job, part: Mapping[str, Any], _host: Host, _everyone: list[Server]) -> Reply:
    return _read(job, part, skipped=False)


def _import(job: Job, part: Mapping[str, Any], _host: Host, everyone: list[Server]) -> Reply:
    skipped = part["skip"] > 0
    told, held = _read(job, part, skipped=skipped), _held(job, part)
    if not skipped:
        for server in everyone:
            server.put(part["target"], Data(held["timeline"], held["records"]))
        told["counters"] |= {"inserted": held["records"]}
    return told


DOING: Mapping[str, Callable[[Job, Mapping[str, Any], Host, list[Server]], Reply]] = {
    "estimate": _estimate,
    "export": _export,
    "verify": _verify,
    "import": _import,
}
