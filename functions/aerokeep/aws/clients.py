"""How boto3 clients are made: explicit timeouts and retries, regional endpoints, a pool as wide as the cluster."""

import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

WIDEST_CLUSTER = 80
"""Connections kept open at most: one for each node of the largest barrier."""


@cache
def _session() -> boto3.session.Session:
    return boto3.session.Session()


def client(service: str, *, attempts: int = 5, read_timeout_s: float = 15) -> Any:  # noqa: ANN401 - boto3's own type
    """A client whose retries are decided here: botocore's default mode has changed between releases (aws.md §0.13).

    Args:
        service: boto3's name of the service.
        attempts: total tries; 1 for calls that must not be repeated blindly.
        read_timeout_s: longest wait for an answer.

    """
    config = Config(
        connect_timeout=3,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=WIDEST_CLUSTER,
        signature_version="s3v4" if service == "s3" else None,
    )
    return _session().client(service, config=config)  # type: ignore[call-overload] # the stubs want a literal name


def setting(name: str) -> str:
    """An environment variable that the workflow stack gives to every function."""
    return os.environ[name]
