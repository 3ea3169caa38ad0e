"""Everything that replaces moto's internals, put in place and taken away as one set."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sandbox.region.hooks import (
    awslambda,
    cloudformation,
    cloudformation_changes,
    cloudformation_stacks,
    cloudwatch,
    dynamodb,
    ebs,
    ec2_describing,
    ec2_descriptions,
    ec2_images,
    ec2_interfaces,
    ec2_launch,
    ec2_power,
    ec2_snapshot_care,
    ec2_snapshots,
    ec2_volumes,
    events,
    iam,
    kms,
    logs,
    s3,
    ssm,
    stepfunctions,
    stepfunctions_limits,
    stepfunctions_templates,
    sts,
)
from sandbox.region.hooks.hook import ABSENT, Hook

if TYPE_CHECKING:
    from sandbox.region.region import Region

HOOKS: tuple[Hook, ...] = (
    *awslambda.HOOKS,
    *cloudformation.HOOKS,
    *cloudformation_changes.HOOKS,
    *cloudformation_stacks.HOOKS,
    *cloudwatch.HOOKS,
    *dynamodb.HOOKS,
    *ebs.HOOKS,
    *ec2_describing.HOOKS,
    *ec2_descriptions.HOOKS,
    *ec2_images.HOOKS,
    *ec2_interfaces.HOOKS,
    *ec2_launch.HOOKS,
    *ec2_power.HOOKS,
    *ec2_snapshot_care.HOOKS,
    *ec2_snapshots.HOOKS,
    *ec2_volumes.HOOKS,
    *events.HOOKS,
    *iam.HOOKS,
    *kms.HOOKS,
    *logs.HOOKS,
    *s3.HOOKS,
    *ssm.HOOKS,
    *stepfunctions.HOOKS,
    *stepfunctions_limits.HOOKS,
    *stepfunctions_templates.HOOKS,
    *sts.HOOKS,
)
_replaced: list[tuple[Hook, Any]] = []


def install(region: "Region") -> None:
    """Put every hook in place for `region`.

    Raises:
        RuntimeError: a region runs already in this process, or a hook does not fit the installed moto.

    """
    if _replaced:
        raise RuntimeError("a region runs already in this process")
    if misfits := [text for hook in HOOKS if (text := hook.misfit())]:
        raise RuntimeError("; ".join(misfits))
    for hook in HOOKS:
        owner, name = hook.owner()
        found = hook.current()
        _replaced.append((hook, found))
        setattr(owner, name, hook.build(region, found))


@contextmanager
def lifted(target: str) -> Iterator[None]:
    """Let moto have its own back for one hook, to show what the hook is for."""
    hook, found = next((hook, found) for hook, found in _replaced if hook.target == target)
    owner, name = hook.owner()
    ours = hook.current()
    _put(owner, name, found)
    try:
        yield
    finally:
        setattr(owner, name, ours)


def _put(owner: Any, name: str, found: Any) -> None:  # noqa: ANN401  # moto has no types
    if found is ABSENT:
        delattr(owner, name)
    else:
        setattr(owner, name, found)


def uninstall() -> None:
    """Give moto back what it had. Idempotent."""
    while _replaced:
        hook, found = _replaced.pop()
        _put(*hook.owner(), found)
