"""Speed of the environment's parts: rates and ratios, each measured within one run."""
