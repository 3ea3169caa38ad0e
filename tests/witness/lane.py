"""One cluster of a site, on which one run is played after the other."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.cluster import NAMESPACES, Cluster, launch
from sandbox.dataplane.directory_mode import DirectoryPlane
from sandbox.dataplane.plane import NodeClock
from sandbox.dataplane.probe import probe
from sandbox.writer import Writer
from tests.estate import TAG
from tests.witness.site import Site

ADDRESSES = 20
"""So many for each lane: half for its nodes, half for copies of them."""
FIRST_ADDRESS = 20
RATE_PER_S = 300
ORDINARY = NodeClock(offset_s=0.001, error_s=0.002)
"""A clock of the node's own from the start: it can be set later without a restart."""


class Lane:
    """A live cluster of three."""

    def __init__(self, site: Site, number: int) -> None:
        self.site, self.name, self.runs = site, f"lane{number}", 0
        self._first = FIRST_ADDRESS + ADDRESSES * number
        self.copies_at = self._first + ADDRESSES // 2
        site.configure(self.name)
        clocks = (ORDINARY,) * 3 if probe().clocks else (NodeClock(),) * 3
        self.cluster: Cluster = launch(
            site.region, site.plane, tag=(TAG, self.name), clocks=clocks, first_address=self._first
        )
        self.cluster.wait_settled()

    @property
    def node_ids(self) -> list[str]:
        """In the order of their addresses."""
        return [member.node_id for member in self.cluster.members.values()]

    def instance(self, number: int) -> str:
        """The instance of a node, counted from 1 by address."""
        return list(self.cluster.members)[number - 1]

    @property
    def go_file(self) -> Path:
        """By which a test tells a mutant of the controller to go on."""
        return self.site.plane.shared / f"{self.name}.go"

    def root(self, number: int) -> Path:
        """The machine's path to a node's root."""
        plane, instance_id = self.site.plane, self.instance(number)
        if isinstance(plane, DirectoryPlane):
            return plane.tree(instance_id)
        return plane.host_dir(instance_id).parents[1]

    def set_clocks(self, clocks: Sequence[NodeClock]) -> None:
        """Set every node's clock, as far as this machine can."""
        for (instance_id, member), clock in zip(self.cluster.members.items(), clocks, strict=True):
            told = clock if probe().clocks else NodeClock(error_s=clock.error_s, synchronised=clock.synchronised)
            self.site.region.mirror.set_clock(member.node.private_ip, told)
            self.site.plane.set_clock(instance_id, told)

    @contextmanager
    def written_to(self, ledger: Path, namespaces: Sequence[str]) -> Iterator[Writer]:
        """Let the witness write meanwhile."""
        plane = self.site.plane
        writer = Writer(plane, seeds=self.cluster.seeds, namespaces=namespaces, rate=RATE_PER_S, ledger=ledger)
        try:
            yield writer
        finally:
            writer.stop()

    def settings(self) -> Mapping[str, str]:
        """What a write stop changes, by node and namespace."""
        found: dict[str, str] = {}
        for node_id in self.node_ids:
            for name in NAMESPACES:
                told = self.cluster.ask(node_id, f"get-config:context=namespace;id={name}")
                values = dict(pair.partition("=")[::2] for pair in told.split(";"))
                kept = ("reject-non-xdr-writes", "storage-engine.flush-max-ms")
                found |= {f"{node_id}/{name}/{setting}": values[setting] for setting in kept}
        return found

    def set_flush_max_ms(self, milliseconds: int) -> None:
        """Change the servers' flush rhythm as their operator would."""
        for node_id in self.node_ids:
            for name in NAMESPACES:
                self.cluster.ask(node_id, f"set-config:context=namespace;id={name};flush-max-ms={milliseconds}")

    def heal(self) -> None:
        """Let the cluster be whole again, whatever the run has broken."""
        for instance_id, member in self.cluster.members.items():
            self.site.region.set_agent(instance_id, online=True)
            if not member.server.runs:
                member.server.start()
        self.cluster.wait_settled()

    def close(self) -> None:
        """Stop the servers, and give the instances back."""
        self.cluster.stop()
        self.site.region.client("ec2").terminate_instances(InstanceIds=list(self.cluster.members))

    def configure(self, **settings: Any) -> None:  # noqa: ANN401  # any field of a configuration
        """Write the cluster's configuration."""
        self.site.configure(self.name, **settings)
