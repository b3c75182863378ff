"""The training of a team: trainer, run folder, checkpoints, early stopping."""
