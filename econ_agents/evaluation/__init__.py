"""The evaluation of a trained team on held-out questions, and its report."""
