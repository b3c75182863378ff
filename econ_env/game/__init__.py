"""The game as a pure state machine: requests out, completions in; no I/O, clock or randomness."""
