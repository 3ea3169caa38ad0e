"""Grants that nothing played here uses, each with the reason why it stands nevertheless."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.permissions.policies import Grant


@dataclass(frozen=True)
class Exemption:
    """Some grants of some roles."""

    role: str
    """A pattern of role names."""
    statements: tuple[str, ...]
    actions: tuple[str, ...]
    reason: str

    def covers(self, grant: Grant) -> bool:
        """Whether it speaks of this grant."""
        named = fnmatchcase(grant.role, self.role) and grant.statement in self.statements
        return named and grant.action in self.actions


EXEMPTIONS = (
    Exemption(
        "*",
        ("TellAbsentFromForbidden",),
        ("s3:ListBucket",),
        "Asked only where an object is absent, which S3 tells as 403 without it; many steps read what is always there.",
    ),
    Exemption(
        "*/StopWrites",
        ("RunHostVerbs",),
        ("ssm:SendCommand",),
        "A no-go sends resume-writes when some nodes armed and others did not: it is a matter of seconds on hosts.",
    ),
    Exemption(
        "replace-node/AttachVolumes",
        ("MoveOnClusterInstances", "MoveClusterVolumes"),
        ("ec2:DetachVolume",),
        "A volume is detached only where it hangs on an instance that EC2 has not let go of yet.",
    ),
    Exemption(
        "replace-node/CheckNode",
        ("KeepWhatIsTheirs", "KeepVolumes", "KeepInterfaces"),
        ("ec2:ModifyInstanceAttribute", "ec2:ModifyNetworkInterfaceAttribute"),
        "What is attached to a running instance is kept by default: this is for whoever has changed it meanwhile.",
    ),
    Exemption(
        "replace-node/CheckNode",
        ("ImageClusterInstances", "ImageIntoTaggedImages", "TagAtCreateImage"),
        ("ec2:CreateImage", "ec2:CreateTags"),
        "The node was launched from an image a moment ago: only if that is gone again, or holds another build.",
    ),
)
