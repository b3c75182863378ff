"""Run the benchmark: ``python -m benchmarks.learning``."""

import sys

from benchmarks.learning.command import main

if __name__ == "__main__":
    sys.exit(main())
