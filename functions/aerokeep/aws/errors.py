"""One table from AWS error codes to our five classes; an unknown code is re-raised unchanged."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, HTTPClientError

from aerokeep.model.errors import AerokeepError, ConflictError, NotReadyError, RejectedError, TransientError

_CLASSES: dict[str, type[AerokeepError]] = {
    # Throttles and passing faults (aws.md §A3, §C4)
    "RequestLimitExceeded": TransientError,
    "Throttling": TransientError,
    "ThrottlingException": TransientError,
    "Throttled": TransientError,
    "ProvisionedThroughputExceededException": TransientError,
    "SnapshotCreationPerVolumeRateExceeded": TransientError,
    "ConcurrentSnapshotLimitExceeded": TransientError,
    "PendingSnapshotLimitExceeded": TransientError,
    "InternalError": TransientError,
    "InternalServerError": TransientError,
    "InternalServiceError": TransientError,
    "InternalServiceFault": TransientError,
    "InternalFailure": TransientError,
    "ServiceUnavailable": TransientError,
    "Unavailable": TransientError,
    "SlowDown": TransientError,
    "RequestTimeout": TransientError,
    "InvocationDoesNotExist": TransientError,
    "503": TransientError,
    "500": TransientError,
    # Not now: hardware and limits change by themselves, but not by trying at once (aws.md §D4)
    "InsufficientInstanceCapacity": NotReadyError,
    "InstanceLimitExceeded": NotReadyError,
    "VcpuLimitExceeded": NotReadyError,
    # What can never succeed as asked
    "InvalidAMIID.NotFound": RejectedError,
    "InvalidAMIID.Unavailable": RejectedError,
    "InvalidNetworkInterface.InUse": RejectedError,
    "InvalidNetworkInterfaceID.NotFound": RejectedError,
    "IdempotentParameterMismatch": RejectedError,
    "InvalidInstanceId": RejectedError,
    "InvalidInstanceID.NotFound": RejectedError,
    "InvalidDocument": RejectedError,
    "InvalidParameters": RejectedError,
    "SnapshotLimitExceeded": RejectedError,
    # Somebody else was first
    "ConditionalCheckFailedException": ConflictError,
    "PreconditionFailed": ConflictError,
    "ConditionalRequestConflict": TransientError,
}


def code_of(error: ClientError) -> str:
    """The error code as AWS spells it."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Turn what boto3 raises inside into one of our classes, named by ``action`` and AWS's code."""
    try:
        yield
    except ClientError as error:
        kind = _CLASSES.get(code_of(error))
        if kind is None:
            raise
        message = error.response.get("Error", {}).get("Message", "")
        raise kind(f"aws_{code_of(error)}: {action}: {message}") from error
    except (EndpointConnectionError, ConnectTimeoutError, HTTPClientError) as error:
        raise TransientError(f"aws_unreachable: {action}: {error}") from error


@contextmanager
def known() -> Iterator[None]:
    """Turn what AWS says beyond the table into a RejectedError, for what is told when it fails, instead of raised."""
    try:
        yield
    except ClientError as error:
        raise RejectedError(f"aws_{code_of(error)}: {error}") from error
