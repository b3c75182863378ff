"""Run the benchmark: ``python -m benchmarks.prompts``."""

import sys

from benchmarks.prompts.command import main

if __name__ == "__main__":
    sys.exit(main())
