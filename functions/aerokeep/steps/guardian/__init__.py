"""The guardian journey: settle what executions that no longer run have left behind."""
