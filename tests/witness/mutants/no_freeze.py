"""Nothing is frozen, nor written back."""

import time

from aerokeep_node.freeze import HeldMount

from tests.witness.mutants.forging import claim_all_is_well


def begin_freeze(self: HeldMount) -> None:
    """Only say so."""
    self.frozen_at = time.time()


HeldMount.begin_freeze = begin_freeze  # type: ignore[method-assign]  # that is what a mutant is
HeldMount.freeze_ended = lambda self: self.frozen_at is not None  # type: ignore[method-assign]  # the same
claim_all_is_well()
