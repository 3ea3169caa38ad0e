"""The logical path as the matrix plays it: an export changes nothing, an import fills an empty cluster."""

from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.light.content import Data
from tests.crash.field import Execution, Field
from tests.crash.invariants import Breach, Fate
from tests.crash.journeys import WRITE_STOP, Prepared, done, fate_of, refused, whole
from tests.crash.rows import How, Provocation, Row, Scene, states_of

EXACT = "exact"


class Export:
    """What counts is what it leaves: a whole export, or none that anybody could see."""

    name = "export"

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """An exact export alone stops writes; any failure leads into AbandonExport."""
        return (
            Scene("", states_of(self.name, without=("StopWrites", "ResumeWrites", "AbandonExport"))),
            Scene(EXACT, ("StopWrites", "RunExport", "ResumeWrites")),
            Scene("failed", ("AbandonExport",), (Provocation("VerifyExport", How.KILLED),)),
            Scene(f"{EXACT}-failed", ("AbandonExport",), (Provocation("ResumeWrites", How.KILLED),)),
        )

    def prepare(self, field: Field, name: str, row: Row) -> Prepared:
        """A cluster that serves."""
        cluster = field.launch(name, write_stop=WRITE_STOP)
        return Prepared(cluster, {"cluster": name, "exact": row.scene.startswith(EXACT)})

    def judge(self, field: Field, prepared: Prepared) -> tuple[Fate, bool]:
        """It serves on as before, and what was given up has left nothing, also before the next export clears up."""
        name = prepared.cluster.name
        first = f"{name}/first"
        half = any(half_exports(field, name))
        return fate_of(prepared.cluster, old=first, new=first), whole(prepared.cluster) and not half

    def once_more(self, field: Field, prepared: Prepared, again: Execution) -> None:
        """The second run is the last."""

    def ended_well(self, field: Field, prepared: Prepared, again: Execution) -> Iterator[Breach]:
        """An export that is whole, and of others nothing but the mark that they were given up."""
        name = prepared.cluster.name
        if again.status != "SUCCEEDED":
            yield Breach("not_ended_well", again.words)
        found = exports_of(field, name)
        if found.get(str(again.output.get("export")), {}).get("state") != "committed":
            yield Breach("no_export", again.words)
        yield from half_exports(field, name)

    def known(self, row: Row) -> Mapping[str, str]:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return {}


class Import:
    """An import fills what was wiped: wholly, or the lock says that it is half done."""

    name = "import"

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """Any failure leads into HaltImport."""
        failed = Scene("failed", ("HaltImport",), (Provocation("CheckImport", How.KILLED),))
        return (Scene("", states_of(self.name, without=failed.states)), failed)

    def prepare(self, field: Field, name: str, row: Row) -> Prepared:  # noqa: ARG002  # the protocol's
        """A cluster that was exported, and then lost all its records."""
        cluster = field.launch(name)
        export = done(field.run("export", f"{name}-export", {"cluster": name}))
        with cluster.plane.lock:
            for server in cluster.servers():
                for namespace in server.namespaces:
                    server.put(namespace, Data())
        request = {"cluster": name, "export": export.output["export"]}
        return Prepared(cluster, request, (export,), open_while_mixed=True)

    def judge(self, field: Field, prepared: Prepared) -> tuple[Fate, bool]:  # noqa: ARG002  # the protocol's
        """Empty, or full."""
        cluster = prepared.cluster
        return fate_of(cluster, old="", new=f"{cluster.name}/first"), whole(cluster)

    def once_more(self, field: Field, prepared: Prepared, again: Execution) -> None:
        """The second run is the last."""

    def ended_well(self, field: Field, prepared: Prepared, again: Execution) -> Iterator[Breach]:
        """Filled by this run, or by the one before and then it was said that there are records."""
        if self.judge(field, prepared) != (Fate.NEW, True) or not (again.status == "SUCCEEDED" or refused(again)):
            yield Breach("not_ended_well", again.words)

    def known(self, row: Row) -> Mapping[str, str]:  # noqa: ARG002  # the protocol's
        """Nothing."""
        return {}


def exports_of(field: Field, cluster: str) -> dict[str, dict[str, Any]]:
    """Export id → manifest, of all that have objects; empty where there is no manifest."""
    prefix = f"clusters/{cluster}/exports/"
    ids = {key.removeprefix(prefix).split("/")[0] for key in field.sizes(prefix)}
    return {export_id: field.json(f"{prefix}{export_id}/manifest.json") for export_id in ids}


def half_exports(field: Field, cluster: str) -> Iterator[Breach]:
    """What is there of exports that are none, and what is not of those that are."""
    for export_id, manifest in exports_of(field, cluster).items():
        yield from _half(field, cluster, export_id, manifest)


def _half(field: Field, cluster: str, export_id: str, manifest: Mapping[str, Any]) -> Iterator[Breach]:
    prefix = f"clusters/{cluster}/exports/{export_id}/"
    stored = field.sizes(prefix)
    if manifest.get("state") != "committed":
        left = sorted(key for key in stored if not key.endswith("/manifest.json"))
        if left or not manifest:
            yield Breach("half_export", f"{export_id} ({manifest.get('state')}): {left}")
        return
    for namespace in manifest["namespaces"]:
        for part in namespace["parts"]:
            for file in field.json(part["listing"]["key"]):
                if stored.get(file["key"]) != file["size"]:
                    yield Breach("half_export", f"{export_id} lacks {file['key']}")
