"""Simulated language models with computable optimum and best responses."""
