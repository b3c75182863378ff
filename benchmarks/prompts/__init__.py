"""Prompts on real models: whether an executor loses anything, and what a coordinator adds."""
