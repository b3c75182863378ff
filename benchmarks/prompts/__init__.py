"""Benchmark of the prompts on real models: costs to an executor, gains by a coordinator."""
