"""Clients of botocore that answer what a test says, without a socket."""

from typing import Any

import boto3
from botocore.config import Config
from botocore.stub import Stubber


def a_stub(service: str) -> tuple[Any, Stubber]:
    """A client that never retries, and the stubber that answers for AWS."""
    client = boto3.client(  # type: ignore[call-overload] # any service
        service,
        region_name="eu-central-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",  # noqa: S106 - no secret: nothing is sent
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
    )
    return client, Stubber(client)
