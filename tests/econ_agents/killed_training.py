"""Commands that are stopped again and again.

    python -m tests.econ_agents.killed_training FOLDER

Trains once to the end in ``FOLDER/whole``. Then in ``FOLDER/interrupted``, where it gets one
Ctrl-C and goes on; what it said is in ``FOLDER/interrupted.txt``. And in ``FOLDER/killed_0`` and
so on, where it is killed at random moments; a run that ends before it has been killed often enough
is followed by another one.

Commands run in forks of this process, which has no threads, because starting Python and importing
torch takes longer than the training.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import torch

import econ_agents.training.train  # noqa: F401  # so that no fork has to
from econ_agents.commands.cli import main
from tests.econ_agents.small_runs import TINY

KILLS = 10
EVERYTHING = (
    "train.episodes=120 memory.scope=stream memory.length=2 reward.dynamic=true reward.eta_alpha=1 "
    "bne.max_iterations_train=2 train.eval_interval=20 train.eval_episodes=3 "
    "early_stopping.enabled=true early_stopping.reward_threshold=-1 "
    "early_stopping.commitment_threshold=9 early_stopping.loss_threshold=9 "
    "early_stopping.patience=90 early_stopping.warmup=10"
).split()
"""Settings under which a run has all the state that it can have. It stops early."""


def start(log_dir: Path, said: Path) -> int:
    """Train in a process of its own, from where the one before was stopped; returns its id."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        with said.open("a") as file:
            os.dup2(file.fileno(), sys.stderr.fileno())
        if (log_dir / "config.yaml").exists():
            code = main(["resume", "--log-dir", str(log_dir)])
        else:
            settings = ["--config", "simulated", "--set", *TINY, *EVERYTHING]
            code = main(["train", *settings, "--log-dir", str(log_dir)])
    except BaseException:  # noqa: BLE001 # a fork must not go on as its parent would
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def ended(process: int, said: Path) -> int:
    """Wait for a process: 0 if it came to its end, 130 after Ctrl-C, -9 if it was killed."""
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code not in (0, 130, -signal.SIGKILL):
        sys.exit(f"exit code {code}:\n{said.read_text()}")
    return code


def interrupt(log_dir: Path, said: Path) -> None:
    """Ctrl-C once two intervals are logged, and go on."""
    process, log = start(log_dir, said), log_dir / "metrics.jsonl"
    while not log.exists() or log.read_bytes().count(b"\n") < 2:
        time.sleep(0.002)
    os.kill(process, signal.SIGINT)
    print(f"interrupted: {ended(process, said)}")
    print(f"resumed: {ended(start(log_dir, said), said)}")


def kill(folder: Path, longest: float) -> None:
    """Kill :data:`KILLS` times after up to ``longest`` seconds each, and go on."""
    rng = random.Random(0)
    kills = runs = 0
    while True:
        log_dir, said = (folder / f"killed_{runs}{end}" for end in ("", ".txt"))
        process = start(log_dir, said)
        if kills < KILLS:
            time.sleep(rng.uniform(0, longest))
            os.kill(process, signal.SIGKILL)
        if ended(process, said):
            kills += 1
        elif kills < KILLS:
            runs += 1
        else:
            break
    print(f"killed: {kills} times")


if __name__ == "__main__":
    place = Path(sys.argv[1])
    torch.set_num_threads(1)
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])  # imports much more of torch
    # As in a terminal: in the background, Ctrl-C may be ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    begin = time.monotonic()
    ended(start(place / "whole", place / "whole.txt"), place / "whole.txt")
    longest = (time.monotonic() - begin) / 6
    interrupt(place / "interrupted", place / "interrupted.txt")
    kill(place, longest)
