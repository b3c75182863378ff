"""Kill and repeat a comparison: ``python -m tests.benchmarks.killed_comparison FOLDER``.

One comparison runs undisturbed, in ``FOLDER/whole``. Another one, in ``FOLDER/killed``, is killed
while it works and continued by the same command. Commands run in forks of this process, because
starting Python and importing torch takes longer than a small comparison.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from pathlib import Path

# So that no fork has to.
import matplotlib.backends.backend_agg  # noqa: F401
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM  # noqa: F401

import econ_env.llm.local.model  # noqa: F401
from benchmarks.comparison.command import main
from benchmarks.comparison.store import RECORDS_FILE

FLAGS = (
    "--questions 6 --methods greedy self_consistency:k=2 --llm bundled:0 --in-flight 2"
).split()


def start(folder: Path, *flags: str) -> int:
    """Start a comparison in a process of its own; return its id."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        with (folder.parent / f"{folder.name}.txt").open("a") as file:
            os.dup2(file.fileno(), sys.stderr.fileno())
            os.dup2(file.fileno(), sys.stdout.fileno())
        code = main([*FLAGS, *flags, "--log-dir", str(folder)])
    except BaseException:  # noqa: BLE001 # a fork must not go on as its parent would
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def end(process: int) -> int:
    """Wait for a process; return its exit code, or minus the signal that ended it."""
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


def run(base: Path) -> None:
    """Run both comparisons, and print how their commands ended."""
    base.mkdir(exist_ok=True)
    print("whole:", end(start(base / "whole")), flush=True)
    process = start(base / "killed")
    records = base / "killed" / RECORDS_FILE
    while not records.is_file() or not records.stat().st_size:
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    print("killed:", end(process), flush=True)
    # As a kill in the middle of a write would have left it.
    os.truncate(records, records.stat().st_size - 5)
    # In other batches than before: no record depends on what is answered beside it.
    print("went on:", end(start(base / "killed", "--in-flight", "5")))


if __name__ == "__main__":
    run(Path(sys.argv[1]))
