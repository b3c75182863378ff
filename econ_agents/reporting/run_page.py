"""``econ-agents report``: the page of a run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from econ_agents.config.files import CONFIG_FILE, config_mapping, flat_keys, read_config
from econ_agents.config.schema import Config, ConfigError
from econ_agents.environments.trusted import flag_of
from econ_agents.evaluation.before_and_after import Learned
from econ_agents.evaluation.report import REFINED, Arm, EvaluationReport
from econ_agents.logging.curves import Metrics, RunCurves, window_of
from econ_agents.logging.metrics_log import JSONL, read_metrics
from econ_agents.reporting.comparisons import comparison_sections
from econ_agents.reporting.conclusion import conclude
from econ_agents.reporting.curves import curves_of
from econ_agents.reporting.saved_comparisons import SavedComparison, read_comparisons
from econ_agents.reporting.saved_results import Equilibrium, read_nash_conv, read_test_report
from econ_agents.statistics import Interval, in_percent, in_units
from econ_agents.training.checkpoint import CheckpointError, latest_checkpoint
from econ_agents.training.run_folder import model_dir
from econ_console.browser import open_page
from econ_pages.charts import Chart, Estimate, Intervals
from econ_pages.files import Found, find_games, read_games
from econ_pages.games import Game
from econ_pages.page import Block, Charts, Link, Page, Section, Table, write_page
from econ_pages.text import plural

PAGE_FILE = "report.html"
_TIMERS = ("timers/collect_s", "timers/learn_s", "timers/evaluate_s", "timers/nash_conv_s")
_REASONS = {
    "bne_rounds": "all rounds were played",
    "commitment_repeated": "the commitment repeated",
    "no_deviation": "no executor changed its action",
    "oscillation": "commitments went back and forth",
    "failed": "a request failed",
}
SHOWN_GAMES = 5
"""Number of the best and of the worst games that are named above the others."""


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """Contents of a run's folder that its page tells of."""

    folder: str
    """Its path, as it stands in a command."""
    name: str
    config: Config
    lines: Metrics
    episodes: int
    """Number of training episodes that were played."""
    tested: tuple[EvaluationReport, Learned | None] | None
    equilibria: Sequence[Equilibrium]
    comparisons: Sequence[SavedComparison]
    found: Found

    @property
    def flags(self) -> str:
        """Flags of a command that plays the trained team."""
        return f"--model-dir {self.folder}{flag_of(self.config.env.factory)}"


def run_report(run: Path, out: Path | None, *, open_it: bool, versions: str) -> int:
    """Write the page of a run and print its path; the exit code is 0.

    Args:
        run: folder of the run.
        out: file of the page; None for ``report.html`` in the folder.
        open_it: True to open the page in the browser.
        versions: versions of the programs, one per line.

    Raises:
        ConfigError: the folder is not that of a run.
        MetricsError: its metrics are damaged.
        PageError: another file of it is damaged, or the page cannot be written there.
    """
    path = run / PAGE_FILE if out is None else out
    files = read_run(run)
    write_page(run_page(files, versions), path)
    for note in files.found.notes:
        print(f"note: {note}")
    print(f"page: {path}")
    if open_it:
        open_page(path)
    return 0


def read_run(run: Path) -> RunFiles:
    """Read the folder of a run.

    Raises:
        ConfigError, MetricsError, PageError: as in :func:`run_report`.
    """
    if not (run / CONFIG_FILE).is_file():
        raise ConfigError(
            f"{run} is not the folder of a run: it has no {CONFIG_FILE}. Name the folder that "
            "econ-agents train has made, such as runs/quickstart"
        )
    config = read_config(run / CONFIG_FILE)
    lines = read_metrics(run) if (run / JSONL).exists() else []
    return RunFiles(
        folder=shlex.quote(str(run)),
        name=run.resolve().name,
        config=config,
        lines=lines,
        episodes=_played(lines, model_dir(config, run)),
        tested=read_test_report(run),
        equilibria=read_nash_conv(run),
        comparisons=read_comparisons(run),
        found=read_games(find_games(run)),
    )


def _played(lines: Metrics, checkpoints: Path) -> int:
    """Episodes of a training: an interruption saves a checkpoint before its line is logged."""
    logged = int(lines[-1]["step"]) if lines else 0
    try:
        latest = latest_checkpoint(checkpoints)
    except (CheckpointError, OSError):
        return logged
    saved = None if latest is None else re.fullmatch(r"episode_(\d+)", latest.name)
    return logged if saved is None else max(logged, int(saved[1]))


def run_page(run: RunFiles, versions: str) -> Page:
    """Page of a run: the conclusion, its evidence, and the games of the test."""
    learned = None if run.tested is None else run.tested[1]
    curves = curves_of(run.lines, run.config, run.tested)
    training = [
        *curves.accuracy(),
        *curves.rewards(),
        *curves.tokens(),
        *curves.nash_conv(),
        *curves.weights(),
    ]
    sections = [
        _test(run.tested),
        *comparison_sections(run.comparisons),
        _curves("Training", training, _about_curves(run, curves)),
        _curves(
            "Actions that were learned",
            curves.actions(),
            ["Mean of what each executor chose while training, its exploration included."],
            [] if learned is None else [_learned_actions(learned)],
        ),
        _equilibrium(run.equilibria),
        _noted_games(run.found.games),
        _losses(curves.losses()),
        _settings(run, versions),
    ]
    return Page(
        title=f"Run {run.name}",
        subtitle=_subtitle(run, curves),
        conclusion=_conclusion(run),
        remark=_remark(run),
        sections=[section for section in sections if section is not None],
        games=run.found.games,
    )


def _conclusion(run: RunFiles) -> list[str]:
    sentences = conclude(run.tested, run.equilibria, run.comparisons)
    if not run.lines:
        sentences.append("It has no metrics of a training.")
    if run.tested is None:
        sentences.append(f"econ-agents test {run.flags} tests it; then write this page again.")
    return sentences


def _remark(run: RunFiles) -> str:
    if run.tested is None and not run.comparisons:
        return ""
    said = "Ranges in brackets are 95% intervals."
    if run.comparisons or run.tested is None or run.tested[0].baseline.accuracy is None:
        return said
    return (
        f"{said} Whether a vote for the same tokens does as well was not asked in this test. This "
        "asks it: python benchmarks/compare.py --methods econ self_consistency --budget-match econ "
        f"--tune train --model-dir {run.folder}"
    )


def _subtitle(run: RunFiles, curves: RunCurves) -> str:
    config, parts = run.config, []
    if config.env_args.hf_dataset_path:
        parts.append(f"data set {config.env_args.hf_dataset_path}")
    if config.n_agents is not None:
        parts.append(f"{config.n_agents} executors")
    elif agents := {each.label for chart in curves.actions() for each in chart.series}:
        parts.append(f"{len(agents)} {plural(len(agents), 'agent')}")
    if run.lines:
        wanted = config.train.episodes
        stopped = f"stopped at {run.episodes:,} of " if run.episodes < wanted else ""
        parts.append(f"{stopped}{max(run.episodes, wanted):,} training episodes")
        seconds = sum(line.get(name, 0) for line in run.lines for name in _TIMERS)
        parts.append(f"{seconds / 60:,.1f} minutes of training")
    return " · ".join(parts)


def _about_curves(run: RunFiles, curves: RunCurves) -> list[str]:
    width = window_of(len(run.lines))
    notes = []
    if curves.has("eval/nash_conv"):
        notes = ["Where NashConv is below zero, no deviation that was tried pays."]
    elif not run.equilibria:
        notes = [
            "NashConv was not measured while training (nash_interval). econ-agents nash "
            f"{run.flags} measures it now."
        ]
    if width == 1:
        return notes
    return [
        f"Every dot is the mean of {run.config.update_interval} episodes; curves are running means "
        f"over {width} dots, and bands are their 95% intervals. Shaded at the left is the warm-up, "
        "in which actions are random. Training tries other actions than it would choose in a test, "
        "so its curves may lie below the test's.",
        *notes,
    ]


def _curves(
    title: str,
    charts: Sequence[Chart],
    paragraphs: Sequence[str] = (),
    more: Sequence[Block] = (),
) -> Section | None:
    if not charts:
        return None
    return Section(title=title, paragraphs=paragraphs, blocks=[Charts(charts=charts), *more])


def _losses(charts: Sequence[Chart]) -> Section | None:
    if not charts:
        return None
    caption = f"{len(charts)} losses of the learner over training, each times its weight"
    return Section(title="Losses", blocks=[Charts(charts=charts, caption=caption, folded=True)])


def _test(tested: tuple[EvaluationReport, Learned | None] | None) -> Section | None:
    if tested is None:
        return None
    report, learned = tested
    arms: dict[str, Arm] = {}
    if learned is not None:
        arms["untrained team, one round"] = learned.untrained
    arms["trained team, one round"] = report.baseline
    if report.rounds > 1:
        arms[f"trained team, refined (up to {report.rounds} rounds)"] = report.bne
    judged = report.baseline.accuracy is not None
    differences: dict[str, Interval] = {}
    if learned is not None:
        differences["training: trained minus untrained"] = learned.difference
    if report.rounds > 1 and report.difference is not None:
        differences["refinement: refined minus one round"] = report.difference
    scale = 100 if judged else 1
    scores = Intervals(
        title="Test",
        x_label="right answers, % of questions (95%)" if judged else "team reward (95%)",
        rows=[_estimate(name, _score(arm), scale) for name, arm in arms.items()],
    )
    charts = [scores]
    # What changed no game at all has no interval.
    differences = {name: each for name, each in differences.items() if each.low < each.high}
    if differences:
        charts.append(
            Intervals(
                title="Differences on the same questions",
                x_label="percentage points (95%)" if judged else "team reward (95%)",
                rows=[_estimate(name, each, scale) for name, each in differences.items()],
                zero=True,
            )
        )
    return Section(
        title="The test",
        paragraphs=_about_test(report, learned) if judged else [],
        blocks=[Charts(charts=charts), _arms(arms, judged)],
    )


def _about_test(report: EvaluationReport, learned: Learned | None) -> list[str]:
    said = (
        "Every question is one game: the executors answer without seeing each other, and a "
        "coordinator concludes."
    )
    if learned is not None:
        said += " Trained and untrained teams differ only in how their executors sample."
    if report.rounds > 1:
        said += " Refined: the executors answer again, knowing the conclusion, until it stands."
    return [said]


def _arms(arms: dict[str, Arm], judged: bool) -> Table:
    if not judged:
        return Table(
            head=["", "played", "team reward (95%)", "steps an episode", "failed"],
            rows=[
                [
                    name,
                    f"{arm.episodes} episodes",
                    in_units(arm.team_reward),
                    f"{arm.rounds_per_question:.2f}",
                    f"{arm.failed}",
                ]
                for name, arm in arms.items()
            ],
        )
    rows = []
    for name, arm in arms.items():
        tokens = arm.tokens_per_question
        rows.append(
            [
                name,
                f"{arm.correct} of {arm.episodes}",
                in_percent(_score(arm)),
                in_units(arm.team_reward),
                "–" if tokens is None else f"{tokens:,.0f}",
                f"{arm.played_rounds:.2f}",
                "–" if arm.json_rate is None else f"{arm.json_rate:.0%}",
                f"{arm.failed}",
                ", ".join(
                    f"{_REASONS.get(reason, reason)}: {count}"
                    for reason, count in arm.closed_by.items()
                ),
            ]
        )
    head = ["", "right", "accuracy (95%)", "team reward (95%)", "tokens a question"]
    head += ["rounds a question", "valid JSON", "failed", "ended because"]
    return Table(head=head, rows=rows)


def _score(arm: Arm) -> Interval:
    return arm.team_reward if arm.accuracy is None else arm.accuracy


def _estimate(label: str, interval: Interval, scale: float) -> Estimate:
    return Estimate(
        label=label,
        value=scale * interval.mean,
        low=scale * interval.low,
        high=scale * interval.high,
    )


def _learned_actions(learned: Learned) -> Table:
    rows = []
    for name, (before, after) in learned.actions.items():
        part, _, agent = name.partition("/")
        box = learned.bounds.get(part)
        rows.append(
            [
                agent,
                part.replace("_", " "),
                f"{before:.2f}",
                f"{after:.2f}",
                "–" if box is None else f"{box[0]:g} to {box[1]:g}",
            ]
        )
    return Table(
        caption="Mean action in the test, without exploration",
        head=["executor", "action", "untrained", "trained", "range allowed"],
        rows=rows,
    )


def _equilibrium(equilibria: Sequence[Equilibrium]) -> Section | None:
    if not equilibria:
        return None
    rows = [
        [
            f"{each.seed}",
            f"{each.questions}",
            in_units(each.interval),
            *(in_units(gain) for gain in each.gains),
        ]
        for each in equilibria
    ]
    gains = [f"gain of executor {i}" for i in range(max(len(each.gains) for each in equilibria))]
    return Section(
        title="Equilibrium",
        paragraphs=[
            "NashConv is what executors would gain in all if each alone played its best deviation; "
            "at an equilibrium it is zero. Gains are in reward per episode, with 95% intervals."
        ],
        blocks=[Table(head=["seed", "questions", "NashConv", *gains], rows=rows)],
    )


def _noted_games(games: Sequence[Game]) -> Section | None:
    # Where the test has two arms, every question would stand here twice.
    refined = [game for game in games if game.arm == REFINED]
    played = sorted(
        (game for game in refined or games if game.reward is not None),
        key=lambda game: game.reward or 0.0,
    )
    # Of fewer the lowest are the highest.
    if len(played) < SHOWN_GAMES:
        return None
    worst, best = played[:SHOWN_GAMES], played[::-1][:SHOWN_GAMES]
    blocks = [_games("Lowest team reward", worst), _games("Highest team reward", best)]
    flipped = [game for game in games if game.flipped is not None][:SHOWN_GAMES]
    if flipped:
        blocks.append(_games("Flipped between the first and the last round", flipped))
    return Section(title="Best and worst games", blocks=blocks)


def _games(caption: str, games: Sequence[Game]) -> Table:
    rows: list[list[str | Link]] = [
        [
            Link(text=f"game {game.number}", game=game.number),
            _verdict(game),
            "–" if game.reward is None else f"{game.reward:.3f}",
            f"{game.tokens.total:,}",
            "none" if game.answer is None else game.answer[:40],
            game.gold[:40],
            game.question if len(game.question) <= 120 else f"{game.question[:119]}…",
        ]
        for game in games
    ]
    head = ["", "verdict", "reward", "tokens", "answer", "right answer", "question"]
    return Table(caption=caption, head=head, rows=rows)


def _verdict(game: Game) -> str:
    said = {True: "✓ right", False: "✗ wrong", None: "–"}[game.correct]
    return said if game.flipped is None else f"{said} (flipped)"


def _settings(run: RunFiles, versions: str) -> Section:
    defaults = flat_keys(config_mapping(Config()))
    values = flat_keys(config_mapping(run.config))
    rows = [
        [key, _shown(value), "" if value == defaults.get(key) else _shown(defaults.get(key))]
        for key, value in values.items()
    ]
    lines = [line.partition(" ")[::2] for line in versions.splitlines()]
    head = ["key", "value", "default, where it is another"]
    return Section(
        title="Configuration and versions",
        blocks=[
            Table(
                caption="Settings that are not at their default",
                head=head,
                rows=[row for row in rows if row[2]],
                folded=True,
            ),
            Table(caption="All settings", head=head, rows=rows, folded=True),
            Table(
                caption="Versions of the programs that wrote this page",
                head=["program", "version"],
                rows=[list(line) for line in lines],
                folded=True,
            ),
        ],
    )


def _shown(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value}"
