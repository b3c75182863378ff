"""Report of an evaluation: one round against several, on the same questions."""

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
    in_points,
    in_units,
    mean_interval,
    paired_difference,
    proportion_interval,
)
from econ_files.durable import replace_file
from econ_files.private import make_private_folder

CLOSED_BY = {
    1: "bne_rounds",
    2: "commitment_repeated",
    3: "no_deviation",
    4: "oscillation",
    5: "failed",
}
"""Reasons why a decision closed, by their numbers in the info ``closed_by``."""
_REASONS = {
    "bne_rounds": "all rounds were played",
    "commitment_repeated": "the commitment repeated",
    "no_deviation": "no executor deviated",
    "oscillation": "the commitments oscillated",
    "failed": "a request failed",
}
TRAINED_ONE_ROUND = "trained team, one round"
"""Name of the baseline in words."""
TRAINED_REFINED = "trained team, refined"
"""Name of the arm with refinement in words."""
REPORT_FILE = "test_report.json"
ONE_ROUND, REFINED = "one round", "refined"
"""Arms of an evaluation, as traces name them."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """Results of one arm of an evaluation: all questions, played in one way."""

    episodes: int
    """Number of episodes that came to a result."""
    failed: int
    """Number of episodes that failed; they are left out of all other numbers."""
    team_reward: Interval
    """Mean team reward of an episode, summed over its steps."""
    correct: int | None
    """Number of episodes whose last decision was right; None if correctness is not reported."""
    accuracy: Interval | None
    """Share of correct episodes with Wilson's interval; None if it is not reported."""
    tokens_per_question: float | None
    rounds_per_question: float
    """Steps of an episode, also those that played no round; see :attr:`played_rounds`."""
    closed_by: dict[str, int]
    """Number of decisions closed for each reason; {} if the environment does not report it."""
    json_rate: float | None
    """Share of valid JSON among the commitments that a model was asked for; None without any."""

    @property
    def played_rounds(self) -> float:
        """Rounds of an episode in which executors answered, as transcripts have them.

        A decision that closes because no executor deviates takes a step in which nobody is asked.
        """
        return self.rounds_per_question - self.closed_by.get("no_deviation", 0) / self.episodes


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """Comparison of the baseline with refinement, paired by question."""

    rounds: int
    """Largest number of rounds per decision with refinement; 1 if nothing was refined, so that both
    arms are the same."""
    baseline: Arm
    bne: Arm
    difference: Interval | None
    """Accuracy (team reward if none is reported) with refinement minus without."""
    right_to_wrong: int | None
    """Number of answers that refinement changed from right to wrong."""
    wrong_to_right: int | None
    """Number of answers that refinement changed from wrong to right."""

    def lines(self) -> list[str]:
        """Write the report as lines of text; the first ones have the specification's form."""
        bne = f"P0 BNE ({self.rounds} rounds)"
        arms = {"Baseline (no BNE)": self.baseline, bne: self.bne}
        if self.rounds == 1:
            del arms[bne]
        lines = [f"{name}: {score_of(arm)}" for name, arm in arms.items()]
        rates = [arm.json_rate for arm in arms.values() if arm.json_rate is not None]
        json_rate = f"{100 * rates[-1]:.0f}%" if rates else "n/a (no commitment was asked for)"
        lines.append(f"P0 Metadata: JSON={json_rate}")
        lines += _arm_lines(f"{TRAINED_ONE_ROUND} (Baseline)", self.baseline)
        if bne in arms:
            lines += [
                *_arm_lines(f"{TRAINED_REFINED} (P0 BNE)", self.bne),
                *self._refinement_lines(),
            ]
        return lines

    def _refinement_lines(self) -> list[str]:
        """Lines on what refinement changed; none if nothing was compared."""
        if self.difference is None:
            return []
        if self.right_to_wrong is None:
            changed = in_units(self.difference, signed=True)
            return [f"refined minus one round, team reward: {changed}"]
        if not self.right_to_wrong and not self.wrong_to_right:
            # The verdicts are the same, one by one: their difference is no estimate.
            return ["refinement changed no verdict"]
        return [
            f"refined minus one round, accuracy: {in_points(self.difference, signed=True)}",
            f"refinement turned {self.right_to_wrong} right answers wrong and "
            f"{self.wrong_to_right} wrong answers right",
        ]

    def save(self, log_dir: Path, learned: Mapping[str, Any] | None = None) -> Path:
        """Write the report and ``learned`` (plain data) as JSON into a folder; return the path."""
        make_private_folder(log_dir)
        path = log_dir / REPORT_FILE
        report = {**asdict(self), "learned": learned}
        replace_file(path, (json.dumps(report, indent=1) + "\n").encode())
        return path


def compare(
    baseline: Sequence[Episode], bne: Sequence[Episode], *, rounds: int, seed: int
) -> EvaluationReport:
    """Compare two lists of episodes on the same questions, in the same order.

    Args:
        baseline: episodes with one round per decision.
        bne: episodes with up to ``rounds`` rounds per decision.
        rounds: largest number of rounds per decision in ``bne``.
        seed: seed of the bootstrap.

    Raises:
        ValueError: the lists differ in length.
        TooFewResults: almost no episode came to a result.
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
    """Outcomes of the questions on which both lists have a result.

    An outcome is 1.0 for a right and 0.0 for a wrong answer, or the team reward if the environment
    does not report correctness.

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
    """Summarise the episodes of one arm.

    Args:
        episodes: episodes of the arm.
        seed: seed of the bootstrap.

    Raises:
        TooFewResults: fewer than two episodes came to a result.
    """
    finished = [episode for episode in episodes if not episode.failed]
    failed = len(episodes) - len(finished)
    if len(finished) < 2:
        raise TooFewResults(
            f"{len(finished)} of {len(episodes)} episodes came to a result, and an interval needs "
            "two: play more episodes, and if episodes fail, look for the cause"
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
    counts = Counter(CLOSED_BY.get(code, f"code {code}") for code in codes if code)
    known = [reason for reason in CLOSED_BY.values() if reason in counts]
    return {reason: counts[reason] for reason in dict.fromkeys([*known, *sorted(counts)])}


def _arm_lines(name: str, arm: Arm) -> list[str]:
    """Lines on what an arm cost and why its decisions ended."""
    judged = bool(arm.closed_by)
    parts = []
    if arm.tokens_per_question is not None:
        parts.append(f"{arm.tokens_per_question:,.0f} tokens per question")
    if arm.played_rounds != 1:
        unit = "rounds per question" if judged else "steps per episode"
        parts.append(f"{arm.played_rounds:.2f} {unit}")
    if arm.failed:
        parts.append(f"{arm.failed} failed, not counted")
    lines = [f"{name}: {', '.join(parts)}"] if parts else []
    if set(arm.closed_by) - {"bne_rounds"} or arm.played_rounds != 1:
        decisions = sum(arm.closed_by.values())
        lines += [
            f"  ended because {_REASONS.get(reason, reason)}: {count:,} of {decisions:,}"
            for reason, count in arm.closed_by.items()
        ]
    return lines


def score_of(arm: Arm) -> str:
    """Score of an arm as text, in the specification's form."""
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
