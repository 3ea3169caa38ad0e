"""SSM: commands run for real, documents and instances are looked up, and the calls that moto lacks."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.ssm.exceptions import SSMException

from sandbox.region.command import DEFAULT_CONCURRENCY, DEFAULT_DELIVERY_S, DEFAULT_ERRORS, Request
from sandbox.region.documents import content_of
from sandbox.region.faults import ApiError
from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

RESPONSES = "moto.ssm.responses:SimpleSystemManagerResponse."
Moto = Any
LONGEST_PAGE = 50
INFORMATION_PAGE, INFORMATION_LEAST = 10, 5
TAG = "tag:"


def _answering(answer: Callable[["Region", Moto], dict[str, Any]]) -> Callable[["Region", Moto], Moto]:
    """A response method out of (region, response) → body; refusals become SSM's errors."""

    def build(region: "Region", _old: Moto) -> Moto:

        def respond(self: Moto) -> Moto:
            try:
                return ActionResult(answer(region, self))
            except ApiError as error:
                raise SSMException(error.code, error.message) from error

        return respond

    return build


def _send(region: "Region", response: Moto) -> dict[str, Any]:
    name = str(response._get_param("DocumentName")).rpartition("/")[2]
    documents = response.ssm_backend._documents.get(name)
    if documents is None:
        raise ApiError("InvalidDocument", f"Document with name {name} does not exist.")
    targets = response._get_param("Targets", []) or []
    given = response._get_param("InstanceIds", []) or []
    if targets and given:
        raise ApiError("ValidationException", "InstanceIds and Targets exclude each other")
    version = response._get_param("DocumentVersion")
    document = documents.find(None if version == "$DEFAULT" else version, strict=False)
    if document is None:
        raise ApiError("InvalidDocumentVersion", f"{name} has no such version")
    request = Request(
        document=name,
        content=content_of(document.content_json),
        instance_ids=_aimed_at(region, targets) if targets else given,
        parameters=response._get_param("Parameters", {}) or {},
        comment=response._get_param("Comment", "") or "",
        timeout_s=float(response._get_param("TimeoutSeconds") or DEFAULT_DELIVERY_S),
        targets=targets,
        max_concurrency=str(response._get_param("MaxConcurrency") or DEFAULT_CONCURRENCY),
        max_errors=str(response._get_param("MaxErrors") or DEFAULT_ERRORS),
    )
    return {"Command": region.commands.send(request, reachable=region.managed()).wire()}


def _aimed_at(region: "Region", targets: Sequence[dict[str, Any]]) -> list[str]:
    """The managed nodes that fit every target."""
    found = list(region.managed())
    for target in targets:
        key, values = str(target["Key"]), target.get("Values", [])
        if key == "InstanceIds":
            found = [instance_id for instance_id in found if instance_id in values]
        elif key.startswith(TAG):
            found = [i for i in found if _tag(region, i, key.removeprefix(TAG)) in values]
        elif key == "tag-key":
            found = [i for i in found if any(_tag(region, i, value) is not None for value in values)]
        else:
            raise ApiError("InvalidTarget", f"{key} is no key of a target that the sandbox knows")
    return found


def _tag(region: "Region", instance_id: str, key: str) -> str | None:
    tags = {tag["key"]: tag["value"] for tag in region.ec2.instance(instance_id).get_tags()}
    return tags.get(key)


def _get_invocation(region: "Region", response: Moto) -> dict[str, Any]:
    return region.commands.invocation(response._get_param("CommandId"), response._get_param("InstanceId")).wire()


def _list_invocations(region: "Region", response: Moto) -> dict[str, Any]:
    instance_id = response._get_param("InstanceId")
    commands = region.commands.find(response._get_param("CommandId"), instance_id)
    listed = [
        invocation.listed(details=bool(response._get_param("Details")))
        for command in commands
        if command.visible
        for invocation in command.invocations.values()
        if instance_id in (None, invocation.instance_id)
    ]
    return _page(response, "CommandInvocations", _matching(response, listed))


def _list_commands(region: "Region", response: Moto) -> dict[str, Any]:
    commands = region.commands.find(response._get_param("CommandId"), response._get_param("InstanceId"))
    return _page(response, "Commands", _matching(response, [command.wire() for command in commands]))


def _matching(response: Moto, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for wanted in response._get_param("Filters", []) or []:
        key, value = wanted["key"], wanted["value"]
        if key not in ("Status", "DocumentName"):
            raise ApiError("InvalidFilterKey", f"the sandbox filters by Status and DocumentName, not by {key}")
        entries = [entry for entry in entries if entry[key] == value]
    return entries


def _cancel(region: "Region", response: Moto) -> dict[str, Any]:
    region.commands.cancel(response._get_param("CommandId"), response._get_param("InstanceIds", []) or [])
    return {}


def _instances(region: "Region", response: Moto) -> dict[str, Any]:
    entries = [region.instance_information(instance_id) for instance_id in region.managed()]
    keys = {"InstanceIds": "InstanceId", "PingStatus": "PingStatus", "AgentVersion": "AgentVersion"}
    for name, values in _filters(response):
        if name.startswith(TAG):
            tag = name.removeprefix(TAG)
            entries = [entry for entry in entries if _tag(region, entry["InstanceId"], tag) in values]
        elif name in keys:
            entries = [entry for entry in entries if entry[keys[name]] in values]
        else:
            raise ApiError("InvalidFilterKey", f"the sandbox filters by {', '.join(keys)} and tags, not by {name}")
    return _page(response, "InstanceInformationList", entries, least=INFORMATION_LEAST, usual=INFORMATION_PAGE)


def _filters(response: Moto) -> list[tuple[str, Sequence[str]]]:
    newer = [(f["Key"], f["Values"]) for f in response._get_param("Filters", []) or []]
    older = response._get_param("InstanceInformationFilterList", []) or []
    return newer + [(f["key"], f["valueSet"]) for f in older]


def _page(
    response: Moto, name: str, entries: list[dict[str, Any]], *, least: int = 1, usual: int = LONGEST_PAGE
) -> dict[str, Any]:
    token, asked = str(response._get_param("NextToken") or "0"), response._get_param("MaxResults")
    if not token.isdigit() or int(token) > len(entries):
        raise ApiError("InvalidNextToken", "The specified token isn't valid.")
    if asked is not None and not least <= int(asked) <= LONGEST_PAGE:
        raise ApiError("ValidationException", f"Value '{asked}' at 'maxResults' must be {least} to {LONGEST_PAGE}")
    start = int(token)
    end = start + int(asked or usual)
    page: dict[str, Any] = {name: entries[start:end]}
    return {**page, "NextToken": str(end)} if end < len(entries) else page


def _document(_region: "Region", old: Moto) -> Moto:
    def create_from_cloudformation_json(
        cls: Moto,
        /,
        resource_name: str,
        cloudformation_json: Moto,
        account_id: str,
        region_name: str,
        **kwargs: Any,  # noqa: ANN401  # moto's own signature
    ) -> Moto:
        wanted = dict(cloudformation_json["Properties"])
        wanted.setdefault("Name", resource_name)
        wanted.setdefault("DocumentFormat", "JSON")
        wanted.setdefault("DocumentType", "Command")
        if not isinstance(wanted["Content"], str):
            wanted["Content"] = json.dumps(wanted["Content"])
        renewed = {**cloudformation_json, "Properties": wanted}
        return old.__func__(cls, resource_name, renewed, account_id, region_name, **kwargs)

    return classmethod(create_from_cloudformation_json)


HOOKS = (
    Hook(
        f"{RESPONSES}send_command",
        "moto accepts unknown documents, instances and parameters, and runs nothing.",
        _answering(_send),
        ("self",),
    ),
    Hook(
        f"{RESPONSES}get_command_invocation",
        "moto's commands have succeeded at once, with no output.",
        _answering(_get_invocation),
        ("self",),
    ),
    Hook(
        f"{RESPONSES}list_commands",
        "moto's list knows nothing of states, and no pages.",
        _answering(_list_commands),
        ("self",),
    ),
    Hook(f"{RESPONSES}list_command_invocations", "moto lacks it.", _answering(_list_invocations), added=True),
    Hook(f"{RESPONSES}cancel_command", "moto lacks it.", _answering(_cancel), added=True),
    Hook(f"{RESPONSES}describe_instance_information", "moto lacks it.", _answering(_instances), added=True),
    Hook(
        "moto.ssm.models:Document.create_from_cloudformation_json",
        "moto names unnamed documents by a UUID, keeps their content as Python's repr, and insists on DocumentFormat.",
        _document,
        ("cls", "resource_name", "cloudformation_json", "account_id", "region_name", "kwargs"),
    ),
)
