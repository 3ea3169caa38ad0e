"""What ``export`` and ``import`` are made of: one detached job per host, and the pipelines that it runs."""
