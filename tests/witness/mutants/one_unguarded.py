"""One node is not guarded, and nobody sees its writes arrive."""

from tests.witness.mutants.forging import claim_all_is_well, leave_unguarded, see_no_write

leave_unguarded("A3")
see_no_write()
claim_all_is_well()
