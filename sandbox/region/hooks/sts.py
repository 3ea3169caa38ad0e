"""STS: whoever assumes a role signs as that role from then on, and is told so."""

from typing import TYPE_CHECKING, Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.iam.models import iam_backends

from sandbox.region.credentials import SECRET, access_key, signer
from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

Moto = Any
BACKEND = "moto.sts.models:STSBackend."


class AccessDeniedError(ServiceException):  # type: ignore[misc]  # moto has no types
    """As STS calls it."""

    code = "AccessDenied"


def _codes(_region: "Region", old: Moto) -> Moto:
    return [*old, AccessDeniedError.code]


def _assume(_region: "Region", old: Moto) -> Moto:
    def assume_role(
        self: Moto,
        region_name: str,
        role_session_name: str,
        role_arn: str,
        policy: str,
        duration: int,
        external_id: str,
    ) -> Moto:
        name = role_arn.rpartition("/")[2]
        if _role(self, name) is None:
            message = f"User is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            raise AccessDeniedError(message)
        assumed = old(self, region_name, role_session_name, role_arn, policy, duration, external_id)
        assumed.access_key_id, assumed.secret_access_key = access_key(name), SECRET
        return assumed

    return assume_role


def _role(backend: Moto, name: str) -> Moto:
    roles = iam_backends[backend.account_id][backend.partition].roles.values()
    return next((role for role in roles if role.name == name), None)


def _identity(_region: "Region", old: Moto) -> Moto:
    def get_caller_identity(self: Moto) -> Moto:
        backend = self.backend
        caller, _ = signer(self.headers.get("Authorization", "")) or ("", "")
        role = _role(backend, caller)
        if role is None:
            return old(self)
        key = access_key(caller)
        sessions = [held.session_name for held in backend.assumed_roles if held.access_key_id == key]
        session = sessions[-1] if sessions else caller
        account = backend.account_id
        arn = f"arn:{backend.partition}:sts::{account}:assumed-role/{caller}/{session}"
        return ActionResult({"UserId": f"{role.id}:{session}", "Account": account, "Arn": arn})

    return get_caller_identity


HOOKS = (
    Hook(
        "moto.core.errors:COMMON_ERROR_CODES",
        "moto warns of AccessDenied, since the models of services do not list what each of them may answer.",
        _codes,
    ),
    Hook(
        f"{BACKEND}assume_role",
        "moto lets anybody assume roles that do not exist, and gives keys that do not tell the role.",
        _assume,
        ("self", "region_name", "role_session_name", "role_arn", "policy", "duration", "external_id"),
    ),
    Hook(
        "moto.sts.responses:TokenResponse.get_caller_identity",
        "moto tells functions and nodes that they are a user.",
        _identity,
        ("self",),
    ),
)
