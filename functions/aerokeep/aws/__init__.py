"""The AWS edge: the only place that imports boto3; one module per service, errors translated here."""
