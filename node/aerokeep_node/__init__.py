"""The host program of Aerokeep: what runs on a database node, with Python's standard library and util-linux alone."""

VERSION = "0.1.0"
