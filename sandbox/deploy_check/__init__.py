"""``make deploy-check``: the CDK CLI and the AWS CLI, as anybody has them, work with the region as with AWS."""
