"""Read AWS requests and write AWS errors in each service's protocol."""

import io
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import HTTPException

from sandbox.region.credentials import signer
from sandbox.region.faults import ApiCall, ApiError

Environ = dict[str, Any]
MODEL_NAMES = {"states": "stepfunctions", "monitoring": "cloudwatch"}
"""Signing names that differ from botocore's model names."""
XML_SERVICES = {"sns", "iam", "sts", "cloudformation"}


def api_call(environ: Environ, body: bytes) -> ApiCall:
    """Who calls which service; what exactly is parsed only when asked for."""
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if not authorization and (credential := parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential")):
        authorization = f"Credential={credential[0]}"
    caller, service = signer(authorization) or ("", "s3")
    seen = dict(environ)
    session = str(environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""))
    return ApiCall(service=service, caller=caller, parse=lambda: _parse(service, seen, body), session=session)


def _parse(service: str, environ: Environ, body: bytes) -> tuple[str, Mapping[str, Any]]:
    request = Request({**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})
    model = get_service_model(MODEL_NAMES.get(service, service))
    try:
        operation, path_params = get_service_router(model.service_name).match(request)
    except (HTTPException, NotImplementedError):
        return "", {}
    parser = PROTOCOL_PARSERS[determine_request_protocol(model, request.content_type)](operation, map_type=dict)
    params = parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": body,
            "url_path": request.path,
            "url_params": path_params,
        }
    )
    return str(operation.name), dict(params)


def error_body(error: ApiError, *, service: str, content_type: str) -> tuple[str, bytes]:
    """(content type, body) of `error` as `service` would put it."""
    code, message = escape(error.code), escape(error.message)
    if service == "ec2":
        errors = f"<Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        return "text/xml", f"<Response>{errors}<RequestID>sandbox</RequestID></Response>".encode()
    if service == "s3":
        return "application/xml", f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    if service in XML_SERVICES or "urlencoded" in content_type:
        inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        return "text/xml", f"<ErrorResponse>{inner}<RequestId>sandbox</RequestId></ErrorResponse>".encode()
    return "application/x-amz-json-1.1", json.dumps({"__type": error.code, "message": error.message}).encode()
