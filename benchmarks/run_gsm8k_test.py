"""Train a team on GSM8K, then test it.

    python benchmarks/run_gsm8k_test.py                  # needs TOGETHER_API_KEY
    python benchmarks/run_gsm8k_test.py --llm bundled    # needs neither key nor network
    python benchmarks/run_gsm8k_test.py --help

The trained team is saved in models_exp1, and what was played in logs_exp1.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script, Python looks for modules beside this file only.
sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.named_scripts.command import train_and_test
from benchmarks.named_scripts.scripts import GSM8K

if __name__ == "__main__":
    sys.exit(train_and_test(GSM8K, sys.argv[1:]))
