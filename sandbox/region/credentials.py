"""Dummy credentials whose access key tells who calls; the secret is the same for all, so signatures can be checked."""

import re

SECRET = "aerokeep-sandbox-secret"  # noqa: S105  # no secret: the sandbox invents it and anybody may know it
PREFIX = "aerokeep."
OPERATOR = "operator"

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")


def access_key(caller: str) -> str:
    """The access key that `caller` signs with (a role's name, or ``operator``)."""
    return PREFIX + caller


def caller_of(key: str) -> str:
    """Who signs with this access key; the key itself if it is none of ours."""
    return key.removeprefix(PREFIX)


def signer(authorization: str) -> tuple[str, str] | None:
    """(caller, service) of a SigV4 Authorization header or credential."""
    found = _CREDENTIAL.search(authorization)
    return (caller_of(found[1]), found[3]) if found else None
