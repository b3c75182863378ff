"""What ECON learns: figures over several seeds, each with its interval."""
