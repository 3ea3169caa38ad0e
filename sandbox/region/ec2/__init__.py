"""Instances, volumes and network interfaces as state machines with time, laid over moto's objects."""
