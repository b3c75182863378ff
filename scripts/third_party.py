"""Run other people's trainers on this environment, and write what came of it.

    python -m scripts.third_party                        # all, each where its pins allow
    python -m scripts.third_party --only torchrl "skrl IPPO"  # some libraries or trials
    python -m scripts.third_party --main                 # those of this environment alone

``make test-third-party`` runs it. A trial is a script of examples/third_party, which trains for
some thousand rounds on the simulated team and scores itself on unseen questions. Libraries whose
pins agree with ours run in this environment (the extra "trainers"); every other one in an
environment of its own below .venv-third-party, which this script makes from the pinned files of
examples/third_party/environments. A failure of one does not stop the others. Results go to
benchmarks/results/third_party.json, where trials that did not run keep their entry, and as a table
to third_party.md beside it and to docs/training_with_other_libraries.md (scripts/result_tables.py).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts import result_tables
from scripts.result_tables import trials_table

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "examples" / "third_party"
PINS = SCRIPTS / "environments"
RESULTS = ROOT / "benchmarks" / "results" / "third_party.json"
SCORE = re.compile(r"^random ([\d.]+) trained ([\d.]+)$", re.MULTILINE)
EPYMARL = "https://github.com/uoe-agents/epymarl"
EPYMARL_COMMIT = "cbc38c09588064eab978501d0f12c2cf58fa7fc2"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One algorithm of one library."""

    library: str
    """Name on the package index."""
    algorithm: str
    script: str
    """Name of the script, without its ending; it takes the algorithm as its argument."""
    environment: str = ""
    """Name of the pinned file, for a library that has an environment of its own."""

    @property
    def name(self) -> str:
        """Key of the trial's result."""
        return f"{self.library} {self.algorithm}"

    @property
    def path(self) -> Path:
        """The script."""
        return SCRIPTS / f"{self.script}.py"


TRIALS = (
    Trial(library="stable-baselines3", algorithm="PPO", script="sb3_single"),
    Trial(library="stable-baselines3", algorithm="SAC", script="sb3_single"),
    Trial(library="stable-baselines3", algorithm="PPO, shared", script="sb3_executors"),
    Trial(library="sb3-contrib", algorithm="TQC", script="sb3_single"),
    Trial(library="sb3-contrib", algorithm="RecurrentPPO", script="sb3_single"),
    Trial(library="supersuit", algorithm="PPO, shared", script="supersuit_ppo"),
    Trial(library="torchrl", algorithm="MAPPO", script="torchrl_mappo"),
    Trial(library="torchrl", algorithm="IPPO", script="torchrl_mappo"),
    Trial(library="torchrl", algorithm="QMIX", script="torchrl_qmix"),
    Trial(library="skrl", algorithm="MAPPO", script="skrl_mappo"),
    Trial(library="skrl", algorithm="IPPO", script="skrl_mappo"),
    Trial(library="tianshou", algorithm="SAC", script="tianshou_sac", environment="tianshou"),
    Trial(library="ray", algorithm="PPO of RLlib", script="rllib_ppo", environment="rllib"),
    Trial(
        library="benchmarl", algorithm="MAPPO", script="benchmarl_mappo", environment="benchmarl"
    ),
    Trial(library="benchmarl", algorithm="QMIX", script="benchmarl_mappo", environment="benchmarl"),
    Trial(library="agilerl", algorithm="IPPO", script="agilerl_ippo", environment="agilerl"),
    Trial(library="agilerl", algorithm="MADDPG", script="agilerl_ippo", environment="agilerl"),
    Trial(library="epymarl", algorithm="QMIX", script="epymarl_qmix", environment="epymarl"),
)


class NotRun(Exception):
    """A trial that could not start; the text says why."""


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen trials; 0 if all of them ran, and learned in this environment, else 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    libraries = sorted({trial.library for trial in TRIALS})
    names = [*libraries, *(trial.name for trial in TRIALS)]
    parser.add_argument("--only", nargs="+", choices=names, default=libraries)
    parser.add_argument("--main", action="store_true", help="none with an environment of its own")
    parser.add_argument("--environments", type=Path, default=ROOT / ".venv-third-party")
    parser.add_argument("--timeout-s", type=float, default=1800.0, help="of one trial, in seconds")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    results: dict[str, Any] = {}
    if chosen.out.is_file():
        results = json.loads(chosen.out.read_text(encoding="utf-8"))
    failed = False
    for trial in TRIALS:
        if not {trial.library, trial.name} & {*chosen.only} or (chosen.main and trial.environment):
            continue
        print(f"{trial.name} ...", flush=True)
        entry = run(trial, chosen.environments.resolve(), chosen.timeout_s)
        results[trial.name] = entry
        failed |= "error" in entry
        # The others run with pins and settings that we do not choose.
        failed |= not trial.environment and entry.get("trained", 1) <= entry.get("random", 0)
        # Written after every trial, so that an interruption loses at most one.
        ordered = {each.name: results[each.name] for each in TRIALS if each.name in results}
        chosen.out.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")
        chosen.out.with_suffix(".md").write_text(
            "\n".join(trials_table(ordered, "../../")) + "\n", encoding="utf-8"
        )
    print("\n".join(trials_table(results, "")))
    if chosen.out == RESULTS:
        result_tables.main()
    return int(failed)


def run(trial: Trial, environments: Path, timeout_s: float) -> dict[str, Any]:
    """Train in the trial's environment; return its entry in the results."""
    entry: dict[str, Any] = {
        "library": trial.library,
        "algorithm": trial.algorithm,
        "script": trial.path.relative_to(ROOT).as_posix(),
        "lines": len(trial.path.read_text(encoding="utf-8").splitlines()),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        python = prepare(trial.environment, environments)
        entry["version"] = version_of(trial, python)
        start = time.monotonic()
        code, out, err = played(trial, python, environments, timeout_s)
    except NotRun as reason:
        return entry | {"error": str(reason)}
    except subprocess.TimeoutExpired:
        return entry | {"error": f"not finished after {timeout_s:g} s"}
    found = SCORE.findall(out)
    if code < 0:
        return entry | {"error": f"ended by signal {-code}"}
    if code or not found:
        lines = (err.strip() or out.strip() or "no output").splitlines()
        return entry | {"error": lines[-1][:300]}
    random, trained = map(float, found[-1])
    return entry | {"random": random, "trained": trained, "seconds": time.monotonic() - start}


def played(
    trial: Trial, python: Path, environments: Path, timeout_s: float
) -> tuple[int, str, str]:
    """Run the script of a trial; return its exit code and what it printed and complained.

    Raises:
        subprocess.TimeoutExpired: it took too long; it was killed with all processes that it began.
    """
    set_up = {
        "PYTHONPATH": str(ROOT),
        "EPYMARL": str(environments / "epymarl-git"),
        "OMP_NUM_THREADS": "1",  # networks this small are slower on several
    }
    with subprocess.Popen(
        [str(python), str(trial.path), trial.algorithm.partition(",")[0]],
        cwd=environments if environments.is_dir() else ROOT,
        env=os.environ | set_up,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, out, err


def prepare(name: str, environments: Path) -> Path:
    """Make the environment with this name, unless it is there; return its Python.

    Raises:
        NotRun: its packages cannot be installed.
    """
    if not name:
        return Path(sys.executable)
    pins, folder = PINS / f"{name}.txt", environments / name
    python = folder / "bin" / "python"
    note = folder / f".installed-{hashlib.sha256(pins.read_bytes()).hexdigest()[:16]}"
    if not note.is_file():
        print(f"  installing {pins.relative_to(ROOT)} into {folder}", flush=True)
        steps = [
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(pins)],
        ]
        if name == "epymarl":  # on no package index
            git, clone = ["git", "-C"], environments / "epymarl-git"
            if not clone.exists():
                steps.append(["git", "clone", "--quiet", EPYMARL, str(clone)])
            steps.append([*git, str(clone), "checkout", "--quiet", EPYMARL_COMMIT])
        for step in steps:
            try:
                done = subprocess.run(step, capture_output=True, text=True, check=False)
            except OSError as error:
                raise NotRun(f"not installed: {step[0]}: {error.strerror}") from error
            if done.returncode:
                said = done.stderr.strip().splitlines() or ["no reason given"]
                raise NotRun(f"not installed: {said[-1][:300]}")
        note.touch()
    return python


def version_of(trial: Trial, python: Path) -> str:
    """Return the installed version of the trial's library.

    Raises:
        NotRun: it is not installed.
    """
    if trial.library == "epymarl":
        return EPYMARL_COMMIT[:7]
    asked = f"from importlib.metadata import version; print(version({trial.library!r}))"
    done = subprocess.run([str(python), "-c", asked], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRun(
            f"{trial.library} is not installed here: scripts/install.sh trainers installs what has "
            "wheels for this Python"
        )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
