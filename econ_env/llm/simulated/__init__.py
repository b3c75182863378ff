"""Simulated language models, whose optimum and best responses are computable."""
