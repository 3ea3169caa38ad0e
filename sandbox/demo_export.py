"""``make demo-export``: export a namespace through the tools' own text, wipe it, and import it again."""

import base64
import json
import sys
import time
from dataclasses import dataclass
from typing import Any

from sandbox.cluster import Build, Cluster, run_client
from sandbox.demo_estate import CLUSTER, DemoEstate, DemoFailedError, deployed, live_cluster, options_of

RECORDS = 100_000
NAMESPACE = "test"
INDEX = "library_by_n"
UDF = "library.lua"
SOURCE = "function double(record)\n  return record['n'] * 2\nend\n"
POLICY = {"slices": 4, "at_once": 2, "runner_silence_s": 60}


@dataclass(frozen=True)
class Found:
    """What the witness found after the import."""

    missing: int
    different: int
    indexes: tuple[str, ...]
    udfs: tuple[str, ...]


def main(argv: list[str] | None = None) -> int:
    """Run the demo → 0 only if every record, index and UDF came back."""
    options = options_of("make demo-export", __doc__, argv)
    began = time.monotonic()
    try:
        with deployed(options.mode) as estate:
            made, before, found = _play(estate, RECORDS)
    except DemoFailedError as error:
        print(f"demo-export: {error}", flush=True)
        return 1
    estate.screen.say(f"everything is put away again; {time.monotonic() - began:.0f} s in all")
    missing = found.missing + found.different
    print(
        f"export: id={made['export']} records={made['records']} sindexes={made['sindexes']} udfs={made['udfs']} "
        f"missing={missing}" + (" mode=directory" if estate.plane.mode == "directory" else ""),
        flush=True,
    )
    same = (found.indexes, found.udfs) == (before.indexes, before.udfs)
    return 0 if missing == 0 and same and made["records"] == RECORDS else 1


def _play(estate: DemoEstate, records: int) -> tuple[dict[str, Any], Found, Found]:
    build = Build(test_on_device=estate.plane.mode == "directory")
    with live_cluster(estate, build=build, export=POLICY) as cluster:
        estate.screen.heading(f"{records} records, two indexes and a UDF")
        _fill(estate, cluster, records)
        before = _look(estate, cluster, records)
        estate.screen.say(f"  indexes {', '.join(before.indexes)}; UDFs {', '.join(before.udfs)}")
        estate.screen.heading("export")
        made = estate.run("export", cluster=CLUSTER, namespaces=[NAMESPACE])
        estate.screen.say(f"  {made['records']} records in {made['stored_bytes']} bytes, after compression")
        estate.screen.heading("the namespace is wiped, with its indexes and the UDF")
        _wipe(cluster, before)
        wiped = _look(estate, cluster, records)
        estate.screen.say(
            f"  missing now: {wiped.missing} records; indexes {len(wiped.indexes)}, UDFs {len(wiped.udfs)}"
        )
        if wiped.missing != records or wiped.indexes or wiped.udfs:
            raise DemoFailedError(f"the wipe left something: {wiped}")
        estate.screen.heading("dry run of an import: what it would do")
        shown = estate.run("import", cluster=CLUSTER, export=made["export"], dry_run=True)
        for note in shown["notes"]:
            estate.screen.say(f"  {note}")
        estate.screen.heading("import")
        ended = estate.run("import", cluster=CLUSTER, export=made["export"])
        estate.screen.say(f"  {json.dumps(ended['counters'])}")
        estate.screen.say(f"  {_longest_command(estate)}")
        estate.screen.heading("proof: the witness reads every record")
        found = _look(estate, cluster, records)
        estate.screen.say(f"  {found.missing} missing, {found.different} different of {records}")
        return made, before, found


def _longest_command(estate: DemoEstate) -> str:
    """However long a job takes, no command waits for it."""
    took = [
        (invocation.ended_at - invocation.started_at, invocation.document)
        for command in estate.region.commands.find()
        for invocation in command.invocations.values()
        if invocation.started_at is not None and invocation.ended_at is not None
    ]
    seconds, document = max(took)
    return f"{len(took)} SSM commands, the longest {seconds:.1f} s ({document})"


def _fill(estate: DemoEstate, cluster: Cluster, records: int) -> None:
    _library(estate, cluster, "fill", records)
    first = next(iter(cluster.members.values())).node_id
    where = f"namespace={NAMESPACE};set=library;bin=n;type=numeric"
    cluster.ask(first, f"sindex-create:{where};indexname={INDEX}")
    content = base64.b64encode(SOURCE.encode()).decode()
    cluster.ask(first, f"udf-put:filename={UDF};content={content};content-len={len(content)};udf-type=LUA;")
    time.sleep(1.0)  # system metadata spreads


def _wipe(cluster: Cluster, before: Found) -> None:
    first = next(iter(cluster.members.values())).node_id
    cluster.ask(first, f"truncate-namespace:namespace={NAMESPACE}")
    for name in before.indexes:
        cluster.ask(first, f"sindex-delete:namespace={NAMESPACE};indexname={name}")
    for name in before.udfs:
        cluster.ask(first, f"udf-remove:filename={name}")
    time.sleep(1.0)


def _look(estate: DemoEstate, cluster: Cluster, records: int) -> Found:
    """Ask the cluster as its clients do."""
    told = json.loads(_library(estate, cluster, "judge", records))
    first = next(iter(cluster.members.values())).node_id
    indexes = [dict(_pairs(one, ":")) for one in cluster.ask(first, "sindex-list:").split(";") if one]
    udfs = [dict(_pairs(one, ",")) for one in cluster.ask(first, "udf-list").split(";") if one]
    return Found(
        missing=told["missing"],
        different=told["different"],
        indexes=tuple(sorted(one["indexname"] for one in indexes if one["ns"] == NAMESPACE)),
        udfs=tuple(sorted(one["filename"] for one in udfs)),
    )


def _pairs(text: str, between: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (pair.partition("=") for pair in text.split(between))]


def _library(estate: DemoEstate, cluster: Cluster, verb: str, records: int) -> str:
    argv = ["sandbox.library", verb, "--seeds", cluster.seeds, "--namespace", NAMESPACE, "--count", str(records)]
    return run_client(estate.plane, argv, timeout_s=300)


if __name__ == "__main__":
    sys.exit(main())
