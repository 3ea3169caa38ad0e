"""Servers from 4.9 to 8.1 by what their sources say of names and replies: guarded, proven flushed, and put back."""

from dataclasses import dataclass, field

import pytest

from tests.e2e.host.a_host import Host

pytestmark = pytest.mark.sampled

GUARD, OLD_GUARD = "reject-non-xdr-writes", "allow-nonxdr-writes"


@dataclass(frozen=True)
class Version:
    """What differs between versions for a host that stops writes."""

    build: str
    guard: tuple[str, str, str] = (GUARD, "false", "true")
    """Its name, and its value with writes let in and kept out."""
    engine: str = "device"
    queue: str = "storage-engine.file[0].write_q"
    writes: tuple[str, ...] = ("storage-engine.file[0].writes",)
    error: str = "ERROR:4:invalid set-config parameter"
    settings: dict[str, str] = field(default_factory=dict)
    statistics: dict[str, int] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    """What else is changed in the window."""


VERSIONS = (
    Version("4.9.0.37", guard=(OLD_GUARD, "true", "false"), error="FAIL:4:bad parameter"),
    Version("5.0.0.46", error="FAIL:4:bad parameter"),
    Version("5.7.0.31", error="error"),
    Version("6.0.0.20", error="error"),
    Version("6.4.0.30", error="error"),
    Version(
        "7.0.0.22",
        engine="memory",
        queue="storage-engine.stripe[0].backing_write_q",
        writes=("storage-engine.stripe[0].writes",),
        error="error",
    ),
    Version(
        "7.1.0.15", writes=("storage-engine.file[0].writes", "storage-engine.file[0].partial_writes"), error="error"
    ),
    Version("7.2.0.10", writes=("storage-engine.file[0].writes", "storage-engine.file[0].partial_writes")),
    Version(
        "8.0.0.8",
        settings={"strong-consistency": "true", "disable-mrt-writes": "false", "default-read-touch-ttl-pct": "80"},
        statistics={"mrt_provisionals": 0, "mrt_monitors_active": 0, "read_touch_success": 7},
        changed=("disable-mrt-writes", "default-read-touch-ttl-pct"),
    ),
    Version("8.1.2.0", settings={"disable-mrt-writes": "false", "default-read-touch-ttl-pct": "0"}),
)


def play(host: Host, version: Version) -> None:
    host.server.answers["build"] = version.build
    test, (guard, open_, _) = host.server.namespaces["test"], version.guard
    del test.settings[GUARD]
    test.settings.update({guard: open_, "storage-engine": version.engine, **version.settings})
    kept = {name: value for name, value in test.statistics.items() if not name.startswith("storage-engine.")}
    test.statistics = {**kept, version.queue: 0, **dict.fromkeys(version.writes, 7), **version.statistics}


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.build)
def test_writes_are_stopped_and_everything_is_put_back(host: Host, version: Version) -> None:
    play(host, version)
    before = dict(host.server.namespaces["test"].settings)
    code, armed = host.stop(lead_s=4.0, lease_s=10.0)
    assert code == 0, armed
    host.wait_for_state("holding")
    guard, _, shut = version.guard
    assert host.setting(guard) == shut
    evidence = host.resume()["evidence"]
    test = evidence["namespaces"]["test"]
    assert (evidence["guarded_all"], test["flushed"], test["unchanged"]) == (True, True, True), evidence["errors"]
    assert sum(value for name, value in test["before"].items() if name.startswith("device_")) == 7 * len(version.writes)
    assert host.server.namespaces["test"].settings == before
    assert {change[2] for change in host.server.applied} == {guard, "flush-max-ms", *version.changed}


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.build)
def test_a_no_in_the_version_s_own_words_is_no_guard(host: Host, version: Version) -> None:
    play(host, version)
    before = dict(host.server.namespaces["test"].settings)
    guard, _, shut = version.guard
    host.server.before_set = lambda _, setting, value: version.error if (setting, value) == (guard, shut) else None
    assert host.stop(lead_s=4.0, lease_s=3.0)[0] == 0
    evidence = host.evidence()
    assert not evidence["guarded_all"]
    assert any(version.error in error["detail"] for error in evidence["errors"]), evidence["errors"]
    assert host.server.namespaces["test"].settings == before


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.build)
def test_a_block_in_the_version_s_queue_is_waited_for(host: Host, version: Version) -> None:
    play(host, version)
    host.server.namespaces["test"].statistics[version.queue] = 1
    assert host.stop(lead_s=4.0, lease_s=3.0)[0] == 0
    assert not host.evidence()["namespaces"]["test"]["flushed"]
