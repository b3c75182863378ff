"""Play the same questions with teams of several sizes, and count the results."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from benchmarks.comparison.chosen_questions import choose_questions
from benchmarks.comparison.econ import Played, SteeredTeam, record_of
from benchmarks.comparison.econ_policy import Steering, Trained
from benchmarks.comparison.records import Item
from benchmarks.comparison.settings import bundled_weights, what_answers_depend_on
from benchmarks.learning.answers import NO_RESULT, RIGHT, WRONG
from benchmarks.learning.results import Result, ResultFile
from econ_agents.logging.progress import opened_progress
from econ_agents.statistics import proportion_interval
from econ_agents.training.checkpoint import STATE_FILE
from econ_env.config import EnvConfig
from econ_env.llm.types import Usage


@dataclass(frozen=True, kw_only=True)
class Study:
    """Settings of a study of team sizes."""

    config: EnvConfig
    """Settings of the game; the number of executors and groups vary. Its seed is the run's."""
    steering: Steering
    sampling: str
    """Description of the steering for the user."""
    executors: tuple[int, ...]
    group_size: int
    """Teams with more executors than this also play in groups of this size."""
    questions: int

    def __post_init__(self) -> None:
        if min(self.executors, default=0) < 1:
            raise ValueError(f"executors must be numbers >= 1, got {list(self.executors)}")
        if self.questions < 1:
            raise ValueError(f"questions must be at least 1, got {self.questions}")

    def teams(self) -> Iterator[EnvConfig]:
        """Yield every team: flat, and in groups if it is larger than one group."""
        for count in dict.fromkeys(self.executors):
            yield replace(self.config, n_agents=count)
            if count > self.group_size:
                yield replace(self.config, n_agents=count, group_size=self.group_size)


@dataclass
class Tally:
    """Counts of one team's results so far. Failed questions count in the letters alone."""

    answers: str = ""
    """A letter for every question in order: "1" right, "0" wrong, "x" failed."""
    votes: str = ""
    """Letters as in ``answers``, for the majority of the first round's answers."""
    executor_tokens: int = 0
    coordinator_tokens: int = 0
    longest_prompt_tokens: int = 0
    shortened_prompts: int = 0
    """Prompts that were cut to fit into a model's context."""
    shortened_questions: int = 0
    """Questions with such a prompt."""
    first_failure: str = ""
    """Reason of the first failure; empty without one."""
    seconds: float = 0.0

    def add(self, played: Played) -> None:
        """Add the result of one question."""
        self.seconds += played.wall_s
        record, transcript = record_of("", played, {}), played.transcript
        if record.failed is not None:
            self.first_failure = self.first_failure or record.failed
            self.answers += NO_RESULT
            self.votes += NO_RESULT
            return
        self.answers += RIGHT if record.correct else WRONG
        self.votes += RIGHT if record.rounds[0].vote_right else WRONG
        said = sum([e.usage for one in transcript.rounds() for e in one.executors], Usage())
        self.executor_tokens += said.total_tokens
        self.coordinator_tokens += record.usage.total_tokens - said.total_tokens
        self.longest_prompt_tokens = max(self.longest_prompt_tokens, record.longest_prompt_tokens)
        # A prompt of which several parts were cut is one prompt.
        cut = len({(cut.agent, cut.role) for cut in transcript.strategies_shortened})
        cut += sum(len({(c.agent, c.role) for c in one.shortened}) for one in transcript.rounds())
        self.shortened_prompts += cut
        self.shortened_questions += cut > 0


def measure_scale(study: Study, *, out: Path, in_flight: int, fresh: bool = False) -> Result:
    """Play the missing questions; return the summary of all teams.

    Args:
        study: settings of the study.
        out: file of the results, written after every ``in_flight`` questions.
        in_flight: number of questions played at the same time; only seconds depend on it.
        fresh: begin without the results in ``out``, which are replaced with the first new ones.

    Raises:
        CheckpointError: the checkpoint does not fit one of the teams; nothing was asked.
        SettingsDiffer: ``out`` holds results of other settings.
    """
    questions = choose_questions(study.config, study.questions)
    items = [Item(question=question, run_seed=study.config.seed) for question in questions]
    teams = {
        team_name(config): (
            config,
            SteeredTeam(config, study.steering, models=config.models(), in_flight=in_flight),
        )
        for config in study.teams()
    }
    settings = {
        **what_answers_depend_on(study.config, questions),
        "rounds": study.config.bne_rounds,
        "sampling": study.sampling,
        "weights": weights_of(study),
    }
    del settings["n_agents"]
    file = ResultFile(out, settings, libraries=["transformers", "tokenizers"], fresh=fresh)
    for name, (config, team) in teams.items():
        _measure(name, config, team, items, file, in_flight)
        file.summarise(summarise(file.parts()))
    summary = summarise(file.parts())
    file.summarise(summary)
    return summary


def team_name(config: EnvConfig) -> str:
    """Return the name of a team in the results; names sort in the order of the teams."""
    layout = "flat" if config.group_size is None else f"groups of {config.group_size}"
    return f"{config.n_agents:02d} executors, {layout}"


def weights_of(study: Study) -> Result:
    """Return versions of the bundled weights, and the checksum of the trained policy, if any."""
    names = {name for config in study.teams() for name in config.team().names}
    versions: Result = {**bundled_weights(names)}
    if isinstance(study.steering, Trained):
        state = (study.steering.checkpoint / STATE_FILE).read_bytes()
        versions["policy"] = hashlib.sha256(state).hexdigest()
    return versions


def _measure(
    name: str,
    config: EnvConfig,
    team: SteeredTeam,
    items: Sequence[Item],
    file: ResultFile,
    in_flight: int,
) -> None:
    """Play the questions that a team has not played, and store them batch by batch."""
    part = file.parts().get(name, {})
    tally = Tally(**{field.name: part[field.name] for field in fields(Tally) if part})
    start = time.monotonic()
    with opened_progress(
        description=name, total=len(items), done=len(tally.answers), unit="question"
    ) as progress:
        for played in team.play(items[len(tally.answers) :], progress.phase):
            tally.add(played)
            progress.advance()
            done = len(tally.answers)
            if done % in_flight == 0 or done == len(items):
                size = {"executors": config.n_agents, "group_size": config.group_size}
                file.put(name, {**size, **asdict(tally)})
    print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)


def summarise(parts: dict[str, Result]) -> Result:
    """Return the table: a row of figures for every team."""
    return {name: _row(part) for name, part in parts.items()}


def _row(part: Result) -> Result:
    """Return the figures of a team; those of its answers are left out if all questions failed."""
    questions, failed = len(part["answers"]), part["answers"].count(NO_RESULT)
    row = {
        "executors": part["executors"],
        "group_size": part["group_size"],
        "questions": questions,
        "failed": failed,
        "first_failure": part["first_failure"],
        "right_of_all_questions": part["answers"].count(RIGHT) / questions,
        "seconds_per_question": part["seconds"] / questions,
    }
    finished = questions - failed
    if not finished:
        return row
    tokens = part["executor_tokens"] + part["coordinator_tokens"]
    return {
        **row,
        "accuracy": _share(part["answers"], finished),
        "first_round_vote": _share(part["votes"], finished),
        "tokens_per_question": tokens / finished,
        "tokens_per_executor": tokens / finished / part["executors"],
        "coordinators_share_of_tokens": part["coordinator_tokens"] / tokens,
        "longest_prompt_tokens": part["longest_prompt_tokens"],
        "shortened_prompts": part["shortened_prompts"],
        "shortened_questions": part["shortened_questions"],
    }


def _share(letters: str, finished: int) -> dict[str, float]:
    right = letters.count(RIGHT)
    interval = proportion_interval(right, finished)
    return {"share": interval.mean, "low": interval.low, "high": interval.high}
