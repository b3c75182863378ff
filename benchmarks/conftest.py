"""Scripts that test teams of models are no tests of this code: pytest leaves them alone."""

collect_ignore_glob = ["test_*.py"]
