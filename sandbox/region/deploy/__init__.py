"""Deploy a synthesized CDK app to the region, and compare the region with its templates."""
