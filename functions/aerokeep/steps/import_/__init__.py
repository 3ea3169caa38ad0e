"""The steps of the import journey, a module per state."""
