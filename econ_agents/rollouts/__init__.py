"""Where episodes are played: in this process, or by workers of a Ray cluster."""
