"""Verb ``capture`` of a light host: report SMD and conf of a run, and really upload them to presigned addresses."""

import hashlib
import json
import urllib.error
import urllib.request
from typing import Any

from aerokeep_node.conf import parse_conf
from aerokeep_node.formats.smd import SUFFIX
from aerokeep_node.refusal import NotNowError, RefusalError

from sandbox.light.host import CONF, Host
from sandbox.light.server import work_directory_of

CONF_NAME = "conf/aerospike.conf"
TIMEOUT_S = 30.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def report(host: Host, run: str) -> dict[str, Any]:
    """Copy aside what there is now, once per run, and say what it is."""
    text = host.read(CONF)
    if text is None:
        raise RefusalError("not_captured", f"{CONF_NAME}: no such file")
    smd = f"{work_directory_of(parse_conf(text))}/smd"
    aside = host.asides.setdefault(
        run,
        {
            CONF_NAME: text.encode(),
            **{f"smd/{name}": content for name, content in host.below(smd) if name.endswith(SUFFIX)},
        },
    )
    files = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in aside.items()
    ]
    return {"files": files, "truncated": False}


def upload(host: Host, run: str, list_url: str) -> dict[str, Any]:
    """Put every file where the list says, with exactly its headers."""
    aside = host.asides.get(run, {})
    uploads = json.loads(download(list_url, "list_unreachable"))
    if unknown := sorted(upload["name"] for upload in uploads if upload["name"] not in aside):
        raise RefusalError("not_captured", f"never reported by this host: {', '.join(unknown)}")
    return {"uploaded": [{"name": u["name"], "status": _put(u, aside[u["name"]])} for u in uploads]}


def download(url: str, code: str) -> bytes:
    """What a presigned address gives.

    Raises:
        NotNowError: nothing, for now.

    """
    try:
        with _OPENER.open(url, timeout=TIMEOUT_S) as response:
            content: bytes = response.read()
    except OSError as error:
        raise NotNowError(code, str(error)) from error
    return content


def _put(upload: dict[str, Any], content: bytes) -> int:
    request = urllib.request.Request(upload["url"], data=content, headers=upload["headers"], method="PUT")  # noqa: S310  # the region's own address
    try:
        with _OPENER.open(request, timeout=TIMEOUT_S) as response:
            return int(response.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code
    except OSError as error:
        raise NotNowError("upload_failed", str(error)) from error
