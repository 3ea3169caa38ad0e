"""The AWS CLI as this program uses it: objects in and out by a pipe, with the host's own role."""

import os
from typing import Dict, List, Optional

from aerokeep_node.transfer.order import Order

AWS = "aws"
QUIET = "--only-show-errors"


def upload_command(order: Order, key: str, expected_bytes: int = 0) -> List[str]:
    """Upload stdin; the expected size lets the CLI choose parts large enough for what is more than 50 GB."""
    command = [AWS, "s3", "cp", "-", f"s3://{order.bucket}/{key}", QUIET, "--region", order.region]
    return command + (["--expected-size", str(expected_bytes)] if expected_bytes else [])


def download_command(order: Order, key: str) -> List[str]:
    """Download to stdout."""
    return [AWS, "s3", "cp", f"s3://{order.bucket}/{key}", "-", QUIET, "--region", order.region]


def secret_command(order: Order, secret: str) -> List[str]:
    """Fetch a secret's text."""
    return [
        *(AWS, "secretsmanager", "get-secret-value", "--secret-id", secret),
        *("--query", "SecretString", "--output", "text", "--region", order.region),
    ]


def has_credentials(listing: str) -> bool:
    """Whether ``aws configure list`` shows an access key: ``access_key  ****ABCD  env``, later with ``:`` between."""
    for line in listing.splitlines():
        words = line.replace(" : ", " ").split()
        if words[:1] == ["access_key"]:
            return len(words) > 1 and words[1].startswith("*")
    return False


def tool_environment(variables: Optional[Dict[str, str]] = None) -> Dict[str, str]:
    """Give the environment of every program: the tools read times as local ones, so their zone is UTC."""
    environment = dict(os.environ, TZ="UTC", LC_ALL="C", AWS_PAGER="")
    environment.setdefault("HOME", "/root")
    environment.update(variables or {})
    return environment
