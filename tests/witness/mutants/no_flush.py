"""The flush rhythm is left as it is, and nobody waits for the buffers."""

from aerokeep_node.clock import monotonic_s
from aerokeep_node.window import Window

from tests.witness.mutants.forging import claim_all_is_well, see_no_write


def shorten_flush(self: Window) -> None:
    """Only say so."""
    self._flush_ms = {one.name: 1 for one in self.settings}  # a mutant is the class it changes
    self._shortened_s = monotonic_s()  # the same


Window.shorten_flush = shorten_flush  # type: ignore[method-assign]  # the same
see_no_write()
claim_all_is_well()
