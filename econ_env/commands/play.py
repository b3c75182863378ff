"""``econ-env play``: a team answers questions; prints a few episodes and a summary."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Annotated, Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from tqdm import tqdm

from econ_env.commands.flags import EnvFlags, fixed_point, with_flags, with_help
from econ_env.commands.playthrough import play_through
from econ_env.commands.summary import summarise
from econ_env.config import EnvConfig
from econ_env.embeddings import DEFAULT_MODEL
from econ_env.envs.batched import BatchedEconEnv
from econ_env.envs.render import render_transcript, use_colour
from econ_env.errors import UsageError
from econ_env.game.transcript import Transcript
from econ_env.llm.registry import runs_here
from econ_env.llm.types import ModelError
from econ_env.private_files import append_privately
from econ_env.questions.base import Question, QuestionOrder

BATCH_SIZE = 16
"""Questions played side by side."""

LOCAL_BATCH_SIZE = 64
"""Questions played side by side with models that run in this process and are not small: they are
fast in large batches only, and take no more into work at once than memory allows."""


MAX_LINE_BYTES = 1 << 24
"""Largest first line that is read of a file of transcripts."""


@with_help
@dataclass(frozen=True, kw_only=True)
class Play(EnvFlags):
    """Let a team of language models answer questions, and print the result.

    A coordinator plans, executors answer, the coordinator commits to one answer. Without any
    flags, three small models that come with this package solve word problems that they have not
    seen; nothing is downloaded. The actions are fixed or random: this command does not learn.
    """

    questions: Annotated[int, tyro.conf.arg(metavar="N")] = 20
    """Number of questions to play."""
    actions: Literal["fixed", "random"] = "fixed"
    """"fixed": every executor samples with --temperature and --repetition-penalty. "random": a new
    random temperature and penalty for every executor in every round."""
    temperature: float = 0.7
    """Sampling temperature of all executors, from --temperature-min to --temperature-max."""
    repetition_penalty: float = 1.0
    """Repetition penalty of all executors, from --repetition-penalty-min to
    --repetition-penalty-max; 1 is neutral."""
    loop: bool = False
    """Start over after the last question if the data set has fewer than --questions. Off: each
    question is played once."""
    show: int = 2
    """Number of episodes to print in full."""
    out: Path | None = None
    """File to which every finished episode is appended, one JSON object per line. A new file is
    readable by its owner only."""
    allow_key_for: Annotated[tuple[str, ...], tyro.conf.arg(metavar="HOST ...")] = ()
    """Hosts, besides the server's own, that may get the key of a server's kind, OPENAI_API_KEY for
    example: HOST or HOST:PORT. Over https or on this machine only."""

    def env_config(self) -> EnvConfig:
        """Return the checked settings, with a large embedder only if the user names it.

        Nothing is learned here: texts are embedded for the rewards that are shown.
        """
        config = super().env_config()
        if self.embedder is None and config.resolved_embedder() == DEFAULT_MODEL:
            return replace(config, embedder="hashing")
        return config

    def run(self) -> int:
        """Play; the exit code is 0, 1 if no episode finished and some failed, or 130 after Ctrl-C.

        Raises:
            ModelError: a model cannot be used, or no longer: an exhausted budget, for example. The
                episodes played before are summed up first.
        """
        if self.questions < 1:
            raise UsageError(f"--questions must be at least 1, got {self.questions}")
        if self.show < 0:
            raise UsageError(f"--show must be at least 0, got {self.show}")
        out = None if self.out is None else self.out.expanduser()
        if out is not None:
            check_takes_transcripts(out)
        config = self.env_config()
        size = min(_side_by_side(config), self.questions)
        choose_actions = self._chooser(config, size)
        try:
            env = BatchedEconEnv(config, num_questions=size)
        except ValueError as error:
            raise UsageError(with_flags(str(error))) from error
        chosen = self._choose_questions(env)
        transcripts: list[Transcript] = []
        interrupted = False
        stopped: ModelError | None = None
        with ExitStack() as stack:
            stack.callback(env.close)
            file = stack.enter_context(append_privately(out)) if out else None
            bar = stack.enter_context(tqdm(total=len(chosen), unit="question", disable=None))
            try:
                # A batch takes a while and ends as a whole: until then the bar shows its phase.
                show_phase = bar.set_postfix_str
                for transcript in play_through(env, chosen, choose_actions, report=show_phase):
                    if file is not None:
                        _write_line(file, transcript)
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
        if out is not None:
            print(f"transcripts          {len(transcripts)} appended to {out}")
        if stopped is not None:
            raise stopped
        if interrupted:
            return 130
        return 1 if summary.failed and not summary.finished else 0

    def _print_spending(self, env: BatchedEconEnv) -> None:
        """Print the requests and tokens of this run, if there is a cache or a budget."""
        limits = (self.max_requests, self.max_total_tokens, self.max_cost_usd)
        if self.cache == "off" and limits == (None, None, None):
            return
        spent, kept = env.spending, env.usage_from_cache
        cost = "" if self.max_cost_usd is None else f", ${spent.cost_usd:.4f}"
        print(f"asked now            {spent.requests} requests, {spent.tokens} tokens{cost}")
        if self.cache != "off":
            print(f"from the cache       {kept.requests} requests, {kept.total_tokens} tokens")

    def _choose_questions(self, env: BatchedEconEnv) -> list[Question]:
        """Return the first ``questions`` of the order, each at most once unless ``loop`` is set."""
        order = QuestionOrder(env.questions, order=self.order, loop=self.loop, seed=self.seed)
        chosen = order.take(self.questions)
        if len(chosen) < self.questions:
            print(f"the data set has only {len(chosen)} questions", file=sys.stderr)
        return chosen

    def _chooser(
        self, config: EnvConfig, size: int
    ) -> Callable[[], dict[str, NDArray[np.float32]]]:
        """Return a function that chooses the actions of all agents: one point, or at random."""
        rng = np.random.default_rng(self.seed)
        if self.actions == "random":
            return lambda: {
                agent: rng.uniform(-1, 1, (size, 2)).astype(np.float32) for agent in config.agents
            }
        point = fixed_point(
            config.bounds(),
            temperature=self.temperature,
            repetition_penalty=self.repetition_penalty,
        )
        fixed = np.broadcast_to(np.array(point, dtype=np.float32), (size, 2))
        return lambda: dict.fromkeys(config.agents, fixed)


def check_takes_transcripts(path: Path) -> None:
    """Check that transcripts can be appended to a file; a new one is made.

    Raises:
        UsageError: it is no file, or a file of another kind, or its folder does not exist.
    """
    if not path.parent.is_dir():
        raise UsageError(f"--out {path}: there is no folder {path.parent}: make it first")
    if path.is_dir():
        raise UsageError(f"--out {path} is a folder: name a file in it, such as games.jsonl")
    if not path.is_file():
        return
    with path.open("rb") as file:
        first = file.readline(MAX_LINE_BYTES)
    try:
        is_transcript = not first.strip() or "decisions" in json.loads(first)
    except (ValueError, TypeError, RecursionError):
        is_transcript = False
    if not is_transcript:
        raise UsageError(
            f"--out {path} is a file of another kind, to which no transcripts are appended: name "
            "a new file, or one that this command has written"
        )


def _side_by_side(config: EnvConfig) -> int:
    """Count the questions of one batch of this team."""
    return LOCAL_BATCH_SIZE if any(map(runs_here, config.team().names)) else BATCH_SIZE


def _write_line(file: IO[str], transcript: Transcript) -> None:
    """Append one whole line and hand it to the operating system at once."""
    file.write(json.dumps(transcript.to_json(), ensure_ascii=False) + "\n")
    file.flush()
