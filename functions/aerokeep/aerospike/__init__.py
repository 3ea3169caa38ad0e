"""What the Lambdas know of Aerospike beyond the formats that hosts parse too."""
