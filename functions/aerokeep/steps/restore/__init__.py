"""The steps of the restore journey, a module per state."""
