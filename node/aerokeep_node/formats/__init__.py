"""File and device formats of Aerospike, parsed in one place for hosts and Lambdas alike; no I/O."""
