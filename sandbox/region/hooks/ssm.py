"""SSM: commands run for real, documents and instances are looked up, and the calls that moto lacks."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.ssm.exceptions import SSMException

from sandbox.region.commands import DEFAULT_DELIVERY_S, Request
from sandbox.region.documents import content_of
from sandbox.region.faults import ApiError
from sandbox.region.hooks.hook import Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

RESPONSES = "moto.ssm.responses:SimpleSystemManagerResponse."
Moto = Any
DEFAULT_PAGE = 50


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
    if response._get_param("Targets"):
        raise ApiError("ValidationException", "the sandbox sends commands to instance ids only")
    request = Request(
        document=name,
        content=content_of(documents.get_default_version().content_json),
        instance_ids=response._get_param("InstanceIds", []),
        parameters=response._get_param("Parameters", {}) or {},
        comment=response._get_param("Comment", "") or "",
        timeout_s=float(response._get_param("TimeoutSeconds") or DEFAULT_DELIVERY_S),
    )
    return {"Command": region.commands.send(request, reachable=region.managed()).wire()}


def _get_invocation(region: "Region", response: Moto) -> dict[str, Any]:
    return region.commands.invocation(response._get_param("CommandId"), response._get_param("InstanceId")).wire()


def _list_invocations(region: "Region", response: Moto) -> dict[str, Any]:
    instance_id = response._get_param("InstanceId")
    commands = region.commands.find(response._get_param("CommandId"), instance_id)
    listed = [
        invocation.listed(details=bool(response._get_param("Details")))
        for command in commands
        if region.commands.visible(command)
        for invocation in command.invocations.values()
        if instance_id in (None, invocation.instance_id)
    ]
    return _page(response, "CommandInvocations", listed)


def _list_commands(region: "Region", response: Moto) -> dict[str, Any]:
    commands = region.commands.find(response._get_param("CommandId"), response._get_param("InstanceId"))
    return _page(response, "Commands", [command.wire() for command in commands])


def _cancel(region: "Region", response: Moto) -> dict[str, Any]:
    region.commands.cancel(response._get_param("CommandId"), response._get_param("InstanceIds", []) or [])
    return {}


def _instances(region: "Region", response: Moto) -> dict[str, Any]:
    entries = [region.instance_information(instance_id) for instance_id in region.managed()]
    keys = {"InstanceIds": "InstanceId", "PingStatus": "PingStatus", "AgentVersion": "AgentVersion"}
    for wanted in _filters(response):
        name, values = wanted
        if name not in keys:
            raise ApiError("InvalidFilterKey", f"the sandbox filters by {', '.join(keys)}, not by {name}")
        entries = [entry for entry in entries if entry[keys[name]] in values]
    return _page(response, "InstanceInformationList", entries)


def _filters(response: Moto) -> list[tuple[str, Sequence[str]]]:
    newer = [(f["Key"], f["Values"]) for f in response._get_param("Filters", []) or []]
    older = response._get_param("InstanceInformationFilterList", []) or []
    return newer + [(f["key"], f["valueSet"]) for f in older]


def _page(response: Moto, name: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    start = int(response._get_param("NextToken") or 0)
    end = start + int(response._get_param("MaxResults") or DEFAULT_PAGE)
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
