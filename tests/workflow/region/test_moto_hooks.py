"""Each hook fits the moto that is installed, and goes when the region goes; the contract tells what each is for."""

import inspect
from collections.abc import Callable

import pytest

from sandbox.region import Pace, Region, hooks
from sandbox.region.hooks.hook import Hook
from tests.workflow.region.folder_plane import FolderPlane
from tests.workflow.region.shapes import a_function

Right = Callable[[Region], bool]


@pytest.fixture
def pace() -> Pace:
    """What passes lasts long enough to be seen on a busy machine too."""
    return Pace(wait_scale=0.01, stopping_s=0.2, volume_creating_s=0.2, attach_s=0.2, detach_s=0.2)


@pytest.mark.parametrize("hook", hooks.HOOKS, ids=lambda hook: str(hook.target))
def test_a_hook_fits_moto_and_says_why_it_is_there(hook: Hook) -> None:
    assert hook.misfit() is None
    assert hook.reason.startswith("moto")
    assert hook.reason.endswith(".")


def test_a_hook_that_does_not_fit_says_what_changed() -> None:
    def build(_region: Region, old: object) -> object:
        return old

    target = "moto.ssm.responses:SimpleSystemManagerResponse."
    assert "no more" in str(Hook(f"{target}gone", "", build).misfit())
    assert "takes ('self',)" in str(Hook(f"{target}send_command", "", build, ("self", "more")).misfit())
    assert "has this now" in str(Hook(f"{target}send_command", "", build, added=True).misfit())


def test_hooks_are_put_in_place_and_taken_away_as_one_set(plane: FolderPlane) -> None:
    before = [hook.current() for hook in hooks.HOOKS]
    region = Region(plane)
    region.start()
    try:
        assert all(hook.current() is not found for hook, found in zip(hooks.HOOKS, before, strict=True))
    finally:
        region.stop()
    assert all(hook.current() is found for hook, found in zip(hooks.HOOKS, before, strict=True))


def test_a_replacement_takes_what_it_replaces_takes(region: Region) -> None:
    for hook in hooks.HOOKS:
        ours = hook.current()
        function = getattr(ours, "__func__", ours)
        if hook.parameters and inspect.isfunction(function) and "args" not in inspect.signature(function).parameters:
            assert tuple(inspect.signature(function).parameters) == hook.parameters, hook.target
    assert region.endpoint


def test_a_function_runs_without_docker(region: Region) -> None:
    a_function(region, "f", "def handler(event, context): return 1\n")
    assert region.client("lambda").invoke(FunctionName="f")["Payload"].read() == b"1"
