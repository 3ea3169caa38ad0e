"""A discrete-event model of the write stop: the shipped planning, cutting and host code on a virtual clock."""
