"""EPyMARL: QMIX by its own command line, with epymarl.yaml; EPYMARL names its folder."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from score import random_reward

HERE = Path(__file__).resolve().parent

with tempfile.TemporaryDirectory() as scratch:
    folder = Path(scratch, "epymarl")
    shutil.copytree(os.environ["EPYMARL"], folder)
    shutil.copy(HERE / "epymarl.yaml", folder / "src" / "config" / "envs" / "econ.yaml")
    (folder / "src" / "smaclite.py").touch()  # a game that it imports without playing it
    command = [sys.executable, "src/main.py", f"--config={(sys.argv[1:] or ['qmix'])[0].lower()}"]
    done = subprocess.run(
        [*command, "--env-config=econ", "with", "seed=0"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    # Its console shows the mean returns of its test episodes, which play greedily.
    found = re.findall(r"test_return_mean:\s+([\d.]+)", done.stdout + done.stderr)
    if done.returncode or len(found) < 2:
        sys.exit(done.stdout[-1000:] + done.stderr[-2000:])
print(f"random {random_reward(team=True, bins=5):.3f} trained {float(found[-1]):.3f}")
