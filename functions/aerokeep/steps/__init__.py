"""The verbs: one folder per journey, one module per state, and the frame they share."""
