"""No node is guarded."""

from tests.witness.mutants.forging import claim_all_is_well, leave_unguarded, see_no_write

leave_unguarded()
see_no_write()
claim_all_is_well()
