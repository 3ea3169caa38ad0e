"""SSM documents as they are packed, run as the agent runs them."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.e2e.host.a_host import Host


def script_of(built: Path, verb: str) -> str:
    document = json.loads((built / "documents" / f"{verb}.json").read_text())
    return "\n".join(document["mainSteps"][0]["inputs"]["runCommand"])


def run_script(host: Host, script: str, **variables: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        ["/bin/sh", "-c", script], env={**host.environment, **variables}, capture_output=True, timeout=60, check=False
    )
    assert done.stdout.count(b"\n") == 1, done.stderr.decode()
    return done.returncode, json.loads(done.stdout)
