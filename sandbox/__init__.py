"""A region on one machine: the control plane, nodes, volumes and a database to try the shipped code on."""
