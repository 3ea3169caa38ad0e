"""The steps of the health journey: ask every node, and record what the alarms watch."""
