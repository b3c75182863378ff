"""Places to play episodes: in this process, or by workers of a Ray cluster."""
