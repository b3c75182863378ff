"""Metrics, plots and progress of a run."""
