"""The decisions: pure functions from facts to a verdict with reasons."""
