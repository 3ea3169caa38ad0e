"""Faults of API calls: errors, throttles, lost and slow answers, no capacity, a key management service that refuses."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from fnmatch import fnmatchcase

from sandbox.faults import known
from sandbox.faults.kinds import ApiFault, CapacityFault, KmsFault
from sandbox.faults.site import Site
from sandbox.faults.tally import Tally
from sandbox.region import ApiCall, ApiError, LostResponseError

SLOW_DOWN = 503
THROTTLES = {
    "ec2": ("RequestLimitExceeded", SLOW_DOWN),
    "s3": ("SlowDown", SLOW_DOWN),
    "lambda": ("TooManyRequestsException", 429),
    "monitoring": ("Throttling", 400),
    "sns": ("Throttling", 400),
    "sts": ("Throttling", 400),
    "iam": ("Throttling", 400),
    "cloudformation": ("Throttling", 400),
    "sqs": ("RequestThrottled", 403),
}
"""How each service says that it is asked too often; the others all say ``ThrottlingException``."""
USUAL_THROTTLE = ("ThrottlingException", 400)
KMS_REFUSAL = ApiError("KMSInvalidStateException", "the key is disabled: the fault plan says so")
NO_CAPACITY = "InsufficientInstanceCapacity"
Words = Callable[[ApiCall], str]


def arm_api(fault: ApiFault, tally: Tally, site: Site) -> AbstractContextManager[None]:
    """Break the calls that the fault means."""
    wanted = known.call_named(fault.call)

    def strike(call: ApiCall) -> None:
        if (call.service, call.action) == wanted and _is_meant(call, fault, site) and tally.due(_words(call, site)):
            _break(call, fault)

    faults = site.region.faults
    return faults.during(after=strike) if fault.effect_first else faults.during(before=strike)


def _is_meant(call: ApiCall, fault: ApiFault, site: Site) -> bool:
    if fault.caller is not None and not fnmatchcase(call.caller, fault.caller):
        return False
    if fault.state is not None or site.execution is not None:
        work = site.caller(call)
        if work is None or not site.works_for(work):
            return False
        if fault.state is not None and not site.works_at(work, fault.state):
            return False
    return site.node_in(call.params, fault.node)


def _break(call: ApiCall, fault: ApiFault) -> None:
    match fault.answer:
        case "slow":
            time.sleep(fault.slow_s or 0.0)
        case "lost":
            raise LostResponseError
        case "throttle":
            code, status = THROTTLES.get(call.service, USUAL_THROTTLE)
            raise ApiError(code, "Rate exceeded", status=status)
        case "error":
            raise ApiError(fault.code or "", fault.message, status=fault.status)


def arm_capacity(fault: CapacityFault, tally: Tally, site: Site) -> AbstractContextManager[None]:
    """Have no capacity."""

    def strike(call: ApiCall) -> None:
        if (call.service, call.action) != ("ec2", "RunInstances"):
            return
        kind = str(call.params.get("InstanceType", ""))
        if (not fault.types or kind in fault.types) and tally.due(_words(call, site)):
            message = f"We currently do not have sufficient {kind} capacity in the Availability Zone you requested."
            raise ApiError(NO_CAPACITY, message, status=500)

    return site.region.faults.during(before=strike)


def arm_kms_calls(_fault: KmsFault, tally: Tally, site: Site) -> AbstractContextManager[None]:
    """Refuse to use keys."""

    def strike(call: ApiCall) -> None:
        if call.service == "kms" and tally.due(_words(call, site)):
            raise KMS_REFUSAL

    return site.region.faults.during(before=strike)


def _words(call: ApiCall, site: Site) -> str:
    work = site.caller(call)
    who = ".".join(work.function.handler.split(".")[2:4]) if work else call.caller
    return f"{call.service}.{call.action} by {who}"
