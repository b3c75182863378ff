"""Benchmark of the environment's speed: rates and ratios, each measured within one run."""
