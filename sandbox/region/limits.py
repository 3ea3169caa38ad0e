"""Limits of a single request that moto does not know."""

from sandbox.region.faults import ApiCall, ApiError

MOST_FILTERS = 50
MOST_FILTER_VALUES = 200


def check_limits(call: ApiCall) -> None:
    """EC2 takes at most 50 filters, and 200 values in each (EC2 user guide, resource filtering).

    Raises:
        ApiError: ``FilterLimitExceeded``.

    """
    if call.service != "ec2" or not call.action.startswith("Describe"):
        return
    filters = call.params.get("Filters") or []
    if len(filters) > MOST_FILTERS or any(len(f.get("Values") or []) > MOST_FILTER_VALUES for f in filters):
        message = f"The maximum number of filters is {MOST_FILTERS}, and of values in one {MOST_FILTER_VALUES}."
        raise ApiError("FilterLimitExceeded", message)
