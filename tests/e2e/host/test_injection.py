"""Nothing that a host reads is ever run: parameters, names, paths and what other programs print."""

import json
from pathlib import Path

import pytest
from aerokeep_node.verbs import VERBS

from tests.e2e.host.a_document import run_script, script_of
from tests.e2e.host.a_host import Host
from tests.e2e.host.scripted_info_server import ScriptedNamespace
from tests.unit.node.test_documents_and_verbs import GOOD

ATTEMPTS = (
    "$(touch {canary})",
    "`touch {canary}`",
    "; touch {canary} #",
    "| touch {canary}",
    "&& touch {canary}",
    "\ntouch {canary}\n",
    "'; touch {canary}; '",
    '"; touch {canary}; "',
    "${{IFS}}touch${{IFS}}{canary}",
    "../../../../{canary}",
    "--config-file={canary}",
    "%(touch {canary})s",
    "{{{{ssm:{canary}}}}}",
)
EACH = pytest.mark.parametrize("attempt", ATTEMPTS)
PARAMETERS = [(verb.name, parameter.name) for verb in VERBS.values() for parameter in verb.parameters]
SHELL = ATTEMPTS[:9]
EACH_TAKES = [(*one, SHELL[number % len(SHELL)]) for number, one in enumerate(PARAMETERS)]
"""Through the whole document one attempt each; that patterns let none of all through is a unit test's."""


@pytest.fixture
def canary(folder: Path) -> Path:
    return folder / "canary"


def spoilt(attempt: str, canary: Path) -> str:
    return attempt.format(canary=canary)


@pytest.mark.parametrize(("verb", "parameter", "attempt"), EACH_TAKES)
def test_a_parameter_is_refused_by_name_and_never_run(
    host: Host, built: Path, canary: Path, verb: str, parameter: str, attempt: str
) -> None:
    value = GOOD[parameter] + spoilt(attempt, canary)
    good = {f"SSM_{one.name}": GOOD[one.name] for one in VERBS[verb].parameters}
    code, result = run_script(host, script_of(built, verb), **{**good, f"SSM_{parameter}": value})
    assert (code, result["error"]["code"]) == (2, "bad_parameter"), result
    assert result["error"]["detail"].startswith(parameter)
    assert not canary.exists()
    assert host.server.applied == []


@EACH
def test_what_the_server_calls_its_namespaces_and_paths_is_never_run(host: Host, canary: Path, attempt: str) -> None:
    name = spoilt(attempt, canary).replace(";", ":").replace("\n", " ")
    host.server.namespaces[name] = ScriptedNamespace(name)
    host.server.namespaces["test"].path = f"/data/{name}"
    host.server.answers.update(
        {
            "cluster-name": name,
            "node": name,
            "build": name,
            "peers-clear-std": f"2,3000,[[{name},,[{name}:3000]]]",
            "smd-info": name,
            "get-config:context=service": f"work-directory={name}",
        }
    )
    for answer in (host.call("survey"), host.call("health"), host.stop()):
        json.dumps(answer)
        assert not canary.exists()
    host.resume(tombstone="yes")
    assert not canary.exists()


@EACH
def test_what_the_conf_and_the_process_name_is_never_run(host: Host, canary: Path, attempt: str) -> None:
    text = spoilt(attempt, canary)
    line = text.replace("\n", " ")
    host.conf.write_text(
        host.conf.read_text()
        + f"\nnamespace {line} {{\n storage-engine device {{\n  device {line} {line}\n  file {line}\n }}\n}}\n"
        + f"logging {{\n file {line} {{\n }}\n}}\n"
    )
    (host.root / "proc/4242/cmdline").write_bytes(f"asd\0--config-file\0{host.conf}\0{text}\0".encode())
    host.mounts(f"36 35 98:0 / /mnt/{line.replace(' ', chr(92) + '040')} rw,noatime - ext4 /dev/{line} rw\n")
    for answer in (host.call("survey"), host.call("health")):
        json.dumps(answer)
    host.stop(lead_s=30.0)
    host.resume(tombstone="yes")
    assert not canary.exists()


@EACH
def test_what_other_programs_print_is_never_run(host: Host, canary: Path, attempt: str) -> None:
    text = spoilt(attempt, canary)
    for program in ("chronyc", "amazon-ssm-agent", "lsblk", "blkid", "nvme", "systemctl", "asinfo"):
        host.program_on_path(program, f"cat <<'END'\n{text}\nEND\n")
    host.call("survey")
    host.stop(lead_s=30.0)
    host.resume(tombstone="yes")
    assert not canary.exists()


@pytest.mark.sampled
@EACH
def test_files_with_such_names_are_copied_aside_or_left_and_never_run(host: Host, canary: Path, attempt: str) -> None:
    name = spoilt(attempt, canary).replace("/", "_").replace("\n", " ")
    (host.work / "smd" / f"{name}.smd").write_text("[[97,2]]")
    code, armed = host.stop(lead_s=5.0, lease_s=3.0)
    assert code == 0, armed
    host.evidence(within_s=30.0)
    code, reported = host.call("capture", Run="r1", Uploads="report")
    assert code == 0, reported
    assert not canary.exists()
    assert host.is_as_before()
