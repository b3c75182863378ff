"""Benchmark of sampling: accuracy of single answers and of votes over T and penalty."""
