"""Lambda functions in processes of their own, forked from one process that has the layer imported."""
