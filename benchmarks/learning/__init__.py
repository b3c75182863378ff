"""Benchmark of ECON's learning: figures over several seeds, each with its interval."""
