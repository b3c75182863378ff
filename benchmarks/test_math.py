"""Test a saved team on MATH: without refinement to equilibrium, and with it.

    python benchmarks/test_math.py                      # the team in models_exp1/final
    python benchmarks/test_math.py --test-eps 200 --model-dir my_models
    python benchmarks/test_math.py --help

Every episode is kept in logs_math_test_baseline.json and logs_math_test_p0.json.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script, Python looks for modules beside this file only.
sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.named_scripts.command import evaluate_only
from benchmarks.named_scripts.scripts import MATH

if __name__ == "__main__":
    sys.exit(evaluate_only(MATH, sys.argv[1:]))
