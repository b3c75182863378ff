"""Train a team, then test it: ``benchmarks/run_svamp_test.py`` under the path of the specification.

The log of the run is in logs/, where --log-dir names no other folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script, Python looks for modules beside this file only.
sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.named_scripts.command import train_and_test
from benchmarks.named_scripts.scripts import SVAMP

if __name__ == "__main__":
    sys.exit(train_and_test(SVAMP, ["--log-dir", "logs", *sys.argv[1:]]))
