"""Do something at a moment that a plan names: a state begins, an API is called, a document runs, time has passed."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from sandbox.faults import known
from sandbox.faults.parts import Moment
from sandbox.faults.seams import listening
from sandbox.faults.site import Site
from sandbox.region import ApiCall
from sandbox.region.invocations import Invocation
from sandbox.region.lambdas.fleet import Work

Act = Callable[[str], None]
"""Called once, with what the moment was."""


class Once:
    """Acts at the nth time that it is told."""

    def __init__(self, nth: int, act: Act) -> None:
        self._lock, self._left, self._act = threading.Lock(), nth, act

    def __call__(self, words: str) -> None:
        """Count; whoever tells goes on when the act is done."""
        with self._lock:
            self._left -= 1
            due = self._left == 0
        if due:
            self._act(words)


def at(moment: Moment, act: Act, *, site: Site) -> AbstractContextManager[object]:
    """Wait within the block for a moment, and then act."""
    once = Once(moment.nth, act)
    if moment.state is not None:
        return listening(site.region.fleet.at_start, _state(moment.state, once, site))
    if moment.call is not None:
        return site.region.faults.during(before=_call(moment.call, once, site))
    if moment.document is not None:
        return listening(site.region.commands.at_phase, _document(moment, once, site))
    return _after(moment.after_s or 0.0, once)


def _state(state: str, once: Once, site: Site) -> Callable[[Work], None]:
    def begun(work: Work) -> None:
        if site.works_at(work, state):
            once(f"as {state} began")

    return begun


def _call(name: str, once: Once, site: Site) -> Callable[[ApiCall], None]:
    wanted = known.call_named(name)

    def called(call: ApiCall) -> None:
        if call.service == wanted[0] and call.action == wanted[1] and _is_meant(call, site):
            once(f"as {name} was called")

    return called


def _is_meant(call: ApiCall, site: Site) -> bool:
    if site.execution is None:
        return True
    work = site.caller(call)
    return work is not None and site.works_for(work)


def _document(moment: Moment, once: Once, site: Site) -> Callable[[Invocation, str], None]:
    def ran(invocation: Invocation, phase: str) -> None:
        if phase != moment.phase or invocation.document.rpartition("aerokeep-")[2] != moment.document:
            return
        if site.is_node(invocation.instance_id, moment.node):
            once(f"as {moment.document} {phase} on {site.number(invocation.instance_id)}")

    return ran


def _after(delay_s: float, once: Once) -> AbstractContextManager[object]:
    words = f"{delay_s:g} s after the plan was armed"
    stack = ExitStack()
    if delay_s <= 0:
        once(words)
        return stack
    timer = threading.Timer(delay_s, once, (words,))
    timer.daemon = True
    timer.start()
    stack.callback(timer.cancel)
    return stack
