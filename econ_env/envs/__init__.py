"""The environments: parallel, batched, joint and vectorised views of the same games."""
