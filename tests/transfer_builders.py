"""Builders of what exports and imports are judged by: parts, jobs and what hosts say of them, runners, a manifest."""

from collections.abc import Mapping, Sequence
from typing import Any

from aerokeep.model.cluster import ExportPolicy
from aerokeep.model.export import (
    ClusterFound,
    Estimated,
    ExportedNamespace,
    ExportedPart,
    ExportManifest,
    Live,
)
from aerokeep.model.import_ import ImportRequest, Target, TargetsFound
from aerokeep.model.transfer import (
    Counters,
    Facts,
    JobState,
    JobStatus,
    PartState,
    PartStatus,
    Runner,
    Summary,
    Told,
    ToldListing,
    Tool,
    Transfer,
)
from aerokeep.model.transfer_order import Compression, Kind, Listing, Mode, PartOrder, Server, TransferOrder
from aerokeep.rules.runners import Candidate

from tests.builders import NOON, at

EXPORT = "demo-export-20261123T120000Z"
VERSION = "4.5.8"
TOKEN = "0123456789abcdef"  # noqa: S105 - names an order, and opens nothing
SHA256 = "0" * 64


def a_policy(**changes: Any) -> ExportPolicy:  # noqa: ANN401 - any field
    """What counts where clusters.yaml says nothing."""
    return ExportPolicy(**changes)


def a_listing(part: str = "test-00") -> Listing:
    """Of one part's files."""
    return Listing(key=f"clusters/demo/exports/{EXPORT}/{part}.{TOKEN}.files.json", sha256=SHA256)


def a_part_order(name: str = "test-00", **changes: Any) -> PartOrder:  # noqa: ANN401 - any field
    """A slice that carries no metadata."""
    fields: dict[str, Any] = {"name": name, "namespace": name.rpartition("-")[0] or name, "metadata": False}
    return PartOrder(**{**fields, **changes})


def an_order(kind: Kind = Kind.EXPORT, **changes: Any) -> TransferOrder:  # noqa: ANN401 - any field
    """An order of one part, as its kind wants it."""
    reads: dict[str, Any] = {"target": "test", "listing": a_listing()} if kind in (Kind.IMPORT, Kind.VERIFY) else {}
    fields: dict[str, Any] = {
        "kind": kind,
        "run": EXPORT,
        "token": TOKEN,
        "server": Server(address="10.77.0.11", port=3000),
        "bucket": "vault",
        "region": "eu-central-1",
        "prefix": f"clusters/demo/exports/{EXPORT}",
        "parts": (a_part_order(**reads),),
        "mode": Mode.STREAM,
        "directory": "/var/lib/aerokeep/transfer",
        "at_once": 1,
        "parallel": 4,
        "compression": Compression.GZIP,
        "silence_s": 1800,
    }
    return TransferOrder(**{**fields, **changes})


def a_part_status(
    name: str = "test-00",
    state: PartState = PartState.RUNNING,
    *,
    error: str | None = None,
    **changes: Any,  # noqa: ANN401 - any field
) -> PartStatus:
    """What a host says of a part; ``error`` is a code."""
    told = None if error is None else Told(code=error, detail=f"what the host says of {error}")
    return PartStatus(name=name, state=state, error=told, **changes)


def a_job_status(token: str | None, *parts: PartStatus, **changes: Any) -> JobStatus:  # noqa: ANN401 - any field
    """What a host says of a job that runs."""
    fields: dict[str, Any] = {"state": JobState.RUNNING, "token": token, "parts": parts}
    return JobStatus(**{**fields, **changes})


def a_runner(number: int = 1, **changes: Any) -> Runner:  # noqa: ANN401 - any field
    """Node ``A<number>`` on ``i-<number>`` with the tools."""
    fields: dict[str, Any] = {
        "instance_id": f"i-{number}",
        "server": Server(address=f"10.77.0.1{number}", port=3000),
        "node_id": f"A{number}",
        "tools": {"asbackup": VERSION, "asrestore": VERSION},
        "load": 0.1,
        "free_mib": 10_000,
    }
    return Runner(**{**fields, **changes})


def a_candidate(number: int = 1, *, rack_id: int | None = None, **facts: Any) -> Candidate:  # noqa: ANN401 - any fact
    """A host that answered, and has all that a job needs."""
    fields: dict[str, Any] = {
        "tools": {"asbackup": VERSION, "asrestore": VERSION},
        "validate": True,
        "programs": {"aws": True, "gzip": True, "zstd": True},
        "load": 0.1,
        "cpus": 1,
        "free_mib": 10_000,
    }
    return Candidate(
        instance_id=f"i-{number}",
        server=Server(address=f"10.77.0.1{number}", port=3000),
        node_id=f"A{number}",
        rack_id=rack_id,
        facts=Facts(**{**fields, **facts}),
    )


def a_found(*namespaces: str, runners: Sequence[Runner] = (), **changes: Any) -> ClusterFound:  # noqa: ANN401 - any field
    """A cluster whose namespaces (``test``, if none are named) hold 1,000 records each."""
    fields: dict[str, Any] = {
        "runners": tuple(runners) or (a_runner(),),
        "server": Server(address="10.77.0.11", port=3000),
        "instances": {"A1": "i-1"},
        "namespaces": tuple(Live(namespace=name, master_objects=1000, indexes=()) for name in namespaces or ("test",)),
        "udfs": (),
        "builds": {"A1": "8.1.2.0"},
    }
    return ClusterFound(**{**fields, **changes})


def an_estimate(total_bytes: int = 100_000, **record_bytes: int) -> Estimated:
    """Records of 100 bytes."""
    return Estimated(record_bytes=record_bytes or {"test": 100}, total_bytes=total_bytes)


def a_summary(records: int = 1000, **changes: int) -> Summary:
    """The tool's own words about a part."""
    return Summary(**{"records": records, "sindexes": 0, "udfs": 0, "bytes": 100 * records, **changes})


def exported(*parts: str, epoch: int = 1, **summary: int) -> Transfer:
    """An export that is done, every part with the same summary."""
    done = {"runner": None, "tries": 0, "done": True}
    return Transfer.model_validate(
        {
            "epoch": epoch,
            "begun_at": NOON,
            "tool": Tool(name="asbackup", version=VERSION),
            "parts": [
                {
                    **done,
                    "name": name,
                    "status": a_part_status(
                        name,
                        PartState.DONE,
                        files=2,
                        bytes=500,
                        summary=a_summary(**summary),
                        listing=ToldListing(**a_listing(name).model_dump(), size=10),
                    ),
                }
                for name in parts
            ],
        }
    )


def imported(counters: Mapping[str, int], *, name: str = "test-00", repeated: bool = False) -> Transfer:
    """An import of one part that is done."""
    part = {"name": name, "done": True, "repeated": repeated, "counters": Counters(**counters)}
    return Transfer.model_validate({"epoch": 1, "begun_at": NOON, "parts": [part]})


def an_exported_namespace(name: str = "test", **changes: Any) -> ExportedNamespace:  # noqa: ANN401 - any field
    """1,000 records in two slices."""
    fields: dict[str, Any] = {
        "namespace": name,
        "records": 1000,
        "sindexes": 0,
        "udfs": 0,
        "bytes": 100_000,
        "indexes": (),
        "parts": tuple(
            ExportedPart(
                name=f"{name}-{number:02d}",
                partitions=f"{2048 * number}-2048",
                listing=a_listing(f"{name}-{number:02d}"),
                files=1,
                stored_bytes=20_000,
                records=500,
            )
            for number in range(2)
        ),
    }
    return ExportedNamespace(**{**fields, **changes})


def an_export_manifest(*namespaces: ExportedNamespace, version: str = VERSION, **changes: Any) -> ExportManifest:  # noqa: ANN401 - any field
    """A committed export of ``demo``."""
    fields: dict[str, Any] = {
        "export_id": EXPORT,
        "cluster": "demo",
        "execution": "arn:aws:states:eu-central-1:111122223333:execution:export:one",
        "started_at": NOON,
        "committed_at": at(60),
        "tool": Tool(name="asbackup", version=version),
        "builds": {"A1": "8.1.2.0"},
        "request": {"cluster": "demo"},
        "policy": a_policy(),
        "compression": Compression.GZIP,
        "encryption": None,
        "key_check": None,
        "namespaces": namespaces or (an_exported_namespace(),),
        "udfs": (),
        "exact": None,
        "verified": "tool",
        "notes": (),
    }
    return ExportManifest(**{**fields, **changes})


def an_import_request(**changes: Any) -> ImportRequest:  # noqa: ANN401 - any field
    """All of an export, under its own names."""
    return ImportRequest(**{"cluster": "demo", "export": EXPORT, **changes})


def a_target(name: str = "test", **changes: Any) -> Target:  # noqa: ANN401 - any field
    """An empty namespace on all three nodes."""
    fields: dict[str, Any] = {
        "namespace": name,
        "nodes": 3,
        "master_objects": 0,
        "guarded": False,
        "stop_writes": False,
        "available_pct": 90,
    }
    return Target(**{**fields, **changes})


def targets(*found: Target, runners: Sequence[Runner] = (), problems: Sequence[str] = ()) -> TargetsFound:
    """A cluster of three nodes."""
    return TargetsFound(
        runners=tuple(runners) or (a_runner(),),
        server=Server(address="10.77.0.11", port=3000),
        nodes=3,
        targets=found or (a_target(),),
        problems=tuple(problems),
    )
