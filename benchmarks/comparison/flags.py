"""The flags of ``compare.py``, and the settings that they mean."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import tyro

from benchmarks.comparison.paper import PaperSetting
from benchmarks.comparison.run import Entry, plan_entries
from benchmarks.comparison.specs import EconSpec, FirstRoundVoteSpec, Spec, SpecError, parse_spec
from econ_agents.config.files import did_you_mean
from econ_agents.config.yaml12 import NotationError, read_yaml
from econ_agents.training.checkpoint import CheckpointError
from econ_agents.training.inspection import find_checkpoint
from econ_env.commands.play import read_price
from econ_env.config import EnvConfig
from econ_env.errors import UsageError
from econ_env.llm.api import SecondAction
from econ_env.llm.cache.recording_model import CacheMode

COMPARISONS = Path("runs", "comparisons")
"""Where comparisons are kept."""
DEFAULT_METHODS = (
    "greedy",
    "cot",
    "self_consistency",
    "best_of_n_commit",
    "debate",
    "econ_untrained",
)
"""What can be compared without any training."""

Assignments = Annotated[
    tuple[tuple[str, ...], ...],
    tyro.conf.UseAppendAction,
    tyro.conf.arg(metavar="KEY=VALUE ...", help_behavior_hint="(repeatable)"),
]
"""``--set a=1 b=2 --set c=3``."""

_OF_METHODS = {
    "bne_rounds": "econ:rounds=3",
    "group_size": "econ:group_size=3",
    "commitment_rule": "econ:rule=guarded",
}
"""Settings of the environment that belong to a method, and how they are written there."""
_NOT_SET = frozenset({"prices", "loop", "max_rounds", "max_cycles", *_OF_METHODS})
"""Fields of :class:`EnvConfig` that ``--set`` does not take."""


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Let methods answer the same questions, and compare accuracy and tokens.

    Every method gets the same questions, models, extractor and grader. Results are kept question
    by question: the same command goes on where an interrupted one stopped, and repeats what
    failed. Without any flags, the three bundled models solve word problems, offline.

    A method is a name, and settings behind a colon: greedy, cot, self_consistency:k=5,
    best_of_n_commit:n=3, debate:agents=3,rounds=3, econ_untrained:rounds=1,
    econ:rounds=3,rule=guarded,group_size=3, first_round_vote:of=econ. Only econ needs a team that
    was trained before (./run_econ.sh), and --model-dir.
    """

    dataset: str = "arithmetic"
    """Questions: "arithmetic", "simulated", a public data set ("gsm8k", "math", "math500",
    "svamp", "gsm_hard", "strategyqa"), any id of the Hugging Face hub ("owner/name"), or the path
    of a .jsonl, .json, .parquet or .csv file."""
    llm: tuple[str, ...] = ("bundled",)
    """Models of the executors: one name for all ("bundled", "bundled:0", "simulated",
    "hf:PATH_OR_ID", "together:MODEL", "openai:MODEL", "vllm:MODEL@http://host:port/v1", ...) or
    one name per executor."""
    coordinator: str | None = None
    """Model of the coordinator, if it is to be another one."""
    n_agents: int = 3
    """Number of executors."""
    data_path: Path | None = None
    """File, or folder with a file per split, with the rows of a public data set: read instead of
    the hub."""
    split: str = "test"
    """Part of the data set."""
    methods: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SPEC ...")] = DEFAULT_METHODS
    """What is compared."""
    questions: Annotated[int, tyro.conf.arg(metavar="N")] = 100
    """How many questions: the first ones of a fixed shuffle, the same for all methods and
    seeds."""
    seeds: tuple[int, ...] = (0,)
    """Everything random in a method follows from these; each is a run of its own."""
    model_dir: Annotated[str | None, tyro.conf.arg(metavar="PATH")] = None
    """The trained team of "econ": a run, its checkpoints, or one of them. "{seed}" in it stands
    for each of --seeds, as in "runs/bundled_{seed}"."""
    budget_match: Annotated[str | None, tyro.conf.arg(metavar="SPEC")] = None
    """One of --methods: every self_consistency that names no k and every debate that names no
    rounds gets the number at which its tokens come nearest to those of this method."""
    paper: Annotated[str | None, tyro.conf.arg(metavar="DATASET[/MODEL]")] = None
    """Print the ECON paper's table of this setting as well, ours beside it: "math", "gsm8k/8x22B",
    ... Its numbers are printed in the paper, not measured here."""
    dry_run: bool = False
    """Say what would be asked and what that may cost, and stop. Needs no key."""
    log_dir: Path | None = None
    """Folder of the results. Default: runs/comparisons/DATASET_LLM."""
    config: Path | None = None
    """YAML file with values for these flags, under the same names; flags win."""
    in_flight: int = 32
    """Questions that are answered side by side."""
    second_action: SecondAction = "repetition_penalty"
    """What becomes of the repetition penalty at a model server: sent as it is, translated into a
    frequency penalty where the server has none, or not used."""
    max_concurrency: int = 64
    """Most requests in flight at one model on a server."""
    request_timeout_s: float = 600.0
    """Seconds after which a request to a server has failed, its retries included."""
    cache: CacheMode = "off"
    """"read_write": keep completions, and ask nothing twice. "replay": ask nothing at all, and
    answer from what was recorded with the same settings."""
    cache_path: Path | None = None
    """File of the completions. Default: completions.sqlite in $ECON_CACHE or ~/.cache/econ_env."""
    max_requests: int | None = None
    """Stop before more requests than this are asked of models."""
    max_total_tokens: int | None = None
    """Stop before models read and write more tokens than this."""
    max_cost_usd: float | None = None
    """Stop before models cost more US dollars than this."""
    price: Annotated[tuple[str, ...], tyro.conf.arg(metavar="MODEL=P,C")] = ()
    """Prices in US dollars per million tokens of prompts (P) and of completions (C)."""
    set: Assignments = ()
    """Any other setting of the environment with its value in YAML, as in top_p=1.0 or
    prompts=compact."""

    def env_config(self) -> EnvConfig:
        """The settings of what is played.

        Raises:
            UsageError: a flag has a wrong value.
            ModelError: a model is not known, or its price is not and must be.
        """
        for name in ("questions", "in_flight"):
            if getattr(self, name) < 1:
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag} must be at least 1, got {getattr(self, name)}")
        for name in ("seeds", "methods", "llm"):
            if not getattr(self, name):
                raise UsageError(f"--{name} needs a value")
        own = {item.name for item in fields(self)} & {item.name for item in fields(EnvConfig)}
        values = {name: getattr(self, name) for name in own}
        values["llm"] = self.llm[0] if len(self.llm) == 1 else self.llm
        try:
            prices = dict(map(read_price, self.price))
            return EnvConfig(**values, **self._assigned(own), prices=prices)
        except (ValueError, TypeError) as error:
            raise UsageError(str(error)) from error

    def entries(self) -> tuple[Entry, ...]:
        """The methods; ``UsageError`` where one means nothing, or lacks another one."""
        try:
            entries = plan_entries(self.methods, self.budget_match)
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

    def target(self, entries: Sequence[Entry]) -> Spec | None:
        """The method of ``--budget-match``; ``UsageError`` if it is not one of the methods."""
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
                f"--budget-match takes one of --methods whose number is not itself to be matched: "
                f"{', '.join(choices) or 'there is none'}; got {self.budget_match!r}"
            )
        return target

    def checkpoints(self, entries: Sequence[Entry]) -> dict[int, Path]:
        """The trained team of every seed; none where no method needs one.

        Raises:
            UsageError: a method needs one, and there is none.
        """
        needing = [entry.spec for entry in entries if isinstance(entry.spec, EconSpec)]
        if not needing:
            return {}

        def find(seed: int) -> Path:
            try:
                return find_checkpoint(Path(str(self.model_dir).replace("{seed}", str(seed))))
            except CheckpointError as error:
                raise UsageError(f"--model-dir: {error}. To get one: {advice}") from error

        advice = (
            "train one, ./run_econ.sh does it with the bundled models, and name its run with "
            '--model-dir, as in --model-dir "runs/bundled_{seed}"; or compare econ_untrained'
        )
        if self.model_dir is None:
            raise UsageError(f"{needing[0].canonical} plays a trained team: {advice}")
        return {seed: find(seed) for seed in self.seeds}

    def paper_setting(self) -> PaperSetting | None:
        """The setting of ``--paper``; ``UsageError`` if the paper has no such one."""
        try:
            return None if self.paper is None else PaperSetting.parse(self.paper)
        except ValueError as error:
            raise UsageError(f"--paper: {error}") from error

    def folder(self) -> Path:
        """Where results go."""
        if self.log_dir is not None:
            return self.log_dir
        data = Path(self.dataset)
        name = f"{data.stem if data.suffix else self.dataset}_{self.team_name()}"
        return COMPARISONS / re.sub(r"[^\w.+-]+", "-", name)

    def team_name(self) -> str:
        """The models, in short."""
        executors = "+".join(self.llm)
        return executors if self.coordinator is None else f"{executors}, {self.coordinator}"

    def _assigned(self, own: Collection[str]) -> dict[str, Any]:
        """What ``--set`` says; ``UsageError`` for a key that is none or is none here."""
        known = [item.name for item in fields(EnvConfig) if item.name not in {*own, *_NOT_SET}]
        values = {}
        for assignment in [each for group in self.set for each in group]:
            key, equals, text = assignment.partition("=")
            if not key or not equals:
                # What stands there is not repeated: it may be a secret, pasted to the wrong place.
                raise UsageError("--set needs KEY=VALUE, as in top_p=1.0")
            if key in own:
                raise UsageError(f"--set {key}: this has a flag, --{key.replace('_', '-')}")
            if key in _OF_METHODS:
                raise UsageError(f"--set {key}: this belongs to a method, as {_OF_METHODS[key]}")
            if key not in known:
                raise UsageError(f"--set: unknown key {key!r}; {did_you_mean(key, known)}")
            try:
                values[key] = read_yaml(text)
            except NotationError as error:
                raise UsageError(f"--set {key}: {error}") from error
        return values
