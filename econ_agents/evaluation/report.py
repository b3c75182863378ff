"""What an evaluation found: one round against several, on the same questions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from econ_agents.algorithm.episode import Episode
from econ_agents.algorithm.episode_metrics import CORRECT, TOKENS, tokens_of
from econ_agents.statistics import (
    Interval,
    TooFewResults,
    mean_interval,
    paired_difference,
    proportion_interval,
)

CLOSED_BY = {
    1: "bne_rounds",
    2: "commitment_repeated",
    3: "no_deviation",
    4: "oscillation",
    5: "failed",
}
"""Why a decision closed, by the number that the info ``closed_by`` holds."""
REPORT_FILE = "test_report.json"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to play all questions of an evaluation."""

    episodes: int
    """Episodes that came to a result."""
    failed: int
    """Episodes that did not; they count for nothing."""
    team_reward: Interval
    """Sum over an episode's steps."""
    correct: int | None
    """Episodes whose last decision was right; None: the environment does not tell."""
    accuracy: Interval | None
    """Their share with Wilson's interval."""
    tokens_per_question: float | None
    rounds_per_question: float
    closed_by: dict[str, int]
    """How often decisions closed for which reason; {} where the environment does not tell."""
    json_rate: float | None
    """Share of the commitments a model was asked for that were JSON as they came."""


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """Baseline and refinement, and the difference between them, question by question."""

    rounds: int
    """Most rounds of a decision with refinement; 1: there was none, and both arms are one."""
    baseline: Arm
    bne: Arm
    difference: Interval | None
    """Accuracy (or team reward, where there is none) with refinement minus without."""
    right_to_wrong: int | None
    wrong_to_right: int | None
    """Answers that refinement flipped."""

    def lines(self) -> list[str]:
        """The report for people; the first lines keep the form of the specification."""
        bne = f"P0 BNE ({self.rounds} rounds)"
        arms = {"Baseline (no BNE)": self.baseline, bne: self.bne}
        if self.rounds == 1:
            del arms[bne]
        lines = [f"{name}: {score_of(arm)}" for name, arm in arms.items()]
        rates = [arm.json_rate for arm in arms.values() if arm.json_rate is not None]
        if rates:
            lines.append(f"P0 Metadata: JSON={100 * rates[-1]:.0f}%")
        if self.difference is not None and bne in arms:
            what = "team reward" if self.baseline.accuracy is None else "accuracy"
            lines.append(f"{bne} minus baseline, {what}: {self.difference}")
        if self.right_to_wrong is not None and bne in arms:
            lines.append(
                f"answers that flipped: {self.right_to_wrong} right to wrong, "
                f"{self.wrong_to_right} wrong to right"
            )
        for name, arm in arms.items():
            parts = [f"rounds {arm.rounds_per_question:.2f}"]
            if arm.tokens_per_question is not None:
                parts.append(f"tokens {arm.tokens_per_question:.0f} per question")
            parts += [f"{reason} {count}" for reason, count in arm.closed_by.items()]
            if arm.failed:
                parts.append(f"{arm.failed} failed, not counted")
            lines.append(f"{name}: {', '.join(parts)}")
        return lines

    def save(self, log_dir: Path, learned: Mapping[str, Any] | None = None) -> Path:
        """Write everything as JSON into a folder, with what was learned as plain data."""
        log_dir.mkdir(parents=True, exist_ok=True)
        path = log_dir / REPORT_FILE
        report = {**asdict(self), "learned": learned}
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        return path


def compare(
    baseline: Sequence[Episode], bne: Sequence[Episode], *, rounds: int, seed: int
) -> EvaluationReport:
    """The report of two lists of episodes on the same questions, in one order.

    Args:
        baseline: one round a decision.
        bne: up to ``rounds`` rounds a decision.
        rounds: for the report.
        seed: of the bootstrap.

    Raises:
        ValueError: the lists differ in length.
        TooFewResults: hardly an episode came to a result.
    """
    ours, theirs = paired_outcomes(bne, baseline)
    before = describe_arm(baseline, seed=seed)
    known = bool(ours) and before.correct is not None
    flips = Counter(zip(theirs, ours, strict=True))
    return EvaluationReport(
        rounds=rounds,
        baseline=before,
        bne=describe_arm(bne, seed=seed),
        difference=paired_difference(ours, theirs, seed=seed) if len(ours) > 1 else None,
        right_to_wrong=flips[1.0, 0.0] if known else None,
        wrong_to_right=flips[0.0, 1.0] if known else None,
    )


def paired_outcomes(
    ours: Sequence[Episode], theirs: Sequence[Episode]
) -> tuple[list[float], list[float]]:
    """Whether answers were right (else the team reward) where both came to a result.

    Raises:
        ValueError: the lists differ in length.
    """
    pairs = [
        (_outcome(our), _outcome(their))
        for our, their in zip(ours, theirs, strict=True)
        if not our.failed and not their.failed
    ]
    return [our for our, _ in pairs], [their for _, their in pairs]


def describe_arm(episodes: Sequence[Episode], *, seed: int) -> Arm:
    """What one way of playing came to.

    Raises:
        TooFewResults: fewer than two episodes came to a result.
    """
    finished = [episode for episode in episodes if not episode.failed]
    failed = len(episodes) - len(finished)
    if len(finished) < 2:
        raise TooFewResults(
            f"{len(finished)} of {len(episodes)} episodes came to a result, and an interval needs "
            "two: play more episodes, and see why they fail if they do"
        )
    infos = finished[0].infos
    correct = sum(int(_correct(episode)) for episode in finished) if CORRECT in infos else None
    asked, valid = (
        sum(float(episode.infos[name][:, 0].sum()) for episode in finished) if name in infos else 0
        for name in ("commitments_asked", "commitments_json")
    )
    return Arm(
        episodes=len(finished),
        failed=failed,
        team_reward=mean_interval([_team_reward(episode) for episode in finished], seed=seed),
        correct=correct,
        accuracy=None if correct is None else proportion_interval(correct, len(finished)),
        tokens_per_question=_mean([tokens_of(episode) for episode in finished])
        if set(TOKENS) <= set(infos)
        else None,
        rounds_per_question=_mean([episode.length for episode in finished]),
        closed_by=_reasons(finished),
        json_rate=valid / asked if asked else None,
    )


def _reasons(episodes: Sequence[Episode]) -> dict[str, int]:
    if "closed_by" not in episodes[0].infos:
        return {}
    codes = (int(code) for episode in episodes for code in episode.infos["closed_by"][:, 0])
    counts = Counter(CLOSED_BY[code] for code in codes if code)
    return {reason: counts[reason] for reason in CLOSED_BY.values() if counts[reason]}


def score_of(arm: Arm) -> str:
    """How an arm did, in the form of the specification."""
    if arm.correct is None or arm.accuracy is None:
        return f"mean team reward {arm.team_reward}"
    low, high = 100 * arm.accuracy.low, 100 * arm.accuracy.high
    return (
        f"{arm.correct}/{arm.episodes} = {100 * arm.accuracy.mean:.1f}% "
        f"(95%: {low:.1f} to {high:.1f})"
    )


def _outcome(episode: Episode) -> float:
    return _correct(episode) if CORRECT in episode.infos else _team_reward(episode)


def _correct(episode: Episode) -> float:
    return float(episode.infos[CORRECT][-1, 0])


def _team_reward(episode: Episode) -> float:
    return float(episode.team_rewards.sum())


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
