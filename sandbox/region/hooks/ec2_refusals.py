"""How the EC2 hooks refuse: the region's errors as moto's."""

from collections.abc import Iterator
from contextlib import contextmanager

from moto.ec2.exceptions import EC2ClientError

from sandbox.region.faults import ApiError


def refusal(error: ApiError) -> Exception:
    """The same error in moto's words."""
    raised: Exception = EC2ClientError(error.code, error.message)
    return raised


@contextmanager
def refusing() -> Iterator[None]:
    """Within the block the region's errors become moto's."""
    try:
        yield
    except ApiError as error:
        raise refusal(error) from error
