"""The witness keeps writing whatever happens, and tells a right copy of a cluster from one with losses."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from sandbox.witness.ledger import Outcome, read
from tests.e2e.standin.standin_cluster import ROOT, StandinNode, eventually, start_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GUARD = "set-config:context=namespace;id={};reject-non-xdr-writes={}"
NAMESPACES = ("test", "raw")
WITNESS = (sys.executable, "-m", "sandbox.witness")


def where(nodes: list[StandinNode], ledger: Path) -> list[str]:
    return ["--seeds", ",".join(f"{node.ip}:3000" for node in nodes), "--ledger", str(ledger)]


def a_writer(nodes: list[StandinNode], ledger: Path, *, rate: int = 400) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [*WITNESS, "write", "--namespaces", "test,raw", "--rate", str(rate), *where(nodes, ledger)], cwd=ROOT
    )
    eventually(lambda: ledger.exists() and ledger.stat().st_size > 0, what="the first write")
    return process


def judged(nodes: list[StandinNode], ledger: Path, *, first: float, last: float) -> dict[str, Any]:
    done = subprocess.run(
        [*WITNESS, "judge", "--first-request", str(first), "--last-response", str(last), *where(nodes, ledger)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    )
    verdict: dict[str, Any] = json.loads(done.stdout)
    return verdict


def guard(nodes: list[StandinNode], *, on: bool) -> None:
    for node in nodes:
        for namespace in NAMESPACES:
            assert node.info(GUARD.format(namespace, "true" if on else "false")) == "ok"


def copies(nodes: list[StandinNode]) -> dict[Path, Path]:
    """Copy all data files one after the other, as a cut without a barrier would."""
    made = {}
    for node in nodes:
        for namespace in NAMESPACES:
            path = node.directory / f"{namespace}.dat"
            made[path] = path.with_suffix(".copy")
            shutil.copy(path, made[path])
            time.sleep(0.3)
    return made


def restored(nodes: list[StandinNode], made: dict[Path, Path]) -> None:
    for node in nodes:
        node.kill()
    for path, copy in made.items():
        copy.replace(path)
    start_all(nodes)


def test_a_guarded_copy_is_judged_right_and_an_unguarded_one_is_not(
    folder: Path, launch: Callable[..., list[StandinNode]]
) -> None:
    nodes = launch(size=3, namespaces=NAMESPACES)
    ledger = folder / "ledger"
    writer = a_writer(nodes, ledger)
    try:
        time.sleep(2)
        guard(nodes, on=True)
        time.sleep(1.5)
        first = time.time()
        right = copies(nodes)
        last = time.time()
        guard(nodes, on=False)
        time.sleep(1.5)
        late_first = time.time()
        wrong = {path: copy.rename(copy.with_suffix(".right")) for path, copy in right.items()}
        unguarded = copies(nodes)
        late_last = time.time()
        time.sleep(0.5)
    finally:
        writer.send_signal(signal.SIGTERM)
        assert writer.wait(10) == 0

    with ledger.open() as lines:
        outcomes = {entry.outcome for entry in read(lines)}
    assert Outcome.REJECTED in outcomes

    restored(nodes, wrong)
    verdict = judged(nodes, ledger, first=first, last=last)
    assert verdict["before_cut"] > 300
    assert verdict["acknowledged"] > verdict["before_cut"]
    wrongs = ("lost", "stale", "from_after_cut", "holes", "unexplained")
    assert {name: verdict[name] for name in wrongs} == dict.fromkeys(wrongs, 0), verdict["examples"]

    restored(nodes, unguarded)
    verdict = judged(nodes, ledger, first=late_first, last=late_last)
    assert verdict["lost"] + verdict["stale"] + verdict["holes"] > 0
    assert verdict["examples"]


def test_the_witness_lives_through_an_outage_of_the_whole_cluster(
    folder: Path, launch: Callable[..., list[StandinNode]]
) -> None:
    (node,) = launch(size=1, namespaces=NAMESPACES)
    ledger = folder / "ledger"
    writer = a_writer([node], ledger, rate=200)
    try:
        time.sleep(0.5)
        node.stop()
        time.sleep(1)
        size = ledger.stat().st_size
        node.start()
        eventually(lambda: ledger.stat().st_size > size + 20_000, what="writing again")
    finally:
        writer.send_signal(signal.SIGTERM)
        assert writer.wait(10) == 0
    verdict = judged([node], ledger, first=time.time(), last=time.time())
    assert (verdict["lost"], verdict["stale"], verdict["unexplained"]) == (0, 0, 0)
