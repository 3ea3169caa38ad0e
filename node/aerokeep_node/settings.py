"""Change a namespace's settings at run time and put them back, with a server that may answer late or never."""

import time
from typing import Dict, List, Optional

from aerokeep_node.info import InfoConnection, InfoError, InfoSilenceError, error_of
from aerokeep_node.namespaces import NamespaceConfig, read_config
from aerokeep_node.route import Route

READ_TIMEOUT_S = 0.5
LOST_WATCH_S = 2.0
"""A request whose connection was dropped may still be carried out: watch for it so long."""


class SetCall:
    """One ``set-config`` under way; a server that hangs may carry it out much later."""

    def __init__(self, connection: InfoConnection, namespace: str, setting: str, value: str) -> None:
        self.setting = setting
        self.value = value
        self.sent_s = time.monotonic()
        self.state = "waiting"
        self.detail = ""
        self._ended_s = 0.0
        self._connection = connection
        self._command = f"set-config:context=namespace;id={namespace};{setting}={value}"
        try:
            connection.send(self._command)
        except InfoSilenceError as error:
            self._end("lost", str(error))

    @property
    def may_still_land(self) -> bool:
        """Whether the server may carry this out after now."""
        if self.state == "waiting":
            return True
        return self.state == "lost" and time.monotonic() - self._ended_s < LOST_WATCH_S

    def look(self) -> str:
        """Take in the reply if it has come: waiting, ok, refused or lost."""
        if self.state != "waiting":
            return self.state
        try:
            reply = self._connection.poll(self._command, 0.0)
        except InfoSilenceError as error:
            return self._end("lost", str(error))
        longest_s = self._connection.gives_up_after_s
        if reply is None and longest_s is not None and time.monotonic() - self.sent_s > longest_s:
            self.close()
            return self._end("lost", f"no answer within {longest_s:g} s")
        if reply is None:
            return self.state
        if reply == "ok":  # nothing but this word is success, in any version
            return self._end("ok", reply)
        return self._end("refused", error_of(reply) or f"unexpected reply {reply!r}")

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()

    def _end(self, state: str, detail: str) -> str:
        self.state, self.detail, self._ended_s = state, detail, time.monotonic()
        return state


class NamespaceSettings:
    """The settings of one namespace that the write stop changes: ``former`` holds what must be put back."""

    def __init__(self, route: Route, name: str, former: Dict[str, str]) -> None:
        self.name = name
        self.former = dict(former)
        self.changed = False
        self.calls: List[SetCall] = []
        self._route = route
        self._reader = route.connection()
        self._spare: List[InfoConnection] = []

    def keep_connections_open(self, spares: int) -> None:
        """Open what will be needed, so that nothing has to be opened in the window."""
        self._reader.open()
        while len(self._spare) < spares:
            self._spare.append(self._route.connection())
        for connection in self._spare:
            connection.open()

    def send(self, setting: str, value: str) -> SetCall:
        """Send one change on a connection of its own, so that one that hangs holds up nothing else."""
        connection = self._spare.pop() if self._spare else self._route.connection()
        call = SetCall(connection, self.name, setting, value)
        self.changed = True
        self.calls.append(call)
        return call

    def look(self) -> None:
        """Take in replies; answered connections serve again."""
        for call in self.calls:
            call.look()
        for call in [c for c in self.calls if c.state != "waiting" and not c.may_still_land]:
            self.calls.remove(call)
            call.close()

    def read(self) -> Optional[NamespaceConfig]:
        """Read back; None where the server does not answer in time."""
        try:
            return read_config(self._reader, self.name, READ_TIMEOUT_S)
        except (InfoError, InfoSilenceError):
            return None

    def different(self, config: NamespaceConfig) -> Dict[str, str]:
        """Say which settings still differ from their former values, and what these were."""
        return {setting: value for setting, value in self.former.items() if config.get(setting) != value}

    def close(self) -> None:
        """Drop all connections."""
        for call in self.calls:
            call.close()
        for connection in [self._reader, *self._spare]:
            connection.close()


class Lift:
    """Put every namespace's former settings back, again and again until they stay."""

    STEADY_READS = 3
    BETWEEN_READS_S = 0.1
    RESEND_S = 1.0
    """A lift that was not answered so long is sent anew, on another connection."""

    def __init__(self, settings: List[NamespaceSettings]) -> None:
        self._open = [_NamespaceLift(one) for one in settings if one.changed]

    def step(self, now_at: float) -> bool:
        """Do what can be done without waiting; True once every namespace stays lifted."""
        for one in self._open:
            one.step(now_at)
        return all(one.steady for one in self._open)

    @property
    def lifted_at(self) -> Optional[float]:
        """When the last namespace was first read back as before, with no lift after it."""
        instants = [one.lifted_at for one in self._open]
        known = [instant for instant in instants if instant is not None]
        return max(known) if known and len(known) == len(instants) else None

    @property
    def silent_s(self) -> float:
        """How long the server has not answered any read, in seconds."""
        return min((one.silent_s for one in self._open), default=0.0)


class _NamespaceLift:
    def __init__(self, settings: NamespaceSettings) -> None:
        self.settings = settings
        self.lifted_at: Optional[float] = None
        self._good_reads = 0
        self._read_s = 0.0
        self._answered_s = time.monotonic()
        self._sent: Dict[str, SetCall] = {}

    @property
    def steady(self) -> bool:
        """Whether it was read back as before often enough since nothing of ours can land any more."""
        return self._good_reads >= Lift.STEADY_READS

    @property
    def silent_s(self) -> float:
        return time.monotonic() - self._answered_s

    def step(self, now_at: float) -> None:
        self.settings.look()
        now_s = time.monotonic()
        if now_s - self._read_s < (Lift.BETWEEN_READS_S if self.lifted_at else 0.0):
            return
        self._read_s = now_s
        late_ones = any(call.may_still_land for call in self.settings.calls)
        config = self.settings.read()
        if config is not None:
            self._answered_s = now_s
        different = self.settings.former if config is None else self.settings.different(config)
        if not different:
            # A reading proves nothing while a request of ours may still land after it.
            self._good_reads += 0 if late_ones else 1
            self.lifted_at = self.lifted_at or now_at
            return
        self._good_reads = 0
        self.lifted_at = None
        for setting, value in different.items():
            self._lift(setting, value)

    def _lift(self, setting: str, value: str) -> None:
        former = self._sent.get(setting)
        if former is not None and former.state == "waiting" and time.monotonic() - former.sent_s < Lift.RESEND_S:
            return
        self._sent[setting] = self.settings.send(setting, value)
