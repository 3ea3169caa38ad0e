"""Check S3 requests as S3 does: signatures and expiry of presigned URLs, and checksums of bodies."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote

from sandbox.region.credentials import SECRET
from sandbox.region.faults import ApiError

Environ = Mapping[str, Any]
DENIED = 403


def check_signed(environ: Environ, *, now: datetime) -> None:
    """Refuse what nobody signed, and a presigned request that is late, altered, or lacks a signed header.

    Raises:
        ApiError: ``AccessDenied`` or ``SignatureDoesNotMatch`` (403), as S3 answers.

    """
    query = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    fields = dict(query)
    if "X-Amz-Signature" not in fields:
        if not environ.get("HTTP_AUTHORIZATION"):
            raise ApiError("AccessDenied", "Anonymous users cannot invoke this API.", status=DENIED)
        return
    signed_at = datetime.strptime(fields["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if now > signed_at + timedelta(seconds=int(fields["X-Amz-Expires"])):
        raise ApiError("AccessDenied", "Request has expired", status=DENIED)
    signed = fields["X-Amz-SignedHeaders"].split(";")
    unsigned = sorted(name for name in _amz_headers(environ) if name not in signed)
    if unsigned:
        message = f"There were headers present in the request which were not signed: {', '.join(unsigned)}"
        raise ApiError("AccessDenied", message, status=DENIED)
    if not hmac.compare_digest(_signature(environ, query, signed), fields["X-Amz-Signature"]):
        message = "The request signature we calculated does not match the signature you provided."
        raise ApiError("SignatureDoesNotMatch", message, status=DENIED)


def check_checksum(environ: Environ, body: bytes) -> None:
    """Refuse a body that is not the one whose SHA-256 was announced.

    Raises:
        ApiError: ``BadDigest`` (400).

    """
    announced = environ.get("HTTP_X_AMZ_CHECKSUM_SHA256")
    if announced and announced != base64.b64encode(hashlib.sha256(body).digest()).decode():
        raise ApiError("BadDigest", "The SHA256 you specified did not match the calculated checksum.")


def _amz_headers(environ: Environ) -> list[str]:
    return [key[5:].replace("_", "-").lower() for key in environ if key.startswith("HTTP_X_AMZ_")]


def _header(environ: Environ, name: str) -> str:
    key = name.upper().replace("-", "_")
    value = environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", "")
    return " ".join(str(value).split())


def _signature(environ: Environ, query: list[tuple[str, str]], signed: list[str]) -> str:
    """SigV4 query signature of the request as it arrived (the payload of a presigned request is unsigned)."""
    fields = dict(query)
    path = str(environ.get("RAW_URI") or environ["PATH_INFO"]).split("?", 1)[0]
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in query if k != "X-Amz-Signature")
    canonical = "\n".join(
        [
            environ["REQUEST_METHOD"],
            path,
            "&".join(f"{k}={v}" for k, v in pairs),
            *(f"{name}:{_header(environ, name)}" for name in signed),
            "",
            ";".join(signed),
            "UNSIGNED-PAYLOAD",
        ]
    )
    scope = fields["X-Amz-Credential"].split("/", 1)[1]
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", fields["X-Amz-Date"], scope, digest])
    key = b"AWS4" + SECRET.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
