"""``econ-env play``: a team answers questions, a few of them on screen, all of them counted."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from tqdm import tqdm

from econ_env.commands.playthrough import play_through
from econ_env.commands.summary import summarise
from econ_env.config import EnvConfig
from econ_env.envs.batched import BatchedEconEnv
from econ_env.envs.render import render_transcript, use_colour
from econ_env.game.closing_rules import CommitmentRule
from econ_env.game.transcript import Transcript
from econ_env.llm.api import SecondAction
from econ_env.llm.cache.recording_model import CacheMode
from econ_env.llm.registry import runs_here
from econ_env.llm.types import ModelError
from econ_env.questions.base import OrderName, Question, QuestionOrder
from econ_env.sampling_action import SamplingAction

BATCH_SIZE = 16
"""Questions played side by side."""

LOCAL_BATCH_SIZE = 64
"""The same, of models that run in this process and are not small: they are fast in large batches
only, and take no more into work at once than memory allows."""


class UsageError(Exception):
    """A flag has a value that cannot be played; the message is for the user."""


@dataclass(frozen=True, kw_only=True)
class Play:
    """Let a team of language models answer questions, and watch.

    A coordinator plans, executors answer, the coordinator commits to one answer. Without any
    flags, three small models that come with this package solve word problems that they have not
    seen; nothing is downloaded. The sampling actions are fixed, nobody learns here.
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
    questions: Annotated[int, tyro.conf.arg(metavar="N")] = 20
    """How many questions to play."""
    n_agents: int = 3
    """Number of executors."""
    bne_rounds: int = 1
    """Most rounds of a decision. A team whose actions do not change stops after the first, so
    combine this with --actions random."""
    max_rounds: int = 1
    """Decisions per question."""
    group_size: int | None = None
    """Executors per group, each group with its own local coordinator. Default: one flat team."""
    commitment_rule: CommitmentRule | None = None
    """"coordinator": always its own conclusion. "guarded": agreed answers stand without a call,
    and values that nobody gave are replaced by the majority's. Default: what suits the model."""
    prompts: Literal["compact", "default"] | None = None
    """Style of the prompts. Default: what suits the model."""
    second_action: SecondAction = "repetition_penalty"
    """What becomes of the repetition penalty at a model server: sent as it is, translated into a
    frequency penalty where the server has none, or not used."""
    max_concurrency: int = 64
    """Most requests in flight at one model on a server."""
    request_timeout_s: float = 600.0
    """Seconds after which a request to a server has failed, its retries included."""
    embedder: str | None = None
    """Embeddings for rewards and observations: "hashing", "minilm" or a sentence-transformers id.
    Default: what suits the model."""
    actions: Literal["fixed", "random"] = "fixed"
    """"fixed": every executor samples as the next two flags say. "random": a new random
    temperature and penalty for everybody in every round."""
    temperature: float = 0.7
    """Sampling temperature of all executors, from 0.1 to 2.0."""
    repetition_penalty: float = 1.0
    """Repetition penalty of all executors, from 0.8 to 1.5; 1 is neutral."""
    split: str = "test"
    """Part of the data set."""
    data_path: Path | None = None
    """File, or folder with a file per split, with the rows of a public data set: read instead of
    the hub."""
    subset: str | None = None
    """Configuration of a data set of the hub. Default: the usual one."""
    revision: str | None = None
    """Commit, tag or branch of a data set of the hub. Default: any copy on this machine, else the
    main branch."""
    streaming: bool = False
    """Read a data set of the hub only as far as it is played, without downloading it first."""
    question_field_name: str | None = None
    """Field of the question, where it cannot be guessed."""
    answer_field_name: str | None = None
    """Field of the gold answer, where it cannot be guessed."""
    max_question_length: int | None = None
    """Leave out questions of more characters."""
    max_answer_length: int | None = None
    """Leave out gold answers of more characters."""
    order: OrderName = "shuffled"
    """Order of the questions."""
    seed: int = 0
    """Everything random follows from this number."""
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
    show: int = 2
    """How many episodes to print in full."""
    out: Path | None = None
    """File to which every finished episode is appended, one JSON object per line."""

    def run(self) -> int:
        """Play; the exit code is 0, 1 if nothing finished but some failed, or 130 after Ctrl-C.

        Raises:
            ModelError: a model cannot be used, or no longer: an exhausted budget, for example.
                What was played by then is summed up first.
        """
        try:
            config = self.config()
            env = BatchedEconEnv(config, num_questions=min(_side_by_side(config), self.questions))
            point = self._fixed_point()
        except ValueError as error:
            raise UsageError(str(error)) from error
        chosen = self._choose_questions(env)
        choose_actions = self._chooser(env, point)
        transcripts: list[Transcript] = []
        interrupted = False
        stopped: ModelError | None = None
        with ExitStack() as stack:
            stack.callback(env.close)
            out = stack.enter_context(self.out.open("a", encoding="utf-8")) if self.out else None
            bar = stack.enter_context(tqdm(total=len(chosen), unit="question", disable=None))
            try:
                # A batch takes a while and ends as a whole: until then the bar says what is done.
                show_phase = bar.set_postfix_str
                for transcript in play_through(env, chosen, choose_actions, report=show_phase):
                    if out is not None:
                        _write_line(out, transcript)
                    if len(transcripts) < self.show:
                        bar.write(render_transcript(transcript, colour=use_colour()))
                    transcripts.append(transcript)
                    bar.update()
            except KeyboardInterrupt:
                interrupted = True
            except ModelError as error:
                if not transcripts:
                    raise
                stopped = error
        if interrupted:
            print(
                f"interrupted: {len(transcripts)} of {len(chosen)} questions were played",
                file=sys.stderr,
            )
        summary = summarise(transcripts)
        print(summary)
        self._print_spending(env)
        if self.out is not None:
            print(f"transcripts          {len(transcripts)} appended to {self.out}")
        if stopped is not None:
            raise stopped
        if interrupted:
            return 130
        return 1 if summary.failed and not summary.finished else 0

    def config(self) -> EnvConfig:
        """The settings of the environment; ``ValueError`` or ``ModelError`` if they are wrong."""
        if self.questions < 1:
            raise ValueError(f"--questions must be at least 1, got {self.questions}")
        return EnvConfig(
            dataset=self.dataset,
            llm=self.llm[0] if len(self.llm) == 1 else self.llm,
            coordinator=self.coordinator,
            n_agents=self.n_agents,
            bne_rounds=self.bne_rounds,
            max_rounds=self.max_rounds,
            group_size=self.group_size,
            commitment_rule=self.commitment_rule,
            prompts=self.prompts,
            second_action=self.second_action,
            max_concurrency=self.max_concurrency,
            request_timeout_s=self.request_timeout_s,
            embedder=self.embedder,
            split=self.split,
            data_path=self.data_path,
            subset=self.subset,
            revision=self.revision,
            streaming=self.streaming,
            question_field_name=self.question_field_name,
            answer_field_name=self.answer_field_name,
            max_question_length=self.max_question_length,
            max_answer_length=self.max_answer_length,
            order=self.order,
            seed=self.seed,
            cache=self.cache,
            cache_path=self.cache_path,
            max_requests=self.max_requests,
            max_total_tokens=self.max_total_tokens,
            max_cost_usd=self.max_cost_usd,
            prices=dict(map(read_price, self.price)),
        )

    def _print_spending(self, env: BatchedEconEnv) -> None:
        """What was asked now, where a cache or a budget makes that worth knowing."""
        limits = (self.max_requests, self.max_total_tokens, self.max_cost_usd)
        if self.cache == "off" and limits == (None, None, None):
            return
        spent, kept = env.spending, env.usage_from_cache
        cost = "" if self.max_cost_usd is None else f", ${spent.cost_usd:.4f}"
        print(f"asked now            {spent.requests} requests, {spent.tokens} tokens{cost}")
        if self.cache != "off":
            print(f"from the cache       {kept.requests} requests, {kept.total_tokens} tokens")

    def _choose_questions(self, env: BatchedEconEnv) -> list[Question]:
        """The first ``questions`` of the order, each at most once."""
        order = QuestionOrder(env.questions, order=self.order, loop=False, seed=self.seed)
        chosen = order.take(self.questions)
        if len(chosen) < self.questions:
            print(f"the data set has only {len(chosen)} questions", file=sys.stderr)
        return chosen

    def _fixed_point(self) -> tuple[float, float]:
        """The point of the action box that --temperature and --repetition-penalty name."""
        bounds = self.config().bounds()
        action = SamplingAction(
            temperature=self.temperature, repetition_penalty=self.repetition_penalty
        )
        point = bounds.normalise(action)
        if max(map(abs, point)) > 1:
            raise ValueError(
                "--temperature must be in [0.1, 2.0] and --repetition-penalty in [0.8, 1.5], got "
                f"{self.temperature} and {self.repetition_penalty}"
            )
        return point

    def _chooser(
        self, env: BatchedEconEnv, point: tuple[float, float]
    ) -> Callable[[], dict[str, NDArray[np.float32]]]:
        """What every agent does in every step: ``point``, or something random."""
        shape = (env.num_questions, 2)
        rng = np.random.default_rng(self.seed)
        fixed = np.broadcast_to(np.array(point, dtype=np.float32), shape)

        def choose() -> dict[str, NDArray[np.float32]]:
            if self.actions == "fixed":
                return dict.fromkeys(env.possible_agents, fixed)
            return {
                agent: rng.uniform(-1, 1, shape).astype(np.float32) for agent in env.possible_agents
            }

        return choose


def _side_by_side(config: EnvConfig) -> int:
    """Questions in one batch of this team."""
    return LOCAL_BATCH_SIZE if any(map(runs_here, config.team().names)) else BATCH_SIZE


def read_price(text: str) -> tuple[str, list[float]]:
    """A price as it is typed, ``MODEL=0.2,0.6``; ``ValueError`` if it is none."""
    name, _, numbers = text.rpartition("=")
    try:
        pair = [float(number) for number in numbers.split(",")]
    except ValueError:
        pair = []
    if not name or len(pair) != 2:
        raise ValueError(
            "--price takes a model and its prices in US dollars per million tokens, such as "
            f"together:some/model=0.2,0.6; got {text!r}"
        )
    return name, pair


def _write_line(file: IO[str], transcript: Transcript) -> None:
    """Append one whole line and hand it to the operating system at once."""
    file.write(json.dumps(transcript.to_json(), ensure_ascii=False) + "\n")
    file.flush()
