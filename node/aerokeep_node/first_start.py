"""The first-start settings: a conf of their own, named by a unit drop-in, and never a word in aerospike.conf."""

import os

from aerokeep_node.kept_file import UNCHANGED
from aerokeep_node.placing import place, remove
from aerokeep_node.refusal import NotNowError
from aerokeep_node.unit import Unit
from aerokeep_node.unit_files import (
    DROP_IN,
    FIRST_START_CONF,
    drop_in_text,
    exec_start,
    first_start_command,
    without_ours,
)

PACKAGED_COMMAND = "/usr/bin/asd $ASD_OPTIONS --config-file $ASD_CONFIG_FILE --fgdaemon"
"""Of a masked unit whose file lies where nobody looks; once it is unmasked, its own word replaces this one."""


class FirstStart:
    """The two files of a first start, beside a conf and beside the unit."""

    def __init__(self, unit: Unit, conf_path: str) -> None:
        self.unit = unit
        self.conf = os.path.join(os.path.dirname(os.path.realpath(conf_path)), FIRST_START_CONF)
        self.drop_in = unit.tree.path(DROP_IN)

    @property
    def staged(self) -> bool:
        """Whether both files are there."""
        return os.path.isfile(self.conf) and os.path.isfile(self.drop_in)

    def put(self, text: str, *, like: str) -> None:
        """Write both; the conf first, so that the drop-in never names what is not there."""
        place(self.conf, text.encode("utf-8", UNCHANGED), like=like)
        self.name_conf()

    def name_conf(self) -> bool:
        """Write the drop-in after what the unit says now; whether it says our conf, read back."""
        command = exec_start(without_ours(self.unit.fragments())) or PACKAGED_COMMAND
        wanted = first_start_command(command, self.conf)
        place(self.drop_in, drop_in_text(wanted).encode("utf-8"), like="")
        self.unit.reload()
        return exec_start(self.unit.fragments()) == wanted

    def remove(self) -> bool:
        """Take both away; the drop-in first. Whether anything was there.

        Raises:
            NotNowError: ``not_open``: the unit still names the conf.

        """
        was_named = remove(self.drop_in)
        self.unit.reload()
        fragments = self.unit.fragments()
        if any(FIRST_START_CONF in text for _, text in fragments):
            raise NotNowError("not_open", "the unit still names the conf of the first start")
        return remove(self.conf) or was_named
