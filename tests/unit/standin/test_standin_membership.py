"""A cluster is what its principal announces; whoever was away never brings an old key back."""

from sandbox.standin.membership import GRACE_S, Formed, Membership, Peer

TIMEOUT_S = 1.5
TICK_S = 0.15


class Mesh:
    """Several memberships that hear each other at once."""

    def __init__(self, *ids: str, seeds: int | None = None) -> None:
        self.now = 0.0
        self.nodes: dict[str, Membership] = {}
        self.cut_off: set[str] = set()
        self.stopped: set[str] = set()
        for node_id in ids:
            self.boot(node_id, seeds=len(ids) - 1 if seeds is None else seeds)

    def boot(self, node_id: str, *, seeds: int) -> None:
        here = ("127.0.0.1", 1)
        peer = Peer(node_id, f"{node_id}@{self.now}", here, here, here)
        self.nodes[node_id] = Membership(peer, timeout_s=TIMEOUT_S, seed_count=seeds, now=self.now)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += TICK_S
            for node_id in self.nodes.keys() - self.stopped:
                self.nodes[node_id].tick(now=self.now)
            for sender in self.nodes.keys() - self.cut_off - self.stopped:
                for hearer in self.nodes.keys() - self.cut_off - self.stopped - {sender}:
                    node = self.nodes[sender]
                    self.nodes[hearer].hear(node.me, node.formed, now=self.now)

    def key(self, node_id: str) -> Formed:
        formed = self.nodes[node_id].formed
        assert formed is not None
        return formed


def test_three_nodes_agree_on_one_key_and_the_highest_id_is_principal() -> None:
    mesh = Mesh("A1", "B2", "9")
    mesh.run(2)
    assert mesh.key("A1") == mesh.key("B2") == mesh.key("9")
    assert mesh.key("A1").ids == ("B2", "A1", "9")
    assert mesh.nodes["9"].principal == "B2"


def test_a_node_without_seeds_is_a_cluster_at_once_and_one_with_silent_seeds_after_a_while() -> None:
    alone = Mesh("A1", seeds=0)
    alone.run(TICK_S)
    assert alone.key("A1").ids == ("A1",)
    waiting = Mesh("A1", seeds=2)
    waiting.run(GRACE_S - 2 * TICK_S)
    assert waiting.nodes["A1"].formed is None
    waiting.run(1)
    assert waiting.key("A1").ids == ("A1",)


def test_a_dead_node_is_noticed_within_two_and_a_half_seconds_and_the_key_changes() -> None:
    mesh = Mesh("A1", "A2", "A3")
    mesh.run(2)
    before = mesh.key("A1")
    del mesh.nodes["A3"]
    mesh.run(2.5)
    assert mesh.key("A1").ids == ("A2", "A1")
    assert mesh.key("A1") == mesh.key("A2") != before


def test_a_node_that_restarts_before_it_is_missed_still_changes_the_key() -> None:
    mesh = Mesh("A1", "A2", "A3")
    mesh.run(2)
    before = mesh.key("A2").key
    mesh.boot("A1", seeds=2)
    mesh.run(1.5)
    assert mesh.key("A1") == mesh.key("A2") == mesh.key("A3")
    assert mesh.key("A2").key != before


def test_a_principal_that_was_stopped_for_long_does_not_bring_the_old_key_back() -> None:
    mesh = Mesh("A1", "A2", "A3")
    mesh.run(2)
    first = mesh.key("A1").key
    mesh.stopped.add("A3")
    mesh.run(4)
    second = mesh.key("A1").key
    mesh.stopped.clear()
    mesh.run(3)
    third = mesh.key("A1")
    assert mesh.key("A3") == mesh.key("A2") == third
    assert third.ids == ("A3", "A2", "A1")
    assert len({first, second, third.key}) == 3


def test_a_node_stopped_briefly_does_not_take_its_peers_for_dead() -> None:
    mesh = Mesh("A1", "A2", "A3")
    mesh.run(2)
    before = mesh.key("A1")
    mesh.stopped.add("A2")
    mesh.run(1.0)
    mesh.stopped.clear()
    mesh.run(2)
    assert mesh.key("A1") == mesh.key("A2") == before


def test_two_lives_of_one_id_are_reported_as_duplicates() -> None:
    here = ("127.0.0.1", 1)
    node = Membership(Peer("A1", "one", here, here, here), timeout_s=TIMEOUT_S, seed_count=0, now=0)
    node.hear(Peer("A1", "two", here, here, here), None, now=0.1)
    assert node.duplicates == {"A1"}
