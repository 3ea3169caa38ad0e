"""Bring files of hosts into the vault: they report what they have, and upload it with URLs that were signed for it."""

import re
from collections.abc import Callable, Collection, Mapping

from pydantic import RootModel

from aerokeep.aws.ssm import HostReply, Hosts
from aerokeep.aws.vault import Points, Runs, Upload
from aerokeep.model.errors import CorruptError
from aerokeep.model.evidence import AsideFile
from aerokeep.model.files import NodeFiles, VaultFile
from aerokeep.model.run import RunRef
from aerokeep.model.wire import Wire
from aerokeep.steps.shared.asking import Asked, heard, settled
from aerokeep.steps.step import Clock, logger

_SAFE_NAME = re.compile(r"^(smd|conf)/[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}$")
"""What a host may call its files: two folders, no way out of them."""
_STORED = frozenset({200, 412})
"""412: an earlier try of this upload had already arrived; whoever reads the file compares its bytes either way."""
Place = Callable[[str, AsideFile], str | None]
"""Node-id and reported file → its key in the vault; None: it is not wanted."""


class Uploads(RootModel[list[Upload]]):
    """The uploads of one node; the URL of this object is all that stands in SSM's history."""


class Capture(Wire):
    """How far the capture is; written between two looks."""

    reporting: Asked
    files: dict[str, NodeFiles] | None = None
    """By instance id: what the hosts reported, with the keys it goes to; None before."""
    uploading: Asked | None = None


class Captured(Wire):
    """What is in the vault now."""

    nodes: tuple[NodeFiles, ...]


class Capturer:
    """One run's way to fetch files from its hosts; looked at again until all is there."""

    def __init__(self, *, runs: Runs, points: Points, hosts: Hosts, clock: Clock) -> None:
        self._runs, self._points, self._hosts, self._clock = runs, points, hosts, clock

    def look(
        self,
        request: RunRef,
        nodes: Mapping[str, str],
        *,
        place: Place,
        may_ask: Callable[[], object],
        known: Collection[str] = (),
        forgiving: bool = False,
    ) -> Captured | None:
        """Three looks or more: ask what there is, sign and have it uploaded, then find every host done.

        Args:
            request: the run.
            nodes: instance id → node-id.
            place: where each file goes.
            may_ask: raises where the run may act no more.
            known: keys that are in the vault already: not uploaded again.
            forgiving: leave out hosts that refuse or are silent, instead of failing.

        Raises:
            CorruptError: a host reports a name outside its two folders, or an upload failed.
            NotReadyError: a host did not answer.

        """
        capture = self._runs.find(request, "capture", Capture)
        if capture is None:
            may_ask()
            capture = Capture(reporting=self._ask(request, dict.fromkeys(nodes, "report")))
            self._runs.write(request, "capture", capture)
        replies = self._answers(capture.uploading or capture.reporting, forgiving=forgiving)
        if replies is None:
            return None
        if capture.files is None:
            may_ask()
            files = {i: _reported(node_id, replies[i], place) for i, node_id in nodes.items() if i in replies}
            uploading = self._upload(request, files, known)
            capture = capture.model_copy(update={"files": files, "uploading": uploading})
            self._runs.write(request, "capture", capture)
            return None if uploading else self._end(request, files)
        _all_uploaded(replies)
        wanted = capture.uploading.instance_ids if capture.uploading else ()
        return self._end(request, {i: f for i, f in capture.files.items() if i in replies or i not in wanted})

    def _answers(self, asked: Asked, *, forgiving: bool) -> Mapping[str, HostReply] | None:
        replies = self._hosts.replies(asked.command_ids, asked.instance_ids)
        now = self._clock()
        if forgiving:
            return heard(replies, deadline=asked.deadline, now=now)
        return replies if settled("capture", replies, deadline=asked.deadline, now=now) else None

    def _ask(self, request: RunRef, uploads: Mapping[str, str]) -> Asked:
        """Those with one parameter share a command; upload lists are each host's own."""
        commands: list[str] = []
        for told in sorted(set(uploads.values())):
            ids = [i for i, value in uploads.items() if value == told]
            commands += self._hosts.send("capture", ids, {"Run": request.stop_id, "Uploads": told})
        return Asked(command_ids=tuple(commands), instance_ids=tuple(uploads), asked_at=self._clock())

    def _upload(self, request: RunRef, files: Mapping[str, NodeFiles], known: Collection[str]) -> Asked | None:
        lists = {}
        for instance_id, node in files.items():
            signed = [
                self._points.upload_for(file.key, name=_name_in(file.key), sha256_hex=file.sha256)
                for file in node.files
                if file.key not in known
            ]
            if signed:
                name = f"uploads-{node.node_id}"
                self._runs.write(request, name, Uploads(signed))
                lists[instance_id] = self._runs.presigned_read(request, name)
        return self._ask(request, lists) if lists else None

    def _end(self, request: RunRef, files: Mapping[str, NodeFiles]) -> Captured:
        captured = Captured(nodes=tuple(files.values()))
        self._runs.write(request, "captured", captured)
        logger.info("files captured", nodes=len(files))
        return captured


def _name_in(key: str) -> str:
    """What the host calls the file: the last two parts of its key."""
    return "/".join(key.split("/")[-2:])


def _reported(node_id: str, reply: HostReply, place: Place) -> NodeFiles:
    files = []
    for file in (AsideFile.model_validate(raw) for raw in reply.body.get("files", [])):
        if not _SAFE_NAME.match(file.name):
            raise CorruptError(f"file_name_refused: node {node_id} reports {file.name!r}")
        if (key := place(node_id, file)) is not None:
            files.append(VaultFile(key=key, size_bytes=file.size, sha256=file.sha256))
    return NodeFiles(node_id=node_id, files=tuple(files))


def _all_uploaded(replies: Mapping[str, HostReply]) -> None:
    for instance_id, reply in replies.items():
        for result in reply.body.get("uploaded", []):
            if result.get("status") not in _STORED:
                raise CorruptError(f"upload_failed: {result.get('name')} of {instance_id}: HTTP {result.get('status')}")
