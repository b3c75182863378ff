"""Compare methods by accuracy and tokens, on the same questions, with intervals.

    python benchmarks/compare.py                               # bundled models, word problems
    python benchmarks/compare.py --methods cot econ econ:rounds=3 self_consistency debate \
        --budget-match econ:rounds=3 --model-dir "runs/bundled_{seed}" --seeds 0 1 2
    python benchmarks/compare.py --dataset gsm8k --llm together:MODEL --questions 200 --dry-run
    python benchmarks/compare.py --config benchmarks/configs/bundled.yaml

Results are kept question by question in --log-dir: after an interruption, repeat the command.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a script, Python looks for modules beside this file only.
sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.comparison.command import main

if __name__ == "__main__":
    sys.exit(main())
