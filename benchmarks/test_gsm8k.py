"""Test a saved team on GSM8K: without refinement to equilibrium, and with it.

    python benchmarks/test_gsm8k.py                      # the team in models_exp1/final
    python benchmarks/test_gsm8k.py --test-eps 200 --model-dir my_models
    python benchmarks/test_gsm8k.py --help

Every episode is kept in logs_gsm8k_test_baseline.json and logs_gsm8k_test_p0.json.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script, Python looks for modules beside this file only.
sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.named_scripts.command import evaluate_only
from benchmarks.named_scripts.scripts import GSM8K

if __name__ == "__main__":
    sys.exit(evaluate_only(GSM8K, sys.argv[1:]))
