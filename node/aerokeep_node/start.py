"""Verb ``start``: start the server and follow it until it answers; one that fails is masked again."""

import time
from typing import Any, Dict, List, Optional, Tuple

from aerokeep_node.asd import Asd, asd_processes
from aerokeep_node.first_start import FirstStart
from aerokeep_node.info import InfoError, InfoSilenceError
from aerokeep_node.last_words import last_words
from aerokeep_node.refusal import RefusalError
from aerokeep_node.run_directory import STARTED, RunDirectory
from aerokeep_node.tree import Tree
from aerokeep_node.unit import ENDED, Unit
from aerokeep_node.unit_files import COLD_START

WAIT_S = 10.0
POLL_S = 0.25
SETTLE_S = 3.0
"""So long a unit that was told to start may still be called inactive."""
END_WAIT_S = 5.0
ASK_S = 1.0
FIRST = "first"


def run(tree: Tree, parameters: Dict[str, str]) -> Dict[str, Any]:
    """Wait for a moment; a server that loads its records for hours is ``starting``, and a later call looks again."""
    unit = Unit(tree)
    unit.require()
    directory = RunDirectory(tree, parameters["Run"])
    directory.create()
    start = _Start(tree, unit, directory, first=parameters["Mode"] == FIRST)
    start.judge()
    if not asd_processes(tree) and (directory.read(STARTED) or {}).get("mode") != parameters["Mode"]:
        start.begin()
        directory.write(STARTED, {"mode": parameters["Mode"]})
    return start.follow()


class _Start:
    def __init__(self, tree: Tree, unit: Unit, directory: RunDirectory, *, first: bool) -> None:
        self.tree = tree
        self.unit = unit
        self.directory = directory
        self.first = first
        self.settings = FirstStart(unit, Asd(tree).conf_path)

    def judge(self) -> None:
        """Refuse a first start without its settings, and any other one with them."""
        if self.first and not self.settings.staged:
            raise RefusalError("not_staged", "the first-start settings are not in place: stage them first")
        if not self.first and self.unit.first_start:
            raise RefusalError(
                "first_start_staged", "the first-start settings are in place: an ordinary start needs none"
            )

    def begin(self) -> None:
        """Tell the unit to start; in a first start only if it names our conf, by its own word."""
        self.unit.unmask()
        # Only now the unit shows how it starts; what was staged while it was masked is written again after that.
        if self.first and not self.settings.name_conf():
            self.unit.mask()
            self.unit.reload()
            raise RefusalError("first_start_ignored", "another drop-in of the unit decides how the server is started")
        self.unit.start()

    def follow(self) -> Dict[str, Any]:
        """Look at the process until it answers, ends, or the time is over."""
        started_s = time.monotonic()
        seen = False
        while True:
            found = asd_processes(self.tree)
            if found:
                seen = True
                self._judge_process(found[0])
                if self._answers():
                    return self._state("ready", found[0])
            waited_s = time.monotonic() - started_s
            if not found and self._has_ended(seen=seen, waited_s=waited_s):
                self._fail("asd_failed", last_words(Asd(self.tree).conf))
            if waited_s >= WAIT_S:
                return self._state("starting", found[0] if found else None)
            time.sleep(POLL_S)

    def _judge_process(self, process: Tuple[int, List[str]]) -> None:
        _, arguments = process
        if self.first and not (Asd(self.tree).started_with == self.settings.conf and COLD_START in arguments):
            self._fail("first_start_ignored", "asd runs as {}".format(" ".join(arguments)))

    def _answers(self) -> bool:
        connection = Asd(self.tree).first_route.connection()
        try:
            connection.open(ASK_S)
            connection.ask("build", ASK_S)
        except InfoSilenceError:
            return False
        except InfoError:
            return True  # it wants a login, so it serves
        finally:
            connection.close()
        return True

    def _has_ended(self, *, seen: bool, waited_s: float) -> bool:
        active = self.unit.active()
        if active == "failed" or self.unit.restarts() > 0:
            return True
        return active in ENDED and (seen or waited_s >= SETTLE_S)

    def _fail(self, code: str, detail: str) -> None:
        """Leave nothing that runs, and nothing that could start it again.

        Raises:
            RefusalError: always.

        """
        self.unit.mask()
        self.unit.stop()
        until_s = time.monotonic() + END_WAIT_S
        while asd_processes(self.tree) and time.monotonic() < until_s:
            time.sleep(POLL_S)
        self.unit.reload()
        self.directory.drop(STARTED)
        raise RefusalError(code, detail)

    def _state(self, state: str, process: Optional[Tuple[int, List[str]]]) -> Dict[str, Any]:
        asd = Asd(self.tree)
        return {
            "state": state,
            "pid": process[0] if process else None,
            "conf": asd.started_with or asd.conf_path,
            "cold_start": bool(process) and COLD_START in asd.arguments,
        }
