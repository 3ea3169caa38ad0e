"""The steps of the export journey, a module per state."""
