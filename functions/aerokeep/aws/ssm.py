"""SSM: cluster configuration, which hosts listen, and the verbs of the host program."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError
from pydantic import Field

from aerokeep.aws.clients import client, setting
from aerokeep.aws.errors import code_of, translated
from aerokeep.model.cluster import ClusterConfig
from aerokeep.model.errors import RejectedError
from aerokeep.model.wire import Wire

if TYPE_CHECKING:
    from types_boto3_ssm import SSMClient

UNREACHABLE = "aws_InvalidInstanceId"
"""How AWS says that an instance is not managed, or its agent not connected."""
MOST_IDS_PER_CALL = 50
"""SendCommand takes at most 50 instance ids (aws.md §C1)."""


class Configurations:
    """The clusters' configuration as the synth wrote it."""

    def __init__(self, ssm: "SSMClient", prefix: str) -> None:
        self._ssm = ssm
        self._prefix = prefix

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("ssm"), setting("AEROKEEP_CONFIG_PREFIX"))

    def of_cluster(self, name: str) -> ClusterConfig:
        """The configuration of one cluster.

        Raises:
            RejectedError: no such cluster was deployed.

        """
        with translated("GetParameter"):
            try:
                reply = self._ssm.get_parameter(Name=f"{self._prefix}/{name}")
            except ClientError as error:
                if code_of(error) != "ParameterNotFound":
                    raise
                raise RejectedError(
                    f"unknown_cluster: field 'cluster': {name!r} is not in clusters.yaml as it was deployed: "
                    "correct the name, or add the cluster and deploy"
                ) from error
        return ClusterConfig.model_validate_json(str(reply["Parameter"].get("Value")))

    def all(self) -> dict[str, ClusterConfig]:
        """Every cluster that was deployed, by name."""
        with translated("GetParametersByPath"):
            pages = self._ssm.get_paginator("get_parameters_by_path").paginate(Path=self._prefix)
            values = [str(parameter.get("Value")) for page in pages for parameter in page["Parameters"]]
        configs = [ClusterConfig.model_validate_json(value) for value in values]
        return {config.name: config for config in sorted(configs, key=lambda config: config.name)}


class CommandState(StrEnum):
    """What became of a command on one host."""

    RUNNING = "running"
    ANSWERED = "answered"
    LOST = "lost"
    """It timed out, could not be delivered or was cancelled: the host may or may not have run it (aws.md §C2)."""


class HostReply(Wire):
    """The answer of one host to one verb."""

    instance_id: str
    command_id: str
    state: CommandState
    status: str
    exit_code: int = -1
    body: dict[str, Any] = Field(default_factory=dict)
    """The one JSON object that the host program prints."""

    @property
    def refusal(self) -> str | None:
        """``code: detail`` where the host said no, else None."""
        if self.state is CommandState.ANSWERED and self.body.get("ok") is True:
            return None
        error = self.body.get("error") or {}
        return f"{error.get('code', self.status)}: {error.get('detail', 'the host program gave no answer')}"

    @property
    def refusal_code(self) -> str | None:
        """The stable code of the host's refusal."""
        return None if self.refusal is None else str((self.body.get("error") or {}).get("code", self.status))


class Hosts:
    """The hosts of a cluster, spoken to by the verbs of the host program: one SSM document per verb."""

    def __init__(self, ssm: "SSMClient", document_prefix: str) -> None:
        self._ssm = ssm
        self._document_prefix = document_prefix

    @classmethod
    def from_environment(cls) -> Self:
        """Built once per container."""
        return cls(client("ssm"), setting("AEROKEEP_DOCUMENT_PREFIX"))

    def listening(self, instance_ids: Iterable[str]) -> set[str]:
        """Which of the instances SSM reaches; the agent's heartbeat may be minutes old (aws.md §C4)."""
        online: set[str] = set()
        for chunk in _chunks(sorted(instance_ids)):
            with translated("DescribeInstanceInformation"):
                pages = self._ssm.get_paginator("describe_instance_information").paginate(
                    Filters=[{"Key": "InstanceIds", "Values": list(chunk)}]
                )
                online |= {
                    str(info.get("InstanceId"))
                    for page in pages
                    for info in page["InstanceInformationList"]
                    if info.get("PingStatus") == "Online"
                }
        return online

    def send(self, verb: str, instance_ids: Iterable[str], parameters: Mapping[str, str] | None = None) -> list[str]:
        """Start ``verb`` on every instance → command ids; all at once, none held up by another's failure."""
        commands = []
        for chunk in _chunks(sorted(instance_ids)):
            with translated(f"SendCommand {verb}"):
                reply = self._ssm.send_command(
                    DocumentName=f"{self._document_prefix}{verb}",
                    InstanceIds=list(chunk),
                    Parameters={name: [value] for name, value in (parameters or {}).items()},
                    TimeoutSeconds=30,
                    MaxConcurrency="100%",
                    MaxErrors="100%",
                )
            commands.append(str(reply["Command"].get("CommandId")))
        return commands

    def send_where_heard(
        self, verb: str, instance_ids: Iterable[str], parameters: Mapping[str, str] | None = None
    ) -> tuple[list[str], set[str]]:
        """Like :meth:`send`, but a dead node does not keep the others from hearing → command ids, who was reached.

        SendCommand refuses a whole call for one id that it can't reach; after that every node is asked by itself.
        """
        everyone = set(instance_ids)
        try:
            return self.send(verb, everyone, parameters), everyone
        except RejectedError as error:
            if error.code != UNREACHABLE:
                raise
        commands: list[str] = []
        reached: set[str] = set()
        for instance_id in sorted(everyone):
            try:
                commands += self.send(verb, [instance_id], parameters)
            except RejectedError as error:
                if error.code != UNREACHABLE:
                    raise
            else:
                reached.add(instance_id)
        return commands, reached

    def replies(
        self,
        command_ids: Iterable[str],
        instance_ids: Iterable[str],
        *,
        known: Mapping[str, HostReply] | None = None,
    ) -> dict[str, HostReply]:
        """What each instance answered so far; one that is still at it (or not listed yet) is ``running``.

        Args:
            command_ids: what was sent to them.
            instance_ids: who is expected to answer.
            known: answers of an earlier look at the same commands, which are not fetched again.

        """
        ended = {i: reply for i, reply in (known or {}).items() if reply.state is not CommandState.RUNNING}
        found: dict[str, HostReply] = {}
        for command_id in command_ids:
            with translated("ListCommandInvocations"):
                pages = self._ssm.get_paginator("list_command_invocations").paginate(CommandId=command_id)
                listed = [invocation for page in pages for invocation in page["CommandInvocations"]]
            for invocation in listed:
                instance_id = str(invocation.get("InstanceId"))
                status = str(invocation.get("Status"))
                found[instance_id] = ended.get(instance_id) or self._reply(command_id, instance_id, status)
        for instance_id in instance_ids:
            found.setdefault(
                instance_id,
                HostReply(instance_id=instance_id, command_id="", state=CommandState.RUNNING, status="Pending"),
            )
        return found

    def _reply(self, command_id: str, instance_id: str, status: str) -> HostReply:
        state = _STATES.get(status, CommandState.RUNNING)
        if state is not CommandState.ANSWERED:
            return HostReply(instance_id=instance_id, command_id=command_id, state=state, status=status)
        with translated("GetCommandInvocation"):
            # ListCommandInvocations cuts output at 2,500 characters, this call at 24,000 (aws.md §C4).
            reply = self._ssm.get_command_invocation(CommandId=command_id, InstanceId=instance_id)
        return HostReply(
            instance_id=instance_id,
            command_id=command_id,
            state=state,
            status=status,
            exit_code=int(reply.get("ResponseCode", -1)),
            body=_body(str(reply.get("StandardOutputContent", "")), str(reply.get("StandardErrorContent", ""))),
        )


_STATES = {
    "Success": CommandState.ANSWERED,
    "Failed": CommandState.ANSWERED,
    "TimedOut": CommandState.LOST,
    "Cancelled": CommandState.LOST,
    "Cancelling": CommandState.RUNNING,
}


def _body(stdout: str, stderr: str) -> dict[str, Any]:
    try:
        parsed = json.loads(stdout)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        return parsed
    return {"ok": False, "error": {"code": "host_unreadable", "detail": (stderr or stdout).strip()[-300:]}}


def _chunks(instance_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(instance_ids), MOST_IDS_PER_CALL):
        yield instance_ids[start : start + MOST_IDS_PER_CALL]
