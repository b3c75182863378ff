"""The page of a run: a conclusion in words, curves, the comparison, games and configuration."""
