"""The Lambdas of Aerokeep: one module per state over nouns, decisions and the AWS edge."""
