"""What EventBridge Scheduler would start again and again, at the pace of the sandbox."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


@contextmanager
def every(seconds: float, start: Callable[[], object], *, failures: list[str] | None = None) -> Iterator[None]:
    """Call `start` at once and then every `seconds`, in the background, until the block ends.

    Args:
        seconds: between two starts; a start that takes longer delays the next.
        start: starts an execution.
        failures: takes a line for each start that went wrong.

    """
    ended = threading.Event()

    def work() -> None:
        while True:
            try:
                start()
            except Exception as error:  # noqa: BLE001  # as the real one: the next start may do
                if failures is not None:
                    failures.append(str(error))
            if ended.wait(seconds):
                return

    thread = threading.Thread(target=work, name="aerokeep-schedule", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(30)


def starter(states: Any, machine_arn: str, request: Mapping[str, Any]) -> Callable[[], object]:  # noqa: ANN401  # boto3's own
    """What starts one execution of a machine."""
    return lambda: states.start_execution(stateMachineArn=machine_arn, input=json.dumps(request))
