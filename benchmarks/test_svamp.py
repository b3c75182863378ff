"""Test a saved team on SVAMP: without refinement to equilibrium, and with it.

    python benchmarks/test_svamp.py                      # the team in models_exp1/final
    python benchmarks/test_svamp.py --test-eps 200 --model-dir my_models
    python benchmarks/test_svamp.py --help

Every episode is kept in logs_svamp_test_baseline.json and logs_svamp_test_p0.json.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script, Python looks for modules beside this file only.
sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.named_scripts.command import evaluate_only
from benchmarks.named_scripts.scripts import SVAMP

if __name__ == "__main__":
    sys.exit(evaluate_only(SVAMP, sys.argv[1:]))
