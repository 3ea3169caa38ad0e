"""User data as cloud-init runs them: boothooks at every boot, shell scripts once per instance, in order, as root."""

import base64
import gzip
import re
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from typing import Any

from sandbox.dataplane.plane import DataPlaneError
from sandbox.region.plane import Plane

SCRIPT, BOOTHOOK = "text/x-shellscript", "text/cloud-boothook"
_GZIP = b"\x1f\x8b"
_MIME = re.compile(rb"\A(content-type|mime-version):", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """One part of the user data."""

    kind: str
    text: bytes


def parts(data: bytes) -> list[Part]:
    """The parts in order; of a kind that is not run here, too."""
    if data.startswith(_GZIP):
        data = gzip.decompress(data)
    if _MIME.match(data.lstrip()):
        return [
            _mime_part(message) for message in message_from_bytes(data.lstrip()).walk() if not message.is_multipart()
        ]
    if data.startswith(b"#cloud-boothook"):
        return [Part(BOOTHOOK, data.partition(b"\n")[2])]
    return [Part(SCRIPT if data.startswith(b"#!") else "text/plain", data)] if data.strip() else []


def _mime_part(message: Any) -> Part:  # noqa: ANN401  # email's own classes
    text = bytes(message.get_payload(decode=True) or b"")
    kind = str(message.get_content_type())
    if kind == BOOTHOOK and text.startswith(b"#cloud-boothook"):
        text = text.partition(b"\n")[2]
    return Part(kind, text)


def run(plane: Plane, instance_id: str, user_data: Any, *, delay_s: float, start_services: Callable[[], None]) -> None:  # noqa: ANN401  # moto's own type
    """Let a node boot in the background: hooks of its user data, then its services, then its scripts.

    What hooks and scripts print stands in ``cloud/output.log`` of the node's folder.
    """
    encoded = user_data.as_bytes() if hasattr(user_data, "as_bytes") else str(user_data or "").encode()
    found = parts(base64.b64decode(encoded))
    thread = threading.Thread(target=_run, args=(plane, instance_id, found, delay_s, start_services), daemon=True)
    thread.start()


def _run(plane: Plane, instance_id: str, found: list[Part], delay_s: float, start_services: Callable[[], None]) -> None:
    """A node that loses its power meanwhile ends this where it is."""
    time.sleep(delay_s)
    try:
        folder = plane.host_dir(instance_id) / "cloud"
        done = folder / instance_id / "done"
        first = not done.exists()
        done.parent.mkdir(parents=True, exist_ok=True)
        hooks = [part for part in found if part.kind == BOOTHOOK]
        for number, part in enumerate(hooks, start=1):
            _run_part(plane, instance_id, f"part-{number:03}", part.text)
        start_services()
        scripts = [part for part in found if part.kind == SCRIPT] if first else []
        for number, part in enumerate(scripts, start=len(hooks) + 1):
            _run_part(plane, instance_id, f"part-{number:03}", part.text)
        done.touch()
    except (DataPlaneError, OSError):
        return


def _run_part(plane: Plane, instance_id: str, name: str, text: bytes) -> None:
    own = plane.host_dir(instance_id) / "cloud"
    script = own / instance_id / name
    script.write_bytes(text)
    script.chmod(0o700)
    seen = f"{plane.seen_as(instance_id)}/cloud/{instance_id}/{name}"
    with (own / "output.log").open("ab") as output:
        argv = [seen] if text.startswith(b"#!") else ["sh", seen]
        environment = {"INSTANCE_ID": instance_id, "AEROKEEP_HOST_DIR": plane.seen_as(instance_id)}
        process = plane.spawn(
            instance_id,
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        process.wait()
