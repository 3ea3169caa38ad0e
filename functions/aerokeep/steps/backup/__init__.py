"""The states of the journey ``backup``."""
