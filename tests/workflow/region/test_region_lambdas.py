"""Lambda functions run from their own code and the layer, in processes of their own."""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.region import ApiCall, Region
from sandbox.region.lambdas.fleet import Fleet, Work
from sandbox.region.lambdas.instance import Deployed
from tests.workflow.region.shapes import a_function, eventually, invoked, zipped

LOOK = """
import os, third_party
def absent(name):
    try:
        __import__(name)
    except ImportError:
        return True
def handler(event, context):
    return {
        "environment": dict(os.environ),
        "layer": third_party.NAME,
        "left": context.get_remaining_time_in_millis(),
        "absent": [absent(name) for name in ("sandbox", "moto", "pytest", "aerokeep")],
        "arn": context.invoked_function_arn,
    }
"""
RAISE = """
class TransientError(Exception): pass
def handler(event, context):
    raise TransientError("busy: later")
"""


def test_a_function_sees_its_own_environment_the_layer_and_nothing_of_the_repository(region: Region) -> None:
    a_function(region, "look", LOOK)
    failed, seen = invoked(region, "look", {})
    environment = seen["environment"]
    assert not failed
    assert seen["layer"] == "from the layer"
    assert seen["absent"] == [True] * 4
    assert 0 < seen["left"] <= 5000
    assert seen["arn"].endswith(":function:look")
    assert environment["OF_FUNCTION"] == "look"
    assert environment["AWS_ENDPOINT_URL"] == region.endpoint
    assert environment["AWS_ACCESS_KEY_ID"] == "aerokeep.tester"
    assert environment["AEROKEEP_SANDBOX"] == region.tag
    assert not [name for name in environment if "proxy" in name.lower()]


def test_an_exception_becomes_an_error_named_by_its_class_with_its_trace_in_the_log(region: Region) -> None:
    a_function(region, "raise", RAISE)
    failed, error = invoked(region, "raise", {})
    assert failed
    assert (error["errorType"], error["errorMessage"]) == ("TransientError", "busy: later")
    assert "code.py" in error["stackTrace"][0]
    assert "TransientError: busy: later" in region.logs("raise")


def test_a_function_over_its_time_is_killed_and_says_so(region: Region) -> None:
    a_function(
        region,
        "hang",
        "import os, time\ndef handler(event, context):\n    print(os.getpid(), flush=True)\n    time.sleep(60)\n",
        timeout_s=1,
    )
    failed, error = invoked(region, "hang", {})
    assert failed
    assert error["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in error["errorMessage"]
    pid = int(region.logs("hang"))
    assert eventually(lambda: not os.path.exists(f"/proc/{pid}"))  # noqa: PTH110  # a process, not a file


def test_a_function_that_dies_or_does_not_import_is_told_apart(region: Region) -> None:
    a_function(region, "die", "import os\ndef handler(event, context):\n    os._exit(3)\n")
    a_function(region, "broken", "import no_such_module\ndef handler(event, context): pass\n")
    assert invoked(region, "die", {})[1]["errorType"] == "Runtime.ExitError"
    assert invoked(region, "broken", {})[1]["errorType"] == "Runtime.ImportModuleError"


def test_an_instance_at_work_can_be_killed_and_the_next_event_gets_another(region: Region) -> None:
    a_function(
        region,
        "long",
        "import time\ndef handler(event, context):\n    print(event, flush=True)\n    time.sleep(event)\n",
    )
    assert region.fleet.kill("long") == 0
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(invoked, region, "long", 60)
        assert eventually(lambda: "60" in region.logs("long"))
        assert region.fleet.kill("another") == 0
        assert region.fleet.kill("long") == 1
        failed, error = first.result(timeout=10)
    assert (failed, error["errorType"]) == (True, "Runtime.ExitError")
    assert invoked(region, "long", 0) == (False, None)


def test_an_instance_at_work_can_be_timed_out_at_once(region: Region) -> None:
    a_function(region, "hung", "import time\ndef handler(event, context):\n    time.sleep(event)\n", timeout_s=900)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(invoked, region, "hung", 600)
        assert eventually(lambda: bool(region.fleet.at_work()))
        region.fleet.time_out(region.fleet.at_work()[0])
        failed, error = first.result(timeout=10)
    assert (failed, error["errorType"]) == (True, "Sandbox.Timedout")
    assert "Task timed out after 900.00 seconds" in error["errorMessage"]
    assert invoked(region, "hung", 0) == (False, None)


def test_instances_run_at_once_in_processes_of_their_own_and_are_used_again(region: Region) -> None:
    a_function(
        region, "nap", "import os, time\ndef handler(event, context):\n    time.sleep(event)\n    return os.getpid()\n"
    )
    with ThreadPoolExecutor(3) as pool:
        pids = {pid for _, pid in pool.map(lambda _: invoked(region, "nap", 0.3), range(3))}
    assert len(pids) == 3
    assert invoked(region, "nap", 0)[1] in pids
    assert os.getpid() not in pids


def test_an_asynchronous_invocation_is_not_waited_for(region: Region) -> None:
    a_function(region, "late", "import time\ndef handler(event, context):\n    time.sleep(1)\n    print('done')\n")
    began = time.monotonic()
    answer = region.client("lambda").invoke(FunctionName="late", InvocationType="Event", Payload="{}")
    assert (answer["StatusCode"], time.monotonic() - began < 0.9) == (202, True)
    assert eventually(lambda: "done" in region.logs("late"))


def test_who_calls_can_be_told_from_the_credentials(region: Region) -> None:
    seen: list[ApiCall] = []
    with region.faults.during(before=seen.append):
        region.client("ec2", caller="some-role").describe_volumes(VolumeIds=[], MaxResults=5)
    assert [(call.service, call.action, call.caller, call.params["MaxResults"]) for call in seen] == [
        ("ec2", "DescribeVolumes", "some-role", 5)
    ]


NAP = "import time\nprint('born', flush=True)\nNAP_S\ndef handler(event, context):\n    time.sleep(event)\n"


@pytest.fixture
def fleet(layer: Path, tmp_path: Path) -> Iterator[Fleet]:
    """Instances without a region."""

    def starting(*, cold: bool) -> None:
        """No time passes, cold or not."""

    made = Fleet(layer_dir=layer, folder=tmp_path / "fleet", tag="fleet", starting=starting)
    try:
        yield made
    finally:
        made.stop()


def napping(born_in_s: float = 0.0) -> Deployed:
    """A function that sleeps as long as its event says, and takes its time to be imported."""
    return Deployed(
        name="nap",
        arn="arn:aws:lambda:eu-central-1:123456789012:function:nap",
        handler="code.handler",
        role="tester",
        timeout_s=60.0,
        memory_mb=128,
        log_group="/aws/lambda/nap",
        code=zipped(NAP.replace("NAP_S", f"time.sleep({born_in_s})")),
        code_sha256=f"nap-{born_in_s}",
        environment=(("PATH", "/usr/bin:/bin"),),
    )


def test_whatever_ends_an_invocation_nothing_of_its_instance_is_left(fleet: Fleet) -> None:
    seen: list[int] = []

    def break_off(work: Work) -> None:
        seen.append(work.pid)
        raise RuntimeError("told and failed")

    fleet.at_start.append(break_off)
    with pytest.raises(RuntimeError, match="told and failed"):
        fleet.invoke(napping(), 60)
    assert fleet.at_work() == []
    assert eventually(lambda: not Path(f"/proc/{seen[0]}").exists())
    fleet.at_start.clear()
    assert not fleet.invoke(napping(), 0).failed


def test_an_invocation_that_the_fleets_end_overtakes_ends_as_if_its_instance_had_died(fleet: Fleet) -> None:
    fleet.at_start.append(lambda _: fleet.stop())
    ended = fleet.invoke(napping(), 60)
    assert (ended.failed, json.loads(ended.payload)["errorType"]) == (True, "Runtime.ExitError")
    assert fleet.at_work() == []


def test_an_instance_that_is_just_being_born_ends_with_its_fleet(fleet: Fleet) -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(fleet.invoke, napping(born_in_s=60.0), 0)
        assert eventually(lambda: "born" in fleet.logs("nap"))
        fleet.stop()
        ended = first.result(timeout=10)
    assert (ended.failed, "the fleet has been stopped" in ended.payload) == (True, True)


def test_a_stopped_fleet_starts_nothing_any_more(fleet: Fleet, tmp_path: Path) -> None:
    fleet.stop()
    assert "the fleet has been stopped" in fleet.invoke(napping(), 0).payload
    assert not (tmp_path / "fleet").exists()
