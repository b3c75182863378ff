"""Run the benchmark: ``python -m benchmarks.sampling``."""

import sys

from benchmarks.sampling.command import main

if __name__ == "__main__":
    sys.exit(main())
