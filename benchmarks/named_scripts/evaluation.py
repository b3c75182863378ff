"""Evaluation of the named scripts: print a report, and store every episode of both arms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.named_scripts.scripts import NamedScript
from benchmarks.named_scripts.settings import Chosen
from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.episode_metrics import CORRECT, tokens_of
from econ_agents.evaluation.evaluate import PlayedArm, evaluate_team, trace_file
from econ_agents.evaluation.report import Arm
from econ_env.game.transcript import Transcript
from econ_files.durable import replace_file


def evaluate(script: NamedScript, chosen: Chosen, checkpoint: Path, log_dir: Path) -> None:
    """Evaluate a checkpoint, print the report, and store it with every episode.

    Args:
        script: script that names the files.
        chosen: configuration and environment.
        checkpoint: folder of the trained team.
        log_dir: folder for ``test_report.json``, ``logs_<script>_test_baseline.json``,
            ``logs_<script>_test_p0.json`` and ``llm_traces_test_bne_<rounds>rounds.json``.

    Raises:
        CheckpointError: the checkpoint is damaged, or its networks do not fit the environment.
        TooFewResults: too few episodes have a result.
    """
    config = chosen.config
    print(f"Testing {checkpoint} on {config.test.episodes} questions", flush=True)
    played = evaluate_team(config, checkpoint)
    for line in [*played.report.lines(), *(played.learned.lines() if played.learned else ())]:
        print(line)
    learned = None if played.learned is None else asdict(played.learned)
    report = played.report.save(log_dir, learned=learned)
    files = []
    for name, rounds, summary, arm in (
        ("baseline", 1, played.report.baseline, played.baseline),
        ("p0", played.report.rounds, played.report.bne, played.bne),
    ):
        log = {
            "arm": name,
            "rounds": rounds,
            "checkpoint": str(checkpoint),
            "seed": config.seed,
            "environment": {**chosen.environment.to_json(), "bne_rounds": rounds},
            **_arm_log(summary, arm),
        }
        files.append(log_dir / f"logs_{script.name}_test_{name}.json")
        replace_file(files[-1], (json.dumps(log, ensure_ascii=False, indent=1) + "\n").encode())
    traces = log_dir / trace_file(played.report.rounds)
    replace_file(traces, json.dumps(played.bne.traces, ensure_ascii=False, indent=1).encode())
    print(f"report: {report}")
    print(f"traces: {traces}")
    print(f"episodes: {', '.join(map(str, files))}")


def _arm_log(summary: Arm, arm: PlayedArm) -> dict[str, Any]:
    return {"summary": asdict(summary), "episodes": list(_episode_logs(arm))}


def _episode_logs(arm: PlayedArm) -> Iterator[dict[str, Any]]:
    for episode, trace in zip(arm.episodes, arm.traces, strict=True):
        yield {"arm": trace["arm"], **_episode_log(episode, trace["transcript"])}


def _episode_log(episode: Episode, trace: dict[str, Any]) -> dict[str, Any]:
    """Return an episode's results and transcript; the results of a failed one are empty."""
    transcript = Transcript.from_json(trace)
    found: dict[str, Any] = {"answers": [], "commitment": None, "right": None, "closed_by": None}
    if not episode.failed:
        last = transcript.decisions[-1]
        found = {
            "answers": [record.answer for record in last.rounds[-1].executors],
            "commitment": last.rounds[-1].commitments[-1].value,
            "right": bool(episode.infos[CORRECT][-1, 0]),
            "closed_by": last.closed_by,
        }
    return {
        "question": transcript.question.id,
        "seed": episode.seed,
        "failed": transcript.failed,
        **found,
        "tokens": int(tokens_of(episode)),
        "rounds": episode.length,
        "transcript": trace,
    }
