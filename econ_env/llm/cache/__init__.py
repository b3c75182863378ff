"""Recorded completions: a content-addressed store, and the model that replays from it."""
