"""Keep pytest from collecting the scripts here that test teams of models, not this code."""

collect_ignore_glob = ["test_*.py"]
