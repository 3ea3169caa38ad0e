"""Verb ``capture``: report the SMD and conf files of a run, and upload them by presigned PUTs after the window."""

import json
import os
import time
import urllib.error
import urllib.request
from typing import Any, Dict, List

from aerokeep_node.asd import Asd, describe_asd
from aerokeep_node.aside import Aside
from aerokeep_node.refusal import NotNowError, RefusalError
from aerokeep_node.run_directory import ASIDE, ASIDE_LIST, RunDirectory, holder_of_lease_lock, prune_old_runs
from aerokeep_node.tree import Tree

REPORT = "report"
TIMEOUT_S = 30.0
MOST_LIST_BYTES = 4 * 1024 * 1024
TRIES = 3
BETWEEN_TRIES_S = 1.0
DEFAULT_CONTENT_TYPE = "application/octet-stream"
"""urllib would say application/x-www-form-urlencoded, for which some stores keep an empty body."""
_SERVER_ERROR = 500


def run(tree: Tree, parameters: Dict[str, str]) -> Dict[str, Any]:
    """Report, or upload what was reported."""
    directory = RunDirectory(tree, parameters["Run"])
    if parameters["Uploads"] == REPORT:
        return _report(directory)
    return {"uploaded": _upload_all(directory, parameters["Uploads"])}


def _report(directory: RunDirectory) -> Dict[str, Any]:
    listed = directory.read(ASIDE_LIST)
    if listed is None:
        if holder_of_lease_lock(directory.tree) == directory.run:
            raise NotNowError("write_stop_lives", "the write stop of this run has not ended yet")
        listed = _copy_now(directory)
    return {"files": listed["files"], "truncated": listed["truncated"]}


def _copy_now(directory: RunDirectory) -> Dict[str, Any]:
    asd = Asd(directory.tree)
    work_directory = describe_asd(asd)["work_directory"]
    prune_old_runs(directory.tree, time.time())
    directory.create()
    aside = Aside(directory)
    aside.copy(work_directory, asd.conf_path)
    if aside.errors:
        os.unlink(directory.file(ASIDE_LIST))  # a later call shall try again
        raise RefusalError("not_captured", "; ".join(aside.errors)[:500])
    return aside.as_json()


def _upload_all(directory: RunDirectory, list_url: str) -> List[Dict[str, Any]]:
    listed = directory.read(ASIDE_LIST) or {"files": []}
    known = {entry["name"] for entry in listed["files"]}
    uploads = _fetch_list(list_url)
    # Only what was reported: a name can't lead to any other file of the host.
    unknown = sorted(str(upload.get("name")) for upload in uploads if upload.get("name") not in known)
    if unknown:
        raise RefusalError("not_captured", "never reported by this host: {}".format(", ".join(unknown)[:300]))
    return [{"name": upload["name"], "status": _put(directory, upload)} for upload in uploads]


def _fetch_list(url: str) -> List[Dict[str, Any]]:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:  # noqa: S310 - the parameter's pattern allows http(s)
            content = response.read(MOST_LIST_BYTES)
    except OSError as error:
        raise NotNowError("list_unreachable", _said(error)) from error
    try:
        uploads = json.loads(content.decode("utf-8"))
    except ValueError as error:
        raise RefusalError("bad_list", str(error)) from error
    shaped = isinstance(uploads, list) and all(_is_upload(upload) for upload in uploads)
    if not shaped:
        raise RefusalError("bad_list", 'a list of {"name", "url", "headers"} is expected')
    return list(uploads)


def _is_upload(upload: object) -> bool:
    if not isinstance(upload, dict) or not isinstance(upload.get("headers"), dict):
        return False
    url = upload.get("url")
    return isinstance(upload.get("name"), str) and isinstance(url, str) and url.startswith(("https://", "http://"))


def _put(directory: RunDirectory, upload: Dict[str, Any]) -> int:
    """Upload one file; give the HTTP status, whichever it is (412: it is there already)."""
    with open(directory.file(ASIDE, upload["name"]), "rb") as file:
        content = file.read()
    headers = {str(name): str(value) for name, value in upload["headers"].items()}
    if not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = DEFAULT_CONTENT_TYPE
    request = urllib.request.Request(upload["url"], data=content, headers=headers, method="PUT")  # noqa: S310 - checked above
    status = 0
    for attempt in range(TRIES):
        if attempt:
            time.sleep(BETWEEN_TRIES_S)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310 - the same
                return int(response.status)
        except urllib.error.HTTPError as error:
            status = error.code
            error.close()
            if status < _SERVER_ERROR:
                return status
        except OSError as error:
            if attempt == TRIES - 1:
                raise NotNowError("upload_failed", "{}: {}".format(upload["name"], _said(error))) from error
    return status


def _said(error: OSError) -> str:
    # Never the address: presigned ones are secrets.
    return str(getattr(error, "reason", None) or type(error).__name__)
