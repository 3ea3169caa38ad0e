"""A stand-in for the Aerospike server: same conf, ports, info replies, device headers and ways of losing data."""
