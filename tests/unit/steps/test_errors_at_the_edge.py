"""AWS's error codes become our five classes at the edge, and nowhere else; an unknown code stays what it is."""

import pytest
from aerokeep.aws.errors import known, translated
from aerokeep.model.errors import (
    AerokeepError,
    ConflictError,
    CorruptError,
    NotReadyError,
    RejectedError,
    TransientError,
)
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

LEAVES = [TransientError, NotReadyError, ConflictError, RejectedError, CorruptError]


def a_client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "says AWS"}}, "CreateTags")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("RequestLimitExceeded", TransientError),
        ("ThrottlingException", TransientError),
        ("ServiceUnavailable", TransientError),
        ("SlowDown", TransientError),
        ("InternalServiceError", TransientError),
        ("InternalServiceFault", TransientError),
        ("Throttled", TransientError),
        ("ConditionalRequestConflict", TransientError),
        ("InvalidInstanceId", RejectedError),
        ("InvalidParameters", RejectedError),
        ("SnapshotLimitExceeded", RejectedError),
        ("InsufficientInstanceCapacity", NotReadyError),
        ("InvalidNetworkInterface.InUse", RejectedError),
        ("ConditionalCheckFailedException", ConflictError),
        ("PreconditionFailed", ConflictError),
    ],
)
def test_a_known_code_becomes_its_class_with_action_and_words(code: str, kind: type[AerokeepError]) -> None:
    with pytest.raises(AerokeepError) as caught, translated("CreateTags"):
        raise a_client_error(code)
    assert type(caught.value) is kind
    assert str(caught.value) == f"aws_{code}: CreateTags: says AWS"
    assert isinstance(caught.value.__cause__, ClientError)


@pytest.mark.parametrize("code", ["AccessDenied", "UnauthorizedOperation", "InvalidParameterValue", ""])
def test_an_unknown_code_is_raised_unchanged(code: str) -> None:
    error = a_client_error(code)
    with pytest.raises(ClientError) as caught, translated("CreateTags"):
        raise error
    assert caught.value is error


def test_where_a_failure_is_told_an_unknown_code_is_one_more_reason() -> None:
    with pytest.raises(RejectedError, match=r"^aws_AccessDenied: .*says AWS") as caught, known():
        raise a_client_error("AccessDenied")
    assert caught.value.code == "aws_AccessDenied"


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://ec2"),
        ConnectTimeoutError(endpoint_url="https://ec2"),
        ReadTimeoutError(endpoint_url="https://ec2"),
    ],
)
def test_an_endpoint_that_is_not_reached_may_be_tried_again(error: Exception) -> None:
    with pytest.raises(TransientError, match=r"^aws_unreachable: CreateTags: "), translated("CreateTags"):
        raise error


def test_an_error_of_ours_passes_through() -> None:
    with pytest.raises(CorruptError), translated("GetObject"):
        raise CorruptError("x: y")


@pytest.mark.parametrize("kind", LEAVES)
def test_each_class_is_a_leaf_since_retry_and_catch_match_names_only(kind: type[AerokeepError]) -> None:
    assert kind.__bases__ == (AerokeepError,)
    assert kind.__subclasses__() == []


def test_the_code_is_what_stands_before_the_first_colon() -> None:
    assert RejectedError("memory_only: namespace a: b").code == "memory_only"
    assert RejectedError("bare").code == "bare"
