"""Run the benchmark: ``python -m benchmarks.throughput``."""

import sys

import tyro

from benchmarks.throughput import command
from benchmarks.throughput.settings import Settings

if __name__ == "__main__":
    sys.exit(command.main(tyro.cli(Settings, description=command.__doc__)))
