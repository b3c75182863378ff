"""Limits on requests, tokens and cost, and the prices behind them."""
