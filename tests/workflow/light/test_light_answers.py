"""Light hosts speak as real ones: the same keys in surveys and health, and journeys that take them for real."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aerokeep.model.health import NodeHealth
from aerokeep.model.survey import Survey

from sandbox.light import LightPlane
from sandbox.light.host import CONF
from tests.e2e.host.a_host import Host
from tests.e2e.host.a_service import Service
from tests.workflow.light.light_host import a_host, ask, volume


@pytest.fixture
def plane() -> Iterator[LightPlane]:
    made = LightPlane(start_s=0.0)
    yield made
    made.close()


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Host]:
    data = tmp_path / "data"
    data.mkdir()
    made = Host(tmp_path / "host", data)
    yield made
    made.close()


def shape(told: Any) -> Any:  # noqa: ANN401  # any JSON
    """Keys all the way down, of a list those of its first entry."""
    if isinstance(told, dict):
        return {key: shape(value) for key, value in told.items()}
    if isinstance(told, list) and told and isinstance(told[0], dict):
        return [shape(told[0])]
    return None


def lacking(told: Any, wanted: Any, path: str = "") -> list[str]:  # noqa: ANN401  # any shapes
    """What `wanted` has and `told` has not."""
    if isinstance(wanted, dict) and isinstance(told, dict):
        missing = [f"{path}/{key}" for key in wanted if key not in told]
        return missing + [m for key in wanted if key in told for m in lacking(told[key], wanted[key], f"{path}/{key}")]
    if isinstance(wanted, list) and isinstance(told, list):
        return lacking(told[0], wanted[0], f"{path}[]")
    return []


@pytest.mark.parametrize("verb", ["survey", "health"])
def test_a_light_host_says_exactly_what_a_real_one_says(plane: LightPlane, real: Host, verb: str) -> None:
    theirs = real.call(verb)[1]
    ours = ask(plane, a_host(plane), verb)[1]
    assert theirs["ok"], theirs
    assert lacking(shape(ours), shape(theirs)) == []
    assert lacking(shape(theirs), shape(ours)) == []


ACTS = (
    ("capture", {"Run": "r", "Uploads": "report"}),
    ("resume-writes", {"Run": "r", "Tombstone": "yes"}),
    ("resume-writes", {"Run": "everything", "Tombstone": "no"}),
    ("open-writes", {"Run": "r", "Namespaces": "test"}),
    ("stop", {"Run": "r", "Unmount": "none"}),
    ("stage", {"Run": "r", "Spec": "back"}),
    ("start", {"Run": "r", "Mode": "normal"}),
)
"""In an order in which each can be done on a host whose server runs."""


def test_light_hosts_answer_every_verb_as_real_ones_do(plane: LightPlane, real: Host) -> None:
    light, service = a_host(plane), Service(real)
    service.systemctl("start", "aerospike.service")
    try:
        for verb, parameters in ACTS:
            code, theirs = real.call(verb, **parameters)
            assert code == 0, theirs
            code, ours = ask(plane, light, verb, **parameters)
            assert code == 0, ours
            assert lacking(shape(ours), shape(theirs)) == lacking(shape(theirs), shape(ours)) == [], verb
    finally:
        service.close()


def test_a_light_hosts_words_are_nouns(plane: LightPlane) -> None:
    host = a_host(plane)
    survey = Survey.model_validate(ask(plane, host, "survey")[1])
    assert {path.volume_id for ns in survey.namespaces for path in ns.saved_paths} == {
        volume(host, device).volume_id for device in ("sdf", "sdg", "sdh")
    }
    assert NodeHealth.model_validate(ask(plane, host, "health")[1]).cluster.is_stable


def test_a_stopped_host_is_surveyed_by_its_conf(plane: LightPlane) -> None:
    host = a_host(plane)
    ask(plane, host, "stop", Run="r", Unmount="none")
    survey = Survey.model_validate(ask(plane, host, "survey")[1])
    assert (survey.asd.running, survey.asd.unit and survey.asd.unit.masked) == (False, True)
    assert [ns.name for ns in survey.namespaces] == ["test", "raw"]
    assert all(path.header for ns in survey.namespaces for path in ns.paths)
    host.remove(CONF)
    assert "conf_unreadable" in {p.code for p in Survey.model_validate(ask(plane, host, "survey")[1]).problems}
