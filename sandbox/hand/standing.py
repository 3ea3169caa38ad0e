"""Where the region that was started by hand is: a file in the user's runtime folder that only the user can read."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.dataplane.run_id import start_ticks


@dataclass(frozen=True)
class Standing:
    """A region that runs in the background."""

    pid: int
    started_ticks: int
    """With the pid it names the process, so that a reused pid is none of ours."""
    mode: str
    endpoint: str
    """The URL of the AWS endpoint."""
    region: str
    account: str
    access_key: str
    secret: str
    control_port: int
    """On loopback: where `status` and `inject` are answered."""
    token: str
    """What whoever asks there must know."""
    workdir: str

    @property
    def lives(self) -> bool:
        """Its process is still there."""
        return start_ticks(self.pid) == self.started_ticks

    @property
    def environment(self) -> dict[str, str]:
        """What the AWS CLI, the CDK CLI and boto3 need to be pointed at it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DEFAULT_ACCOUNT": self.account,
            "CDK_DEFAULT_REGION": self.region,
        }

    def write(self) -> None:
        """Say where it is; nobody reads half of it."""
        draft = _path().with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(self), indent=1))
        draft.replace(_path())


def find() -> Standing | None:
    """The region that was started by hand, whether it still lives or not."""
    try:
        return Standing(**json.loads(_path().read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def forget() -> None:
    """Leave no trace of it."""
    for path in (_path(), log_path()):
        path.unlink(missing_ok=True)
    if folder().exists():
        folder().rmdir()


def folder() -> Path:
    """The user's own folder for this."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "aerokeep" if runtime else Path(tempfile.gettempdir()) / f"aerokeep-by-hand-{os.getuid()}"


def make_folder() -> None:
    """Make it, for nobody else.

    Raises:
        PermissionError: it belongs to somebody else.

    """
    folder().mkdir(mode=0o700, exist_ok=True)
    if folder().stat().st_uid != os.getuid():
        raise PermissionError(f"{folder()} belongs to somebody else: set XDG_RUNTIME_DIR to a folder of yours")


def log_path() -> Path:
    """What the background process prints."""
    return folder() / "region.log"


def _path() -> Path:
    return folder() / "region.json"
