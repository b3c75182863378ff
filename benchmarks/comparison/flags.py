"""Flags of ``compare.py``, and the settings made from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated

import tyro

from benchmarks.comparison.chosen_questions import choose_questions
from benchmarks.comparison.paper import PaperSetting
from benchmarks.comparison.run import Entry, plan_entries
from benchmarks.comparison.specs import EconSpec, FirstRoundVoteSpec, Spec, SpecError, parse_spec
from benchmarks.comparison.tuning import REPETITION_PENALTIES, TEMPERATURES, Tuning
from econ_agents.config.files import CONFIG_FILE
from econ_agents.rollouts.placement import Placement
from econ_agents.training.checkpoint import CheckpointError
from econ_agents.training.inspection import find_checkpoint
from econ_env.commands.flags import EnvFlags, with_help
from econ_env.config import EnvConfig
from econ_env.errors import UsageError
from econ_env.game.closing_rules import CommitmentRule
from econ_env.questions.base import Question
from econ_env.sampling_action import SamplingAction

COMPARISONS = Path("runs", "comparisons")
"""Folder that holds comparisons by default."""
DEFAULT_METHODS = (
    "greedy",
    "cot",
    "self_consistency",
    "best_of_n_commit",
    "debate",
    "econ_untrained",
)
"""Methods that need no training."""

NOT_COMPARED = {
    "bne_rounds": "it belongs to a method, as in econ:rounds=3",
    "group_size": "it belongs to a method, as in econ:group_size=3",
    "commitment_rule": "it belongs to a method, as in econ:rule=guarded",
    "max_rounds": "one decision of each question is compared",
    "max_cycles": "one decision of each question is compared",
    "loop": "every method answers each question once",
    "keep_messages": "results hold answers and tokens, not prompts",
}
"""Settings of the environment that are not flags here, with the reason."""


@with_help
@dataclass(frozen=True, kw_only=True)
class Compare(Placement, EnvFlags):
    """Let methods answer the same questions, and compare accuracy and tokens.

    Every method gets the same questions, models, extractor and grader. Results are kept question
    by question: repeat an interrupted command to continue it and to retry failed questions.
    Without any flags, the three bundled models solve word problems, offline.

    A method is a name, with settings after a colon: greedy, cot, self_consistency:k=5,
    best_of_n_commit:n=3, debate:agents=3,rounds=3, econ_untrained:rounds=1,
    econ_fixed:temperature=0.6,repetition_penalty=1, econ_profile:temperatures=0/0.6/1,
    econ:rounds=3,rule=guarded,group_size=3, first_round_vote:of=econ. Only econ needs a trained
    team (from ./run_econ.sh, for example), given by --model-dir.
    """

    methods: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SPEC ...")] = DEFAULT_METHODS
    """Methods to compare."""
    questions: Annotated[int, tyro.conf.arg(metavar="N")] = 100
    """Number of questions: the first ones of a fixed shuffle, the same for all methods and
    seeds."""
    skip_questions: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Number of questions at the start of the shuffle that are left out, because a method was made
    while looking at them."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of all random choices of the methods; every seed is a separate run."""
    model_dir: Annotated[str | None, tyro.conf.arg(metavar="PATH")] = None
    """Trained team of "econ": the folder of a run, of its checkpoints, or of one checkpoint.
    Without --config, settings that are not given are those of this team's test: its data set and
    models, for example. "{seed}" in it is replaced by each of --seeds, as in
    "runs/bundled_{seed}"."""
    budget_match: Annotated[str | None, tyro.conf.arg(metavar="SPEC")] = None
    """One of --methods. Every self_consistency without a k and every debate without rounds gets
    the number that brings its tokens nearest to those of this method."""
    tune: Annotated[str | None, tyro.conf.arg(metavar="SPLIT")] = None
    """Split of the validation questions, such as "validation" or "train". Every method whose
    temperature and penalty are left open gets the best ones of a grid there, the same for all. The
    questions of the comparison itself are refused. Default: methods are played as written."""
    tune_questions: Annotated[int, tyro.conf.arg(metavar="N")] = 100
    """Number of validation questions: the first ones of a fixed shuffle."""
    tune_temperatures: tuple[float, ...] = TEMPERATURES
    """Temperatures of the grid, tried at the neutral repetition penalty."""
    tune_penalties: tuple[float, ...] = REPETITION_PENALTIES
    """Repetition penalties of the grid, tried at the best temperature."""
    primary: Annotated[tuple[str, str] | None, tyro.conf.arg(metavar="SPEC SPEC")] = None
    """The contrast that the comparison is made for: one of --methods, and the one to compare it
    with. It is kept with the results, so name it first. All other contrasts are corrected for
    their number."""
    margin: float = 2.0
    """Loss of accuracy in points that still counts as "as good as"."""
    paper: Annotated[str | None, tyro.conf.arg(metavar="DATASET[/MODEL]")] = None
    """Also print the ECON paper's results in this setting, such as "math" or "gsm8k/8x22B", beside
    ours. The paper's numbers are copied, not measured here."""
    dry_run: bool = False
    """Print an estimate of requests, tokens and cost, and stop. Needs no key."""
    log_dir: Path | None = None
    """Folder of the results. Default: DATASET_LLM in runs/comparisons, or in the folder comparisons
    of the run that --model-dir names."""
    config: Path | None = None
    """YAML file with values for these flags, under the same names; flags override it."""
    in_flight: int = 32
    """Number of questions that are answered at the same time."""
    bne_rounds: tyro.conf.Suppress[int]
    group_size: tyro.conf.Suppress[int | None]
    commitment_rule: tyro.conf.Suppress[CommitmentRule | None]
    max_rounds: tyro.conf.Suppress[int]
    max_cycles: tyro.conf.Suppress[int | None]
    loop: tyro.conf.Suppress[bool]
    keep_messages: tyro.conf.Suppress[bool]

    def env_config(self) -> EnvConfig:
        """Return the settings of the game.

        Raises:
            UsageError: a flag has a wrong value.
            ModelError: a model is unknown, or a price is unknown that a cost limit needs.
        """
        for name in ("questions", "in_flight", "tune_questions"):
            if getattr(self, name) < 1:
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag} must be at least 1, got {getattr(self, name)}")
        if self.skip_questions < 0:
            raise UsageError(f"--skip-questions must be at least 0, got {self.skip_questions}")
        if min(self.seeds, default=0) < 0:
            raise UsageError(f"--seeds must be at least 0, got {min(self.seeds)}")
        if not 0 <= self.margin <= 100:
            raise UsageError(f"--margin is in points, from 0 to 100, got {self.margin}")
        for name in ("seeds", "methods", "llm", "tune_temperatures", "tune_penalties"):
            if not getattr(self, name):
                raise UsageError(f"--{name.replace('_', '-')} needs a value")
        if self.tune is not None and self.tune == self.split:
            raise UsageError(
                f"--tune {self.tune} would tune on the questions that are compared (--split "
                f"{self.split}): name another split, such as validation or train"
            )
        config = super().env_config()
        # A folder of results holds {} where no prices were given.
        return replace(config, prices=config.prices or {})

    def entries(self) -> tuple[Entry, ...]:
        """Return the methods; ``UsageError`` if one is wrong, or needs another that is missing."""
        try:
            entries = plan_entries(self.methods, self.budget_match, tune=self.tune is not None)
        except SpecError as error:
            raise UsageError(f"--methods: {error}") from error
        names = [entry.spec.canonical for entry in entries]
        for entry in entries:
            if isinstance(entry.spec, FirstRoundVoteSpec) and entry.spec.of not in names:
                raise UsageError(
                    f"{entry.spec.canonical} is made of the responses of {entry.spec.of}: add "
                    f"{entry.spec.of} to --methods"
                )
        return entries

    def tuning(self, config: EnvConfig, compared: Sequence[Question]) -> Tuning | None:
        """Return the validation questions and the grid of ``--tune``; None without it.

        Raises:
            UsageError: validation questions are among the compared ones.
            QuestionError: the split cannot be read.
        """
        if self.tune is None:
            return None
        questions = choose_questions(replace(config, split=self.tune), self.tune_questions)
        texts = {question.text for question in questions} & {each.text for each in compared}
        ids = {question.id for question in questions} & {each.id for each in compared}
        shared = max(texts, ids, key=len)
        if shared:
            raise UsageError(
                f"{len(shared)} of the {len(questions)} questions of --tune {self.tune} are among "
                "the compared ones: tune on others, so that the comparison stays a test"
            )
        bounds = config.bounds()
        for temperature, penalty in product(self.tune_temperatures, self.tune_penalties):
            action = SamplingAction(temperature=temperature, repetition_penalty=penalty)
            if not bounds.contains(action):
                raise UsageError(
                    f"--tune-temperatures {temperature:g} with --tune-penalties {penalty:g} is "
                    "outside of the box of actions, from which ECON chooses (--temperature-min "
                    f"{bounds.temperature_min:g}, --temperature-max {bounds.temperature_max:g}, "
                    f"--repetition-penalty-min {bounds.repetition_penalty_min:g}, "
                    f"--repetition-penalty-max {bounds.repetition_penalty_max:g})"
                )
        try:
            return Tuning(
                questions=questions,
                temperatures=self.tune_temperatures,
                repetition_penalties=self.tune_penalties,
                n_agents=len(config.team().executors),
                with_strategy=config.resolved_strategy(),
            )
        except ValueError as error:
            raise UsageError(str(error)) from error

    def primary_contrast(self, entries: Sequence[Entry]) -> tuple[Spec, Spec] | None:
        """Return the methods of ``--primary``; ``UsageError`` if they are not two of them."""
        if self.primary is None:
            return None
        listed = [entry.spec for entry in entries]
        try:
            ours, theirs = map(parse_spec, self.primary)
        except SpecError as error:
            raise UsageError(f"--primary: {error}") from error
        if ours == theirs or not {ours, theirs} <= set(listed):
            raise UsageError(
                f"--primary takes two of --methods: {', '.join(s.canonical for s in listed)}; got "
                f"{' '.join(map(repr, self.primary))}"
            )
        return ours, theirs

    def target(self, entries: Sequence[Entry]) -> Spec | None:
        """Return the method of ``--budget-match``; ``UsageError`` if it is not one of them."""
        if self.budget_match is None:
            return None
        listed = [entry.spec for entry in entries if entry.knob is None]
        try:
            target = parse_spec(self.budget_match)
        except SpecError as error:
            raise UsageError(f"--budget-match: {error}") from error
        if target not in listed or isinstance(target, FirstRoundVoteSpec):
            choices = [
                spec.canonical for spec in listed if not isinstance(spec, FirstRoundVoteSpec)
            ]
            raise UsageError(
                f"--budget-match takes one of --methods that is not to be matched itself: "
                f"{', '.join(choices) or 'there is none'}; got {self.budget_match!r}"
            )
        return target

    def checkpoints(self, entries: Sequence[Entry]) -> dict[int, Path]:
        """Return the checkpoint of every seed; empty if no method needs one.

        Raises:
            UsageError: a method needs a checkpoint, and there is none.
        """
        needing = [entry.spec for entry in entries if isinstance(entry.spec, EconSpec)]
        if not needing:
            return {}

        def find(seed: int) -> Path:
            try:
                return find_checkpoint(Path(folder.replace("{seed}", str(seed))).expanduser())
            except CheckpointError as error:
                raise UsageError(f"--model-dir: {error}. To get one: {advice}") from error

        advice = (
            "train one (./run_econ.sh does so with the bundled models) and give its run with "
            '--model-dir, as in --model-dir "runs/bundled_{seed}"; or compare econ_untrained'
        )
        if self.model_dir is None:
            raise UsageError(f"{needing[0].canonical} plays a trained team: {advice}")
        folder = self.model_dir
        return {seed: find(seed) for seed in self.seeds}

    def paper_setting(self) -> PaperSetting | None:
        """Return the setting of ``--paper``; ``UsageError`` if the paper does not have it."""
        try:
            return None if self.paper is None else PaperSetting.parse(self.paper)
        except ValueError as error:
            raise UsageError(f"--paper: {error}") from error

    def folder(self) -> Path:
        """Return the folder of the results."""
        if self.log_dir is not None:
            return self.log_dir.expanduser()
        data = Path(self.dataset)
        name = f"{data.stem if data.suffix else self.dataset}_{self.team_name()}"
        return self._parent() / re.sub(r"[^\w.+-]+", "-", name)

    def _parent(self) -> Path:
        """Return the folder that holds comparisons of these teams."""
        run = None if self.model_dir is None else Path(self.model_dir).expanduser()
        if run is not None and (run / CONFIG_FILE).is_file():
            return run / COMPARISONS.name
        return COMPARISONS

    def team_name(self) -> str:
        """Return a short name of the models."""
        executors = self.llm if isinstance(self.llm, str) else "+".join(self.llm)
        return executors if self.coordinator is None else f"{executors}, {self.coordinator}"
