"""Benchmark of team size: gains and costs of 1 to 27 executors, flat and in groups."""
